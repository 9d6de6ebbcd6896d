"""Webhooks: other systems that are told of what happens to issues, by ids, codes, states and times, never by texts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4, uuid5

from asyncpg import Connection
from msgspec import Meta, Struct
from standardwebhooks import Webhook as Signer

from surveys import history
from surveys.history import Actor, occurrence
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing, Place
from surveys.refusals import Conflict, IdTaken, Invalid, NotFound

SECRET_BYTES = 32
PREFIX = "whsec_"  # of a secret, by the specification
PING = "ping"
EVENTS = (
    "report", "accept", "assign", "decline", "start", "resolve", "close", "reject", "reopen", "correct", "return",
    "pause", "resume", "extend", "approve", "refuse", "merge", "unmerge", "change_channel", "follow", "appoint",
    "opine", "meet", "hand_on", "invite", "answer", "lapse", "reckon", "escalate", "absorb",
    "release",
)  # fmt: skip
State = Literal["waiting", "sent", "parked", "void"]


class UrlUnusable(Invalid):
    """An address that messages cannot be sent to: not https, with a name or password in it, or inside our own house."""

    code = "url_unusable"


class UnknownEvent(Invalid):
    """There is no such event."""

    code = "unknown_event"


class WebhookClosed(Conflict):
    """It was closed, and sends no more."""

    code = "webhook_closed"


class WebhookDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook as it is asked for."""

    id: UUID
    url: Annotated[str, Meta(min_length=1, max_length=2_000)]
    events: Annotated[tuple[str, ...], Meta(min_length=1, max_length=50)]


class Webhook(Struct, frozen=True, kw_only=True):
    """A webhook as it is read: where it goes is shown without its query, which may hold a secret of the other side."""

    id: UUID
    url: str
    events: list[str]
    made_at: datetime
    closed_at: datetime | None


def place(district: int, webhook: UUID) -> Place:
    """What a webhook's secret is sealed for."""
    return Place(district, webhook, "webhook_secret")


MAKE = """
insert into webhook (district, id, url, events, secret, made_at) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing returning true
"""


async def make(
    conn: Connection, ring: KeyRing, reader: Reader, draft: WebhookDraft, secret: str, now: datetime
) -> Webhook:
    """Register a webhook under a secret that is shown once; that its address may be sent to is the caller's to see to.

    Raises UnknownEvent or IdTaken."""
    for event in draft.events:
        if event not in EVENTS:
            raise UnknownEvent("events", given=event)
    sealed = ring.seal(secret, place(reader.district, draft.id))
    events = sorted(set(draft.events))
    if not await conn.fetchval(MAKE, reader.district, draft.id, draft.url, events, sealed, now):
        raise IdTaken("id")
    await _record(conn, reader, "webhook_made", draft.id, {"host": urlsplit(draft.url).hostname, "events": events}, now)
    return Webhook(id=draft.id, url=shown(draft.url), events=events, made_at=now, closed_at=None)


def shown(url: str) -> str:
    """An address without what may be secret in it."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


CLOSE = "update webhook set closed_at = $3 where district = $1 and id = $2 and closed_at is null returning true"
EXISTS = "select exists (select from webhook where district = $1 and id = $2)"


async def close(conn: Connection, reader: Reader, webhook: UUID, now: datetime) -> None:
    """Send nothing more to it. Raises NotFound or WebhookClosed."""
    if not await conn.fetchval(CLOSE, reader.district, webhook, now):
        raise WebhookClosed if await conn.fetchval(EXISTS, reader.district, webhook) else NotFound
    await _record(conn, reader, "webhook_closed", webhook, {}, now)


async def _record(
    conn: Connection, reader: Reader, event: str, webhook: UUID, facts: dict[str, object], now: datetime
) -> None:
    actor = Actor("member", str(reader.member))
    facts = {"webhook": webhook, **facts}
    row = occurrence(district=reader.district, kind="installation", event=event, actor=actor, now=now, facts=facts)
    await history.append(conn, [row], [])


ALL = "select id, url, events, made_at, closed_at from webhook where district = $1 order by made_at desc, id"


async def of_district(conn: Connection, district: int) -> list[Webhook]:
    """A district's webhooks, newest first, closed ones among them."""
    return [Webhook(**{**row, "url": shown(row["url"])}) for row in await conn.fetch(ALL, district)]


OPEN = "select id, events from webhook where district = $1 and closed_at is null"
DELIVER = """
insert into webhook_delivery (district, id, webhook, event, kind, state, made_at)
select $1, id, webhook, event, kind, 'waiting', $6 from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[])
  d(id, webhook, event, kind)
on conflict do nothing returning id
"""


async def deliver(conn: Connection, district: int, events: Sequence[tuple[UUID, str]], now: datetime) -> Sequence[UUID]:
    """Keep a delivery for each event that a webhook asked for, once; the new ones are for the caller to queue."""
    asked = await conn.fetch(OPEN, district)
    wanted = [(hook["id"], event, kind) for hook in asked for event, kind in events if kind in hook["events"]]
    if not wanted:
        return []
    ids = [uuid5(hook, str(event)) for hook, event, _ in wanted]
    columns = zip(*wanted, strict=True)
    return [row["id"] for row in await conn.fetch(DELIVER, district, ids, *map(list, columns), now)]


