"""Ways out of the house: the district's channels for messages, each member's own address on them, and what was sent.

A channel is an address as apprise reads it, with `{address}` where the member's own goes. It holds the district's
secrets, so it is sealed and never shown again; so is each member's address."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, occurrence
from surveys.notices import notices
from surveys.notices.notices import Language, NoticeKind
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing, Place
from surveys.refusals import Conflict, IdTaken, Invalid, NotFound

PLACE_OF_ADDRESS = "{address}"
State = Literal["waiting", "sent", "parked", "void"]


class ChannelUnusable(Invalid):
    """An address of a channel that apprise does not know, that has no place for the member's own, or that leads where
    messages may not go."""

    code = "channel_unusable"


class ChannelClosed(Conflict):
    """It was closed, and sends no more."""

    code = "channel_closed"


class ChannelDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A channel as it is asked for; `template` holds its secrets and is not shown again."""

    id: UUID
    name: Annotated[str, Meta(min_length=1, max_length=50)]
    template: Annotated[str, Meta(min_length=1, max_length=2_000)]


class Channel(Struct, frozen=True, kw_only=True):
    """A channel as it is read."""

    id: UUID
    name: str
    scheme: str
    made_at: datetime
    closed_at: datetime | None


def template_place(district: int, channel: UUID) -> Place:
    """What a channel's template is sealed for."""
    return Place(district, channel, "notice_channel")


def address_place(district: int, member: UUID, channel: UUID) -> Place:
    """What a member's address on a channel is sealed for."""
    return Place(district, member, f"notice_address/{channel}")


MAKE = """
insert into notice_channel (district, id, name, scheme, template, made_at) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing returning true
"""


async def make(
    conn: Connection, ring: KeyRing, reader: Reader, draft: ChannelDraft, scheme: str, now: datetime
) -> Channel:
    """Open a channel; that its template can be used is the caller's to see to. Raises IdTaken."""
    sealed = ring.seal(draft.template, template_place(reader.district, draft.id))
    if not await conn.fetchval(MAKE, reader.district, draft.id, draft.name, scheme, sealed, now):
        raise IdTaken("id")
    await _record(conn, reader, "channel_made", draft.id, scheme, now)
    return Channel(id=draft.id, name=draft.name, scheme=scheme, made_at=now, closed_at=None)


CLOSE = """
update notice_channel set closed_at = $3 where district = $1 and id = $2 and closed_at is null returning scheme
"""
EXISTS = "select exists (select from notice_channel where district = $1 and id = $2)"


async def close(conn: Connection, reader: Reader, channel: UUID, now: datetime) -> None:
    """Send nothing more through it. Raises NotFound or ChannelClosed."""
    scheme = await conn.fetchval(CLOSE, reader.district, channel, now)
    if scheme is None:
        raise ChannelClosed if await conn.fetchval(EXISTS, reader.district, channel) else NotFound
    await _record(conn, reader, "channel_closed", channel, scheme, now)


async def _record(conn: Connection, reader: Reader, event: str, channel: UUID, scheme: str, now: datetime) -> None:
    row = occurrence(
        district=reader.district,
        kind="installation",
        event=event,
        actor=Actor("member", str(reader.member)),
        now=now,
        facts={"channel": channel, "scheme": scheme},
    )
    await history.append(conn, [row], [])


ALL = "select id, name, scheme, made_at, closed_at from notice_channel where district = $1 order by made_at, id"


async def of_district(conn: Connection, district: int) -> list[Channel]:
    """A district's channels, closed ones among them."""
    return [Channel(**row) for row in await conn.fetch(ALL, district)]


class OwnChannel(Struct, frozen=True, kw_only=True):
    """A channel as a member meets it: whether they have given it an address."""

    id: UUID
    name: str
    scheme: str
    address: bool


OWN = """
select c.id, c.name, c.scheme, a.member is not null as address
from notice_channel c left join notice_address a on a.district = c.district and a.channel = c.id and a.member = $2
where c.district = $1 and c.closed_at is null order by c.made_at, c.id
"""


async def own(conn: Connection, reader: Reader) -> list[OwnChannel]:
    """The open channels, and which of them reach the reader."""
    return [OwnChannel(**row) for row in await conn.fetch(OWN, reader.district, reader.member)]


OPEN = "select exists (select from notice_channel where district = $1 and id = $2 and closed_at is null)"
SET_ADDRESS = """
insert into notice_address (district, member, channel, address, changed_at) values ($1, $2, $3, $4, $5)
on conflict (district, member, channel) do update set address = excluded.address, changed_at = excluded.changed_at
"""
REMOVE_ADDRESS = "delete from notice_address where district = $1 and member = $2 and channel = $3"


async def set_address(
    conn: Connection, ring: KeyRing, reader: Reader, channel: UUID, address: str, now: datetime
) -> None:
    """Reach the reader at this address from now on, or, if it is blank, not at all. Raises NotFound."""
    if not await conn.fetchval(OPEN, reader.district, channel):
        raise NotFound
    key = (reader.district, reader.member, channel)
    if not address.strip():
        await conn.execute(REMOVE_ADDRESS, *key)
        return
    await conn.execute(SET_ADDRESS, *key, ring.seal(address.strip(), address_place(*key)), now)


