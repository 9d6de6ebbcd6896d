"""Scores, ranks and stars: exact, the same in whatever order ratings come, and each point with its reason."""

import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.assessments import rating_points, score_reasons, scoring, stars
from surveys.assessments.instruments import Group, Heading, Instrument, Item, RaterGroup, Rules, Star, Step
from surveys.assessments.scoring import FINE, WHOLE, Points
from surveys.assessments.stars import Reached
from surveys.refusals import Invalid

HEADINGS = (
    Heading(code="visits", name="走访服务", weight=Decimal(60)),
    Heading(code="life", name="组织生活", weight=Decimal(40)),
)
EVERYBODY: tuple[Group, ...] = ("self", "people", "peers", "leaders")
ITEMS = (
    Item(code="1.1", heading="visits", text="走访", maximum=Decimal(5), weight=Decimal(20), raters=EVERYBODY),
    Item(
        code="1.2",
        heading="visits",
        text="次数",
        maximum=Decimal(10),
        weight=Decimal(20),
        fact="visits",
        fact_from=Decimal(0),
        fact_to=Decimal(40),
    ),
    Item(
        code="1.3",
        heading="visits",
        text="满意",
        maximum=Decimal(5),
        weight=Decimal(20),
        raters=("people",),
        fact="satisfaction",
        fact_share=Decimal(70),
        fact_steps=(Step(Decimal(95), Decimal(100)), Step(Decimal(80), Decimal(60))),
    ),
    Item(code="2.1", heading="life", text="学习", maximum=Decimal(4), weight=Decimal(40), raters=("self", "leaders")),
)
GROUPS: dict[Group, RaterGroup] = {
    "self": RaterGroup(Decimal(10), 1),
    "people": RaterGroup(Decimal(40), 3),
    "peers": RaterGroup(Decimal(20), 2),
    "leaders": RaterGroup(Decimal(30), 1),
}
STARS = (Star(5, Decimal(90), Decimal(20)), Star(4, Decimal(80)), Star(3, Decimal(60)))


def card(**more: Any) -> Instrument:
    whole: dict[str, Any] = {
        "id": "member",
        "version": "1",
        "name": {"zh": "党员"},
        "subject_kind": "member",
        "headings": HEADINGS,
        "items": ITEMS,
        "groups": GROUPS,
        "stars": STARS,
        "rules": Rules(),
    }
    return Instrument(**(whole | more))


PLAN = scoring.plan(card())
Given = tuple[Group, Points]


def points(*given: float | None) -> list[int | None]:
    return [None if one is None else int(one * FINE) for one in given]


RATED: list[Given] = [
    ("self", points(5, None, None, 4)),
    ("people", points(4, None, 5, None)),
    ("people", points(4, None, 4, None)),
    ("people", points(3, None, 3, None)),
    ("peers", points(5, None, None, None)),
    ("peers", points(4, None, None, None)),
    ("leaders", points(4, None, None, 3)),
]
FACTS: scoring.Facts = {"visits": 30, "satisfaction": Fraction(9600, 101)}


def test_a_score_is_what_one_reckons_by_hand() -> None:
    result = scoring.score(PLAN, RATED, FACTS)
    assert result.items == (
        813_333,  # (10 % × 5 + 40 % × 11/3 + 20 % × 4.5 + 30 % × 4) ÷ 5 = 81.3333 %
        750_000,  # 30 of 40 visits
        940_000,  # 95.0495 % satisfied are more than 95: 70 % × 100 %, and 30 % × 4/5
        812_500,  # (10 % × 4 + 30 % × 3) ÷ 40 % ÷ 4 = 81.25 %
    )
    assert result.headings == (834_400, 812_500), "83.4444 % is 83.44 %"
    assert result.percent == 825_700, "60 % × 83.44443 + 40 % × 81.25 = 82.56666 %"
    assert scoring.item_points(PLAN, result)[:2] == [40_667, 75_000]
    people = result.tallies[1]
    assert scoring.means(people, len(ITEMS)) == [36_667, None, 40_000, None]


def test_a_group_below_its_least_number_does_not_count_and_its_weight_goes_to_the_others() -> None:
    two = [one for one in RATED if one[0] != "people"] + RATED[1:3]
    result = scoring.score(PLAN, two, FACTS)
    assert result.items[0] == 866_667, "(10 % × 5 + 20 % × 4.5 + 30 % × 4) ÷ 60 % ÷ 5"
    assert result.items[2] == WHOLE, "the fact alone"


def test_an_item_for_which_nobody_counts_is_left_out_or_nought_by_the_rule() -> None:
    left_out = scoring.score(PLAN, [], {"visits": 40})
    assert left_out.items == (None, WHOLE, None, None)
    assert (left_out.headings, left_out.percent) == ((WHOLE, None), WHOLE)
    zero = scoring.score(scoring.plan(card(rules=Rules("zero"))), [], {"visits": 40})
    assert zero.items == (0, WHOLE, 0, 0)
    assert (zero.headings, zero.percent) == ((333_300, 0), 200_000)
    assert scoring.score(PLAN, [], {}).percent is None
    assert scoring.score(PLAN, [("self", points(None, None, None, None))], {"visits": None}).percent is None


