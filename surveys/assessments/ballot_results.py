"""What the boxes of a ballot come to; pure, exact, and the same when worked out again.

A group's mean for a candidate is over its votes for options that have points. A candidate's score weighs the means of
the groups that are told; of one with too few votes neither a number nor a share enters, so that nothing can be taken
from a total to find it. There is no total over groups but this score."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from msgspec import Struct

from surveys.assessments.ballot_boxes import Box


class GroupMean(Struct, frozen=True, kw_only=True):
    """How a group judged a candidate: its votes by option, their mean, and the per cent with which it enters."""

    code: str
    counts: tuple[int, ...]
    mean: float | None
    share: float  # per cent of the score, once groups that do not count are left out


class CandidateResult(Struct, frozen=True, kw_only=True):
    """A candidate's score of a hundred, and how it came about; None where nobody chose an option with points."""

    place: int
    score: float | None
    groups: tuple[GroupMean, ...]


class GroupVotes(Struct, frozen=True, kw_only=True):
    """How many votes a group gave; None stands for fewer than are told."""

    code: str
    weight: int
    votes: int | None


class Result(Struct, frozen=True, kw_only=True):
    """What came of a ballot; candidates in the order of the slip."""

    groups: tuple[GroupVotes, ...]
    candidates: tuple[CandidateResult, ...]


def hundredths(value: Fraction) -> float:
    """A value to the hundredth, halves upwards."""
    return float(Fraction(int(value * 100 + Fraction(1, 2)), 100))


def mean(counts: Sequence[int], points: Sequence[Fraction | None]) -> Fraction | None:
    """The mean of the votes for options with points; None without any."""
    votes = sum(count for count, worth in zip(counts, points, strict=True) if worth is not None)
    worth_all = sum(
        (count * worth for count, worth in zip(counts, points, strict=True) if worth is not None), Fraction()
    )
    return worth_all / votes if votes else None


def result(boxes: Iterable[Box], weights: Mapping[str, int], points: Sequence[Fraction | None]) -> Result:
    """What boxes come to, with each group's weight in per cent and the points of the options."""
    ordered = sorted(boxes, key=lambda box: box.code)
    told = [(box.code, box.counts) for box in ordered if box.counts is not None]
    candidates = len(told[0][1]) if told else 0
    return Result(
        groups=tuple(
            GroupVotes(
                code=box.code, weight=weights[box.code], votes=None if box.counts is None else sum(box.counts[0])
            )
            for box in ordered
        ),
        candidates=tuple(
            _candidate(place, [(code, counts[place - 1]) for code, counts in told], weights, points)
            for place in range(1, candidates + 1)
        ),
    )


def _candidate(
    place: int,
    told: Sequence[tuple[str, Sequence[int]]],
    weights: Mapping[str, int],
    points: Sequence[Fraction | None],
) -> CandidateResult:
    means = {code: mean(counts, points) for code, counts in told}
    whole = sum(weights[code] for code, one in means.items() if one is not None)
    score = sum((one * weights[code] for code, one in means.items() if one is not None), Fraction())
    groups = []
    for code, counts in told:
        of_group = means[code]
        groups.append(
            GroupMean(
                code=code,
                counts=tuple(counts),
                mean=None if of_group is None else hundredths(of_group),
                share=0.0 if of_group is None else hundredths(Fraction(100 * weights[code], whole)),
            )
        )
    return CandidateResult(place=place, score=hundredths(score / whole) if whole else None, groups=tuple(groups))


class CombinedScore(Struct, frozen=True, kw_only=True):
    """The score of a subject over several ballots, and the score of each with its weight in per cent."""

    subject: str
    score: float
    parts: tuple[tuple[str, float, float], ...]  # ballot, score, share in per cent


def combined(scores: Iterable[tuple[str, str, float, int]]) -> list[CombinedScore]:
    """Scores of several ballots weighed together: `scores` are subject, ballot, score and the ballot's weight. A
    subject that was not judged in one of them is weighed over the others. The best first, equals by their names."""
    by: dict[str, list[tuple[str, float, int]]] = {}
    for subject, ballot, score, weight in scores:
        by.setdefault(subject, []).append((ballot, score, weight))
    found = []
    for subject, parts in by.items():
        whole = sum(weight for *_, weight in parts)
        total = sum((Fraction(str(score)) * weight for _, score, weight in parts), Fraction())
        shares = tuple(
            (ballot, score, hundredths(Fraction(100 * weight, whole))) for ballot, score, weight in sorted(parts)
        )
        found.append(CombinedScore(subject=subject, score=hundredths(total / whole), parts=shares))
    return sorted(found, key=lambda one: (-one.score, one.subject))
