"""Photos in parts, over a signal that breaks: the protocol tus 1.0, with creation, checksum, expiration and
termination. What has come of a photo stays, and the phone goes on where it was."""

import base64
import binascii
import re
from contextlib import suppress
from email.utils import format_datetime
from typing import Any, ClassVar
from uuid import UUID

import asyncpg
from litestar import Request, Response, delete, head, patch, post
from litestar.datastructures import Headers
from litestar.di import NamedDependency
from litestar.enums import ScopeType
from litestar.exceptions import MethodNotAllowedException
from litestar.params import FromPath
from litestar.types import Message, Scope

from api import database, upload_parts
from api.attachments import Attachments
from api.auth import Clock
from api.documented_problems import REFUSES
from api.json_bodies import WrongMediaType
from api.photos import RIGHTS
from api.settings import Settings
from api.upload_parts import BadHeader, OffsetConflict, PhotoTooLarge, UploadBusy
from surveys.attachments import uploads
from surveys.attachments.attachments import OFS, Of
from surveys.attachments.uploads import Upload
from surveys.history import Actor
from surveys.people.people import Reader
from surveys.refusals import Missing, Refusal, WrongValue

PATH = "/api/uploads"
VERSION = "1.0.0"
EXTENSIONS = "creation,checksum,expiration,termination"
PART = "application/offset+octet-stream"
DIGEST = re.compile("[0-9a-f]{64}")
NO_STORE = {"Cache-Control": "no-store"}


class OtherVersion(Refusal):
    """A version of tus that is not spoken here, or none."""

    code: ClassVar[str] = "tus_version"


async def add_headers(message: Message, scope: Scope) -> None:
    """Say with every answer about uploads, a refusal too, which protocol this is."""
    if (
        message["type"] != "http.response.start"
        or scope["type"] != ScopeType.HTTP
        or not scope["path"].startswith(PATH)
    ):
        return
    said = {"tus-resumable": VERSION, "tus-version": VERSION}
    if scope["method"] == "OPTIONS":
        most = scope["litestar_app"].state.attachments.most_bytes
        said |= {
            "tus-extension": EXTENSIONS,
            "tus-max-size": str(most),
            "tus-checksum-algorithm": ",".join(upload_parts.ALGORITHMS),
        }
    message["headers"] = [*message["headers"], *((name.encode(), value.encode()) for name, value in said.items())]


@post(PATH, status_code=201, summary="Begin to send a photo", opt={REFUSES: (400, 404, 412, 413, 422)})
async def begin_upload(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    attachments: NamedDependency[Attachments],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
) -> Response[None]:
    """Begin to send a promised photo in parts (tus 1.0): Upload-Length is its length, and Upload-Metadata names the
    `issue`, `visit` or `service` and its `sha256`. One that was begun before goes on where it was."""
    _refuse_other_version(request.headers)
    length = _number(request.headers, "Upload-Length")
    if length > attachments.most_bytes:
        raise PhotoTooLarge("Upload-Length", most=attachments.most_bytes)
    of, thing, sha256 = _told(request.headers.get("upload-metadata"))
    promise = await RIGHTS[of].promise(conn, reader, of, thing, sha256)
    if length != promise.bytes:
        raise WrongValue("Upload-Length", expected=str(promise.bytes))
    upload = await uploads.begin(conn, promise, _sender(reader), clock())
    headers = {"Location": f"{PATH}/{upload.id}"} | _where(upload, settings)
    return Response(None, status_code=201, headers=headers)


@head(PATH + "/{upload:uuid}", summary="Ask how much of a photo has come", opt={REFUSES: (412,)})
async def find_upload(
    request: Request[Reader, Any, Any],
    reader: NamedDependency[Reader],
    attachments: NamedDependency[Attachments],
    settings: NamedDependency[Settings],
    upload: FromPath[UUID],
) -> Response[None]:
    """How much of a photo has come. One that is whole, but was not taken in before the server stopped, is taken in."""
    _refuse_other_version(request.headers)
    found = await _find(request, upload)
    part = upload_parts.path(settings, reader.district, upload)
    if not found.finished and upload_parts.offset(part) == found.bytes:
        with suppress(UploadBusy), upload_parts.written_alone(part):
            await attachments.finish(found, part)
            found = await _find(request, upload)
    return Response(None, status_code=200, headers=_where(found, settings))


@patch(
    PATH + "/{upload:uuid}",
    status_code=204,
    request_max_body_size=None,  # it is counted here, against what was announced
    summary="Send a part of a photo",
    opt={REFUSES: (400, 412, 413, 415, 422)},
)
async def append_part(
    request: Request[Reader, Any, Any],
    attachments: NamedDependency[Attachments],
    settings: NamedDependency[Settings],
    upload: FromPath[UUID],
) -> Response[None]:
    """Send the part that begins at Upload-Offset. With the last one the photo is checked and taken in."""
    return await _append(request, attachments, settings, upload)


