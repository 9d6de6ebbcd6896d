"""What was filed although something about it was not in order: looked at, and settled, by who answers for the place."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, Entry, occurrence, request_digest, text_row
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.refusals import IdTaken, Missing, NotAllowed, NotFound, NothingChanges
from surveys.visits.receipts import Flag
from surveys.visits.visit_corrections import answers_for
from surveys.visits.visit_query import within

EVENT = "settle_flags"
MOST_SHOWN = 20


class FlagTold(Struct, frozen=True):
    """A flag of a visit, and since when it is settled."""

    flag: Flag
    settled_at: datetime | None


class FlagsSettled(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which flags of a visit are settled, and what was found out."""

    id: UUID
    flags: Annotated[tuple[Flag, ...], Meta(min_length=1)]
    reason: Annotated[str, Meta(min_length=1, max_length=5_000)]


OF_VISIT = "select flag, settled_at from visit_flag where district = $1 and visit = $2 order by flag"
LOCK = """
select v.id, v.community, (select c.street from community c where c.district = v.district and c.code = v.community)
  as street
from visit v where v.district = $1 and {reached} and v.id = {visit} for update of v
"""
SETTLED_BEFORE = "select actor, facts->>'about' as visit, request from history where district = $1 and id = $2"
SETTLE = """
update visit_flag set settled_at = $4 where district = $1 and visit = $2 and flag = any($3) and settled_at is null
returning flag
"""


async def of_visit(conn: Connection, district: int, visit: UUID) -> list[FlagTold]:
    """The flags of a visit that the caller has made sure the reader may see."""
    return [FlagTold(row["flag"], row["settled_at"]) for row in await conn.fetch(OF_VISIT, district, visit)]


async def settlements(conn: Connection, district: int, visit: UUID) -> Sequence[Entry]:
    """By whom flags of such a visit were settled, the newest first."""
    return [entry for entry in await history.about(conn, district, "visit", visit, MOST_SHOWN) if entry.event == EVENT]


async def settle(conn: Connection, reader: Reader, visit: UUID, draft: FlagsSettled, now: datetime) -> list[FlagTold]:
    """Settle flags with a reason; the same draft again gets what stands. Raises NotFound, NotAllowed, Missing, IdTaken,
    or NothingChanges where none of them waits."""
    reached, parameter = within(await scopes.reach(conn, reader))
    row = await conn.fetchrow(LOCK.format(reached=reached, visit=parameter(visit)), *parameter.values)
    if row is None:
        raise NotFound
    actor, request = Actor("member", str(reader.member)), request_digest(draft)
    if before := await conn.fetchrow(SETTLED_BEFORE, reader.district, draft.id):
        if (before["actor"], before["visit"], before["request"]) != (actor.id, str(visit), request):
            raise IdTaken("id")
        return await of_visit(conn, reader.district, visit)
    if not answers_for(reader, row["community"], row["street"]):
        raise NotAllowed
    if not draft.reason.strip():
        raise Missing("reason")
    settled = [one["flag"] for one in await conn.fetch(SETTLE, reader.district, visit, list(draft.flags), now)]
    if not settled:
        raise NothingChanges
    text, digest = text_row(reader.district, draft.id, 1, {"reason": draft.reason}, now)
    facts = {"flags": sorted(settled), "reason_digest": digest}
    event = occurrence(
        district=reader.district, kind="visit", event=EVENT, actor=actor, now=now, about=visit, facts=facts, id=draft.id
    )
    await history.append(conn, [{**event, "request": history.bytea(request)}], [text])
    return await of_visit(conn, reader.district, visit)
