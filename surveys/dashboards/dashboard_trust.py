"""How far the numbers of a dashboard can be trusted: what has no certain place, whose due time is provisional, what
others had kept before, and since when the history is sealed and verified."""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import history_seals
from surveys.counting import issue_counts
from surveys.counting.issue_query import Filters
from surveys.history_seals import Head
from surveys.people.people import Reader


class Counted(Struct, frozen=True):
    """How many issues a list shows under these filters."""

    count: int
    filters: Filters


class Verified(Struct, frozen=True, kw_only=True):
    """When the history was last held to its seals, and whether it held; `since` is when the first seal was made."""

    at: datetime
    holds: bool
    since: datetime | None


class Trust(Struct, frozen=True, kw_only=True):
    """Of all that was reported in the period how many have no place, or one that is uncertain, and how many came out of
    a ledger; and how many open issues are due at a time that may still change."""

    reported: Counted
    unplaced: Counted
    near_line: Counted
    outside: Counted
    imported: Counted
    provisional: Counted
    seal: Head | None
    verified: Verified | None


VERIFIED = """
select r.started_at as at, not r.facts ? 'broken' as holds,
  (select s.sealed_at from history_seal s where s.district = $1 order by s.number limit 1) as since
from job_run r where r.district = $1 and r.job = 'verify_history' and r.outcome = 'done' and r.started_at <= $2
order by r.started_at desc limit 1
"""


async def of(
    conn: Connection, reader: Reader, filters: Filters, scope: Filters, zone: ZoneInfo, now: datetime
) -> Trust:
    """How far the numbers under the filters of a period can be trusted, and those of all that is open in its scope."""

    places = {one.key: one.total for one in await issue_counts.by(conn, reader, filters, "certainty", zone, now)}
    origins = {one.key: one.total for one in await issue_counts.by(conn, reader, filters, "source", zone, now)}
    replace = msgspec.structs.replace
    changing = replace(scope, group=("reported", "in_hand", "overdue"), provisional=True)
    seal, verified = await history_of(conn, reader.district, now)
    return Trust(
        reported=Counted(sum(places.values()), filters),
        unplaced=Counted(places.get("unplaced", 0), replace(filters, certainty=("unplaced",))),
        near_line=Counted(places.get("near_line", 0), replace(filters, certainty=("near_line",))),
        outside=Counted(places.get("outside", 0), replace(filters, certainty=("outside",))),
        imported=Counted(origins.get("ledger", 0), replace(filters, source=("ledger",))),
        provisional=Counted(await issue_counts.total(conn, reader, changing, zone, now), changing),
        seal=seal,
        verified=verified,
    )


async def history_of(conn: Connection, district: int, now: datetime) -> tuple[Head | None, Verified | None]:
    """The last seal of a district's history, and when that was last held to its seals."""
    row = await conn.fetchrow(VERIFIED, district, now)
    return await history_seals.head(conn, district), Verified(**row) if row else None
