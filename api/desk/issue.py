"""The page of one issue: all there is to know of it, and what its reader may do next."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import shapely
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Template
from msgspec import Struct

from api.auth import Clock
from api.desk import history_lines, narrowing, ways, words
from api.desk.board import Sort
from api.pages import content_policy
from api.settings import Settings
from api.sign_in import NOT_KEPT
from maps import base_maps
from maps.locator import Atlas
from surveys.attachments import photos
from surveys.attachments.attachments import Item as Photo
from surveys.counting import issue_lists, issue_query
from surveys.counting.issue_lists import Detail
from surveys.counting.issue_query import Filters
from surveys.desk import boards, choices
from surveys.issues import candidates, twins
from surveys.issues.workflow import MOVES, Move
from surveys.people.people import District, Reader
from surveys.privacy.sealing import KeyRing

LINE_WITHIN = 1e-5  # degrees, a metre: how exactly a community's line is drawn

# In this order, the first that is possible as what one would do next.
NEXT: Sequence[Move] = (
    "approve", "refuse", "accept", "decline", "start", "resolve", "close", "resume", "assign", "opine", "appoint",
    "meet", "follow", "extend", "pause", "return", "change_channel", "merge", "unmerge", "reject", "reopen", "correct",
)  # fmt: skip
# Moves that need nothing but to be made.
BARE: frozenset[Move] = frozenset(move for move, rule in MOVES.items() if not rule.needs and not rule.takes) - {
    "reopen"
}


class Place(Struct, frozen=True, kw_only=True):
    """Everything by which a page of one issue is asked for, beside the issue."""

    request: Request[Reader, Any, Any]
    conn: asyncpg.Connection
    reader: Reader
    district: District
    now: datetime
    ring: KeyRing
    atlas: Atlas
    settings: Settings
    filters: Filters
    sort: Any


class Typed(Struct, frozen=True):
    """What somebody wrote into the form of a move that could not be made."""

    form: str
    values: Mapping[str, Any]

    def get(self, name: str, usual: Any = "") -> Any:
        """The value of a field, or the usual one."""
        return self.values.get(name, usual)


NOTHING_TYPED = Typed("", {})


@get("/desk/issues/{issue:uuid}", include_in_schema=False)
async def page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    atlas: NamedDependency[Atlas],
    settings: NamedDependency[Settings],
    filters: NamedDependency[Filters],
    issue: FromPath[UUID],
    sort: Sort = None,
) -> Template:
    """One issue; the address holds the filters of the list that it was opened from."""
    place = Place(
        request=request,
        conn=conn,
        reader=reader,
        district=district,
        now=clock(),
        ring=ring,
        atlas=atlas,
        settings=settings,
        filters=filters,
        sort=sort,
    )
    context = await shown(place, issue)
    hosts = base_maps.chosen(settings.base_map, settings.base_map_key).hosts()
    headers = {**NOT_KEPT, "Content-Security-Policy": content_policy(img_src=" ".join(hosts))}
    return Template("desk/issue.html", context=dict(context), headers=headers)


async def shown(place: Place, issue: UUID) -> dict[str, Any]:
    """What the page of an issue tells. Raises NotFound."""
    conn, reader, zone, now = place.conn, place.reader, place.district.zone, place.now
    as_of = place.filters.as_of
    detail = await issue_lists.one(conn, reader, issue, zone, now, place.ring, as_of)
    around = ways.context(place.request, reader, place.district, "issues")
    language: str = around["language"]
    about = issue_query.moment(Filters(as_of=as_of), zone, now)
    departments = {one.code: one.name for one in await choices.departments(conn, reader)}
    left = (await boards.left(conn, reader, [detail.issue], about.at)).get(issue)
    history = history_lines.lines(detail, departments, zone, language)
    return {
        **around,
        **await _in_list(place, detail, language),
        **await _to_choose_from(place, detail),
        "detail": detail,
        "issue": detail.issue,
        "past": as_of,
        "left": left and (left, words.time_left(left, language)),
        "history": history,
        "photos": _photos(await photos.listed(conn, reader, "issue", issue, zone, now, as_of), detail, history),
        "photo_query": f"?as_of={as_of}" if as_of else "",
        "departments": departments,
        "moves": [move for move in NEXT if move in detail.moves],
        "bare": BARE,
        "move_words": words.MOVES,
        "asked": words.ASKED,
        "opinions": words.OPINIONS,
        "units": words.UNITS,
        "refused": [],
        "blank": NOTHING_TYPED,
        "word": lambda kind, code: words.word(kind, code, language),
        "new_id": uuid4,
        "typed": NOTHING_TYPED,
        "told": None,
        "conflict": None,
        "map": json.dumps(_map(place, detail)),
        "now": now,
    }


async def _in_list(place: Place, detail: Detail, language: str) -> Mapping[str, Any]:
    """The list that the issue was opened from, and its neighbours there."""
    if not set(place.request.query_params) - {"lang"}:
        tail = "?lang=en" if language == "en" else ""
        return {"query": tail.lstrip("?"), "back": f"/desk/{tail}", "previous": None, "next": None}
    filters = place.filters
    order = place.sort or boards.order(filters)
    query = narrowing.query(filters, order, language)
    previous, following = await boards.beside(
        place.conn, place.reader, filters, place.district.zone, place.now, detail.issue, order
    )
    return {
        "query": query,
        "back": f"/desk/?{query}",
        "previous": previous and f"/desk/issues/{previous}?{query}",
        "next": following and f"/desk/issues/{following}?{query}",
    }


async def _to_choose_from(place: Place, detail: Detail) -> Mapping[str, Any]:
    """What the forms of its moves offer, as far as there is such a move."""
    conn, reader, issue = place.conn, place.reader, detail.issue
    moves = set(detail.moves)
    found: dict[str, Any] = {"people": [], "leaders": [], "narrowings": None}
    where = (issue.community.code if issue.community else None, issue.street)
    if moves & {"assign", "appoint", "change_channel"}:
        found["people"] = await candidates.near(conn, reader, *where, "take_on")
    if moves & {"follow", "change_channel"}:
        found["leaders"] = await candidates.near(conn, reader, *where, "follow")
    if "correct" in moves:
        found["narrowings"] = await choices.narrowings(conn, reader)
    return found


def _photos(listed: Sequence[Photo], detail: Detail, history: Sequence[history_lines.Line]) -> list[Mapping[str, Any]]:
    """The photos and files, each with the step of the issue's life that it came with."""
    came = history_lines.evidence(detail)
    by_version = {line.version: line.event for line in history}
    return [
        {
            "sha256": one.sha256,
            "document": one.kind == "document",
            "kilobytes": -(-one.bytes // 1000),
            "at": one.taken_at or one.received_at,
            "step": by_version.get(came[one.sha256].version) if one.sha256 in came else None,
            "after": one.sha256 in came and came[one.sha256].event == "resolve",
        }
        for one in listed
    ]


def _map(place: Place, detail: Detail) -> Mapping[str, Any]:
    """What the small map shows: where the issue is, its community's line, and the base map that both lie on."""
    base = base_maps.chosen(place.settings.base_map, place.settings.base_map_key)
    return {
        "position": [detail.issue.position.lon, detail.issue.position.lat] if detail.issue.position else None,
        "group": detail.issue.group,
        "line": _line(place, detail),
        "base": msgspec.to_builtins(base),
    }


def _line(place: Place, detail: Detail) -> object:
    """The outline of the issue's community by the boundaries valid now, as GeoJSON; None where there is none."""
    locator = place.atlas.valid_at(place.district.district, place.now)
    if locator is None or detail.issue.community is None:
        return None
    code = detail.issue.community.code
    area = next((area for area in locator.boundaries.areas if area.code == code), None)
    return area and json.loads(shapely.to_geojson(shapely.simplify(area.geometry, LINE_WITHIN)))


@get("/desk/issues/{issue:uuid}/twins", include_in_schema=False)
async def twins_of_issue(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    issue: FromPath[UUID],
) -> Template:
    """The issues that may be the same thing, each with why; the page asks for them once it is there."""
    context = await twin_context(request, conn, reader, district, clock(), ring, issue)
    return Template("desk/twins.html", context=context, headers=dict(NOT_KEPT))


async def twin_context(
    request: Request[Reader, Any, Any],
    conn: asyncpg.Connection,
    reader: Reader,
    district: District,
    now: datetime,
    ring: KeyRing,
    issue: UUID,
) -> dict[str, Any]:
    """What the likely twins of an issue are shown with. Raises NotFound."""
    detail = await issue_lists.one(conn, reader, issue, district.zone, now, ring)
    found = await twins.of_issue(conn, reader, issue, district.zone, now)
    context = dict(ways.context(request, reader, district, "issues"))
    language = context["language"]
    return context | {
        "issue": detail.issue,
        "may_merge": "merge" in detail.moves,
        "twins": found.items,
        "word": lambda kind, code: words.word(kind, code, language),
        "new_id": uuid4,
        "query": request.url.query,
    }


@get("/desk/people", include_in_schema=False)
async def people(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    find: FromQuery[str] = "",
    follow: FromQuery[bool] = False,
) -> Template:
    """Members to choose from by part of a name or number, as the options of a field."""
    what: candidates.For = "follow" if follow else "take_on"
    context = dict(ways.context(request, reader, district, "issues"))
    context["people"] = await candidates.named(conn, reader, find, what) if find.strip() else []
    return Template("desk/people.html", context=context, headers=dict(NOT_KEPT))


ROUTES = [page, twins_of_issue, people]
