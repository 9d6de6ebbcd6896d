"""Small districts that nobody would think of: trees of organisations with areas, people with any roles, visits and
issues with any past; and the rules of reach once more, in plain Python, to hold the queries to."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal, get_args
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import hypothesis.strategies as st
import msgspec
from msgspec import Struct

from maps import tiles
from surveys import history
from surveys.counting.issue_query import NO_COMMUNITY, NONE, Filters
from surveys.counting.rate_terms import RATES, Rate
from surveys.history import Actor, text_row
from surveys.issues import issues, measures, workflow
from surveys.issues.categories import Channel
from surveys.issues.issues import IssueRow, NewIssue, Step
from surveys.issues.measures import Answer, Measures
from surveys.issues.placing import Certainty
from surveys.issues.workflow import STATES, State
from surveys.people.people import READING, Grant, Reader, Role
from surveys.visits import visits
from surveys.visits.visits import VisitRow
from tests.conftest import DISTRICT, FAR, NEAR, NEXT, NOW

ZONE = ZoneInfo("Asia/Shanghai")
STREETS = {NEAR: "410103001", NEXT: "410103001", FAR: "410103002"}
DEPARTMENTS = ("city_management", "housing")
DOORS = [UUID(int=0xD00 + at) for at in range(3)]
TITLES = ("垃圾成堆", "路灯不亮", "垃圾挡住路灯")
DAYS = 6  # before now, on which things happened


PERSONS = ("offered_to", "leader", "agent")  # to whom an issue is something, beside its owner and its reporter


class Organisation(Struct, frozen=True):
    """A node of the tree and what it answers for, each as kind and code."""

    id: UUID
    parent: UUID | None
    areas: frozenset[tuple[str, str]]


class Visit(Struct, frozen=True, kw_only=True):
    """A visit, as far as reach goes by it."""

    id: UUID
    member: UUID
    companions: tuple[UUID, ...]
    organisation: UUID
    premises: UUID | None
    community: str | None


class Stage(Struct, frozen=True, kw_only=True):
    """What an issue was from a moment on."""

    since: datetime
    state: State
    owner: UUID
    department: str | None
    community: str | None
    measures: Measures
    offered_to: UUID | None = None
    leader: UUID | None = None
    agent: UUID | None = None
    consulted: list[str] | None = None


class Issue(Struct, frozen=True, kw_only=True):
    """An issue and all that it ever was."""

    id: UUID
    number: int
    visit: UUID | None
    reporter: UUID | None
    organisation: UUID | None
    premises: UUID | None
    category: Literal["0102", "0103"]
    title: str
    channel: Channel
    due_at: datetime
    response_due_at: datetime
    point: tuple[float, float] | None
    certainty: Certainty
    provisional: bool
    stages: tuple[Stage, ...]

    def at(self, moment: datetime) -> Stage | None:
        """What it was then; None when it was not yet reported."""
        return next((stage for stage in reversed(self.stages) if stage.since <= moment), None)


class World(Struct, frozen=True):
    """A district: its tree, those who read, and what there is to read."""

    organisations: list[Organisation]
    readers: list[Reader]
    visits: list[Visit]
    issues: list[Issue]

    def below(self, roots: set[UUID]) -> set[UUID]:
        """These organisations and all that hang below them."""
        found = set(roots)
        while more := {one.id for one in self.organisations if one.parent in found} - found:
            found |= more
        return found

    def reaches(self, reader: Reader, thing: Visit | Issue, stage: Stage | None = None) -> bool:
        """Whether the rules let this reader see a visit, or an issue as it was at a stage."""
        if not any(grant.role in READING for grant in reader.grants):
            return False
        if isinstance(thing, Issue):
            assert stage is not None
            who = {thing.reporter, stage.owner, stage.offered_to, stage.leader, stage.agent}
            community, departments = stage.community, {stage.department, *(stage.consulted or ())}
        else:
            who, community, departments = {thing.member, *thing.companions}, thing.community, set()
        return reader.member in who or any(
            self._allows(grant, reader, thing, community, departments) for grant in reader.grants
        )

    def _allows(
        self, grant: Grant, reader: Reader, thing: Visit | Issue, community: str | None, departments: set[str | None]
    ) -> bool:
        street = STREETS.get(community or "")
        match grant.role:
            case "member":
                return self._in_area({reader.organisation}, thing, community, street)
            case "organiser":
                branch = self.below({UUID(grant.scope)})
                return thing.organisation in branch or self._in_area(branch, thing, community, street)
            case "community_worker":
                return community == grant.scope
            case "department_handler":
                return grant.scope in departments
            case "dispatcher" | "leader" | "administrator":
                return grant.scope_kind == "district" or street == grant.scope
            case _:
                return False

    def _in_area(
        self, organisations: set[UUID], thing: Visit | Issue, community: str | None, street: str | None
    ) -> bool:
        areas = {area for one in self.organisations if one.id in organisations for area in one.areas}
        return bool(areas & {("community", community), ("street", street), ("premises", str(thing.premises))})

    def seen(self, reader: Reader, filters: Filters) -> dict[UUID, Stage]:
        """The issues that the rules let this reader see under these filters, each as it was."""
        moment = about(filters)
        found = {}
        for issue in self.issues:
            stage = issue.at(moment)
            if stage and self.reaches(reader, issue, stage) and fits(issue, stage, filters, moment):
                found[issue.id] = stage
        return found


def about(filters: Filters) -> datetime:
    """The moment that is asked about. All that happens in a world is known at once: what was known at a moment is what
    had happened by then."""
    known_at = min(filters.known_at or NOW, NOW)
    return known_at if filters.as_of is None else min(known_at, datetime.combine(filters.as_of, time.max, ZONE))


def group(issue: Issue, stage: Stage, moment: datetime) -> str:
    """The map group in which an issue was."""
    return workflow.group(stage.state, overdue=late(issue, stage, moment))


def late(issue: Issue, stage: Stage, moment: datetime) -> bool:
    """Whether its limit had passed; while it is paused its time stands still."""
    return issue.due_at < (stage.since if stage.state == "paused" else moment)


def waits(stage: Stage) -> bool:
    """Whether somebody else than its owner was to do something about it."""
    with_department = stage.department is not None and stage.state in ("assigned", "in_progress")
    given = with_department or stage.offered_to is not None or stage.state == "paused"
    return stage.state in workflow.OPEN and given


def came_back(stage: Stage) -> bool:
    """Whether it was given back or reopened, and lay with its owner alone."""
    alone = stage.state == "accepted" and stage.offered_to is None
    return alone and (stage.measures.bounces > 0 or stage.measures.reopens > 0)


def counted(issue: Issue, stage: Stage, rate: Rate, moment: datetime) -> bool | None:
    """Whether a rate counts an issue in its numerator; None when it does not count it at all."""
    had = stage.measures
    due = had.resolved_at is not None or (stage.state in workflow.OPEN and late(issue, stage, moment))
    answered = had.answer in ("solved", "not_solved")
    first = had.first_contact_at
    rules: dict[Rate, tuple[bool, bool]] = {
        "response": (issue.response_due_at < moment, first is not None and first <= issue.response_due_at),
        "resolution": (answered, had.answer == "solved"),
        "satisfaction": (answered, had.satisfaction in (4, 5)),
        "on_time": (due, had.resolved_at is not None and had.resolved_at <= issue.due_at),
        "bounce": (True, had.bounces > 0),
        "redo": (had.resolutions > 0, had.resolutions > 1),
        "pause": (True, had.pauses > 0),
        "reopen": (had.resolutions > 0, had.reopens > 0),
        "own_word": (had.resolved_at is not None, had.answer != "solved"),
        "not_answered": (had.answer is not None, had.answer == "not_answered"),
    }
    asked, met = rules[rate]
    return met if asked and stage.state != "merged" else None


def fits(issue: Issue, stage: Stage, filters: Filters, moment: datetime) -> bool:
    """Whether an issue, as it was at a stage, is what the filters ask for."""
    overdue = stage.state in workflow.OPEN and late(issue, stage, moment)
    met = counted(issue, stage, filters.rate, moment) if filters.rate else None
    asked: list[bool] = [
        not filters.community or (stage.community or NO_COMMUNITY) in filters.community,
        not filters.street or STREETS.get(stage.community or "", NONE) in filters.street,
        not filters.category or issue.category in filters.category or "01" in filters.category,
        not filters.state or stage.state in filters.state,
        not filters.group or group(issue, stage, moment) in filters.group,
        not filters.owner or stage.owner in filters.owner,
        not filters.department or (stage.department or NONE) in filters.department,
        not filters.organisation or issue.organisation in filters.organisation,
        not filters.channel or issue.channel in filters.channel,
        not filters.offered_to or stage.offered_to in filters.offered_to,
        not filters.leader or stage.leader in filters.leader,
        not filters.agent or stage.agent in filters.agent,
        filters.rate is None or (met is not None and filters.met in (None, met)),
        filters.overdue is None or overdue == filters.overdue,
        filters.waiting is None or waits(stage) == filters.waiting,
        filters.returned is None or came_back(stage) == filters.returned,
        not filters.id or issue.id in filters.id,
        filters.placed is None or (issue.point is not None) == filters.placed,
        filters.text is None or filters.text in issue.title,
        filters.reported_to is None or issue.stages[0].since.astimezone(ZONE).date() <= filters.reported_to,
        filters.due_from is None or issue.due_at.astimezone(ZONE).date() >= filters.due_from,
        filters.due_to is None or issue.due_at.astimezone(ZONE).date() <= filters.due_to,
        not filters.source or ("visit" if issue.visit else "ledger") in filters.source,
        not filters.certainty or issue.certainty in filters.certainty,
        filters.provisional is None or issue.provisional == filters.provisional,
        filters.reported_from is None or issue.stages[0].since.astimezone(ZONE).date() >= filters.reported_from,
    ]
    return all(asked)


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


COMMUNITIES = _maybe(st.sampled_from(sorted(STREETS)))
AREA = st.one_of(
    st.tuples(st.just("community"), st.sampled_from(sorted(STREETS))),
    st.tuples(st.just("street"), st.sampled_from(sorted(set(STREETS.values())))),
    st.tuples(st.just("premises"), st.sampled_from([str(door) for door in DOORS])),
)


@st.composite
def organisations(draw: st.DrawFn) -> list[Organisation]:
    """A tree, or some trees, of which some nodes have areas."""
    found: list[Organisation] = []
    for at in range(draw(st.integers(1, 7))):
        parent = draw(_maybe(st.sampled_from([one.id for one in found]))) if found else None
        found.append(Organisation(UUID(int=0xA00 + at), parent, draw(st.frozensets(AREA, max_size=2))))
    return found


def grants(tree: list[Organisation]) -> st.SearchStrategy[tuple[Grant, ...]]:
    """One to three roles, each with a scope that fits it."""
    street = st.sampled_from(sorted(set(STREETS.values())))
    branch = st.sampled_from([str(one.id) for one in tree])
    whole: list[Role] = ["dispatcher", "leader", "administrator", "auditor", "operator"]
    one = st.one_of(
        st.just(Grant("member", "own", "")),
        branch.map(lambda code: Grant("organiser", "organisation", code)),
        st.sampled_from(sorted(STREETS)).map(lambda code: Grant("community_worker", "community", code)),
        street.map(lambda code: Grant("dispatcher", "street", code)),
        street.map(lambda code: Grant("leader", "street", code)),
        st.sampled_from(DEPARTMENTS).map(lambda code: Grant("department_handler", "department", code)),
        st.sampled_from(whole).map(lambda role: Grant(role, "district", str(DISTRICT))),
    )
    return st.lists(one, min_size=1, max_size=3, unique=True).map(tuple)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A district of a few people and a dozen things."""
    tree = draw(organisations())
    branch = st.sampled_from([one.id for one in tree])
    readers = [
        Reader(
            district=DISTRICT,
            member=UUID(int=0xB00 + at),
            name=f"党员{at}",
            organisation=draw(branch),
            grants=draw(grants(tree)),
        )
        for at in range(draw(st.integers(3, 6)))
    ]
    member = st.sampled_from([one.member for one in readers])
    door = _maybe(st.sampled_from(DOORS))
    visited = [
        Visit(
            id=UUID(int=0xC00 + at),
            member=draw(member),
            companions=tuple(draw(st.sets(member, max_size=1))),
            organisation=draw(branch),
            premises=draw(door),
            community=draw(COMMUNITIES),
        )
        for at in range(draw(st.integers(1, 8)))
    ]
    found = [
        Issue(
            id=UUID(int=0xE00 + at),
            number=50_000 + at,
            visit=draw(_maybe(st.sampled_from([one.id for one in visited]))),
            reporter=draw(_maybe(member)),
            organisation=draw(_maybe(branch)),
            premises=draw(door),
            category=draw(st.sampled_from(["0102", "0103"])),
            title=draw(st.sampled_from(TITLES)),
            channel=draw(st.sampled_from(get_args(Channel))),
            response_due_at=NOW + draw(st.integers(-60, 20)) * timedelta(hours=1),
            due_at=NOW + draw(st.integers(-60, 60)) * timedelta(hours=1),
            point=draw(_maybe(st.sampled_from([(113.605, 34.705), (113.6051, 34.705), (113.625, 34.702)]))),
            certainty=draw(st.sampled_from(get_args(Certainty))),
            provisional=draw(st.booleans()),
            stages=draw(_stages(member)),
        )
        for at in range(draw(st.integers(1, 12)))
    ]
    return World(tree, readers, visited, found)


