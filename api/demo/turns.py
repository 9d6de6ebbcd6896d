"""What the desks of the demo have done lately with issues that are open still, through the door by which everybody
moves them; only the date is told, as in the rest of the demo."""

import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from random import Random
from typing import Any
from uuid import UUID

from asyncpg import Connection

from api.demo.lives import Life
from api.demo.people import Member, Population
from api.demo.words import chances, words
from api.demo.workdays import DAYS, LENGTH, OPENS, ZONE, Workdays, midnight
from maps.locator import Atlas
from surveys.issues import issue_moves, workflow
from surveys.issues.issues import IssueRow, Photo, event_id
from surveys.issues.moves import MoveDraft
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing

MERGED = 60  # pairs at most
GIVEN_BACK, PAUSED, EXTENDED, OFFERED = 40, 70, 50, 25  # issues each
_LATEST = DAYS - 0.02


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody's move of an issue, at a moment in working days."""

    who: UUID
    issue: UUID
    draft: MoveDraft
    at: float


class Script:
    """What happens to one issue, one move after another."""

    def __init__(self, life: Life, days: Workdays, rng: Random) -> None:
        step, self.row = life.issue.steps[-1], life.issue.row
        self.turns: list[Turn] = []
        self.at = _planned(days, step.recorded_at or self.row.recorded_at)
        self._days, self._rng = days, rng

    def add(self, who: UUID, move: workflow.Move, after: float = 0.4, **with_: Any) -> None:
        """Somebody's next move, about so many working days later, unless that would be after the last one."""
        self.at += after * self._rng.uniform(0.5, 1.5)
        version = self.row.version + len(self.turns)
        if self.at < _LATEST:
            draft = MoveDraft(
                id=event_id(self.row.id, f"{version} {move}"), move=move, expected_version=version, **with_
            )
            self.turns.append(Turn(who, self.row.id, draft, self.at))

    @property
    def in_time(self) -> bool:
        """Whether the limit has not passed when the next move is made."""
        return self.at + 1 < _LATEST and self._days.moment(self.at + 1) < self.row.due_at


@dataclass(frozen=True, slots=True)
class Desks:
    """Who has which desk, and may move what."""

    district: int
    everybody: Population
    members: Mapping[UUID, Member]

    def reader(self, member: UUID) -> Reader:
        return self.everybody.reader(self.district, self.members[member])

    def worker(self, row: IssueRow) -> UUID:
        return self.everybody.of_community[row.community or ""][0].id

    def colleague(self, row: IssueRow, rng: Random) -> UUID:
        """Another member of the community, who is asked to take it on."""
        return rng.choice(self.everybody.of_community[row.community or ""][1:]).id

    def dispatcher(self, row: IssueRow) -> UUID:
        return self.everybody.of_street[(row.community or "")[:9]][0].id

    def holder(self, row: IssueRow) -> UUID:
        """Whoever works on it: the department's handler, or its owner."""
        return self.everybody.handlers.get(row.department or "", row.owner)


def desks(district: int, everybody: Population) -> Desks:
    return Desks(district, everybody, {member.id: member for member in everybody.members})


async def take_turns(
    conn: Connection, atlas: Atlas, ring: KeyRing, desks: Desks, lives: Sequence[Life], days: Workdays
) -> None:
    """Move what is open as it was planned, in the order of the moments."""
    for turn in sorted(_turns(lives, desks, days), key=lambda turn: turn.at):
        now = days.moment(turn.at)
        await issue_moves.move(conn, atlas, desks.reader(turn.who), turn.issue, turn.draft, now, ring)


