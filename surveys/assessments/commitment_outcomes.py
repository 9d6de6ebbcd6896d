"""What became of a commitment at a moment, as known at another: the one query that lists, figures and pages ask.

Nothing of it is stored. Withdrawn is what was taken back. What was reported done waits until a leader has said whether
it was kept; it is broken when the leader's newest word is that it was not, or when more of the people concerned say
that it was not than that it was; else it is kept. What was not reported done is overdue once its day is over, and
broken when a leader says so. It is late when it was done after its day, or that day is over and it is not done."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, get_args

Outcome = Literal["proposed", "returned", "standing", "overdue", "waiting", "kept", "broken", "withdrawn"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

LEAST_TOLD = 5  # ratings of residents from which their number and mean are told in public

# A commitment with what its raters say; of each the newest rating holds, and of leaders the newest of all.
_JUDGED = """
select c.*, l.kept as leader_kept, l.stars as leader_stars, s.kept as self_kept, s.stars as self_stars,
       p.kept as people_kept, p.not_kept as people_not_kept, p.stars as people_stars,
       c.approved_at is not null and c.approved_at <= {at} as in_public,
       coalesce(c.withdrawn_at <= {at}, false) as taken_back,
       coalesce(c.done_at <= {at} and c.done_recorded_at <= {known}, false) as is_done
from commitment c
left join lateral (
  select r.kept, r.stars from commitment_rating r
  where r.district = c.district and r.commitment = c.id and r.rated_by = 'leader' and r.rated_at <= {at}
    and r.recorded_at <= {known}
  order by r.rated_at desc, r.id desc limit 1
) l on true
left join lateral (
  select r.kept, r.stars from commitment_rating r
  where r.district = c.district and r.commitment = c.id and r.rated_by = 'self' and r.rated_at <= {at}
    and r.recorded_at <= {known}
  order by r.rated_at desc, r.id desc limit 1
) s on true
cross join lateral (
  select count(*) filter (where kept) as kept, count(*) filter (where not kept) as not_kept, sum(stars) as stars
  from (
    select distinct on (r.rater) r.kept, r.stars from commitment_rating r
    where r.district = c.district and r.commitment = c.id and r.rated_by = 'people' and r.rated_at <= {at}
      and r.recorded_at <= {known}
    order by r.rater, r.rated_at desc, r.id desc
  ) newest
) p
where c.district = $1 and c.proposed_at <= {at} and ({which})
"""

_OUTCOME = """
case when taken_back then 'withdrawn'
     when not in_public then case when state = 'returned' then 'returned' else 'proposed' end
     when leader_kept is false or (is_done and people_not_kept > people_kept) then 'broken'
     when is_done and leader_kept then 'kept'
     when is_done then 'waiting'
     when due_at <= {at} then 'overdue'
     else 'standing' end
"""


def query(parameter: Callable[[Any], str], at: datetime, known_at: datetime, which: str = "true") -> str:
    """An SQL text `outcomes as (…)` for a `with`: commitments of district $1 as they were at a moment, with `outcome`
    and `late`. `parameter` adds a value and returns what stands for it; `which` is a condition on `c`, the table."""
    moments = {"at": f"{parameter(at)}::timestamptz", "known": f"{parameter(known_at)}::timestamptz"}
    judged = _JUDGED.format(**moments, which=which)
    outcome = _OUTCOME.format(**moments)
    late = "in_public and not taken_back and case when is_done then done_at > due_at else due_at <= {at} end"
    return f"""judged as materialized ({judged}),
outcomes as (select *, {outcome} as outcome, {late.format(**moments)} as late from judged)"""
