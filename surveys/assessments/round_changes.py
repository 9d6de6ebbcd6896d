"""Making rounds, letting a step last longer, breaking one off, and publishing what came of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.assessments import instruments, round_standing, round_steps, rounds
from surveys.assessments.round_standing import Standing
from surveys.assessments.round_steps import DATED, Dated, StepClosed
from surveys.assessments.rounds import Changed, ScopeKind, asked_before, tell
from surveys.history import text_row
from surveys.people import organisations
from surveys.people.people import Reader
from surveys.refusals import (
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    NothingChanges,
    TextUnusable,
    TimeBeforeAll,
    TimeInFuture,
    TimeInPast,
    UnknownArea,
    UnknownOrganisation,
)

MOST_PEERS = 20
YEARS = range(2000, 3000)

Moment = Annotated[datetime, Meta(tz=True)]
Name = Annotated[str, Meta(min_length=1, max_length=100)]
Reason = Annotated[str, Meta(min_length=1, max_length=5_000)]
Code = Annotated[str, Meta(min_length=1, max_length=100)]


class UnknownInstrument(Invalid):
    """No instrument of this id and version."""

    code: ClassVar[str] = "unknown_instrument"


class NoFinalResult(Conflict):
    """The final result has not been worked out yet."""

    code: ClassVar[str] = "no_final_result"


class RoundDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A new round. `period` is written as 2026-09 or 2026-Q3; `scope` is the code or id of what `scope_kind` says."""

    id: UUID
    name: Name
    instrument: Code
    instrument_version: Code
    period: Annotated[str, Meta(max_length=10)]
    scope_kind: ScopeKind = "district"
    scope: Annotated[str, Meta(max_length=100)] = ""
    peers: Annotated[int, Meta(ge=0, le=MOST_PEERS)] = 3
    late_leaders: bool = False
    stars_public: bool = False
    opens_at: Moment
    self_until: Moment
    people_until: Moment
    peers_until: Moment
    leaders_until: Moment
    first_at: Moment
    appeals_until: Moment
    decisions_until: Moment


