"""Visits, issues and moves as a phone or a page sends them, with whatever a test wants otherwise."""

from typing import Any
from uuid import uuid4

NEAR_DOOR = {"lon": 113.605, "lat": 34.705, "accuracy_m": 12}
NEXT_DOOR = {"lon": 113.615, "lat": 34.705, "accuracy_m": 12}
FAR_DOOR = {"lon": 113.625, "lat": 34.705, "accuracy_m": 12}
OUTSIDE = {"lon": 113.7, "lat": 34.8, "accuracy_m": 12}

Draft = dict[str, Any]


def visit(**changes: Any) -> Draft:
    """A visit half an hour before the tests' noon, at a door of the near community, with no issue."""
    return {
        "id": str(uuid4()),
        "premises": {"kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"},
        "started_at": "2026-11-23T11:20:00+08:00",
        "ended_at": "2026-11-23T11:30:00+08:00",
        "outcome": "met",
        "position": NEAR_DOOR,
        "issues": [],
    } | changes


def issue(**changes: Any) -> Draft:
    """A problem of a category that the city management handles, with three days to solve it."""
    return {"id": str(uuid4()), "category": "0102", "title": "门口垃圾成堆"} | changes


def solved(**changes: Any) -> Draft:
    """A problem that the member solved at the door."""
    return issue(category="0103", title="占道经营", solved_on_spot=SOLVED) | changes


# What shows that somebody was there.
PROOF = [{"sha256": "cd" * 32, "bytes": 99}]
SOLVED = {"how": "当场劝离", "at": "2026-11-23T11:28:00+08:00"}


def move(name: str, version: int, **changes: Any) -> Draft:
    """A move of an issue that is taken to stand at this version."""
    return {"id": str(uuid4()), "move": name, "expected_version": version} | changes


def correction(version: int, **changes: Any) -> Draft:
    """A correction of a visit that is taken to stand at this version."""
    return {"id": str(uuid4()), "expected_version": version, "reason": "填错了"} | changes
