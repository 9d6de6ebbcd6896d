"""The points of a month as they are published: who stands where stays as it was, whatever is learned later; that makes
a further version, with a reason. A name stands on a board for as long as its volunteer likes that."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, Row, occurrence, request_digest, text_row
from surveys.people.people import Reader
from surveys.refusals import Conflict, Missing, NotFound, TextUnusable, TimeInFuture
from surveys.reports.report_periods import Period
from surveys.volunteering import deeds, points, points_rules, repeats
from surveys.volunteering.deeds import Sums
from surveys.volunteering.points import Person, Question
from surveys.volunteering.points_rules import RulesVersion

AT_ONCE = 100  # rows of one page


class MonthNotOver(Conflict):
    """What may still be done in a month is not published."""

    code: ClassVar[str] = "month_not_over"


class NoRules(Conflict):
    """No rules hold in this month."""

    code: ClassVar[str] = "no_points_rules"


class NobodyHasPoints(Conflict):
    """Nobody served in this month, or by these rules it gives no points."""

    code: ClassVar[str] = "nobody_has_points"


class KnownBefore(Conflict):
    """What was published already knew more; `facts` hold what it knew by."""

    code: ClassVar[str] = "published_knew_more"


class BoardDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A month's points as they are published: by what was known at a moment, so that what is published is what was
    looked at before. From the second version of a month on a reason says what changed."""

    id: UUID
    month: Annotated[str, Meta(max_length=10)]
    known_at: Annotated[datetime, Meta(tz=True)]
    reason: Annotated[str, Meta(max_length=1_000)] | None = None


class Board(Struct, frozen=True, kw_only=True):
    """A published month."""

    id: UUID
    month: date
    version: int
    rules: int
    as_of: date
    known_at: datetime
    published_at: datetime
    published_by: str
    reason: str | None
    people: int
    deeds: int
    minutes: int
    helped: int


class Standing(Struct, frozen=True, kw_only=True):
    """Where one volunteer stood in a published month, among how many."""

    month: date
    version: int
    place: int
    people: int
    points: int


# --- reading

BOARDS = """
select b.id, b.month, b.version, b.rules, b.as_of, b.known_at, b.published_at, m.name as published_by,
  t.body->>'reason' as reason, b.deeds, b.minutes, b.helped,
  (select count(*) from points_board_row r where r.district = b.district and r.board = b.id)::integer as people
from points_board b
join member m on m.district = b.district and m.id = b.published_by
left join text_version t on t.district = b.district and t.subject = b.id and t.version = 1
where b.district = $1
"""
ALL = f"{BOARDS} order by b.month desc, b.version desc limit 200"
NEWEST = f"{BOARDS} and ($2::date is null or b.month = $2) and ($3::integer is null or b.version = $3)"
NEWEST += " order by b.month desc, b.version desc limit 1"
MONTHS = "select distinct month from points_board where district = $1 order by month desc limit 120"
ROWS = """
select volunteer, place, points, deeds, minutes, helped from points_board_row
where district = $1 and board = $2 order by place, volunteer limit $3 offset $4
"""
# What the newest version of each month says of one volunteer.
OF_VOLUNTEER = """
select b.month, b.version, r.place, r.points,
  (select count(*) from points_board_row o where o.district = b.district and o.board = b.id)::integer as people
from points_board_row r
join points_board b on b.district = r.district and b.id = r.board
where r.district = $1 and r.volunteer = $2
  and b.version = (select max(n.version) from points_board n where n.district = b.district and n.month = b.month)
order by b.month desc limit 12
"""


async def boards(conn: Connection, district: int) -> list[Board]:
    """All that was published, the newest months first, each in all its versions."""
    return [Board(**row) for row in await conn.fetch(ALL, district)]


async def board(conn: Connection, district: int, month: date | None = None, version: int | None = None) -> Board | None:
    """What was published of a month, or of the last one: in a version, or in the newest."""
    row = await conn.fetchrow(NEWEST, district, month, version)
    return Board(**row) if row else None


async def months(conn: Connection, district: int) -> list[date]:
    """The months that were published, the newest first."""
    return [row["month"] for row in await conn.fetch(MONTHS, district)]


async def rows(conn: Connection, district: int, board: UUID, page: int = 1, limit: int = AT_ONCE) -> list[Person]:
    """A page of a board, from 1 on: those with the most points first."""
    return [Person(**row) for row in await conn.fetch(ROWS, district, board, limit, (page - 1) * limit)]


async def of_volunteer(conn: Connection, district: int, volunteer: UUID) -> list[Standing]:
    """Where a volunteer stood in the months that were published, the newest first."""
    return [Standing(**row) for row in await conn.fetch(OF_VOLUNTEER, district, volunteer)]


