"""The list behind the fact of hours served: the minutes of the time bank that a result counts, one by one."""

from datetime import datetime
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys import cursors
from surveys.assessments import round_results, rounds
from surveys.people.people import Reader
from surveys.refusals import NotFound
from surveys.volunteering.time_ledger import Kind


class ServedLine(Struct, frozen=True, kw_only=True):
    """Minutes that somebody served, and at which service; fewer than nought where they were taken back."""

    transaction: UUID
    kind: Kind
    minutes: int
    member: UUID
    member_name: str
    service: UUID | None
    title: str | None
    happened_at: datetime
    recorded_at: datetime


class ServedPage(Struct, frozen=True, kw_only=True):
    """A part of the list, the newest first; `minutes` are those of all parts, and `total` counts their lines."""

    minutes: int
    known_at: datetime
    items: list[ServedLine]
    next: str | None
    total: int


class _Cursor(Struct, frozen=True, array_like=True):
    happened_at: datetime
    transaction: UUID


# As the fact counts them: by when they happened and were known, of who is the member or belongs to the organisation.
FROM = """
from time_transaction t
join volunteer v on v.district = $1 and v.id = t.volunteer
join member m on m.district = $1 and m.id = v.member
where t.district = $1 and t.volunteer is not null and t.happened_at >= $2 and t.happened_at < $3
  and t.recorded_at <= $4 and case $5 when 'member' then m.id = $6 else m.organisation = $6 end
"""
SUM = f"select count(*) as total, coalesce(sum(t.served), 0)::int as minutes {FROM}"
PAGE = f"""
with page as (
  select t.id as transaction, t.kind, t.served as minutes, m.id as member, m.name as member_name, t.service,
    t.happened_at, t.recorded_at
  {FROM} and ($7::timestamptz is null or (t.happened_at, t.id) < ($7, $8))
  order by t.happened_at desc, t.id desc limit $9
)
select p.*, x.body->>'title' as title from page p
left join service s on s.district = $1 and s.id = p.service
left join text_version x on x.district = $1 and x.subject = s.id and x.version = s.text_version
order by p.happened_at desc, p.transaction desc
"""


async def page(
    conn: Connection,
    reader: Reader,
    round_: UUID,
    subject: UUID,
    now: datetime,
    *,
    limit: int = 50,
    cursor: str | None = None,
) -> ServedPage:
    """What was served by who was rated, for whoever reads their result. Raises NotFound for a result that they may not
    see, or not yet, and for a window, which serves no hours; InvalidCursor."""
    result = await round_results.of_subject(conn, reader, round_, subject, now)
    found = result.round
    if found.subject_kind == "window":
        raise NotFound
    zone = await rounds.zone_of(conn, found.district)
    known_at = result.versions[0].known_at
    about = (found.district, found.of.begins(zone), found.of.ends(zone), known_at, found.subject_kind, subject)
    after = cursors.read(cursor, _Cursor) if cursor else None
    (sums,) = await conn.fetch(SUM, *about)
    rows = await conn.fetch(PAGE, *about, after and after.happened_at, after and after.transaction, limit + 1)
    items = [ServedLine(**row) for row in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    return ServedPage(
        minutes=sums["minutes"],
        known_at=known_at,
        items=items,
        next=cursors.write(_Cursor(last.happened_at, last.transaction)) if last else None,
        total=sums["total"],
    )
