"""Answers in the two forms of GeoReport v2, JSON and XML, refusals among them."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import msgspec
from litestar import Request, Response

if TYPE_CHECKING:
    from api.problem_details import Problem

PREFIX = "/open311/v2"
KINDS = {"json": "application/json", "xml": "text/xml"}  # in UTF-8, which the framework says of text
HEADERS = {"Cache-Control": "no-store", "Vary": "Authorization, Accept-Language"}

# What lists are called in XML, and one of what is in them.
ITEMS = {
    "services": "service",
    "attributes": "attribute",
    "values": "value",
    "service_requests": "request",
    "endpoints": "endpoint",
    "formats": "format",
    "errors": "error",
}
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Value = str | int | float | bool | None | Sequence[Any] | Mapping[str, Any]


def concerns(request: Request[Any, Any, Any]) -> bool:
    """Whether a request is to be answered as GeoReport has it."""
    return f"{request.url.path}/".startswith(f"{PREFIX}/")


def form(path: str) -> str:
    """As what an answer is wanted, by how the address ends; JSON where it does not say."""
    return "xml" if path.endswith(".xml") else "json"


def answer(
    request: Request[Any, Any, Any], root: str, value: Value, *, status: int = 200, headers: Mapping[str, str] = HEADERS
) -> Response[bytes]:
    """A list or an object in the form that the address names; in XML it stands in an element called `root`."""
    kind = form(request.url.path)
    content = msgspec.json.encode(value) if kind == "json" else _xml(root, value)
    return Response(content, status_code=status, media_type=KINDS[kind], headers=dict(headers))


def refused(request: Request[Any, Any, Any], problem: "Problem", headers: Mapping[str, str]) -> Response[bytes]:
    """A refusal as GeoReport has it: its status and what is wrong. A value that cannot be used is 400, and who shows no
    key that holds is told 403."""
    status = {401: 403, 422: 400}.get(problem.status, problem.status)
    described = f"{problem.title} ({problem.field})" if problem.field else problem.title
    said = {name: value for name, value in headers.items() if name != "WWW-Authenticate"}
    return answer(
        request, "errors", [{"code": status, "description": described}], status=status, headers=HEADERS | said
    )


def _xml(root: str, value: Value) -> bytes:
    element = ElementTree.Element(root)
    _fill(element, value)
    text: str = ElementTree.tostring(element, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _fill(element: ElementTree.Element, value: Any) -> None:
    if isinstance(value, Mapping):
        for name, one in value.items():
            _fill(ElementTree.SubElement(element, name), one)
    elif isinstance(value, list | tuple):
        for one in value:
            _fill(ElementTree.SubElement(element, ITEMS[element.tag]), one)
    elif isinstance(value, bool):
        element.text = "true" if value else "false"
    elif value is not None:
        element.text = _NOT_IN_XML.sub("", str(value))
