"""How the people rate: by a code that is good once, on paper that somebody enters, and never by name.

Of a code that was used only that it was is kept, and nothing that leads to the rating."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.access import one_time_codes
from surveys.access.one_time_codes import CodeUnusable
from surveys.assessments import instruments, rating_points, ratings, round_standing, round_steps, rounds
from surveys.assessments.ratings import Points, RatingDraft, Saved, Sheet
from surveys.history import Actor, occurrence
from surveys.people.people import Reader
from surveys.refusals import NotAllowed, NotFound

MOST = 200  # made at a time
BY_CODE = Actor("resident", "code")


class CodesWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many codes are wanted, by which one subject is rated."""

    id: UUID
    count: Annotated[int, Meta(ge=1, le=MOST)]


class Codes(Struct, frozen=True):
    """Codes as they are shown once, and never kept."""

    codes: list[str]


class PeoplesRating(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one of the people gives, by a code. The id is made by their phone, and makes a retry known."""

    code: Annotated[str, Meta(max_length=100)]
    id: UUID
    points: Points


ADD = """
insert into rating_code (district, digest, round, subject, made_at)
select $1, digest, $2, $3, $5 from unnest($4::bytea[]) digest
"""


async def make(
    conn: Connection, reader: Reader, round_: UUID, subject: UUID, wanted: CodesWanted, now: datetime
) -> Codes:
    """New codes by which the people rate a subject. Asked again under the same id they are others, and the first ones
    stay good. Raises NotAllowed, NotFound, StepNotOpen and StepClosed."""
    found = await rounds.one(conn, reader.district, round_)
    standing = await round_standing.of_reader(conn, reader)
    row = await conn.fetchrow(ratings.SUBJECT, reader.district, round_, subject)
    if row is None or row["skipped"] is not None:
        raise NotFound
    if not standing.organises or not standing.reaches(row["organisation"]):
        raise NotAllowed
    round_steps.refuse_unless_rating(found, "people", now)
    codes = [one_time_codes.new(reader.district) for _ in range(wanted.count)]
    digests = [one_time_codes.read(code).digest for code in codes]
    await conn.execute(ADD, reader.district, round_, subject, digests, now)
    event = occurrence(
        district=reader.district,
        kind="round",
        event="codes",
        actor=Actor("member", str(reader.member)),
        now=now,
        about=round_,
        facts={"subject": subject, "count": wanted.count},
    )
    await history.append(conn, [event], [])
    return Codes(codes)


CODE = "select round, subject, used from rating_code where district = $1 and digest = $2"
USE = "update rating_code set used = true where district = $1 and digest = $2 and not used returning true"


async def sheet(conn: Connection, code: str, now: datetime) -> Sheet:
    """What a code opens. Raises CodeUnusable, StepNotOpen and StepClosed."""
    shown = one_time_codes.read(code)
    row = await conn.fetchrow(CODE, shown.district, shown.digest)
    if row is None or row["used"]:
        raise CodeUnusable("code")
    found = await rounds.one(conn, shown.district, row["round"])
    round_steps.refuse_unless_rating(found, "people", now)
    instrument = await instruments.of_version(conn, found.district, found.instrument, found.instrument_version)
    nothing: list[int | None] = [None] * len(instrument.items)
    return Sheet(
        round=found,
        instrument=instrument,
        subject=row["subject"],
        subject_name=await ratings.name_of(conn, found.district, found.subject_kind, row["subject"]),
        group="people",
        closes_at=round_steps.closes(found, "people"),
        points={},
        evidence={},
        version=0,
        missing=rating_points.missing(instrument, "people", nothing),
    )


async def rate(conn: Connection, given: PeoplesRating, now: datetime) -> Saved:
    """Keep what one of the people gives, and use their code up; the same again gets its first answer.

    Raises CodeUnusable, StepNotOpen, StepClosed, UnknownItem, PointsUnfit, Missing and IdTaken."""
    shown = one_time_codes.read(given.code)
    row = await conn.fetchrow(CODE, shown.district, shown.digest)
    if row is None:
        raise CodeUnusable("code")
    found = await rounds.one(conn, shown.district, row["round"])
    draft = RatingDraft(id=given.id, group="people", points=given.points)
    if not await conn.fetchval(USE, shown.district, shown.digest):
        if first := await ratings.kept_before(conn, found, draft, BY_CODE):
            return first
        raise CodeUnusable("code")
    return await ratings.keep(conn, found, row["subject"], draft, None, "code", BY_CODE, now)
