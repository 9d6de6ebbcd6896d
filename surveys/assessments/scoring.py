"""From ratings and facts to per cent, with the reason of every point: pure, exact, and the same in whatever order the
ratings come.

Everything travels as ten-thousandths: points of a point, shares and percentages of a per cent (all of it is 1,000,000).
An item's share is rounded half up to one of them; headings and the total are rounded half up to two digits of a per
cent, from the items' shares and nothing in between. The rules are told in instruments.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Literal

from msgspec import Struct

from surveys.assessments.instruments import GROUPS, FactCode, Group, Instrument, Item

FINE = 10_000  # one point, or one per cent
WHOLE = 100 * FINE  # all of it
TWO_DIGITS = 100

Points = Sequence[int | None]  # ten-thousandths of a point, by item; None where nothing was said
# Visits and hours as they are, the others in per cent; a fraction is taken as exactly as it is.
Facts = Mapping[FactCode, Fraction | Decimal | int | None]


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
    return score_tallies(planned, tally(planned, ratings), facts)


def tally(planned: Plan, ratings: Iterable[tuple[Group, Points]]) -> tuple[Tally | None, ...]:
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


def score_tallies(planned: Plan, tallies: tuple[Tally | None, ...], facts: Facts) -> Result:
    """What a subject reached by ratings that were added up."""
    values = {code: value.as_integer_ratio() for code, value in facts.items() if value is not None}
    by_facts = tuple(_by_fact(item, values) for item in planned.items)
    items = tuple(
        _share(planned, tallies, place, item, by_fact)
        for place, (item, by_fact) in enumerate(zip(planned.items, by_facts, strict=True))
    )
    sums = [_heading(planned, places, items) for places in planned.headings]
    return Result(
        percent=_total(sums),
        headings=tuple(_two_digits(got, counted) if counted else None for got, counted, _ in sums),
        items=items,
        by_facts=by_facts,
        tallies=tallies,
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
        return _half_up(reached * WHOLE, (high - low) * of)
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
    return _half_up(item.fact_share * by_fact * whole + (WHOLE - item.fact_share) * got * WHOLE, WHOLE * whole)


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


def _half_up(numerator: int, denominator: int) -> int:
    """A quotient of what is not negative, to the nearest whole number."""
    return (2 * numerator + denominator) // (2 * denominator)


def _two_digits(numerator: int, denominator: int) -> int:
    """Likewise, to the nearest hundredth of a per cent."""
    return _half_up(numerator, denominator * TWO_DIGITS) * TWO_DIGITS


def item_points(planned: Plan, result: Result) -> list[int | None]:
    """The points that each item has got."""
    return [
        None if share is None else _half_up(share * item.maximum, WHOLE)
        for item, share in zip(planned.items, result.items, strict=True)
    ]


def means(tallied: Tally | None, items: int) -> list[int | None]:
    """What a group gave to each item on average."""
    if tallied is None:
        return [None] * items
    return [
        _half_up(points, count) if count else None for points, count in zip(tallied.sums, tallied.counts, strict=True)
    ]


class GroupReason(Struct, frozen=True, kw_only=True):
    """What a group of raters gave to an item."""

    group: Group
    count: int
    least: int
    average: Decimal | None  # points, to two digits; None where nobody of them rated it
    weight: Decimal  # per cent, as the instrument has it
    effective: Decimal  # per cent of the item, once those who do not count are left out; to two digits
    counted: bool


class FactReason(Struct, frozen=True, kw_only=True):
    """What a fact gave to an item."""

    fact: FactCode
    value: Decimal | None  # to two digits; None where there is nothing to count
    points: Decimal | None
    effective: Decimal  # per cent of the item


class ItemReason(Struct, frozen=True, kw_only=True):
    """How the points of an item came about."""

    code: str
    points: Decimal | None  # of its maximum, to two digits
    maximum: Decimal
    weight: Decimal  # per cent of the whole
    percent: Decimal | None  # of its maximum
    groups: tuple[GroupReason, ...]
    fact: FactReason | None
    how: Literal["rated", "left_out", "zero"]  # for the last two nobody counted, by the instrument's rule


def reasons(planned: Plan, result: Result, facts: Facts) -> tuple[ItemReason, ...]:
    """The reason of every item, in their order."""
    return tuple(_reason(planned, result, facts, place) for place in range(len(planned.items)))


def _reason(planned: Plan, result: Result, facts: Facts, place: int) -> ItemReason:
    item, own = planned.instrument.items[place], planned.items[place]
    tallies, share, by_fact = result.tallies, result.items[place], result.by_facts[place]
    counts = {group: tallied.counts[place] if (tallied := tallies[group]) else 0 for group in own.groups}
    counted = [group for group in own.groups if counts[group] and counts[group] >= planned.least[group]]
    weight = sum(planned.weights[group] for group in counted)
    fact_share = 0 if by_fact is None else own.fact_share if weight else WHOLE
    rated_share = WHOLE - fact_share
    groups = tuple(
        GroupReason(
            group=GROUPS[group],
            count=counts[group],
            least=planned.least[group],
            average=_average(tallies[group], place),
            weight=_decimal(planned.weights[group]),
            effective=_decimal(_half_up(rated_share * planned.weights[group], weight) if group in counted else 0),
            counted=group in counted,
        )
        for group in own.groups
    )
    return ItemReason(
        code=item.code,
        points=None if share is None else _decimal(_half_up(share * own.maximum, WHOLE)),
        maximum=item.maximum,
        weight=item.weight,
        percent=None if share is None else _decimal(share),
        groups=groups,
        fact=_fact_reason(own.fact, own, facts, by_fact, fact_share) if own.fact else None,
        how="left_out" if share is None else "rated" if weight or by_fact is not None else "zero",
    )


def _fact_reason(fact: FactCode, item: PlannedItem, facts: Facts, by_fact: int | None, fact_share: int) -> FactReason:
    value = facts.get(fact)
    return FactReason(
        fact=fact,
        value=None if value is None else _decimal(_half_up(*_times_fine(value))),
        points=None if by_fact is None else _decimal(_half_up(by_fact * item.maximum, WHOLE)),
        effective=_decimal(fact_share),
    )


def _average(tallied: Tally | None, place: int) -> Decimal | None:
    if tallied is None or not tallied.counts[place]:
        return None
    return _decimal(_half_up(tallied.sums[place], tallied.counts[place]))


def _times_fine(value: Fraction | Decimal | int) -> tuple[int, int]:
    count, of = value.as_integer_ratio()
    return count * FINE, of


def _decimal(ten_thousandths: int) -> Decimal:
    """Points or per cent as they are shown, to two digits, rounded half up."""
    return Decimal(_half_up(ten_thousandths, TWO_DIGITS)).scaleb(-2)
