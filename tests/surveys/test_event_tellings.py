"""Whom each event is told to, and as what."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from surveys.notices import event_tellings
from surveys.notices.escalations import Tree
from surveys.notices.event_tellings import Around, Happened, Holders
from tests.conftest import (
    DISPATCHER,
    DISTRICT,
    HANDLER,
    LEADER,
    MEMBER,
    NOW,
    ORGANISATION,
    ORGANISER,
    STRANGER,
    STREET_DISPATCHER,
    WORKER,
    Person,
)

STREET = "410103001"
HOLDING = Holders({"city_management": [HANDLER.id]}, {"410103001001": [WORKER.id]})
AROUND = Around(
    reporter=MEMBER.id, owner=WORKER.id, department=None, urgency="normal", leader=None, community="410103001001",
    street=STREET, organisation=ORGANISATION, owner_before=WORKER.id, department_before=None, asker=None, asked=None,
)  # fmt: skip


def tree() -> Tree:
    found = Tree(DISTRICT)
    found.parents = {ORGANISATION: None}
    found.organisers = {ORGANISATION: [ORGANISER.id]}
    found.streets = {STREET: [STREET_DISPATCHER.id]}
    found.dispatchers = [DISPATCHER.id]
    return found


def told(event: str, by: Person | None = None, facts: dict[str, Any] | None = None, **around: Any) -> set[Any]:
    """Who is told of an event, and as what."""
    happened = Happened(
        id=UUID(int=1), issue=UUID(int=2), version=2, event=event, member=by.id if by else None, happened_at=NOW,
        facts=facts or {},
    )  # fmt: skip
    tellings = event_tellings.of(happened, msgspec.structs.replace(AROUND, **around), tree(), HOLDING)
    assert len({(one.member, one.kind) for one in tellings}) == len(tellings)
    return {(one.member, one.kind) for one in tellings}


def test_a_request_goes_to_the_street_s_dispatchers_else_to_the_district_s_and_its_answer_to_who_asked() -> None:
    asked = {"asked": "return"}
    assert told("return", HANDLER, asked) == {(STREET_DISPATCHER.id, "request")}
    assert told("pause", HANDLER, {"asked": "pause"}, street="other") == {(DISPATCHER.id, "request")}
    assert told("extend", STREET_DISPATCHER) == set(), "granted by whom it would be asked of"
    assert told("refuse", STREET_DISPATCHER, asker=HANDLER.id, asked="pause") == {(HANDLER.id, "refused")}
    assert told("approve", STREET_DISPATCHER, asker=HANDLER.id, asked="return") == {
        (HANDLER.id, "granted"), (WORKER.id, "returned"),
    }  # fmt: skip


def test_what_is_offered_is_told_to_who_is_asked_and_not_to_the_department_that_it_had() -> None:
    offered = {"offered_to": str(STRANGER.id)}
    had = {"department": "city_management", "department_before": "city_management"}
    assert told("assign", WORKER, offered, **had) == {(STRANGER.id, "offered")}
    assert told("assign", WORKER, None, **had) == {(HANDLER.id, "department_assigned")}
    assert told("hand_on", None, None, owner=STRANGER.id) == {(STRANGER.id, "handed_on")}


@pytest.mark.parametrize(
    ("event", "around", "expected"),
    [
        ("report", {}, {(WORKER.id, "offered")}),
        ("resolve", {}, {(MEMBER.id, "resolved")}),
        ("resolve", {"reporter": None}, set()),
        ("invite", {}, {(MEMBER.id, "invited")}),
        ("invite", {"reporter": None}, {(WORKER.id, "invited")}),
        ("invite", {"owner": MEMBER.id}, {(WORKER.id, "invited")}),
        ("merge", {}, {(WORKER.id, "merged"), (MEMBER.id, "merged")}),
        ("reopen", {}, {(WORKER.id, "reopened"), (ORGANISER.id, "reopened")}),
        ("correct", {}, set()),
        ("start", {"leader": LEADER.id}, {(LEADER.id, "green_channel")}),
    ],
)
def test_each_event_is_told_to_whom_it_concerns(event: str, around: dict[str, Any], expected: set[Any]) -> None:
    assert told(event, None, None, **around) == expected


def test_a_joint_review_asks_the_departments_that_it_names() -> None:
    facts = {"asked_departments": ["city_management", "housing"]}
    assert told("change_channel", WORKER, facts) == {(HANDLER.id, "opinion_wanted")}
    assert told("change_channel", WORKER, {"asked_departments": "all"}) == set()


def test_nobody_is_told_what_they_did_themselves_and_levels_go_to_those_named() -> None:
    assert told("reopen", WORKER) == {(ORGANISER.id, "reopened")}
    assert told("escalate", None, {"told": [str(DISPATCHER.id)], "level": 2}) == {(DISPATCHER.id, "overdue")}
