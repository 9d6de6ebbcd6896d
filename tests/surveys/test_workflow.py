"""The table of moves: where each leads, whose it is, and that no sequence of moves ever leaves it."""

import re
from pathlib import Path
from typing import get_args

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from surveys.counting.issue_query import GROUP
from surveys.counting.issue_query import OPEN as OPENED
from surveys.issues import issue_moves, workflow
from surveys.issues.categories import Channel
from surveys.issues.workflow import IN_HAND, MOVES, OPEN, SOLVED, STATES, Group, Move, Standing, State


class Stand(Struct, frozen=True, kw_only=True):
    """What of an issue says which moves it knows."""

    state: State
    channel: str = "joint_review"
    offered_to: str | None = None
    asked: str | None = None


WHILE_OPEN: tuple[Move, ...] = ("change_channel", "follow", "opine", "meet")  # on joint review, as below
# The life of an issue as people were told it; the program's table must say the same.
LIFE: dict[State, dict[Move, State]] = {
    "reported": {
        "accept": "accepted",
        "assign": "assigned",
        "reject": "rejected",
        "correct": "reported",
        "return": "reported",
        "merge": "merged",
        **dict.fromkeys(WHILE_OPEN, "reported"),
    },
    "accepted": {
        "assign": "assigned",
        "start": "in_progress",
        "resolve": "resolved",
        "reject": "rejected",
        "correct": "accepted",
        "return": "accepted",
        "pause": "accepted",
        "extend": "accepted",
        "merge": "merged",
        **dict.fromkeys(WHILE_OPEN, "accepted"),
    },
    "assigned": {
        "assign": "assigned",
        "start": "in_progress",
        "resolve": "resolved",
        "correct": "assigned",
        "return": "assigned",
        "pause": "assigned",
        "extend": "assigned",
        "merge": "merged",
        **dict.fromkeys(WHILE_OPEN, "assigned"),
    },
    "in_progress": {
        "assign": "assigned",
        "resolve": "resolved",
        "correct": "in_progress",
        "return": "in_progress",
        "pause": "in_progress",
        "extend": "in_progress",
        "merge": "merged",
        **dict.fromkeys(WHILE_OPEN, "in_progress"),
    },
    "paused": {
        "correct": "paused",
        "resume": "paused",
        "merge": "merged",
        **dict.fromkeys(WHILE_OPEN, "paused"),
    },
    "resolved": {"close": "closed", "reopen": "accepted", "correct": "resolved"},
    "closed": {"reopen": "accepted", "correct": "closed"},
    "rejected": {"reopen": "accepted", "correct": "rejected"},
    "merged": {"unmerge": "merged"},  # or rather to what it was before
}
# Where moves lead of which the table does not say it.
LED_TO: dict[Move, set[State]] = {
    "pause": {"paused"},
    "resume": {"accepted", "assigned", "in_progress"},
    "unmerge": set(OPEN),
}
STANDINGS: tuple[Standing, ...] = get_args(Standing)


def reachable(start: State) -> set[State]:
    """The states to which moves lead from this one, itself among them."""
    found: set[State] = set()
    waiting = [start]
    while waiting:
        state = waiting.pop()
        if state not in found:
            found.add(state)
            for move in workflow.possible(Stand(state=state)):
                waiting.extend(LED_TO.get(move, {workflow.after(state, move)}))
    return found


@pytest.mark.parametrize("state", STATES)
def test_each_state_knows_the_moves_that_people_were_told_of(state: State) -> None:
    assert {move: workflow.after(state, move) for move in workflow.possible(Stand(state=state))} == LIFE[state]


@pytest.mark.parametrize("state", STATES)
def test_an_offer_can_be_taken_or_declined_while_the_issue_is_open(state: State) -> None:
    more = set(workflow.possible(Stand(state=state, offered_to="somebody"))) - set(LIFE[state])
    wanted = {"accept", "decline"} - set(LIFE[state]) if state in OPEN else set()
    assert more == wanted


@pytest.mark.parametrize("state", sorted(OPEN - {"paused"}))
def test_one_request_at_a_time_waits_for_a_judgement(state: State) -> None:
    known = set(workflow.possible(Stand(state=state, asked="extend")))
    assert known == set(LIFE[state]) - {"return", "pause", "extend"} | {"approve", "refuse"}


@pytest.mark.parametrize("channel", get_args(Channel))
def test_only_what_is_solved_on_the_spot_is_solved_before_anybody_took_it_on(channel: Channel) -> None:
    known = workflow.possible(Stand(state="reported", channel=channel))
    assert ("resolve" in known) == (channel == "on_the_spot")


