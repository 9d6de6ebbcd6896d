"""Service windows: counters where people are served, each with an organisation and a member who answers for it."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Meta, Struct

from surveys.assessments import round_standing, rounds
from surveys.assessments.rounds import Changed
from surveys.history import text_row
from surveys.people import organisations, people
from surveys.people.people import Reader
from surveys.refusals import NotAllowed, NotFound, NothingChanges, StaleVersion, TextUnusable, UnknownMember

Name = Annotated[str, Meta(min_length=1, max_length=100)]


class WindowDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new window."""

    id: UUID
    name: Name
    organisation: UUID
    member: UUID


class WindowRenaming(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a window is to be called from now on."""

    id: UUID
    expected_version: int
    name: Name


class WindowClosing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a window serves nobody any more."""

    id: UUID


class Window(Struct, frozen=True, kw_only=True):
    """A window as it is read."""

    id: UUID
    version: int
    name: str
    organisation: UUID
    organisation_name: str
    member: UUID
    member_name: str
    opened_at: datetime


class Windows(Struct, frozen=True):
    """The windows of the district that are open, by their names."""

    items: list[Window]


COLUMNS = """
select w.id, w.version, w.name, w.organisation, o.name as organisation_name, w.member, m.name as member_name,
  w.opened_at
"""
FROM_OPEN = """
from service_window w
join organisation o on o.district = $1 and o.id = w.organisation
join member m on m.district = $1 and m.id = w.member
where w.district = $1 and w.closed_at is null
"""
OPEN = f"{COLUMNS} {FROM_OPEN} order by w.name, w.id limit 1000"


async def every(conn: Connection, reader: Reader) -> Windows:
    """The windows of the district. Raises NotAllowed for whoever reads nothing."""
    await round_standing.of_reader(conn, reader)
    return Windows([Window(**row) for row in await conn.fetch(OPEN, reader.district)])


class WindowsPage(Struct, frozen=True):
    """The first of the windows that are open, by their organisations; `total` counts all that were found."""

    items: list[Window]
    total: int


FOUND = f"""
with found as materialized ({COLUMNS} {FROM_OPEN}
  and ($2 = '' or position($2 in w.name) > 0 or position($2 in o.name) > 0 or position($2 in m.name) > 0))
select *, (select count(*) from found) as total from found order by organisation_name, organisation, name, id limit $3
"""


async def page(conn: Connection, reader: Reader, text: str, limit: int) -> WindowsPage:
    """The open windows with this text in their name, their organisation's, or that of who answers for them. Raises
    NotAllowed for whoever reads nothing."""
    await round_standing.of_reader(conn, reader)
    rows = await conn.fetch(FOUND, reader.district, text, limit)
    items = [Window(**{name: row[name] for name in Window.__struct_fields__}) for row in rows]
    return WindowsPage(items, rows[0]["total"] if rows else 0)


class Answerable(Struct, frozen=True, kw_only=True):
    """Somebody who may answer for a window."""

    id: UUID
    name: str
    number: str
    organisation_name: str


MOST_ANSWERABLE = 500
ANSWERABLE = """
with recursive below as (
  select id, name, 0 as depth from organisation where district = $1 and id = $2
  union all
  select o.id, o.name, b.depth + 1 from organisation o join below b on o.parent = b.id
  where o.district = $1 and o.closed_at is null
)
select m.id, m.name, m.number, b.name as organisation_name
from below b join member m on m.district = $1 and m.organisation = b.id and m.closed_at is null
order by b.depth, m.name, m.number limit $3
"""


async def answerable(conn: Connection, reader: Reader, organisation: UUID) -> list[Answerable]:
    """Who may answer for a window of an organisation: its own members first, then those of the organisations below.
    Raises NotAllowed, and UnknownOrganisation for one that the reader does not look after."""
    await organisations.refuse_unknown(conn, reader, organisation, "organisation")
    rows = await conn.fetch(ANSWERABLE, reader.district, organisation, MOST_ANSWERABLE)
    return [Answerable(**row) for row in rows]


async def reach(conn: Connection, reader: Reader) -> Collection[UUID] | None:
    """The organisations whose windows a reader may change; None stands for all."""
    if not reader.roles() & {"administrator", "organiser"}:
        return ()
    return await organisations.within(conn, reader)


# --- changing them

ADD = """
insert into service_window (district, id, name, organisation, member, opened_at, recorded_at)
values ($1, $2, $3, $4, $5, $6, $6)
"""


async def add(conn: Connection, reader: Reader, draft: WindowDraft, now: datetime) -> Changed:
    """Add a window; the same draft again gets its first answer. Raises NotAllowed, UnknownOrganisation, UnknownMember,
    WindowNameTaken, TextUnusable and IdTaken."""
    reader.require("administrator", "organiser")
    if before := await rounds.asked_before(conn, reader, draft.id, draft.id, draft):
        return before
    await organisations.refuse_unknown(conn, reader, draft.organisation, "organisation")
    if draft.member not in await people.open_members(conn, reader.district, [draft.member]):
        raise UnknownMember("member", given=draft.member)
    name = _name(draft.name)
    await conn.execute(ADD, reader.district, draft.id, name, draft.organisation, draft.member, now)
    text, digest = text_row(reader.district, draft.id, 1, {"name": name}, now)
    facts = {
        "organisation": draft.organisation,
        "member": draft.member,
        "text_version": 1,
        "text_digest": digest,
    }
    changed = Changed(id=draft.id, version=1)
    await rounds.tell(conn, reader, changed, "open_window", draft, facts, now, texts=[text])
    return changed


def _name(given: str) -> str:
    name = " ".join(given.split())
    if not name or not name.isprintable():
        raise TextUnusable("name")
    return name


RENAME = "update service_window set name = $3, version = $4 where district = $1 and id = $2"


async def rename(conn: Connection, reader: Reader, window: UUID, asked: WindowRenaming, now: datetime) -> Changed:
    """Call a window otherwise, in rounds that were held, too; the same again gets its first answer. Raises NotAllowed,
    NotFound, StaleVersion, NothingChanges, WindowNameTaken, TextUnusable and IdTaken."""
    reader.require("administrator", "organiser")
    if before := await rounds.asked_before(conn, reader, asked.id, window, asked):
        return before
    name = _name(asked.name)
    found = await _to_change(conn, reader, window)
    if found["version"] != asked.expected_version:
        raise StaleVersion("expected_version", version=found["version"])
    if found["name"] == name:
        raise NothingChanges("name")
    changed = Changed(id=window, version=asked.expected_version + 1)
    await conn.execute(RENAME, reader.district, window, name, changed.version)
    text, digest = text_row(reader.district, window, changed.version, {"name": name}, now)
    facts = {"text_version": changed.version, "text_digest": digest}
    await rounds.tell(conn, reader, changed, "rename_window", asked, facts, now, texts=[text])
    return changed


CLOSE = "update service_window set closed_at = $3, version = $4 where district = $1 and id = $2"


async def close(conn: Connection, reader: Reader, window: UUID, asked: WindowClosing, now: datetime) -> Changed:
    """Close a window; the same again gets its first answer. Raises NotAllowed, NotFound and IdTaken."""
    reader.require("administrator", "organiser")
    if before := await rounds.asked_before(conn, reader, asked.id, window, asked):
        return before
    found = await _to_change(conn, reader, window)
    changed = Changed(id=window, version=found["version"] + 1)
    await conn.execute(CLOSE, reader.district, window, now, changed.version)
    await rounds.tell(conn, reader, changed, "close_window", asked, {}, now)
    return changed


TO_CHANGE = """
select organisation, name, version from service_window
where district = $1 and id = $2 and closed_at is null for no key update
"""


async def _to_change(conn: Connection, reader: Reader, window: UUID) -> Record:
    """An open window, held until the transaction ends. Raises NotFound, and NotAllowed for others' windows."""
    within = await organisations.within(conn, reader)
    found = await conn.fetchrow(TO_CHANGE, reader.district, window)
    if found is None:
        raise NotFound
    if within is not None and found["organisation"] not in within:
        raise NotAllowed
    return found
