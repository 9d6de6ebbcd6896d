"""Saved views: lists that somebody opens again, by a name of theirs; their own, or shared with those they work with.

A view is the address of a page with its filters. What those name may be gone by the time it is opened: a community that
another one took in, a category that was retired, a member who left. Such a view says so and is mended, instead of
showing nothing without a word."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Meta, Struct

from surveys.counting.issue_query import NONE, Filters
from surveys.desk.uncertain_places import PlaceFilters
from surveys.people import organisations
from surveys.people.people import Reader, Role
from surveys.premises.premises_lists import DoorFilters
from surveys.refusals import Conflict, IdTaken, Invalid, NotAllowed, NotFound, StaleVersion, TextUnusable
from surveys.visits.visit_query import VisitFilters

Shared = Literal["nobody", "organisation", "role"]
MOST = 100  # of one person
SHARING: frozenset[Role] = frozenset({"administrator", "organiser", "dispatcher"})

# The pages that are lists, and so can be saved.
PAGES = (
    "/desk/",
    "/desk/places",
    "/desk/visits",
    "/desk/cards",
    "/desk/categories",
    "/premises",
    "/people",
    "/campaigns",
    "/maps/issues",
    "/dashboards",
    "/reports",
)
PASSING = frozenset({"cursor", "lang"})  # what belongs to one reading of a list


class AddressUnusable(Invalid):
    """No address of a list of ours."""

    code: ClassVar[str] = "view_address_unusable"


class NameTaken(Conflict):
    """Another view of the same person has this name."""

    code: ClassVar[str] = "view_name_taken"


class TooManyViews(Conflict):
    """Nobody finds anything among so many; `facts` say how many there may be."""

    code: ClassVar[str] = "too_many_views"


class ViewDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A view as it is saved; shared with an organisation and all below it, by its id, or with a role."""

    id: UUID
    name: Annotated[str, Meta(min_length=1, max_length=60)]
    address: Annotated[str, Meta(min_length=1, max_length=2_000)]
    shared: Shared = "nobody"
    scope: Annotated[str, Meta(max_length=100)] = ""


class ViewChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What changes of a view; what is left out stays. `place` is where it stands among one's own, from 0."""

    expected_version: int
    name: Annotated[str, Meta(min_length=1, max_length=60)] | None = None
    address: Annotated[str, Meta(min_length=1, max_length=2_000)] | None = None
    shared: Shared | None = None
    scope: Annotated[str, Meta(max_length=100)] | None = None
    place: Annotated[int, Meta(ge=0, le=MOST)] | None = None


class View(Struct, frozen=True, kw_only=True):
    """A view as it is shown to those who have it; `own` says whether it is the reader's."""

    id: UUID
    version: int
    name: str
    address: str
    shared: Shared
    scope: str
    scope_name: str | None
    own: bool
    owner_name: str
    place: int


class Gone(Struct, frozen=True):
    """A filter of a view that means nothing any more, and its value; `name` is what it was called, if that is known."""

    filter: str
    value: str
    name: str | None = None


# --- reading

# One's own, and what is shared with one's organisation, those above it, or a role one holds.
VIEWS = """
with recursive above as (
  select o.id, o.parent from organisation o where o.district = $1 and o.id = any($3::uuid[])
  union
  select o.id, o.parent from organisation o join above on above.parent = o.id where o.district = $1
)
select v.id, v.version, v.name, v.address, v.shared, v.scope, v.place, v.member, m.name as owner_name,
       o.name as scope_name
from saved_view v
join member m on m.district = $1 and m.id = v.member
left join organisation o on o.district = $1 and v.shared = 'organisation' and o.id::text = v.scope
where v.district = $1 and (v.member = $2
  or (v.shared = 'organisation' and v.scope = any(select id::text from above))
  or (v.shared = 'role' and v.scope = any($4::text[])))
"""
ORDER = "order by v.member <> $2, v.place, v.name, v.id"


async def of_reader(conn: Connection, reader: Reader) -> list[View]:
    """The views that a reader has: their own in their order, then those shared with them."""
    return [_view(row, reader) for row in await conn.fetch(f"{VIEWS} {ORDER}", *_asked(reader))]


async def one(conn: Connection, reader: Reader, view: UUID) -> View:
    """A view that the reader has. Raises NotFound."""
    row = await conn.fetchrow(f"{VIEWS} and v.id = $5", *_asked(reader), view)
    if row is None:
        raise NotFound
    return _view(row, reader)


