"""The points that a rater gives, held to the instrument: whose item it is, from nought to its maximum."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from surveys.assessments.instruments import Group, Instrument
from surveys.assessments.scoring import FINE
from surveys.refusals import Invalid


class UnknownItem(Invalid):
    """No item of this code, or none that this group of raters rates."""

    code = "unknown_item"


class PointsUnfit(Invalid):
    """Less than nought, more than the item's maximum, or finer than a hundredth of a point."""

    code = "points_unfit"


def hold(instrument: Instrument, group: Group, points: Mapping[str, Decimal | float | None]) -> tuple[int | None, ...]:
    """The points of a rating in ten-thousandths, in the order of the items; None where nothing is said. Raises
    UnknownItem and PointsUnfit, whose field is the item's."""
    known = {item.code: item for item in instrument.items if group in item.raters}
    for code in points:
        if code not in known:
            raise UnknownItem(f"points.{code[:60]}", given=code[:60])
    return tuple(
        _held(item.code, item.maximum, points.get(item.code)) if item.code in known else None
        for item in instrument.items
    )


def _held(code: str, maximum: Decimal, given: Decimal | float | None) -> int | None:
    if given is None:
        return None
    value = Decimal(str(given))
    fits = value.is_finite() and 0 <= value <= maximum
    if not fits or (value * 100) % 1:
        raise PointsUnfit(f"points.{code}", item=code, given=str(given)[:20], maximum=f"{maximum:f}")
    return int(value * FINE)


def missing(instrument: Instrument, group: Group, points: Sequence[int | None]) -> list[str]:
    """The codes of the items that a rater of this group has yet to rate."""
    return [
        item.code
        for item, given in zip(instrument.items, points, strict=True)
        if group in item.raters and given is None
    ]


def shown(instrument: Instrument, points: Iterable[int | None]) -> dict[str, Decimal]:
    """Kept points by the codes of their items, without those of which nothing was said."""
    return {
        item.code: Decimal(given).scaleb(-4).normalize() + 0
        for item, given in zip(instrument.items, points, strict=True)
        if given is not None
    }
