"""What became of each issue of the demo: who took it on, who worked on it, and what the resident said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import msgspec

from api.demo import plans
from api.demo.doors import Visit
from api.demo.plans import Planned, Work
from api.demo.workdays import DAYS, Workdays, working
from surveys.clock import deadlines
from surveys.clock.clock import Calendar
from surveys.history import Actor, Row
from surveys.issues import issues, workflow
from surveys.issues.categories import Category
from surveys.issues.issues import IssueRow, NewIssue, Step, event_id
from surveys.issues.placing import Placed
from surveys.return_visits import return_visits
from surveys.return_visits.return_visit_answers import HANDLING
from surveys.return_visits.return_visits import ReturnVisit, Via
from surveys.visits.visit_drafts import IssueDraft, VisitDraft

_SOON = 0.11  # working days: nobody acts before the phones have sent what they have
_ASKED_AFTER = timedelta(minutes=1)  # by the job
_ASKED_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Desk:
    """Who is on duty where: the first handler of each community (None: of no community), and of each department."""

    owners: Mapping[str | None, UUID]
    dispatchers: Mapping[str | None, UUID]  # of each community's street
    handlers: Mapping[str, UUID]


@dataclass(frozen=True, slots=True)
class Found:
    """An issue as it was filed: the visit's plan and draft, its own draft, its solution, and where it was placed."""

    visit: Visit
    filed: VisitDraft
    draft: IssueDraft
    how: str
    place: Placed


@dataclass(frozen=True, slots=True)
class Life:
    """An issue with all that became of it, and the return visits on which the resident was asked."""

    issue: NewIssue
    visits: Sequence[ReturnVisit]


def live(
    found: Found,
    number: int,
    district: int,
    category: Category,
    calendar: Calendar,
    desk: Desk,
    days: Workdays,
    rng: Random,
) -> Life:
    """The issue with its whole life up to the last working day."""
    first = _reported(found, number, district, category, calendar, desk, days)
    telling = _Telling(found, first, calendar, desk, days, rng)
    for planned in _plan(found, first, rng):
        if not telling.goes_on(planned):
            break
    steps = telling.steps
    if any(step.event == "reopen" for step in steps):
        steps = _with_clocks(steps, first, calendar)
    draft = found.draft
    issue = issues.new(row=telling.row, title=draft.title, description=draft.description, steps=tuple(steps))
    return Life(issue, list(telling.visits.values()))


def _plan(found: Found, row: IssueRow, rng: Random) -> list[Planned]:
    if found.draft.solved_on_spot:
        return list(plans.at_the_door(found.how, found.visit.until, found.visit.sent, rng))
    needed = working(row.due_at - row.clock_started_at) * rng.lognormvariate(-0.3, 0.5)
    return list(plans.handled(Work(found.how, needed, bool(row.department)), found.visit.until + _SOON, rng))


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


