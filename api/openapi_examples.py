"""Examples in the API's document: what was really sent and answered, which a test sends again and compares.

They stand in `openapi_examples.json`, by operation. `make examples` writes them anew."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIResponse, Operation, RequestBody
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

FILE = Path(__file__).with_suffix(".json")
NAME = "example"  # of the one that each operation has

Told = Mapping[str, Any]  # status, response and, where there is a body, request


@cache
def kept() -> Mapping[str, Told]:
    """The examples that are kept, by operation: `POST /api/visits`."""
    examples: Mapping[str, Told] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return examples


class Examples(ReceiveRoutePlugin):
    """Adds to each operation the example that is kept of it."""

    def receive_route(self, route: BaseRoute) -> None:
        """Called for each route when it has been registered."""
        if isinstance(route, HTTPRoute):
            for handler, _ in route.route_handler_map.values():
                _add(handler, route.path_format)


def _add(handler: HTTPRouteHandler, path: str) -> None:
    for method in handler.http_methods:
        if told := kept().get(f"{method} {path}"):
            handler.operation_class = _with(told)


def _with(told: Told) -> type[Operation]:
    @dataclass
    class WithExample(Operation):
        def __post_init__(self) -> None:
            if isinstance(self.request_body, RequestBody) and "request" in told:
                _show(self.request_body.content, told["request"])
            answer = (self.responses or {}).get(str(told["status"]))
            if isinstance(answer, OpenAPIResponse) and answer.content and "response" in told:
                _show(answer.content, told["response"])

    return WithExample


def _show(content: Mapping[str, OpenAPIMediaType], value: Any) -> None:
    written = msgspec.Raw(msgspec.json.encode(value))  # the framework would leave every null out of it
    for kind in content.values():
        kind.examples = {NAME: Example(value=written)}
