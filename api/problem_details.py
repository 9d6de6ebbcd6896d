"""Refusals as people and programs read them: RFC 9457, in the reader's language."""

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.response import Redirect, Template
from litestar.status_codes import (
    HTTP_408_REQUEST_TIMEOUT,
    HTTP_429_TOO_MANY_REQUESTS,
    HTTP_500_INTERNAL_SERVER_ERROR,
    HTTP_503_SERVICE_UNAVAILABLE,
)
from msgspec import Struct

from api import basic_access, open311_answers, openrosa_answers
from api.database import UNAVAILABLE
from api.expected_words import spoken
from api.json_bodies import in_words, named_values
from api.problem_texts import TEXTS
from surveys import refusals
from surveys.counting.issue_query import Filters
from surveys.refusals import Refusal

log = structlog.get_logger()

RETRY_AFTER_S = "5"
UNUSABLE = 422
SECOND_FACTOR_NEEDED = "second_factor_needed"


_BY_STATUS = {401: "not_signed_in", 403: "not_allowed", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem as RFC 9457 has it, with the field it is about and the facts that help."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    instance: str | None = None
    field: str | None = None
    facts: dict[str, Any] = {}


def of(refusal: Exception, language: str, instance: str | None = None) -> Problem:
    """A refusal, or anything else with a code and facts, as a problem in a language."""
    code = getattr(refusal, "code", "fault")
    facts = {name: _short(value) for name, value in getattr(refusal, "facts", {}).items()}
    field = getattr(refusal, "field", None) or facts.get("field")
    return _problem(code, language, instance, str(field) if field else None, facts)


def _problem(
    code: str, language: str, instance: str | None, field: str | None = None, facts: Mapping[str, Any] | None = None
) -> Problem:
    text = TEXTS.get(code, TEXTS["refused"])
    title = text.en if language == "en" else text.zh
    said = _Facts(facts or {})
    if isinstance(expected := said.get("expected"), str):
        said["expected"] = spoken(expected, language)
    return Problem(
        type=f"urn:zoufang:problem:{code}",
        title=title.format_map(said),
        status=text.status,
        code=code,
        instance=f"urn:zoufang:request:{instance}" if instance else None,
        field=field,
        facts=dict(facts or {}),
    )


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def _short(value: object) -> object:
    return value[:200] if isinstance(value, str) else value


def language(request: Request[Any, Any, Any]) -> str:
    """The language to answer in: Chinese, unless the reader asks for English first."""
    asked: str = request.query_params.get("lang") or request.headers.get("accept-language") or ""
    first = asked.split(",")[0].strip().lower()
    return "en" if first.startswith("en") else "zh"


def respond(request: Request[Any, Any, Any], problem: Problem) -> Response[Any]:
    """A problem as the answer to a request: as a page to a browser that opens one, as OpenRosa's XML to ODK Collect,
    else as JSON."""
    if openrosa_answers.concerns(request):
        return openrosa_answers.refused(problem, headers(problem))
    if open311_answers.concerns(request):
        return open311_answers.refused(request, problem, headers(problem))
    for_ogc = f"{request.url.path}/".startswith("/ogc/")
    if for_ogc and problem.status == UNUSABLE:
        problem = msgspec.structs.replace(problem, status=400)  # as OGC 17-069r4 wants it for a parameter
    said = headers(problem, basic=for_ogc)
    if _wants_page(request):
        for_residents = f"{request.url.path}/".startswith("/card/")
        context = {"language": language(request), "problem": problem, "for_residents": for_residents}
        return Template("problem.html", context=context, status_code=problem.status, headers=said)
    return Response(
        problem,
        status_code=problem.status,
        media_type="application/problem+json; charset=utf-8",
        headers=said,
    )


def headers(problem: Problem, *, basic: bool = False) -> dict[str, str]:
    """What a problem says to programs beside its body: when to come again, and how to sign in."""
    said = {}
    if problem.status in (HTTP_429_TOO_MANY_REQUESTS, HTTP_503_SERVICE_UNAVAILABLE):
        said["Retry-After"] = str(problem.facts.get("seconds", RETRY_AFTER_S))
    if problem.status == HTTP_408_REQUEST_TIMEOUT:
        said["Connection"] = "close"  # the rest of the body is not waited for
    if problem.status == 401:
        said["WWW-Authenticate"] = basic_access.AUTHENTICATE if basic else 'Bearer realm="zoufang"'
    return said


def on_refusal(request: Request[Any, Any, Any], refusal: Exception) -> Response[Any]:
    """The answer to a refusal; a person who opens a page without being signed in is shown where to."""
    if isinstance(refusal, refusals.NotSignedIn) and _wants_page(request):
        return Redirect("/sign-in", query_params={"next": _here(request)}, status_code=303)
    if getattr(refusal, "code", None) == SECOND_FACTOR_NEEDED and _wants_page(request):
        return Redirect("/second-factor", query_params={"next": _here(request)}, status_code=303)
    return respond(request, of(refusal, language(request), _request_id()))


def on_constraint(request: Request[Any, Any, Any], error: asyncpg.IntegrityConstraintViolationError) -> Response[Any]:
    """The answer when the database refuses: a refusal where its constraint stands for one, else a fault of ours."""
    refusal = refusals.of_constraint(error)
    return on_refusal(request, refusal) if refusal else on_fault(request, error)


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """The framework's own refusals, in our shape."""
    if isinstance(error, ValidationException):
        return respond(request, _of_parameter(request, error))
    code = _BY_STATUS.get(error.status_code, "bad_request" if error.status_code < 500 else "fault")
    return respond(request, _problem(code, language(request), _request_id()))


def _of_parameter(request: Request[Any, Any, Any], error: ValidationException) -> Problem:
    first = error.extra[0] if isinstance(error.extra, list) and error.extra else {}
    if first.get("key") == "data":  # the framework's name for a body, here for one that is empty
        return _problem("not_json", language(request), _request_id())
    key = str(first.get("key", "")).rstrip("_")  # a name that the framework keeps for itself has one at its end
    expected = named_values(Filters, key) or in_words(str(first.get("message", error.detail)))
    return _problem("wrong_value", language(request), _request_id(), key or None, {"expected": expected[:200]})


def on_unavailable(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The answer while the database is away: nothing was promised, and the phone will come again."""
    log.warning("database_unavailable", error=type(error).__name__)
    return respond(request, _problem("unavailable", language(request), _request_id()))


def on_overtaken(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The answer when somebody else held what was needed for too long: nothing was done, and it may come again."""
    log.warning("overtaken", error=type(error).__name__)
    return respond(request, _problem("busy", language(request), _request_id()))


def on_fault(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """A fault of ours: the log has it all, the answer only where to look."""
    log.error("fault", exc_info=error)
    return respond(request, _problem("fault", language(request), _request_id()))


def _request_id() -> str | None:
    return structlog.contextvars.get_contextvars().get("request_id")


def _wants_page(request: Request[Any, Any, Any]) -> bool:
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")


def _here(request: Request[Any, Any, Any]) -> str:
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


HANDLERS: dict[int | type[Exception], Any] = {
    Refusal: on_refusal,
    HTTPException: on_http_exception,
    asyncpg.IntegrityConstraintViolationError: on_constraint,
    **dict.fromkeys(UNAVAILABLE, on_unavailable),
    **dict.fromkeys((asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError), on_overtaken),
    HTTP_500_INTERNAL_SERVER_ERROR: on_fault,
}