class Extension(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step that closes later than was said, and why; the steps after it move along as far as they must."""

    id: UUID
    expected_version: int
    step: Dated
    until: Moment
    reason: Reason


class Ending(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a round is cancelled, or that its final result is published."""

    id: UUID
    expected_version: int
    reason: Annotated[str, Meta(max_length=5_000)] = ""


# --- making one

MAKE = """
insert into rating_round (district, id, version, instrument, instrument_version, subject_kind, text_version, period,
  starts_on, ends_on, scope_kind, scope, peers, seed, late_leaders, stars_public, organiser, opens_at, self_until,
  people_until, peers_until, leaders_until, first_at, appeals_until, decisions_until, recorded_at)
values ($1, $2, 1, $3, $4, $5, 1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
  $24)
"""


async def make(conn: Connection, reader: Reader, draft: RoundDraft, now: datetime) -> Changed:
    """Make a round; the same draft again gets its first answer. Who is rated by whom is drawn when it opens, by a
    number that follows from its id.

    Raises NotAllowed, UnknownInstrument, UnknownOrganisation, UnknownArea, TimesReversed, TextUnusable, IdTaken and
    InvalidFilter."""
    standing = await round_standing.of_reader(conn, reader)
    if not standing.organises:
        raise NotAllowed
    if before := await asked_before(conn, reader, draft.id, draft.id, draft):
        return before
    name = " ".join(draft.name.split())
    if not name or not name.isprintable():
        raise TextUnusable("name")
    period = round_steps.period(draft.period)
    dates = _dates(draft, now)
    await _refuse_unknown_scope(conn, standing, draft)
    try:
        instrument = await instruments.of_version(conn, reader.district, draft.instrument, draft.instrument_version)
    except NotFound:
        raise UnknownInstrument("instrument", given=draft.instrument) from None
    seed = draft.id.int & (2**63 - 1)
    columns = (
        draft.instrument,
        draft.instrument_version,
        instrument.subject_kind,
        period.kind,
        period.first,
        period.last,
    )
    rules = (draft.scope_kind, draft.scope, draft.peers, seed, draft.late_leaders, draft.stars_public, reader.member)
    await conn.execute(MAKE, reader.district, draft.id, *columns, *rules, *dates.values(), now)
    text, digest = text_row(reader.district, draft.id, 1, {"name": name}, now)
    facts = {
        "instrument": draft.instrument,
        "instrument_version": draft.instrument_version,
        "period": period.name,
        "scope": [draft.scope_kind, draft.scope],
        "text_version": 1,
        "text_digest": digest,
        **dates,
    }
    await tell(conn, reader, Changed(id=draft.id, version=1), "make", draft, facts, now, texts=[text])
    return Changed(id=draft.id, version=1)


def _dates(draft: RoundDraft, now: datetime) -> dict[str, datetime]:
    dates = {name: getattr(draft, name) for name in ("opens_at", *DATED)}
    for name, moment in dates.items():
        if moment.year < YEARS[0]:
            raise TimeBeforeAll(name)
        if moment.year not in YEARS:
            raise TimeInFuture(name)
    round_steps.refuse_out_of_order(dates)
    if draft.self_until <= now:
        raise TimeInPast("self_until")
    return dates


AREA_EXISTS = """
select exists (select from street where district = $1 and $2 = 'street' and code = $3)
    or exists (select from community where district = $1 and $2 = 'community' and code = $3)
"""


async def _refuse_unknown_scope(conn: Connection, standing: Standing, draft: RoundDraft) -> None:
    district = standing.reader.district
    if draft.scope_kind == "organisation":
        try:
            organisation = UUID(draft.scope)
        except ValueError:
            raise UnknownOrganisation("scope", given=draft.scope) from None
        await organisations.refuse_unknown(conn, standing.reader, organisation, "scope")
    elif standing.within is not None:
        raise UnknownOrganisation("scope", given=draft.scope)  # an organiser's rounds are of what hangs below them
    elif draft.scope_kind != "district" and (
        "\x00" in draft.scope or not await conn.fetchval(AREA_EXISTS, district, draft.scope_kind, draft.scope)
    ):
        raise UnknownArea("scope", given=draft.scope)


# --- changing one

EXTEND = """
update rating_round set version = $3, self_until = $4, people_until = $5, peers_until = $6, leaders_until = $7,
  first_at = $8, appeals_until = $9, decisions_until = $10
where district = $1 and id = $2
"""


async def extend(conn: Connection, reader: Reader, round_: UUID, asked: Extension, now: datetime) -> Changed:
    """Let a step close later; the steps after it move along as far as they must. What was worked out is not undone:
    once there is a first result, only appeals and decisions are extended.

    Raises NotAllowed, NotFound, StaleVersion, StepClosed, NothingChanges, TimeInPast and IdTaken."""
    found, before = await rounds.to_change(conn, reader, round_, asked.id, asked.expected_version, asked)
    if before:
        return before
    was: Mapping[str, datetime] = {name: getattr(found, name) for name in DATED}
    if asked.until <= was[asked.step]:
        raise NothingChanges("until")
    if asked.until <= now or asked.until.year not in YEARS:
        raise TimeInPast("until") if asked.until <= now else TimeInFuture("until")
    if (early := DATED.index(asked.step) <= DATED.index("first_at")) and now >= found.first_at:
        raise StepClosed("step", step=asked.step, closed_at=found.first_at.isoformat())
    if not early and now >= was["decisions_until"]:
        raise StepClosed("step", step=asked.step, closed_at=was["decisions_until"].isoformat())
    dates = _moved(was, asked)
    changed = Changed(id=round_, version=found.version + 1)
    await conn.execute(EXTEND, reader.district, round_, changed.version, *dates.values())
    facts = {"step": asked.step, "before": was, "after": dates}
    await tell(conn, reader, changed, "extend", asked, facts, now, reason=asked.reason)
    return changed


def _moved(was: Mapping[str, datetime], asked: Extension) -> dict[str, datetime]:
    """The dates once one is later: those after it keep the time that they were to last where they are overtaken."""
    dates = dict(was)
    at = DATED.index(asked.step)
    dates[asked.step] = asked.until
    for place in range(at + 1, len(DATED)):
        name, before = DATED[place], DATED[place - 1]
        dates[name] = max(was[name], dates[before] + (was[name] - was[before]))
        if dates[name] == was[name]:
            break
    return dates


CANCEL = "update rating_round set version = $3, cancelled_at = $4 where district = $1 and id = $2"
PUBLISH = "update rating_round set version = $3, published_at = $4 where district = $1 and id = $2"
FINAL = """
select version from round_computation
where district = $1 and round = $2 and kind = 'final' and ready_at is not null order by version desc limit 1
"""


async def cancel(conn: Connection, reader: Reader, round_: UUID, asked: Ending, now: datetime) -> Changed:
    """Break a round off; what was given stays, and is worked out no more. Raises what `extend` does."""
    found, before = await rounds.to_change(conn, reader, round_, asked.id, asked.expected_version, asked)
    if before:
        return before
    if found.published_at is not None:
        raise StepClosed("id", step="over", closed_at=found.published_at.isoformat())
    changed = Changed(id=round_, version=found.version + 1)
    await conn.execute(CANCEL, reader.district, round_, changed.version, now)
    await tell(conn, reader, changed, "cancel", asked, {"cancelled_at": now}, now, reason=asked.reason)
    return changed


async def publish(conn: Connection, reader: Reader, round_: UUID, asked: Ending, now: datetime) -> Changed:
    """Show the final result to all whom it concerns. Raises NoFinalResult, NothingChanges, and what `extend` does."""
    found, before = await rounds.to_change(conn, reader, round_, asked.id, asked.expected_version, asked)
    if before:
        return before
    if found.published_at is not None:
        raise NothingChanges
    version = await conn.fetchval(FINAL, reader.district, round_)
    if version is None:
        raise NoFinalResult(decisions_until=found.decisions_until.isoformat())
    changed = Changed(id=round_, version=found.version + 1)
    await conn.execute(PUBLISH, reader.district, round_, changed.version, now)
    await tell(conn, reader, changed, "publish", asked, {"computation": version}, now, reason=asked.reason)
    return changed