@pytest.mark.parametrize(
    ("value", "share"),
    [(-5, 0), (0, 0), (20, 500_000), (Decimal("13.3"), 332_500), (Fraction(40, 3), 333_333), (40, WHOLE), (900, WHOLE)],
)
def test_a_fact_gives_points_in_proportion(value: int | Decimal | Fraction, share: int) -> None:
    assert scoring.score(PLAN, [], {"visits": value}).items[1] == share


@pytest.mark.parametrize(
    ("value", "share"), [(100, WHOLE), (95, WHOLE), (Fraction(9499, 100), 600_000), (80, 600_000), (79, 0)]
)
def test_a_fact_gives_points_by_steps(value: int | Fraction, share: int) -> None:
    assert scoring.score(PLAN, [], {"satisfaction": value}).items[2] == share


def test_an_appeal_decides_an_item_and_the_rest_stays() -> None:
    tallies = scoring.tally(RATED)
    before = scoring.score_tallies(PLAN, tallies, FACTS)
    after = scoring.score_tallies(PLAN, tallies, FACTS, {"2.1": 4 * FINE})
    assert after.items == (*before.items[:3], WHOLE)
    assert after.percent == 900_700
    assert score_reasons.reasons(PLAN, after, FACTS, {"2.1": 4 * FINE})[3].how == "decided"


def test_every_point_has_its_reason() -> None:
    result = scoring.score(PLAN, RATED[:6], FACTS)  # without the leader
    first, second, third, last = score_reasons.reasons(PLAN, result, FACTS)
    assert [(one.group, one.count, one.average, one.effective, one.counted) for one in first.groups] == [
        ("self", 1, Decimal("5.00"), Decimal("14.29"), True),
        ("people", 3, Decimal("3.67"), Decimal("57.14"), True),
        ("peers", 2, Decimal("4.50"), Decimal("28.57"), True),
        ("leaders", 0, None, Decimal("0.00"), False),
    ]
    assert (first.points, first.percent, first.maximum) == (Decimal("4.10"), Decimal("81.90"), Decimal(5))
    assert first.how == "rated"
    assert second.fact == score_reasons.FactReason(
        fact="visits", value=Decimal("30.00"), points=Decimal("7.50"), effective=Decimal("100.00")
    )
    assert third.fact is not None
    assert (third.fact.effective, third.groups[0].effective) == (Decimal("70.00"), Decimal("30.00"))
    assert last.how == "rated"
    nobody = score_reasons.reasons(PLAN, scoring.score(PLAN, [], {}), {})
    assert {one.how for one in nobody} == {"left_out"}
    assert all(one.points is None for one in nobody)


given_points = st.lists(st.none() | st.integers(0, 4 * FINE), min_size=4, max_size=4)
ratings = st.lists(st.tuples(st.sampled_from(EVERYBODY), given_points), max_size=12)
facts = st.fixed_dictionaries(
    {},
    optional={
        "visits": st.integers(0, 100),
        "satisfaction": st.fractions(0, 100),
    },
)


@given(ratings, facts, st.randoms(use_true_random=False), st.booleans())
def test_a_score_does_not_depend_on_the_order_of_ratings(
    rated: list[Given], facts: scoring.Facts, shuffler: random.Random, zero: bool
) -> None:
    planned = scoring.plan(card(rules=Rules("zero" if zero else "leave_out")))
    result = scoring.score(planned, rated, facts)
    shuffled = list(rated)
    shuffler.shuffle(shuffled)
    again = scoring.score(planned, shuffled, facts)
    assert again == result
    assert score_reasons.reasons(planned, again, facts) == score_reasons.reasons(planned, result, facts)


@given(ratings, facts)
def test_a_score_lies_between_nought_and_a_hundred_and_agrees_with_a_naive_one(
    rated: list[Given], facts: scoring.Facts
) -> None:
    result = scoring.score(PLAN, rated, facts)
    shares = [share for share in (*result.items, *result.headings, result.percent) if share is not None]
    assert all(0 <= share <= WHOLE for share in shares)
    for place, item in enumerate(ITEMS):
        expected = naive(item, place, rated, facts)
        share = result.items[place]
        assert (share is None) is (expected is None)
        if share is not None and expected is not None:
            assert abs(share - expected * WHOLE) <= 1


def naive(item: Item, place: int, rated: list[Given], facts: scoring.Facts) -> Fraction | None:
    """The share of an item as the rules say it, without any care for speed."""
    weighed: list[tuple[Fraction, Fraction]] = []
    for group in item.raters:
        said = [points[place] for name, points in rated if name == group and points[place] is not None]
        if len(said) >= max(1, GROUPS[group].least):
            average = Fraction(sum(one or 0 for one in said), len(said)) / FINE / Fraction(item.maximum)
            weighed.append((Fraction(GROUPS[group].weight), average))
    total = sum((w for w, _ in weighed), Fraction())
    by_raters = sum((w * a for w, a in weighed), Fraction()) / total if weighed else None
    value = facts.get(item.fact) if item.fact else None
    if value is None:
        return by_raters
    if item.fact_to is not None:
        by_fact = min(Fraction(1), Fraction(value) / Fraction(item.fact_to))
    else:
        by_fact = next(
            (Fraction(one.percent) / 100 for one in item.fact_steps if Fraction(value) >= one.least), Fraction(0)
        )
    share = Fraction(item.fact_share) / 100
    return by_fact if by_raters is None else share * by_fact + (1 - share) * by_raters


