"""The one query once more, over columns: which rows of a view a reader sees under which filters.

`issue_query` is what is true; a test holds every answer from here to it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from maps import tiles
from maps.tiles import Range
from surveys.counting import issue_query
from surveys.counting.column_numbers import Numbers
from surveys.counting.column_rows import ASKED, CERTAINTIES, CHANNELS, ORIGINS, URGENCIES, mixed
from surveys.counting.issue_query import NO_COMMUNITY, NONE, Filters
from surveys.counting.issue_views import Mask, View, microseconds
from surveys.counting.rate_terms import FACTS, PASSING, TERMS
from surveys.issues.workflow import OPEN, STATES, Group, State
from surveys.people.scopes import PERSONS, Reach

# Those that are answered from columns; a question with any other is asked of the tables.
KNOWN = frozenset(
    {
        "community",
        "street",
        "category",
        "state",
        "group",
        "urgency",
        "owner",
        "department",
        "organisation",
        "channel",
        "offered_to",
        "asked",
        "leader",
        "agent",
        "overdue",
        "waiting",
        "returned",
        "reported_from",
        "reported_to",
        "due_from",
        "due_to",
        "bbox",
        "text",
        "placed",
        "certainty",
        "source",
        "provisional",
        "rate",
        "met",
        "as_of",
        "known_at",
    }
)

GROUPS: tuple[Group, ...] = get_args(Group)
_WORDS = {
    "state": STATES,
    "urgency": URGENCIES,
    "channel": CHANNELS,
    "asked": ASKED,
    "certainty": CERTAINTIES,
    "source": ORIGINS,
}
_GROUP_OF_STATE = np.array(
    [GROUPS.index("other")]
    + [
        GROUPS.index("reported" if state == "reported" else "in_hand")
        if state in OPEN
        else GROUPS.index("solved" if state in ("resolved", "closed") else "other")
        for state in STATES
    ],
    np.uint8,
)
_OPEN_STATES = np.array([False] + [state in OPEN for state in STATES])
_BITS = {fact: 1 << at for at, fact in enumerate(FACTS)}


class Looked(Struct, kw_only=True):
    """What had to be looked up for some filters: the communities of streets, the categories of groups, and the rows
    whose texts have the words."""

    streets: Collection[str] = ()
    categories: Collection[str] = ()
    texts: Mask | None = None  # by the rows of the columns


def can(filters: Filters) -> bool:
    """Whether columns have all that these filters ask for."""
    default = Filters()
    return all(name in KNOWN or getattr(filters, name) == getattr(default, name) for name in Filters.__struct_fields__)


def cells(filters: Filters) -> list[Range] | None:
    """The cells that a box holds; None without one."""
    return tiles.covering(filters.bbox, max_ranges=16) if filters.bbox is not None else None


def open_states(view: View) -> Mask:
    """Which are open."""
    chosen: Mask = _OPEN_STATES[view["state"]]
    return chosen


def overdue(view: View) -> Mask:
    """Which are open and past their limit."""
    late: Mask = view["late_from"] < view.at
    late &= open_states(view)
    return late


def groups(view: View, keep: Mask | None = None) -> npt.NDArray[np.uint8]:
    """The map group of each row, as its place in GROUPS; of those kept, where they are named."""
    state, late = (view[name] if keep is None else view[name][keep] for name in ("state", "late_from"))
    found: npt.NDArray[np.uint8] = _GROUP_OF_STATE[state]
    found[(found < 2) & (late < view.at)] = GROUPS.index("overdue")
    return found


class _Kept:
    """The rows that are still kept, condition by condition, each of which is an array of its own."""

    def __init__(self, mask: Mask | None) -> None:
        self.mask = mask

    def only(self, condition: Mask) -> None:
        if self.mask is None:
            self.mask = condition
        else:
            self.mask &= condition


def mask(
    view: View, numbers: dict[str, Numbers], filters: Filters, within: Reach, looked: Looked, zone: ZoneInfo
) -> Mask | None:
    """Which rows of the view the reader sees under the filters; None for all of them."""
    kept = _Kept(view.living())
    _where(kept, view, filters)
    _what(kept, view, numbers, filters, looked)
    _in_whose_hands(kept, view, numbers, filters)
    _how_it_stands(kept, view, filters)
    _counted(kept, view, filters)
    _when(kept, view, filters, zone)
    if not within.district:
        kept.only(_reached(view, numbers, within))
    if looked.texts is not None:
        kept.only(looked.texts[view.rows()])
    return kept.mask


def _where(kept: _Kept, view: View, filters: Filters) -> None:
    if filters.placed is not None:
        kept.only(view["cell"] >= 0 if filters.placed else view["cell"] < 0)
    if filters.bbox is not None:
        inside = view["cell"] >= 0
        for name, least, most in (("lon", *filters.bbox[::2]), ("lat", *filters.bbox[1::2])):
            degrees = view[name]
            if len(degrees) and not least <= degrees.min() <= degrees.max() <= most:
                inside &= (degrees >= least) & (degrees <= most)
        kept.only(inside)


def _what(kept: _Kept, view: View, numbers: dict[str, Numbers], filters: Filters, looked: Looked) -> None:
    for name, words in _WORDS.items():
        if values := getattr(filters, name):
            chosen = np.array([False] + [word in values for word in words])
            kept.only(chosen[view[name]])
    if filters.community:
        none = NO_COMMUNITY in filters.community
        kept.only(numbers["community"].table(filters.community, none=none)[view["community"]])
    if filters.street:
        kept.only(numbers["community"].table(looked.streets, none=NONE in filters.street)[view["community"]])
    if filters.category:
        kept.only(numbers["category"].table(looked.categories)[view["category"]])
    if filters.group:
        chosen = np.array([group in filters.group for group in GROUPS])
        kept.only(chosen[groups(view)])
    if filters.overdue is not None:
        kept.only(overdue(view) if filters.overdue else ~overdue(view))


def _in_whose_hands(kept: _Kept, view: View, numbers: dict[str, Numbers], filters: Filters) -> None:
    for name in ("owner", "offered_to", "leader", "agent"):
        if members := getattr(filters, name):
            kept.only(_is_one_of(view[name], numbers["person"].of(members)))
    if filters.department:
        none = NONE in filters.department
        kept.only(numbers["department"].table(filters.department, none=none)[view["department"]])
    if filters.organisation:
        none = None in filters.organisation
        kept.only(numbers["organisation"].table(filters.organisation, none=none)[view["organisation"]])


def _how_it_stands(kept: _Kept, view: View, filters: Filters) -> None:
    if filters.waiting is not None:
        assigned = (view["state"] == _number("assigned")) | (view["state"] == _number("in_progress"))
        for_others = (view["department"] != 0) & assigned | (view["offered_to"] != 0) | (view["asked"] != 0)
        waiting = open_states(view) & (for_others | (view["state"] == _number("paused")))
        kept.only(waiting if filters.waiting else ~waiting)
    if filters.returned is not None:
        came_back = view["outcome"] & (_BITS["returned"] | _BITS["reopened"]) != 0
        in_hands = (view["state"] == _number("accepted")) & (view["offered_to"] == 0)
        kept.only(came_back & in_hands if filters.returned else ~(came_back & in_hands))


def _number(state: State) -> int:
    return STATES.index(state) + 1


def _is_one_of(column: Any, numbers: list[int]) -> Mask:
    if len(numbers) == 1:
        one: Mask = column == numbers[0]
        return one
    return np.isin(column, numbers)


def _counted(kept: _Kept, view: View, filters: Filters) -> None:
    if filters.rate is None:
        return
    terms = TERMS[filters.rate]
    kept.only(has(view, terms.denominator))
    if filters.met is not None:
        met = has(view, terms.numerator[-1:])
        kept.only(met if filters.met else ~met)


def has(view: View, facts: tuple[str, ...]) -> Mask:
    """Which rows have all of these facts."""
    bits = sum(_BITS[fact] for fact in facts if fact in FACTS)
    found: Mask = view["outcome"] & bits == bits
    for fact in facts:
        if fact in PASSING:
            found &= passing(view, fact)
    return found


def passing(view: View, fact: str) -> Mask:
    """Which rows have a fact that depends on the moment."""
    if fact == "response_over":
        over: Mask = view["response_due_at"] < view.at
        return over
    due: Mask = view["outcome"] & _BITS["resolved"] != 0
    return due | overdue(view)


def _when(kept: _Kept, view: View, filters: Filters, zone: ZoneInfo) -> None:
    if filters.reported_from is not None:
        kept.only(view["reported_at"] >= _at(issue_query.start_of(filters.reported_from, zone, "reported_from")))
    if filters.reported_to is not None:
        kept.only(view["reported_at"] < _at(issue_query.end_of(filters.reported_to, zone, "reported_to")))
    if filters.due_from is not None:
        kept.only(view["due_at"] >= _at(issue_query.start_of(filters.due_from, zone, "due_from")))
    if filters.due_to is not None:
        kept.only(view["due_at"] < _at(issue_query.end_of(filters.due_to, zone, "due_to")))
    if filters.provisional is not None:
        kept.only(view["provisional"] == int(filters.provisional))


def _at(moment: datetime) -> int:
    return microseconds(moment)


def _reached(view: View, numbers: dict[str, Numbers], within: Reach) -> Mask:
    """What `Reach.condition` says of issues."""
    me = numbers["person"].of([within.reader.member])
    reached = np.zeros(len(view), np.bool_)
    if me:
        for name in PERSONS:
            reached |= view[name] == me[0]
    if within.communities:
        reached |= numbers["community"].table(within.communities)[view["community"]]
    if within.departments:
        reached |= numbers["department"].table(within.departments)[view["department"]]
        asked = [one for one in numbers["consulted"].values[1:] if set(one) & set(within.departments)]
        reached |= numbers["consulted"].table(asked)[view["consulted"]]
    if within.organisations:
        reached |= numbers["organisation"].table(within.organisations)[view["organisation"]]
    if within.premises:
        high = np.array([door.int >> 64 for door in within.premises], np.uint64)
        low = np.array([door.int % 2**64 for door in within.premises], np.uint64)
        reached |= np.isin(view["premises"], mixed(high, low))
    return reached
