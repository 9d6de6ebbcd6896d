"""Briefs over HTTP: which there are, made for a past period, fetched as PDF and Word, and the Word template."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, cast, get_args
from urllib.parse import quote
from uuid import UUID

import asyncpg
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from api import database, problem_details, report_files, report_making, report_word
from api.auth import Clock
from api.documented_problems import REFUSES
from api.filing import Busy
from api.issues import refuse_unfit
from api.json_bodies import JsonBody, Nothing
from api.limits import TAKES_ITS_TIME
from api.report_files import MEDIA_TYPES
from api.report_maker import Format, Maker
from api.report_template_rules import MOST_BYTES
from api.settings import Settings
from surveys.history import Actor
from surveys.people.people import District, Reader
from surveys.refusals import InvalidFilter, NotFound
from surveys.reports import report_archive, report_makings, report_templates
from surveys.reports.report_archive import KeptPage
from surveys.reports.report_makings import Making
from surveys.reports.report_periods import named
from surveys.reports.report_templates import Language, Template
from surveys.reports.reports import MOST_CASES, Figures, Scope, ScopeKind

ALL = "all"
SCOPES = "district | street:410103001 | community:410103001001"
MOST_OPEN = 50  # makings of a district that wait at once
LARGEST_BODY = MOST_BYTES + 1_000_000  # what is a little too large is told as a fault of the file
NOT_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Lang = Annotated[str | None, QueryParameter(description="zh or en; else what Accept-Language says")]


class MakingDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which brief shall be made: of a period, as 2026-11 or 2026-W48, and a place, or `all` places of the district;
    `anew` makes a further version of one that is there."""

    period: Annotated[str, Meta(max_length=10)]
    scope: Annotated[str, Meta(max_length=80)] = "district"
    anew: bool = False


