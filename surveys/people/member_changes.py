"""What happens to members: they join, move, change, are given roles and leave; each is one event of their history."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

import msgspec
from asyncpg import Connection
from msgspec import UNSET, Meta, Struct, UnsetType

from surveys import history
from surveys.history import Actor, Row, bytea, event_row, request_digest, text_row
from surveys.issues import handing_on
from surveys.people import members, organisations, roles
from surveys.people.people import Grant, Reader, Role
from surveys.people.roles import MEMBERSHIP, GrantDraft
from surveys.privacy.contacts import check_phone
from surveys.privacy.sealing import KeyRing, Place, digits
from surveys.refusals import (
    AdministratorNeeded,
    CannotGive,
    DispatcherNeeded,
    IdTaken,
    MemberLeft,
    Missing,
    MoveNotPossible,
    NotFound,
    StaleVersion,
    TextUnusable,
    UnknownMember,
)

LONGEST = 100  # characters of a name or number
Word = Annotated[str, Meta(min_length=1, max_length=LONGEST)]
Reason = Annotated[str, Meta(max_length=5_000)]


class MemberDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A member who joins; everybody is a member, and `roles` are what they are beyond that."""

    id: UUID
    number: Word
    name: Word
    organisation: UUID
    phone: Annotated[str, Meta(max_length=50)] | None = None
    roles: Annotated[tuple[GrantDraft, ...], Meta(max_length=50)] = ()


Kind = Literal["update", "transfer", "close", "return", "give", "take", "cancel_absence", "name_dispatcher"]


class MemberChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A change as it is asked for: `transfer` needs an organisation, `give` and `take` a role, `cancel_absence` the
    absence. A phone of null takes away the one there was; `deputy` is a member's id or number."""

    id: UUID
    change: Kind
    expected_version: int
    name: Word | None = None
    number: Word | None = None
    phone: Annotated[str, Meta(max_length=50)] | UnsetType | None = UNSET
    organisation: UUID | None = None
    deputy: Word | None = None
    role: Role | None = None
    scope: Annotated[str, Meta(max_length=100)] = ""
    absence: UUID | None = None
    reason: Reason | None = None


class Changed(Struct, frozen=True, kw_only=True):
    """What a change led to: the member's version now, and how many issues went on to others."""

    id: UUID
    version: int
    handed_on: int = 0


class MemberRow(Struct, frozen=True, kw_only=True):
    """A row of the table `member`, column by column; bytes as JSON has them."""

    district: int
    id: UUID
    version: int
    number: str
    name: str
    organisation: UUID
    joined_at: datetime
    closed_at: datetime | None = None
    phone: str | None = None
    phone_look_up: str | None = None


ROW = ", ".join(MemberRow.__struct_fields__)
INSERT = f"insert into member ({ROW}) select {ROW} from json_populate_recordset(null::member, $1)"
UPDATE = f"""
update member m set ({ROW}) = (select {", ".join("c." + name for name in MemberRow.__struct_fields__)})
from json_populate_recordset(null::member, $2) c
where m.district = $1 and m.id = c.id
"""
GIVE = """
insert into member_role (district, member, role, scope_kind, scope)
select $1, member, role, scope_kind, scope
from unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) g(member, role, scope_kind, scope)
on conflict do nothing
"""
TAKE = """
delete from member_role r
using unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) g(member, role, scope_kind, scope)
where r.district = $1 and r.member = g.member and r.role = g.role and r.scope_kind = g.scope_kind and r.scope = g.scope
"""

Held = tuple[UUID, Grant]  # a member and what they hold


async def give(conn: Connection, district: int, held: list[Held]) -> None:
    """Write who holds what from now on; the history is the caller's."""
    await conn.execute(GIVE, district, *_columns(held))


async def take(conn: Connection, district: int, held: list[Held]) -> None:
    """Take away what these hold; the history is the caller's."""
    await conn.execute(TAKE, district, *_columns(held))


