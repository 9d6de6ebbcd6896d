"""The tree of grassroots organisations: found or made by paths, moved, renamed, closed; also as of a past day."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4, uuid5

import msgspec
from asyncpg import Connection, Record
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, Row, event_row, request_digest, text_row
from surveys.people.people import Reader
from surveys.refusals import (
    CannotGive,
    IdTaken,
    Missing,
    NotFound,
    OrganisationInCircle,
    OrganisationInUse,
    StaleVersion,
    TextUnusable,
    UnknownArea,
    UnknownOrganisation,
)

SEPARATOR = "/"
MOST_LEVELS = 20
LONGEST_NAME = 100  # characters
_SEPARATORS = re.compile(r"\s*[/／>＞]\s*")

Path = tuple[str, ...]  # names, from the top of the tree down
AreaKind = Literal["community", "street", "premises"]
Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]


def path(text: str) -> Path:
    """A path as it is written: 区委/街道党工委/社区党委, with / or > between the names, in either width.

    Raises TextUnusable for one with an empty or unusable name, or with too many."""
    names = tuple(" ".join(part.split()) for part in _SEPARATORS.split(text.strip()))
    if len(names) > MOST_LEVELS or not all(_usable(name) for name in names):
        raise TextUnusable("organisation")
    return names


def _usable(name: str) -> bool:
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and not _SEPARATORS.search(name)


def written(names: Path) -> str:
    """A path as people read it."""
    return SEPARATOR.join(names)


# --- the tree as it is, and as it was

# Every organisation of the district with the names down to it, closed ones too.
TREE = """
with recursive tree as (
  select id, parent, name, closed_at, version, name as path, array[id] as line
  from organisation where district = $1 and parent is null
  union all
  select o.id, o.parent, o.name, o.closed_at, o.version, t.path || '/' || o.name, t.line || o.id
  from organisation o join tree t on o.parent = t.id
  where o.district = $1
)
"""
PATHS = f"{TREE} select id, path from tree"


async def paths(conn: Connection, district: int) -> dict[UUID, str]:
    """What every organisation is called from the top down, closed ones too."""
    return {row["id"]: row["path"] for row in await conn.fetch(PATHS, district)}


OPEN_PATHS = f"{TREE} select id, path from tree where closed_at is null"


async def open_paths(conn: Connection, district: int) -> dict[UUID, str]:
    """What every organisation that is not closed is called from the top down."""
    return {row["id"]: row["path"] for row in await conn.fetch(OPEN_PATHS, district)}


BELOW = """
with recursive below as (
  select id from organisation where district = $1 and id = any($2)
  union
  select o.id from organisation o join below b on o.parent = b.id where o.district = $1
)
select id from below
"""


async def below(conn: Connection, district: int, roots: Collection[UUID]) -> set[UUID]:
    """These organisations and all that hang below them."""
    return {row["id"] for row in await conn.fetch(BELOW, district, list(roots))}


async def within(conn: Connection, reader: Reader) -> set[UUID] | None:
    """The organisations whose people this reader looks after; None stands for the whole district.

    Raises NotAllowed for who looks after nobody."""
    reader.require("administrator", "organiser")
    if "administrator" in reader.roles():
        return None
    return await below(conn, reader.district, [UUID(scope) for scope in reader.scopes("organisation")])


# --- changing the tree

# Two changes of the tree at once could close a circle between them; and the same name twice would be made twice.
LOCK = "select district from district where district = $1 for no key update"
OPEN = "select id, parent, name from organisation where district = $1 and closed_at is null"


class Made(Struct, frozen=True):
    """The organisation of each path and of all above it, and the paths that were not there before."""

    ids: dict[Path, UUID]
    new: list[Path]


async def make(conn: Connection, district: int, wanted: Iterable[Path], actor: Actor, now: datetime) -> Made:
    """Find the organisations of these paths, and make those that are missing, from the top down."""
    await conn.execute(LOCK, district)
    there = {(row["parent"], row["name"]): row["id"] for row in await conn.fetch(OPEN, district)}
    prefixes = {names[:depth] for names in wanted for depth in range(1, len(names) + 1)}
    every = sorted(prefixes, key=lambda names: (len(names), names))
    ids: dict[Path, UUID] = {}
    new: list[Path] = []
    for names in every:
        parent = ids.get(names[:-1])
        if (parent, names[-1]) in there:
            ids[names] = there[parent, names[-1]]
        else:
            ids[names] = uuid4()
            new.append(names)
    made = [_Row(district, ids[names], ids.get(names[:-1]), names[-1]) for names in new]
    await _found(conn, made, actor, now)
    return Made(ids, new)


class _Row(Struct, frozen=True):
    district: int
    id: UUID
    parent: UUID | None
    name: str
    version: int = 1


FOUND = """
with founded as (
  insert into organisation (district, id, parent, name, version)
  select district, id, parent, name, version from json_populate_recordset(null::organisation, $1)
)
insert into organisation_spans (district, organisation, valid_from, parent, name, recorded_at)
select district, id, $2, parent, name, $2 from json_populate_recordset(null::organisation, $1)
"""


async def _found(
    conn: Connection, made: Sequence[_Row], actor: Actor, now: datetime, request: tuple[UUID, bytes] | None = None
) -> None:
    """Write new organisations with their spans and history; `request` is the id and digest of what was asked."""
    if not made:
        return
    await conn.execute(FOUND, made, now)
    events: list[Row] = []
    texts: list[Row] = []
    for row in made:
        text, digest = text_row(row.district, row.id, row.version, {"name": row.name}, now)
        texts.append(text)
        facts = {"parent": row.parent, "text_version": row.version, "text_digest": digest}
        events.append(_event(row, "found", actor, now, facts, request))
    await history.append(conn, events, texts)


def _event(
    row: _Row,
    event: str,
    actor: Actor,
    now: datetime,
    facts: Mapping[str, object],
    request: tuple[UUID, bytes] | None,
) -> Row:
    id_, digest = request or (uuid5(row.id, f"{event} {row.version}"), None)
    return event_row(
        district=row.district,
        id=id_,
        kind="organisation",
        thing=row.id,
        version=row.version,
        event=event,
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts=facts,
        request=digest,
    )


class OrganisationDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A new organisation; without a parent it is the top of a tree."""

    id: UUID
    name: Name
    parent: UUID | None = None


