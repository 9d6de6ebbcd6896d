"""Putting right what is known of an issue: what it is about, how urgent it is, where it is, and whom to ask."""

from datetime import datetime

import msgspec
from asyncpg import Connection

from surveys import history
from surveys.clock import calendars, deadlines
from surveys.issues import categories, moves, placing
from surveys.issues.issues import IssueRow
from surveys.issues.moves import Correction, Making, Outcome
from surveys.issues.placing import Atlas, ToPlace
from surveys.people import people
from surveys.privacy import contacts
from surveys.refusals import Missing, TextUnusable, UnknownCategory, UnknownCommunity


async def correct(conn: Connection, making: Making) -> Outcome:
    """Raises Missing for a correction of nothing, and Invalid with the field."""
    correction, now = making.draft.correction or Correction(), making.now
    if correction == Correction():
        raise Missing("correction", move="correct")
    facts: dict[str, object] = {}
    if correction.contact is not None:
        facts["contact"] = "removed" if correction.contact.blank else "told"
        if not correction.contact.blank:
            contacts.check(correction.contact, "correction.contact")
    row = await _correct_limit(conn, making.row, correction, now)
    row = await _correct_place(conn, making.atlas, row, correction, now)
    if correction.title is None and correction.description is None:
        return Outcome(row=row, facts=facts)
    if correction.title is not None and not correction.title.strip():
        raise TextUnusable("correction.title")
    present = await history.text(conn, row.district, row.id, row.text_version)
    texts = {
        "title": correction.title if correction.title is not None else present.get("title"),
        "description": correction.description if correction.description is not None else present.get("description"),
    }
    return Outcome(row=row, texts=texts, facts=facts)


async def _correct_limit(conn: Connection, row: IssueRow, correction: Correction, now: datetime) -> IssueRow:
    """Another category or urgency has another limit, counted from when the clock started."""
    if correction.category is None and correction.urgency is None:
        return row
    code, urgency = correction.category or row.category, correction.urgency or row.urgency
    known = await categories.in_force(conn, row.district, now, [code])
    if code not in known or urgency not in known[code].limits:
        raise UnknownCategory("correction.category", given=code)
    limit = known[code].limits[urgency]
    calendar = await calendars.in_force(conn, row.district, now)
    pauses = await deadlines.pauses_of(conn, row.district, [row.id])
    changed = deadlines.of_other_limit(calendar, row, limit, pauses.get(row.id, ()))
    return msgspec.structs.replace(row, category=code, urgency=urgency, **changed)


async def _correct_place(
    conn: Connection, atlas: Atlas, row: IssueRow, correction: Correction, now: datetime
) -> IssueRow:
    """A new place is looked up in the boundaries of the day of the report; while nobody has accepted the issue, its
    owner follows the place."""
    if correction.position is None and correction.community is None and correction.place_settled is None:
        return row
    settled_at = placing.settled(correction.community, correction.place_settled, now)
    placing.check(correction.position, "correction.position")
    community = placing.named(correction.community)
    if community is not None and not await placing.community_exists(conn, row.district, community):
        raise UnknownCommunity("correction.community", given=correction.community)
    row = msgspec.structs.replace(row, place_settled_at=settled_at)
    if correction.position is not None:
        placed = placing.place(atlas, row.district, [ToPlace(correction.position, community, row.reported_at)])[0]
        row = msgspec.structs.replace(row, **msgspec.structs.asdict(placed))
    elif correction.community is not None:
        row = msgspec.structs.replace(row, community=community)
    if row.state != "reported":
        return row
    owner = await people.first_handler(conn, row.district, row.community, now)
    if row.asked_by == row.owner != owner:
        row = moves.answered(row)
    return msgspec.structs.replace(row, owner=owner)