def _columns(held: list[Held]) -> tuple[list[UUID], list[str], list[str], list[str]]:
    return (
        [member for member, _ in held],
        [grant.role for _, grant in held],
        [grant.scope_kind for _, grant in held],
        [grant.scope for _, grant in held],
    )


# Whatever lets somebody in ends with them; who returns comes in by a new one-time code.
END_ACCESS = """
with sessions as (
  update session set ended_at = $3 where district = $1 and member = any($2) and ended_at is null
), codes as (
  update one_time_code set revoked_at = $3
  where district = $1 and member = any($2) and used_at is null and revoked_at is null
), passwords as (
  delete from member_password where district = $1 and member = any($2)
), factors as (
  delete from second_factor where district = $1 and member = any($2)
), browsers as (
  delete from known_browser where district = $1 and member = any($2)
)
update access_token set revoked_at = $3 where district = $1 and member = any($2) and revoked_at is null
"""


async def end_access(conn: Connection, district: int, leavers: list[UUID], now: datetime) -> None:
    """End sessions, tokens, codes and passwords of members who leave."""
    await conn.execute(END_ACCESS, district, leavers, now)


def sealed_phone(ring: KeyRing, district: int, member: UUID, phone: str | None) -> tuple[str | None, str | None]:
    """A phone as it is kept: sealed, and as the keyed hash by which it is found again."""
    if not phone:
        return None, None
    sealed = ring.seal(digits(phone), Place(district, member, "phone"))
    return bytea(sealed), bytea(ring.look_up(phone))


def event(
    row: MemberRow,
    name: str,
    actor: Actor,
    now: datetime,
    facts: Mapping[str, object],
    request: tuple[UUID, bytes] | None = None,
) -> Row:
    """A change of a member as a row of the history; `request` is the id and digest of what was asked."""
    id_, digest = request or (uuid4(), None)
    return event_row(
        district=row.district,
        id=id_,
        kind="member",
        thing=row.id,
        version=row.version,
        event=name,
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts=facts,
        request=digest,
    )


def named(row: MemberRow, now: datetime) -> tuple[Row, dict[str, object]]:
    """The name that a member has from this version on: as a text, and as the facts by which an event names it."""
    text, digest = text_row(row.district, row.id, row.version, {"name": row.name}, now)
    return text, {"text_version": row.version, "text_digest": digest}


def told(grants: list[Grant]) -> list[list[str]]:
    """Roles and scopes as facts."""
    return [[grant.role, grant.scope_kind, grant.scope] for grant in grants]


# --- joining


async def join(conn: Connection, ring: KeyRing, reader: Reader, draft: MemberDraft, now: datetime) -> Changed:
    """Take in a member; the same draft again gets its first answer.

    Raises NotAllowed, CannotGive, UnknownOrganisation, UnknownScope, NumberTaken, PhoneTaken, IdTaken or Invalid."""
    reach = await organisations.within(conn, reader)
    await conn.execute(organisations.LOCK, reader.district)
    request = request_of(draft, ring)
    if before := await asked_before(conn, reader, draft.id, draft.id, request):
        return before
    await organisations.refuse_unknown(conn, reader, draft.organisation, "organisation")
    known = await roles.places(conn, reader.district)
    grants = [MEMBERSHIP, *(known.grant(one.role, one.scope, "roles") for one in draft.roles)]
    if not roles.may_give(reach, grants):
        raise CannotGive("roles")
    if draft.phone:
        check_phone(draft.phone, "phone")
    phone, look_up = sealed_phone(ring, reader.district, draft.id, draft.phone)
    row = MemberRow(
        district=reader.district,
        id=draft.id,
        version=1,
        number=_word(draft.number, "number"),
        name=_word(draft.name, "name"),
        organisation=draft.organisation,
        joined_at=now,
        phone=phone,
        phone_look_up=look_up,
    )
    await conn.execute(INSERT, [row])
    await give(conn, reader.district, [(row.id, grant) for grant in grants])
    text, facts = named(row, now)
    facts |= {"number": row.number, "organisation": row.organisation, "phone": phone is not None}
    facts["granted"] = told(grants)
    actor = Actor("member", str(reader.member))
    await history.append(conn, [event(row, "join", actor, now, facts, (draft.id, request))], [text])
    return Changed(id=row.id, version=1)


