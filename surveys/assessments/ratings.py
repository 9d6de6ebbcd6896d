"""What raters give: one rating for each rater, subject and group, kept as one goes.

Whom a rating is by is known to the program, so that its rater can go on with it, and never shown to who is rated."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.assessments import instruments, rating_points, round_standing, round_steps, rounds
from surveys.assessments.instruments import Group, Instrument, SubjectKind
from surveys.assessments.rounds import Round
from surveys.history import Actor, Row, event_row, request_digest, text_row
from surveys.people.people import Reader
from surveys.refusals import IdTaken, Missing, NotAllowed, NotFound

LONGEST = 2_000  # characters of what a rating rests on
MOST_ITEMS = 300

Evidence = Annotated[str, Meta(max_length=LONGEST)]
Points = Annotated[dict[str, float | None], Meta(max_length=MOST_ITEMS)]


class NotARater(NotAllowed):
    """The subject was given to others to rate, or to this reader as something else."""

    code: ClassVar[str] = "not_a_rater"


class RatingDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Points by the codes of items: what is left out stays as it is, null takes back. `evidence` is one text for all,
    or one for each item that wants it."""

    id: UUID
    group: Group
    points: Points
    evidence: Evidence | Annotated[dict[str, Evidence], Meta(max_length=MOST_ITEMS)] | None = None


class Saved(Struct, frozen=True, kw_only=True):
    """A rating as it is kept now, and what it still lacks, by the codes of items."""

    id: UUID
    version: int
    given: int
    missing: list[str]
    missing_evidence: list[str]


class Kept(Struct, frozen=True, kw_only=True):
    """A rating that there is."""

    id: UUID
    version: int
    points: list[int | None]
    evidence: dict[str, str]


class Sheet(Struct, frozen=True, kw_only=True):
    """All that a rater's page needs: whom they rate by what, until when, and what they gave so far."""

    round: Round
    instrument: Instrument
    subject: UUID
    subject_name: str
    group: Group
    closes_at: datetime
    points: dict[str, Decimal]
    evidence: dict[str, str]
    version: int
    missing: list[str]


SUBJECT = "select organisation, skipped from round_subject where district = $1 and round = $2 and subject = $3"
IS_RATER = """
select exists (select from round_rater
  where district = $1 and round = $2 and subject = $3 and rater_group = $4 and rater = $5)
"""


async def save(
    conn: Connection, reader: Reader, round_: UUID, subject: UUID, draft: RatingDraft, now: datetime
) -> Saved:
    """Keep what a rater gives; the same again gets its first answer. For the people, who looks after the subject's
    organisation enters what they wrote on paper, each paper under an id of its own.

    Raises NotFound, NotARater, StepNotOpen, StepClosed, UnknownItem, PointsUnfit and IdTaken."""
    found = await rounds.one(conn, reader.district, round_)
    await refuse_who_rates_not(conn, reader, found, subject, draft.group)
    way = "desk" if draft.group == "people" else "session"
    rater = None if draft.group == "people" else reader.member
    return await keep(conn, found, subject, draft, rater, way, Actor("member", str(reader.member)), now)


async def refuse_who_rates_not(conn: Connection, reader: Reader, found: Round, subject: UUID, group: Group) -> None:
    """Raises NotFound for what is not rated in this round, and NotARater for who does not rate it in this group."""
    row = await conn.fetchrow(SUBJECT, reader.district, found.id, subject)
    if row is None or row["skipped"] is not None:
        raise NotFound
    if group == "people":
        standing = await round_standing.of_reader(conn, reader)
        if not standing.organises or not standing.reaches(row["organisation"]):
            raise NotARater("group")
    elif not await conn.fetchval(IS_RATER, reader.district, found.id, subject, group, reader.member):
        raise NotARater("group")


OWN = """
select r.id, r.version, r.points, coalesce(t.body, '{}'::jsonb) as evidence from rating r
left join text_version t on t.district = r.district and t.subject = r.id and t.version = r.text_version
where r.district = $1 and r.round = $2 and r.subject = $3 and r.rater_group = $4 and r.rater = $5
"""


async def own(conn: Connection, found: Round, subject: UUID, group: Group, rater: UUID) -> Kept | None:
    """What a rater gave so far."""
    row = await conn.fetchrow(OWN, found.district, found.id, subject, group, rater)
    return Kept(**row) if row else None


# One save after another: each adds to what was there.
LOCK = "select pg_advisory_xact_lock(hashtextextended($1::text, 0))"
KEEP = """
insert into rating (district, round, subject, id, rater_group, rater, way, version, points, text_version, request,
  given_at, recorded_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
on conflict (district, round, subject, id) do update set version = excluded.version, points = excluded.points,
  text_version = excluded.text_version, request = excluded.request, given_at = excluded.given_at,
  recorded_at = excluded.recorded_at
"""


