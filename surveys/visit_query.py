"""Visits as they are read, by those within whose reach they are."""

from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys import cursors, history, scopes
from surveys.history import Entry
from surveys.people import Handler, Reader
from surveys.placing import Certainty, CommunityName, Point
from surveys.premises import PremisesKind
from surveys.receipts import Flag
from surveys.refusals import NotFound
from surveys.scopes import Parameters, Reach
from surveys.visit_drafts import Outcome


def within(reach: Reach) -> tuple[str, Parameters]:
    """The condition under which a reader of this reach sees a visit `v`, and the parameters of a query with it; $1 is
    the district."""
    parameter = Parameters(reach.reader.district)
    return reach.condition(parameter, "visit", "v") or "true", parameter


class VisitItem(Struct, frozen=True, kw_only=True):
    """A visit as it is read, with those of the issues found on it that the reader may read as well."""

    id: UUID
    version: int
    member: Handler
    premises_kind: PremisesKind
    premises_name: str | None
    premises_address: str | None
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    received_at: datetime
    withdrawn_at: datetime | None
    community: CommunityName | None
    certainty: Certainty
    position: Point | None
    campaign: str | None
    contact_card: str | None
    note: str | None
    flags: list[Flag]
    issues: list[UUID]


class VisitDetail(Struct, frozen=True, kw_only=True):
    """One visit with its history."""

    visit: VisitItem
    history: list[Entry]


class VisitPage(Struct, frozen=True, kw_only=True):
    """A part of the visits, newest first by when they began; `total` counts all parts."""

    items: list[VisitItem]
    next: str | None
    total: int | None = None


class _Cursor(Struct, frozen=True, array_like=True):
    """Where a page ended; visits that came in after the first page are left to the next reading."""

    started_at: datetime
    id: UUID
    known_at: datetime


ITEMS = """
select v.id, v.version, v.member, m.name as member_name, v.premises_kind, v.outcome, v.started_at, v.ended_at,
       v.recorded_at, v.withdrawn_at, v.community, c.name as community_name, v.certainty, v.lon, v.lat, v.campaign,
       v.contact_card, t.body as texts,
       array(select flag from visit_flag f where f.district = v.district and f.visit = v.id order by flag) as flags,
       array(select i.id from issue i where i.district = v.district and i.visit = v.id and {of_issues}
             order by i.number) as issues
from visit v
join member m on m.district = v.district and m.id = v.member
left join community c on c.district = v.district and c.code = v.community
left join text_version t on t.district = v.district and t.subject = v.id and t.version = v.text_version
"""

NEWEST = "order by v.started_at desc, v.id desc"


async def page(
    conn: Connection, reader: Reader, now: datetime, *, limit: int = 50, cursor: str | None = None, total: bool = True
) -> VisitPage:
    """A part of the visits that the reader may see. Raises InvalidCursor and NotAllowed."""
    after = cursors.read(cursor, _Cursor) if cursor else None
    known_at = after.known_at if after else now
    reach = await scopes.reach(conn, reader)
    reached, parameter = within(reach)
    where = f"where v.district = $1 and {reached} and v.recorded_at <= {parameter(known_at)}"
    count = f"select count(*) from visit v {where}"
    counted = await conn.fetchval(count, *parameter.values) if total else None
    if after:
        where += f" and (v.started_at, v.id) < ({parameter(after.started_at)}, {parameter(after.id)})"
    where += f" {NEWEST} limit {parameter(limit + 1)}"
    rows = await conn.fetch(_items(reach, parameter) + where, *parameter.values)
    items = [_item(row) for row in rows[:limit]]
    return VisitPage(
        items=items,
        next=cursors.write(_Cursor(items[-1].started_at, items[-1].id, known_at)) if len(rows) > limit else None,
        total=counted,
    )


async def one(conn: Connection, reader: Reader, visit: UUID) -> VisitDetail:
    """One visit within the reader's reach, with its history. Raises NotFound and NotAllowed."""
    reach = await scopes.reach(conn, reader)
    reached, parameter = within(reach)
    where = f"where v.district = $1 and {reached} and v.id = {parameter(visit)}"
    row = await conn.fetchrow(_items(reach, parameter) + where, *parameter.values)
    if row is None:
        raise NotFound
    return VisitDetail(visit=_item(row), history=await history.of_thing(conn, reader.district, visit))


def _items(reach: Reach, parameter: Parameters) -> str:
    return ITEMS.format(of_issues=reach.condition(parameter, "issue", "i") or "true")


def _item(row: Any) -> VisitItem:
    texts = row["texts"] or {}
    return VisitItem(
        id=row["id"],
        version=row["version"],
        member=Handler(row["member"], row["member_name"]),
        premises_kind=row["premises_kind"],
        premises_name=texts.get("premises_name"),
        premises_address=texts.get("premises_address"),
        outcome=row["outcome"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        received_at=row["recorded_at"],
        withdrawn_at=row["withdrawn_at"],
        community=CommunityName(row["community"], row["community_name"]) if row["community"] else None,
        certainty=row["certainty"],
        position=Point(row["lon"], row["lat"]) if row["lon"] is not None else None,
        campaign=row["campaign"],
        contact_card=row["contact_card"],
        note=texts.get("note"),
        flags=row["flags"],
        issues=row["issues"],
    )
