"""Stars that anybody may read: those of organisations and service windows, of the latest round of each that was
published and says that its stars are public. Never of members."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from asyncpg import Connection, Record
from msgspec import Struct

from surveys.assessments import ratings
from surveys.assessments.round_steps import Period

Kind = Literal["organisation", "window"]


class Starred(Struct, frozen=True, kw_only=True):
    """An organisation or window with its stars, as they were decided above where they were; `organisation` is whose
    window it is."""

    name: str
    organisation: str | None
    stars: int
    percent: Decimal


class PublicStars(Struct, frozen=True, kw_only=True):
    """The best of a round, by their stars and then by what they reached. `starred` counts all that have stars, `rated`
    all that were rated."""

    kind: Kind
    period: Period
    published_at: datetime
    rated: int
    starred: int
    items: list[Starred]


LATEST = """
select distinct on (r.subject_kind) r.id, r.subject_kind as kind, r.period, r.starts_on, r.published_at,
  (select max(c.version) from round_computation c
   where c.district = $1 and c.round = r.id and c.ready_at is not null) as version
from rating_round r
where r.district = $1 and r.stars_public and r.published_at is not null and r.cancelled_at is null
  and r.subject_kind in ('organisation', 'window')
order by r.subject_kind, r.published_at desc, r.id desc
"""
STARS = f"""
with decided as (
  select distinct on (subject) subject, stars from round_decision
  where district = $1 and round = $2 order by subject, number desc
), reached as (
  select r.subject, r.percent, coalesce(d.stars, r.stars, 0) as stars from round_result r
  left join decided d on d.subject = r.subject
  where r.district = $1 and r.round = $2 and r.version = $3 and r.percent is not null
)
select {ratings.NAMED.format(kind="$4::text", district="$1", subject="n.subject")} as name,
  case when $4 = 'window' then o.name end as organisation, n.stars, n.percent,
  (select count(*) from reached) as rated, (select count(*) from reached where stars > 0) as starred
from reached n
join round_subject s on s.district = $1 and s.round = $2 and s.subject = n.subject
join organisation o on o.district = $1 and o.id = s.organisation
where n.stars > 0 order by n.stars desc, n.percent desc, name, n.subject limit $5
"""


async def latest(conn: Connection, district: int, *, limit: int) -> list[PublicStars]:
    """What is public now, of organisations first; nothing of a kind that has no such round, or in which nobody got
    stars."""
    found = [await _of_round(conn, district, row, limit) for row in await conn.fetch(LATEST, district)]
    return [one for one in found if one.items]


async def _of_round(conn: Connection, district: int, round_: Record, limit: int) -> PublicStars:
    rows = await conn.fetch(STARS, district, round_["id"], round_["version"], round_["kind"], limit)
    items = [
        Starred(
            name=row["name"] or "",
            organisation=row["organisation"],
            stars=row["stars"],
            percent=Decimal(row["percent"] // 100).scaleb(-2),
        )
        for row in rows
    ]
    return PublicStars(
        kind=round_["kind"],
        period=Period(round_["period"], round_["starts_on"]),
        published_at=round_["published_at"],
        rated=rows[0]["rated"] if rows else 0,
        starred=rows[0]["starred"] if rows else 0,
        items=items,
    )
