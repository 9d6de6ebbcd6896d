"""How an issue of the demo is going to be handled, planned in working days: what happens when, and what is said."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random

from api.demo.words import weighted, words
from surveys.issues.workflow import Event, Move

REJECTED = 0.05
STUCK = 0.1  # left lying at some point, for weeks
SILENT = 0.27  # of those who are asked whether it is solved
REOPENED = 0.03  # by somebody who saw that it is not
NOT_SOLVED = 0.06
_SATISFACTION: Mapping[int, float] = {5: 0.56, 4: 0.32, 3: 0.07, 2: 0.035, 1: 0.015}
_DISSATISFACTION: Mapping[int, float] = {1: 0.4, 2: 0.4, 3: 0.2}
ROUNDS = 2  # after which a resident says nothing more

_PARTS: Mapping[Move, float] = {"accept": 0.22, "assign": 0.1, "start": 0.2, "resolve": 0.48}


@dataclass(frozen=True, slots=True)
class Planned:
    """What happens at a moment in working days, with what is said; a resident says whether it is solved as well, and
    how satisfied they are."""

    at: float
    event: Event
    reason: str | None = None
    solved: bool = True
    satisfaction: int | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do: how it is solved, how many working days that takes, and whether a department does it."""

    how: str
    needed: float
    department: bool


def at_the_door(how: str, at: float, sent: float, rng: Random) -> Iterator[Planned]:
    """Solved on the visit, and asked about by somebody else later."""
    yield Planned(at, "resolve", how)
    yield from _asked(Work(how, 1.0, department=False), sent, 1, rng)


def handled(work: Work, start: float, rng: Random) -> Iterator[Planned]:
    """The moves in their order, most of them within the limit, some late, some left lying for weeks."""
    if rng.random() < REJECTED:
        yield from _rejected(work, start, rng)
        return
    moves: list[Move] = ["accept", "start", "resolve"]
    if work.department and rng.random() < 0.8:
        moves.insert(1, "assign")
    plan = _solving(work, moves, start, rng)
    if rng.random() < STUCK:
        plan = list(_delayed(plan, rng))
    yield from plan
    yield from _asked(work, plan[-1].at, 1, rng)


def _rejected(work: Work, start: float, rng: Random) -> Iterator[Planned]:
    if rng.random() < 0.4:
        yield Planned(start + 0.2 * work.needed, "accept")
    yield Planned(start + 0.5 * work.needed, "reject", rng.choice(words().texts.reject))


def _solving(work: Work, moves: list[Move], start: float, rng: Random) -> list[Planned]:
    spans = [0.01 + work.needed * _PARTS[move] * rng.uniform(0.5, 1.5) for move in moves]
    ends = accumulate(spans, initial=start)
    next(ends)
    return [Planned(at, move, work.how if move == "resolve" else None) for at, move in zip(ends, moves, strict=True)]


def _delayed(plan: list[Planned], rng: Random) -> Iterator[Planned]:
    """From one of the moves on, everything comes weeks later."""
    stuck, delay = rng.randrange(len(plan)), rng.uniform(8, 110)
    for number, planned in enumerate(plan):
        yield replace(planned, at=planned.at + delay) if number >= stuck else planned


def _asked(work: Work, resolved_at: float, round_: int, rng: Random) -> Iterator[Planned]:
    """The resident is asked, and says that it is solved, or that it is not, or nothing; or somebody saw before that it
    is not. Then it is worked on again."""
    yield Planned(resolved_at, "invite")
    chance = rng.random()
    if chance < SILENT or round_ > ROUNDS:
        yield Planned(resolved_at, "lapse")
        return
    at = resolved_at + rng.uniform(0.15, 4.4)
    if chance < SILENT + REOPENED:
        yield Planned(at, "reopen", rng.choice(words().texts.reopen))
    else:
        said = _said(at, rng)
        yield said
        if said.reason is None:
            return
        yield Planned(at, "reopen", satisfaction=said.satisfaction)
    plan = _solving(work, ["start", "resolve"], at + 0.02, rng)
    yield from plan
    yield from _asked(work, plan[-1].at, round_ + 1, rng)


def _said(at: float, rng: Random) -> Planned:
    if rng.random() < NOT_SOLVED:
        said = rng.choice(words().texts.not_solved)
        return Planned(at, "answer", said, solved=False, satisfaction=weighted(rng, _DISSATISFACTION))
    satisfaction = weighted(rng, _SATISFACTION)
    said_of_it = rng.choice(words().texts.not_content) if satisfaction < 3 else None
    return Planned(at, "answer", said_of_it, satisfaction=satisfaction)
