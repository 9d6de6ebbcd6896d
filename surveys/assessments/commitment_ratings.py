"""Whether a commitment was kept, and how well: said by oneself, by a leader, and by the people concerned. Below three
of five a reason is asked for; who thinks better of it says it again, and the newest word of each holds."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.assessments import commitments
from surveys.contact_cards.card_doors import CardDoor
from surveys.history import Actor, Row, event_row, request_digest, text_row
from surveys.people import organisations
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.refusals import Conflict, IdTaken, Missing, NotAllowed, NotFound

RatedBy = Literal["self", "leader", "people"]
EXPLAINED = 3  # of five; what is less needs a reason


class NotReportedDone(Conflict):
    """What nobody reported done cannot be rated; only a leader may say, once its day is over, that it was not kept."""

    code: ClassVar[str] = "commitment_not_done"


class Rating(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whether it was kept, how well, of five, and why, where that is below three or it was not kept."""

    id: UUID
    kept: bool
    stars: Annotated[int, Meta(ge=1, le=5)]
    reason: Annotated[str, Meta(max_length=1_000)] | None = None


class MemberRating(Rating, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rating by a member: of what they promised themselves, or as a leader."""

    rated_by: Literal["self", "leader"]


class Rated(Struct, frozen=True, kw_only=True):
    """A rating that was written."""

    id: UUID
    commitment: UUID
    rated_by: RatedBy


class _Row(Struct, frozen=True, kw_only=True):
    id: UUID
    organisation: UUID
    member: UUID | None
    made_by: UUID
    done_by: UUID | None
    state: str
    due_at: datetime
    approved_at: datetime | None


# Shared, so that residents who rate at once do not wait for each other, and nobody withdraws it meanwhile.
LOCK = f"select {', '.join(_Row.__struct_fields__)} from commitment where district = $1 and id = $2 for share"


async def rate(conn: Connection, reader: Reader, commitment: UUID, rating: MemberRating, now: datetime) -> Rated:
    """Rate as who promised it, or as a leader; the same rating again gets its first answer.

    Raises NotFound, NotAllowed, IdTaken, NotReportedDone or Missing."""
    await commitments.seen_by(conn, reader, commitment, now)
    [found] = await conn.fetch(LOCK, reader.district, commitment)
    row = _Row(**found)
    await _refuse_who_may_not(conn, reader, row, rating.rated_by)
    actor = Actor("member", str(reader.member))
    return await _write(conn, reader.district, row, rating, rating.rated_by, actor, now)


async def rate_by_card(conn: Connection, door: CardDoor, commitment: UUID, rating: Rating, now: datetime) -> Rated:
    """What is said at a door to which it was promised, through its card; the same again gets its first answer.

    Raises NotFound, IdTaken, NotReportedDone or Missing."""
    parameter = Parameters(door.district, commitment)
    promised = f"select {', '.join(_Row.__struct_fields__)} from commitment c where c.district = $1 and c.id = $2"
    which = f"c.approved_at is not null and {commitments.to_door(door, parameter)}"
    row = await conn.fetchrow(f"{promised} and {which} for share", *parameter.values) if door.usable else None
    if row is None:
        raise NotFound
    return await _write(conn, door.district, _Row(**row), rating, "people", Actor("resident", door.number), now)


async def _refuse_who_may_not(conn: Connection, reader: Reader, row: _Row, rated_by: RatedBy) -> None:
    """Oneself is who promised it, or for an organisation who wrote it down or reported it; a leader is a leader of the
    district or a street, or who looks after the organisation, and never one of those."""
    own = {row.member} if row.member else {row.made_by, row.done_by}
    if rated_by == "self":
        if reader.member not in own:
            raise NotAllowed("rated_by")
        return
    if reader.member in {row.member, row.made_by, row.done_by}:
        raise NotAllowed("rated_by")
    if "leader" in reader.roles():
        return
    reach = await organisations.within(conn, reader)
    if reach is not None and row.organisation not in reach:
        raise NotAllowed("rated_by")


BEFORE = "select actor_kind, actor, request, facts from history where district = $1 and id = $2"
WRITE = """
insert into commitment_rating (district, commitment, id, rated_by, rater, kept, stars, rated_at, recorded_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
"""


async def _write(
    conn: Connection, district: int, row: _Row, rating: Rating, rated_by: RatedBy, actor: Actor, now: datetime
) -> Rated:
    request = request_digest(rating)
    if before := await conn.fetchrow(BEFORE, district, rating.id):
        same = (before["actor_kind"], before["actor"], before["request"]) == (actor.kind, actor.id, request)
        if not same or before["facts"].get("about") != str(row.id):
            raise IdTaken("id")
        return Rated(id=rating.id, commitment=row.id, rated_by=rated_by)
    _refuse_too_early(row, rating, rated_by, now)
    if (not rating.kept or rating.stars < EXPLAINED) and not (rating.reason and rating.reason.strip()):
        raise Missing("reason")
    said = (rated_by, actor.id, rating.kept, rating.stars, now)
    facts: Row = {"about": row.id, "rated_by": rated_by, "kept": rating.kept, "stars": rating.stars}
    texts: list[Row] = []
    if rating.reason and rating.reason.strip():
        why, facts["reason_digest"] = text_row(district, rating.id, 1, {"reason": rating.reason.strip()}, now)
        texts.append(why)
    await history.append(conn, [_event(district, rating.id, actor, facts, request, now)], texts)
    await conn.execute(WRITE, district, row.id, rating.id, *said)
    return Rated(id=rating.id, commitment=row.id, rated_by=rated_by)


def _refuse_too_early(row: _Row, rating: Rating, rated_by: RatedBy, now: datetime) -> None:
    broken = rated_by == "leader" and not rating.kept and row.state == "standing" and row.due_at <= now
    if row.state != "done" and not broken:
        raise NotReportedDone(None, state=row.state)


def _event(district: int, id_: UUID, actor: Actor, facts: Row, request: bytes, now: datetime) -> Row:
    """A rating stands for itself, so that residents who rate change no version that somebody is about to move."""
    return event_row(
        district=district,
        id=id_,
        kind="commitment",
        thing=id_,
        version=1,
        event="rate",
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts=facts,
        request=request,
    )


async def possible(conn: Connection, reader: Reader, commitment: UUID, now: datetime) -> list[RatedBy]:
    """As what a reader can rate a commitment now, for a page that offers it."""
    found = await conn.fetchrow(LOCK.removesuffix(" for share"), reader.district, commitment)
    if found is None:
        return []
    row = _Row(**found)
    overdue = row.state == "standing" and row.due_at <= now
    if row.state != "done" and not overdue:
        return []
    ways: list[RatedBy] = ["self", "leader"] if row.state == "done" else ["leader"]
    may: list[RatedBy] = []
    for each in ways:
        try:
            await _refuse_who_may_not(conn, reader, row, each)
        except NotAllowed:
            continue
        may.append(each)
    return may
