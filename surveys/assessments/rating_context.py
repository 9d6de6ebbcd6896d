"""What stands beside the items that are rated: the self-rating, where the scorecard lets others see it, and how many
of the people have rated whom."""

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.assessments import rating_points, ratings
from surveys.assessments.ratings import Sheet
from surveys.assessments.rounds import Organised
from surveys.refusals import NotAllowed


class CodesMade(Struct, frozen=True):
    """How many codes were made for a subject, and how many of them were used."""

    made: int
    used: int


CODES = """
select count(*) as made, count(*) filter (where used) as used from rating_code
where district = $1 and round = $2 and subject = $3
"""


async def codes(conn: Connection, district: int, round_: UUID, subject: UUID) -> CodesMade:
    """The codes of a subject that the caller has made sure the reader looks after."""
    (row,) = await conn.fetch(CODES, district, round_, subject)
    return CodesMade(**row)


SELF = """
select points from rating where district = $1 and round = $2 and subject = $3 and rater_group = 'self'
order by given_at desc limit 1
"""


async def self_points(conn: Connection, sheet: Sheet) -> Mapping[str, Decimal]:
    """What who is rated gave themselves, by the codes of items; nothing for themselves, for the people, and where the
    scorecard keeps it from others."""
    if sheet.group in ("self", "people") or not sheet.instrument.rules.self_shown:
        return {}
    points = await conn.fetchval(SELF, sheet.round.district, sheet.round.id, sheet.subject)
    return rating_points.shown(sheet.instrument, points) if points else {}


class RatedByPeople(Struct, frozen=True):
    """Who is rated, how many of the people did so, and how many codes they have for it."""

    subject: UUID
    name: str
    organisation_name: str
    given: int
    made: int
    used: int


class PeoplesPage(Struct, frozen=True):
    """The first of those who are rated, by name; `total` counts all."""

    items: list[RatedByPeople]
    total: int


OF_PEOPLE = f"""
with named as (
  select s.subject, s.organisation,
    coalesce({ratings.NAMED.format(kind="$6::text", district="$1", subject="s.subject")}, '') as name
  from round_subject s
  where s.district = $1 and s.round = $2 and s.skipped is null
    and ($3::uuid[] is null or s.organisation = any($3::uuid[]))
), found as materialized (select * from named where $4 = '' or position($4 in name) > 0),
page as (select * from found order by name, subject limit $5)
select p.subject, p.name, o.name as organisation_name, (select count(*) from found) as total,
  (select count(*) from rating r where r.district = $1 and r.round = $2 and r.subject = p.subject
    and r.rater_group = 'people') as given,
  (select count(*) from rating_code c where c.district = $1 and c.round = $2 and c.subject = p.subject) as made,
  (select count(*) from rating_code c where c.district = $1 and c.round = $2 and c.subject = p.subject and c.used)
    as used
from page p join organisation o on o.district = $1 and o.id = p.organisation
order by p.name, p.subject
"""


async def by_people(conn: Connection, organised: Organised, text: str, limit: int) -> PeoplesPage:
    """Whom the people rate of those whom the reader looks after, with this text in the name. Raises NotAllowed for who
    only leads."""
    if not organised.standing.organises:
        raise NotAllowed
    found, within = organised.round, organised.standing.organisations
    rows = await conn.fetch(OF_PEOPLE, found.district, found.id, within, text, limit, found.subject_kind)
    items = [RatedByPeople(**{name: row[name] for name in RatedByPeople.__struct_fields__}) for row in rows]
    return PeoplesPage(items, rows[0]["total"] if rows else 0)