@given(ratings.filter(bool), facts, st.data())
def test_more_points_never_lower_a_score(rated: list[Given], facts: scoring.Facts, data: st.DataObject) -> None:
    chosen = data.draw(st.integers(0, len(rated) - 1))
    place = data.draw(st.integers(0, 3))
    group, before = rated[chosen]
    if before[place] is None:
        return
    more = [min(4 * FINE, (one or 0) + 7) if at == place else one for at, one in enumerate(before)]
    lower = scoring.score(PLAN, rated, facts)
    higher = scoring.score(PLAN, [*rated[:chosen], (group, more), *rated[chosen + 1 :]], facts)
    assert (higher.percent or 0) >= (lower.percent or 0)


def ranked(instrument: Instrument, *percents: float | None) -> list[tuple[int | None, int | None, bool]]:
    reached = [reached_by(at, percent) for at, percent in enumerate(percents)]
    found = stars.standings(instrument, reached)
    return [(found[at].rank, found[at].stars, found[at].by_quota) for at in range(len(percents))]


def reached_by(subject: int, percent: float | None, *headings: int) -> Reached:
    return Reached(subject, None if percent is None else int(percent * FINE), headings or (None, None))


def test_equals_share_a_rank_and_the_next_is_skipped() -> None:
    assert ranked(card(), 70, 85, 85, None, 20) == [
        (3, 3, False),
        (1, 4, False),
        (1, 4, False),
        (None, None, False),
        (4, 0, False),
    ]


def test_who_is_equal_is_parted_by_the_headings_that_the_scorecard_names() -> None:
    both = [reached_by(1, 85, 800_000, 900_000), reached_by(2, 85, 900_000, 800_000)]
    by_visits = stars.standings(card(rules=Rules(tie_breakers=("visits",))), both)
    by_life = stars.standings(card(rules=Rules(tie_breakers=("life", "visits"))), both)
    assert [by_visits[2].rank, by_visits[1].rank] == [1, 2]
    assert [by_life[1].rank, by_life[2].rank] == [1, 2]
    assert stars.standings(card(), both)[1].tied == 2


def test_of_five_stars_there_are_no_more_than_the_quota_and_equals_are_not_parted() -> None:
    ten = [99, 98, 97, 96, 70, 70, 70, 70, 70, 70]
    assert [one[1:] for one in ranked(card(), *ten)][:4] == [(5, False), (5, False), (4, True), (4, True)]
    tied = [99, 98, 98, 96, 70, 70, 70, 70, 70, 70]
    assert [one[1:] for one in ranked(card(), *tied)][:4] == [(5, False), (4, True), (4, True), (5, False)]
    assert ranked(card(), 95)[0] == (1, 5, False), "of a few, one at least"


@given(st.lists(st.none() | st.integers(0, WHOLE), max_size=30), st.randoms(use_true_random=False))
def test_ranks_do_not_depend_on_the_order_of_subjects(percents: list[int | None], shuffler: random.Random) -> None:
    reached = [Reached(at, percent, (None, None)) for at, percent in enumerate(percents)]
    shuffled = list(reached)
    shuffler.shuffle(shuffled)
    assert stars.standings(card(), reached) == stars.standings(card(), shuffled)


@pytest.mark.parametrize(
    ("given_", "code", "field"),
    [
        ({"1.1": 1000}, "points_unfit", "points.1.1"),
        ({"1.1": -1}, "points_unfit", "points.1.1"),
        ({"1.1": 3.333}, "points_unfit", "points.1.1"),
        ({"1.1": float("inf")}, "points_unfit", "points.1.1"),
        ({"1.1": float("nan")}, "points_unfit", "points.1.1"),
        ({"1.2": 3}, "unknown_item", "points.1.2"),
        ({"9.9": 3}, "unknown_item", "points.9.9"),
    ],
)
def test_points_that_do_not_fit_are_refused_by_their_item(given_: dict[str, float], code: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        rating_points.hold(card(), "self", {"2.1": 3, **given_})
    assert (refused.value.code, refused.value.field) == (code, field)


def test_points_are_kept_in_order_and_shown_by_their_items() -> None:
    kept = rating_points.hold(card(), "self", {"2.1": 3.25, "1.1": None})
    assert kept == (None, None, None, 32_500)
    assert rating_points.missing(card(), "self", kept) == ["1.1"]
    assert rating_points.shown(card(), kept) == {"2.1": Decimal("3.25")}


def test_a_card_survives_being_kept() -> None:
    again = msgspec.json.decode(msgspec.json.encode(card()), type=Instrument)
    assert again == card()
    assert again.digest() == card().digest()
