"""Help that was asked for is taken on by a volunteer of a team, given back, or cancelled."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.history import Actor, request_digest, text_row
from surveys.people.people import Reader
from surveys.people.scopes import refuse_who_reads_nothing
from surveys.refusals import Conflict, Invalid, NotAllowed, NotFound
from surveys.volunteering import help_requests, help_reserves, repeats, standing, time_accounts, time_ledger, time_rules
from surveys.volunteering.help_requests import HelpState, as_it_is
from surveys.volunteering.help_reserves import Request

JOB = Actor("job", "lapse_help")


class HelpNotPossible(Conflict):
    """The request's present state does not know this; `facts` say which it is."""

    code: ClassVar[str] = "help_not_possible"


class NotInTheTeam(Invalid):
    """Help is taken on by a volunteer of the team."""

    code: ClassVar[str] = "not_in_the_team"


class Taking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a volunteer takes help on, for a team that they are in."""

    id: UUID
    expected_version: int
    team: UUID


class Leaving(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """That a request is cancelled, or given back by who took it on."""

    id: UUID
    expected_version: int
    reason: Annotated[str, Meta(max_length=2_000)] = ""


IN_TEAM = """
select exists (select from team_volunteer j join volunteer_team t on t.district = j.district and t.id = j.team
  where j.district = $1 and j.team = $2 and j.volunteer = $3 and j.left_at is null and t.closed_at is null)
"""
PAYER = "select volunteer from time_account where district = $1 and id = $2"


async def take(
    conn: Connection, district: int, volunteer: UUID, request: UUID, asked: Taking, actor: Actor, now: datetime
) -> HelpState:
    """Take on help that is asked for, for a team that the volunteer is in, once. Raises NotFound, StaleVersion,
    HelpNotPossible, NotInTheTeam, and NotAllowed for who would help themselves."""
    if await repeats.asked_before(conn, district, asked.id, asked, actor, request):
        return await as_it_is(conn, district, request)
    row = await help_reserves.locked(conn, district, request, asked.expected_version)
    if row.state != "open":
        raise HelpNotPossible(None, state=row.state)
    if await conn.fetchval(PAYER, district, row.account) == volunteer:
        raise NotAllowed
    if not await conn.fetchval(IN_TEAM, district, asked.team, volunteer):
        raise NotInTheTeam("team")
    taken = changed(row, state="taken", helper=volunteer, team=asked.team)
    facts = {"helper": volunteer, "team": asked.team}
    return await written(conn, district, asked.id, taken, "take_help", actor, now, facts, request_digest(asked))


async def give_back(
    conn: Connection, district: int, volunteer: UUID, request: UUID, asked: Leaving, actor: Actor, now: datetime
) -> HelpState:
    """Give help back that one took on, so that somebody else may; once. Raises NotFound, StaleVersion,
    HelpNotPossible."""
    if await repeats.asked_before(conn, district, asked.id, asked, actor, request):
        return await as_it_is(conn, district, request)
    row = await help_reserves.locked(conn, district, request, asked.expected_version)
    if row.helper != volunteer:
        raise NotFound
    if row.state != "taken":
        raise HelpNotPossible(None, state=row.state)
    left = changed(row, state="open", helper=None, team=None, started_at=None, ended_at=None)
    left = msgspec.structs.replace(left, helper_said_at=None, helped_said_at=None)
    return await written(conn, district, asked.id, left, "leave_help", actor, now, {}, request_digest(asked))


async def cancel(
    conn: Connection, district: int, volunteer: UUID, request: UUID, asked: Leaving, actor: Actor, now: datetime
) -> HelpState:
    """Cancel what one asked for, or one's relative, once; what was set aside is free again. Raises NotFound,
    StaleVersion, and HelpNotPossible once the helper said that it was done."""
    if await repeats.asked_before(conn, district, asked.id, asked, actor, request):
        return await as_it_is(conn, district, request)
    row = await help_reserves.locked(conn, district, request, asked.expected_version)
    if await conn.fetchval(PAYER, district, row.account) != volunteer:
        raise NotFound
    if row.helper_said_at is not None:
        raise HelpNotPossible(None, state=row.state)
    return await _cancelled(conn, district, row, asked, actor, now)


async def cancel_for(conn: Connection, reader: Reader, request: UUID, asked: Leaving, now: datetime) -> HelpState:
    """Cancel at the desk, with a reason, what somebody asked for whom the reader looks after, or what a team of theirs
    took on. Raises NotFound, NotAllowed, StaleVersion, HelpNotPossible, TextUnusable."""
    refuse_who_reads_nothing(reader)
    actor = Actor("member", str(reader.member))
    if await repeats.asked_before(conn, reader.district, asked.id, asked, actor, request):
        return await as_it_is(conn, reader.district, request)
    help_requests.usable(asked.reason, "reason")
    row = await help_reserves.locked(conn, reader.district, request, asked.expected_version)
    await refuse_unfit(conn, reader, row)
    return await _cancelled(conn, reader.district, row, asked, actor, now)


async def _cancelled(
    conn: Connection, district: int, row: Request, asked: Leaving, actor: Actor, now: datetime
) -> HelpState:
    if row.state not in ("open", "taken"):
        raise HelpNotPossible(None, state=row.state)
    await time_ledger.lock(conn, district, [row.account])
    await help_reserves.free(conn, district, row)
    ended = help_reserves.ended_as(row, "cancelled", now)
    digest = request_digest(asked)
    return await written(conn, district, asked.id, ended, "cancel_help", actor, now, {}, digest, asked.reason)


# --- nobody took it on

STALE = f"""
select {help_reserves.COLUMNS} from help_request
where district = $1 and state = 'open' and wanted_at < $2 order by id limit 500 for update skip locked
"""


async def lapse(conn: Connection, district: int, now: datetime) -> int:
    """End requests that nobody took on in time, so that their minutes are free again; how many there were."""
    rules = await time_rules.in_force(conn, district, now)
    rows = await conn.fetch(STALE, district, now - timedelta(days=rules.hold_days))
    await help_reserves.close(conn, district, [Request(**row) for row in rows], "lapsed", JOB, now)
    return len(rows)


# --- as it is written


def changed(row: Request, **values: Any) -> Request:
    """The row of a request after its next change."""
    return msgspec.structs.replace(row, version=row.version + 1, **values)


async def written(
    conn: Connection,
    district: int,
    id_: UUID,
    row: Request,
    what: str,
    actor: Actor,
    now: datetime,
    facts: Mapping[str, object],
    digest: bytes,
    reason: str = "",
) -> HelpState:
    """Write a change of a request, and what the history tells of it."""
    texts = []
    if reason.strip():
        text, reason_digest = text_row(district, id_, 1, {"reason": help_requests.usable(reason, "reason")}, now)
        facts, texts = {**facts, "reason_digest": reason_digest}, [text]
    told = help_reserves.event(district, id_, row, what, actor, now, facts, digest)
    await help_reserves.write(conn, district, row, told, texts)
    return HelpState(id=row.id, version=row.version, state=row.state)


async def refuse_unfit(conn: Connection, reader: Reader, row: Request) -> None:
    """Raises NotAllowed for who is one of the two sides, or does not look after the team that took it on, and NotFound
    for who does not look after those who asked."""
    payer: UUID = await conn.fetchval(PAYER, reader.district, row.account)
    own = await time_accounts.own(conn, reader)
    if own is not None and own in (payer, row.helper):
        raise NotAllowed
    if row.team is not None:
        await standing.refuse_who_does_not_look_after(conn, reader, row.team)
    elif not await time_accounts.looked_after(conn, reader, [payer]):
        raise NotFound
