"""ODK Collect as the tests play it: forms filled in, and posted as Collect posts them."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import httpx

from tests.conftest import Client, Person

VERSION = "2026112501"
Files = Mapping[str, bytes]


def instance() -> str:
    return f"uuid:{uuid4()}"


def node(name: str, value: Any) -> str:
    """An element: of a mapping what stands below it, of a list one for each, else its text."""
    if isinstance(value, list):
        return "".join(node(name, one) for one in value)
    if isinstance(value, Mapping):
        return f"<{name}>{''.join(node(*one) for one in value.items())}</{name}>"
    return f"<{name}>{escape(str(value))}</{name}>" if value else f"<{name}/>"


def problem(**changes: Any) -> dict[str, Any]:
    """A problem as the form asks for it, answered as far as one must."""
    return {
        "issue_category": "0102",
        "issue_title": "门口垃圾成堆",
        "issue_description": "",
        "issue_urgency": "normal",
        "issue_photo": "",
        "issue_solved": "no",
        "issue_how": "",
        "issue_contact_name": "",
        "issue_contact_phone": "",
    } | changes


def filled(id_: str, *, form: str = "visit", version: str = VERSION, edits: str = "", **changes: Any) -> bytes:
    """The visit form, filled in at a door that is not on the list."""
    answers: dict[str, Any] = {
        "visit_started_at": "2026-11-23T11:20:00.000+08:00",
        "visit_ended_at": "2026-11-23T11:30:00.000+08:00",
        "visit_door": "",
        "visit_campaign": "",
        "visit_found": {
            "visit_found_kind": "shop",
            "visit_found_name": "老王面馆",
            "visit_found_address": "淮河路 1 号",
        },
        "visit_outcome": "met",
        "visit_position": "34.705 113.605 0.0 12.0",
        "visit_contact_card": "",
        "visit_problems": "yes" if "issue" in changes else "no",
    } | changes
    meta = {"orx:instanceID": id_} | ({"orx:deprecatedID": edits} if edits else {})
    told = "".join(node(*one) for one in answers.items()) + node("orx:meta", meta)
    return (
        f'<?xml version=\'1.0\' ?><data id="{form}" version="{version}"'
        f' xmlns:orx="http://openrosa.org/xforms">{told}</data>'
    ).encode()


def basic(token: str, name: str = "device") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()}


async def post(
    client: Client,
    who: Person,
    xml: bytes,
    files: Files | None = None,
    *,
    incomplete: bool = False,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """A form with the files that come in this request."""
    parts: list[tuple[str, Any]] = [("xml_submission_file", ("visit.xml", xml, "text/xml"))]
    parts += [(name, (name, content, "image/jpeg")) for name, content in (files or {}).items()]
    if incomplete:
        parts.append(("*isIncomplete*", (None, "yes")))
    told = basic(who.token) | dict(headers or {})
    return await client.post("/openrosa/submission", files=parts, headers=told)


async def get(client: Client, who: Person, path: str, **params: str) -> httpx.Response:
    """Something that Collect fetches."""
    return await client.get(f"/openrosa/{path}", params=params, headers=basic(who.token))


def message(answer: httpx.Response) -> str:
    """What an answer tells its reader, in OpenRosa's own words."""
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.headers["x-openrosa-version"] == "1.0"
    assert int(answer.headers["x-openrosa-accept-content-length"]) > 1_000_000
    root = ElementTree.fromstring(answer.text)  # noqa: S314 -- of our own making
    assert root.tag == "{http://openrosa.org/http/response}OpenRosaResponse"
    return root[0].text or ""


def elements(answer: httpx.Response, name: str) -> Sequence[dict[str, str]]:
    """What a list or a manifest holds, by the names of its elements."""
    assert answer.status_code == 200, answer.text
    root = ElementTree.fromstring(answer.text)  # noqa: S314 -- of our own making
    return [
        {child.tag.rpartition("}")[2]: child.text or "" for child in one} | dict(one.attrib)
        for one in root
        if one.tag.endswith("}" + name)
    ]