@st.composite
def _stages(draw: st.DrawFn, member: st.SearchStrategy[UUID]) -> tuple[Stage, ...]:
    hours = sorted(draw(st.sets(st.integers(1, 24 * DAYS), min_size=1, max_size=3)), reverse=True)
    return tuple(
        Stage(
            since=NOW - timedelta(hours=ago),
            state=draw(st.sampled_from([state for state in STATES if state != "merged"])),
            owner=draw(member),
            department=draw(_maybe(st.sampled_from(DEPARTMENTS))),
            community=draw(COMMUNITIES),
            measures=draw(MEASURES),
            offered_to=draw(_maybe(member)),
            leader=draw(_maybe(member)),
            agent=draw(_maybe(member)),
            consulted=draw(_maybe(st.lists(st.sampled_from(DEPARTMENTS), min_size=1, unique=True))),
        )
        for ago in hours
    )


# More than any life would bring together: what is counted goes by these alone.
MOMENTS = st.integers(-24 * DAYS, 0).map(lambda hour: NOW + timedelta(hours=hour))
FEW = st.integers(0, 2)
MEASURES = st.builds(
    Measures,
    first_contact_at=_maybe(MOMENTS),
    resolved_at=_maybe(MOMENTS),
    answer=_maybe(st.sampled_from(get_args(Answer))),
    satisfaction=_maybe(st.integers(1, 5)),
    resolutions=FEW,
    bounces=FEW,
    reopens=FEW,
    pauses=FEW,
)