class Changed(Struct, frozen=True, kw_only=True):
    """What a change of an organisation led to."""

    id: UUID
    version: int


async def create(conn: Connection, reader: Reader, draft: OrganisationDraft, now: datetime) -> Changed:
    """Found an organisation; the same draft again gets its first answer.

    Raises NotAllowed, UnknownOrganisation, NameTaken, TextUnusable or IdTaken."""
    reach = await within(conn, reader)
    await conn.execute(LOCK, reader.district)
    if before := await _asked_before(conn, reader, draft.id, draft):
        return before
    if draft.parent is None and reach is not None:
        raise UnknownOrganisation("parent")
    if draft.parent is not None:
        await _open(conn, reader, reach, draft.parent, "parent")
    row = _Row(reader.district, draft.id, draft.parent, _name(draft.name, "name"))
    actor = Actor("member", str(reader.member))
    await _found(conn, [row], actor, now, (draft.id, request_digest(draft)))
    return Changed(id=row.id, version=row.version)


def _name(text: str, field: str) -> str:
    name = " ".join(text.split())
    if not _usable(name):
        raise TextUnusable(field)
    return name


IS_OPEN = "select exists (select from organisation where district = $1 and id = $2 and closed_at is null)"


async def _open(conn: Connection, reader: Reader, reach: set[UUID] | None, organisation: UUID, field: str) -> None:
    within_reach = reach is None or organisation in reach
    if not within_reach or not await conn.fetchval(IS_OPEN, reader.district, organisation):
        raise UnknownOrganisation(field, given=organisation)