def _asked(reader: Reader) -> tuple[Any, ...]:
    of_grants = [UUID(scope) for scope in reader.scopes("organisation")]
    return reader.district, reader.member, [reader.organisation, *of_grants], sorted(reader.roles())


def _view(row: Record, reader: Reader) -> View:
    return View(
        id=row["id"],
        version=row["version"],
        name=row["name"],
        address=row["address"],
        shared=row["shared"],
        scope=row["scope"],
        scope_name=row["scope_name"],
        own=row["member"] == reader.member,
        owner_name=row["owner_name"],
        place=row["place"],
    )


# --- writing

COUNT = "select count(*), coalesce(max(place), -1) + 1 from saved_view where district = $1 and member = $2"
KNOWN = "select member, name, address, shared, scope from saved_view where district = $1 and id = $2"
SAVE = """
insert into saved_view (district, id, member, name, address, shared, scope, place, version, changed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9)
"""
LOCK = """
select name, address, shared, scope, place, version from saved_view
where district = $1 and member = $2 and id = $3 for update
"""
CHANGE = """
update saved_view set name = $3, address = $4, shared = $5, scope = $6, place = $7, version = version + 1,
  changed_at = $8
where district = $1 and id = $2
"""
# Those that it is put in front of stand one further on.
MAKE_ROOM = "update saved_view set place = place + 1 where district = $1 and member = $2 and place >= $3 and id <> $4"
DELETE = "delete from saved_view where district = $1 and member = $2 and id = $3 returning id"
# One person's views are written one after another, so that their order stays one.
HOLD = "select id from member where district = $1 and id = $2 for no key update"
NAMED = "select exists (select from saved_view where district = $1 and member = $2 and name = $3 and id <> $4)"


async def save(conn: Connection, reader: Reader, draft: ViewDraft, now: datetime) -> View:
    """Save a view; the same draft again gets its first answer. Raises TextUnusable, AddressUnusable, NotAllowed for a
    share beyond one's hands, NameTaken, TooManyViews or IdTaken."""
    name, address = _name(draft.name), usable(draft.address)
    await conn.execute(HOLD, reader.district, reader.member)
    said = (reader.member, name, address, draft.shared, draft.scope)
    if known := await conn.fetchrow(KNOWN, reader.district, draft.id):
        if tuple(known.values()) != said:
            raise IdTaken("id")
        return await one(conn, reader, draft.id)
    await _refuse_share(conn, reader, draft.shared, draft.scope)
    await _refuse_taken(conn, reader, name, draft.id)
    count, place = await conn.fetchrow(COUNT, reader.district, reader.member) or (0, 0)
    if count >= MOST:
        raise TooManyViews(None, most=MOST)
    await conn.execute(
        SAVE, reader.district, draft.id, reader.member, name, address, draft.shared, draft.scope, place, now
    )
    return await one(conn, reader, draft.id)


async def change(conn: Connection, reader: Reader, view: UUID, draft: ViewChange, now: datetime) -> View:
    """Change one's own view. Raises NotFound, StaleVersion, and what `save` raises."""
    await conn.execute(HOLD, reader.district, reader.member)
    row = await conn.fetchrow(LOCK, reader.district, reader.member, view)
    if row is None:
        raise NotFound
    if draft.expected_version != row["version"]:
        raise StaleVersion("expected_version", version=row["version"])
    name = row["name"] if draft.name is None else _name(draft.name)
    address = row["address"] if draft.address is None else usable(draft.address)
    shared = draft.shared or row["shared"]
    scope = row["scope"] if draft.scope is None and shared == row["shared"] else draft.scope or ""
    if (shared, scope) != (row["shared"], row["scope"]):
        await _refuse_share(conn, reader, shared, scope)
    await _refuse_taken(conn, reader, name, view)
    place = row["place"] if draft.place is None else draft.place
    if draft.place is not None:
        await conn.execute(MAKE_ROOM, reader.district, reader.member, place, view)
    await conn.execute(CHANGE, reader.district, view, name, address, shared, scope, place, now)
    return await one(conn, reader, view)


async def delete(conn: Connection, reader: Reader, view: UUID) -> None:
    """Forget one's own view. Raises NotFound."""
    if await conn.fetchval(DELETE, reader.district, reader.member, view) is None:
        raise NotFound


def _name(given: str) -> str:
    name = " ".join(given.split())
    if not name or not name.isprintable():
        raise TextUnusable("name")
    return name


async def _refuse_taken(conn: Connection, reader: Reader, name: str, view: UUID) -> None:
    if await conn.fetchval(NAMED, reader.district, reader.member, name, view):
        raise NameTaken("name")


