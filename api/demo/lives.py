"""What became of each issue of the demo: who took it on, who worked on it, and whether it was solved in time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random
from uuid import UUID

import msgspec

from api.demo.doors import Visit
from api.demo.words import words
from api.demo.workdays import DAYS, Workdays, working
from surveys import deadlines, issues, workflow
from surveys.categories import Category
from surveys.clock import Calendar
from surveys.history import Actor
from surveys.issues import IssueRow, NewIssue, Step, event_id
from surveys.placing import Placed
from surveys.visit_drafts import IssueDraft, VisitDraft
from surveys.workflow import Move

REJECTED = 0.05
REOPENED = 0.05
STUCK = 0.1  # left lying at some point, for weeks
_SOON = 0.11  # working days: nobody acts before the phones have sent what they have


@dataclass(frozen=True, slots=True)
class Desk:
    """Who is on duty where: the first handler of each community (None: of no community), and of each department."""

    owners: Mapping[str | None, UUID]
    dispatchers: Mapping[str | None, UUID]  # of each community's street
    handlers: Mapping[str, UUID]


@dataclass(frozen=True, slots=True)
class Planned:
    """A move at its moment in working days."""

    at: float
    move: Move
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An issue as it was filed: the visit's plan and draft, its own draft, its solution, and where it was placed."""

    visit: Visit
    filed: VisitDraft
    draft: IssueDraft
    how: str
    place: Placed


def live(
    found: Found,
    number: int,
    district: int,
    category: Category,
    calendar: Calendar,
    desk: Desk,
    days: Workdays,
    rng: Random,
) -> NewIssue:
    """The issue with its whole life up to the last working day."""
    first = row = _reported(found, number, district, category, calendar, desk, days)
    steps = [_report(row)]
    plan = _solved_at_the_door(found, rng) if found.draft.solved_on_spot else _handled(found, row, rng)
    for planned in plan:
        if planned.at < DAYS:
            row, step = _moved(row, planned, calendar, desk, days, rng)
            steps.append(step)
    if any(step.event == "reopen" for step in steps):
        steps = _with_clocks(steps, first, calendar)
    return issues.new(row=row, title=found.draft.title, description=found.draft.description, steps=tuple(steps))


def _reported(
    found: Found,
    number: int,
    district: int,
    category: Category,
    calendar: Calendar,
    desk: Desk,
    days: Workdays,
) -> IssueRow:
    """The row as filing writes it."""
    sent_at = days.moment(found.visit.sent, weekend=found.visit.weekend)
    limit = category.limits[found.draft.how_urgent]
    at_the_door = found.draft.solved_on_spot is not None
    return IssueRow(
        district=district,
        id=found.draft.id,
        number=number,
        version=1,
        source="visit",
        visit=found.filed.id,
        reporter=found.visit.member.id,
        organisation=found.visit.member.organisation,
        premises=found.filed.premises.id,
        reported_at=found.filed.ended_at,
        category=category.code,
        urgency=found.draft.how_urgent,
        channel="on_the_spot" if at_the_door else limit.channel or category.channel,
        state="reported",
        owner=found.visit.member.id if at_the_door else desk.owners[found.place.community],
        department=category.department,
        **deadlines.of_new(calendar, limit, sent_at),
        held_since=found.filed.ended_at,
        text_version=1,
        recorded_at=sent_at,
        **msgspec.structs.asdict(found.place),
    )


def _report(row: IssueRow) -> Step:
    return Step(
        id=event_id(row.id, "report"),
        event="report",
        actor=Actor("member", str(row.reporter)),
        happened_at=row.reported_at,
        state="reported",
        owner=row.owner,
        department=row.department,
    )


def _solved_at_the_door(found: Found, rng: Random) -> list[Planned]:
    plan = [Planned(found.visit.until, "resolve", found.how)]
    if rng.random() < 0.93:
        plan.append(Planned(found.visit.until + rng.uniform(0.3, 4), "close"))
    return plan