def filters(world: World) -> st.SearchStrategy[Filters]:
    """Up to three filters at once: with more, nothing would be left to hide."""
    days = st.integers(0, DAYS).map(lambda ago: NOW.astimezone(ZONE).date() - timedelta(days=ago))
    choices: dict[str, st.SearchStrategy[Any]] = {
        "community": st.sampled_from([*STREETS, NO_COMMUNITY]).map(lambda one: (one,)),
        "street": st.sampled_from([*sorted(set(STREETS.values())), NONE]).map(lambda one: (one,)),
        "category": st.sampled_from(["01", "0102"]).map(lambda one: (one,)),
        "state": st.sets(st.sampled_from(STATES), min_size=1, max_size=4).map(lambda some: tuple(sorted(some))),
        "group": st.sampled_from(["reported", "in_hand", "overdue", "solved"]).map(lambda one: (one,)),
        "owner": st.sampled_from([one.member for one in world.readers]).map(lambda one: (one,)),
        "department": st.sampled_from([*DEPARTMENTS, NONE]).map(lambda one: (one,)),
        "organisation": st.sampled_from([*(one.id for one in world.organisations), None]).map(lambda one: (one,)),
        "channel": st.sampled_from(get_args(Channel)).map(lambda one: (one,)),
        "rate": st.sampled_from(RATES),
        "known_at": st.integers(0, 24 * DAYS).map(lambda ago: NOW - timedelta(hours=ago)),
        **{name: st.sampled_from([one.member for one in world.readers]).map(lambda one: (one,)) for name in PERSONS},
        "overdue": st.booleans(),
        "waiting": st.booleans(),
        "returned": st.booleans(),
        "id": st.lists(st.sampled_from([issue.id for issue in world.issues]), min_size=1).map(tuple),
        "placed": st.booleans(),
        "text": st.sampled_from(["垃圾", "路灯", "成堆"]),
        "reported_from": days,
        "due_from": days,
        "due_to": st.integers(-3, 3).map(lambda ahead: NOW.astimezone(ZONE).date() + timedelta(days=ahead)),
        "source": st.sampled_from(["visit", "ledger"]).map(lambda one: (one,)),
        "certainty": st.sets(st.sampled_from(get_args(Certainty)), min_size=1).map(lambda some: tuple(sorted(some))),
        "provisional": st.booleans(),
        "as_of": days,
    }
    names = st.sets(st.sampled_from(sorted(choices)), max_size=3)
    built = names.flatmap(lambda some: st.builds(Filters, **{name: choices[name] for name in sorted(some)}))
    return st.builds(_met, built, st.sampled_from([None, True, False]))


