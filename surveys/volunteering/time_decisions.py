"""What was held is decided by a person: booked, booked in part, or refused, with a reason."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal
from uuid import UUID, uuid4

import msgspec
from asyncpg import Connection, Record
from msgspec import Meta, Struct

from surveys import cursors, history
from surveys.history import Actor, event_row, request_digest, text_row
from surveys.people.people import Reader
from surveys.people.scopes import Parameters, refuse_who_reads_nothing
from surveys.refusals import Conflict, NotAllowed, NotFound, TextUnusable
from surveys.volunteering import (
    help_done,
    help_reserves,
    repeats,
    standing,
    time_accounts,
    time_bank,
    time_ledger,
    time_rules,
)
from surveys.volunteering.time_claims import Claim, State, Why
from surveys.volunteering.time_ledger import Transaction


class AlreadyDecided(Conflict):
    """Somebody has booked it, or refused it."""

    code: ClassVar[str] = "already_decided"


class Decision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What becomes of a held claim: so many of its minutes are booked, all where none are named, or it is refused."""

    id: UUID
    decision: Literal["book", "refuse"]
    reason: Annotated[str, Meta(min_length=1, max_length=2_000)]
    minutes: Annotated[int, Meta(ge=1, le=1440)] | None = None


class Decided(Struct, frozen=True, kw_only=True):
    """A claim after it was decided on."""

    id: UUID
    state: State
    minutes: int


# --- what waits

HELD = """
select c.id, c.volunteer, c.service, c.help, c.starts_at, c.ends_at, c.minutes, c.why, c.recorded_at,
       o.id as other, o.starts_at as other_starts_at, o.ends_at as other_ends_at, o.state as other_state
from time_claim c
left join time_claim o on o.district = c.district and o.id = c.other
"""


class Held(Struct, frozen=True, kw_only=True):
    """A claim that waits for a person, with the one that it overlaps; `late` when it has waited longer than it may."""

    id: UUID
    volunteer: UUID
    service: UUID | None
    help: UUID | None
    starts_at: datetime
    ends_at: datetime
    minutes: int
    why: Why
    recorded_at: datetime
    other: UUID | None
    other_starts_at: datetime | None
    other_ends_at: datetime | None
    other_state: State | None
    late: bool
    own: bool  # the reader's, who cannot decide on it


class Cursor(Struct, frozen=True):
    """Where a page of held claims ended."""

    recorded_at: datetime
    id: UUID


class Queue(Struct, frozen=True, kw_only=True):
    """A page of what waits, the longest first."""

    items: list[Held]
    next: str | None
    total: int


async def waiting(
    conn: Connection, reader: Reader, now: datetime, *, cursor: str | None = None, limit: int = 50
) -> Queue:
    """What waits for a person, of volunteers whom the reader looks after. Raises NotAllowed and InvalidCursor."""
    parameter = Parameters(reader.district)
    stands = await standing.of_reader(conn, reader)
    where = [
        "c.district = $1 and c.state = 'held'",
        time_accounts.condition(stands, parameter, "c.volunteer") or "true",
    ]
    total: int = await conn.fetchval(
        f"select count(*) from time_claim c where {' and '.join(where)}", *parameter.values
    )
    if cursor is not None:
        after = cursors.read(cursor, Cursor)
        where.append(
            f"(c.recorded_at, c.id) > ({parameter(after.recorded_at)}::timestamptz, {parameter(after.id)}::uuid)"
        )
    question = f"{HELD} where {' and '.join(where)} order by c.recorded_at, c.id limit {parameter(limit + 1)}"
    rows = await conn.fetch(question, *parameter.values)
    rules = await time_rules.in_force(conn, reader.district, now)
    late, own = now - timedelta(days=rules.hold_days), await time_accounts.own(conn, reader)
    items = [Held(**row, late=row["recorded_at"] < late, own=row["volunteer"] == own) for row in rows[:limit]]
    last = cursors.write(Cursor(items[-1].recorded_at, items[-1].id)) if len(rows) > limit else None
    return Queue(items=items, next=last, total=total)


# --- decided