def _word(text: str, field: str) -> str:
    word = " ".join(text.split())
    if not word or not word.isprintable():
        raise TextUnusable(field)
    return word


def request_of(asked: MemberDraft | MemberChange, ring: KeyRing) -> bytes:
    """What makes a retry known; of a phone it tells nothing."""
    if asked.phone:
        asked = msgspec.structs.replace(asked, phone=ring.look_up(asked.phone).hex()[:50])
    return request_digest(asked)


ASKED_BEFORE = "select thing, actor, request, version, facts from history where district = $1 and id = $2"


async def asked_before(conn: Connection, reader: Reader, id_: UUID, member: UUID, request: bytes) -> Changed | None:
    """The answer that a request got the first time. Raises IdTaken for another request of this id."""
    first = await conn.fetchrow(ASKED_BEFORE, reader.district, id_)
    if first is None:
        return None
    if (first["thing"], first["actor"], first["request"]) != (member, str(reader.member), request):
        raise IdTaken("id")
    return Changed(id=member, version=first["version"], handed_on=first["facts"].get("handed_on", 0))


# --- changing

LOCK = f"select {ROW} from member where district = $1 and id = $2 for update"


async def locked(conn: Connection, district: int, member: UUID) -> MemberRow:
    """A member's row, held until the transaction ends, so that whoever files in their name waits. Raises NotFound."""
    row = await conn.fetchrow(LOCK, district, member)
    if row is None:
        raise NotFound
    columns = dict(row)
    for name in ("phone", "phone_look_up"):
        columns[name] = bytea(columns[name]) if columns[name] is not None else None
    return MemberRow(**columns)


class _Asked(Struct, frozen=True):
    """A change under way."""

    reader: Reader
    reach: set[UUID] | None
    ring: KeyRing
    change: MemberChange
    grants: tuple[Grant, ...]  # that the member holds
    now: datetime

    @property
    def actor(self) -> Actor:
        return Actor("member", str(self.reader.member))


class _Done(Struct, frozen=True):
    """The row after a change, what the history tells of it, and the new name where it is another."""

    row: MemberRow
    facts: dict[str, object]
    texts: tuple[Row, ...] = ()
    handed_on: int = 0


async def change(
    conn: Connection, ring: KeyRing, reader: Reader, member: UUID, asked: MemberChange, now: datetime
) -> Changed:
    """Change a member; the same again gets its first answer.

    Who leaves hands on all that they own, and their sessions and tokens end, in this transaction. Raises NotFound,
    NotAllowed, StaleVersion, MemberLeft, Missing, CannotGive, DispatcherNeeded, AdministratorNeeded, UnknownMember,
    UnknownOrganisation, UnknownScope, IdTaken or Invalid."""
    reach = await organisations.within(conn, reader)
    await conn.execute(organisations.LOCK, reader.district)
    request = request_of(asked, ring)
    if before := await asked_before(conn, reader, asked.id, member, request):
        return before
    found = await members.manageable(conn, reader, member)
    row = await locked(conn, reader.district, member)
    if asked.expected_version != row.version:
        raise StaleVersion("expected_version", version=row.version)
    if (row.closed_at is not None) != (asked.change == "return"):
        raise MemberLeft("change") if row.closed_at else MoveNotPossible("change")
    under_way = _Asked(reader, reach, ring, asked, found.grants, now)
    done = await _CHANGES[asked.change](conn, under_way, msgspec.structs.replace(row, version=row.version + 1))
    await conn.execute(UPDATE, reader.district, [done.row])
    facts, texts = dict(done.facts), [*done.texts]
    if done.handed_on:
        facts["handed_on"] = done.handed_on
    if asked.reason and asked.reason.strip():
        reason, facts["reason_digest"] = text_row(reader.district, asked.id, 1, {"reason": asked.reason}, now)
        texts.append(reason)
    row_of_history = event(done.row, asked.change, under_way.actor, now, facts, (asked.id, request))
    await history.append(conn, [row_of_history], texts)
    return Changed(id=member, version=done.row.version, handed_on=done.handed_on)