async def refuse_unknown(conn: Connection, reader: Reader, organisation: UUID, field: str) -> None:
    """Raises UnknownOrganisation unless this one is open, and within the reach of who looks after people."""
    await _open(conn, reader, await within(conn, reader), organisation, field)


ASKED_BEFORE = "select thing, actor, request, version from history where district = $1 and id = $2"


async def _asked_before(conn: Connection, reader: Reader, id_: UUID, asked: object) -> Changed | None:
    first = await conn.fetchrow(ASKED_BEFORE, reader.district, id_)
    if first is None:
        return None
    if (first["actor"], first["request"]) != (str(reader.member), request_digest(asked)):
        raise IdTaken("id")
    return Changed(id=first["thing"], version=first["version"])


class Area(Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """A community, street or premises that an organisation answers for, by its code or id."""

    kind: AreaKind
    code: Annotated[str, Meta(min_length=1, max_length=100)]


class OrganisationChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A change as it is asked for: `move` needs a parent, `rename` a name, `areas` all of them."""

    id: UUID
    change: Literal["move", "rename", "close", "areas"]
    expected_version: int
    parent: UUID | None = None
    name: Name | None = None
    areas: Annotated[tuple[Area, ...], Meta(max_length=1_000)] | None = None
    reason: Annotated[str, Meta(max_length=5_000)] | None = None


ROW = "select district, id, parent, name, version, closed_at from organisation where district = $1 and id = $2"


async def change(
    conn: Connection, reader: Reader, organisation: UUID, asked: OrganisationChange, now: datetime
) -> Changed:
    """Move, rename or close an organisation, or say what it answers for; the same again gets its first answer.

    What was filed before keeps the organisation of its day. Raises NotFound, NotAllowed, StaleVersion, Missing,
    UnknownOrganisation, OrganisationInCircle, OrganisationInUse, NameTaken, UnknownArea or IdTaken."""
    reach = await within(conn, reader)
    await conn.execute(LOCK, reader.district)
    if before := await _asked_before(conn, reader, asked.id, asked):
        if before.id != organisation:
            raise IdTaken("id")
        return before
    found = await conn.fetchrow(ROW, reader.district, organisation)
    if found is None or found["closed_at"] is not None or (reach is not None and organisation not in reach):
        raise NotFound
    if asked.expected_version != found["version"]:
        raise StaleVersion("expected_version", version=found["version"])
    row = _Row(reader.district, organisation, found["parent"], found["name"], found["version"] + 1)
    facts, text = await _apply(conn, reader, reach, row, asked, now)
    texts = [text] if text else []
    if asked.reason and asked.reason.strip():
        reason, facts["reason_digest"] = text_row(row.district, asked.id, 1, {"reason": asked.reason}, now)
        texts.append(reason)
    actor = Actor("member", str(reader.member))
    event = _event(row, asked.change, actor, now, facts, (asked.id, request_digest(asked)))
    await history.append(conn, [event], texts)
    return Changed(id=organisation, version=row.version)


async def _apply(
    conn: Connection, reader: Reader, reach: set[UUID] | None, row: _Row, asked: OrganisationChange, now: datetime
) -> tuple[dict[str, object], Row | None]:
    """Write what changes; returns what the history tells of it, and the new name if it is another."""
    match asked.change:
        case "move":
            await _refuse_circle(conn, reader, reach, row, asked)
            await _write(conn, msgspec.structs.replace(row, parent=asked.parent), now)
            return {"parent": asked.parent, "before": row.parent}, None
        case "rename":
            if asked.name is None:
                raise Missing("name", change="rename")
            name = _name(asked.name, "name")
            await _write(conn, msgspec.structs.replace(row, name=name), now)
            text, digest = text_row(row.district, row.id, row.version, {"name": name}, now)
            return {"text_version": row.version, "text_digest": digest}, text
        case "close":
            await _refuse_in_use(conn, row)
            organisers = await conn.fetch(CLOSE, row.district, row.id, row.version, now)
            return {"closed_at": now, "no_longer_organisers": [one["member"] for one in organisers]}, None
        case "areas":
            if asked.areas is None:
                raise Missing("areas", change="areas")
            areas = sorted(set(asked.areas))
            await _refuse_unknown_areas(conn, row, reach, areas)
            await set_areas(conn, row.district, {row.id: areas})
            await conn.execute(STAMP, row.district, row.id, row.version)
            return {"areas": areas}, None


WRITE = """
with ended as (
  update organisation_spans set valid_to = $6
  where district = $1 and organisation = $2 and valid_to = 'infinity' and valid_from < $6
), changed as (
  update organisation set parent = $3, name = $4, version = $5 where district = $1 and id = $2
)
insert into organisation_spans (district, organisation, valid_from, parent, name, recorded_at)
values ($1, $2, $6, $3, $4, $6)
on conflict on constraint organisation_spans_pkey do update set parent = excluded.parent, name = excluded.name
"""


async def _write(conn: Connection, row: _Row, now: datetime) -> None:
    await conn.execute(WRITE, row.district, row.id, row.parent, row.name, row.version, now)


async def _refuse_circle(
    conn: Connection, reader: Reader, reach: set[UUID] | None, row: _Row, asked: OrganisationChange
) -> None:
    if asked.parent is None:
        if reach is not None:
            raise UnknownOrganisation("parent")
        return
    await _open(conn, reader, reach, asked.parent, "parent")
    if asked.parent in await below(conn, row.district, [row.id]):
        raise OrganisationInCircle("parent")


IN_USE = """
select (select count(*) from member where district = $1 and organisation = $2 and closed_at is null) as members,
       (select count(*) from organisation where district = $1 and parent = $2 and closed_at is null) as organisations
"""
CLOSE = """
with ended as (
  update organisation_spans set valid_to = greatest(valid_from, $4)
  where district = $1 and organisation = $2 and valid_to = 'infinity'
), areas as (
  delete from organisation_area where district = $1 and organisation = $2
), organisers as (
  delete from member_role where district = $1 and scope_kind = 'organisation' and scope = $2::uuid::text
  returning member
), closed as (
  update organisation set closed_at = $4, version = $3 where district = $1 and id = $2
)
select member from organisers order by member
"""


async def _refuse_in_use(conn: Connection, row: _Row) -> None:
    counts = await conn.fetchrow(IN_USE, row.district, row.id)
    if counts is None or counts["members"] or counts["organisations"]:
        raise OrganisationInUse("change", **dict(counts or {}))


# --- responsibility areas

KNOWN_AREAS = """
select 'community' as kind, code, street as part_of from community where district = $1
union all select 'street', code, null from street where district = $1
"""
AREAS_WITHIN = "select kind, code from organisation_area where district = $1 and organisation = any($2)"


async def _refuse_unknown_areas(conn: Connection, row: _Row, reach: set[UUID] | None, areas: Sequence[Area]) -> None:
    """An organiser hands on what their organisations answer for already, and no more: areas are what members see."""
    streets = {(one["kind"], one["code"]): one["part_of"] for one in await conn.fetch(KNOWN_AREAS, row.district)}
    for area in areas:
        if (area.kind, area.code) not in streets and not (area.kind == "premises" and _is_uuid(area.code)):
            raise UnknownArea("areas", given=area.code)
    if reach is None:
        return
    held = {(one["kind"], one["code"]) for one in await conn.fetch(AREAS_WITHIN, row.district, list(reach))}
    for area in areas:
        if (area.kind, area.code) not in held and ("street", streets.get((area.kind, area.code))) not in held:
            raise CannotGive("areas", given=area.code)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


FORGET_AREAS = "delete from organisation_area where district = $1 and organisation = any($2)"
SET_AREAS = """
insert into organisation_area (district, organisation, kind, code)
select $1, organisation, kind, code from unnest($2::uuid[], $3::text[], $4::text[]) a(organisation, kind, code)
"""
STAMP = "update organisation set version = $3 where district = $1 and id = $2"


async def set_areas(conn: Connection, district: int, areas: Mapping[UUID, Sequence[Area]]) -> None:
    """Say what each of these organisations answers for, from now on and instead of what it did."""
    await conn.execute(FORGET_AREAS, district, list(areas))
    every = [(organisation, area) for organisation, of_it in areas.items() for area in of_it]
    await conn.execute(
        SET_AREAS,
        district,
        [organisation for organisation, _ in every],
        [area.kind for _, area in every],
        [area.code for _, area in every],
    )


PRESENT_AREAS = """
select o.id, o.parent, o.name, o.version,
       array(select (a.kind, a.code) from organisation_area a
              where a.district = $1 and a.organisation = o.id order by a.kind, a.code) as areas
from organisation o where o.district = $1 and o.id = any($2)
"""
STAMP_EACH = "update organisation set version = version + 1 where district = $1 and id = any($2)"


async def answer_for(
    conn: Connection, district: int, wanted: Mapping[UUID, Collection[Area]], actor: Actor, now: datetime
) -> int:
    """Bring what these organisations answer for in line with a list; how many of them changed."""
    changed: dict[UUID, list[Area]] = {}
    events: list[Row] = []
    for one in await conn.fetch(PRESENT_AREAS, district, list(wanted)):
        areas = sorted(wanted[one["id"]])
        if areas != [Area(*area) for area in one["areas"]]:
            changed[one["id"]] = areas
            row = _Row(district, one["id"], one["parent"], one["name"], one["version"] + 1)
            events.append(_event(row, "areas", actor, now, {"areas": areas}, None))
    if changed:
        await set_areas(conn, district, changed)
        await conn.execute(STAMP_EACH, district, list(changed))
        await history.append(conn, events, [])
    return len(changed)


# --- the tree as it is read


class Organisation(Struct, frozen=True, kw_only=True):
    """An organisation of the tree: how many belong to it and to all below it, and what it answers for.

    As of a past day the counts and areas are left out."""

    id: UUID
    parent: UUID | None
    name: str
    path: str
    version: int
    members: int | None = None
    members_below: int | None = None
    areas: list[Area] = []


OPEN_TREE = f"""{TREE}
select t.id, t.parent, t.name, t.path, t.line, t.version,
       (select count(*) from member m
         where m.district = $1 and m.organisation = t.id and m.closed_at is null) as members,
       array(select (a.kind, a.code) from organisation_area a
              where a.district = $1 and a.organisation = t.id order by a.kind, a.code) as areas
from tree t where t.closed_at is null order by t.path
"""

# The organisations that there were at $2, each where it hung then.
PAST_TREE = """
with recursive spans as (
  select s.organisation as id, s.parent, s.name, o.version
  from organisation_spans s join organisation o on o.district = s.district and o.id = s.organisation
  where s.district = $1 and s.valid_from <= $2 and s.valid_to > $2
), tree as (
  select id, parent, name, version, name as path, array[id] as line from spans where parent is null
  union all
  select s.id, s.parent, s.name, s.version, t.path || '/' || s.name, t.line || s.id
  from spans s join tree t on s.parent = t.id
)
select id, parent, name, path, line, version from tree order by path
"""


async def tree(conn: Connection, reader: Reader, at: datetime | None = None) -> list[Organisation]:
    """The organisations within the reader's reach, from the top down; `at` a moment as they were then.

    Raises NotAllowed for who looks after nobody."""
    reach = await within(conn, reader)
    if at is not None:
        past = await conn.fetch(PAST_TREE, reader.district, at)
        return [_organisation(row) for row in past if reach is None or row["id"] in reach]
    rows = await conn.fetch(OPEN_TREE, reader.district)
    below_: Counter[UUID] = Counter()
    for row in rows:
        for above in row["line"]:
            below_[above] += row["members"]
    return [
        _organisation(
            row,
            members=row["members"],
            members_below=below_[row["id"]],
            areas=[Area(*area) for area in row["areas"]],
        )
        for row in rows
        if reach is None or row["id"] in reach
    ]


def _organisation(row: Record, **further: Any) -> Organisation:
    return Organisation(**{name: row[name] for name in ("id", "parent", "name", "path", "version")}, **further)