@pytest.mark.parametrize("channel", get_args(Channel))
def test_each_channel_has_moves_of_its_own(channel: Channel) -> None:
    known = set(workflow.possible(Stand(state="accepted", channel=channel)))
    assert ("appoint" in known) == (channel == "agent")
    assert {"opine", "meet"} & known == ({"opine", "meet"} if channel == "joint_review" else set())


@given(st.data())
def test_no_sequence_of_moves_leaves_the_table(data: st.DataObject) -> None:
    state: State = "reported"
    for _ in range(data.draw(st.integers(0, 30))):
        move = data.draw(st.sampled_from(workflow.possible(Stand(state=state))))
        state = data.draw(st.sampled_from(sorted(LED_TO.get(move, {workflow.after(state, move)}))))
        assert state in STATES
        assert workflow.possible(Stand(state=state)), f"nothing can be done with an issue that is {state}"


def test_every_state_is_reached_by_moves() -> None:
    assert reachable("reported") == set(STATES)


@pytest.mark.parametrize("state", sorted(set(STATES) - {"merged"}))
def test_whatever_became_of_an_issue_it_can_still_be_solved(state: State) -> None:
    assert {"resolved", "closed"} <= reachable(state)


SITUATIONS = st.builds(
    Stand,
    state=st.sampled_from(STATES),
    channel=st.sampled_from(get_args(Channel)),
    offered_to=st.none() | st.just("somebody"),
    asked=st.none() | st.sampled_from(["return", "pause", "extend"]),
)


@given(SITUATIONS, st.frozensets(st.sampled_from(STANDINGS)))
def test_who_is_nobody_to_an_issue_may_do_nothing(issue: Stand, standings: frozenset[Standing]) -> None:
    assert workflow.allowed(issue, frozenset()) == []
    for move in workflow.possible(issue):
        rule = MOVES[move]
        whose = rule.only.get(issue.state, rule.who)
        assert (move in workflow.allowed(issue, standings)) == (bool(whose & standings) and not rule.never & standings)


@given(SITUATIONS, st.frozensets(st.sampled_from(STANDINGS)))
def test_nobody_judges_what_they_asked_for_nor_closes_what_they_say_they_solved(
    issue: Stand, standings: frozenset[Standing]
) -> None:
    allowed = set(workflow.allowed(issue, standings))
    assert "asker" not in standings or not allowed & {"approve", "refuse"}
    assert "resolver" not in standings or "close" not in allowed


def test_each_move_is_somebody_s() -> None:
    for move, rule in MOVES.items():
        assert rule.who - rule.never, f"nobody may {move}"


def test_the_owner_brings_an_issue_to_its_end_and_never_judges_in_their_own_matter() -> None:
    others = {"decline", "close", "reject", "approve", "refuse", "follow", "opine"}
    assert {move for move, rule in MOVES.items() if "owner" not in rule.who} == others


def test_who_reported_it_cannot_solve_it_on_paper() -> None:
    assert {move for move, rule in MOVES.items() if "reporter" in rule.who} == {"reopen", "correct"}
    handlers = {"start", "resolve", "return", "pause", "resume", "extend", "appoint", "meet"}
    assert {move for move, rule in MOVES.items() if "handler" in rule.who} == handlers


def test_every_move_is_made_in_one_way() -> None:
    assert not issue_moves.PURE.keys() & issue_moves.ASKING.keys()
    assert issue_moves.PURE.keys() | issue_moves.ASKING.keys() == MOVES.keys() == set(get_args(Move))


PAGES = [Path(workflow.__file__).with_name(name) for name in ("workflow.md", "workflow.zh-CN.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_tells_of_every_state_move_and_channel_and_of_no_other(page: Path) -> None:
    rows = [line.split("|")[1] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    told = [word for row in rows for word in re.findall(r"`([a-z_]+)`", row)]
    assert sorted(told) == sorted([*STATES, *MOVES, *get_args(Channel)])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_tells_from_where_each_move_starts_and_where_it_leads(page: Path) -> None:
    """As far as it names states, and does not say it in words."""
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = line.split("|")
        if len(cells) != 7 or not (named := re.match(r" `([a-z_]+)`", cells[1])) or "`, `" in cells[1]:
            continue
        rule = MOVES[named[1]]  # type: ignore[index]
        starts, leads = ({word for word in re.findall(r"`([a-z_]+)`", cell) if word in STATES} for cell in cells[2:4])
        assert starts <= rule.starts | {"merged"}, line
        assert rule.leads is None or leads == {rule.leads}, line


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
      select state, overdue, {GROUP} as grouped, {OPENED} as opened
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
