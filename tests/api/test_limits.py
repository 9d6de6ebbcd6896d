"""Limits on how often somebody may knock, by the tests' clock."""

import pytest

from api.limits import Limits, TooManyRequests
from api.settings import Settings
from tests.conftest import TestClock


def limits(clock: TestClock) -> Limits:
    return Limits(Settings(sign_in_burst=3, sign_in_per_minute=30, filing_burst=500, filing_per_minute=600), clock)


def waits(limited: Limits, kind: str, key: str, weight: int = 1) -> int:
    """The seconds that somebody is told to wait; 0 when let in."""
    try:
        limited.refuse_over(kind, key, weight)  # type: ignore[arg-type]
    except TooManyRequests as refused:
        return int(str(refused.facts["seconds"]))
    return 0


def test_as_many_as_the_burst_are_let_in_at_once_and_then_as_many_as_the_rate(clock: TestClock) -> None:
    limited = limits(clock)
    assert [waits(limited, "sign_in", "a") for _ in range(4)] == [0, 0, 0, 2]
    assert waits(limited, "sign_in", "b") == 0, "others are not held up"
    assert waits(limited, "filing", "a") == 0, "nor is the same person at another door"
    clock.forward(seconds=1)
    assert waits(limited, "sign_in", "a") == 1
    clock.forward(seconds=1)
    assert [waits(limited, "sign_in", "a") for _ in range(2)] == [0, 2]
    clock.forward(hours=1)
    assert [waits(limited, "sign_in", "a") for _ in range(4)] == [0, 0, 0, 2], "no more than the burst is saved up"


def test_a_request_counts_by_its_weight_and_one_that_is_refused_costs_nothing(clock: TestClock) -> None:
    limited = limits(clock)
    assert waits(limited, "filing", "a", 400) == 0
    assert waits(limited, "filing", "a", 200) == 10
    assert waits(limited, "filing", "a", 100) == 0
    assert waits(limited, "filing", "a", 1) == 1


def test_one_that_weighs_more_than_a_whole_bucket_waits_for_a_full_one(clock: TestClock) -> None:
    limited = limits(clock)
    assert waits(limited, "sign_in", "a", 100) == 0
    assert waits(limited, "sign_in", "a", 100) == 6


def test_a_clock_that_is_set_back_gives_nothing_and_takes_nothing(clock: TestClock) -> None:
    limited = limits(clock)
    for _ in range(3):
        limited.refuse_over("sign_in", "a")
    clock.forward(hours=-1)
    assert waits(limited, "sign_in", "a") == 2
    clock.forward(seconds=2)
    assert waits(limited, "sign_in", "a") == 0


def test_memory_stays_bounded_and_those_who_knock_stay_known(clock: TestClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.limits.MOST_BUCKETS", 100)
    limited = limits(clock)
    for n in range(90):
        limited.refuse_over("page", f"passing {n}")
    clock.forward(minutes=1)
    for _ in range(3):
        limited.refuse_over("sign_in", "knocking")
    for n in range(300):
        limited.refuse_over("page", f"more {n}")
        assert len(limited._buckets) <= 100
        clock.forward(seconds=0.001)
        if n < 9:
            assert waits(limited, "sign_in", "knocking") == 2
