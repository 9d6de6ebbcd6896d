"""Whom to ask how a service was, for those who go to their doors or call them: the open return visits of bookings whose
door, card or service lies within the reader's reach, or that the reader made for them."""

from datetime import datetime
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys import cursors
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.return_visits.return_visit_answers import ASKING


class ToAsk(Struct, frozen=True, kw_only=True):
    """Somebody to be asked: by their booking, and by their card or, where the reader reaches it, their door.
    `may_answer` is whether this reader may tell what they say: who announced, reported, confirmed or served may not."""

    booking: UUID
    number: int
    persons: int
    card: str | None
    door: str | None
    community: str | None
    service: UUID
    title: str
    team: str
    ended_at: datetime
    invited_at: datetime
    closes_at: datetime
    may_answer: bool


class ToAskPage(Struct, frozen=True, kw_only=True):
    """A part of them, those whose time ends first at its head."""

    items: list[ToAsk]
    next: str | None
    total: int


class _Cursor(Struct, frozen=True, array_like=True):
    at: datetime
    booking: UUID


# The visit that left a card is the newest that did.
OPEN = """
from service_return_visit r
join booking b on b.district = r.district and b.id = r.booking
join service s on s.district = r.district and s.id = r.service
left join premises p on p.district = r.district and p.id = b.premises
left join lateral (
  select c.visit from card_binding c where c.district = b.district and c.card = b.card order by c.round desc limit 1
) c on true
left join visit x on x.district = r.district and x.id = c.visit and x.withdrawn_at is null
where r.district = $1 and r.state = 'invited' and r.closes_at > $2 and {reached}
"""
PAGE = """
with part as (
  select b.id as booking, b.number, b.persons, b.card, r.service, r.invited_at, r.closes_at, s.ends_at as ended_at,
    s.team, s.text_version, coalesce(p.community, x.community) as community,
    case when {door} then p.id end as door,
    coalesce({me} in (s.announced_by, s.reported_by, s.confirmed_by), false) or exists (
      select from service_volunteer q join volunteer w on w.district = q.district and w.id = q.volunteer
      where q.district = r.district and q.service = r.service and w.member = {me} and q.state = 'served') as served
  {open} {after} order by r.closes_at, b.id limit {limit}
)
select r.booking, r.number, r.persons, r.card, r.service, r.invited_at, r.closes_at, r.ended_at, r.served,
  coalesce(t.body->>'title', '') as title, coalesce(n.body->>'name', '') as team, m.name as community,
  nullif(concat_ws(' · ', d.body->>'name', nullif(d.body->>'address', '')), '') as door
from part r
join volunteer_team v on v.district = $1 and v.id = r.team
left join text_version t on t.district = $1 and t.subject = r.service and t.version = r.text_version
left join text_version n on n.district = $1 and n.subject = v.id and n.version = v.text_version
left join community m on m.district = $1 and m.code = r.community
left join premises p on p.district = $1 and p.id = r.door
left join text_version d on d.district = $1 and d.subject = p.id and d.version = p.text_version
order by r.closes_at, r.booking
"""


async def page(
    conn: Connection,
    reader: Reader,
    now: datetime,
    *,
    team: UUID | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> ToAskPage:
    """A part of whom to ask, of what the reader may see. Raises NotAllowed for whoever holds no role that reads,
    InvalidCursor."""
    reach = await scopes.reach(conn, reader)
    parameter = Parameters(reader.district, now)
    me = f"{parameter(reader.member)}::uuid"
    door = reach.condition(parameter, "premises", "p") or "true"
    visit = reach.condition(parameter, "visit", "x") or "true"
    within = f"s.community = any({parameter(reach.communities)}::text[])"
    open_ = OPEN.format(reached=f"({door} or {visit} or {within} or b.member = {me})")
    if team is not None:
        open_ += f" and s.team = {parameter(team)}::uuid"
    counted: int = await conn.fetchval(f"select count(*) {open_}", *parameter.values)
    after = ""
    if cursor is not None:
        last = cursors.read(cursor, _Cursor)
        after = f"and (r.closes_at, b.id) > ({parameter(last.at)}, {parameter(last.booking)})"
    query = PAGE.format(me=me, door=door, open=open_, after=after, limit=parameter(limit + 1))
    rows = await conn.fetch(query, *parameter.values)
    asks = bool(reader.roles() & ASKING)
    items = [_item(dict(row), asks) for row in rows[:limit]]
    end = _Cursor(items[-1].closes_at, items[-1].booking) if len(rows) > limit else None
    return ToAskPage(items=items, next=cursors.write(end) if end else None, total=counted)


def _item(columns: dict[str, object], asks: bool) -> ToAsk:
    served = bool(columns.pop("served"))
    return ToAsk(**columns, may_answer=asks and not served)  # type: ignore[arg-type]
