"""Requests for help as rows, and the minutes that are set aside for them, so that no balance is spent twice."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.history import Actor, Row, event_row
from surveys.refusals import BalanceTooLow, NotFound, StaleVersion
from surveys.volunteering import time_ledger, time_rules

State = Literal["open", "taken", "held", "booked", "refused", "cancelled", "lapsed"]
WAITING: tuple[State, ...] = ("open", "taken", "held")


class Request(Struct, frozen=True, kw_only=True):
    """A request for help as its row is: `minutes` as it was asked for, `reserved` of them still set aside."""

    id: UUID
    version: int
    account: UUID
    minutes: int
    reserved: int
    state: State
    wanted_at: datetime
    team: UUID | None
    helper: UUID | None
    started_at: datetime | None
    ended_at: datetime | None
    helper_said_at: datetime | None
    helped_said_at: datetime | None
    claim: UUID | None
    closed_at: datetime | None


COLUMNS = ", ".join(Request.__struct_fields__)
LOCK = f"select {COLUMNS} from help_request where district = $1 and id = $2 for update"
OF_CLAIM = f"select {COLUMNS} from help_request where district = $1 and claim = $2 for update"
WRITE = """
update help_request set version = $3, reserved = $4, state = $5, team = $6, helper = $7, started_at = $8, ended_at = $9,
  helper_said_at = $10, helped_said_at = $11, claim = $12, closed_at = $13
where district = $1 and id = $2
"""


async def locked(conn: Connection, district: int, id_: UUID, expected_version: int | None = None) -> Request:
    """A request that nobody else changes before this transaction is over. Raises NotFound and StaleVersion."""
    row = await conn.fetchrow(LOCK, district, id_)
    if row is None:
        raise NotFound
    if expected_version is not None and row["version"] != expected_version:
        raise StaleVersion("expected_version", state=row["state"], version=row["version"])
    return Request(**row)


async def of_claim(conn: Connection, district: int, claim: UUID) -> Request:
    """The locked request whose help a claim tells of."""
    row = await conn.fetchrow(OF_CLAIM, district, claim)
    if row is None:
        raise NotFound
    return Request(**row)


async def write(conn: Connection, district: int, row: Request, told: Row, texts: Sequence[Row] = ()) -> None:
    """Write a request as it has become, and the event that tells of it."""
    await conn.execute(
        WRITE,
        district,
        row.id,
        row.version,
        row.reserved,
        row.state,
        row.team,
        row.helper,
        row.started_at,
        row.ended_at,
        row.helper_said_at,
        row.helped_said_at,
        row.claim,
        row.closed_at,
    )
    await history.append(conn, [told], texts)


def event(
    district: int,
    id_: UUID,
    row: Request,
    what: str,
    actor: Actor,
    now: datetime,
    facts: Mapping[str, object],
    request: bytes | None = None,
) -> Row:
    """What happened to a request, as a row of the history."""
    return event_row(
        district=district,
        id=id_,
        kind="time",
        thing=row.id,
        version=row.version,
        event=what,
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts={"state": row.state, **facts},
        request=request,
    )


# --- setting aside, and freeing

# $4: what the rules allow; what is there already may be less.
RESERVE = """
update time_account set reserved = reserved + $3, lowest = least($4, balance - reserved)
where district = $1 and id = $2
"""
FREE = "update time_account set reserved = reserved - $3 where district = $1 and id = $2"


async def reserve(conn: Connection, district: int, account: UUID, minutes: int, now: datetime) -> None:
    """Set minutes of an account aside. Raises BalanceTooLow, with what could be set aside, and AccountClosed."""
    held = (await time_ledger.lock(conn, district, [account])).get(account)
    if held is None or held.closed_at is not None:
        raise time_ledger.AccountClosed("account")
    rules = await time_rules.in_force(conn, district, now)
    lowest = rules.lowest(held.kind, held.opened_at, now)
    available = max(held.balance - held.reserved - lowest, 0)
    if minutes > available:  # the constraint holds it as well; this says which field, and how many there are
        raise BalanceTooLow("minutes", available=available)
    await conn.execute(RESERVE, district, account, minutes, lowest)


async def free(conn: Connection, district: int, row: Request) -> None:
    """Give back to its account what is set aside for a request."""
    if row.reserved:
        await conn.execute(FREE, district, row.account, row.reserved)


OPEN = f"""
select {COLUMNS} from help_request
where district = $1 and account = any($2::uuid[]) and state in ('open', 'taken') order by id for update
"""
TEXTS = "select id from help_request where district = $1 and account = any($2::uuid[])"


async def cancel_all(conn: Connection, district: int, accounts: Sequence[UUID], actor: Actor, now: datetime) -> None:
    """Cancel what is asked for from these accounts and was not done yet."""
    rows = [Request(**row) for row in await conn.fetch(OPEN, district, list(accounts))]
    await close(conn, district, rows, "cancelled", actor, now)


async def close(
    conn: Connection, district: int, rows: Sequence[Request], state: State, actor: Actor, now: datetime
) -> None:
    """End locked requests that came to nothing, and free what is set aside for them."""
    await time_ledger.lock(conn, district, {row.account for row in rows})
    for row in rows:
        await free(conn, district, row)
        ended = ended_as(row, state, now)
        what = "lapse_help" if state == "lapsed" else "cancel_help"
        await write(
            conn,
            district,
            ended,
            event(district, uuid5(ended.id, f"{what} {ended.version}"), ended, what, actor, now, {}),
        )


def ended_as(row: Request, state: State, now: datetime) -> Request:
    """The row of a request that is over."""
    values = {name: getattr(row, name) for name in Request.__struct_fields__}
    return Request(**{**values, "version": row.version + 1, "state": state, "reserved": 0, "closed_at": now})


async def texts_of(conn: Connection, district: int, accounts: Sequence[UUID]) -> list[UUID]:
    """The requests whose texts tell of what these accounts asked for."""
    return [row["id"] for row in await conn.fetch(TEXTS, district, list(accounts))]
