"""Points: what the rules give for each deed of a month, and so for each volunteer.

Counted by one question over all deeds, in whole hundredths; nothing is kept of it but boards that were published. The
same month, day, moment of knowing and rules give the same points for ever. points.md tells the rules."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys.reports.report_periods import Period
from surveys.volunteering import points_rules
from surveys.volunteering.deeds import DEEDS
from surveys.volunteering.points_rules import Numbers, Rules


class Question(Struct, frozen=True, kw_only=True):
    """The points of a month: of what took place until the end of a day, by what was known at a moment."""

    district: int
    month: date
    as_of: date
    known_at: datetime
    rules: Rules
    zone: ZoneInfo

    @property
    def begins(self) -> datetime:
        return Period(self.month, "month").begins(self.zone)

    @property
    def ends(self) -> datetime:
        """The end of the day, or of the month, whichever comes first."""
        last = min(self.as_of, Period(self.month, "month").last)
        return datetime.combine(last + timedelta(days=1), time(), self.zone)


class Person(Struct, frozen=True, kw_only=True):
    """What a volunteer has, in hundredths of a point; those who have as many share a place."""

    volunteer: UUID
    place: int
    points: int
    deeds: int
    minutes: int
    helped: int


class Reason(Struct, frozen=True, kw_only=True):
    """What one deed gave, in hundredths: for its time, for those helped, by its kind, by what those said who came, and
    what was over the month's cap; `points` is the sum of these."""

    id: UUID
    volunteer: UUID
    service: UUID | None  # None of help that somebody asked for
    team: UUID | None
    title: str | None  # of the service, while it has one
    kind: str
    happened_at: datetime
    minutes: int
    helped: int
    answers: int
    stars: int | None
    time: int
    effect: int
    by_kind: int
    by_satisfaction: int
    over_cap: int
    points: int


# Every amount is at least 0, so that whole numbers are divided as points.md says: half a hundredth rounds up. Of one
# day, and of one month, what comes first counts first.
COUNTED = f"""
with deed as ({DEEDS}),
timed as (
  select d.*, (2 * d.minutes * $6::bigint + $7::bigint) / (2 * $7::bigint) as of_time,
    least((2 * d.helped * $9::bigint + $10::bigint) / (2 * $10::bigint), $11::bigint) as effect,
    coalesce(k.weight, 100) as weight,
    case when $12::text <> '' and d.answers >= $13::bigint
      then (2 * d.satisfaction + d.answers) / (2 * d.answers) end as stars
  from deed d
  left join unnest($15::text[], $16::bigint[]) k(kind, weight) on k.kind = d.kind
),
days as (
  select *, sum(of_time) over (partition by volunteer, (happened_at at time zone $5)::date
                               order by happened_at, id)::bigint as by_then
  from timed
),
based as (
  select *, least(by_then, $8::bigint) - least(by_then - of_time, $8::bigint) as time from days
),
weighted as (
  select *, (2 * (time + effect) * weight + 100) / 200 as by_then_kind,
    ($14::bigint[])[stars] as star
  from based
),
satisfied as (
  select *, case when stars is null then by_then_kind
                 when $12::text = 'factor' then (2 * by_then_kind * star + 100) / 200
                 else by_then_kind + star end as all_of_it
  from weighted
),
months as (
  select *, sum(all_of_it) over (partition by volunteer order by happened_at, id)::bigint as sum_by_then from satisfied
),
counted as (
  select *, least(sum_by_then, $17::bigint) - least(sum_by_then - all_of_it, $17::bigint) as points from months
)
"""
OF_PEOPLE = f"""
{COUNTED}
select volunteer, rank() over (order by sum(points) desc)::integer as place, sum(points)::bigint as points,
  count(*)::integer as deeds, sum(minutes)::bigint as minutes, sum(helped)::bigint as helped
from counted group by volunteer having sum(points) > 0 order by place, volunteer
"""
REASONS = f"""
{COUNTED}
select c.id, c.volunteer, c.service, c.team, t.body->>'title' as title, c.kind, c.happened_at, c.minutes, c.helped,
  c.answers, c.stars, c.time, c.effect, c.by_then_kind - c.time - c.effect as by_kind,
  c.all_of_it - c.by_then_kind as by_satisfaction, c.points - c.all_of_it as over_cap, c.points
from counted c
left join service s on s.district = $1 and s.id = c.service
left join text_version t on t.district = $1 and t.subject = s.id and t.version = s.text_version
where c.volunteer = any($18::uuid[]) order by c.happened_at, c.id
"""


def _asked(question: Question, rules: Numbers) -> Sequence[object]:
    return (
        question.district,
        question.begins,
        question.ends,
        question.known_at,
        str(question.zone),
        rules.time_points,
        rules.per_minutes,
        rules.day_cap,
        rules.effect_points,
        rules.per_people,
        rules.effect_cap,
        rules.way,
        rules.least_answers,
        list(rules.stars),
        list(rules.kinds),
        list(rules.kinds.values()),
        rules.month_cap,
    )


async def of_people(conn: Connection, question: Question) -> list[Person]:
    """Everybody who has points, the most first. Raises what `points_rules.numbers` raises."""
    asked = _asked(question, points_rules.numbers(question.rules))
    return [Person(**row) for row in await conn.fetch(OF_PEOPLE, *asked)]


async def reasons(conn: Connection, question: Question, volunteers: Sequence[UUID]) -> list[Reason]:
    """What each deed of these volunteers gave, in the order in which they took place: the sum is what they have."""
    asked = _asked(question, points_rules.numbers(question.rules))
    return [Reason(**row) for row in await conn.fetch(REASONS, *asked, list(volunteers))]
