"""How far the numbers of a map can be trusted: what has no certain place, and when the history was last verified."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.counting import issue_counts
from surveys.counting.issue_query import Filters, moment
from surveys.issues.placing import Certainty
from surveys.people.people import Reader

CERTAINTIES: tuple[Certainty, ...] = ("unplaced", "near_line", "outside")  # that leave something open
NOBODY = UUID(int=0)  # the id of no issue


class Trust(Struct, frozen=True, kw_only=True):
    """Of all issues that are asked about: how many have no place, lie closer to a line than they were measured and are
    provisionally in their community, or lie in no community, and how many are due in a year whose holidays are not
    known; and the last verification of the history, if there was one, with what it found."""

    issues: int
    unplaced: int
    near_line: int
    outside: int
    provisional: int
    verified_at: datetime | None
    holds: bool | None
    at: datetime


# The daily job verifies the history, and so does every backup that is tried out.
VERIFIED = """
select at, holds from (
  select started_at as at, not facts ? 'broken' as holds from job_run
  where district = $1 and job = 'verify_history' and outcome = 'done'
  union all
  select recorded_at, (facts ->> 'history_verified')::boolean from history
  where district = $1 and kind = 'installation' and event = 'backed_up' and (facts ->> 'verified')::boolean
) verified
where at <= $2 order by at desc limit 1
"""


async def of(conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime) -> Trust:
    """How far the numbers under these filters can be trusted. Raises InvalidFilter and NotAllowed."""
    asked = [filters, *(_only(filters, certainty) for certainty in CERTAINTIES), _provisional(filters)]
    issues, *uncertain, provisional = await issue_counts.totals(conn, reader, asked, zone, now)
    verified = await conn.fetchrow(VERIFIED, reader.district, now)
    return Trust(
        issues=issues,
        **dict(zip(CERTAINTIES, uncertain, strict=True)),
        provisional=provisional,
        verified_at=verified["at"] if verified else None,
        holds=verified["holds"] if verified else None,
        at=moment(filters, zone, now).at,
    )


def _only(filters: Filters, certainty: Certainty) -> Filters:
    """Those of the issues that are placed with this certainty: none, where the filters ask for others alone."""
    if filters.certainty and certainty not in filters.certainty:
        return msgspec.structs.replace(filters, id=(NOBODY,))
    return msgspec.structs.replace(filters, certainty=(certainty,))


def _provisional(filters: Filters) -> Filters:
    if filters.provisional is False:
        return msgspec.structs.replace(filters, id=(NOBODY,))
    return msgspec.structs.replace(filters, provisional=True)
