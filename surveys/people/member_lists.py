"""Members as those who look after them list and look them up, and one of them with roles, absences and history."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection, Record
from msgspec import Struct

from surveys import cursors, history
from surveys.counting.issue_query import Filters, Moment, seen
from surveys.history import Entry
from surveys.people import absences, members, organisations, people, roles
from surveys.people.absences import Absence
from surveys.people.people import Grant, Handler, Reader, Role, ScopeKind
from surveys.privacy.sealing import KeyRing, NotGenuine, Place, UnknownKey, masked_phone
from surveys.refusals import InvalidCursor, InvalidFilter, NotAllowed

State = Literal["never_signed_in", "active", "absent", "left"]


class OrganisationName(Struct, frozen=True):
    """An organisation as people read it, from the top of the tree down."""

    id: UUID
    path: str


class Office(Struct, frozen=True):
    """A role and where it holds; `name` is what that place, department or organisation is called."""

    role: Role
    scope_kind: ScopeKind
    scope: str
    name: str | None


class MemberItem(Struct, frozen=True, kw_only=True):
    """A member as a list shows them; `deputy` stands in until `back_at` while they are absent."""

    id: UUID
    number: str
    name: str
    organisation: OrganisationName
    phone: str | None
    roles: list[Office]
    state: State
    deputy: Handler | None
    back_at: datetime | None
    joined_at: datetime
    closed_at: datetime | None
    version: int


class MemberPage(Struct, frozen=True, kw_only=True):
    """A part of the members, by their numbers; `total` counts all parts."""

    items: list[MemberItem]
    next: str | None
    total: int | None = None


class MemberDetail(Struct, frozen=True, kw_only=True):
    """One member with everything that their page needs; `manageable` says whether this reader may change them."""

    member: MemberItem
    manageable: bool
    absences: list[Absence]
    open_issues: int  # of those that the reader sees
    history: list[Entry]
    names: dict[str, str]  # of the members that the history names by id


class _Cursor(Struct, frozen=True, array_like=True):
    number: str
    asked: str


# Who belongs to the organisations in reach, with the state that they are in at $2.
SEEN = f"""
{organisations.TREE}, seen as (
  select m.id, m.number, m.name, m.organisation, t.path, m.version, m.joined_at, m.closed_at, m.phone,
         away.deputy, d.name as deputy_name, away.ends_at as back_at,
         case
           when m.closed_at is not null then 'left'
           when away.id is not null then 'absent'
           when exists (select from member_password p where p.district = m.district and p.member = m.id)
             or exists (select from access_token k where k.district = m.district and k.member = m.id)
             or exists (select from session s where s.district = m.district and s.member = m.id) then 'active'
           else 'never_signed_in'
         end as state
  from member m
  join tree t on t.id = m.organisation
  left join member_absence away on away.district = m.district and away.member = m.id and away.cancelled_at is null
    and away.starts_at <= $2 and away.ends_at > $2
  left join member d on d.district = away.district and d.id = away.deputy
  where m.district = $1 and ($3::uuid[] is null or m.organisation = any($3))
    and ($4::uuid is null or $4 = any(t.line))
    and ($5::text is null or m.name ilike $5 or m.number ilike $5)
    and ($6::uuid is null or m.id = $6)
)
"""
WANTED = "($7::text[] is null or state = any($7))"
PAGE = f"""{SEEN}
select s.*, array(select (r.role, r.scope_kind, r.scope) from member_role r
                   where r.district = $1 and r.member = s.id order by r.role, r.scope_kind, r.scope) as grants
