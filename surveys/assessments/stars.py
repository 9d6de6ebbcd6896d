"""Ranks and stars of those who were rated by one instrument: pure, and the same in whatever order they come.

The rules are told in instruments.md: who is equal by per cent and by the tie-breaking headings shares a rank and the
next rank is skipped; stars are given by thresholds, and where a quota is full by the next lower number of stars; equals
get the same, so that those who do not all fit into a quota all go below it.
"""

from collections.abc import Callable, Hashable, Sequence
from itertools import groupby

from msgspec import Struct

from surveys.assessments.instruments import Instrument, Star
from surveys.assessments.scoring import FINE

HUNDRED = 100  # per cent


class Reached(Struct, frozen=True):
    """What a subject reached, in ten-thousandths of a per cent; None for who could not be rated."""

    subject: Hashable  # by which it is known
    percent: int | None
    headings: tuple[int | None, ...]


class Standing(Struct, frozen=True):
    """A subject's rank and stars; `by_quota` says that the percentage alone would have given more stars."""

    rank: int | None
    stars: int | None
    tied: int  # how many share the rank
    by_quota: bool


UNRATED = Standing(None, None, 0, by_quota=False)


def standings(instrument: Instrument, reached: Sequence[Reached]) -> dict[Hashable, Standing]:
    """The rank and stars of every subject."""
    key = _ranking(instrument)
    rated = sorted((one for one in reached if one.percent is not None), key=key)
    found: dict[Hashable, Standing] = {one.subject: UNRATED for one in reached if one.percent is None}
    given: dict[int, int] = {}
    rank = 1
    for _, tied in groupby(rated, key):
        equals = list(tied)
        stars, by_quota = _stars(instrument.stars, equals[0].percent or 0, len(equals), len(rated), given)
        given[stars] = given.get(stars, 0) + len(equals)
        for one in equals:
            found[one.subject] = Standing(rank, stars, len(equals), by_quota)
        rank += len(equals)
    return found


def _ranking(instrument: Instrument) -> Callable[[Reached], tuple[int, ...]]:
    """The best first; a heading in which nobody could be rated counts below nought."""
    codes = [heading.code for heading in instrument.headings]
    places = [codes.index(code) for code in instrument.rules.tie_breakers]

    def key(one: Reached) -> tuple[int, ...]:
        headings = [one.headings[place] for place in places]
        return (-(one.percent or 0), *(1 if share is None else -share for share in headings))

    return key


def _stars(stars: Sequence[Star], percent: int, equals: int, rated: int, given: dict[int, int]) -> tuple[int, bool]:
    """The stars of some who are equal, and whether a quota took some from them."""
    earned = [star for star in stars if percent >= star.least * FINE]
    for star in earned:
        room = places(star, rated)
        if room is None or given.get(star.stars, 0) + equals <= room:
            return star.stars, star is not earned[0]
    return 0, bool(earned)


def places(star: Star, rated: int) -> int | None:
    """For how many there is room: the quota of those rated, rounded down, and one at least; None for all."""
    if star.most_percent is None:
        return None
    return max(1, int(rated * star.most_percent / HUNDRED))