class _Telling:
    """Turns what is planned into the steps of a life, one after another."""

    def __init__(
        self, found: Found, first: IssueRow, calendar: Calendar, desk: Desk, days: Workdays, rng: Random
    ) -> None:
        self.row = first
        self.steps = [_report(first)]
        self.visits: dict[int, ReturnVisit] = {}  # by their rounds
        self._found, self._calendar, self._desk, self._days, self._rng = found, calendar, desk, days, rng
        self._round = 0

    def goes_on(self, planned: Planned) -> bool:
        """Tell what was planned; False when that is beyond the last working day, or the resident has been silent."""
        if planned.event == "answer" and self._late(planned):
            planned = Planned(planned.at, "lapse")
        at = self._moment(planned)
        if planned.at >= DAYS or at >= self._days.end:
            return False
        match planned.event:
            case "invite":
                self._invite(at)
            case "lapse":
                self._lapse(at)
                return False
            case "answer":
                return self._answer(planned, at)
            case _:
                self._move(planned, at)
        return True

    def _late(self, planned: Planned) -> bool:
        return planned.at >= DAYS or self._days.moment(planned.at) >= self.visits[self._round].closes_at

    def _moment(self, planned: Planned) -> datetime:
        last = self.steps[-1]
        match planned.event:
            case "invite":
                return (last.recorded_at or self.row.recorded_at) + _ASKED_AFTER
            case "lapse":
                return self.visits[self._round].closes_at + _ASKED_AFTER
            case "resolve" if self._at_the_door:
                return self.row.reported_at
            case _:
                return self._days.moment(min(planned.at, DAYS - 0.001))

    @property
    def _at_the_door(self) -> bool:
        return self.row.channel == "on_the_spot" and self.row.version == 1

    def _step(self, planned_event: workflow.Event, at: datetime, actor: Actor, row: IssueRow, **more: object) -> None:
        step = Step(
            id=event_id(row.id, f"{self.row.version} {planned_event}"),
            event=planned_event,
            actor=actor,
            happened_at=at,
            state=row.state,
            owner=row.owner,
            department=row.department,
            recorded_at=None if planned_event == "resolve" and self._at_the_door else at,
        )
        self.steps.append(msgspec.structs.replace(step, **more))
        self.row = msgspec.structs.replace(row, version=self.row.version + 1)

    def _move(self, planned: Planned, at: datetime) -> None:
        """A move by somebody whom the workflow lets make it, or by the resident who has just answered."""
        move: workflow.Move = planned.event  # type: ignore[assignment]  # all others have been told
        by_resident = move == "reopen" and planned.satisfaction is not None
        actor = self.steps[-1].actor if by_resident else Actor("member", str(self._actor(move)))
        row = msgspec.structs.replace(self.row, state=workflow.after(self.row.state, move))
        if move == "accept":
            row = msgspec.structs.replace(row, owner=UUID(actor.id))
        facts: Row = {}
        if move == "reopen":
            row = msgspec.structs.replace(row, **deadlines.of_reopened(self._calendar, row, at))
            if by_resident:
                facts = {**self.steps[-1].facts, "by_resident": True}
            else:
                self._end("void", at)
        if move == "resolve":
            self._round += 1
        self._step(move, at, actor, row, reason=planned.reason, facts=facts)

    def _actor(self, move: workflow.Move) -> UUID:
        row, desk, rng = self.row, self._desk, self._rng
        handler = desk.handlers.get(row.department or "")
        match move:
            case "accept" if rng.random() < 0.05:
                return desk.dispatchers[row.community]
            case "start" | "resolve" if handler and row.state in ("assigned", "in_progress"):
                return handler
            case "reopen" if row.reporter and rng.random() < 0.5:
                return row.reporter
            case _:
                return row.owner

    def _invite(self, at: datetime) -> None:
        visit = ReturnVisit(
            district=self.row.district,
            id=event_id(self.row.id, f"return visit {self._round}"),
            issue=self.row.id,
            round=self._round,
            state="invited",
            invited_at=at,
            closes_at=at + _ASKED_FOR,
        )
        self.visits[self._round] = visit
        facts: Row = {"return_visit": visit.id, "round": visit.round, "closes_at": visit.closes_at}
        self._step("invite", at, return_visits.INVITING, self.row, facts=facts)

    def _end(self, state: return_visits.VisitState, at: datetime, **more: object) -> None:
        visit = self.visits[self._round]
        self.visits[self._round] = msgspec.structs.replace(visit, state=state, ended_at=at, **more)

    def _lapse(self, at: datetime) -> None:
        facts: Row = {"return_visit": self.visits[self._round].id, "round": self._round}
        facts |= {"answer": "not_answered", "satisfaction": None}
        row = msgspec.structs.replace(self.row, state="closed")
        self._step("lapse", at, return_visits.LAPSING, row, facts=facts)
        self._end("lapsed", at)

    def _answer(self, planned: Planned, at: datetime) -> bool:
        """What the resident says through their card, or to somebody who did not handle it; False when there is none."""
        via, actor = self._asks()
        if actor is None:
            return self.goes_on(Planned(planned.at, "lapse"))
        said = "solved" if planned.solved else "not_solved"
        facts: Row = {"return_visit": self.visits[self._round].id, "round": self._round, "via": via}
        facts |= {"answer": said, "satisfaction": planned.satisfaction}
        row = self.row if planned.reason else msgspec.structs.replace(self.row, state="closed")
        self._step("answer", at, actor, row, reason=planned.reason, facts=facts)
        self._end(
            "answered",
            at,
            answered_at=at,
            event=self.steps[-1].id,
            via=via,
            member=UUID(actor.id) if actor.kind == "member" else None,
            solved=planned.solved,
            satisfaction=planned.satisfaction,
        )
        return True

    def _asks(self) -> tuple[Via, Actor | None]:
        card = self._found.filed.contact_card
        if card and self._rng.random() < 0.5:
            return "card", Actor("resident", card)
        via: Via = "call" if self._rng.random() < 0.6 else "visit"
        handled = {step.actor.id for step in self.steps if step.event in HANDLING} | {str(self.row.owner)}
        row = self.row
        for member in (row.reporter, self._desk.owners[row.community], self._desk.dispatchers[row.community]):
            if member and str(member) not in handled:
                return via, Actor("member", str(member))
        return via, None


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