def _met(filters: Filters, met: bool | None) -> Filters:
    return msgspec.structs.replace(filters, met=met) if filters.rate else filters


class Question(Struct, frozen=True):
    """What a reader asks of the issues, and the zoom of the map they look at."""

    reader: Reader
    filters: Filters
    zoom: int


@st.composite
def questioned(draw: st.DrawFn) -> tuple[World, list[Question]]:
    """A world, and what each of its readers asks: everything there is, and twice something narrower."""
    world = draw(worlds())
    narrowed = filters(world)
    questions = [
        Question(reader, draw(narrowed) if narrow else Filters(), draw(st.integers(8, 24)))
        for reader in world.readers
        for narrow in (False, True, True)
    ]
    return world, questions


INSERT_VISITS = f"insert into visit ({visits.ROW}) select {visits.ROW} from json_populate_recordset(null::visit, $1)"
# A place that was corrected, and who was something to an issue: before the last of its stages it was as each of them
# says. And what no step of ours brings about.
STAGES = f"""
with told as (
  select * from json_populate_recordset(null::issue_spans, $1)
), past as (
  update issue_spans s
  set {", ".join(f"{name} = t.{name}" for name in ("community", *PERSONS, "consulted", *measures.NAMES))}
  from told t where s.district = t.district and s.issue = t.issue and s.version = t.version
)
update issue i set {", ".join(f"{name} = t.{name}" for name in measures.NAMES)}
from told t where i.district = t.district and i.id = t.issue and i.version = t.version
"""


