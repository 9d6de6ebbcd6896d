"""The pages of visits: the list, and one of them with what was found, said and left there."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from msgspec import Struct

from api import history_words, texts
from api.auth import Clock
from api.desk import blank_fields, ways
from api.desk import views as saved
from api.export_columns import WORDS
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from api.visits import BESIDE_FILTERS
from surveys.attachments import photos
from surveys.counting import issue_lists
from surveys.counting.issue_query import NONE
from surveys.desk import choices
from surveys.history import Entry
from surveys.people import people
from surveys.people.people import District, Reader
from surveys.visits import visit_flags, visit_query
from surveys.visits.visit_corrections import answers_for
from surveys.visits.visit_query import VisitFilters

AT_ONCE = 50
VIA = {
    "phone": texts.marked("on a phone"),
    "paper": texts.marked("typed in from paper"),
    "collect": texts.marked("with ODK Collect"),
}


class Told(Struct, frozen=True, kw_only=True):
    """An event as a page tells it."""

    what: str
    who: str
    at: Any
    reason: str | None


def told(entries: Iterable[Entry], kind: str, names: Mapping[UUID, str], language: str) -> list[Told]:
    """A thing's history in words, the newest first."""
    return [
        Told(
            what=history_words.event_in_words(kind, entry.event, language),
            who=names.get(UUID(entry.actor.id), "")
            if entry.actor.kind == "member"
            else history_words.in_words(history_words.ACTORS, entry.actor.kind, language),
            at=entry.happened_at,
            reason=entry.reason,
        )
        for entry in sorted(entries, key=lambda entry: (entry.recorded_at, entry.version), reverse=True)
    ]


async def names_in(conn: asyncpg.Connection, reader: Reader, entries: Iterable[Entry]) -> dict[UUID, str]:
    """The names of the members by whom things happened."""
    members = {UUID(entry.actor.id) for entry in entries if entry.actor.kind == "member"}
    return await people.names(conn, reader.district, sorted(members))


def query(request: Request[Any, Any, Any]) -> str:
    """The filters of an address, without where one stands in the list."""
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] not in ("cursor", "lang") and pair[1]]
    return urlencode(pairs)


def narrowed(request: Request[Any, Any, Any]) -> Mapping[str, str]:
    """Each filter of an address with its first value, as a form shows it."""
    return {name: value for name, value in request.query_params.multi_items() if name not in ("cursor", "lang")}


@get("/desk/visits", include_in_schema=False, before_request=blank_fields.left_out)
async def visits_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    visit_filters: NamedDependency[VisitFilters],
) -> Template:
    """The visits within reach, found by place, time, outcome, campaign, door and what waits to be settled."""
    refuse_unfit(request, BESIDE_FILTERS.union(VisitFilters.__struct_fields__))
    now, cursor = clock(), request.query_params.get("cursor")
    page = await visit_query.page(conn, reader, visit_filters, district.zone, now, limit=AT_ONCE, cursor=cursor)
    around = ways.context(request, reader, district, "visits")
    english = 1 if around["language"] == "en" else 0
    shown = {
        "page": page,
        "first": cursor is None,
        "filters": narrowed(request),
        "query": query(request),
        "as_of": now,
        "words": WORDS,
        "en": english,
        "none": NONE,
        "outcomes": [(code, text[english]) for code, text in WORDS["outcome"].items()],
        "kinds": [(code, text[english]) for code, text in WORDS["premises_kind"].items()],
        "communities": [(one.code, one.name) for one in await choices.communities(conn, reader)],
        "campaigns": [(one.code, one.name) for one in await choices.campaigns(conn, reader)],
    }
    views = await saved.context(request, conn, reader)
    return Template("desk/visits.html", context={**around, **shown, **views}, headers=dict(NOT_KEPT))


@get("/desk/visits/{visit:uuid}", include_in_schema=False)
async def visit_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    visit: FromPath[UUID],
) -> Template:
    """One visit: where and by whom, what was said, which issues were found, its photos, flags and history; corrected
    and withdrawn by who may."""
    refuse_unfit(request, ("lang",))
    now = clock()
    found = await visit_query.one(conn, reader, visit)
    around = ways.context(request, reader, district, "visits")
    language = around["language"]
    entries = [*found.history, *await visit_flags.settlements(conn, reader.district, visit)]
    one = found.visit
    street = await _street(conn, reader, one.community.code if one.community else None)
    flags = await visit_flags.of_visit(conn, reader.district, visit)
    settles = answers_for(reader, one.community.code if one.community else None, street)
    shown = {
        "visit": one,
        "beside": await visit_query.beside(conn, reader.district, visit, language),
        "issues": await issue_lists.of_ids(conn, reader, one.issues, district.zone, now),
        "photos": await photos.listed(conn, reader, "visit", visit, district.zone, now),
        "flags": flags,
        "waits": [each.flag for each in flags if each.settled_at is None],
        "may_settle": settles,
        "may_correct": one.withdrawn_at is None and (settles or one.member.id == reader.member),
        "communities": await choices.communities(conn, reader),
        "none": NONE,
        "history": told(entries, "visit", await names_in(conn, reader, entries), language),
        "words": WORDS,
        "via": VIA,
        "en": 1 if language == "en" else 0,
        "as_of": now,
        "new_id": uuid4,
    }
    return Template("desk/visit.html", context={**around, **shown}, headers=dict(NOT_KEPT))


STREET = "select street from community where district = $1 and code = $2"


async def _street(conn: asyncpg.Connection, reader: Reader, community: str | None) -> str | None:
    street: str | None = await conn.fetchval(STREET, reader.district, community)
    return street


ROUTES = [visits_page, visit_page]
