"""Issues over HTTP: listed, read with their history, and moved."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.auth import Clock
from api.json_bodies import JsonBody, UnknownField
from maps.locator import Atlas
from surveys.counting import issue_lists, issue_query
from surveys.counting.issue_lists import Detail, Page
from surveys.counting.issue_query import Filters
from surveys.counting.rate_terms import Rate
from surveys.issues import issue_moves
from surveys.issues.categories import Channel, Urgency
from surveys.issues.issues import Asked, Origin
from surveys.issues.moves import Moved, MoveDraft
from surveys.issues.placing import Certainty
from surveys.issues.workflow import Group, State
from surveys.people.people import District, Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import InvalidFilter

# What may stand beside the filters in the address of a list, a map or the rates.
BESIDE_FILTERS = frozenset({"limit", "cursor", "total", "zoom", "lang", "by", "hours", "sort"})
# The route's opt that names what it reads of its address by itself, where that is something else.
BESIDE = "beside_filters"


ME = "me"
Persons = Annotated[list[str] | None, QueryParameter(description="ids of members; `me` for who asks")]


async def filters(
    request: Request[Reader, Any, Any],
    id_: Annotated[list[UUID] | None, QueryParameter(name="id", description="of these issues alone")] = None,
    community: Annotated[
        list[str] | None, QueryParameter(description="codes of communities; `none` for what is in none")
    ] = None,
    street: FromQuery[list[str] | None] = None,
    category: FromQuery[list[str] | None] = None,
    state_: Annotated[list[State] | None, QueryParameter(name="state")] = None,
    group: FromQuery[list[Group] | None] = None,
    urgency: FromQuery[list[Urgency] | None] = None,
    owner: Persons = None,
    department: Annotated[
        list[str] | None, QueryParameter(description="codes of departments; `none` for what no department works on")
    ] = None,
    organisation: Annotated[
        list[str] | None,
        QueryParameter(description="the reporter's organisation on the day; `none` for what no member reported"),
    ] = None,
    channel: FromQuery[list[Channel] | None] = None,
    offered_to: Persons = None,
    asked: FromQuery[list[Asked] | None] = None,
    leader: Persons = None,
    agent: Persons = None,
    overdue: FromQuery[bool | None] = None,
    waiting: Annotated[
        Literal["yes", "no"] | None,
        QueryParameter(description="what waits for somebody else than its owner: a department, a judgement, a pause"),
    ] = None,
    returned: Annotated[
        Literal["yes", "no"] | None,
        QueryParameter(description="what was given back or reopened and is not started again"),
    ] = None,
    reported_from: FromQuery[date | None] = None,
    reported_to: FromQuery[date | None] = None,
    due_from: FromQuery[date | None] = None,
    due_to: FromQuery[date | None] = None,
    bbox: FromQuery[str | None] = None,
    text: FromQuery[str | None] = None,
    placed: FromQuery[Literal["yes", "no"] | None] = None,
    certainty: FromQuery[list[Certainty] | None] = None,
    source: Annotated[list[Origin] | None, QueryParameter(description="how it came to us")] = None,
    provisional: Annotated[
        Literal["yes", "no"] | None,
        QueryParameter(description="whether a year counts towards its due time whose holidays are not published yet"),
    ] = None,
    rate: Annotated[
        Rate | None, QueryParameter(description="what this rate counts: its denominator, unless `met` says else")
    ] = None,
    met: Annotated[
        Literal["yes", "no"] | None,
        QueryParameter(description="of what `rate` counts: its numerator, or what the numerator leaves"),
    ] = None,
    as_of: FromQuery[date | None] = None,
    known_at: Annotated[
        datetime | None, QueryParameter(description="as it was known then; with its zone: 2026-11-23T18:00:00+08:00")
    ] = None,
) -> Filters:
    """The filters of a list or a map. Raises Invalid for one that does not fit, or that is not one."""
    beside = request.route_handler.opt.get(BESIDE, BESIDE_FILTERS)
    refuse_unfit(request, beside.union(Filters.__struct_fields__))
    return Filters(
        id=tuple(id_ or ()),
        community=tuple(community or ()),
        street=tuple(street or ()),
        category=tuple(category or ()),
        state=tuple(state_ or ()),
        group=tuple(group or ()),
        urgency=tuple(urgency or ()),
        owner=persons(request, "owner", owner),
        department=tuple(department or ()),
        organisation=tuple(_organisation(one) for one in organisation or ()),
        channel=tuple(channel or ()),
        offered_to=persons(request, "offered_to", offered_to),
        asked=tuple(asked or ()),
        leader=persons(request, "leader", leader),
        agent=persons(request, "agent", agent),
        overdue=overdue,
        waiting=_yes(waiting),
        returned=_yes(returned),
        reported_from=reported_from,
        reported_to=reported_to,
        due_from=due_from,
        due_to=due_to,
        bbox=issue_query.box(bbox) if bbox is not None and "bbox" not in beside else None,
        text=text,
        placed=_yes(placed),
        certainty=tuple(certainty or ()),
        source=tuple(source or ()),
        provisional=_yes(provisional),
        rate=rate,
        met=_yes(met),
        as_of=as_of,
        known_at=zoned(known_at),
    )


def _yes(word: Literal["yes", "no"] | None) -> bool | None:
    return None if word is None else word == "yes"


def persons(request: Request[Reader, Any, Any], name: str, given: list[str] | None) -> tuple[UUID, ...]:
    """The ids of members, `me` among them. Raises InvalidFilter."""
    try:
        return tuple(request.user.member if one == ME else UUID(one) for one in given or ())
    except ValueError:
        raise InvalidFilter(name, expected="me, or a member's id") from None


def address(filters: Filters, *, rate: Rate | None = None, met: bool | None = None, page: bool = False) -> str:
    """Where the list of the issues under these filters opens, of those that a rate counts, if one is named; as a page
    for people, or for programs."""
    given = pairs(msgspec.structs.replace(filters, rate=rate, met=met) if rate else filters)
    if page and not given:
        given.append(
            ("sort", "newest")
        )  # the desk's bare address opens what its reader has to do, and not all there is
    return f"{'/desk/' if page else '/api/issues'}?{urlencode(given)}"


def pairs(filters: Filters) -> list[tuple[str, str]]:
    """Filters as they stand in the query of an address."""
    given: list[tuple[str, str]] = []
    for name, value in msgspec.structs.asdict(filters).items():
        if name == "bbox" and value:
            given.append((name, ",".join(map(str, value))))
        elif isinstance(value, tuple):
            given += [(name, str(one or issue_query.NONE)) for one in value]
        elif isinstance(value, bool):
            word = ("false", "true") if name == "overdue" else ("no", "yes")
            given.append((name, word[value]))
        elif value is not None:
            given.append((name, value if isinstance(value, str) else value.isoformat()))
    return given


def _organisation(given: str) -> UUID | None:
    try:
        return None if given == issue_query.NONE else UUID(given)
    except ValueError:
        raise InvalidFilter("organisation", expected="UUID | none") from None


def zoned(moment: datetime | None) -> datetime | None:
    """The moment, if it says its zone. Raises InvalidFilter."""
    if moment is not None and moment.tzinfo is None:
        raise InvalidFilter("known_at", expected="2026-11-23T18:00:00+08:00")
    return moment


def refuse_unfit(request: Request[Reader, Any, Any], known: Collection[str]) -> None:
    """A filter that is misspelt must not show everything; and no text of the database has U+0000."""
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise UnknownField(name)
        if "\x00" in value:
            raise InvalidFilter(name, expected="no U+0000")


@get("/api/issues", summary="List issues")
async def list_issues(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> Page:
    """The issues that the reader may see, newest first; with `as_of`, as they were at the end of that day."""
    return await issue_lists.page(
        conn, reader, filters, district.zone, clock(), limit=limit, cursor=cursor, total=total
    )


@get("/api/issues/{issue:uuid}", summary="One issue")
async def one_issue(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    issue: FromPath[UUID],
    as_of: FromQuery[date | None] = None,
) -> Detail:
    """One issue with its history, and the moves that the reader may make; with `as_of`, as it was at the end of that
    day."""
    return await issue_lists.one(conn, reader, issue, district.zone, clock(), ring, as_of)


@post(
    "/api/issues/{issue:uuid}/moves",
    dto=JsonBody[MoveDraft],
    return_dto=None,
    status_code=200,
    summary="Move an issue",
)
async def move_issue(
    data: JSONBody[MoveDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    issue: FromPath[UUID],
) -> Moved:
    """Make one move; a stale version is answered with the present state, a retry with its first answer."""
    return await issue_moves.move(conn, atlas, reader, issue, data, clock(), ring)


ROUTES = [list_issues, one_issue, move_issue]
