"""Appeals against the first result, and what is decided above: on an item's points, and in the end on the stars.

Who decides stands above who is rated, and has not rated them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.assessments import instruments, ratings, round_standing, rounds
from surveys.assessments.instruments import Item
from surveys.assessments.rating_points import PointsUnfit, UnknownItem
from surveys.assessments.round_standing import Standing
from surveys.assessments.round_steps import StepClosed, StepNotOpen
from surveys.assessments.rounds import Changed, Round, tell
from surveys.assessments.scoring import FINE
from surveys.history import text_row
from surveys.people.people import Reader
from surveys.refusals import Conflict, Missing, NotAllowed, NotFound, StaleVersion, TextUnusable

Reason = Annotated[str, Meta(min_length=1, max_length=5_000)]
State = Literal["open", "upheld", "rejected"]


class AppealedAlready(Conflict):
    """The item has been appealed against in this round."""

    code: ClassVar[str] = "appealed_already"


class AppealDecided(Conflict):
    """An appeal is decided once."""

    code: ClassVar[str] = "appeal_decided"


class RatedItThemselves(NotAllowed):
    """Who has rated, or speaks for who is rated, does not decide."""

    code: ClassVar[str] = "rated_it_themselves"


class AppealDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Against which item's points, and why; and what that rests on."""

    id: UUID
    item: Annotated[str, Meta(min_length=1, max_length=100)]
    reason: Reason
    evidence: Annotated[str, Meta(max_length=5_000)] = ""


class Ruling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is decided on an appeal, and why; upheld, it says which points the item has."""

    id: UUID
    expected_version: int
    upheld: bool
    reason: Reason
    points: float | None = None


class Appeal(Struct, frozen=True, kw_only=True):
    """An appeal as it is read."""

    id: UUID
    version: int
    round: UUID
    subject: UUID
    subject_name: str
    item: str
    state: State
    points: Decimal | None
    reason: str
    evidence: str
    made_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    ruling: str  # why it was decided so


MAKE = """
insert into round_appeal (district, id, version, round, subject, item, state, made_by, made_at, recorded_at)
values ($1, $2, 1, $3, $4, $5, 'open', $6, $7, $7)
"""
TAKEN = "select exists (select from round_appeal where district = $1 and round = $2 and subject = $3 and item = $4)"


async def make(
    conn: Connection, reader: Reader, round_: UUID, subject: UUID, draft: AppealDraft, now: datetime
) -> Changed:
    """Appeal for oneself, or for what one speaks for; the same again gets its first answer.

    Raises NotFound, NotAllowed, StepNotOpen, StepClosed, UnknownItem, AppealedAlready, TextUnusable and IdTaken."""
    found = await rounds.locked(conn, reader.district, round_)
    if not await speaks_for(conn, found, subject, reader.member):
        raise NotAllowed
    if before := await rounds.asked_before(conn, reader, draft.id, draft.id, draft):
        return before
    await _refuse_outside_step(conn, found, now)
    await _item(conn, found, draft.item)
    refuse_blank("reason", draft.reason)
    if await conn.fetchval(TAKEN, reader.district, round_, subject, draft.item):
        raise AppealedAlready("item", given=draft.item)
    await conn.execute(MAKE, reader.district, draft.id, round_, subject, draft.item, reader.member, now)
    text, digest = text_row(reader.district, draft.id, 1, {"reason": draft.reason, "evidence": draft.evidence}, now)
    facts = {"round": round_, "subject": subject, "item": draft.item, "text_version": 1, "text_digest": digest}
    changed = Changed(id=draft.id, version=1)
    await tell(conn, reader, changed, "appeal", draft, facts, now, texts=[text])
    return changed


SPEAKS_FOR = """
select exists (select from round_rater
  where district = $1 and round = $2 and subject = $3 and rater_group = 'self' and rater = $4)
"""


async def speaks_for(conn: Connection, found: Round, subject: UUID, member: UUID) -> bool:
    """Whether a member is who is rated, or speaks for it."""
    spoken: bool = await conn.fetchval(SPEAKS_FOR, found.district, found.id, subject, member)
    return spoken


FIRST_READY = """
select exists (select from round_computation
  where district = $1 and round = $2 and kind = 'first' and ready_at is not null)
