"""A district's office hours, by which its working time counts: read by anybody, changed by its administrators."""

import hashlib
from datetime import date, datetime, time, timedelta
from typing import Annotated
from uuid import UUID, uuid5

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.clock import clock
from surveys.clock.clock import USUAL_WEEK
from surveys.history import Actor, event_row, request_digest
from surveys.people.people import District, Reader
from surveys.refusals import IdTaken, Invalid, StaleVersion

_NAMESPACE = UUID("3e0d1f6a-5a53-5a0f-8e0b-6b8f4a6f2c71")  # of the ids of districts' office hours in the history


class OpeningsOverlap(Invalid):
    """An opening that does not end after it begins, or begins before the one before it has ended."""

    code = "openings_overlap"


class NeverOpen(Invalid):
    """A week in which the office never opens: no limit in working time would ever end."""

    code = "never_open"


class ValidTooEarly(Invalid):
    """Office hours from a day that has begun: time that has been counted is not counted anew."""

    code = "valid_too_early"


Minute = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Opening(Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch of a day for which the office is open, in local time."""

    opens: Minute
    closes: Minute


Day = Annotated[list[Opening], Meta(max_length=10)]


class Week(Struct, frozen=True, forbid_unknown_fields=True):
    """When the office is open on each day; a day that is left out is a day off."""

    monday: Day = []
    tuesday: Day = []
    wednesday: Day = []
    thursday: Day = []
    friday: Day = []
    saturday: Day = []
    sunday: Day = []


class OfficeHours(Struct, frozen=True, kw_only=True):
    """Office hours from a day on; without a day they are the usual ones, which hold until others do."""

    version: int
    valid_from: date | None
    week: Week


class OfficeHoursTold(Struct, frozen=True, kw_only=True):
    """The newest version, the hours that hold today, and those that are going to."""

    version: int
    today: OfficeHours
    coming: list[OfficeHours]


class OfficeHoursDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Office hours as they are asked for, from a day that has not begun."""

    id: UUID
    expected_version: int
    valid_from: date
    week: Week


VERSIONS = "select version, valid_from, week from office_hours where district = $1 order by version"


async def read(conn: Connection, district: District, now: datetime) -> OfficeHoursTold:
    """The hours that hold on a district's present day, and those that follow."""
    today = now.astimezone(district.zone).date()
    versions = [
        OfficeHours(version=row["version"], valid_from=row["valid_from"], week=_week(row["week"]))
        for row in await conn.fetch(VERSIONS, district.district)
    ]
    usual = OfficeHours(version=0, valid_from=None, week=_of_clock(USUAL_WEEK))
    begun = [one for one in versions if one.valid_from is not None and one.valid_from <= today]
    coming = [one for one in versions if one.valid_from is not None and one.valid_from > today]
    # A later version holds on all days from its own on, and so replaces those that would have begun after it.
    lasting = [one for number, one in enumerate(coming) if not _replaced(one, coming[number + 1 :])]
    return OfficeHoursTold(
        version=versions[-1].version if versions else 0, today=begun[-1] if begun else usual, coming=lasting
    )


def _replaced(one: OfficeHours, later: list[OfficeHours]) -> bool:
    return any(other.valid_from <= one.valid_from for other in later if other.valid_from and one.valid_from)


# Two changes at once would give the same version twice.
LOCK = "select district from district where district = $1 for no key update"
CHANGED_BEFORE = "select thing, actor, request from history where district = $1 and id = $2"
NEWEST = "select version, digest from office_hours where district = $1 order by version desc limit 1"
STORE = """
insert into office_hours (district, version, valid_from, week, digest, recorded_at) values ($1, $2, $3, $4, $5, $6)
"""


async def change(
    conn: Connection, reader: Reader, district: District, draft: OfficeHoursDraft, now: datetime
) -> OfficeHoursTold:
    """Let other office hours hold from a day on; the same draft again changes nothing more. Due times that stand stay.

    Raises NotAllowed, IdTaken, StaleVersion, OpeningsOverlap, NeverOpen or ValidTooEarly."""
    reader.require("administrator")
    await conn.execute(LOCK, district.district)
    thing, request = uuid5(_NAMESPACE, str(district.district)), request_digest(draft)
    before = await conn.fetchrow(CHANGED_BEFORE, district.district, draft.id)
    if before is not None:
        if (before["thing"], before["actor"], before["request"]) != (thing, str(reader.member), request):
            raise IdTaken("id")
        return await read(conn, district, now)
    newest = await conn.fetchrow(NEWEST, district.district)
    version, digest = (newest["version"], newest["digest"]) if newest else (0, b"")
    if draft.expected_version != version:
        raise StaleVersion("expected_version", version=version)
    _refuse_unfit(draft, now.astimezone(district.zone).date())
    week = [
        [(time.fromisoformat(opening.opens), time.fromisoformat(opening.closes)) for opening in day]
        for day in _days(draft.week)
    ]
    told = msgspec.json.encode((draft.valid_from, week))
    chained = hashlib.sha256(digest + told)
    await conn.execute(STORE, district.district, version + 1, draft.valid_from, week, chained.digest(), now)
    event = event_row(
        district=district.district,
        id=draft.id,
        kind="calendar",
        thing=thing,
        version=version + 1,
        event="office_hours",
        actor=Actor("member", str(reader.member)),
        happened_at=now,
        recorded_at=now,
        facts={"valid_from": draft.valid_from, "week": week, "digest": chained.hexdigest()},
        request=request,
    )
    await history.append(conn, [event], [])
    return await read(conn, district, now)


def _refuse_unfit(draft: OfficeHoursDraft, today: date) -> None:
    if draft.valid_from <= today:
        raise ValidTooEarly("valid_from", earliest=(today + timedelta(days=1)).isoformat())
    for name, day in zip(Week.__struct_fields__, _days(draft.week), strict=True):
        ends = [moment for opening in day for moment in (opening.opens, opening.closes)]
        if ends != sorted(ends) or any(opening.opens == opening.closes for opening in day):
            raise OpeningsOverlap(f"week.{name}")
    if draft.week == Week():
        raise NeverOpen("week")


def _days(week: Week) -> tuple[Day, ...]:
    return tuple(getattr(week, name) for name in Week.__struct_fields__)


def _week(stored: object) -> Week:
    return _of_clock(msgspec.convert(stored, clock.Week))


def _of_clock(week: clock.Week) -> Week:
    return Week(*([Opening(f"{opens:%H:%M}", f"{closes:%H:%M}") for opens, closes in day] for day in week))
