"""What got better or worse since the period before, found by rules that anybody can check; pure."""

from collections.abc import Iterator, Sequence

from surveys.reports.reports import FEWEST, Change, Count, CountLine, Direction, PlaceLine, RateLine, Share

# A rate has changed when it did by these points, each of the two being a share of enough; a count when it did by so
# many, and by that share of what it was.
POINTS = 0.05
LEAST = 3
LEAST_SHARE = 0.2
MOST = 3  # of one kind and direction


def found(
    rates: Sequence[RateLine],
    open_: Count,
    overdue: Count,
    places: Sequence[PlaceLine],
    categories: Sequence[CountLine],
) -> list[Change]:
    """What is worth telling, what got better first."""
    changes = [
        *_of_rates(rates),
        *_of_count("open", None, open_),
        *_of_count("overdue", None, overdue),
        *_most([one for line in places if line.name for one in _of_count("overdue_in", line.name, line.overdue)]),
        *_most([one for line in categories for one in _of_count("reported_of", line.name, line.count)]),
    ]
    return [one for one in changes if one.direction == "better"] + [one for one in changes if one.direction == "worse"]


def _of_rates(lines: Sequence[RateLine]) -> Iterator[Change]:
    for line in lines:
        now, before = line.now.rate, line.before.rate
        if now is None or before is None or min(_of(line.now), _of(line.before)) < FEWEST:
            continue
        if abs(now - before) >= POINTS:
            direction: Direction = "better" if now > before else "worse"
            yield Change(direction=direction, what="rate", name=line.rate, now=now, before=before)


def _of(share: Share) -> int:
    return share.denominator or 0


def _of_count(what: str, name: str | None, count: Count) -> Iterator[Change]:
    """More of these is always worse."""
    by = abs(count.now - count.before)
    if by >= LEAST and by >= LEAST_SHARE * count.before:
        direction: Direction = "better" if count.now < count.before else "worse"
        yield Change(direction=direction, what=what, name=name, now=count.now, before=count.before)  # type: ignore[arg-type]


def _most(changes: Sequence[Change]) -> list[Change]:
    """The largest of each direction."""
    ordered = sorted(changes, key=lambda one: (-abs(one.now - one.before), one.name or ""))
    directions: tuple[Direction, ...] = ("better", "worse")
    return [one for way in directions for one in [each for each in ordered if each.direction == way][:MOST]]
