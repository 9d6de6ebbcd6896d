"""The map as one file that opens without a server: its numbers, read in one snapshot, and the page around them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, get_args
from urllib.parse import urlencode

import asyncpg
import msgspec
import numpy as np
from msgspec import Struct, structs

from api import pages, texts
from maps import coordinates, issue_map, tiles
from maps.drawings import Present
from surveys import history
from surveys.campaigns import campaigns
from surveys.counting import issue_counts, issue_lists, map_layers, trust
from surveys.counting.issue_query import Filters, moment
from surveys.history import Actor
from surveys.people.people import District, Reader
from surveys.volunteering import service_marks

LayerName = Literal["open", "overdue", "solved", "satisfaction", "coverage", "visits", "density"]
LAYERS: tuple[LayerName, ...] = get_args(LayerName)
ASKED: tuple[LayerName, ...] = ("satisfaction", "coverage", "visits")  # beside the counts of issues

CLOSEST = 17  # the zoom at which issues are gathered: cells of some 120 m, which tell no door
MOST_CELLS = 20_000
MOST_TITLES = 20_000
AT_ONCE = 200  # issues that are read together
ACTOR = Actor("program", "map")

Report = Callable[[str, int, int], None]
SNAPSHOT = "set transaction isolation level repeatable read"


class TooMany(Exception):
    """There are more issues than a file can list."""


class Order(Struct, frozen=True, kw_only=True):
    """What a file shows, to whom, and in which language; `than` are the days that the period is compared with."""

    district: District
    reader: Reader
    whole: bool  # the district, and not what a member sees
    layers: Sequence[LayerName]
    filters: Filters
    than: tuple[date, date] | None
    campaign: str | None
    titles: bool
    language: str


class Made(Struct, frozen=True):
    """The page, and how many issues it counts."""

    html: str
    issues: int


async def make(conn: asyncpg.Connection, order: Order, present: Present, now: datetime, report: Report) -> Made:
    """Read all that is asked for, write into the history that it was taken along, and make the page. The transaction
    has to be in one snapshot (`SNAPSHOT`). Raises TooMany, InvalidFilter, NotFound and NotAllowed."""
    sides = [_side(order, order.filters, now)]
    if order.than is not None:
        begins, ends = order.than
        other = structs.replace(order.filters, reported_from=begins, reported_to=ends, as_of=None)
        sides.append(_side(order, other, now))
    steps = _Steps(report, len(sides) * (3 + len(order.layers)) + 2)
    read = [await _read(conn, order, filters, now, steps) for filters in sides]
    issues = await _titles(conn, order, sides[0], now) if order.titles else None
    steps.done()
    counted = sum(one["total"] for one in read[0]["areas"])
    told = read[0]["services"]
    await history.append(conn, [_event(order, counted, (told["to_come"] or 0) + told["held"], now)], [])
    file = {
        "layers": order.layers,
        "query": _query(order),
        "told": _told(order, sides[0], now),
        "now": read[0],
        "then": read[1] if order.than else None,
        "issues": issues,
        "streets": dict((await map_layers.places(conn, order.reader)).streets),
    }
    html = _page(present, await _data(conn, order, present, now, file), order)
    steps.done()
    return Made(html, counted)


class _Steps:
    def __init__(self, report: Report, of: int) -> None:
        self.report, self.of, self.at = report, of, 0

    def done(self) -> None:
        self.at += 1
        self.report("Map 地图", self.at, self.of)


def _side(order: Order, filters: Filters, now: datetime) -> Filters:
    """Periods are compared as they stood when each ended; and nothing that is recorded meanwhile slips in."""
    today = now.astimezone(order.district.zone).date()
    if order.than is not None and filters.reported_to is not None and filters.reported_to < today:
        filters = structs.replace(filters, as_of=filters.reported_to)
    return filters


async def _read(
    conn: asyncpg.Connection, order: Order, filters: Filters, now: datetime, steps: _Steps
) -> dict[str, Any]:
    reader, zone = order.reader, order.district.zone
    areas = await issue_counts.by_community(conn, reader, filters, zone, now)
    steps.done()
    layers: dict[str, map_layers.Layer] = {}
    for name in order.layers:
        if name == "satisfaction":
            layers[name] = await map_layers.satisfaction(conn, reader, filters, zone, now)
        elif name == "coverage" and order.campaign is not None:
            layers[name] = await map_layers.coverage_of(conn, reader, order.campaign, filters, zone, now)
        elif name == "visits":
            layers[name] = await map_layers.visits_per_day(conn, reader, filters, zone, now)
        steps.done()
    cells = await _cells(conn, order, filters, now)
    steps.done()
    services = await _services(conn, order, filters, now)
    steps.done()
    side = {
        "at": moment(filters, zone, now).at,
        "areas": areas,
        "layers": layers,
        "cells": cells,
        "services": services,
        "trust": await trust.of(conn, reader, filters, zone, now),
    }
    plain: dict[str, Any] = msgspec.to_builtins(side)
    return plain


async def _cells(
    conn: asyncpg.Connection, order: Order, filters: Filters, now: datetime
) -> list[tuple[float, float, int, int, int, int, int]]:
    """How many issues of each group lie in each cell, told for its middle: where exactly they lie is not."""
    zoom = CLOSEST + 1
    found: list[issue_counts.Cluster] = []
    while zoom > CLOSEST or len(found) > MOST_CELLS:
        zoom -= 1
        shift = tiles.shift_for(zoom)
        found = await issue_counts.clusters(conn, order.reader, filters, order.district.zone, now, shift)
    lon, lat = middles(np.array([one.lon for one in found]), np.array([one.lat for one in found]), zoom)
    return [
        (round(float(x), 6), round(float(y), 6), one.reported, one.in_hand, one.overdue, one.solved, one.other)
        for x, y, one in zip(lon, lat, found, strict=True)
    ]


IN_SERVICES = ("id", "title", "team", "state", "place", "starts_at", "places", "free", "helped")


async def _services(conn: asyncpg.Connection, order: Order, filters: Filters, now: datetime) -> dict[str, Any]:
    """Volunteers' services as the map's switch shows them, gathered by cells; named, and put exactly where they are,
    only where titles are asked for."""
    zoom = CLOSEST
    while True:
        shift = tiles.shift_for(zoom)
        found = await service_marks.on_map(conn, order.reader, filters, order.district.zone, now, shift)
        if len(found.marks) <= MOST_CELLS:
            break
        zoom -= 1
    plain: dict[str, Any] = msgspec.to_builtins(found)
    lon, lat = (np.array([getattr(one, name) for one in found.marks]) for name in ("lon", "lat"))
    lon, lat = (lon, lat) if order.titles else middles(lon, lat, zoom)
    for mark, x, y in zip(plain["marks"], lon, lat, strict=True):
        told = mark["services"] if order.titles else []
        mark["services"] = [{name: one[name] for name in IN_SERVICES} for one in told]
        mark["lon"], mark["lat"] = round(float(x), 6), round(float(y), 6)
    return plain


def middles(lon: coordinates.Array, lat: coordinates.Array, zoom: int) -> coordinates.Pair:
    """The middles of the cells of a zoom in which these positions lie."""
    east, _ = coordinates.to_web_mercator(180.0, 0.0)
    side = 2 * float(east) / (1 << (zoom + tiles.FINER_THAN_A_TILE))
    x, y = coordinates.to_web_mercator(lon, lat)
    return coordinates.from_web_mercator((np.floor(x / side) + 0.5) * side, (np.floor(y / side) + 0.5) * side)


async def _titles(conn: asyncpg.Connection, order: Order, filters: Filters, now: datetime) -> list[dict[str, Any]]:
    """The issues by title, newest first, without who has them or reported them."""
    issues: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        part = await issue_lists.page(
            conn, order.reader, filters, order.district.zone, now, limit=AT_ONCE, cursor=cursor, total=cursor is None
        )
        if (part.total or 0) > MOST_TITLES:
            raise TooMany
        issues += [_title(one) for one in part.items]
        if part.next is None:
            return issues
        cursor = part.next


IN_TITLES = (
    *("id", "number", "title", "category", "urgency", "state", "group", "overdue"),
    *("community", "certainty", "position", "reported_at", "due_at", "paused_at"),
)


def _title(issue: issue_lists.Item) -> dict[str, Any]:
    plain = msgspec.to_builtins(issue)
    return {name: plain[name] for name in IN_TITLES}


def _query(order: Order) -> str:
    """The address that the page begins with."""
    filters = order.filters
    given = [(name, value) for name in ("community", "street", "category", "group") for value in getattr(filters, name)]
    given += [
        (name, value.isoformat())
        for name in ("reported_from", "reported_to", "as_of")
        if (value := getattr(filters, name)) is not None
    ]
    given.append(("layer", order.layers[0]))
    if order.than is not None:
        given.append(("than", f"{order.than[0]}..{order.than[1]}"))
    if order.campaign is not None:
        given.append(("campaign", order.campaign))
    return urlencode(given)


def _told(order: Order, filters: Filters, now: datetime) -> list[tuple[str, str]]:
    """What is in the file, said on it."""
    language, zone, gettext = order.language, order.district.zone, texts.of(order.language).gettext
    return [
        (gettext("As of"), texts.moment(moment(filters, zone, now).at, language, zone)),
        (gettext("Known at"), texts.moment(now, language, zone)),
        (
            gettext("Made by"),
            gettext("the program, of the whole district")
            if order.whole
            else gettext("the program, of what %(name)s sees") % {"name": order.reader.name},
        ),
        (gettext("Filters"), "; ".join(_filters_told(order)) or gettext("no filter")),
        (gettext("Titles of issues"), gettext("inside") if order.titles else gettext("left out")),
        (
            gettext("Volunteers' services"),
            gettext("inside, with their titles") if order.titles else gettext("inside, without their titles"),
        ),
    ]


def _filters_told(order: Order) -> list[str]:
    filters, gettext = order.filters, texts.of(order.language).gettext
    reported, compared = gettext("Reported on"), gettext("compared with")
    of_places = [
        (gettext("Communities"), filters.community),
        (gettext("Streets"), filters.street),
        (gettext("Categories"), filters.category),
        (gettext("Groups"), filters.group),
    ]
    told = [f"{name} {', '.join(values)}" for name, values in of_places if values]
    if filters.reported_from or filters.reported_to:
        first, last = (
            texts.day(one, order.language) if one else "" for one in (filters.reported_from, filters.reported_to)
        )
        told.append(f"{reported} {first} – {last}")
    if order.than is not None:
        first, last = (texts.day(one, order.language) for one in order.than)
        told.append(f"{compared} {first} – {last}")
    return told


def _event(order: Order, counted: int, services: int, now: datetime) -> dict[str, object]:
    given = {
        name: value
        for name, value in msgspec.to_builtins(order.filters).items()
        if value not in (None, [], ()) and name != "text"
    }
    scope = {} if order.whole else {"as": str(order.reader.member)}
    return history.occurrence(
        district=order.reader.district,
        kind="export",
        event="exported",
        actor=ACTOR,
        now=now,
        facts={
            "what": "map.html",
            "filters": given,
            "rows": counted,
            "services": services,
            "layers": list(order.layers),
            "titles": order.titles,
            **scope,
        },
    )


async def _data(
    conn: asyncpg.Connection, order: Order, present: Present, now: datetime, file: Mapping[str, object]
) -> dict[str, object]:
    district, reader = order.district, order.reader
    known = (await campaigns.page(conn, reader, district.zone, now)).items
    return {
        "language": order.language,
        "system": "wgs84",
        "district": {"code": district.code, "name": district.name, "zone": district.time_zone},
        "reader": "",
        "demo": present.source == "demo",
        "today": now.astimezone(district.zone).date().isoformat(),
        "first_day": now.astimezone(district.zone).date().isoformat(),
        "categories": [],
        "departments": [],
        "answer_for": [
            (area.organisation, area.name, area.communities) for area in (await map_layers.places(conn, reader)).areas
        ],
        "campaigns": [(one.id, one.name) for one in known if one.id == order.campaign],
        "fewest": map_layers.FEWEST,
        "ways": [],
        "file": file,
    }


def _page(present: Present, data: Mapping[str, object], order: Order) -> str:
    title = "Issue map" if order.language == "en" else "问题地图"
    return issue_map.file(
        present.drawing,
        title=f"{order.district.name} · {title}",
        language="en" if order.language == "en" else "zh-CN",
        styles=pages.asset_text("map.css"),
        scripts=[pages.asset_text("leaflet.js"), pages.asset_text("map_alone.js")],
        data=data,
    )