async def _update(conn: Connection, asked: _Asked, row: MemberRow) -> _Done:
    wanted = asked.change
    if wanted.name is None and wanted.number is None and wanted.phone is UNSET:
        raise Missing("name", change="update")
    facts: dict[str, object] = {}
    texts: tuple[Row, ...] = ()
    if wanted.number is not None:
        row = msgspec.structs.replace(row, number=_word(wanted.number, "number"))
        facts["number"] = row.number
    if wanted.phone is not UNSET:
        if wanted.phone:
            check_phone(wanted.phone, "phone")
        phone, look_up = sealed_phone(asked.ring, row.district, row.id, wanted.phone)
        row = msgspec.structs.replace(row, phone=phone, phone_look_up=look_up)
        facts["phone"] = phone is not None
    if wanted.name is not None:
        row = msgspec.structs.replace(row, name=_word(wanted.name, "name"))
        text, naming = named(row, asked.now)
        facts, texts = facts | naming, (text,)
    return _Done(row, facts, texts)


async def _transfer(conn: Connection, asked: _Asked, row: MemberRow) -> _Done:
    if asked.change.organisation is None:
        raise Missing("organisation", change="transfer")
    await organisations.refuse_unknown(conn, asked.reader, asked.change.organisation, "organisation")
    facts: dict[str, object] = {"organisation": asked.change.organisation, "before": row.organisation}
    return _Done(msgspec.structs.replace(row, organisation=asked.change.organisation), facts)


async def _close(conn: Connection, asked: _Asked, row: MemberRow) -> _Done:
    await refuse_indispensable(conn, row.district, dispatchers=[row.id], administrators=[row.id])
    deputy = await deputy_of(conn, asked.reader, asked.reach, row.id, asked.change.deputy)
    row = msgspec.structs.replace(row, closed_at=asked.now)
    await conn.execute(UPDATE, row.district, [row])
    await take(conn, row.district, [(row.id, grant) for grant in asked.grants])
    await end_access(conn, row.district, [row.id], asked.now)
    handed = await handing_on.hand_on(conn, row.district, {row.id: deputy}, asked.actor, asked.now)
    facts: dict[str, object] = {"closed_at": asked.now, "deputy": deputy, "taken": told(list(asked.grants))}
    return _Done(row, facts, handed_on=handed.total)


async def _return(conn: Connection, asked: _Asked, row: MemberRow) -> _Done:
    organisation = asked.change.organisation or row.organisation
    await organisations.refuse_unknown(conn, asked.reader, organisation, "organisation")
    await give(conn, row.district, [(row.id, MEMBERSHIP)])
    row = msgspec.structs.replace(row, organisation=organisation, closed_at=None)
    return _Done(row, {"organisation": organisation, "closed_at": None, "granted": told([MEMBERSHIP])})


async def _give(conn: Connection, asked: _Asked, row: MemberRow) -> _Done:
    grant = await _grant(conn, asked)
    await give(conn, row.district, [(row.id, grant)])
    return _Done(row, {"granted": told([grant])})


