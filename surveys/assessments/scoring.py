"""From ratings and facts to per cent: pure, exact, and the same in whatever order the ratings come.

Everything travels as ten-thousandths: points of a point, shares and percentages of a per cent (all of it is 1,000,000).
An item's share is rounded half up to one of them; headings and the total are rounded half up to two digits of a per
cent, from the items' shares and nothing in between. The rules are told in instruments.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import lcm

from msgspec import Struct

from surveys.assessments.instruments import GROUPS, FactCode, Group, Instrument, Item

FINE = 10_000  # one point, or one per cent
WHOLE = 100 * FINE  # all of it
TWO_DIGITS = 100

Points = Sequence[int | None]  # ten-thousandths of a point, by item; None where nothing was said
# Visits and hours as they are, the others in per cent; a fraction is taken as exactly as it is.
Facts = Mapping[FactCode, Fraction | Decimal | int | None]


Decided = Mapping[str, int]  # ten-thousandths of a point by the codes of items, as an appeal decided
NOTHING_DECIDED: Decided = {}


class PlannedItem(Struct, frozen=True):
    """An item in whole ten-thousandths, ready to be scored."""

    weight: int
    maximum: int
    groups: tuple[int, ...]  # places in GROUPS
    fact: FactCode | None
    fact_share: int
    steps: tuple[tuple[int, int], ...]  # least value and share, the highest first
    bounds: tuple[int, int] | None  # of the value: from and to


class Plan(Struct, frozen=True):
    """An instrument made ready once, to score many subjects by."""

    instrument: Instrument
    items: tuple[PlannedItem, ...]
    weights: tuple[int, ...]  # of the groups; 0 where there is no such group
    least: tuple[int, ...]
    headings: tuple[tuple[int, ...], ...]  # places of each heading's items
    zero: bool  # whether an item for which nobody counts is nought


class Tally(Struct, frozen=True):
    """How many of a group said something of each item, and the sum of their points."""

    counts: Sequence[int]
    sums: Sequence[int]


class Result(Struct, frozen=True, kw_only=True):
    """What a subject reached; None where nothing could be rated."""

    percent: int | None  # to two digits
    headings: tuple[int | None, ...]  # likewise, in the order of the instrument's headings
    items: tuple[int | None, ...]  # the share of each item's maximum
    by_facts: tuple[int | None, ...]  # what the fact alone gives
    tallies: tuple[Tally | None, ...]  # by the places in GROUPS


def plan(instrument: Instrument) -> Plan:
    """Make an instrument ready."""
    places: dict[str, list[int]] = {heading.code: [] for heading in instrument.headings}
    for place, item in enumerate(instrument.items):
        places[item.heading].append(place)
    groups = [instrument.groups.get(group) for group in GROUPS]
    return Plan(
        instrument=instrument,
        items=tuple(_planned(item) for item in instrument.items),
        weights=tuple(int(group.weight * FINE) if group else 0 for group in groups),
        least=tuple(group.least if group else 1 for group in groups),
        headings=tuple(tuple(places[heading.code]) for heading in instrument.headings),
        zero=instrument.rules.unrated == "zero",
    )


def _planned(item: Item) -> PlannedItem:
    bounds = None
    if item.fact_from is not None and item.fact_to is not None:
        bounds = (int(item.fact_from * FINE), int(item.fact_to * FINE))
    return PlannedItem(
        weight=int(item.weight * FINE),
        maximum=int(item.maximum * FINE),
        groups=tuple(GROUPS.index(group) for group in item.raters),
        fact=item.fact,
        fact_share=int(item.fact_share * FINE) if item.raters else WHOLE,
        steps=tuple((int(step.least * FINE), int(step.percent * FINE)) for step in item.fact_steps),
        bounds=bounds,
    )


def score(planned: Plan, ratings: Iterable[tuple[Group, Points]], facts: Facts) -> Result:
    """What a subject reached by these ratings and facts, in whatever order they come."""
    return score_tallies(planned, tally(ratings), facts)


def tally(ratings: Iterable[tuple[Group, Points]]) -> tuple[Tally | None, ...]:
    """The ratings added up by group and item; None for a group of which nobody rated."""
    by_group: dict[Group, list[Points]] = {}
    for group, points in ratings:
        by_group.setdefault(group, []).append(points)
    return tuple(_tallied(by_group[group]) if group in by_group else None for group in GROUPS)


def _tallied(rows: Sequence[Points]) -> Tally:
    counts, sums = [], []
    for column in zip(*rows, strict=True):
        if None in column:
            said = [points for points in column if points is not None]
            counts.append(len(said))
            sums.append(sum(said))
        else:
            counts.append(len(column))
            sums.append(sum(column))
    return Tally(counts, sums)


def score_tallies(
    planned: Plan, tallies: tuple[Tally | None, ...], facts: Facts, decided: Decided = NOTHING_DECIDED
) -> Result:
    """What a subject reached by ratings that were added up; of an item that was decided about, that holds instead."""
    values = {code: value.as_integer_ratio() for code, value in facts.items() if value is not None}
    by_facts = tuple(_by_fact(item, values) for item in planned.items)
    items = tuple(
        _share(planned, tallies, place, item, by_fact)
        for place, (item, by_fact) in enumerate(zip(planned.items, by_facts, strict=True))
    )
    if decided:
        items = _with_decided(planned, items, decided)
    sums = [_heading(planned, places, items) for places in planned.headings]
    return Result(
        percent=_total(sums),
        headings=tuple(_two_digits(got, counted) if counted else None for got, counted, _ in sums),
        items=items,
        by_facts=by_facts,
        tallies=tallies,
    )


def _with_decided(planned: Plan, items: tuple[int | None, ...], decided: Decided) -> tuple[int | None, ...]:
    return tuple(
        half_up(decided[item.code] * WHOLE, own.maximum) if item.code in decided else share
        for item, own, share in zip(planned.instrument.items, planned.items, items, strict=True)
    )


def _by_fact(item: PlannedItem, values: Mapping[FactCode, tuple[int, int]]) -> int | None:
    """The share that a fact gives; None without one."""
    value = values.get(item.fact) if item.fact else None
    if value is None:
        return None
    count, of = value
    if item.bounds:
        low, high = item.bounds
        reached = min(max(count * FINE - low * of, 0), (high - low) * of)
        return half_up(reached * WHOLE, (high - low) * of)
    return next((share for least, share in item.steps if count * FINE >= least * of), 0)


def _share(
    planned: Plan, tallies: tuple[Tally | None, ...], place: int, item: PlannedItem, by_fact: int | None
) -> int | None:
    """An item's share: its groups by their weights, each only with enough raters, and its fact."""
    weight, common = 0, 1
    counted = []
    for group in item.groups:
        tallied = tallies[group]
        if tallied is not None and (count := tallied.counts[place]) and count >= planned.least[group]:
            counted.append((planned.weights[group], tallied.sums[place], count))
            weight += planned.weights[group]
            if count != 1:
                common = lcm(common, count)
    if not weight:
        return by_fact if by_fact is not None else 0 if planned.zero else None
    got = 0
    for own, points, count in counted:
        got += own * points * (common // count)
    whole = weight * common * item.maximum
    if by_fact is None:
        return (2 * got * WHOLE + whole) // (2 * whole)
    return half_up(item.fact_share * by_fact * whole + (WHOLE - item.fact_share) * got * WHOLE, WHOLE * whole)


def _heading(planned: Plan, places: Sequence[int], items: Sequence[int | None]) -> tuple[int, int, int]:
    """What a heading's items reached by their weights, the weight of those that count, and of all."""
    got = counted = weight = 0
    for place in places:
        own, share = planned.items[place].weight, items[place]
        weight += own
        if share is not None:
            got += own * share
            counted += own
    return got, counted, weight


def _total(sums: Sequence[tuple[int, int, int]]) -> int | None:
    """The headings by their weights; the weight of one that nobody rated goes to the others."""
    rated = [(got, counted, weight) for got, counted, weight in sums if counted]
    if not rated:
        return None
    common = lcm(*(counted for _, counted, _ in rated))
    got = sum(weight * got * (common // counted) for got, counted, weight in rated)
    return _two_digits(got, common * sum(weight for _, _, weight in rated))


def half_up(numerator: int, denominator: int) -> int:
    """A quotient of what is not negative, to the nearest whole number."""
    return (2 * numerator + denominator) // (2 * denominator)


def _two_digits(numerator: int, denominator: int) -> int:
    """Likewise, to the nearest hundredth of a per cent."""
    return half_up(numerator, denominator * TWO_DIGITS) * TWO_DIGITS


def item_points(planned: Plan, result: Result) -> list[int | None]:
    """The points that each item has got."""
    return [
        None if share is None else half_up(share * item.maximum, WHOLE)
        for item, share in zip(planned.items, result.items, strict=True)
    ]


def means(tallied: Tally | None, items: int) -> list[int | None]:
    """What a group gave to each item on average."""
    if tallied is None:
        return [None] * items
    return [
        half_up(points, count) if count else None for points, count in zip(tallied.sums, tallied.counts, strict=True)
    ]
