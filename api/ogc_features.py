"""Communities and issues as features: their properties and places, page by page."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import shapely
from asyncpg import Connection
from msgspec import Struct

from api.ogc_documents import Document, Extent, Features
from api.ogc_questions import Crs, Wanted, page_number
from maps.boundaries import Area
from maps.locator import Locator
from surveys import cursors
from surveys.counting import issue_lists
from surveys.counting.issue_lists import Item, Narrowed
from surveys.counting.issue_query import Filters
from surveys.people.people import Reader

COMMUNITY_FILTERS = ("code", "name", "street", "street_name")
DECIMALS = 7  # of a degree: a centimetre


class _Cursor(Struct, frozen=True, array_like=True):
    """Where a page of issues ended, and how many there were at the moment to which they are pinned."""

    page: str
    matched: int


# --- communities, which lie in memory


def communities(locator: Locator | None, wanted: Wanted, named: Mapping[str, Sequence[str]]) -> Features:
    """The communities in the boxes, by code; those whose properties have one of the values that are named."""
    areas = [area for area in locator.areas if _is_named(area, named)] if locator else []
    if wanted.until is not None and locator is not None and wanted.until < locator.valid_from:
        areas = []
    if wanted.boxes and areas:
        boxes = shapely.union_all([shapely.box(*box) for box in wanted.boxes])
        touched = shapely.intersects(np.array([area.geometry for area in areas], dtype=object), boxes)
        areas = [area for area, touches in zip(areas, touched.tolist(), strict=True) if touches]
    begin = page_number(wanted.cursor)
    end = begin + wanted.limit
    return Features(
        features=[community(area, wanted.crs) for area in areas[begin:end]],
        matched=len(areas),
        next=str(end) if end < len(areas) else None,
    )


def _is_named(area: Area, named: Mapping[str, Sequence[str]]) -> bool:
    return all(getattr(area, name) in values for name, values in named.items())


def community(area: Area, crs: Crs) -> Document:
    """A community with its boundary."""
    shape = shapely.to_geojson(crs.shape(area.geometry))
    properties = {name: getattr(area, name) for name in COMMUNITY_FILTERS}
    return {"type": "Feature", "id": area.code, "properties": properties, "geometry": msgspec.Raw(shape.encode())}


def communities_extent(locator: Locator | None) -> Extent:
    """Where the communities lie, and since when."""
    if locator is None or not locator.areas:
        return Extent(None, None)
    west, south, east, north = shapely.total_bounds(np.array([area.geometry for area in locator.areas], dtype=object))
    return Extent((float(west), float(south), float(east), float(north)), locator.valid_from)


# --- issues, read through the one query


async def issues(
    conn: Connection, reader: Reader, filters: Filters, wanted: Wanted, zone: ZoneInfo, now: datetime
) -> Features:
    """The issues of the list with these filters, newest first. The first page counts them; the pages after it show
    what they were at its moment, and read on from where it ended. Raises InvalidFilter and InvalidCursor."""
    after = cursors.read(wanted.cursor, _Cursor) if wanted.cursor is not None else None
    filters, narrowed = _narrowed(filters, wanted)
    page = await issue_lists.page(
        conn,
        reader,
        filters,
        zone,
        now,
        limit=wanted.limit,
        cursor=after.page if after else None,
        total=after is None,
        narrowed=narrowed,
    )
    matched = after.matched if after else page.total or 0
    return Features(
        features=[issue(item, wanted.crs, zone) for item in page.items],
        matched=matched,
        next=cursors.write(_Cursor(page.next, matched)) if page.next else None,
    )


def _narrowed(filters: Filters, wanted: Wanted) -> tuple[Filters, Narrowed]:
    """A usual box is the list's own filter, which an index follows."""
    boxes = wanted.boxes
    if len(boxes) == 1 and boxes[0][0] < boxes[0][2] and boxes[0][1] < boxes[0][3]:
        filters, boxes = msgspec.structs.replace(filters, bbox=boxes[0]), ()
    return filters, Narrowed(since=wanted.since, until=wanted.until, boxes=boxes)


def issue(item: Item, crs: Crs, zone: ZoneInfo) -> Document:
    """An issue where it is; without a place its geometry is null."""
    geometry = None
    if item.position is not None:
        geometry = {"type": "Point", "coordinates": crs.coordinates(item.position.lon, item.position.lat)}
    return {"type": "Feature", "id": str(item.id), "properties": _properties(item, zone), "geometry": geometry}


def _properties(item: Item, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "number": item.number,
        "title": item.title,
        "category": item.category.code,
        "category_name": item.category.name,
        "urgency": item.urgency,
        "channel": item.channel,
        "state": item.state,
        "group": item.group,
        "overdue": item.overdue,
        "owner_name": item.owner.name,
        "department": item.department,
        "community": item.community.code if item.community else None,
        "community_name": item.community.name if item.community else None,
        "street": item.street,
        "certainty": item.certainty,
        "reported_at": _time(item.reported_at, zone),
        "due_at": _time(item.due_at, zone),
    }


def _time(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="seconds")
