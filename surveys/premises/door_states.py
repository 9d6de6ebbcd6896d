"""The state of a door in a round of a campaign: derived from its visits each time it is asked for, never written."""

from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

Every = Literal["once", "month", "quarter", "year"]
DoorState = Literal["not_yet", "not_home", "met", "declined", "closed"]

MONTHS = {"month": 1, "quarter": 3, "year": 12}

# A lateral over the visits of one door: met if any visit met somebody, else what the latest found; how often nobody was
# at home; when the latest and the first were, and the first that met somebody. Without a visit `state` is null. To be
# filled in with the expressions that stand for district, premises, campaign, and the round's begin and end.
STATE_OF = """
  select case when bool_or(v.outcome = 'met') then 'met'
              else (array_agg(v.outcome order by v.started_at desc, v.id desc))[1] end as state,
         count(*) filter (where v.outcome = 'not_home') as tries,
         count(*) as visits,
         max(v.started_at) as visited_at,
         min(v.started_at) as first_at,
         min(v.started_at) filter (where v.outcome = 'met') as met_at
  from visit v
  where v.district = {district} and v.premises = {premises} and v.campaign = {campaign}
    and v.started_at >= {begins} and v.started_at < {ends} and v.withdrawn_at is null
"""


class Round(Struct, frozen=True):
    """One time that every door is to be visited: the whole campaign, or a calendar month, quarter or year of it."""

    number: int  # from 1
    starts_at: datetime
    ends_at: datetime


def round_at(every: Every, starts_at: datetime, ends_at: datetime, zone: ZoneInfo, moment: datetime) -> Round:
    """The round of a campaign that a moment falls in; before the first it is the first, after the last the last."""
    if every == "once":
        return Round(1, starts_at, ends_at)
    months = MONTHS[every]
    last = (ends_at - timedelta(microseconds=1)).astimezone(zone)
    within = min(max(moment, starts_at), last).astimezone(zone)
    at, first = _period(within, months), _period(starts_at.astimezone(zone), months)
    begins, ends = _begin(at, months, zone), _begin(at + 1, months, zone)
    return Round(at - first + 1, max(begins, starts_at), min(ends, ends_at))


def rounds(every: Every, starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> list[Round]:
    """All rounds of a campaign, in order."""
    found = [round_at(every, starts_at, ends_at, zone, starts_at)]
    while found[-1].ends_at < ends_at:
        found.append(round_at(every, starts_at, ends_at, zone, found[-1].ends_at))
    return found


def _period(moment: datetime, months: int) -> int:
    return (moment.year * 12 + moment.month - 1) // months


def _begin(period: int, months: int, zone: ZoneInfo) -> datetime:
    year, month = divmod(period * months, 12)
    return datetime(year, month + 1, 1, tzinfo=zone)
