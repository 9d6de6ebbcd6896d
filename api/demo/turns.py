"""What the desks of the demo have done lately with issues that are open still, through the door by which everybody
moves them; only the date is told, as in the rest of the demo."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from uuid import UUID

from asyncpg import Connection

from api.demo.lives import Life
from api.demo.people import Population
from api.demo.words import chances, words
from api.demo.workdays import DAYS, LENGTH, OPENS, ZONE, Workdays, midnight
from maps.locator import Atlas
from surveys import issue_moves, workflow
from surveys.issues import IssueRow, event_id
from surveys.moves import MoveDraft
from surveys.people import Reader
from surveys.sealing import KeyRing

MERGED = 60  # pairs at most
_LATEST = DAYS - 0.02


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody's move of an issue, so many working days after what happened last."""

    who: UUID
    issue: IssueRow
    draft: MoveDraft
    at: float


class Desks:
    """Who may move what, by their ids."""

    def __init__(self, district: int, everybody: Population) -> None:
        self._district, self._everybody = district, everybody
        self._members = {member.id: member for member in everybody.members}

    def reader(self, member: UUID) -> Reader:
        return self._everybody.reader(self._district, self._members[member])

    def worker(self, community: str) -> UUID:
        return self._everybody.of_community[community][0].id


async def take_turns(
    conn: Connection, atlas: Atlas, ring: KeyRing, desks: Desks, lives: Sequence[Life], days: Workdays
) -> None:
    """Move what is open as it was planned, in the order of the moments."""
    rng = chances("turns")
    open_ = [life for life in lives if life.issue.row.state in workflow.OPEN and life.issue.row.community]
    turns = list(_merged(open_, desks, days, rng))
    for turn in sorted(turns, key=lambda turn: turn.at):
        now = days.moment(turn.at)
        await issue_moves.move(conn, atlas, desks.reader(turn.who), turn.issue.id, turn.draft, now, ring)


def _merged(open_: Sequence[Life], desks: Desks, days: Workdays, rng: Random) -> Iterator[Turn]:
    """Two reports of one thing in a community, as the worker at its desk sees it."""
    alike: dict[tuple[str | None, str], list[Life]] = defaultdict(list)
    for life in open_:
        alike[life.issue.row.community, life.issue.row.category[:2]].append(life)
    pairs = [(lives[0], lives[1]) for lives in alike.values() if len(lives) > 1]
    for survivor, twin in rng.sample(pairs, min(MERGED, len(pairs))):
        at = max(_last(survivor, days), _last(twin, days)) + rng.uniform(0.02, 0.6)
        if at < _LATEST:
            row = twin.issue.row
            reason = rng.choice(words().texts.merge)
            draft = _draft(row, "merge", to=str(survivor.issue.row.id), reason=reason)
            yield Turn(desks.worker(row.community or ""), row, draft, at)


def _draft(row: IssueRow, move: workflow.Move, *, to: str | None = None, reason: str | None = None) -> MoveDraft:
    return MoveDraft(
        id=event_id(row.id, f"{row.version} {move}"), move=move, expected_version=row.version, to=to, reason=reason
    )


def _last(life: Life, days: Workdays) -> float:
    """When something happened last, in working days."""
    step = life.issue.steps[-1]
    return _planned(days, step.recorded_at or life.issue.row.recorded_at)


def _planned(days: Workdays, at: datetime) -> float:
    number = max(bisect_right(days.days, at.astimezone(ZONE).date()) - 1, 0)
    return number + min(max((at - midnight(days.days[number]) - OPENS) / LENGTH, 0.0), 0.99)