async def write(conn: asyncpg.Connection, world: World) -> None:
    """Write a world into the small district, in the transaction that is open."""
    await conn.execute("insert into department values ($1, 'housing', '房管局')", DISTRICT)
    for one in world.organisations:
        values = DISTRICT, one.id, one.parent, f"支部{one.id.int}"
        await conn.execute("insert into organisation (district, id, parent, name) values ($1, $2, $3, $4)", *values)
        rows = [(DISTRICT, one.id, *area) for area in one.areas]
        await conn.executemany("insert into organisation_area values ($1, $2, $3, $4)", rows)
    for who in world.readers:
        await conn.execute(
            "insert into member (district, id, number, name, organisation, joined_at) values ($1, $2, $3, $4, $5, $6)",
            *(DISTRICT, who.member, str(who.member.int), who.name, who.organisation, NOW),
        )
    await conn.execute(INSERT_VISITS, [_visit_row(one) for one in world.visits])
    texts = [text_row(DISTRICT, one.id, 1, {"premises_name": "门"}, NOW)[0] for one in world.visits]
    await history.append(conn, [], texts)
    assert len(await issues.record(conn, [new(one) for one in world.issues])) == len(world.issues)
    stages = [
        {"district": DISTRICT, "issue": issue.id, "version": version, "community": stage.community}
        | {name: getattr(stage, name) for name in (*PERSONS, "consulted")}
        | msgspec.structs.asdict(stage.measures)
        for issue in world.issues
        for version, stage in enumerate(issue.stages, start=1)
    ]
    await conn.execute(STAGES, stages)