# --- publishing

LOCK = "select district from district where district = $1 for no key update"
LAST = """
select version, known_at from points_board where district = $1 and month = $2 order by version desc limit 1
"""
PUBLISH = """
insert into points_board (district, id, month, version, rules, as_of, known_at, deeds, minutes, helped, published_at,
  published_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
PUBLISH_ROWS = """
insert into points_board_row (district, board, volunteer, place, points, deeds, minutes, helped)
select $1, $2, * from unnest($3::uuid[], $4::integer[], $5::bigint[], $6::integer[], $7::bigint[], $8::bigint[])
"""


class Preview(Struct, frozen=True, kw_only=True):
    """What publishing a month would make public, as the version that it would be."""

    question: Question
    rules: RulesVersion
    version: int
    people: list[Person]
    sums: Sums


async def preview(
    conn: Connection, district: int, month: date, zone: ZoneInfo, known_at: datetime, now: datetime
) -> Preview:
    """What publishing would make public. Raises MonthNotOver, TimeInFuture, NoRules, KnownBefore or NobodyHasPoints."""
    period = Period(month, "month")
    if not period.over(zone, now) or known_at < period.ends(zone):
        raise MonthNotOver("month")
    if known_at > now:
        raise TimeInFuture("known_at")
    rules = await points_rules.in_force(conn, district, month, known_at)
    if rules is None:
        raise NoRules("month")
    last = await conn.fetchrow(LAST, district, month)
    if last is not None and known_at < last["known_at"]:
        raise KnownBefore("known_at", known_at=last["known_at"])
    question = Question(
        district=district, month=month, as_of=period.last, known_at=known_at, rules=rules.rules, zone=zone
    )
    people = await points.of_people(conn, question)
    if not people:
        raise NobodyHasPoints("month")
    sums = await deeds.sums(conn, district, question.begins, question.ends, known_at)
    return Preview(
        question=question, rules=rules, version=(last["version"] if last else 0) + 1, people=people, sums=sums
    )


async def publish(conn: Connection, reader: Reader, draft: BoardDraft, zone: ZoneInfo, now: datetime) -> Board:
    """Publish a month; the same draft again gets its first answer. An administrator does this: what is published names
    people.

    Raises NotAllowed, IdTaken, Missing or TextUnusable for the reason, and what `preview` raises."""
    reader.require("administrator")
    month, actor = points_rules.month(draft.month), Actor("member", str(reader.member))
    await conn.execute(LOCK, reader.district)
    if await repeats.asked_before(conn, reader.district, draft.id, draft, actor, draft.id) is None:
        seen = await preview(conn, reader.district, month, zone, draft.known_at, now)
        await _write(conn, reader, draft, seen, now)
    row = await conn.fetchrow(f"{BOARDS} and b.id = $2", reader.district, draft.id)
    if row is None:
        raise NotFound
    return Board(**row)


async def _write(conn: Connection, reader: Reader, draft: BoardDraft, seen: Preview, now: datetime) -> None:
    texts, facts = _reason(reader.district, draft, seen.version, now)
    about, people = seen.question, seen.people
    await conn.execute(
        PUBLISH,
        *(reader.district, draft.id, about.month, seen.version, seen.rules.version, about.as_of, about.known_at),
        *(seen.sums.deeds, seen.sums.minutes, seen.sums.helped, now, reader.member),
    )
    await conn.execute(PUBLISH_ROWS, reader.district, draft.id, *_columns(people))
    event = occurrence(
        district=reader.district,
        kind="points",
        event="publish_board",
        actor=Actor("member", str(reader.member)),
        now=now,
        id=draft.id,
        facts={
            "month": f"{about.month:%Y-%m}",
            "version": seen.version,
            "rules": seen.rules.version,
            "known_at": about.known_at.isoformat(),
            "people": len(people),
            **facts,
        },
    )
    await history.append(conn, [{**event, "request": history.bytea(request_digest(draft))}], texts)


def _columns(people: Sequence[Person]) -> list[list[object]]:
    names = ("volunteer", "place", "points", "deeds", "minutes", "helped")
    return [[getattr(one, name) for one in people] for name in names]


def _reason(district: int, draft: BoardDraft, version: int, now: datetime) -> tuple[list[Row], Mapping[str, object]]:
    reason = (draft.reason or "").strip()
    if "\x00" in reason:
        raise TextUnusable("reason")
    if not reason:
        if version > 1:
            raise Missing("reason")
        return [], {}
    text, digest = text_row(district, draft.id, 1, {"reason": reason}, now)
    return [text], {"reason_digest": digest}