from seen s where {WANTED} and ($8::text is null or number > $8) order by number limit $9
"""
COUNT = f"{SEEN} select count(*) from seen where {WANTED}"

LONGEST_TEXT = 100


async def page(
    conn: Connection,
    ring: KeyRing,
    reader: Reader,
    now: datetime,
    *,
    text: str | None = None,
    organisation: UUID | None = None,
    states: Sequence[State] = (),
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> MemberPage:
    """A part of the members whom this reader looks after: `text` is part of a name or number, `organisation` stands
    for all below it too. Raises NotAllowed, InvalidFilter and InvalidCursor."""
    asked = "|".join([text or "", str(organisation or ""), *sorted(states)])
    after = _after(cursor, asked) if cursor else None
    found = await _asked(conn, reader, now, text, organisation, None)
    wanted = list(states) or None
    rows = await conn.fetch(PAGE, *found, wanted, after, limit + 1)
    items = await _items(conn, ring, reader.district, rows[:limit])
    return MemberPage(
        items=items,
        next=cursors.write(_Cursor(items[-1].number, asked)) if len(rows) > limit else None,
        total=await conn.fetchval(COUNT, *found, wanted) if total else None,
    )


def _after(cursor: str, asked: str) -> str:
    read = cursors.read(cursor, _Cursor)
    if read.asked != asked or "\x00" in read.number:
        raise InvalidCursor("cursor")
    return read.number


async def _asked(
    conn: Connection, reader: Reader, now: datetime, text: str | None, organisation: UUID | None, member: UUID | None
) -> tuple[Any, ...]:
    reach = await organisations.within(conn, reader)
    return (
        reader.district,
        now,
        None if reach is None else list(reach),
        organisation,
        _pattern(text),
        member,
    )


def _pattern(text: str | None) -> str | None:
    folded = " ".join((text or "").split())
    if len(folded) > LONGEST_TEXT:
        raise InvalidFilter("text", expected=f"1–{LONGEST_TEXT} characters")
    escaped = folded.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if folded else None


async def one(conn: Connection, ring: KeyRing, reader: Reader, member: UUID, now: datetime) -> MemberDetail:
    """One member whom this reader looks after. Raises NotAllowed and NotFound."""
    try:
        await members.manageable(conn, reader, member)
        manageable = True
    except NotAllowed:
        reader.require("administrator", "organiser")
        manageable = False
    found = await _asked(conn, reader, now, None, None, member)
    rows = await conn.fetch(PAGE, *found, None, None, 1)
    [item] = await _items(conn, ring, reader.district, rows)
    entries = await history.of_thing(conn, reader.district, member)
    return MemberDetail(
        member=item,
        manageable=manageable,
        absences=await absences.of_member(conn, reader.district, member),
        open_issues=await _open_issues(conn, reader, member, now),
        history=entries,
        names={str(id_): name for id_, name in (await people.names(conn, reader.district, _named(entries))).items()},
    )


async def _open_issues(conn: Connection, reader: Reader, member: UUID, now: datetime) -> int:
    """How many there are in the list that the reader sees of them."""
    still_open = Filters(owner=(member,), group=("reported", "in_hand", "overdue"))
    query = await seen(conn, reader, still_open, ZoneInfo("UTC"), Moment(now))
    counted: int = await conn.fetchval(f"{query.text} select count(*) from seen", *query.parameters)
    return counted


def _named(entries: Sequence[Entry]) -> list[UUID]:
    ids = [entry.actor.id for entry in entries if entry.actor.kind == "member"]
    ids += [str(entry.facts["deputy"]) for entry in entries if entry.facts.get("deputy")]
    return [UUID(id_) for id_ in ids]


async def _items(conn: Connection, ring: KeyRing, district: int, rows: Sequence[Record]) -> list[MemberItem]:
    """Rows with what their scopes are called, looked up once for all of them."""
    if not rows:
        return []
    known = await roles.places(conn, district)
    return [
        MemberItem(
            id=row["id"],
            number=row["number"],
            name=row["name"],
            organisation=OrganisationName(row["organisation"], row["path"]),
            phone=_masked(ring, Place(district, row["id"], "phone"), row["phone"]),
            roles=[_office(Grant(*grant), known) for grant in row["grants"]],
            state=row["state"],
            deputy=Handler(row["deputy"], row["deputy_name"]) if row["deputy"] else None,
            back_at=row["back_at"],
            joined_at=row["joined_at"],
            closed_at=row["closed_at"],
            version=row["version"],
        )
        for row in rows
    ]


def _office(grant: Grant, known: roles.Places) -> Office:
    return Office(grant.role, grant.scope_kind, grant.scope, known.names.get((grant.scope_kind, grant.scope)))


def _masked(ring: KeyRing, place: Place, sealed: bytes | None) -> str | None:
    """A phone as whoever looks after its owner may see it; one that cannot be opened is all stars."""
    if sealed is None:
        return None
    try:
        return masked_phone(ring.open(sealed, place))
    except (UnknownKey, NotGenuine):
        return "****"