def _visit_row(one: Visit) -> VisitRow:
    at = NOW - timedelta(hours=1)
    return VisitRow(
        district=DISTRICT,
        digest="\\x00",
        campaign=None,
        premises_kind="shop",
        outcome="met",
        contact_card=None,
        started_at=at,
        ended_at=at,
        device_started_at=at,
        device_ended_at=at,
        clock_skew_s=0,
        certainty="unplaced",
        recorded_at=at,
        **msgspec.structs.asdict(one),
    )


def new(one: Issue) -> NewIssue:
    """An issue as it is recorded."""
    last, first = one.stages[-1], one.stages[0]
    place: Mapping[str, Any] = {}
    if one.point:
        lon, lat = one.point
        place = {"lon": lon, "lat": lat, "position_lon": lon, "position_lat": lat, "position_system": "wgs84"}
        place |= {"cell": int(tiles.cell([lon], [lat])[0])}
    row = IssueRow(
        district=DISTRICT,
        id=one.id,
        number=one.number,
        version=len(one.stages),
        source="visit" if one.visit else "ledger",
        visit=one.visit,
        reporter=one.reporter,
        organisation=one.organisation,
        premises=one.premises,
        reported_at=first.since,
        category=one.category,
        urgency="normal",
        channel=one.channel,
        state=last.state,
        owner=last.owner,
        department=last.department,
        clock_started_at=first.since,
        limit_version=1,
        limit_amount=72,
        due_at=one.due_at,
        response_due_at=one.response_due_at,
        held_since=first.since,
        community=last.community,
        offered_to=last.offered_to,
        leader=last.leader,
        agent=last.agent,
        consulted=last.consulted,
        certainty=one.certainty,
        due_provisional=one.provisional,
        text_version=1,
        recorded_at=first.since.astimezone(UTC),
        **place,
    )
    steps = tuple(
        Step(
            id=uuid4(),
            event="report" if version == 0 else "assign",
            actor=Actor("program", "tests"),
            happened_at=stage.since,
            recorded_at=stage.since,
            state=stage.state,
            owner=stage.owner,
            department=stage.department,
        )
        for version, stage in enumerate(one.stages)
    )
    return issues.new(row=row, title=one.title, description=None, steps=steps)
