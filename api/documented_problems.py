"""What each operation may refuse, told in the API's document: made here from what its route takes, not by hand."""

from collections.abc import Iterator, Mapping

from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from api.auth import PUBLIC, SAFE_METHODS
from api.problem_details import Problem

WHY: Mapping[int, str] = {
    400: "The request cannot be read, as a body that is not JSON in UTF-8.",
    401: "Nobody is signed in, or what was presented does not hold.",
    403: "The reader's roles do not allow this, or a page's token is missing.",
    404: "There is no such thing, or none that the reader may see.",
    408: "The body came too slowly.",
    409: "The id is taken, or the thing is in another state than the request took it to be.",
    405: "The method is not supported here.",
    412: "The protocol is tus 1.0.0, and the header Tus-Resumable says so.",
    413: "The request is too large.",
    415: "The content does not come as its header says.",
    416: "There are no such bytes.",
    422: "A value cannot be used; `field` names it.",
    429: "Too often; Retry-After says when to come again.",
    507: "The disk has no room for the file.",
    503: "The system is busy or the database is away; Retry-After says when to come again.",
}

# The route's opt that names what else it refuses, where neither its path nor what it takes can tell.
REFUSES = "refuses"

# What the framework hands to a handler by these names does not come from the address or the body.
_OF_THE_FRAMEWORK = frozenset({"request", "headers", "cookies", "query", "state", "scope", "socket", "body", "self"})


class Problems(ReceiveRoutePlugin):
    """Adds to each operation the problems that it can answer, all of one schema."""

    def receive_route(self, route: BaseRoute) -> None:
        """Called for each route when it has been registered."""
        if isinstance(route, HTTPRoute):
            for handler, _ in route.route_handler_map.values():
                handler.responses = {**_documented(handler, route), **(handler.responses or {})}


def _documented(handler: HTTPRouteHandler, route: HTTPRoute) -> dict[int, ResponseSpec]:
    return {
        status: ResponseSpec(
            Problem, generate_examples=False, description=WHY[status], media_type="application/problem+json"
        )
        for status in sorted(set(_statuses(handler, route)))
    }


def _statuses(handler: HTTPRouteHandler, route: HTTPRoute) -> Iterator[int]:
    taken = _taken(handler)
    yield from handler.opt.get(REFUSES, ())
    if not handler.opt.get(PUBLIC):
        yield from (401, 403, 503)
    if "conn" in taken or not SAFE_METHODS.issuperset(handler.http_methods):
        yield 503
    if taken - {"conn"}:
        yield from (400, 422)
    if "data" in taken:
        yield from (408, 413)
    if route.path_parameters:
        yield 404
    if not SAFE_METHODS.issuperset(handler.http_methods):
        yield from (409, 429)
    if handler.resolve_guards():
        yield 429


def _taken(handler: HTTPRouteHandler) -> set[str]:
    """What a handler and its dependencies take out of the request; a connection to the database counts as well."""
    dependencies = handler.resolve_dependencies()
    taken: set[str] = set()
    names = set(handler.parsed_fn_signature.parameters)
    seen: set[str] = set()
    while names:
        name = names.pop()
        seen.add(name)
        if name in dependencies:
            names |= set(dependencies[name].parsed_fn_signature.parameters) - seen
        if name == "conn" or (name not in dependencies and name not in _OF_THE_FRAMEWORK):
            taken.add(name)
    return taken
