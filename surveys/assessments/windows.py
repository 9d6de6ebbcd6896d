"""Service windows: counters where people are served, each with an organisation and a member who answers for it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history, organisations, people
from surveys.assessments import round_standing, rounds
from surveys.assessments.rounds import Changed
from surveys.history import Actor, event_row, request_digest
from surveys.people import Reader
from surveys.refusals import NotAllowed, NotFound, TextUnusable, UnknownMember

Name = Annotated[str, Meta(min_length=1, max_length=100)]


class WindowDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new window."""

    id: UUID
    name: Name
    organisation: UUID
    member: UUID


class WindowClosing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a window serves nobody any more."""

    id: UUID


class Window(Struct, frozen=True, kw_only=True):
    """A window as it is read."""

    id: UUID
    name: str
    organisation: UUID
    organisation_name: str
    member: UUID
    member_name: str
    opened_at: datetime


class Windows(Struct, frozen=True):
    """The windows of the district that are open, by their names."""

    items: list[Window]


OPEN = """
select w.id, w.name, w.organisation, o.name as organisation_name, w.member, m.name as member_name, w.opened_at
from service_window w
join organisation o on o.district = $1 and o.id = w.organisation
join member m on m.district = $1 and m.id = w.member
where w.district = $1 and w.closed_at is null order by w.name, w.id limit 1000
"""


async def every(conn: Connection, reader: Reader) -> Windows:
    """The windows of the district. Raises NotAllowed for whoever reads nothing."""
    await round_standing.of_reader(conn, reader)
    return Windows([Window(**row) for row in await conn.fetch(OPEN, reader.district)])


ADD = """
insert into service_window (district, id, name, organisation, member, opened_at, recorded_at)
values ($1, $2, $3, $4, $5, $6, $6)
"""


async def add(conn: Connection, reader: Reader, draft: WindowDraft, now: datetime) -> Changed:
    """Add a window; the same draft again gets its first answer. Raises NotAllowed, UnknownOrganisation, UnknownMember,
    NameTaken, TextUnusable and IdTaken."""
    reader.require("administrator", "organiser")
    if before := await rounds.asked_before(conn, reader, draft.id, draft.id, draft):
        return before
    await organisations.refuse_unknown(conn, reader, draft.organisation, "organisation")
    if draft.member not in await people.open_members(conn, reader.district, [draft.member]):
        raise UnknownMember("member", given=draft.member)
    name = " ".join(draft.name.split())
    if not name or not name.isprintable():
        raise TextUnusable("name")
    await conn.execute(ADD, reader.district, draft.id, name, draft.organisation, draft.member, now)
    facts: dict[str, object] = {"organisation": draft.organisation, "member": draft.member}
    await _tell(conn, reader, draft.id, 1, "open_window", draft, facts, now)
    return Changed(id=draft.id, version=1)


CLOSE = """
update service_window set closed_at = $3 where district = $1 and id = $2 and closed_at is null returning organisation
"""


async def close(conn: Connection, reader: Reader, window: UUID, asked: WindowClosing, now: datetime) -> Changed:
    """Close a window; the same again gets its first answer. Raises NotAllowed, NotFound and IdTaken."""
    reach = await organisations.within(conn, reader)
    if before := await rounds.asked_before(conn, reader, asked.id, window, asked):
        return before
    organisation = await conn.fetchval(CLOSE, reader.district, window, now)
    if organisation is None:
        raise NotFound
    if reach is not None and organisation not in reach:
        raise NotAllowed
    await _tell(conn, reader, window, 2, "close_window", asked, {}, now)
    return Changed(id=window, version=2)


async def _tell(
    conn: Connection,
    reader: Reader,
    window: UUID,
    version: int,
    event: str,
    asked: WindowDraft | WindowClosing,
    facts: dict[str, object],
    now: datetime,
) -> None:
    row = event_row(
        district=reader.district,
        id=asked.id,
        kind="round",
        thing=window,
        version=version,
        event=event,
        actor=Actor("member", str(reader.member)),
        happened_at=now,
        recorded_at=now,
        facts=facts,
        request=request_digest(asked),
    )
    await history.append(conn, [row], [])
