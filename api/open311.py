"""Open311 GeoReport v2: what residents report through city apps becomes issues, and the apps read where those stand.

Discovery and services are for everybody; filing and reading take an app's key. [open311.md](open311.md) tells how."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from litestar import Request, Response, get, post
from litestar.params import FromPath

from api import basic_access, card_words, database, open311_questions, texts
from api.auth import PUBLIC
from api.filing import Numbers
from api.limits import Limits, few_pages
from api.open311_answers import PREFIX, answer
from api.problem_details import language
from api.settings import Settings
from maps.locator import Atlas
from surveys.access import sessions
from surveys.intake import app_reports, app_requests, integrations, outside_reports
from surveys.intake.app_requests import Asked
from surveys.intake.integrations import App
from surveys.intake.outside_reports import Reported
from surveys.issues import categories
from surveys.people import people
from surveys.people.people import District
from surveys.refusals import Invalid, Missing, NotFound, NotSignedIn, UnknownCategory

OPEN = {PUBLIC: True}  # who it is, an app's key tells, where one is needed
SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
CHANGED = "2026-11-30T00:00:00Z"  # when what is offered here changed last

Anybody = Request[Any, Any, Any]


class KeyInAddress(Invalid):
    """A key stands in the address, where everybody on the way keeps it in their logs."""

    code = "key_in_address"


# --- for everybody


@get([f"{PREFIX}/discovery.json", f"{PREFIX}/discovery.xml"], opt=OPEN, include_in_schema=False, guards=[few_pages])
async def discovery(request: Anybody) -> Response[bytes]:
    """What is offered where."""
    settings: Settings = request.app.state.settings
    base = (settings.public_url or str(request.base_url)).rstrip("/")
    gettext = texts.of(language(request)).gettext
    endpoint = {
        "specification": SPECIFICATION,
        "url": f"{base}{PREFIX}",
        "changeset": CHANGED,
        "type": "production",
        "formats": ["application/json", "text/xml"],
    }
    told = {
        "changeset": CHANGED,
        "contact": gettext("The district's administrator"),
        "key_service": gettext("The district's administrator registers an app and hands out its key."),
        "endpoints": [endpoint],
    }
    return answer(request, "discovery", told)


@get([f"{PREFIX}/services.json", f"{PREFIX}/services.xml"], opt=OPEN, include_in_schema=False, guards=[few_pages])
async def services(request: Anybody) -> Response[bytes]:
    """What can be reported: the categories in which a resident can report."""
    async with database.acquired(request.app.state.pool) as conn:
        district = await _district(conn, request.query_params.get("jurisdiction_id"))
        choices = await outside_reports.choices(conn, district.district, request.app.state.clock())
    found = [
        {
            "service_code": code,
            "service_name": name,
            "description": name,
            "metadata": True,
            "type": "realtime",
            "keywords": "",
            "group": group,
        }
        for group, members in choices.items()
        for code, name in members
    ]
    return answer(request, "services", found)


@get(PREFIX + "/services/{service:str}", opt=OPEN, include_in_schema=False, guards=[few_pages])
async def service(request: Anybody, service: FromPath[str]) -> Response[bytes]:
    """What is asked about a service: how urgent it is, of as many degrees as the category has."""
    code = _named(service)
    now = request.app.state.clock()
    async with database.acquired(request.app.state.pool) as conn:
        district = await _district(conn, request.query_params.get("jurisdiction_id"))
        category = (await categories.in_force(conn, district.district, now, [code])).get(code)
    if category is None or category.retired or "normal" not in category.limits:
        raise NotFound("service_code")
    gettext = texts.of(language(request)).gettext
    names = {"normal": gettext("Normal"), "urgent": gettext("Urgent")}
    urgency = {
        "variable": True,
        "code": "urgency",
        "datatype": "singlevaluelist",
        "required": False,
        "datatype_description": "",
        "order": 1,
        "description": gettext("How urgent is it?"),
        "values": [{"key": key, "name": name} for key, name in names.items() if key in category.limits],
    }
    return answer(request, "service_definition", {"service_code": code, "attributes": [urgency]})


async def _district(conn: asyncpg.Connection, jurisdiction: str | None) -> District:
    """The district that is named, or the only one. Raises Missing or NotFound."""
    found = await people.of_jurisdiction(conn, jurisdiction)
    if jurisdiction is None and len(found) > 1:
        raise Missing("jurisdiction_id")
    if not found:
        raise NotFound("jurisdiction_id")
    return found[0]


# --- for who has a key


@post([f"{PREFIX}/requests.json", f"{PREFIX}/requests.xml"], opt=OPEN, include_in_schema=False)
async def file_request(request: Anybody) -> Response[bytes]:
    """Make an issue of a report; the same report under the same `external_id` gets its first answer."""
    state = request.app.state
    fields = await open311_questions.form(request)
    key = fields.get("api_key") or _presented(request)
    async with database.acquired(state.pool) as conn:
        app = await _app(request, conn, key, fields.get("jurisdiction_id"))
        district = await people.district(conn, app.district)
        zone = district.zone if district else ZoneInfo("UTC")
        reserved = await _numbers(request).take(conn, app.district, 1)
        async with conn.transaction():
            await _app(request, conn, key, fields.get("jurisdiction_id"), filing=True)
            asked = open311_questions.report(fields, await _category(conn, app, fields, request))
            atlas: Atlas = state.atlas
            made, new = await app_reports.report(conn, atlas, state.ring, reserved, app, asked, zone, state.clock())
    told = {
        "service_request_id": made.number,
        "service_notice": _notice(request, made, fields, zone),
        "account_id": None,
    }
    return answer(request, "service_requests", [told], status=201 if new else 200)


def _numbers(request: Anybody) -> Numbers:
    numbers: Numbers = request.app.state.numbers
    return numbers


async def _category(conn: asyncpg.Connection, app: App, fields: Mapping[str, str], request: Anybody) -> str:
    """What the category that is reported in is called."""
    code = open311_questions.service_code(fields)
    found = (await categories.in_force(conn, app.district, request.app.state.clock(), [code])).get(code)
    if found is None or found.retired:
        raise UnknownCategory("service_code", given=code[:20])
    return found.name


def _notice(request: Anybody, made: Reported, fields: Mapping[str, str], zone: ZoneInfo) -> str:
    words = language(request)
    gettext = texts.of(words).gettext
    said = [gettext("To be done by %(time)s.") % {"time": texts.moment(made.due_at, words, zone)}]
    if fields.get("media_url"):
        said.append(gettext("The photo's address was not read: photos are not fetched from other places."))
    return " ".join(said) if words == "en" else "".join(said)


@get([f"{PREFIX}/requests.json", f"{PREFIX}/requests.xml"], opt=OPEN, include_in_schema=False)
async def list_requests(request: Anybody) -> Response[bytes]:
    """The requests that the app filed, newest first, and where each stands."""
    query = _query(request)
    asked = open311_questions.listed(query, request.app.state.clock())
    return await _requests(request, query.get("jurisdiction_id"), asked)


@get(PREFIX + "/requests/{number:str}", opt=OPEN, include_in_schema=False)
async def one_request(request: Anybody, number: FromPath[str]) -> Response[bytes]:
    """Where one request stands."""
    query = _query(request)
    asked = open311_questions.listed({"service_request_id": _named(number)}, request.app.state.clock())
    return await _requests(request, query.get("jurisdiction_id"), asked, one=True)


@get(PREFIX + "/tokens/{token:str}", opt=OPEN, include_in_schema=False)
async def token(request: Anybody, token: FromPath[str]) -> Response[bytes]:
    """The number of a request; it is told when a report is filed, so that nobody has to wait with a token."""
    query, named = _query(request), _named(token)
    async with database.acquired(request.app.state.pool) as conn:
        app = await _app(request, conn, _presented(request), query.get("jurisdiction_id"))
        try:
            number = await app_requests.number(conn, app, UUID(named))
        except ValueError:
            number = None
    if number is None:
        raise NotFound("token")
    return answer(request, "service_requests", [{"service_request_id": number, "token": named}])


async def _requests(request: Anybody, jurisdiction: str | None, asked: Asked, *, one: bool = False) -> Response[bytes]:
    async with database.acquired(request.app.state.pool) as conn:
        app = await _app(request, conn, _presented(request), jurisdiction)
        district = await people.district(conn, app.district)
        found = await app_requests.requests(conn, app, asked)
    if one and not found:
        raise NotFound("service_request_id")
    zone = district.zone if district else ZoneInfo("UTC")
    return answer(request, "service_requests", [_told(request, each, zone) for each in found])


def _told(request: Anybody, one: app_requests.Request, zone: ZoneInfo) -> dict[str, Any]:
    words, now = language(request), request.app.state.clock()
    standing = card_words.standing(one.as_on_a_card(), zone, now, words)
    return {
        "service_request_id": one.number,
        "status": "open" if one.open else "closed",
        "status_notes": (". " if words == "en" else "；").join(filter(None, (standing.words, standing.until))),
        "service_name": one.category_name,
        "service_code": one.category,
        "description": one.text,
        "agency_responsible": one.standing.department,
        "service_notice": None,
        "requested_datetime": _time(one.reported_at, zone),
        "updated_datetime": _time(one.standing.updated_at, zone),
        "expected_datetime": _time(one.standing.due_at, zone) if one.open else None,
        "address": one.community_name,
        "address_id": one.community,
        "zipcode": None,
        "lat": one.place.lat if one.place else None,
        "long": one.place.lon if one.place else None,
        "media_url": None,
    }


def _time(moment: Any, zone: ZoneInfo) -> str:
    told: str = moment.astimezone(zone).isoformat(timespec="seconds")
    return told


def _query(request: Anybody) -> Mapping[str, str]:
    """What an address asks for. Raises KeyInAddress."""
    if "api_key" in request.query_params:
        raise KeyInAddress("api_key")
    return dict(request.query_params.items())


def _presented(request: Anybody) -> str:
    """The key in a request's header: as a bearer token, or as the password of Basic authentication."""
    return basic_access.secret(request)


async def _app(
    request: Anybody, conn: asyncpg.Connection, key: str, jurisdiction: str | None, *, filing: bool = False
) -> App:
    """The app whose key this is, in the district that it names, if it names one. Raises TlsNeeded, NotSignedIn,
    NotFound and TooManyRequests."""
    basic_access.refuse_plain(request)
    presented = sessions.credential(key)
    app = await integrations.of_key(conn, presented, filing=filing) if presented.kind == "app" else None
    if app is None:
        basic_access.count_failure(request)
        raise NotSignedIn
    if jurisdiction and not any(
        one.district == app.district for one in await people.of_jurisdiction(conn, jurisdiction)
    ):
        raise NotFound("jurisdiction_id")
    limits: Limits = request.app.state.limits
    if not filing:
        limits.refuse_over("page", f"open311 {app.district}/{app.id}")
    return app


def _named(last: str) -> str:
    """What the last part of an address names, without its form. Raises NotFound."""
    name, _, kind = last.rpartition(".")
    if kind not in ("json", "xml") or not name or "\x00" in name:
        raise NotFound
    return name


ROUTES = [discovery, services, service, file_request, list_requests, one_request, token]
