"""Issues: how they come to be, with their whole lives: rows, spans, history and texts."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Annotated, Literal
from uuid import UUID, uuid5

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from maps.coordinates import System
from surveys import copying, history
from surveys.clock.clock import Unit
from surveys.copying import Words
from surveys.history import Actor, Row, event_row, text_row
from surveys.issues import measures
from surveys.issues.categories import Channel, Urgency
from surveys.issues.measures import Answer, Measures
from surveys.issues.placing import Certainty, Source
from surveys.issues.workflow import Event, State

INFINITY = "infinity"

Asked = Literal["return", "pause", "extend"]
Origin = Literal["visit", "card", "ledger", "app"]

Title = Annotated[str, Meta(min_length=1, max_length=200)]
Description = Annotated[str, Meta(max_length=5_000)]


class IssueRow(Struct, frozen=True, kw_only=True):
    """A row of the table `issue`, column by column."""

    district: int
    id: UUID
    number: int
    version: int
    source: Origin
    source_id: str | None = None
    visit: UUID | None = None
    reporter: UUID | None = None
    organisation: UUID | None = None  # the reporter's on the day
    premises: UUID | None = None
    reported_at: datetime
    category: str
    urgency: Urgency
    channel: Channel
    state: State
    owner: UUID
    department: str | None = None
    clock_started_at: datetime
    limit_version: int
    limit_amount: int
    limit_unit: Unit = "calendar_hours"
    extension: int = 0  # granted so far, in the limit's unit
    calendar_version: int = 0
    due_provisional: bool = False
    due_at: datetime
    response_due_at: datetime
    paused_at: datetime | None = None
    pause_until: datetime | None = None  # until when it is paused, or a pause is asked for
    held_since: datetime  # when the owner or the department that has it got it
    offered_to: UUID | None = None
    asked: Asked | None = None  # what waits for a dispatcher's judgement
    asked_by: UUID | None = None
    asked_amount: int | None = None
    leader: UUID | None = None
    agent: UUID | None = None
    appointment_at: datetime | None = None
    consulted: list[str] | None = None  # the departments whose opinions a joint review asks for
    merged_into: UUID | None = None
    card: str | None = None
    integration: UUID | None = None  # the city app that reported it
    first_contact_at: datetime | None = None
    resolved_at: datetime | None = None
    answer: Answer | None = None
    satisfaction: int | None = None
    resolutions: int = 0
    bounces: int = 0
    reopens: int = 0
    pauses: int = 0
    position_lon: float | None = None
    position_lat: float | None = None
    accuracy_m: float | None = None
    position_system: System | None = None
    position_source: Source | None = None
    lon: float | None = None
    lat: float | None = None
    cell: int | None = None
    community: str | None = None
    certainty: Certainty
    boundary_version: int | None = None
    place_settled_at: datetime | None = None  # since when a person has said where it counts
    text_version: int
    recorded_at: datetime


class Step(Struct, frozen=True, kw_only=True):
    """One event of an issue's life as it is recorded: what it was from then on.

    `recorded_at` is when we learned of it, if not with the issue itself; `clock_started_at` and `due_at` are those
    from this step on, if they are not the row's. `request` is the digest of what was asked, where that must be known
    again. `facts` are told beside all this; what of them is a column of the row holds from this step on."""

    id: UUID
    event: Event
    actor: Actor
    happened_at: datetime
    state: State
    owner: UUID
    department: str | None
    reason: str | None = None
    recorded_at: datetime | None = None
    clock_started_at: datetime | None = None
    due_at: datetime | None = None
    request: bytes | None = None
    facts: Row = {}


class Photo(Struct, frozen=True, forbid_unknown_fields=True):
    """A photo that a phone promises, by its SHA-256 in hexadecimal and its size in bytes."""

    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Meta(ge=1, le=100_000_000)]


class NewIssue(Struct, frozen=True, kw_only=True):
    """An issue to record: its row as it stands after the last step, its texts, and every step that led there, with
    what the row's measures were from each step on. `new` makes one."""

    row: IssueRow
    stages: tuple[Row, ...]
    title: str
    description: str | None
    steps: tuple[Step, ...]
    photos: tuple[Photo, ...] = ()


def new(
    *, row: IssueRow, title: str, description: str | None, steps: tuple[Step, ...], photos: tuple[Photo, ...] = ()
) -> NewIssue:
    """An issue to record, its measures reckoned from its steps."""
    stages = tuple(_stages(steps))
    row = msgspec.structs.replace(row, **stages[-1])
    return NewIssue(row=row, stages=stages, title=title, description=description, steps=steps, photos=photos)


