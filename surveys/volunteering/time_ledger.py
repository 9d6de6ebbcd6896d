"""The ledger of the time bank: transactions of entries that sum to zero, written once and never changed.

The database holds the rules: entries of a transaction come together and sum to zero, they alone change the balances of
accounts, and no account falls below what it may. Accounts are locked in the order of their ids, for as long as one
statement and its commit take; the district's own accounts have no row that anybody would wait for."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID, uuid5

from asyncpg import Connection
from msgspec import Struct

from surveys.history import Actor, Row, bytea, event_row, text_row
from surveys.refusals import Conflict, IdTaken

Kind = Literal["earn", "spend", "pass_on", "give_back", "correct"]
System = Literal[
    "issued",  # what the district gave out for what was served
    "given_back",  # what came back to it
    "carried",  # what it bears, because who had it has spent it
]


class AccountClosed(Conflict):
    """There is no such account, or it was closed; no minutes move on it."""

    code: ClassVar[str] = "time_account_closed"


class Line(Struct, frozen=True, kw_only=True):
    """One side of a transaction: minutes more on an account, or less."""

    minutes: int
    account: UUID | None = None
    system: System | None = None


class Transaction(Struct, frozen=True, kw_only=True):
    """What is to be booked. `served` is how many minutes it says that the volunteer served, fewer than none where it
    corrects; `event` tells the history of it."""

    id: UUID
    kind: Kind
    minutes: int
    lines: tuple[Line, ...]
    happened_at: datetime
    request: bytes
    actor: Actor
    volunteer: UUID | None = None
    served: int = 0
    service: UUID | None = None
    help: UUID | None = None
    corrects: UUID | None = None
    event: UUID | None = None  # of the history, where a retry must find it
    version: int = 1  # of the event; a claim that was held has one before
    facts: Row = {}
    reason: str | None = None


# $2: the accounts; $3, $4: the transactions and their entries; $5, $6: events and their texts. Nothing is written
# before all accounts are locked, and nothing of a transaction that there is already.
BOOK = """
with held as materialized (
  select a.id from time_account a
  where a.district = $1 and a.id = any($2::uuid[]) and a.closed_at is null order by a.id for no key update
), booked as (
  insert into time_transaction (district, id, kind, minutes, lines, volunteer, served, service, help, corrects,
                                happened_at, recorded_at, request)
  select district, id, kind, minutes, lines, volunteer, served, service, help, corrects,
         happened_at, recorded_at, request
  from json_populate_recordset(null::time_transaction, $3)
  where (select count(*) from held) = cardinality($2::uuid[])
  on conflict (district, id) do nothing
  returning id
), entries as (
  insert into time_entry (district, transaction, line, account, system, minutes, happened_at, recorded_at)
  select e.district, e.transaction, e.line, e.account, e.system, e.minutes, e.happened_at, e.recorded_at
  from json_populate_recordset(null::time_entry, $4) e join booked b on b.id = e.transaction
), events as (
  insert into history (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at,
                       request, facts)
  select h.district, h.id, h.kind, h.thing, h.version, h.event, h.actor_kind, h.actor, h.happened_at, h.recorded_at,
         h.request, h.facts
  from json_populate_recordset(null::history, $5) h join booked b on b.id = h.thing
), texts as (
  insert into text_version (district, subject, version, body, salt, digest, recorded_at)
  select district, subject, version, body, salt, digest, recorded_at
  from json_populate_recordset(null::text_version, $6) where exists (select from booked)
)
select id from booked
"""
KNOWN = "select id, request from time_transaction where district = $1 and id = any($2::uuid[])"


async def book(conn: Connection, district: int, transactions: Sequence[Transaction], now: datetime) -> set[UUID]:
    """Book transactions, all or none, and return those that are new; one that is known under its id with the same
    content is left as it is. Raises BalanceTooLow (by its constraint), IdTaken and AccountClosed."""
    if not transactions:
        return set()
    events, texts = _told(district, transactions, now)
    rows = await conn.fetch(
        BOOK,
        district,
        sorted({line.account for one in transactions for line in one.lines if line.account}),
        [_row(district, one, now) for one in transactions],
        [entry for one in transactions for entry in _entries(district, one, now)],
        events,
        texts,
    )
    new = {row["id"] for row in rows}
    if len(new) < len(transactions):
        await _refuse_unknown(conn, district, [one for one in transactions if one.id not in new])
    return new


async def _refuse_unknown(conn: Connection, district: int, left: Sequence[Transaction]) -> None:
    known = {row["id"]: row["request"] for row in await conn.fetch(KNOWN, district, [one.id for one in left])}
    for one in left:
        if one.id not in known:
            raise AccountClosed("account")
        if known[one.id] != one.request:
            raise IdTaken("id")


def _row(district: int, one: Transaction, now: datetime) -> Row:
    return {
        "district": district,
        "id": one.id,
        "kind": one.kind,
        "minutes": one.minutes,
        "lines": len(one.lines),
        "volunteer": one.volunteer,
        "served": one.served,
        "service": one.service,
        "help": one.help,
        "corrects": one.corrects,
        "happened_at": min(one.happened_at, now),
        "recorded_at": now,
        "request": bytea(one.request),
    }


def _entries(district: int, one: Transaction, now: datetime) -> Iterable[Row]:
    for number, line in enumerate(one.lines, start=1):
        yield {
            "district": district,
            "transaction": one.id,
            "line": number,
            "account": line.account,
            "system": line.system,
            "minutes": line.minutes,
            "happened_at": min(one.happened_at, now),
            "recorded_at": now,
        }


def _told(district: int, transactions: Sequence[Transaction], now: datetime) -> tuple[list[Row], list[Row]]:
    events, texts = [], []
    for one in transactions:
        event, facts = one.event or uuid5(one.id, f"{one.kind} {one.version}"), {"minutes": one.minutes, **one.facts}
        for name in ("volunteer", "service", "help", "corrects"):
            if (value := getattr(one, name)) is not None:
                facts[name] = value
        facts["accounts"] = [line.account or line.system for line in one.lines]
        if one.reason:
            text, facts["reason_digest"] = text_row(district, event, 1, {"reason": one.reason}, now)
            texts.append(text)
        row = event_row(
            district=district,
            id=event,
            kind="time",
            thing=one.id,
            version=one.version,
            event=one.kind,
            actor=one.actor,
            happened_at=one.happened_at,
            recorded_at=now,
            facts=facts,
            request=one.request,
        )
        events.append(row)
    return events, texts


# Accounts as they are while nobody else can change them, in the order in which everybody locks them.
LOCK = """
select id, kind, volunteer, balance, reserved, lowest, opened_at, closed_at from time_account
where district = $1 and id = any($2::uuid[]) order by id for no key update
"""


class Locked(Struct, frozen=True, kw_only=True):
    """An account that nobody else changes before this transaction is over; in minutes."""

    id: UUID
    kind: Literal["volunteer", "relative"]
    volunteer: UUID
    balance: int
    reserved: int
    lowest: int
    opened_at: datetime
    closed_at: datetime | None


async def lock(conn: Connection, district: int, accounts: Iterable[UUID]) -> dict[UUID, Locked]:
    """Lock accounts until the end of this transaction; those that there are not are left out."""
    return {row["id"]: Locked(**row) for row in await conn.fetch(LOCK, district, list(set(accounts)))}
