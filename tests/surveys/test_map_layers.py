"""Layers of the map: where so few answered that they could be recognised, nothing is told, and nothing follows."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.counting import map_layers
from surveys.counting.issue_query import Filters
from surveys.counting.map_layers import FEWEST, Area, Figure, Layer, Places, hidden
from tests.conftest import NOW

# Of each community: its street, satisfied and answers.
Town = list[tuple[int, int]]

towns = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=14)


def told(town: Town, areas: Sequence[Area] = ()) -> Layer:
    counts: dict[str | None, tuple[int, int]] = {
        f"c{at}": (answers // 2, answers) for at, (_, answers) in enumerate(town)
    }
    streets = {f"c{at}": f"s{street}" for at, (street, _) in enumerate(town)}
    return map_layers._told(counts, Places(streets, areas), NOW, fewest=FEWEST)


def numbers(figures: Sequence[Figure]) -> dict[str | None, int | None]:
    return {one.key: one.denominator for one in figures}


@given(towns)
def test_no_rate_of_few_is_told(town: Town) -> None:
    layer = told(town)
    for one in [*layer.communities, *layer.streets, layer.total]:
        assert one.few == (one.denominator is None) == (one.numerator is None)
        assert one.denominator is None or one.denominator == 0 or one.denominator >= FEWEST


@given(towns)
def test_no_rate_of_few_follows_from_what_is_told(town: Town) -> None:
    """Who is told sums can solve them for a community or a street: none of few has a solution of its own."""
    layer = told(town)
    communities, streets = numbers(layer.communities), numbers(layer.streets)
    members = {key: [float(f"s{street}" == key) for street, _ in town] for key in streets}
    one_by_one = np.eye(len(town))
    known = [one_by_one[at] for at in range(len(town)) if communities[f"c{at}"] is not None]
    known += [np.array(members[key]) for key, denominator in streets.items() if denominator is not None]
    known += [np.ones(len(town))] if layer.total.denominator is not None else []
    rank = np.linalg.matrix_rank(np.array(known)) if known else 0
    of_few = [one_by_one[at] for at, (_, answers) in enumerate(town) if 0 < answers < FEWEST]
    sums = {key: sum(answers for street, answers in town if f"s{street}" == key) for key in streets}
    of_few += [np.array(members[key]) for key, answers in sums.items() if 0 < answers < FEWEST]
    for asked in of_few:
        assert np.linalg.matrix_rank(np.array([*known, asked])) > rank


@given(towns, st.data())
def test_an_area_tells_nothing_of_few_either(town: Town, data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.sampled_from([f"c{at}" for at in range(len(town))]), min_size=1, unique=True))
    layer = told(town, [Area("a", "责任区", codes)])
    (area,) = layer.areas
    if area.denominator is not None:
        shown = numbers(layer.communities)
        rest = area.denominator - sum(shown[code] or 0 for code in codes)
        assert rest == 0 or rest >= FEWEST


def test_what_everybody_may_know_is_told() -> None:
    layer = told([(0, 8), (0, 9), (1, 0), (1, 7)])
    assert numbers(layer.communities) == {"c0": 8, "c1": 9, "c2": 0, "c3": 7}
    assert numbers(layer.streets) == {"s0": 17, "s1": 7}
    assert layer.total.denominator == 24


def test_one_more_is_left_out_where_a_single_one_would_follow() -> None:
    assert hidden({"a": 3, "b": 6, "c": 9}, FEWEST) == {"a", "b"}
    assert hidden({"a": 3, "b": 2, "c": 9}, FEWEST) == {"a", "b"}
    assert hidden({"a": 0, "b": 6, "c": 9}, FEWEST) == set()
    assert hidden({"a": 0, "b": 6, "c": 9}, FEWEST, at_least_one=True) == {"b"}


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (Filters(), (date(2026, 10, 25), date(2026, 11, 23))),
        (Filters(reported_from=date(2026, 11, 1)), (date(2026, 11, 1), date(2026, 11, 23))),
        (
            Filters(reported_from=date(2026, 11, 1), reported_to=date(2027, 1, 1)),
            (date(2026, 11, 1), date(2026, 11, 23)),
        ),
        (Filters(reported_to=date(2026, 11, 10)), (date(2026, 10, 12), date(2026, 11, 10))),
        (Filters(reported_from=date(2026, 12, 24)), (date(2026, 12, 24), date(2026, 11, 23))),
    ],
)
def test_days_are_counted_up_to_today(filters: Filters, wanted: tuple[date, date]) -> None:
    assert map_layers.days(filters, date(2026, 11, 23)) == wanted