@delete(PATH + "/{upload:uuid}", status_code=204, summary="Give up an upload", opt={REFUSES: (412,)})
async def end_upload(
    request: Request[Reader, Any, Any], settings: NamedDependency[Settings], upload: FromPath[UUID]
) -> None:
    """Forget what has come of a photo. One that was taken in stays."""
    await _end(request, settings, upload)


@post(
    PATH + "/{upload:uuid}",
    status_code=204,
    request_max_body_size=None,
    summary="The same where a network lets no other method pass",
    opt={REFUSES: (400, 405, 412, 413, 415, 422)},
)
async def do_otherwise(
    request: Request[Reader, Any, Any],
    attachments: NamedDependency[Attachments],
    settings: NamedDependency[Settings],
    upload: FromPath[UUID],
) -> Response[None]:
    """What X-HTTP-Method-Override says: PATCH sends a part, DELETE gives the upload up."""
    match request.headers.get("x-http-method-override", "").upper():
        case "PATCH":
            return await _append(request, attachments, settings, upload)
        case "DELETE":
            await _end(request, settings, upload)
            return Response(None, status_code=204)
        case _:
            raise MethodNotAllowedException


async def _append(
    request: Request[Reader, Any, Any], attachments: Attachments, settings: Settings, upload: UUID
) -> Response[None]:
    """No connection to the database is held while the part comes in."""
    _refuse_other_version(request.headers)
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != PART:
        raise WrongMediaType("Content-Type", expected=PART)
    offset = _number(request.headers, "Upload-Offset")
    told = request.headers.get("upload-checksum")
    expected = upload_parts.checksum(told) if told is not None else None
    found = await _find(request, upload)
    part = upload_parts.path(settings, found.district, upload)
    if found.finished:
        _refuse_other_offset(offset, found.bytes)
        return Response(None, status_code=204, headers=_where(found, settings))
    with upload_parts.written_alone(part) as file:
        _refuse_other_offset(offset, upload_parts.offset(part))
        came = await upload_parts.append(file, request.stream(), most=found.bytes, expected=expected)
        if came == found.bytes:
            await attachments.finish(found, part)
    return Response(None, status_code=204, headers=_where(found, settings, came))


async def _end(request: Request[Reader, Any, Any], settings: Settings, upload: UUID) -> None:
    _refuse_other_version(request.headers)
    found = await _find(request, upload)
    part = upload_parts.path(settings, found.district, upload)
    with upload_parts.written_alone(part):
        async with database.acquired(request.app.state.pool) as conn:
            await uploads.give_up(conn, found)
        upload_parts.discard(part)


async def _find(request: Request[Reader, Any, Any], upload: UUID) -> Upload:
    state = request.app.state
    async with database.acquired(state.pool) as conn:
        return await uploads.find(conn, request.user.district, upload, _sender(request.user), state.clock())


def _sender(reader: Reader) -> Actor:
    return Actor("member", str(reader.member))


def _where(upload: Upload, settings: Settings, came: int | None = None) -> dict[str, str]:
    """How much has come of how much, and until when it is waited for."""
    if came is None:
        part = upload_parts.path(settings, upload.district, upload.id)
        came = upload.bytes if upload.finished else upload_parts.offset(part)
    return NO_STORE | {
        "Upload-Offset": str(came),
        "Upload-Length": str(upload.bytes),
        "Upload-Expires": format_datetime(upload.expires_at, usegmt=True),
    }


def _refuse_other_version(headers: Headers) -> None:
    if headers.get("tus-resumable") != VERSION:
        raise OtherVersion("Tus-Resumable", expected=VERSION)


def _refuse_other_offset(offset: int, there: int) -> None:
    if offset != there:
        raise OffsetConflict("Upload-Offset", offset=there)


def _number(headers: Headers, name: str) -> int:
    told = headers.get(name.lower())
    if told is None:
        raise Missing(name)
    if not (told.isascii() and told.isdigit() and len(told) < 16):
        raise BadHeader(name, expected="0 … 999999999999999")
    return int(told)


def _told(metadata: str | None) -> tuple[Of, UUID, str]:
    """What the photo belongs to, and its SHA-256; other names, as that of the file, are passed over.

    Raises Missing and BadHeader."""
    if metadata is None:
        raise Missing("Upload-Metadata")
    told: dict[str, str] = {}
    for pair in metadata.split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            told[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise BadHeader("Upload-Metadata", expected="issue <base64>,sha256 <base64>") from None
    of: Of = next((one for one in OFS if one in told), "issue")
    try:
        thing, sha256 = UUID(told[of]), told["sha256"]
    except KeyError as missing:
        raise Missing(f"Upload-Metadata.{missing.args[0]}") from None
    except ValueError:
        raise BadHeader("Upload-Metadata", expected="issue <base64>,sha256 <base64>") from None
    if not DIGEST.fullmatch(sha256):
        raise BadHeader("Upload-Metadata", expected="sha256 <base64 of 64 hexadecimal digits>")
    return of, thing, sha256


ROUTES = [begin_upload, find_upload, append_part, end_upload, do_otherwise]