class Asked(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is being made, or the brief that is there already."""

    making: Making | None = None
    report: UUID | None = None


class Makings(Struct, frozen=True):
    """What is being made, and what ended within a day."""

    items: list[Making]


class CasesDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the issues that a brief shall show as good cases."""

    cases: Annotated[list[Annotated[str, Meta(pattern="^[0-9]{1,18}$")]], Meta(min_length=1, max_length=MOST_CASES)]


class Made(Struct, frozen=True):
    """A brief that was made."""

    id: UUID


class OneReport(Struct, frozen=True, kw_only=True):
    """A brief's figures, the SHA-256 of what is kept, and the titles of the issues that it names, by their ids."""

    id: UUID
    figures: Figures
    digest: str
    titles: dict[str, str | None]


class Templates(Struct, frozen=True):
    """The Word templates that were uploaded, the newest first; with none, the one that comes with the program holds."""

    items: list[Template]


class TemplateKept(Struct, frozen=True):
    """The version that holds from now on."""

    version: int


def scope_code(text: str, district: int) -> tuple[ScopeKind, str]:
    """The kind and code of a place that is written as street:410103001. Raises InvalidFilter."""
    kind, _, code = text.partition(":")
    if kind == "district" and code in ("", str(district)):
        return "district", str(district)
    if kind not in get_args(ScopeKind) or not code or "\x00" in code or kind == "district":
        raise InvalidFilter("scope", expected=SCOPES)
    return cast(ScopeKind, kind), code


async def maker(state: State) -> Maker:
    """What sets files for this process."""
    if "report_maker" not in state:
        state["report_maker"] = Maker()
    kept: Maker = state["report_maker"]
    return kept


MAKER = {"maker": Provide(maker)}


@get("/api/reports", summary="List briefs")
async def list_reports(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    period: FromQuery[str | None] = None,
    scope_: Annotated[str | None, QueryParameter(name="scope", description=SCOPES)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> KeptPage:
    """The briefs of the places whose issues the reader looks after, the newest periods first, each in its newest
    version."""
    refuse_unfit(request, ("period", "scope", "limit", "cursor", "total", "lang"))
    place = scope_code(scope_, reader.district) if scope_ else None
    return await report_archive.page(
        conn, reader, district, period=period, scope=place, limit=limit, cursor=cursor, total=total
    )


@post(
    "/api/reports",
    dto=JsonBody[MakingDraft],
    return_dto=None,
    status_code=202,
    summary="Have a brief made",
    opt={REFUSES: (404,)},
    responses={200: ResponseSpec(Asked, description="It is there already")},
)
async def make_report(
    data: JSONBody[MakingDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Response[Asked]:
    """Have the brief of a past period made, as known now. One that is there is not made again unless `anew` says so:
    then it is a further version, and says that it is."""
    reader.require(*report_archive.READING)
    period, now = named(data.period), clock()
    report_makings.refuse_unended(district, period, now)
    kind, code = scope_code("district" if data.scope == ALL else data.scope, reader.district)
    place = await report_archive.place(conn, reader, district, kind, code)
    if data.scope != ALL and not data.anew:
        there = await report_archive.newest(conn, reader.district, period.name, place)
        if there is not None:
            return Response(Asked(report=there.id), status_code=200)
    return Response(Asked(making=await _asked(conn, reader, district, data, place, now)), status_code=202)


async def _asked(
    conn: asyncpg.Connection, reader: Reader, district: District, data: MakingDraft, place: Scope, now: datetime
) -> Making:
    """The making; the one that waits already, where the same was asked for."""
    scope = None if data.scope == ALL else place
    period = named(data.period)
    waiting = await report_makings.waiting(conn, reader.district)
    wanted = (period.name, scope.kind if scope else None, scope.code if scope else None, data.anew)
    for one in waiting:
        if (one.period, one.scope_kind, one.scope, one.anew) == wanted:
            return one
    if len(waiting) >= MOST_OPEN:
        raise Busy
    making = await report_makings.ask(conn, district, period, scope, reader.member, now, anew=data.anew)
    await report_making.queue(conn, reader.district, [making.id])
    return making


@get("/api/reports/makings", summary="Briefs that are being made")
async def list_makings(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Makings:
    """How far they have come, of the places whose briefs the reader reads."""
    return Makings(await report_archive.makings(conn, reader, district, clock() - report_archive.SHOWN))


@post(
    "/api/reports/makings/{making:uuid}/cancel",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Make no more of them",
)
async def cancel_making(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    making: FromPath[UUID],
) -> None:
    """Cancel a making; the briefs that are made stay."""
    found = await report_archive.making(conn, reader, district, making)
    await report_makings.cancel(conn, reader.district, found.id, clock())


@get("/api/reports/{report:uuid}", summary="One brief")
async def one_report(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    report: FromPath[UUID],
) -> OneReport:
    """The figures of a brief."""
    refuse_unfit(request, ("lang",))
    found = await report_archive.one(conn, reader, district, report)
    return OneReport(id=found.id, figures=found.figures, digest=found.digest, titles=found.titles)


@post(
    "/api/reports/{report:uuid}/cases",
    dto=JsonBody[CasesDraft],
    return_dto=None,
    status_code=201,
    summary="Choose a brief's good cases",
    opt={REFUSES: (422,)},
)
async def choose_cases(
    data: JSONBody[CasesDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    report: FromPath[UUID],
) -> Made:
    """Show other good cases in a brief: it becomes a further version with the same figures, which says that they were
    chosen. Each has to be solved by the end of the period, in its place, and found satisfactory by its resident."""
    numbers = list(dict.fromkeys(int(number) for number in data.cases))
    return Made(await report_archive.choose_cases(conn, reader, district, report, numbers, clock()))


def _file(format_: Format) -> Any:
    @get(
        f"/api/reports/{{report:uuid}}/{format_}",
        summary=f"A brief as {'PDF' if format_ == 'pdf' else 'Word file'}",
        opt={TAKES_ITS_TIME: True, REFUSES: (422,)},
        responses={
            200: ResponseSpec(bytes, generate_examples=False, description="The file", media_type=MEDIA_TYPES[format_])
        },
        name=f"report_{format_}",
        operation_id=f"Report{format_.title()}",
        dependencies=MAKER,
    )
    async def file(
        request: Request[Reader, Any, Any],
        reader: NamedDependency[Reader],
        clock: NamedDependency[Clock],
        settings: NamedDependency[Settings],
        district: NamedDependency[District],
        maker: NamedDependency[Maker],
        report: FromPath[UUID],
        lang: Lang = None,
    ) -> Response[bytes]:
        """The file; asked again, the same bytes. Who fetched it is written into the history."""
        refuse_unfit(request, ("lang",))
        language = problem_details.language(request)
        async with database.acquired(request.app.state.pool) as conn:
            found = await report_archive.one(conn, reader, district, report)
            wanted = await report_files.wanted(conn, district, found, format_, language, settings.font)
        content = await maker.make(wanted)
        by = Actor("member", str(reader.member))
        async with database.acquired(request.app.state.pool) as conn, conn.transaction():
            await report_archive.tell_fetched(conn, reader.district, by, found, format_, clock())
        return _download(content, format_, *report_files.name(found, format_))

    return file


def _download(content: bytes, format_: Format, plain: str, called: str) -> Response[bytes]:
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(called, safe='')}"
    return Response(content, media_type=MEDIA_TYPES[format_], headers=NOT_KEPT | {"Content-Disposition": disposition})


@get("/api/reports/templates", summary="The Word templates of briefs")
async def list_templates(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    lang: Lang = None,
) -> Templates:
    """The versions that were uploaded of a language."""
    refuse_unfit(request, ("lang",))
    reader.require("administrator")
    return Templates(await report_templates.versions(conn, reader.district, _language(request)))


@get(
    "/api/reports/template",
    summary="The Word template of briefs",
    opt={REFUSES: (404,)},
    responses={
        200: ResponseSpec(bytes, generate_examples=False, description="The file", media_type=MEDIA_TYPES["docx"])
    },
)
async def template(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    lang: Lang = None,
    version: Annotated[
        int | None,
        QueryParameter(ge=0, le=2**31 - 1, description="of those that were uploaded; 0 comes with the program"),
    ] = None,
) -> Response[bytes]:
    """The template that holds, or one of its versions, to be changed in Word or WPS."""
    refuse_unfit(request, ("lang", "version"))
    reader.require("administrator")
    language = _language(request)
    found = None if version == 0 else await report_templates.content(conn, reader.district, language, version)
    if found is None and version:
        raise NotFound
    return _download(
        found or report_word.default(language), "docx", f"brief-template-{language}.docx", f"简报模板-{language}.docx"
    )


@post(
    "/api/reports/template",
    status_code=201,
    request_max_body_size=LARGEST_BODY,
    summary="Upload a Word template of briefs",
    opt={REFUSES: (408, 413, 422), TAKES_ITS_TIME: True},
    dependencies=MAKER,
)
async def upload_template(
    request: Request[Reader, Any, Any],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    maker: NamedDependency[Maker],
    lang: Lang = None,
) -> TemplateKept:
    """Let the Word file that is the body be the template from now on. It is tried first: a placeholder that a brief
    does not have, and whatever else a template may not hold, is refused by its name."""
    refuse_unfit(request, ("lang",))
    reader.require("administrator")
    content, language = await request.body(), _language(request)
    await report_files.try_template(maker, language, content, clock())
    async with database.acquired(request.app.state.pool) as conn, conn.transaction():
        return TemplateKept(await report_templates.keep(conn, reader, language, content, clock()))


def _language(request: Request[Any, Any, Any]) -> Language:
    return cast(Language, problem_details.language(request))


FILES: Sequence[Any] = [_file(cast(Literal["pdf", "docx"], format_)) for format_ in get_args(Format)]
ROUTES = [
    list_reports,
    make_report,
    list_makings,
    cancel_making,
    list_templates,
    template,
    upload_template,
    one_report,
    choose_cases,
    *FILES,
]
