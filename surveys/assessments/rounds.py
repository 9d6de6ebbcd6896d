"""Rounds of ratings: by which instrument, of what time, who is rated, and until when each step lasts."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, ClassVar, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys import cursors, history
from surveys.assessments import round_standing, round_steps
from surveys.assessments.instruments import SubjectKind
from surveys.assessments.round_standing import Standing
from surveys.assessments.round_steps import Period, PeriodKind, Step
from surveys.history import Actor, event_row, request_digest, text_row
from surveys.people.people import Reader
from surveys.refusals import (
    Conflict,
    IdTaken,
    NotAllowed,
    NotFound,
    StaleVersion,
)

ScopeKind = Literal["district", "organisation", "street", "community"]


class RoundCancelled(Conflict):
    """A round that was cancelled is only read."""

    code: ClassVar[str] = "round_cancelled"


class Changed(Struct, frozen=True, kw_only=True):
    """What a change of a round led to."""

    id: UUID
    version: int


class Round(Struct, frozen=True, kw_only=True):
    """A round as it is kept."""

    district: int
    id: UUID
    version: int
    name: str
    instrument: str
    instrument_version: str
    subject_kind: SubjectKind
    period: PeriodKind
    starts_on: date
    ends_on: date
    scope_kind: ScopeKind
    scope: str
    peers: int
    seed: int
    late_leaders: bool
    stars_public: bool
    organiser: UUID
    opens_at: datetime
    self_until: datetime
    people_until: datetime
    peers_until: datetime
    leaders_until: datetime
    first_at: datetime
    appeals_until: datetime
    decisions_until: datetime
    drawn_at: datetime | None
    cancelled_at: datetime | None
    published_at: datetime | None

    @property
    def of(self) -> Period:
        """The month or quarter that it is about."""
        return Period(self.period, self.starts_on)

    def step(self, now: datetime) -> Step:
        """The step that is under way."""
        return round_steps.step(self, now)


ROUND = """
select r.district, r.id, r.version, coalesce(t.body->>'name', '') as name, r.instrument, r.instrument_version,
  r.subject_kind, r.period, r.starts_on, r.ends_on, r.scope_kind, r.scope, r.peers, r.seed, r.late_leaders,
  r.stars_public, r.organiser, r.opens_at, r.self_until, r.people_until, r.peers_until, r.leaders_until, r.first_at,
  r.appeals_until, r.decisions_until, r.drawn_at, r.cancelled_at, r.published_at
