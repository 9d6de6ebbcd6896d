"""The table of moves: where each leads, whose it is, and that no sequence of moves ever leaves it."""

from typing import get_args

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys import workflow
from surveys.issue_query import GROUP, OPEN
from surveys.workflow import IN_HAND, MOVES, SOLVED, STATES, Group, Move, Standing, State

# The life of an issue as people were told it; the program's table must say the same.
LIFE: dict[State, dict[Move, State]] = {
    "reported": {
        "accept": "accepted",
        "assign": "assigned",
        "reject": "rejected",
        "correct": "reported",
        "merge": "merged",
    },
    "accepted": {
        "assign": "assigned",
        "start": "in_progress",
        "resolve": "resolved",
        "reject": "rejected",
        "correct": "accepted",
        "merge": "merged",
    },
    "assigned": {
        "assign": "assigned",
        "start": "in_progress",
        "resolve": "resolved",
        "correct": "assigned",
        "merge": "merged",
    },
    "in_progress": {"assign": "assigned", "resolve": "resolved", "correct": "in_progress", "merge": "merged"},
    "paused": {"assign": "assigned", "correct": "paused", "merge": "merged"},
    "resolved": {"close": "closed", "reopen": "accepted", "correct": "resolved"},
    "closed": {"reopen": "accepted", "correct": "closed"},
    "rejected": {"reopen": "accepted", "correct": "rejected"},
    "merged": {"unmerge": "merged"},  # or rather to what it was before
}
NOT_LED_TO_YET: set[State] = {"paused"}
STANDINGS: tuple[Standing, ...] = get_args(Standing)


def reachable(start: State) -> set[State]:
    """The states to which moves lead from this one, itself among them."""
    found: set[State] = set()
    waiting = [start]
    while waiting:
        state = waiting.pop()
        if state not in found:
            found.add(state)
            waiting.extend(workflow.after(state, move) for move in workflow.possible(state))
    return found


@pytest.mark.parametrize("state", STATES)
def test_each_state_knows_the_moves_that_people_were_told_of(state: State) -> None:
    assert {move: workflow.after(state, move) for move in workflow.possible(state)} == LIFE[state]


@given(st.data())
def test_no_sequence_of_moves_leaves_the_table(data: st.DataObject) -> None:
    state: State = "reported"
    for _ in range(data.draw(st.integers(0, 30))):
        move = data.draw(st.sampled_from(workflow.possible(state)))
        state = workflow.after(state, move)
        assert state in STATES
        assert workflow.possible(state), f"nothing can be done with an issue that is {state}"


def test_every_state_but_one_can_be_reached() -> None:
    assert reachable("reported") == set(STATES) - NOT_LED_TO_YET


@pytest.mark.parametrize("state", sorted(set(STATES) - {"merged"}))
def test_whatever_became_of_an_issue_it_can_still_be_solved(state: State) -> None:
    assert {"resolved", "closed"} <= reachable(state)


@given(st.sampled_from(STATES), st.frozensets(st.sampled_from(STANDINGS)))
def test_who_is_nobody_to_an_issue_may_do_nothing(state: State, standings: frozenset[Standing]) -> None:
    assert workflow.allowed(state, frozenset()) == []
    for move in workflow.possible(state):
        assert (move in workflow.allowed(state, standings)) == bool(MOVES[move].who & standings)


def test_each_move_is_somebody_s_and_the_owner_is_never_helpless() -> None:
    for move, rule in MOVES.items():
        assert rule.who, f"nobody may {move}"
        assert "owner" in rule.who, f"the owner answers for the issue and may not {move} it"


def test_who_reported_it_cannot_solve_it_on_paper() -> None:
    assert {move for move, rule in MOVES.items() if "reporter" in rule.who} == {"reopen", "correct"}
    assert {move for move, rule in MOVES.items() if "handler" in rule.who} == {"start", "resolve"}


def test_every_issue_is_in_exactly_one_map_group() -> None:
    groups: dict[Group, set[tuple[State, bool]]] = {group: set() for group in get_args(Group)}
    for state in STATES:
        for overdue in (False, True):
            groups[workflow.group(state, overdue=overdue)].add((state, overdue))
    assert {state for state, _ in groups["reported"]} == {"reported"}
    assert {state for state, _ in groups["in_hand"]} == IN_HAND
    assert {state for state, _ in groups["overdue"]} == IN_HAND | {"reported"}
    assert {state for state, _ in groups["solved"]} == SOLVED
    assert sum(len(members) for members in groups.values()) == 2 * len(STATES)


@pytest.mark.anyio
async def test_the_database_groups_and_opens_as_the_table_does(undone: asyncpg.Connection) -> None:
    question = f"""
      select state, overdue, {GROUP} as grouped, {OPEN} as opened
      from (select state, overdue, $2::timestamptz + case when overdue then '-1 s' else '1 s' end::interval as due_at,
              case when state = 'paused' then $2 end as paused_at
            from unnest($1::text[]) as states(state), (values (true), (false)) as o(overdue)) as issues
    """
    now = await undone.fetchval("select timestamptz '2026-11-23'")
    rows = await undone.fetch(question, list(STATES), now)
    assert len(rows) == 2 * len(STATES)
    for row in rows:
        assert row["grouped"] == workflow.group(row["state"], overdue=row["overdue"]), row
        assert row["opened"] == (row["state"] in workflow.OPEN), row


@pytest.mark.anyio
async def test_the_database_knows_the_same_states(undone: asyncpg.Connection) -> None:
    allowed = await undone.fetchval(
        "select array(select word[1] from regexp_matches(pg_get_constraintdef(oid), '''([a-z_]+)''', 'g') word)"
        " from pg_constraint where conname = 'issue_state_known'"
    )
    assert sorted(allowed) == sorted(STATES)
