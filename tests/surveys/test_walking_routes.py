"""Ways are short, shares are even, and a door is put where it makes a way least longer."""

import time
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.campaigns import route_solver, walking_routes
from surveys.campaigns.route_tasks import Group, Progress, Share, Task
from surveys.campaigns.walking_routes import Points


@pytest.fixture(autouse=True)
def its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver's time is what it works, however much else the machine does."""
    monkeypatch.setattr(route_solver, "time", SimpleNamespace(monotonic=time.thread_time))


def places(seed: int, count: int) -> Points:
    return np.random.default_rng(seed).uniform(0, 1_000, (count, 2))


def test_a_degree_is_as_long_as_it_is_where_the_doors_are() -> None:
    points = walking_routes.on_plane([(113.60, 34.70), (113.61, 34.70), (113.61, 34.71)])
    assert walking_routes.length(points[:2]) == pytest.approx(914, abs=1)
    assert walking_routes.length(points[1:]) == pytest.approx(1_112, abs=1)
    assert walking_routes.length(points[:1]) == 0
    assert len(walking_routes.on_plane([])) == 0


@given(st.integers(0, 60), st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_who_has_least_gets_most_and_nobody_who_gets_any_has_more_than_one_above_the_least(
    count: int, held: list[int]
) -> None:
    got = walking_routes.shares(count, held)
    after = [one + more for one, more in zip(held, got, strict=True)]
    assert sum(got) == count
    assert all(more == 0 or whole <= min(after) + 1 for whole, more in zip(after, got, strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_a_door_is_put_where_it_makes_the_way_least_longer_and_the_others_stay(seed: int) -> None:
    points = places(seed, 8)
    way = walking_routes.inserted(points, [0, 1, 2, 3, 4, 5, 6], [7])
    assert [door for door in way if door != 7] == [0, 1, 2, 3, 4, 5, 6]
    every = [[*range(at), 7, *range(at, 7)] for at in range(8)]
    assert walking_routes.length(points[way]) == pytest.approx(min(walking_routes.length(points[one]) for one in every))


@pytest.mark.parametrize("seed", range(5))
def test_a_way_without_detours_is_nearly_the_shortest(seed: int) -> None:
    points = places(seed, 7)
    way = walking_routes.untangled(points, list(range(7)))
    assert sorted(way) == list(range(7))
    shortest = min(walking_routes.length(points[list(one)]) for one in permutations(range(7)))
    assert walking_routes.length(points[way]) <= 1.25 * shortest


def test_what_is_too_long_to_try_stays_as_it_is() -> None:
    order = list(range(walking_routes.MOST_UNTANGLED + 1))
    assert walking_routes.untangled(places(1, len(order)), order) == order


def divided(points: Points, sizes: list[int], near: list[tuple[float, float] | None] | None = None) -> list[list[int]]:
    degrees = [(113.6 + x / 91_400, 34.7 + y / 111_195) for x, y in points]
    shares = [Share(size, at) for size, at in zip(sizes, near or [None] * len(sizes), strict=True)]
    heard: list[Progress] = []
    answer = route_solver.solve(Task([Group(degrees, shares)], 1.5), heard.append)
    assert [one.done for one in heard] == sorted(one.done for one in heard)
    return answer.routes[0]


@pytest.mark.parametrize("sizes", [[20, 20, 20], [7, 0, 33, 20], [60], [1] * 60], ids=str)
def test_each_gets_their_share_of_all_doors_once(sizes: list[int]) -> None:
    points = places(3, 60)
    routes = divided(points, sizes)
    assert [len(route) for route in routes] == sizes
    assert sorted(door for route in routes for door in route) == list(range(60))
    plain = np.split(walking_routes.by_cell(points), np.cumsum(sizes)[:-1])
    assert sum(walking_routes.length(points[route]) for route in routes if route) <= sum(
        walking_routes.length(points[part]) for part in plain
    )


def test_who_holds_doors_on_one_side_gets_more_of_that_side() -> None:
    points = np.vstack((places(1, 20), places(2, 20)))
    points[20:, 0] += 5_000
    near = [(113.6 + 5_500 / 91_400, 34.7), (113.6 + 500 / 91_400, 34.7)]
    of_east, of_west = divided(points, [20, 20], list(near))
    assert (sorted(of_west), sorted(of_east)) == (list(range(20)), list(range(20, 40)))


def test_more_than_fits_one_table_is_cut_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_solver, "TOGETHER", 50)
    sizes = [12, 13, 12, 13, 25, 25, 50]
    routes = divided(places(4, 150), sizes)
    assert [len(route) for route in routes] == sizes
    assert sorted(door for route in routes for door in route) == list(range(150))


def test_doors_all_at_one_place_are_divided_too() -> None:
    routes = divided(np.zeros((9, 2)), [4, 5])
    assert sorted(door for route in routes for door in route) == list(range(9))
    assert [len(route) for route in routes] == [4, 5]


def test_the_same_shares_in_any_order_of_doors() -> None:
    points = places(5, 30)
    shuffled = np.random.default_rng(1).permutation(30)
    lengths = [
        sum(walking_routes.length(some[route]) for route in divided(some, [15, 15]))
        for some in (points, points[shuffled])
    ]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.1)