from rating_round r
left join text_version t on t.district = r.district and t.subject = r.id and t.version = r.text_version
"""
ONE = f"{ROUND} where r.district = $1 and r.id = $2"


async def one(conn: Connection, district: int, round_: UUID) -> Round:
    """A round, for who has been let to it. Raises NotFound."""
    row = await conn.fetchrow(ONE, district, round_)
    if row is None:
        raise NotFound
    return Round(**row)


async def seen(conn: Connection, reader: Reader, round_: UUID) -> Round:
    """A round as all who work here may see it. Raises NotAllowed and NotFound."""
    await round_standing.of_reader(conn, reader)
    return await one(conn, reader.district, round_)


async def locked(conn: Connection, district: int, round_: UUID) -> Round:
    """A round whose row nobody else changes until the transaction ends. Raises NotFound."""
    row = await conn.fetchrow(f"{ONE} for no key update of r", district, round_)
    if row is None:
        raise NotFound
    return Round(**row)


class Organised(Struct, frozen=True):
    """A round, and what the reader is to it: whether they organise it as a whole."""

    round: Round
    standing: Standing
    organises: bool


async def organised(conn: Connection, reader: Reader, round_: UUID) -> Organised:
    """A round with what the reader is to it; those who look after nobody are not let to it.

    Raises NotAllowed and NotFound."""
    standing = await round_standing.of_reader(conn, reader)
    if standing.within is not None and not standing.within:
        raise NotAllowed
    found = await one(conn, reader.district, round_)
    return Organised(found, standing, organises(standing, found))


def organises(standing: Standing, found: Round) -> bool:
    """Whether the reader extends and publishes this round."""
    if not standing.organises:
        return False
    if standing.within is None or found.organiser == standing.reader.member:
        return True
    return found.scope_kind == "organisation" and UUID(found.scope) in standing.within


class Cursor(Struct, frozen=True, array_like=True):
    """Where a page ended."""

    opens_at: datetime
    id: UUID


class RoundPage(Struct, frozen=True, kw_only=True):
    """A part of the rounds, the latest to open first; `total` counts all parts."""

    items: list[Round]
    next: str | None
    total: int | None = None


PAGE = f"""
{ROUND} where r.district = $1 and ($2::timestamptz is null or (r.opens_at, r.id) < ($2, $3))
order by r.opens_at desc, r.id desc limit $4
"""


async def page(conn: Connection, reader: Reader, *, limit: int = 50, cursor: str | None = None) -> RoundPage:
    """The rounds of the district: that there are rounds is known to all who work here. Raises NotAllowed and
    InvalidCursor."""
    await round_standing.of_reader(conn, reader)
    after = cursors.read(cursor, Cursor) if cursor else None
    rows = await conn.fetch(PAGE, reader.district, after and after.opens_at, after and after.id, limit + 1)
    items = [Round(**row) for row in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    total = await conn.fetchval("select count(*) from rating_round where district = $1", reader.district)
    return RoundPage(items=items, next=cursors.write(Cursor(last.opens_at, last.id)) if last else None, total=total)


# --- changing one


async def to_change(
    conn: Connection, reader: Reader, round_: UUID, id_: UUID, expected: int, asked: object
) -> tuple[Round, Changed | None]:
    """The round, locked, that this reader may change now; and the answer that they had before, if they had one.

    Raises NotAllowed, NotFound, RoundCancelled, StaleVersion and IdTaken."""
    standing = await round_standing.of_reader(conn, reader)
    if not standing.organises:
        raise NotAllowed
    found = await locked(conn, reader.district, round_)
    if not organises(standing, found):
        raise NotAllowed
    if before := await asked_before(conn, reader, id_, round_, asked):
        return found, before
    if found.cancelled_at is not None:
        raise RoundCancelled(cancelled_at=found.cancelled_at.isoformat())
    if expected != found.version:
        raise StaleVersion("expected_version", version=found.version)
    return found, None


# --- its history

ASKED_BEFORE = "select thing, actor, request, version from history where district = $1 and id = $2"


async def asked_before(conn: Connection, reader: Reader, id_: UUID, thing: UUID, asked: object) -> Changed | None:
    """The answer that a request got the first time. Raises IdTaken for another request of this id."""
    first = await conn.fetchrow(ASKED_BEFORE, reader.district, id_)
    if first is None:
        return None
    if (first["actor"], first["request"], first["thing"]) != (str(reader.member), request_digest(asked), thing):
        raise IdTaken("id")
    return Changed(id=first["thing"], version=first["version"])


async def tell(
    conn: Connection,
    reader: Reader,
    changed: Changed,
    event: str,
    asked: Any,
    facts: Mapping[str, object],
    now: datetime,
    *,
    reason: str = "",
    texts: Sequence[dict[str, object]] = (),
) -> None:
    """Append what was done to a round, or to something of it, to the history."""
    told, all_texts = dict(facts), list(texts)
    if reason.strip():
        text, told["reason_digest"] = text_row(reader.district, asked.id, 1, {"reason": reason}, now)
        all_texts.append(text)
    row = event_row(
        district=reader.district,
        id=asked.id,
        kind="round",
        thing=changed.id,
        version=changed.version,
        event=event,
        actor=Actor("member", str(reader.member)),
        happened_at=now,
        recorded_at=now,
        facts=told,
        request=request_digest(asked),
    )
    await history.append(conn, [row], all_texts)


async def zone_of(conn: Connection, district: int) -> ZoneInfo:
    """The zone by whose days the district reckons. Raises NotFound."""
    name = await conn.fetchval("select time_zone from district where district = $1", district)
    if name is None:
        raise NotFound
    return ZoneInfo(name)
