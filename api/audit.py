"""The history over HTTP and as a page: for the auditor, who sees who did what, and of what was written only why
somebody wanted to see a resident's data, and for the administrator."""

from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Redirect, Template
from msgspec import Meta, Struct

from api import history_words, jobs, problem_details, shell
from api.auth import Clock
from api.documented_problems import REFUSES
from api.exports import CSV, XLSX, Format, file_route
from api.history_table import History
from api.history_words import event_in_words
from api.issues import refuse_unfit
from api.json_bodies import in_words as in_plain
from api.sign_in import NOT_KEPT
from surveys import audit
from surveys.audit import Asked, HistoryPage
from surveys.history import Kind
from surveys.people.people import District, Reader
from surveys.refusals import InvalidFilter, Refusal

FILTERS = frozenset({"person", "thing", "about", "kind", "event", "from", "to"})
MOST_EVENTS = 50  # that can be asked for at once
LONGEST_WORD = 100

Person = Annotated[
    str | None, QueryParameter(description="who did it or whom it is about: a member's id or number", max_length=100)
]
Thing = Annotated[
    str | None, QueryParameter(description="what it happened to: an id, or an issue's number", max_length=100)
]


async def asked(
    request: Request[Reader, Any, Any],
    person: Person = None,
    thing: Thing = None,
    about: FromQuery[UUID | None] = None,
    kind: FromQuery[list[Kind] | None] = None,
    event: FromQuery[list[str] | None] = None,
    from_: Annotated[date | None, QueryParameter(name="from", description="first day, of the district")] = None,
    to: Annotated[date | None, QueryParameter(description="last day, of the district")] = None,
) -> Asked:
    """The filters of the history. Raises Invalid for one that does not fit, or that is not one."""
    refuse_unfit(request, FILTERS | {"limit", "cursor", "total", "lang"})
    if len(event or ()) > MOST_EVENTS or any(len(word) > LONGEST_WORD for word in event or ()):
        raise InvalidFilter("event", expected=f"at most {MOST_EVENTS} events")
    return Asked(
        person=person or None,
        thing=thing or None,
        about=about,
        kind=tuple(sorted(set(kind or ()))),
        event=tuple(sorted(set(event or ()))),
        from_=from_,
        to=to,
    )


@get("/api/history", summary="The history", opt={REFUSES: (404,)})
async def list_history(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    asked_history: NamedDependency[Asked],
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> HistoryPage:
    """Who did what to whom or what, newest first: without what is sealed, without places, and without texts but for
    the purpose for which a resident's data was shown or forgotten."""
    return await audit.page(
        conn, reader, asked_history, district.zone, clock(), limit=limit, cursor=cursor, total=total
    )


def _table(reader: NamedDependency[Reader], asked_history: NamedDependency[Asked]) -> History:
    audit.allow(reader)
    return History(asked_history)


def _export(format: Format) -> Any:  # noqa: A002 - the field's word
    return file_route(
        "/api/history", format, name="history", what="The history", table=_table, known=FILTERS, refuses=(404,)
    )


class _Form(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """What the page's form sends; a field that is left empty says nothing."""

    person: Annotated[str, Meta(max_length=100)] | None = None
    thing: Annotated[str, Meta(max_length=100)] | None = None
    about: UUID | None = None
    kind: Kind | None = None
    event: Annotated[str, Meta(max_length=LONGEST_WORD)] | None = None
    from_: date | None = None
    to: date | None = None
    cursor: str | None = None
    lang: str | None = None


@get("/audit", include_in_schema=False)
async def audit_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template | Redirect:
    """The history as a page; its filters stand in its address, which can be sent to somebody."""
    audit.allow(reader)
    sent = list(request.query_params.multi_items())
    said = {name: value.strip() for name, value in sent if value.strip()}
    if len(said) < len(sent):
        return Redirect(f"/audit?{urlencode(said)}" if said else "/audit", status_code=303)
    language = problem_details.language(request)
    refusal: Refusal | None = None
    page: HistoryPage | None = None
    try:
        form = _form(said)
        page = await audit.page(conn, reader, _of_form(form), district.zone, clock(), cursor=form.cursor)
    except Refusal as error:
        refusal = error
    context = {
        **shell.context(request, reader, district, here="audit"),
        "said": said,
        "filters": {name: value for name, value in said.items() if name not in ("cursor", "lang")},
        "page": page,
        "seals": page.seals if page else await audit.seals(conn, reader),
        "problem": problem_details.of(refusal, language) if refusal else None,
        "jobs": await jobs.states(conn, reader.district, 1),
        "job_words": history_words.JOBS,
        "kinds": history_words.KINDS,
        "events": history_words.EVENTS,
        "event_in_words": event_in_words,
        "actors": history_words.ACTORS,
        "address": _address,
    }
    return Template("audit.html", context=context, headers=dict(NOT_KEPT), status_code=422 if refusal else 200)


def _form(said: dict[str, str]) -> _Form:
    try:
        return msgspec.convert(said, _Form, strict=False)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("$.")[2].rstrip("`")
        raise InvalidFilter(field if field in said else None, expected=in_plain(str(error))) from None


def _of_form(form: _Form) -> Asked:
    return Asked(
        person=form.person,
        thing=form.thing,
        about=form.about,
        kind=(form.kind,) if form.kind else (),
        event=(form.event,) if form.event else (),
        from_=form.from_,
        to=form.to,
    )


def _address(path: str, said: dict[str, str], **changed: str | None) -> str:
    """A path with the page's filters, some of them changed or, with None, left out."""
    query = urlencode({name: value for name, value in (said | changed).items() if value})
    return f"{path}?{query}" if query else path


ROUTES = [list_history, _export(CSV), _export(XLSX), audit_page]
