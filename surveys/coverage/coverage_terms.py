"""What each figure of coverage counts, said once for the figures and for the lists behind them.

surveys/coverage/coverage.md says the same in words."""

from collections.abc import Mapping
from typing import Literal, get_args

Figure = Literal[
    "doors",
    "visited",
    "not_yet",
    "met",
    "not_home",
    "declined",
    "closed",
    "twice",
    "three_tries",  # and neither met nor declined
    "unheld",  # by no member
    "unassigned",  # to no organisation either
    "proposed",
]
FIGURES: tuple[Figure, ...] = get_args(Figure)

# Which doors a figure counts, by the columns of `door`.
COUNTED: Mapping[Figure, str] = {
    "doors": "true",
    "visited": "state <> 'not_yet'",
    "not_yet": "state = 'not_yet'",
    "met": "state = 'met'",
    "not_home": "state = 'not_home'",
    "declined": "state = 'declined'",
    "closed": "state = 'closed'",
    "twice": "visits >= 2",
    "three_tries": "state in ('not_home', 'closed') and tries >= 3",
    "unheld": "member is null",
    "unassigned": "organisation is null",
    "proposed": "true",
}

# The figures that are summed up; the others follow from them.
SUMMED: tuple[Figure, ...] = (
    "doors",
    "visited",
    "met",
    "not_home",
    "declined",
    "closed",
    "twice",
    "three_tries",
    "unheld",
    "unassigned",
)
COUNTS = ", ".join(f"count(*) filter (where {COUNTED[figure]})::int as {figure}" for figure in SUMMED)
# A door counts on the day of its first visit, as met on that of the first that met somebody, and among all on none.
COUNTS_OF_DAY = ", ".join(
    f"count(*) filter (where of <> '{'first' if figure == 'met' else 'met'}' and {COUNTED[figure]})::int as {figure}"
    for figure in SUMMED
)
DAYS = """
cross join lateral (
  select visited_on, 'first' where visited_on is not null
  union all select met_on, 'met' where met_on is not null
  union all select null, 'all'
) as day(value, of)
"""