def _handled(found: Found, row: IssueRow, rng: Random) -> list[Planned]:
    """The moves in their order, most of them within the limit, some late, some left lying for weeks."""
    start = found.visit.until + _SOON
    needed = working(row.due_at - row.clock_started_at) * rng.lognormvariate(-0.3, 0.5)
    if rng.random() < REJECTED:
        return _rejected(start, needed, rng)
    plan = _solving(found.how, start, needed, row, rng, again=False)
    if rng.random() < REOPENED:
        reopened_at = plan[-1].at + rng.uniform(0.5, 6)
        plan.append(Planned(reopened_at, "reopen", rng.choice(words().texts.reopen)))
        plan += _solving(found.how, reopened_at + 0.02, needed, row, rng, again=True)
    return list(_delayed(plan, rng)) if rng.random() < STUCK else plan


def _rejected(start: float, needed: float, rng: Random) -> list[Planned]:
    reject = Planned(start + 0.5 * needed, "reject", rng.choice(words().texts.reject))
    return [Planned(start + 0.2 * needed, "accept"), reject] if rng.random() < 0.4 else [reject]


def _solving(how: str, start: float, needed: float, row: IssueRow, rng: Random, *, again: bool) -> list[Planned]:
    moves: list[Move] = ["start", "resolve"] if again else ["accept", "start", "resolve"]
    if row.department and not again and rng.random() < 0.8:
        moves.insert(1, "assign")
    if rng.random() < 0.9:
        moves.append("close")
    parts = {"accept": 0.22, "assign": 0.1, "start": 0.2, "resolve": 0.48}
    spans = [
        0.01 + (rng.uniform(0.3, 3.5) if move == "close" else needed * parts[move] * rng.uniform(0.5, 1.5))
        for move in moves
    ]
    ends = accumulate(spans, initial=start)
    next(ends)
    return [Planned(at, move, how if move == "resolve" else None) for at, move in zip(ends, moves, strict=True)]


def _delayed(plan: list[Planned], rng: Random) -> Iterator[Planned]:
    """From one of the moves on, everything comes weeks later."""
    stuck, delay = rng.randrange(len(plan)), rng.uniform(8, 110)
    for number, planned in enumerate(plan):
        yield replace(planned, at=planned.at + delay) if number >= stuck else planned


def _moved(
    row: IssueRow, planned: Planned, calendar: Calendar, desk: Desk, days: Workdays, rng: Random
) -> tuple[IssueRow, Step]:
    """The row and the step after one move."""
    at_the_door = row.channel == "on_the_spot" and planned.move == "resolve" and row.version == 1
    at = row.reported_at if at_the_door else days.moment(planned.at)
    actor = _actor(row, planned.move, desk, rng)
    changed = msgspec.structs.replace(
        row,
        version=row.version + 1,
        state=workflow.after(row.state, planned.move),
        owner=actor if planned.move == "accept" else row.owner,
    )
    if planned.move == "reopen":
        changed = msgspec.structs.replace(changed, **deadlines.of_reopened(calendar, row, at))
    step = Step(
        id=event_id(row.id, f"{row.version} {planned.move}"),
        event=planned.move,
        actor=Actor("member", str(actor)),
        happened_at=at,
        state=changed.state,
        owner=changed.owner,
        department=changed.department,
        reason=planned.reason,
        recorded_at=None if at_the_door else at,
    )
    return changed, step


def _actor(row: IssueRow, move: Move, desk: Desk, rng: Random) -> UUID:
    """Who makes a move that the workflow lets them make."""
    handler = desk.handlers.get(row.department or "")
    match move:
        case "accept" if rng.random() < 0.05:
            return desk.dispatchers[row.community]
        case "start" | "resolve" if handler and row.state in ("assigned", "in_progress"):
            return handler
        case "close" if row.channel == "on_the_spot":
            return desk.owners[row.community]
        case "reopen" if row.reporter and rng.random() < 0.5:
            return row.reporter
        case _:
            return row.owner


def _with_clocks(steps: list[Step], first: IssueRow, calendar: Calendar) -> list[Step]:
    """The steps of a reopened issue, each with the clock that ran from then on."""
    started_at, due_at = first.clock_started_at, first.due_at
    told = []
    for step in steps:
        if step.event == "reopen":
            started_at = step.happened_at
            due_at = deadlines.of_reopened(calendar, first, started_at)["due_at"]
        told.append(msgspec.structs.replace(step, clock_started_at=started_at, due_at=due_at))
    return told
