"""Absences: while somebody is away their deputy answers for what is new, and what they own goes on when they go."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, request_digest, text_row
from surveys.issues import handing_on
from surveys.people import members, organisations
from surveys.people.member_changes import UPDATE, Changed, Reason, Word, asked_before, deputy_of, event, locked
from surveys.people.people import Reader
from surveys.refusals import (
    AbsenceOverlaps,
    MemberLeft,
    Missing,
    TimeBeforeAll,
    TimeInFuture,
    TimesReversed,
)

JOB = Actor("job", "begin_absences")
FIRST_YEAR, LAST_YEAR = 2000, 2999  # that an absence can be in

Moment = Annotated[datetime, Meta(tz=True)]


class AbsenceDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An absence as it is asked for; `deputy` is a member's id or number."""

    id: UUID
    deputy: Word
    starts_at: Moment
    ends_at: Moment
    reason: Reason | None = None


class Absence(Struct, frozen=True, kw_only=True):
    """When a member is away, and who stands in."""

    id: UUID
    deputy: UUID
    deputy_name: str
    starts_at: datetime
    ends_at: datetime
    handed_on_at: datetime | None
    cancelled_at: datetime | None


OF_MEMBER = """
select a.id, a.deputy, m.name as deputy_name, a.starts_at, a.ends_at, a.handed_on_at, a.cancelled_at
from member_absence a join member m on m.district = a.district and m.id = a.deputy
where a.district = $1 and a.member = $2 order by a.starts_at desc, a.id
"""


async def of_member(conn: Connection, district: int, member: UUID) -> list[Absence]:
    """A member's absences, the latest first; that the reader may know of them is the caller's to see to."""
    return [Absence(**row) for row in await conn.fetch(OF_MEMBER, district, member)]


OVERLAPPING = """
select exists (select from member_absence
  where district = $1 and member = $2 and cancelled_at is null and starts_at < $4 and ends_at > $3)
"""
INSERT = """
insert into member_absence (district, id, member, deputy, starts_at, ends_at, handed_on_at, recorded_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def absent(conn: Connection, reader: Reader, member: UUID, draft: AbsenceDraft, now: datetime) -> Changed:
    """Record an absence; the same draft again gets its first answer. One that has begun hands on in this transaction
    all that the member owns; one that begins later does when it begins.

    Raises NotFound, NotAllowed, MemberLeft, UnknownMember, TimesReversed, AbsenceOverlaps or IdTaken."""
    reach = await organisations.within(conn, reader)
    await conn.execute(organisations.LOCK, reader.district)
    request = request_digest(draft)
    if before := await asked_before(conn, reader, draft.id, member, request):
        return before
    await members.manageable(conn, reader, member)
    row = await locked(conn, reader.district, member)
    if row.closed_at is not None:
        raise MemberLeft
    _refuse_wrong_times(draft, now)
    deputy = await deputy_of(conn, reader, reach, member, draft.deputy)
    if deputy is None:
        raise Missing("deputy")
    if await conn.fetchval(OVERLAPPING, row.district, member, draft.starts_at, draft.ends_at):
        raise AbsenceOverlaps("starts_at")
    begun = draft.starts_at <= now
    times = (draft.starts_at, draft.ends_at)
    await conn.execute(INSERT, row.district, draft.id, member, deputy, *times, now if begun else None, now)
    actor = Actor("member", str(reader.member))
    facts: dict[str, object] = {"deputy": deputy, "starts_at": draft.starts_at, "ends_at": draft.ends_at}
    handed_on = 0
    if begun:
        handed = await handing_on.hand_on(conn, row.district, {member: deputy}, actor, now)
        handed_on = facts["handed_on"] = handed.total
    texts = []
    if draft.reason and draft.reason.strip():
        text, facts["reason_digest"] = text_row(row.district, draft.id, 1, {"reason": draft.reason}, now)
        texts.append(text)
    row = msgspec.structs.replace(row, version=row.version + 1)
    await conn.execute(UPDATE, row.district, [row])
    await history.append(conn, [event(row, "absence", actor, now, facts, (draft.id, request))], texts)
    return Changed(id=member, version=row.version, handed_on=handed_on)


def _refuse_wrong_times(draft: AbsenceDraft, now: datetime) -> None:
    if draft.starts_at.year < FIRST_YEAR:
        raise TimeBeforeAll("starts_at")
    if draft.ends_at.year > LAST_YEAR:
        raise TimeInFuture("ends_at")
    if draft.ends_at <= max(draft.starts_at, now):
        raise TimesReversed("ends_at")


# Absences that have begun since the last look; those of members who are being changed are left to the next.
BEGUN = """
select a.id, a.member, a.deputy from member_absence a join member m on m.district = a.district and m.id = a.member
where a.district = $1 and a.cancelled_at is null and a.handed_on_at is null and a.starts_at <= $2 and a.ends_at > $2
  and m.closed_at is null
order by a.starts_at, a.id for update of a, m skip locked
"""
BEGIN = "update member_absence set handed_on_at = $3 where district = $1 and id = any($2)"

# Who left a little while ago and owns something all the same: it was filed in the moment in which they left.
LEFT_OWNING = """
select m.id from member m
where m.district = $1 and m.closed_at > $2::timestamptz - interval '1 day'
  and exists (select from issue i where i.district = $1 and i.owner = m.id
              and i.state in ('reported', 'accepted', 'assigned', 'in_progress', 'paused'))
"""


async def begin(conn: Connection, district: int, now: datetime) -> Mapping[str, object]:
    """Hand on what members own whose absence has begun, and what leavers still own; how much there was of each."""
    begun = await conn.fetch(BEGUN, district, now)
    left = await conn.fetch(LEFT_OWNING, district, now)
    away: dict[UUID, UUID | None] = {row["member"]: row["deputy"] for row in begun}
    handed = await handing_on.hand_on(conn, district, {row["id"]: None for row in left} | away, JOB, now)
    await conn.execute(BEGIN, district, [row["id"] for row in begun], now)
    return {"absences": [row["id"] for row in begun], "leavers": len(left), "handed_on": handed.total}
