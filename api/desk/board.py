"""The board: the queues of who works through issues, and every list of issues that an address can ask for."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args
from urllib.parse import urlencode
from uuid import uuid4

import asyncpg
import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Redirect, Template
from msgspec import Struct

from api.auth import Clock
from api.desk import narrowing, views, ways, words
from api.sign_in import NOT_KEPT
from surveys.counting import issue_counts, issue_lists, issue_query
from surveys.counting.issue_lists import Order, Page
from surveys.counting.issue_query import Filters
from surveys.desk import boards, choices
from surveys.desk.boards import Queue, QueueName
from surveys.issues import candidates
from surveys.issues.categories import Urgency
from surveys.issues.workflow import State
from surveys.people.people import District, Reader
from surveys.refusals import NotFound

AT_ONCE = 50
MOST_AT_ONCE = 500  # that are moved together

HTMX = "hx-request"
TEXT = range(2, 101)  # characters that are looked for

Sort = Annotated[Order | None, QueryParameter(description="newest first, or by due time")]


class Shown(Struct, frozen=True, kw_only=True):
    """Which list is shown: of which filters in which order, and the queue that it is, if it is one."""

    filters: Filters
    order: Order
    queues: list[Queue]
    queue: QueueName | None


async def without_blanks(request: Request[Any, Any, Any]) -> Redirect | None:
    """A form sends its empty fields along; they ask for nothing."""
    given = list(request.query_params.multi_items())
    said = [(name, value) for name, value in given if value.strip()]
    if len(said) == len(given):
        return None
    if not any(name != "lang" for name, _ in said):
        said.append(("sort", "newest"))
    return Redirect(f"{request.url.path}?{urlencode(said)}", status_code=303)


def asked(
    request: Request[Reader, Any, Any], filters: Filters, sort: Order | None, district: District, clock: Clock
) -> Shown:
    """The list that an address asks for; a bare one asks for the queue that its reader begins with."""
    today = clock().astimezone(district.zone).date()
    queues = boards.queues(request.user, today)
    if not set(request.query_params) - {"lang", "cursor"}:
        filters = queues[0].filters
    queue = next((queue.name for queue in queues if queue.filters == filters), None)
    return Shown(filters=filters, order=sort or boards.order(filters), queues=queues, queue=queue)


@get("/desk/", include_in_schema=False, before_request=without_blanks)
async def board(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
    sort: Sort = None,
    cursor: FromQuery[str | None] = None,
) -> Template:
    """The list that the address asks for, a part at a time; to a page that has one part already, the next alone."""
    shown = asked(request, filters, sort, district, clock)
    now = clock()
    page = await issue_lists.page(
        conn, reader, shown.filters, district.zone, now, limit=AT_ONCE, cursor=cursor, total=False, order=shown.order
    )
    context = dict(ways.context(request, reader, district, "issues"))
    context |= await _rows(conn, reader, district, shown, page, clock, context["language"])
    if HTMX in request.headers:
        return Template("desk/rows.html", context=context, headers=dict(NOT_KEPT))
    context |= await _around(conn, reader, district, shown, clock, context["language"])
    context |= await views.context(request, conn, reader)
    context["first"] = cursor is None
    return Template("desk/board.html", context=context, headers=dict(NOT_KEPT))


async def _rows(
    conn: asyncpg.Connection,
    reader: Reader,
    district: District,
    shown: Shown,
    page: Page,
    clock: Clock,
    language: str,
) -> Mapping[str, Any]:
    """A part of the list, with the time left of each row, and where the next part is."""
    about = issue_query.moment(shown.filters, district.zone, clock())
    left = await boards.left(conn, reader, page.items, about.at)
    query = narrowing.query(shown.filters, shown.order, language)
    more = narrowing.address(shown.filters, shown.order, language, cursor=page.next) if page.next else None
    return {
        "rows": page.items,
        "left": {id_: (one, words.time_left(one, language)) for id_, one in left.items()},
        "query": query,
        "more": more,
        "word": lambda kind, code: words.word(kind, code, language),
        "asked": words.ASKED,
        "departments": {one.code: one.name for one in await choices.departments(conn, reader)},
        "past": about.at if shown.filters.as_of or shown.filters.known_at else None,
    }


async def _around(
    conn: asyncpg.Connection, reader: Reader, district: District, shown: Shown, clock: Clock, language: str
) -> Mapping[str, Any]:
    """What stands around the rows: queues, filters, and the ways on."""
    filters = shown.filters
    names = await narrowing.names(conn, reader, filters)
    turned: Order = "newest" if shown.order == "due" else "due"
    return {
        "queues": _queues(shown, {}, language),
        "counted": False,
        "queue": shown.queue,
        "queue_titles": words.QUEUES,
        "nothing": words.NOTHING,
        "meanings": words.MEANINGS,
        "filters": msgspec.structs.asdict(filters),
        "unusual": False,
        "owner_names": {str(member): name for member, name in names.members.items()},
        "today": clock().astimezone(district.zone).date(),
        "present": narrowing.address(
            msgspec.structs.replace(filters, as_of=None, known_at=None), shown.order, language
        ),
        "chips": narrowing.chips(filters, shown.order, names, district.zone, language),
        "kept": narrowing.kept(filters, shown.order if shown.order != boards.order(filters) else None),
        "narrowings": names.narrowings,
        "states": get_args(State),
        "urgencies": get_args(Urgency),
        "order": shown.order,
        "other_order": narrowing.address(filters, turned, language),
        "exports": narrowing.query(filters, None, language),
        "everything": f"/desk/?sort=newest{'&lang=en' if language == 'en' else ''}",
        "most": MOST_AT_ONCE,
        "people": await candidates.near(conn, reader, None, None, "take_on"),
        "departments": {one.code: one.name for one in names.narrowings.departments},
        "new_id": uuid4(),
    }


def _queues(shown: Shown, counted: Mapping[QueueName, int], language: str) -> list[Mapping[str, Any]]:
    return [
        {
            "name": queue.name,
            "title": words.QUEUES[queue.name],
            "meaning": words.MEANINGS[queue.name],
            "href": narrowing.address(queue.filters, None, language),
            "here": queue.name == shown.queue,
            "count": counted.get(queue.name),
        }
        for queue in shown.queues
    ]


@get("/desk/queues", include_in_schema=False)
async def queues(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
) -> Template:
    """The queues with how many issues each has; the page that shows them asks for it once its rows are there."""
    shown = asked(request, filters, None, district, clock)
    counted = await boards.counts(conn, reader, shown.queues, district.zone, clock())
    context = dict(ways.context(request, reader, district, "issues"))
    context |= {"queues": _queues(shown, counted, context["language"]), "counted": True}
    return Template("desk/queues.html", context=context, headers=dict(NOT_KEPT))


@get("/desk/total", include_in_schema=False)
async def total(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
) -> Template:
    """How many issues the list has, in words."""
    shown = asked(request, filters, None, district, clock)
    context = dict(ways.context(request, reader, district, "issues"))
    context["total"] = await issue_counts.total(conn, reader, shown.filters, district.zone, clock())
    return Template("desk/total.html", context=context, headers=dict(NOT_KEPT))


@get("/desk/issues", include_in_schema=False)
async def by_number(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    number: FromQuery[str] = "",
) -> Response[Any]:
    """To the page of an issue by its number; what is no number is looked for in the texts."""
    tail = {"lang": "en"} if request.query_params.get("lang") == "en" else {}
    found = await issue_lists.numbered(conn, reader, number, district.zone, clock())
    if found is None:
        text = " ".join(number.split())
        if len(text) not in TEXT:
            raise NotFound("number")
        return Redirect(f"/desk/?{urlencode({'text': text, **tail})}", status_code=303)
    return Redirect(f"/desk/issues/{found}{'?lang=en' if tail else ''}", status_code=303)


ROUTES = [board, queues, total, by_number]
