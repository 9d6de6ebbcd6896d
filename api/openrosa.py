"""OpenRosa for ODK Collect: the forms that a member fills in, and the visits that come of them."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

import asyncpg
from litestar import Request, Response, get, head, post
from litestar.params import FromQuery

from api import database, openrosa_access, openrosa_answers, openrosa_bodies, openrosa_filing, openrosa_forms
from api.auth import PUBLIC
from api.limits import Limits
from api.openrosa_answers import XML, File, Listed
from api.openrosa_filing import Outcome
from api.problem_details import language
from api.settings import Settings
from api.visits import CLOCK_YEARS
from surveys.campaigns import days
from surveys.campaigns.days import Day
from surveys.collect import collect_forms, visit_form
from surveys.collect.collect_forms import CATEGORIES, DOORS, Form
from surveys.people import people
from surveys.people.people import Reader
from surveys.refusals import NotFound

PREFIX = "/openrosa"
ASKED = {PUBLIC: True}  # who it is, Basic authentication tells, which only these routes take
CSV = "text/csv"

Asked = Request[Any, Any, Any]


@get(PREFIX + "/formList", opt=ASKED, include_in_schema=False)
async def form_list(request: Asked, formID: FromQuery[str | None] = None) -> Response[str]:  # noqa: N803 -- OpenRosa's
    """The visit forms that the member fills in: those of their campaigns, of no campaign, and the plain one."""
    reader = await openrosa_access.admit(request)
    async with database.acquired(request.app.state.pool) as conn:
        day = await _day(conn, request, reader)
        found = await collect_forms.of_reader(conn, reader, [campaign.id for campaign in day.campaigns])
    plain = collect_forms.md5((await openrosa_forms.plain()).encode())
    forms = [Form(visit_form.FORM_ID, visit_form.VERSION, collect_forms.PLAIN_TITLE, plain), *found]
    return openrosa_answers.form_list([_listed(request, form) for form in forms if formID in (None, form.id)])


def _listed(request: Asked, form: Form) -> Listed:
    asked = urlencode({"formId": form.id, "version": form.version}, quote_via=quote)
    return Listed(
        id=form.id,
        version=form.version,
        name=form.title[language(request)],
        md5=form.md5,
        form=_address(request, f"/form.xml?{asked}"),
        manifest=_address(request, f"/manifest.xml?{asked}"),
    )


@get(PREFIX + "/form.xml", opt=ASKED, include_in_schema=False)
async def form(request: Asked, formId: FromQuery[str], version: FromQuery[str] = "") -> Response[str]:  # noqa: N803
    """A visit form; an old version too, for who still has visits of it."""
    reader = await openrosa_access.admit(request)
    async with database.acquired(request.app.state.pool) as conn:
        if (formId, version) == (visit_form.FORM_ID, visit_form.VERSION):
            collect_forms.refuse_who_visits_nothing(reader)
            return Response(await openrosa_forms.plain(), media_type=XML)
        return Response(await collect_forms.xform(conn, reader, formId, version), media_type=XML)


@get(PREFIX + "/manifest.xml", opt=ASKED, include_in_schema=False)
async def manifest(request: Asked) -> Response[str]:
    """The lists that every visit form chooses from, with the hashes by which Collect fetches what changed."""
    reader = await openrosa_access.admit(request)
    async with database.acquired(request.app.state.pool) as conn:
        day = await _day(conn, request, reader)
    doors, categories = collect_forms.doors(day), collect_forms.categories(day)
    files = [
        File(DOORS, collect_forms.md5(doors), _address(request, f"/{DOORS}"), entities=True),
        File(CATEGORIES, collect_forms.md5(categories), _address(request, f"/{CATEGORIES}")),
    ]
    return openrosa_answers.manifest(files)


@get([f"{PREFIX}/{DOORS}", f"{PREFIX}/{CATEGORIES}"], opt=ASKED, include_in_schema=False)
async def media(request: Asked) -> Response[bytes]:
    """The member's doors as a list of entities in walking order, or what a problem can be about."""
    reader = await openrosa_access.admit(request)
    async with database.acquired(request.app.state.pool) as conn:
        day = await _day(conn, request, reader)
    wanted = collect_forms.doors if request.url.path.endswith(DOORS) else collect_forms.categories
    return Response(wanted(day), media_type=CSV)


async def _day(conn: asyncpg.Connection, request: Asked, reader: Reader) -> Day:
    """The reader's day. Raises NotAllowed for who does not go to doors."""
    district = await people.district(conn, reader.district)
    if district is None:
        raise NotFound
    return await days.of_reader(conn, reader, district, request.app.state.clock())


def _address(request: Asked, path: str) -> str:
    """Where something is had: at the address that people know or, without one, at that of the request."""
    settings: Settings = request.app.state.settings
    base = settings.public_url or str(request.base_url)
    return base.rstrip("/") + PREFIX + path


@head(PREFIX + "/submission", opt=ASKED, status_code=204, include_in_schema=False)
async def ask(request: Asked) -> Response[None]:
    """Collect asks before it sends: who it is, and how much may come at once."""
    await openrosa_access.admit(request)
    return Response(None, status_code=204, headers={"Location": _address(request, "/submission")})


@post(PREFIX + "/submission", opt=ASKED, request_max_body_size=None, include_in_schema=False)
async def submit(request: Asked) -> Response[str]:
    """File a visit, put one right, or take in more of its files: 201 when all is there, 202 while files are missing."""
    reader = await openrosa_access.admit(request)
    state = request.app.state
    limits: Limits = state.limits
    limits.refuse_over("filing", f"{reader.district}/{reader.member}")
    most = state.attachments.most_bytes
    async with openrosa_bodies.received(request, state.settings, reader.district, most) as body:
        outcome = await openrosa_filing.take(state, reader, body, _device_time(request))
    status = 202 if outcome.missing or body.incomplete else 201
    answer = openrosa_answers.told(_in_words(outcome, language(request)), status)
    answer.headers["Location"] = _address(request, "/submission")
    return answer


def _device_time(request: Asked) -> datetime | None:
    """What the phone takes for the time, which Collect says in every request."""
    try:
        told = parsedate_to_datetime(request.headers.get("date", ""))
    except ValueError:
        return None
    return told if told.tzinfo is not None and told.year in CLOCK_YEARS else None


def _in_words(outcome: Outcome, language: str) -> str:
    zh = language != "en"
    said = ["已修改" if zh else "Corrected"] if outcome.corrected else ["已收到走访" if zh else "The visit is filed"]
    if outcome.numbers:
        said.append(("问题编号 " if zh else "problems: ") + ("、" if zh else ", ").join(outcome.numbers))
    if outcome.missing:
        count = len(outcome.missing)
        said.append(f"还缺 {count} 个文件" if zh else f"{count} files are still missing")
    if outcome.unusable:
        names = ", ".join(outcome.unusable)
        said.append(f"这些文件不是能用的照片，没有保存：{names}" if zh else f"no usable photos, and not kept: {names}")
    return ("，" if zh else "; ").join(said)


ROUTES = [form_list, form, manifest, media, ask, submit]