LOCK = """
select id, version, volunteer, service, help, starts_at, ends_at, minutes, state from time_claim
where district = $1 and id = $2 for update
"""
WRITE = """
update time_claim set version = version + 1, state = $3, minutes = $4, decided_at = $5, decided_by = $6
where district = $1 and id = $2
"""


async def decide(conn: Connection, reader: Reader, claim: UUID, asked: Decision, now: datetime) -> Decided:
    """Decide on what waits, once. Raises NotFound, NotAllowed for who served, or does not look after them,
    AlreadyDecided, TextUnusable, BalanceTooLow and IdTaken."""
    if not asked.reason.strip() or "\x00" in asked.reason:
        raise TextUnusable("reason")
    refuse_who_reads_nothing(reader)
    actor, district = Actor("member", str(reader.member)), reader.district
    row = await conn.fetchrow(LOCK, district, claim)
    if row is None:
        raise NotFound
    await _refuse_unfit(conn, reader, row["volunteer"])
    if await repeats.asked_before(conn, district, asked.id, asked, actor, claim):
        return Decided(id=claim, state=row["state"], minutes=row["minutes"])
    if row["state"] != "held":
        raise AlreadyDecided(None, state=row["state"])
    minutes = min(asked.minutes or row["minutes"], row["minutes"]) if asked.decision == "book" else row["minutes"]
    state: State = "booked" if asked.decision == "book" else "refused"
    await conn.execute(WRITE, district, claim, state, minutes, now, reader.member)
    await _carry_out(conn, district, row, asked, minutes, actor, now)
    return Decided(id=claim, state=state, minutes=minutes)


async def _refuse_unfit(conn: Connection, reader: Reader, volunteer: UUID) -> None:
    if not await time_accounts.looked_after(conn, reader, [volunteer]):
        raise NotFound
    if await time_accounts.own(conn, reader) == volunteer:
        raise NotAllowed


async def _carry_out(
    conn: Connection, district: int, row: Record, asked: Decision, minutes: int, actor: Actor, now: datetime
) -> None:
    told = None if asked.decision == "book" else _refused(district, row, asked, actor, now)
    if told is not None:
        await history.append(conn, *told)
    if row["help"] is not None:
        await _of_help(conn, district, row, asked, minutes, actor, now)
    elif asked.decision == "book" and (earned := time_bank.earning(_claim(row), minutes, actor)):
        await time_ledger.book(conn, district, [_decided(earned, asked)], now)


async def _of_help(
    conn: Connection, district: int, row: Record, asked: Decision, minutes: int, actor: Actor, now: datetime
) -> None:
    request = await help_reserves.of_claim(conn, district, row["id"])
    await time_ledger.lock(conn, district, [request.account, row["volunteer"]])
    if asked.decision == "refuse":
        await help_reserves.close(conn, district, [request], "refused", actor, now)
        return
    spent = help_done.spending(request, _claim(row), minutes, actor)
    done = await help_done.settle(conn, district, request, spent and _decided(spent, asked), now)
    done = msgspec.structs.replace(done, version=request.version + 1)
    told = help_reserves.event(district, uuid4(), done, "confirm_help", actor, now, {"side": "desk"})
    await help_reserves.write(conn, district, done, told)


def _claim(row: Record) -> Claim:
    return Claim(**{name: row[name] for name in Claim.__struct_fields__})


def _decided(transaction: Transaction, asked: Decision) -> Transaction:
    """The transaction as a decision books it: the claim was told of before."""
    return msgspec.structs.replace(
        transaction, version=2, event=asked.id, request=request_digest(asked), reason=asked.reason.strip()
    )


def _refused(
    district: int, row: Record, asked: Decision, actor: Actor, now: datetime
) -> tuple[list[history.Row], list[history.Row]]:
    text, digest = text_row(district, asked.id, 1, {"reason": asked.reason.strip()}, now)
    event = event_row(
        district=district,
        id=asked.id,
        kind="time",
        thing=row["id"],
        version=2,
        event="refuse",
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts={"volunteer": row["volunteer"], "minutes": row["minutes"], "reason_digest": digest},
        request=request_digest(asked),
    )
    return [event], [text]