async def keep(
    conn: Connection,
    found: Round,
    subject: UUID,
    draft: RatingDraft,
    rater: UUID | None,
    way: str,
    actor: Actor,
    now: datetime,
) -> Saved:
    """Keep a rating by whom has been let to it. Raises StepNotOpen, StepClosed, UnknownItem, PointsUnfit, IdTaken."""
    instrument = await instruments.of_version(conn, found.district, found.instrument, found.instrument_version)
    await conn.execute(LOCK, f"{found.id} {subject} {draft.group} {rater or draft.id}")
    before = await own(conn, found, subject, draft.group, rater) if rater else None
    if first := await kept_before(conn, found, draft, actor):
        return first
    round_steps.refuse_unless_rating(found, draft.group, now)
    points = _merged(instrument, draft, before)
    if not any(one is not None for one in points) and before is None:
        raise Missing("points")
    evidence = _evidence(instrument, draft, before)
    id_, version = (before.id, before.version + 1) if before else (draft.id, 1)
    text, digest = text_row(found.district, id_, version, evidence, now) if evidence else (None, None)
    request = request_digest(draft)
    columns = (found.district, found.id, subject, id_, draft.group, rater, way, version, list(points))
    await conn.execute(KEEP, *columns, version if text else None, request, now)
    facts: dict[str, object] = {"round": found.id, "subject": subject, "group": draft.group, "way": way}
    facts |= {"text_version": version, "text_digest": digest} if digest else {}
    row = _event(found.district, draft.id, id_, version, actor, facts, request, now)
    await history.append(conn, [row], [text] if text else [])
    return _saved(instrument, draft.group, id_, version, points, evidence)


def _event(
    district: int, id_: UUID, thing: UUID, version: int, actor: Actor, facts: Mapping[str, Any], request: bytes,
    now: datetime,
) -> Row:  # fmt: skip
    return event_row(
        district=district,
        id=id_,
        kind="round",
        thing=thing,
        version=version,
        event="rate",
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts=facts,
        request=request,
    )


FIRST = """
select h.thing, h.version, h.actor, h.request, r.points,
  coalesce((select t.body from text_version t
    where t.district = $1 and t.subject = h.thing and t.version = h.version), '{}'::jsonb) as evidence
from history h left join rating r on r.district = $1 and r.round = $3 and r.id = h.thing
where h.district = $1 and h.id = $2
"""


async def kept_before(conn: Connection, found: Round, draft: RatingDraft, actor: Actor) -> Saved | None:
    """The answer that a rating got the first time. Raises IdTaken for another one of this id."""
    first = await conn.fetchrow(FIRST, found.district, draft.id, found.id)
    if first is None:
        return None
    same = (first["actor"], first["request"]) == (actor.id, request_digest(draft))
    if not same or first["points"] is None:
        raise IdTaken("id")
    instrument = await instruments.of_version(conn, found.district, found.instrument, found.instrument_version)
    return _saved(instrument, draft.group, first["thing"], first["version"], first["points"], first["evidence"])


def _merged(instrument: Instrument, draft: RatingDraft, before: Kept | None) -> tuple[int | None, ...]:
    given = rating_points.hold(instrument, draft.group, draft.points)
    if before is None:
        return given
    said = [item.code in draft.points for item in instrument.items]
    return tuple(new if now else old for new, old, now in zip(given, before.points, said, strict=True))


WHOLE_RATING = "note"  # the name of one text for all items


def _evidence(instrument: Instrument, draft: RatingDraft, before: Kept | None) -> dict[str, str]:
    kept = dict(before.evidence) if before else {}
    if isinstance(draft.evidence, str):
        kept[WHOLE_RATING] = draft.evidence
    elif draft.evidence is not None:
        known = {item.code for item in instrument.items if draft.group in item.raters}
        for code in draft.evidence:
            if code not in known:
                raise rating_points.UnknownItem(f"evidence.{code[:60]}", given=code[:60])
        kept |= draft.evidence
    return {name: text for name, text in kept.items() if text.strip()}


def _saved(
    instrument: Instrument,
    group: Group,
    id_: UUID,
    version: int,
    points: Sequence[int | None],
    evidence: Mapping[str, str],
) -> Saved:
    lacking = [] if WHOLE_RATING in evidence else [
        item.code
        for item, given in zip(instrument.items, points, strict=True)
        if item.evidence and given is not None and item.code not in evidence
    ]  # fmt: skip
    return Saved(
        id=id_,
        version=version,
        given=sum(one is not None for one in points),
        missing=rating_points.missing(instrument, group, points),
        missing_evidence=lacking,
    )


# --- what one has to rate

# What a subject is called, by its kind.
NAMED = """
case {kind} when 'member' then (select m.name from member m where m.district = {district} and m.id = {subject})
  when 'organisation' then (select o.name from organisation o where o.district = {district} and o.id = {subject})
  else (select w.name from service_window w where w.district = {district} and w.id = {subject}) end
"""
SUBJECT_NAME = f"select {NAMED.format(kind='$2::text', district='$1', subject='$3::uuid')}"


async def name_of(conn: Connection, district: int, kind: SubjectKind, subject: UUID) -> str:
    """What a subject is called."""
    return await conn.fetchval(SUBJECT_NAME, district, kind, subject) or ""


async def sheet(conn: Connection, reader: Reader, round_: UUID, subject: UUID, group: Group, now: datetime) -> Sheet:
    """What a rater has before them. Raises NotFound, NotARater, StepNotOpen and StepClosed."""
    found = await rounds.one(conn, reader.district, round_)
    await refuse_who_rates_not(conn, reader, found, subject, group)
    round_steps.refuse_unless_rating(found, group, now)
    instrument = await instruments.of_version(conn, found.district, found.instrument, found.instrument_version)
    before = None if group == "people" else await own(conn, found, subject, group, reader.member)
    points: Sequence[int | None] = before.points if before else [None] * len(instrument.items)
    return Sheet(
        round=found,
        instrument=instrument,
        subject=subject,
        subject_name=await name_of(conn, reader.district, found.subject_kind, subject),
        group=group,
        closes_at=round_steps.closes(found, group),
        points=rating_points.shown(instrument, points),
        evidence=before.evidence if before else {},
        version=before.version if before else 0,
        missing=rating_points.missing(instrument, group, points),
    )
