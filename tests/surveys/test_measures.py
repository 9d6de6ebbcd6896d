"""What each event does to an issue's measures."""

from datetime import timedelta
from typing import get_args

import msgspec
import pytest

from surveys.issues import measures
from surveys.issues.measures import RESPONDING, Measures
from surveys.issues.workflow import Event, State
from tests.conftest import NOW


def events(kind: object) -> set[str]:
    """The words of a union of literals."""
    found = get_args(kind)
    return {
        one if isinstance(one, str) else word
        for one in found
        for word in ([one] if isinstance(one, str) else events(one))
    }


def told(*steps: tuple[Event, State]) -> Measures:
    """The measures after these events, an hour apart."""
    measured = Measures()
    for hour, (event, state) in enumerate(steps):
        changed = measures.changes(measured, event, NOW + timedelta(hours=hour), state)
        measured = msgspec.structs.replace(measured, **changed)
    return measured


def test_the_first_move_by_who_answers_is_the_first_contact_and_stays_it() -> None:
    found = told(("report", "reported"), ("correct", "reported"), ("accept", "accepted"), ("start", "in_progress"))
    assert found.first_contact_at == NOW + timedelta(hours=2)


def test_solved_reopened_and_solved_again() -> None:
    steps: list[tuple[Event, State]] = [("report", "reported"), ("resolve", "resolved"), ("reopen", "accepted")]
    assert (told(*steps).resolved_at, told(*steps).reopens) == (None, 1)
    again = told(*steps, ("resolve", "resolved"))
    assert (again.resolved_at, again.resolutions, again.reopens) == (NOW + timedelta(hours=3), 2, 1)


def test_a_pause_counts_once_it_holds_and_a_return_once_it_is_asked_for() -> None:
    asked = told(("accept", "accepted"), ("pause", "accepted"), ("return", "accepted"))
    assert (asked.pauses, asked.bounces) == (0, 1)
    assert told(("pause", "accepted"), ("approve", "paused"), ("resume", "accepted"), ("pause", "paused")).pauses == 2


@pytest.mark.parametrize("event", sorted(events(Event) - RESPONDING))
def test_nothing_else_is_a_contact(event: Event) -> None:
    assert told((event, "accepted")).first_contact_at is None
