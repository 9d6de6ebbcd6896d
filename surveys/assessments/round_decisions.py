"""What is decided above on the stars of who was rated, and working a round's results out anew."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.assessments import appeals, instruments, round_standing, rounds
from surveys.assessments.round_steps import StepNotOpen
from surveys.assessments.rounds import Changed, tell
from surveys.people.people import Reader
from surveys.refusals import Conflict, Invalid, NotFound

Reason = Annotated[str, Meta(min_length=1, max_length=5_000)]


class StarsUnfit(Invalid):
    """More stars than the instrument gives."""

    code = "stars_unfit"


class WorkingOut(Conflict):
    """The results are being worked out already."""

    code = "working_out"


class Decision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many stars somebody has, as they were worked out or otherwise, and why."""

    id: UUID
    stars: Annotated[int, Meta(ge=0, le=5)]
    reason: Reason


class Recomputation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the results are worked out anew."""

    id: UUID
    expected_version: int
    reason: Reason


# The result that a decision is about: the newest that is ready.
WORKED_OUT = """
select r.stars, s.organisation,
  (select count(*) from round_decision d where d.district = $1 and d.round = $2 and d.subject = $3) as decisions
from round_subject s
join round_result r on r.district = $1 and r.round = $2 and r.subject = $3 and r.version = (
  select max(c.version) from round_computation c where c.district = $1 and c.round = $2 and c.ready_at is not null)
where s.district = $1 and s.round = $2 and s.subject = $3
"""
ADD = """
insert into round_decision (district, id, round, subject, number, stars, before, decided_by, decided_at, recorded_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
"""


async def decide(
    conn: Connection, reader: Reader, round_: UUID, subject: UUID, decision: Decision, now: datetime
) -> Changed:
    """Confirm or change somebody's stars; the latest decision holds, and both are shown. The same again gets its first
    answer. Raises NotFound, NotAllowed, RatedItThemselves, StepNotOpen, StepClosed, StarsUnfit, TextUnusable and
    IdTaken."""
    standing = await round_standing.of_reader(conn, reader)
    found = await rounds.locked(conn, reader.district, round_)
    if before := await rounds.asked_before(conn, reader, decision.id, decision.id, decision):
        return before
    row = await conn.fetchrow(WORKED_OUT, reader.district, round_, subject)
    if row is None:
        raise StepNotOpen("round", step="decisions", opens_at=found.first_at.isoformat())
    if not standing.reaches(row["organisation"]):
        raise NotFound
    await appeals.refuse_who_rated(conn, standing, found, subject)
    appeals.refuse_decided(found, now)
    appeals.refuse_blank("reason", decision.reason)
    instrument = await instruments.of_version(conn, found.district, found.instrument, found.instrument_version)
    most = max((star.stars for star in instrument.stars), default=0)
    if decision.stars > most:
        raise StarsUnfit("stars", most=most)
    columns = (row["decisions"] + 1, decision.stars, row["stars"], reader.member, now)
    await conn.execute(ADD, reader.district, decision.id, round_, subject, *columns)
    changed = Changed(id=decision.id, version=1)
    facts = {"round": round_, "subject": subject, "stars": decision.stars, "before": row["stars"]}
    await tell(conn, reader, changed, "decide", decision, facts, now, reason=decision.reason)
    return changed


PUT_DOWN = """
insert into round_computation (district, round, version, kind, taken_at, known_at, recorded_at)
select $1, $2, max(version) + 1, (array_agg(kind order by version desc))[1], $3, $3, $3
from round_computation where district = $1 and round = $2
having bool_and(ready_at is not null) returning version
"""
VERSION = "update rating_round set version = $3 where district = $1 and id = $2"
ANY = "select exists (select from round_computation where district = $1 and round = $2)"


async def recompute(conn: Connection, reader: Reader, round_: UUID, asked: Recomputation, now: datetime) -> Changed:
    """Put down that a round's results are worked out anew, as after an appeal was upheld: a version of their own, and
    the one before stays. The same again gets its first answer.

    Raises NotAllowed, NotFound, StaleVersion, StepNotOpen, StepClosed, WorkingOut, TextUnusable and IdTaken."""
    found, before = await rounds.to_change(conn, reader, round_, asked.id, asked.expected_version, asked)
    if before:
        return before
    appeals.refuse_blank("reason", asked.reason)
    if found.published_at is not None:
        appeals.refuse_decided(found, now)
    version = await conn.fetchval(PUT_DOWN, reader.district, round_, now)
    if version is None:
        if await conn.fetchval(ANY, reader.district, round_):
            raise WorkingOut
        raise StepNotOpen("round", step="first_result", opens_at=found.first_at.isoformat())
    changed = Changed(id=round_, version=found.version + 1)
    await conn.execute(VERSION, reader.district, round_, changed.version)
    await tell(conn, reader, changed, "recompute", asked, {"computation": version}, now, reason=asked.reason)
    return changed