"""


async def _refuse_outside_step(conn: Connection, found: Round, now: datetime) -> None:
    if found.cancelled_at is not None or now >= found.appeals_until:
        raise StepClosed("round", step="appeals", closed_at=(found.cancelled_at or found.appeals_until).isoformat())
    if not await conn.fetchval(FIRST_READY, found.district, found.id):
        raise StepNotOpen("round", step="appeals", opens_at=found.first_at.isoformat())


async def _item(conn: Connection, found: Round, code: str) -> Item:
    instrument = await instruments.of_version(conn, found.district, found.instrument, found.instrument_version)
    for item in instrument.items:
        if item.code == code:
            return item
    raise UnknownItem("item", given=code[:60])


def refuse_blank(field: str, text: str) -> None:
    """Raises TextUnusable for a text that says nothing."""
    if not text.strip() or "\x00" in text:
        raise TextUnusable(field)


# --- deciding

LOCKED = """
select p.id, p.version, p.round, p.subject, p.item, p.state, s.organisation
from round_appeal p
join round_subject s on s.district = $1 and s.round = p.round and s.subject = p.subject
where p.district = $1 and p.round = $2 and p.id = $3 for no key update of p
"""
DECIDE = """
update round_appeal set version = $3, state = $4, points = $5, decided_by = $6, decided_at = $7
where district = $1 and id = $2
"""


async def decide(
    conn: Connection, reader: Reader, round_: UUID, appeal: UUID, ruling: Ruling, now: datetime
) -> Changed:
    """Uphold an appeal, with the points that the item has from now on, or reject it; the same again gets its first
    answer. Raises NotFound, NotAllowed, RatedItThemselves, AppealDecided, StaleVersion, StepClosed, Missing,
    PointsUnfit, TextUnusable and IdTaken."""
    standing = await round_standing.of_reader(conn, reader)
    found = await rounds.one(conn, reader.district, round_)
    row = await conn.fetchrow(LOCKED, reader.district, round_, appeal)
    if row is None or not standing.reaches(row["organisation"]):
        raise NotFound
    if before := await rounds.asked_before(conn, reader, ruling.id, appeal, ruling):
        return before
    await refuse_who_rated(conn, standing, found, row["subject"])
    if row["state"] != "open":
        raise AppealDecided(state=row["state"])
    if ruling.expected_version != row["version"]:
        raise StaleVersion("expected_version", version=row["version"])
    refuse_decided(found, now)
    refuse_blank("reason", ruling.reason)
    points = await _points(conn, found, row["item"], ruling)
    state, changed = "upheld" if ruling.upheld else "rejected", Changed(id=appeal, version=row["version"] + 1)
    await conn.execute(DECIDE, reader.district, appeal, changed.version, state, points, reader.member, now)
    facts = {"round": round_, "subject": row["subject"], "item": row["item"], "state": state, "points": points}
    await tell(conn, reader, changed, "rule", ruling, facts, now, reason=ruling.reason)
    return changed


async def _points(conn: Connection, found: Round, code: str, ruling: Ruling) -> int | None:
    if not ruling.upheld:
        return None
    if ruling.points is None:
        raise Missing("points")
    item, given = await _item(conn, found, code), Decimal(str(ruling.points))
    if not 0 <= given <= item.maximum or (given * 100) % 1:
        raise PointsUnfit("points", item=code, given=str(given)[:20], maximum=f"{item.maximum:f}")
    return int(given * FINE)


def refuse_decided(found: Round, now: datetime) -> None:
    """Raises StepClosed once nothing is decided any more."""
    if found.cancelled_at is not None or found.published_at is not None or now >= found.decisions_until:
        closed = found.cancelled_at or found.published_at or found.decisions_until
        raise StepClosed("round", step="decisions", closed_at=closed.isoformat())


HAS_RATED = """
select exists (select from rating where district = $1 and round = $2 and subject = $3 and rater = $4)
"""


async def refuse_who_rated(conn: Connection, standing: Standing, found: Round, subject: UUID) -> None:
    """Raises NotAllowed for who decides nothing, RatedItThemselves for who has rated or speaks for the subject."""
    if not standing.decides:
        raise NotAllowed
    member = standing.reader.member
    if await speaks_for(conn, found, subject, member) or await conn.fetchval(
        HAS_RATED, found.district, found.id, subject, member
    ):
        raise RatedItThemselves


# --- reading them

APPEALS = f"""
select p.id, p.version, p.round, p.subject, p.item, p.state, p.points, p.made_at, p.decided_at,
  m.name as decided_by, coalesce(t.body->>'reason', '') as reason, coalesce(t.body->>'evidence', '') as evidence,
  coalesce(d.body->>'reason', '') as ruling,
  coalesce({ratings.NAMED.format(kind="r.subject_kind", district="$1", subject="p.subject")}, '') as subject_name
from round_appeal p
join rating_round r on r.district = $1 and r.id = p.round
join round_subject s on s.district = $1 and s.round = p.round and s.subject = p.subject
left join member m on m.district = $1 and m.id = p.decided_by
left join text_version t on t.district = $1 and t.subject = p.id and t.version = 1
left join history h on h.district = $1 and h.thing = p.id and h.event = 'rule'
left join text_version d on d.district = $1 and d.subject = h.id and d.version = 1
where p.district = $1 and p.round = $2 and ($3::uuid[] is null or s.organisation = any($3))
  and ($4::uuid is null or p.subject = $4)
order by p.state = 'open' desc, p.made_at, p.id limit 500
"""


async def of_round(
    conn: Connection, found: Round, *, within: list[UUID] | None = None, subject: UUID | None = None
) -> list[Appeal]:
    """The appeals of a round, those that wait at their head, for who has been let to them."""
    return [_appeal(row) for row in await conn.fetch(APPEALS, found.district, found.id, within, subject)]


def _appeal(row: Any) -> Appeal:
    columns = dict(row)
    points = columns.pop("points")
    return Appeal(**columns, points=None if points is None else Decimal(points).scaleb(-4).normalize() + 0)