# What is to go out by now, by member: seen ones and those of members without an address need no message any more.
DUE = """
select member, array_agg(id order by made_at, id) filter (where seen_at is null) as unseen, array_agg(id) as ids
from (select * from notice where district = $1 and send_after <= $2 and queued_at is null
      order by send_after limit $3 for update skip locked) due
group by member
"""
ADDRESSES = """
select a.member, a.channel from notice_address a
join notice_channel c on c.district = a.district and c.id = a.channel and c.closed_at is null
join member m on m.district = a.district and m.id = a.member and m.closed_at is null
where a.district = $1 and a.member = any($2)
"""
QUEUED = "update notice set queued_at = $3 where district = $1 and id = any($2)"
DELIVER = """
insert into notice_delivery (district, id, member, channel, notices, state, made_at)
select $1, id, member, channel, notices, 'waiting', $3
from json_to_recordset($2) as d(id uuid, member uuid, channel uuid, notices uuid[])
"""
AT_A_TURN = 5_000  # notices


async def gather(conn: Connection, district: int, now: datetime) -> list[UUID]:
    """Gather what is to go out by now into one message for each member and channel; the caller queues them."""
    due = await conn.fetch(DUE, district, now, AT_A_TURN)
    if not due:
        return []
    unseen = {row["member"]: row["unseen"] for row in due if row["unseen"]}
    addresses = await conn.fetch(ADDRESSES, district, list(unseen))
    deliveries = [
        {"id": uuid4(), "member": row["member"], "channel": row["channel"], "notices": _array(unseen[row["member"]])}
        for row in addresses
    ]
    await conn.execute(DELIVER, district, deliveries, now)
    await conn.execute(QUEUED, district, [id_ for row in due for id_ in row["ids"]], now)
    return [one["id"] for one in deliveries if isinstance(one["id"], UUID)]


def _array(ids: Sequence[UUID]) -> str:
    return "{" + ",".join(map(str, ids)) + "}"


class Line(Struct, frozen=True, kw_only=True):
    """One notice as a message says it: codes and what the district calls its own things; of a service what its team
    announced, which is public, and what a round is called."""

    kind: NoticeKind
    level: int | None
    issue: UUID | None
    number: str | None
    category: str | None
    due_at: datetime | None
    service: UUID | None
    round: UUID | None
    title: str | None
    place: str | None
    starts_at: datetime | None
    community: str | None


class Message(Struct, frozen=True, kw_only=True):
    """A message that is to be sent."""

    member: UUID
    language: Language
    time_zone: str
    template: str
    address: str
    lines: list[Line]


TO_SEND = """
select d.member, d.channel, d.notices, c.template, a.address, t.time_zone, coalesce(s.language, 'zh') as language
from notice_delivery d
join district t on t.district = d.district
join notice_channel c on c.district = d.district and c.id = d.channel and c.closed_at is null
join notice_address a on a.district = d.district and a.member = d.member and a.channel = d.channel
join member m on m.district = d.district and m.id = d.member and m.closed_at is null
left join notice_setting s on s.district = d.district and s.member = d.member
where d.district = $1 and d.id = $2 and d.state in ('waiting', 'parked')
"""
LINES = f"""
select n.kind, n.level, {notices.TOLD_OF}
join unnest($2::uuid[]) with ordinality as w(id, at) on w.id = n.id
where n.district = $1
order by w.at
"""


async def to_send(conn: Connection, ring: KeyRing, district: int, delivery: UUID) -> Message | None:
    """What a delivery says to whom; None where it is sent already, or nobody is to be reached that way any more."""
    row = await conn.fetchrow(TO_SEND, district, delivery)
    if row is None:
        return None
    lines = [Line(**line) for line in await conn.fetch(LINES, district, row["notices"])]
    if not lines:
        return None
    return Message(
        member=row["member"],
        language=row["language"],
        time_zone=row["time_zone"],
        template=ring.open(row["template"], template_place(district, row["channel"])),
        address=ring.open(row["address"], address_place(district, row["member"], row["channel"])),
        lines=lines,
    )


TRIED = """
update notice_delivery set state = $3, tries = tries + 1, error = $4, tried_at = $5
where district = $1 and id = $2 and state in ('waiting', 'parked')
"""


async def tried(
    conn: Connection, district: int, delivery: UUID, state: State, error: str | None, now: datetime
) -> None:
    """Write down what became of a try."""
    await conn.execute(TRIED, district, delivery, state, error, now)


class Delivery(Struct, frozen=True, kw_only=True):
    """What was sent to whom, when, by which channel, with which outcome."""

    id: UUID
    member: UUID
    name: str
    channel: UUID
    channel_name: str
    notices: int
    state: State
    tries: int
    error: str | None
    made_at: datetime
    tried_at: datetime | None


DELIVERIES = """
select d.id, d.member, m.name, d.channel, c.name as channel_name, cardinality(d.notices) as notices, d.state, d.tries,
  d.error, d.made_at, d.tried_at
from notice_delivery d
join member m on m.district = d.district and m.id = d.member
join notice_channel c on c.district = d.district and c.id = d.channel
where d.district = $1 and ($2::uuid is null or d.member = $2) order by d.made_at desc, d.id desc limit $3
"""


async def deliveries(conn: Connection, district: int, member: UUID | None, limit: int) -> list[Delivery]:
    """The newest messages, to everybody or to one member."""
    return [Delivery(**row) for row in await conn.fetch(DELIVERIES, district, member, limit)]


FORGET = "delete from notice_delivery where district = $1 and made_at < $2"


async def forget(conn: Connection, district: int, before: datetime) -> int:
    """Remove what was sent before this; how much there was."""
    return int((await conn.execute(FORGET, district, before)).split()[1])


VOID = "update notice_delivery set state = 'void' where district = $1 and id = $2 and state in ('waiting', 'parked')"


async def void(conn: Connection, district: int, delivery: UUID) -> None:
    """Nobody is to be reached that way any more; what was sent stays so."""
    await conn.execute(VOID, district, delivery)