def _turns(lives: Sequence[Life], desks: Desks, days: Workdays) -> Iterator[Turn]:
    rng = chances("turns")
    open_ = [life for life in lives if life.issue.row.state in workflow.OPEN and life.issue.row.community]
    pairs = _alike(open_, rng)
    for survivor, twin in pairs:
        yield from _merged(survivor, twin, desks, days, rng)
    merged = {life.issue.row.id for pair in pairs for life in pair}
    left = [life for life in open_ if life.issue.row.id not in merged and life.issue.row.state in workflow.WORKED_ON]
    rng.shuffle(left)
    at_hand = iter([life for life in left if desks.dispatcher(life.issue.row) not in _have_it(life, desks)])
    for count, play in ((OFFERED, _offered), (EXTENDED, _extended), (PAUSED, _paused), (GIVEN_BACK, _given_back)):
        for life in islice(at_hand, count):
            script = Script(life, days, rng)
            play(script, desks, rng)
            yield from script.turns


def _have_it(life: Life, desks: Desks) -> set[UUID]:
    return {life.issue.row.owner, desks.holder(life.issue.row)}


def _alike(open_: Sequence[Life], rng: Random) -> list[tuple[Life, Life]]:
    """Two reports of one thing in a community."""
    alike: dict[tuple[str | None, str], list[Life]] = defaultdict(list)
    for life in open_:
        alike[life.issue.row.community, life.issue.row.category[:2]].append(life)
    pairs = [(lives[0], lives[1]) for lives in alike.values() if len(lives) > 1]
    return rng.sample(pairs, min(MERGED, len(pairs)))


def _merged(survivor: Life, twin: Life, desks: Desks, days: Workdays, rng: Random) -> list[Turn]:
    """Made one by the worker at the community's desk."""
    script, other = Script(twin, days, rng), Script(survivor, days, rng)
    script.at = max(script.at, other.at)
    reason = rng.choice(words().texts.merge)
    script.add(desks.worker(script.row), "merge", to=str(survivor.issue.row.id), reason=reason)
    return script.turns


def _extended(script: Script, desks: Desks, rng: Random) -> None:
    if script.in_time:
        amount = max(script.row.limit_amount // 2, 1)
        reason = rng.choice(words().texts.extend)
        script.add(desks.holder(script.row), "extend", 0.2, amount=amount, reason=reason)
        _judged(script, desks, rng)


def _paused(script: Script, desks: Desks, rng: Random) -> None:
    script.add(desks.holder(script.row), "pause", reason=rng.choice(words().texts.pause))
    if _judged(script, desks, rng, granted=0.95) and rng.random() < 0.4:
        script.add(desks.holder(script.row), "resume", 2)


def _given_back(script: Script, desks: Desks, rng: Random) -> None:
    photo = Photo(hashlib.sha256(script.row.id.bytes).hexdigest(), 184_320)
    script.add(desks.holder(script.row), "return", reason=rng.choice(words().texts.give_back), evidence=(photo,))
    _judged(script, desks, rng, granted=0.6)


def _judged(script: Script, desks: Desks, rng: Random, granted: float = 0.8) -> bool:
    """The street's dispatcher grants it or does not, and sometimes has not got to it yet; whether it was granted."""
    if not script.turns or rng.random() < 0.15:
        return False
    dispatcher = desks.dispatcher(script.row)
    if rng.random() < granted:
        script.add(dispatcher, "approve", 0.3)
        return True
    script.add(dispatcher, "refuse", 0.3, reason=rng.choice(words().texts.refuse))
    return False


def _offered(script: Script, desks: Desks, rng: Random) -> None:
    colleague = desks.colleague(script.row, rng)
    if colleague == script.row.owner:
        return
    script.add(script.row.owner, "assign", to=str(colleague))
    chance = rng.random()
    if chance < 0.5:
        script.add(colleague, "accept", 0.6)
    elif chance < 0.75:
        script.add(colleague, "decline", 0.6, reason=rng.choice(words().texts.decline))


def _planned(days: Workdays, at: datetime) -> float:
    """The moment of the plan at which a date lies."""
    number = max(bisect_right(days.days, at.astimezone(ZONE).date()) - 1, 0)
    return number + min(max((at - midnight(days.days[number]) - OPENS) / LENGTH, 0.0), 0.99)