async def _refuse_share(conn: Connection, reader: Reader, shared: Shared, scope: str) -> None:
    """An administrator shares with anybody, a dispatcher with roles, an organiser with the organisations they look
    after."""
    if shared == "nobody":
        if scope:
            raise Invalid("scope")
        return
    reader.require(*SHARING)
    if shared == "role":
        if scope not in get_args(Role):
            raise Invalid("scope")
        if not reader.roles() & {"administrator", "dispatcher"}:
            raise NotAllowed("shared")
        return
    if not reader.roles() & {"administrator", "organiser"}:
        raise NotAllowed("shared")
    try:
        organisation = UUID(scope)
    except ValueError:
        raise Invalid("scope") from None
    await organisations.refuse_unknown(conn, reader, organisation, "scope")


def usable(address: str) -> str:
    """The address of a list of ours, without what belongs to one reading of it. Raises AddressUnusable."""
    try:
        parts = urlsplit(address)
    except ValueError:
        raise AddressUnusable("address") from None
    if parts.scheme or parts.netloc or parts.path not in PAGES or not address.isprintable() or "\\" in address:
        raise AddressUnusable("address")
    return written(parts.path, [pair for pair in parse_qsl(parts.query) if pair[0] not in PASSING])


def written(path: str, filters: Sequence[tuple[str, str]]) -> str:
    """The address of a page with filters."""
    return f"{path}?{urlencode(filters)}" if filters else path


def read(address: str) -> tuple[str, list[tuple[str, str]]]:
    """The path of a view's address, and its filters."""
    parts = urlsplit(address)
    return parts.path, parse_qsl(parts.query)


# --- what is gone

# What a filter names by code or id, and how that is looked up: $2 are the values; what is there is returned, with the
# name of what was there once and is gone.
LOOKED_UP: Mapping[str, str] = {
    "community": "select code as value, true as there, name from community where district = $1 and code = any($2)",
    "street": "select code as value, true as there, name from street where district = $1 and code = any($2)",
    "category": (
        "select code as value, retired_at is null as there, name from category where district = $1 and code = any($2)"
    ),
    "department": "select code as value, true as there, name from department where district = $1 and code = any($2)",
    "campaign": "select id as value, true as there, name from campaign where district = $1 and id = any($2)",
    "organisation": (
        "select id::text as value, closed_at is null as there, name from organisation"
        " where district = $1 and id::text = any($2)"
    ),
    "member": (
        "select id::text as value, closed_at is null as there, name from member where district = $1"
        " and id::text = any($2)"
    ),
}
_MEMBERS = ("owner", "offered_to", "leader", "agent", "member", "holder")
ME = "me"


# The filters of each list, of which each value must be one that there is.
STRUCTS: Mapping[str, type[Struct]] = {
    "/desk/": Filters,
    "/desk/places": PlaceFilters,
    "/desk/visits": VisitFilters,
    "/maps/issues": Filters,
    "/premises": DoorFilters,
}


async def gone(conn: Connection, district: int, address: str) -> list[Gone]:
    """The filters of an address that mean nothing any more."""
    wanted: dict[str, list[str]] = {}
    path, filters = read(address)
    for name, value in filters:
        if (name in _MEMBERS or name in LOOKED_UP) and value not in (NONE, ME):
            wanted.setdefault(name, []).append(value)
    found = list(_not_values(path, filters))
    for name, values in wanted.items():
        question = LOOKED_UP["member" if name in _MEMBERS else name]
        rows = {row["value"]: row for row in await conn.fetch(question, district, values)}
        found += _missing(name, values, rows)
    return found


def _not_values(path: str, filters: Sequence[tuple[str, str]]) -> Iterator[Gone]:
    """Values that no such filter has, as a state that the program does not know any more."""
    kinds = get_type_hints(STRUCTS[path]) if path in STRUCTS else {}
    for name, value in filters:
        (of, *_) = get_args(kinds.get(name)) or (None,)
        literals = get_args(of) if get_origin(of) is Literal else get_args(kinds.get(name))
        if literals and all(isinstance(one, str) for one in literals) and value not in literals:
            yield Gone(name, value)


def _missing(name: str, values: Sequence[str], rows: Mapping[str, Record]) -> Iterator[Gone]:
    for value in values:
        row = rows.get(value)
        if row is None or not row["there"]:
            yield Gone(name, value, row["name"] if row else None)


def mended(address: str, missing: Sequence[Gone]) -> str:
    """The address without what is gone."""
    path, filters = read(address)
    lost = {(one.filter, one.value) for one in missing}
    return written(path, [pair for pair in filters if pair not in lost])
