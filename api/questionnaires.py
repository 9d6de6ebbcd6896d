"""Questionnaires over HTTP: published from XLSForm by an administrator, given out or withdrawn, and read by those who
fill them in."""

from typing import Annotated, Any, Literal

import asyncpg
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from api import database, problem_details, shipped_questionnaires
from api.auth import Clock
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from api.limits import TAKES_ITS_TIME
from api.xlsform_faults import FormUnusable
from api.xlsform_files import MOST_BYTES
from api.xlsform_maker import Wanted
from surveys.history import Actor
from surveys.people.people import District, Reader
from surveys.premises.premises import PremisesKind
from surveys.questionnaires import questionnaires
from surveys.questionnaires.questionnaires import Published, Questionnaire, QuestionnaireChange, Stored
from surveys.refusals import NotFound

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LARGEST_BODY = MOST_BYTES + 1_000_000  # what is a little too large is told as a fault of the file
PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}


class Listed(Struct, frozen=True):
    """The questionnaires of the district, by their ids."""

    items: list[Questionnaire]


class Installed(Struct, frozen=True):
    """What became of the questionnaires that the product brings along."""

    items: list[Published]


@get("/api/questionnaires", summary="List questionnaires", opt={REFUSES: (422,)})
async def list_questionnaires(
    request: Request[Reader, Any, Any], conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]
) -> Listed:
    """The questionnaires with their versions, and how many of the visits that one sees answered each."""
    refuse_unfit(request, ("lang",))
    return Listed(await questionnaires.every(conn, reader))


@post(
    "/api/questionnaires",
    status_code=201,
    request_max_body_size=LARGEST_BODY,
    summary="Publish a questionnaire",
    opt={REFUSES: (408, 409, 413, 422), TAKES_ITS_TIME: True},
    responses={200: ResponseSpec(Published, description="It was published before")},
)
async def publish_questionnaire(
    request: Request[Reader, Any, Any],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    name: Annotated[str, QueryParameter(min_length=1, max_length=200, description="what the file is called")],
    kind: Annotated[PremisesKind | None, QueryParameter(description="of door that it is for")] = None,
) -> Response[Published]:
    """Publish the XLSForm (.xlsx) that is the body, and give it out from now on. The same file again changes nothing;
    another one under a version that exists is refused. What is wrong with a form is told by sheet, row and column."""
    refuse_unfit(request, ("name", "kind", "lang"))
    reader.require("administrator")
    now = clock()
    wanted = Wanted(name, now.astimezone(district.zone).date(), kind)
    try:
        form = await request.app.state.form_maker.make(await request.body(), wanted)
    except FormUnusable as refusal:
        raise FormUnusable(refusal.faults, problem_details.language(request)) from None
    async with database.acquired(request.app.state.pool) as conn, conn.transaction():
        actor = Actor("member", str(reader.member))
        done = await questionnaires.publish(conn, reader.district, form, actor, now, member=reader.member)
    return Response(done, status_code=201 if done.status == "published" else 200)


@get("/api/questionnaires/{questionnaire:str}", summary="One questionnaire", opt={REFUSES: (404,)})
async def one_questionnaire(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], questionnaire: FromPath[str]
) -> Questionnaire:
    """One questionnaire with its versions."""
    return await questionnaires.one(conn, reader, questionnaire)


@post(
    "/api/questionnaires/{questionnaire:str}/changes",
    dto=JsonBody[QuestionnaireChange],
    return_dto=None,
    status_code=200,
    summary="Give out a version, or withdraw the questionnaire",
    opt={REFUSES: (404, 409, 422)},
)
async def change_questionnaire(
    data: JSONBody[QuestionnaireChange],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    questionnaire: FromPath[str],
) -> Questionnaire:
    """Say which version is filled in from now on, `null` for none, and for which kind of door."""
    await questionnaires.change(conn, reader, questionnaire, data, clock())
    return await questionnaires.one(conn, reader, questionnaire)


@get(
    "/api/questionnaires/{questionnaire:str}/versions/{version:str}",
    summary="One version of a questionnaire",
    opt={REFUSES: (404,)},
)
async def one_version(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    questionnaire: FromPath[str],
    version: FromPath[str],
) -> Stored:
    """A version with its questions, their labels and their choices, by which its answers are read."""
    return (await questionnaires.stored(conn, reader, questionnaire, version))[0]


def _content(what: Literal["form.xml", "source"], media_type: str, summary: str) -> Any:
    @get(
        f"/api/questionnaires/{{questionnaire:str}}/versions/{{version:str}}/{what}",
        summary=summary,
        opt={REFUSES: (404,)},
        responses={200: ResponseSpec(bytes, generate_examples=False, description="The file", media_type=media_type)},
        name=f"questionnaire_{what.partition('.')[0]}",
        operation_id="QuestionnaireForm" if what == "form.xml" else "QuestionnaireSource",
    )
    async def content(
        request: Request[Reader, Any, Any],
        conn: NamedDependency[asyncpg.Connection],
        reader: NamedDependency[Reader],
        questionnaire: FromPath[str],
        version: FromPath[str],
    ) -> Response[Any]:
        """The content; 304 for who has it. A published version never changes."""
        find = questionnaires.xform if what == "form.xml" else questionnaires.source
        found = await find(conn, reader, questionnaire, version)
        tag = f'"{found.digest.hex()[:32]}"'
        if tag in request.headers.get("if-none-match", ""):
            return Response(None, status_code=304, headers=PRIVATE | {"ETag": tag})
        headers = PRIVATE | {"ETag": tag, "X-Content-Type-Options": "nosniff"}
        if what == "source":
            headers["Content-Disposition"] = f'attachment; filename="{questionnaire}-{version}.xlsx"'
        return Response(found.content, media_type=media_type, headers=headers)

    return content


@post(
    "/api/questionnaires/shipped",
    status_code=200,
    summary="Publish the questionnaires that the product brings along",
    opt={TAKES_ITS_TIME: True},
)
async def install_shipped(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], clock: NamedDependency[Clock]
) -> Installed:
    """Publish those that are not published yet, for street shops, enterprises and households."""
    reader.require("administrator")
    actor = Actor("member", str(reader.member))
    return Installed(await shipped_questionnaires.install(conn, reader.district, actor, clock(), reader.member))


@get(
    "/api/questionnaires/shipped/{name:str}",
    summary="A questionnaire that the product brings along, as XLSX",
    opt={REFUSES: (404,)},
    responses={200: ResponseSpec(bytes, generate_examples=False, description="The file", media_type=XLSX)},
)
async def shipped_workbook(reader: NamedDependency[Reader], name: FromPath[str]) -> Response[bytes]:
    """The workbook `shop.xlsx`, `enterprise.xlsx` or `household.xlsx`, to be changed and published under an id of
    one's own."""
    reader.require("administrator")
    known = name.removesuffix(".xlsx")
    if known not in shipped_questionnaires.NAMES or known == name:
        raise NotFound
    headers = PRIVATE | {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return Response(shipped_questionnaires.workbook(known), media_type=XLSX, headers=headers)


ROUTES = [
    list_questionnaires,
    publish_questionnaire,
    install_shipped,
    shipped_workbook,
    one_questionnaire,
    change_questionnaire,
    one_version,
    _content("form.xml", "text/xml", "The XForm of a version"),
    _content("source", XLSX, "The XLSForm that a version came as"),
]