def _stages(steps: Sequence[Step]) -> Iterator[Row]:
    measured, others = Measures(), Row()
    held_since, holders = steps[0].happened_at, (steps[0].owner, steps[0].department)
    for step in steps:
        if (step.owner, step.department) != holders:
            held_since, holders = step.happened_at, (step.owner, step.department)
        if changed := measures.changes(measured, step.event, step.happened_at, step.state):
            measured = msgspec.structs.replace(measured, **changed)
        others |= {name: value for name, value in step.facts.items() if name in IssueRow.__struct_fields__}
        stage: Row = {name: getattr(measured, name) for name in measures.NAMES}
        yield stage | {
            "held_since": held_since,
            "paused_at": step.happened_at if step.state == "paused" else None,
            **others,
        }


DEFAULTS: Row = {
    field.name: field.default for field in msgspec.structs.fields(IssueRow) if field.default is not msgspec.NODEFAULT
}
ROW = ", ".join(IssueRow.__struct_fields__)

# What a span holds of the row that it is a stretch of.
SPANNED = (
    "state",
    "owner",
    "department",
    "community",
    "category",
    "urgency",
    "channel",
    "due_at",
    "paused_at",
    "offered_to",
    "asked",
    "leader",
    "agent",
    "consulted",
    "response_due_at",
    *measures.NAMES,
)
SPAN = ", ".join(SPANNED)

# Those that the source has not given us before; a ledger read twice inserts nothing the second time.
INSERT_ISSUES = f"""
insert into issue ({ROW})
select {ROW} from json_populate_recordset(null::issue, $1) order by id
on conflict do nothing
returning id
"""

# The spans of new issues, and the photos still to come.
INSERT_SPANS = f"""
  insert into issue_spans (district, issue, version, valid_from, valid_to, recorded_at, end_recorded_at, {SPAN})
  select district, issue, version, valid_from, valid_to, recorded_at, end_recorded_at, {SPAN}
  from json_populate_recordset(null::issue_spans, $3)
"""
INSERT_PHOTOS = """
  insert into issue_photo (district, issue, sha256, bytes)
  select district, issue, sha256, bytes from json_populate_recordset(null::issue_photo, $4)
"""
INSERT_LIVES = f"""
with spans as ({INSERT_SPANS}), photos as ({INSERT_PHOTOS}), texts as ({history.INSERT_TEXTS})
{history.INSERT_EVENTS}
"""


class Lives(Struct, frozen=True):
    """The lives of new issues, as rows: events and the texts that they name, spans, and photos still to come."""

    events: Sequence[Row]
    texts: Sequence[Row]
    spans: Sequence[Row]
    photos: Sequence[Row]


def lives(issues: Sequence[NewIssue]) -> Lives:
    """What is to be written of new issues beside their rows."""
    events, texts = _told(issues)
    spans = [span for issue in issues for span in _spans(issue)]
    photos = [photo_row(issue.row, photo) for issue in issues for photo in issue.photos]
    return Lives(events, texts, spans, photos)


# From so many on, what COPY saves PostgreSQL is worth the two round trips that it takes.
MANY = 200

SPANS: Mapping[str, Words] = {
    "district": copying.numbers,
    "issue": copying.plain,
    "version": copying.numbers,
    "valid_from": copying.plain,
    "valid_to": copying.plain,
    "recorded_at": copying.plain,
    "end_recorded_at": copying.plain,
    "state": copying.texts,
    "owner": copying.plain,
    "department": copying.texts,
    "community": copying.texts,
    "category": copying.texts,
    "urgency": copying.texts,
    "channel": copying.texts,
    "due_at": copying.plain,
    "paused_at": copying.moments,
    "response_due_at": copying.plain,
    "first_contact_at": copying.moments,
    "resolved_at": copying.moments,
    "answer": copying.texts,
    "satisfaction": copying.numbers_or_null,
    "resolutions": copying.numbers,
    "bounces": copying.numbers,
    "reopens": copying.numbers,
    "pauses": copying.numbers,
}  # what a new issue never has is left out: an offer, a leader


async def record(conn: Connection, issues: Sequence[NewIssue]) -> set[UUID]:
    """Write issues with their whole lives in two set-based statements, or in four when they are many; returns the ids
    of those that were new."""
    inserted = await conn.fetch(INSERT_ISSUES, [issue.row for issue in issues])
    new = {row["id"] for row in inserted}
    life = lives([issue for issue in issues if issue.row.id in new])
    events, spans = life.events, life.spans
    if len(new) >= MANY:
        await copying.copy(conn, "issue_spans", spans, SPANS)
        await copying.copy(conn, "history", events, history.COLUMNS)
        events, spans = [], []
    if new:
        await conn.execute(INSERT_LIVES, events, life.texts, spans, life.photos)
    return new