async def ping(conn: Connection, district: int, webhook: UUID, now: datetime) -> UUID:
    """Keep a delivery that only shows whether messages arrive. Raises NotFound or WebhookClosed."""
    row = await conn.fetchrow("select closed_at from webhook where district = $1 and id = $2", district, webhook)
    if row is None:
        raise NotFound
    if row["closed_at"] is not None:
        raise WebhookClosed
    delivery = uuid4()
    await conn.execute(DELIVER, district, [delivery], [webhook], [None], [PING], now)
    return delivery


class Delivery(Struct, frozen=True, kw_only=True):
    """What became of one message to a webhook."""

    id: UUID
    event: UUID | None
    kind: str
    state: State
    tries: int
    status: int | None
    error: str | None
    made_at: datetime
    tried_at: datetime | None


DELIVERIES = """
select id, event, kind, state, tries, status, error, made_at, tried_at from webhook_delivery
where district = $1 and webhook = $2 order by made_at desc, id desc limit $3
"""


async def deliveries(conn: Connection, district: int, webhook: UUID, limit: int) -> list[Delivery]:
    """The newest deliveries of a webhook. Raises NotFound."""
    if not await conn.fetchval(EXISTS, district, webhook):
        raise NotFound
    return [Delivery(**row) for row in await conn.fetch(DELIVERIES, district, webhook, limit)]


class Message(Struct, frozen=True, kw_only=True):
    """A message that is to be sent: to where, under which secret, and what it says."""

    url: str
    secret: str
    kind: str
    made_at: datetime
    said: dict[str, object]


TO_SEND = """
select d.kind, d.made_at, d.event, w.id as webhook, w.url, w.secret, w.closed_at, h.event as happened, h.kind as of,
  h.thing, h.version, h.actor_kind, h.happened_at, h.facts, i.number, i.id as issue
from webhook_delivery d
join webhook w on w.district = d.district and w.id = d.webhook
left join history h on h.district = d.district and h.id = d.event
left join issue i on i.district = d.district and i.id = coalesce((h.facts->>'about')::uuid, h.thing)
where d.district = $1 and d.id = $2 and d.state in ('waiting', 'parked')
"""
# What of an event's facts is said: ids, codes, states and times; no place, no person, no digest of a text.
SAID = ("state", "department", "category", "urgency", "channel", "community", "due_at", "response_due_at", "level",
        "answer", "satisfaction", "merged_into", "asked")  # fmt: skip


async def to_send(conn: Connection, ring: KeyRing, district: int, delivery: UUID) -> Message | None:
    """What a delivery says; None where it is sent already, or its webhook is closed."""
    row = await conn.fetchrow(TO_SEND, district, delivery)
    if row is None or row["closed_at"] is not None:
        return None
    said: dict[str, object] = {"type": row["kind"], "timestamp": row["happened_at"] or row["made_at"]}
    said["data"] = {"district": district}
    if row["event"] is not None:
        facts = row["facts"] or {}
        said["data"] = {
            "district": district,
            "event": row["event"],
            "issue": row["issue"],
            "number": str(row["number"]),
            "version": row["version"] if row["of"] == "issue" else None,
            "actor": row["actor_kind"],
            **{name: facts[name] for name in SAID if name in facts},
        }
    secret = ring.open(row["secret"], place(district, row["webhook"]))
    return Message(url=row["url"], secret=secret, kind=row["kind"], made_at=row["made_at"], said=said)


TRIED = """
update webhook_delivery set state = $3, tries = tries + 1, status = $4, error = $5, tried_at = $6
where district = $1 and id = $2
"""


async def tried(
    conn: Connection, district: int, delivery: UUID, state: State, status: int | None, error: str | None, now: datetime
) -> None:
    """Write down what became of a try."""
    await conn.execute(TRIED, district, delivery, state, status, error, now)


def signed(secret: str, delivery: UUID, body: str, now: datetime) -> dict[str, str]:
    """The headers by which the other side knows that a message is ours, and new (Standard Webhooks)."""
    return {
        "content-type": "application/json",
        "webhook-id": f"msg_{delivery}",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(secret).sign(f"msg_{delivery}", now, body),
    }


FORGET = "delete from webhook_delivery where district = $1 and made_at < $2"


async def forget(conn: Connection, district: int, before: datetime) -> int:
    """Remove what was sent before this; how much there was."""
    return int((await conn.execute(FORGET, district, before)).split()[1])


VOID = "update webhook_delivery set state = 'void' where district = $1 and id = $2 and state in ('waiting', 'parked')"


async def void(conn: Connection, district: int, delivery: UUID) -> None:
    """Nothing is to be sent any more; what was sent stays so."""
    await conn.execute(VOID, district, delivery)
