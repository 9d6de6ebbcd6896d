"""What comes from outside, through a card or a city app, becomes an issue like any other: placed, with an owner, a
channel and a limit, once however often it is sent."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.clock import calendars, deadlines
from surveys.history import Actor, Row, request_digest
from surveys.issues import categories, issues
from surveys.issues.issues import IssueRow, NewIssue, Origin, Photo, Step, event_id
from surveys.issues.placing import Placed
from surveys.people import people
from surveys.people.people import Handler
from surveys.privacy import contacts
from surveys.privacy.contacts import Contact
from surveys.privacy.sealing import KeyRing
from surveys.refusals import IdTaken, Missing, UnknownCategory

TITLE = 40  # characters of what was written that stand for it in lists


class Sender(Struct, frozen=True, kw_only=True):
    """Who reports, and what that says of the issue's row: its card and door, or its app."""

    district: int
    source: Origin
    actor: Actor
    columns: Row


class Report(Struct, frozen=True, kw_only=True):
    """What is reported, however it came; `digest` is that of the request, by which it is known again."""

    id: UUID
    category: str
    text: str
    urgent: bool
    contact: Contact | None
    photos: tuple[Photo, ...] = ()
    digest: bytes


class Reported(Struct, frozen=True, kw_only=True):
    """What became of a report."""

    id: UUID
    number: str
    owner: str
    due_at: datetime


async def file(
    conn: Connection,
    ring: KeyRing,
    numbers: Iterator[int],
    sender: Sender,
    report: Report,
    place: Placed,
    now: datetime,
) -> Reported:
    """Make an issue of a report that was not filed before. Raises IdTaken, or Invalid with the field."""
    handler = (await people.on_duty(conn, sender.district, [place.community], now))[place.community].handler
    issue = await _issue(conn, sender, report, place, handler, next(numbers), now)
    if not await issues.record(conn, [issue]):  # the same report was on its way twice
        before = await filed_before(conn, sender, report.id, report.digest)
        if before is None:
            raise IdTaken("id")
        return before
    if report.contact is not None:
        await contacts.add(conn, ring, sender.district, {report.id: report.contact}, now)
    return Reported(id=report.id, number=str(issue.row.number), owner=handler.name, due_at=issue.row.due_at)


def digest(ring: KeyRing, asked: Struct, contact: Contact | None) -> bytes:
    """By what a request is known again; it tells nothing of a contact."""
    return request_digest(msgspec.structs.replace(asked, contact=contacts.veiled(ring, contact) if contact else None))


FIRST = """
select h.thing, h.actor, h.request, i.number::text, m.name as owner, s.due_at
from history h
left join issue i on i.district = h.district and i.id = h.thing
left join issue_spans s on s.district = h.district and s.issue = h.thing and s.version = 1
left join member m on m.district = h.district and m.id = s.owner
where h.district = $1 and h.thing = $2 and h.version = 1
"""


async def filed_before(conn: Connection, sender: Sender, id_: UUID, digest: bytes) -> Reported | None:
    """What became of this report when it was sent before. Raises IdTaken for other content, or another's."""
    row = await conn.fetchrow(FIRST, sender.district, id_)
    if row is None:
        return None
    if (row["actor"], row["request"]) != (sender.actor.id, digest):
        raise IdTaken("id")
    return Reported(id=id_, number=row["number"], owner=row["owner"], due_at=row["due_at"])


async def _issue(
    conn: Connection, sender: Sender, report: Report, place: Placed, handler: Handler, number: int, now: datetime
) -> NewIssue:
    category, urgency, limit = await _limit(conn, sender.district, report, now)
    calendar = await calendars.in_force(conn, sender.district, now)
    step = Step(
        id=event_id(report.id, "report"),
        event="report",
        actor=sender.actor,
        happened_at=now,
        state="reported",
        owner=handler.id,
        department=category.department,
        request=report.digest,
    )
    columns = {
        "district": sender.district,
        "id": report.id,
        "number": number,
        "version": 1,
        "source": sender.source,
        "reported_at": now,
        "category": report.category,
        "urgency": urgency,
        "channel": limit.channel or category.channel,
        "state": "reported",
        "owner": handler.id,
        "department": category.department,
        "held_since": now,
        "text_version": 1,
        "recorded_at": now,
        **deadlines.of_new(calendar, limit, now),
        **sender.columns,
        **msgspec.structs.asdict(place),
    }
    title, description = _words(report.text)
    row = msgspec.convert(columns, IssueRow)
    return issues.new(row=row, title=title, description=description, steps=(step,), photos=report.photos)


async def _limit(
    conn: Connection, district: int, report: Report, now: datetime
) -> tuple[categories.Category, categories.Urgency, categories.Limit]:
    found = await categories.in_force(conn, district, now, [report.category])
    category = found.get(report.category)
    if category is None or category.retired:
        raise UnknownCategory("category", given=report.category)
    urgency: categories.Urgency = "urgent" if report.urgent else "normal"
    limit = category.limits.get(urgency)
    if limit is None:
        raise Missing("urgent", given=urgency)
    return category, urgency, limit


def _words(text: str) -> tuple[str, str | None]:
    """What was written as a title, and all of it where that is more."""
    written = text.strip()
    first = " ".join(written.splitlines()[0].split())
    title = first if len(first) <= TITLE else f"{first[: TITLE - 1]}…"
    return title, written if written != title else None


# What a resident can choose from: the categories in force, gathered under the groups that they belong to.
CHOICES = """
select c.code, c.name, g.name as of
from category c left join category g on g.district = c.district and g.code = c.parent
where c.district = $1 and (c.retired_at is null or c.retired_at > $2)
  and exists (select from category_limit l
              where l.district = $1 and l.category = c.code and l.urgency = 'normal' and l.valid_from <= $2)
order by g.code nulls last, c.code
"""


async def choices(conn: Connection, district: int, now: datetime) -> dict[str, list[tuple[str, str]]]:
    """The categories in which a resident can report, by code and name, under the names of their groups."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in await conn.fetch(CHOICES, district, now):
        found.setdefault(row["of"] or "", []).append((row["code"], row["name"]))
    return found
