"""Photos and files of issues, visits and services over HTTP: sent at once, listed, shown; nothing of them ever runs."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
from litestar import Request, Response, get, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery
from litestar.response import Stream
from msgspec import Struct

from api import database
from api.attachment_store import THUMBNAIL
from api.attachments import Attachments
from api.auth import Clock
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from surveys.assessments import commitment_photos
from surveys.attachments import photos
from surveys.attachments.attachments import Item, Of, Promise, Stored
from surveys.history import Actor
from surveys.people.people import District, Reader
from surveys.refusals import NotFound
from surveys.volunteering import service_photos

DIGEST = re.compile("[0-9a-f]{64}")

# A browser may keep a picture, and asks each time whether its reader still sees it. Whatever a file holds, nothing in
# it runs, and nothing that it names is fetched.
HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Authorization, Cookie",
}


class Listed(Struct, frozen=True):
    """Photos and files, oldest first."""

    items: list[Item]


class Received(Struct, frozen=True):
    """A photo or file that has come, by the hash that was promised."""

    sha256: str
    new: bool


class Rights(Struct, frozen=True):
    """Who may send the photos of a kind of thing, and who sees them."""

    promise: Callable[..., Awaitable[Promise]]
    listed: Callable[..., Awaitable[list[Item]]]
    one: Callable[..., Awaitable[Stored]]


AT_DOORS = Rights(photos.promise, photos.listed, photos.one)
RIGHTS: Mapping[Of, Rights] = {
    "issue": AT_DOORS,
    "visit": AT_DOORS,
    "service": Rights(service_photos.promise, service_photos.listed, service_photos.one),
    "commitment": Rights(commitment_photos.promise, commitment_photos.listed, commitment_photos.one),
}


def _routes(of: Of, path: str) -> list[Any]:
    """The routes for the photos of issues, of visits or of services."""
    rights = RIGHTS[of]
    named = of.title()

    @get(path, summary=f"Photos of one {of}", name=f"{of}_photos", operation_id=f"List{named}Photos")
    async def listed(
        request: Request[Reader, Any, Any],
        conn: NamedDependency[asyncpg.Connection],
        reader: NamedDependency[Reader],
        district: NamedDependency[District],
        clock: NamedDependency[Clock],
        thing: FromPath[UUID],
        as_of: FromQuery[date | None] = None,
    ) -> Listed:
        """The photos and files that have come, oldest first; with `as_of`, those that had come by the end of that
        day."""
        refuse_unfit(request, ("as_of", "lang"))
        return Listed(await rights.listed(conn, reader, of, thing, district.zone, clock(), as_of))

    @put(
        path + "/{sha256:str}",
        status_code=200,
        request_max_body_size=None,  # it is counted against what was promised
        responses={201: ResponseSpec(Received, description="It is new")},
        summary=f"Send a photo of an {of}" if of == "issue" else f"Send a photo of a {of}",
        name=f"send_{of}_photo",
        operation_id=f"Send{named}Photo",
        opt={REFUSES: (408, 413, 422)},
    )
    async def sent(
        request: Request[Reader, Any, Any],
        reader: NamedDependency[Reader],
        attachments: NamedDependency[Attachments],
        thing: FromPath[UUID],
        sha256: FromPath[str],
    ) -> Response[Received]:
        """Send a promised photo at once, as the body: 201 when it is new, 200 when it had come before."""
        async with database.acquired(request.app.state.pool) as conn:
            promise = await rights.promise(conn, reader, of, thing, _digest(sha256))
        new = await attachments.receive(promise, request.stream(), Actor("member", str(reader.member)))
        return Response(Received(sha256, new), status_code=201 if new else 200)

    return [listed, sent, _shown(of, path, rights, thumbnail=False), _shown(of, path, rights, thumbnail=True)]


def _shown(of: Of, path: str, rights: Rights, *, thumbnail: bool) -> Any:
    what = "thumbnail" if thumbnail else "photo"

    @get(
        path + ("/{sha256:str}/thumbnail" if thumbnail else "/{sha256:str}"),
        responses={200: ResponseSpec(bytes, generate_examples=False, description="The file", media_type="image/jpeg")},
        summary=f"One {what} of one {of}",
        name=f"{of}_{what}",
        operation_id=f"Show{of.title()}{what.title()}",
        opt={REFUSES: (422,)},
    )
    async def shown(
        request: Request[Reader, Any, Any],
        conn: NamedDependency[asyncpg.Connection],
        reader: NamedDependency[Reader],
        district: NamedDependency[District],
        clock: NamedDependency[Clock],
        attachments: NamedDependency[Attachments],
        thing: FromPath[UUID],
        sha256: FromPath[str],
        as_of: FromQuery[date | None] = None,
    ) -> Response[Any]:
        """The content, by the hash that the phone sent; 304 for who has it and still sees it."""
        refuse_unfit(request, ("as_of", "lang"))
        asked = (of, thing, _digest(sha256), district.zone, clock(), as_of)
        return await _content(request, attachments, await rights.one(conn, reader, *asked), thumbnail=thumbnail)

    return shown


def _digest(sha256: str) -> str:
    """A hash as an address has it. Raises NotFound for what is none."""
    if not DIGEST.fullmatch(sha256):
        raise NotFound
    return sha256


async def _content(
    request: Request[Reader, Any, Any], attachments: Attachments, stored: Stored, *, thumbnail: bool
) -> Response[Any]:
    if thumbnail and stored.thumbnail_bytes is None:
        raise NotFound
    name = stored.sha256 + (THUMBNAIL if thumbnail else "")
    tag = f'"{name}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(None, status_code=304, headers=HEADERS | {"ETag": tag})
    photo = stored.kind == "photo"
    called = f"{stored.sha256[:16]}.{'jpg' if photo else 'pdf'}"
    headers = HEADERS | {
        "ETag": tag,
        "Content-Length": str(stored.thumbnail_bytes if thumbnail else stored.bytes),
        "Content-Disposition": f'{"inline" if photo else "attachment"}; filename="{called}"',
    }
    content = await attachments.store.open(stored.district, name)
    return Stream(content, headers=headers, media_type="image/jpeg" if photo else "application/pdf")


ROUTES = [
    *_routes("issue", "/api/issues/{thing:uuid}/photos"),
    *_routes("visit", "/api/visits/{thing:uuid}/photos"),
    *_routes("service", "/api/volunteering/services/{thing:uuid}/photos"),
    *_routes("commitment", "/api/assessments/commitments/{thing:uuid}/photos"),
]
