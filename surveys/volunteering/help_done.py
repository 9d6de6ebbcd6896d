"""Help that was given: said by both sides, or confirmed by who looks after the helper's team; then the minutes go from
who was helped to who helped."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.history import Actor, request_digest
from surveys.people.people import Reader
from surveys.people.scopes import refuse_who_reads_nothing
from surveys.refusals import NotFound, TimeInFuture, TimesReversed
from surveys.volunteering import help_reserves, repeats, time_claims, time_ledger
from surveys.volunteering.help_requests import HelpState, Moment, as_it_is
from surveys.volunteering.help_reserves import Request
from surveys.volunteering.help_taking import PAYER, HelpNotPossible, changed, refuse_unfit, written
from surveys.volunteering.time_claims import Claim
from surveys.volunteering.time_ledger import Line, Transaction

LONGEST = timedelta(days=2)  # that help can be said to have taken; what the rules find too long is held


class Saying(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That help was given, from when to when. Who says other times than the other side asks them again."""

    id: UUID
    expected_version: int
    started_at: Moment
    ended_at: Moment


async def say(
    conn: Connection, district: int, volunteer: UUID, request: UUID, asked: Saying, actor: Actor, now: datetime
) -> HelpState:
    """Say that help was given, as who helped or who was helped; when both say the same it is booked, or held.

    Raises NotFound for anybody else, StaleVersion, HelpNotPossible, TimesReversed, TimeInFuture, BalanceTooLow."""
    if await repeats.asked_before(conn, district, asked.id, asked, actor, request):
        return await as_it_is(conn, district, request)
    row = await help_reserves.locked(conn, district, request, asked.expected_version)
    helper, payer = row.helper == volunteer, await conn.fetchval(PAYER, district, row.account) == volunteer
    if not (helper or payer):
        raise NotFound
    _refuse_wrong(row, asked, now)
    same = (row.started_at, row.ended_at) == (asked.started_at, asked.ended_at)
    said = changed(row, started_at=asked.started_at, ended_at=asked.ended_at)
    said = msgspec.structs.replace(
        said,
        helper_said_at=now if helper else row.helper_said_at if same else None,
        helped_said_at=now if payer else row.helped_said_at if same else None,
    )
    if said.helper_said_at is not None and said.helped_said_at is not None:
        said = await _book(conn, district, said, asked.id, actor, now)
    facts = {"started_at": said.started_at, "ended_at": said.ended_at, "side": "helper" if helper else "helped"}
    return await written(conn, district, asked.id, said, "say_help", actor, now, facts, request_digest(asked))


async def confirm(conn: Connection, reader: Reader, request: UUID, asked: Saying, now: datetime) -> HelpState:
    """Confirm help for both sides, as who looks after the helper's team. Raises NotFound, NotAllowed for one of the two
    sides, and what `say` raises."""
    refuse_who_reads_nothing(reader)
    actor, district = Actor("member", str(reader.member)), reader.district
    if await repeats.asked_before(conn, district, asked.id, asked, actor, request):
        return await as_it_is(conn, district, request)
    row = await help_reserves.locked(conn, district, request, asked.expected_version)
    _refuse_wrong(row, asked, now)
    await refuse_unfit(conn, reader, row)
    said = changed(row, started_at=asked.started_at, ended_at=asked.ended_at)
    said = await _book(conn, district, said, asked.id, actor, now)
    facts = {"started_at": said.started_at, "ended_at": said.ended_at, "side": "leader"}
    return await written(conn, district, asked.id, said, "confirm_help", actor, now, facts, request_digest(asked))


def _refuse_wrong(row: Request, asked: Saying, now: datetime) -> None:
    if row.state != "taken":
        raise HelpNotPossible(None, state=row.state)
    if not timedelta(0) < asked.ended_at - asked.started_at <= LONGEST:
        raise TimesReversed("ended_at")
    if asked.ended_at > now:
        raise TimeInFuture("ended_at")


async def _book(conn: Connection, district: int, row: Request, claimed: UUID, actor: Actor, now: datetime) -> Request:
    """Book what both sides say, or hold it for a person; until then the minutes stay set aside."""
    if row.helper is None or row.started_at is None or row.ended_at is None:
        raise HelpNotPossible(None, state=row.state)
    claim = Claim(id=claimed, volunteer=row.helper, starts_at=row.started_at, ends_at=row.ended_at, help=row.id)
    await time_claims.open_accounts(conn, district, [row.helper], now)
    await time_ledger.lock(conn, district, [row.helper, row.account])
    (weighed,) = await time_claims.record(conn, district, [claim], actor, now)
    row = msgspec.structs.replace(row, claim=claim.id)
    if weighed.state != "booked":
        return msgspec.structs.replace(row, state="held")
    return await settle(conn, district, row, spending(row, claim, weighed.minutes, actor), now)


def spending(row: Request, claim: Claim, minutes: int, actor: Actor) -> Transaction | None:
    """The transaction by which minutes go from who was helped to who helped; None for less than the rules round to
    anything."""
    if minutes == 0:
        return None
    return Transaction(
        id=claim.id,
        kind="spend",
        minutes=minutes,
        lines=(Line(minutes=-minutes, account=row.account), Line(minutes=minutes, account=claim.volunteer)),
        happened_at=claim.ends_at,
        request=request_digest(claim),
        actor=actor,
        volunteer=claim.volunteer,
        served=minutes,
        help=row.id,
    )


async def settle(conn: Connection, district: int, row: Request, spent: Transaction | None, now: datetime) -> Request:
    """Free what was set aside, and spend what the help took; the row is to be written yet. Raises BalanceTooLow."""
    await help_reserves.free(conn, district, row)
    await time_ledger.book(conn, district, [spent] if spent else [], now)
    return msgspec.structs.replace(row, state="booked", reserved=0, closed_at=now)