async def _take(conn: Connection, asked: _Asked, row: MemberRow) -> _Done:
    wanted = asked.change
    held = next((one for one in asked.grants if (one.role, one.scope) == (wanted.role, wanted.scope)), None)
    grant = held or await _grant(conn, asked)
    if not roles.may_give(asked.reach, [grant]):
        raise CannotGive("role")
    if grant not in asked.grants:
        raise NotFound("role")
    await refuse_indispensable(
        conn,
        row.district,
        dispatchers=[row.id] if (grant.role, grant.scope_kind) == ("dispatcher", "district") else [],
        administrators=[row.id] if grant.role == "administrator" else [],
    )
    await take(conn, row.district, [(row.id, grant)])
    return _Done(row, {"taken": told([grant])})


async def _grant(conn: Connection, asked: _Asked) -> Grant:
    """The role that is given or taken; nobody may give or take what reaches further than their own hands."""
    if asked.change.role is None:
        raise Missing("role", change=asked.change.change)
    known = await roles.places(conn, asked.reader.district)
    grant = known.grant(asked.change.role, asked.change.scope)
    if not roles.may_give(asked.reach, [grant]):
        raise CannotGive("role")
    return grant


CANCEL = """
update member_absence set cancelled_at = $4
where district = $1 and member = $2 and id = $3 and cancelled_at is null and ends_at > $4
returning id
"""


async def _cancel_absence(conn: Connection, asked: _Asked, row: MemberRow) -> _Done:
    if asked.change.absence is None:
        raise Missing("absence", change="cancel_absence")
    if await conn.fetchval(CANCEL, row.district, row.id, asked.change.absence, asked.now) is None:
        raise NotFound("absence")
    return _Done(row, {"absence": asked.change.absence})


NAME_DISPATCHER = """
update district d set dispatcher = $2 from district before
where d.district = $1 and before.district = $1 returning before.dispatcher
"""


async def _name_dispatcher(conn: Connection, asked: _Asked, row: MemberRow) -> _Done:
    asked.reader.require("administrator")
    grant = Grant("dispatcher", "district", str(row.district))
    await give(conn, row.district, [(row.id, grant)])
    before = await conn.fetchval(NAME_DISPATCHER, row.district, row.id)
    return _Done(row, {"before": before, "granted": told([grant])})


_CHANGES = {
    "update": _update,
    "transfer": _transfer,
    "close": _close,
    "return": _return,
    "give": _give,
    "take": _take,
    "cancel_absence": _cancel_absence,
    "name_dispatcher": _name_dispatcher,
}

# --- who cannot go, and who stands in

IS_DISPATCHER = "select exists (select from district where district = $1 and dispatcher = any($2))"
ADMINISTRATORS_LEFT = """
select (select count(*) from member_role where district = $1 and role = 'administrator' and member = any($2)) = 0
  or exists (select from member_role r join member m on m.district = r.district and m.id = r.member
             where r.district = $1 and r.role = 'administrator' and m.closed_at is null and m.id <> all($2))
"""


async def refuse_indispensable(
    conn: Connection, district: int, *, dispatchers: Collection[UUID] = (), administrators: Collection[UUID] = ()
) -> None:
    """Raises DispatcherNeeded or AdministratorNeeded when the district could not do without these in their offices."""
    if await conn.fetchval(IS_DISPATCHER, district, list(dispatchers)):
        raise DispatcherNeeded
    if not await conn.fetchval(ADMINISTRATORS_LEFT, district, list(administrators)):
        raise AdministratorNeeded


DEPUTY = """
select id, organisation from member
where district = $1 and closed_at is null and id <> $2 and (id::text = lower($3) or number = $3)
"""


async def deputy_of(
    conn: Connection, reader: Reader, reach: set[UUID] | None, member: UUID, named_: str | None
) -> UUID | None:
    """Who stands in, by id or number, within the reach of who says so. Raises UnknownMember."""
    if named_ is None:
        return None
    row = await conn.fetchrow(DEPUTY, reader.district, member, named_.strip())
    if row is None or (reach is not None and row["organisation"] not in reach):
        raise UnknownMember("deputy", given=named_)
    deputy: UUID = row["id"]
    return deputy