UNTOUCHED: Row = msgspec.structs.asdict(Measures()) | {"paused_at": None}


def _told(issues: Sequence[NewIssue]) -> tuple[list[Row], list[Row]]:
    """The events and texts of whole lives."""
    events: list[Row] = []
    texts: list[Row] = []
    for issue in issues:
        row = issue.row
        body = {"title": issue.title, "description": issue.description}
        text, digest = text_row(row.district, row.id, 1, body, row.recorded_at, findable=True)
        texts.append(text)
        before = UNTOUCHED
        for version, (step, stage) in enumerate(zip(issue.steps, issue.stages, strict=True), start=1):
            facts = _first_facts(issue, step, digest) if version == 1 else _step_facts(step)
            facts |= {name: value for name, value in stage.items() if value != before.get(name)}
            before = stage
            if step.reason:
                reason, facts["reason_digest"] = text_row(
                    row.district, step.id, 1, {"reason": step.reason}, step.recorded_at or row.recorded_at
                )
                texts.append(reason)
            events.append(event(row, version, step, {**step.facts, **facts}, step.request))
    return events, texts


def _spans(issue: NewIssue) -> Iterator[Row]:
    row = issue.row
    for version, (step, end) in enumerate(zip_longest(issue.steps, issue.steps[1:]), start=1):
        yield issue.stages[version - 1] | {
            "district": row.district,
            "issue": row.id,
            "version": version,
            "valid_from": step.happened_at,
            "valid_to": end.happened_at if end else INFINITY,
            "recorded_at": step.recorded_at or row.recorded_at,
            "end_recorded_at": (end.recorded_at or row.recorded_at) if end else INFINITY,
            "state": step.state,
            "owner": step.owner,
            "department": step.department,
            "community": row.community,
            "category": row.category,
            "urgency": row.urgency,
            "channel": row.channel,
            "due_at": step.due_at or row.due_at,
            "response_due_at": row.response_due_at,
        }


def event(row: IssueRow, version: int, step: Step, facts: Mapping[str, object], request: bytes | None = None) -> Row:
    """A step as a row of the history; `request` is the digest of what was asked."""
    return event_row(
        district=row.district,
        id=step.id,
        kind="issue",
        thing=row.id,
        version=version,
        event=step.event,
        actor=step.actor,
        happened_at=step.happened_at,
        recorded_at=step.recorded_at or row.recorded_at,
        facts=facts,
        request=request,
    )


def _first_facts(issue: NewIssue, step: Step, text_digest: str) -> Row:
    """The whole row as it was at first, so that it can be rebuilt; what is as it always is at first is left out."""
    facts = {
        name: value
        for name, value in msgspec.structs.asdict(issue.row).items()
        if name not in issue.stages[-1] and (name not in DEFAULTS or value != DEFAULTS[name])
    }
    del facts["district"], facts["id"], facts["recorded_at"]
    facts["version"] = facts["text_version"] = 1
    facts["text_digest"] = text_digest
    facts |= _step_facts(step)
    return facts


def _step_facts(step: Step) -> Row:
    facts: Row = {"state": step.state, "owner": step.owner, "department": step.department}
    if step.clock_started_at is not None:
        facts["clock_started_at"] = step.clock_started_at
    if step.due_at is not None:
        facts["due_at"] = step.due_at
    return facts


def photo_row(row: IssueRow, photo: Photo) -> Row:
    """A promised photo as a row of `issue_photo`."""
    return {"district": row.district, "issue": row.id, "sha256": "\\x" + photo.sha256, "bytes": photo.bytes}


# The next numbers of a district's series; run in a short transaction of its own, so that no filing waits for another.
RESERVE = """
update number_series set next = next + $2 where district = $1 and series = 'issue' returning next - $2
"""


async def reserve_numbers(conn: Connection, district: int, count: int) -> range:
    """Reserve a block of issue numbers; those that are not used are lost, which costs nothing."""
    first: int = await conn.fetchval(RESERVE, district, count)
    return range(first, first + count)


def event_id(thing: UUID, event: str) -> UUID:
    """The id of an event that comes with its thing, the same each time the thing is filed."""
    return uuid5(thing, event)


def rebuilt(district: int, issue: UUID, facts: Sequence[Mapping[str, object]], recorded_at: datetime) -> IssueRow:
    """The row as its history tells it: the facts of every event, oldest first, laid over one another."""
    columns: dict[str, object] = {"district": district, "id": issue, "recorded_at": recorded_at.astimezone(UTC)}
    for version, event in enumerate(facts, start=1):
        columns |= {name: value for name, value in event.items() if name in IssueRow.__struct_fields__}
        columns["version"] = version
    return msgspec.convert(columns, IssueRow)
