"""How the points of every item came about: from which groups, of how many, by which weights, and by which fact; pure.

A page says it in words; the numbers are those that the score was made of."""

from decimal import Decimal
from fractions import Fraction
from typing import Literal

from msgspec import Struct

from surveys.assessments.instruments import GROUPS, FactCode, Group
from surveys.assessments.scoring import (
    FINE,
    NOTHING_DECIDED,
    TWO_DIGITS,
    WHOLE,
    Decided,
    Facts,
    Plan,
    PlannedItem,
    Result,
    Tally,
    half_up,
)

How = Literal["rated", "decided", "left_out", "zero"]


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
    how: How  # for the last two nobody counted, by the instrument's rule


def reasons(planned: Plan, result: Result, facts: Facts, decided: Decided = NOTHING_DECIDED) -> tuple[ItemReason, ...]:
    """The reason of every item, in their order."""
    return tuple(_reason(planned, result, facts, decided, place) for place in range(len(planned.items)))


def _reason(planned: Plan, result: Result, facts: Facts, decided: Decided, place: int) -> ItemReason:
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
            effective=_decimal(half_up(rated_share * planned.weights[group], weight) if group in counted else 0),
            counted=group in counted,
        )
        for group in own.groups
    )
    return ItemReason(
        code=item.code,
        points=None if share is None else _decimal(half_up(share * own.maximum, WHOLE)),
        maximum=item.maximum,
        weight=item.weight,
        percent=None if share is None else _decimal(share),
        groups=groups,
        fact=_fact_reason(own.fact, own, facts, by_fact, fact_share) if own.fact else None,
        how=_how(share, counts=bool(weight) or by_fact is not None, decided=item.code in decided),
    )


def _how(share: int | None, *, counts: bool, decided: bool) -> How:
    if share is None:
        return "left_out"
    return "decided" if decided else "rated" if counts else "zero"


def _fact_reason(fact: FactCode, item: PlannedItem, facts: Facts, by_fact: int | None, fact_share: int) -> FactReason:
    value = facts.get(fact)
    return FactReason(
        fact=fact,
        value=None if value is None else _decimal(half_up(*_times_fine(value))),
        points=None if by_fact is None else _decimal(half_up(by_fact * item.maximum, WHOLE)),
        effective=_decimal(fact_share),
    )


def _average(tallied: Tally | None, place: int) -> Decimal | None:
    if tallied is None or not tallied.counts[place]:
        return None
    return _decimal(half_up(tallied.sums[place], tallied.counts[place]))


def _times_fine(value: Fraction | Decimal | int) -> tuple[int, int]:
    count, of = value.as_integer_ratio()
    return count * FINE, of


def _decimal(ten_thousandths: int) -> Decimal:
    """Points or per cent as they are shown, to two digits, rounded half up."""
    return Decimal(half_up(ten_thousandths, TWO_DIGITS)).scaleb(-2)
