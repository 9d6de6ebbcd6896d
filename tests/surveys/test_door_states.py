"""Rounds of a campaign: the calendar's periods, cut where the campaign begins and ends."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from surveys.premises.door_states import Every, round_at, rounds

ZONE = ZoneInfo("Asia/Shanghai")


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


BEGINS, ENDS = day("2026-11-15"), day("2027-02-10")


@pytest.mark.parametrize(
    ("every", "begins"),
    [
        ("once", ["2026-11-15"]),
        ("month", ["2026-11-15", "2026-12-01", "2027-01-01", "2027-02-01"]),
        ("quarter", ["2026-11-15", "2027-01-01"]),
        ("year", ["2026-11-15", "2027-01-01"]),
    ],
)
def test_rounds_follow_one_another_without_a_gap(every: Every, begins: list[str]) -> None:
    found = rounds(every, BEGINS, ENDS, ZONE)
    assert [one.starts_at for one in found] == [day(text) for text in begins]
    assert [one.ends_at for one in found] == [*(day(text) for text in begins[1:]), ENDS]
    assert [one.number for one in found] == list(range(1, len(begins) + 1))


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("2026-10-01T00:00", 1),  # before it began
        ("2026-11-30T23:59", 1),
        ("2026-12-01T00:00", 2),
        ("2027-02-09T23:59", 4),
        ("2027-02-10T00:00", 4),  # it is over
        ("2028-01-01T00:00", 4),
    ],
)
def test_a_moment_falls_in_one_round_by_the_districts_days(moment: str, number: int) -> None:
    assert round_at("month", BEGINS, ENDS, ZONE, day(moment).astimezone(UTC)).number == number
