"""What a city app reports for a resident: an issue like any other, within the app's scope and its reports of a day."""

import math
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import ClassVar
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys.intake import outside_reports
from surveys.intake.integrations import App
from surveys.intake.outside_reports import Reported, Sender
from surveys.issues import placing
from surveys.issues.placing import Atlas, Position, ToPlace
from surveys.privacy import contacts
from surveys.privacy.contacts import Contact
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotAllowed, Refusal, TextUnusable, UnknownCommunity


class OutsideScope(NotAllowed):
    """The place lies outside of what this app reports for."""

    code: ClassVar[str] = "outside_scope"


class DailyLimitReached(Refusal):
    """The app has filed as many reports today as it may; `seconds` until the next day begins."""

    code: ClassVar[str] = "daily_limit_reached"


class AppReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem as an app sends it. `external_id` is the app's own name for it, by which a retry is known."""

    category: str
    text: str
    urgent: bool = False
    position: Position | None = None
    community: str | None = None
    contact: Contact | None = None
    external_id: str | None = None


async def report(
    conn: Connection,
    atlas: Atlas,
    ring: KeyRing,
    numbers: Iterator[int],
    app: App,
    asked: AppReport,
    zone: ZoneInfo,
    now: datetime,
) -> tuple[Reported, bool]:
    """Make an issue of a report, and say whether it is new: the same report under the same name gets its first answer.
    The app is held, as `integrations.of_key` holds who files.

    Raises OutsideScope, DailyLimitReached, IdTaken, or Invalid with the field."""
    sender = Sender(district=app.district, source="app", actor=app.actor, columns={"integration": app.id})
    id_, digest = _id(app, asked), outside_reports.digest(ring, asked, asked.contact)
    if before := await outside_reports.filed_before(conn, sender, id_, digest):
        return before, False
    await _check(conn, app, asked)
    place = placing.place(atlas, app.district, [ToPlace(asked.position, asked.community, now)])[0]
    if not app.reaches(place.community):
        raise OutsideScope("community")
    await _refuse_over(conn, app, zone, now)
    told = outside_reports.Report(
        id=id_,
        category=asked.category,
        text=asked.text,
        urgent=asked.urgent,
        contact=asked.contact,
        digest=digest,
    )
    return await outside_reports.file(conn, ring, numbers, sender, told, place, now), True


def _id(app: App, asked: AppReport) -> UUID:
    return uuid5(app.id, asked.external_id) if asked.external_id else uuid4()


async def _check(conn: Connection, app: App, asked: AppReport) -> None:
    if not asked.text.strip():
        raise TextUnusable("description")
    if asked.contact is not None:
        contacts.check(asked.contact, "contact")
    placing.check(asked.position, "position")
    if asked.community is not None and not await placing.community_exists(conn, app.district, asked.community):
        raise UnknownCommunity("address_id", given=asked.community)


FILED = "select count(*) from issue where district = $1 and integration = $2 and reported_at >= $3"


async def _refuse_over(conn: Connection, app: App, zone: ZoneInfo, now: datetime) -> None:
    begun = datetime.combine(now.astimezone(zone).date(), time(), zone)
    if await conn.fetchval(FILED, app.district, app.id, begun) >= app.daily_limit:
        left = begun + timedelta(days=1) - now
        raise DailyLimitReached(seconds=max(1, math.ceil(left.total_seconds())), most=app.daily_limit)
