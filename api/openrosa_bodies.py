"""What Collect posts: a form's XML and the files that it names, read as they come, the files straight to disk."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar
from uuid import uuid4

import multipart
from litestar import Request
from msgspec import Struct
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from api import upload_parts
from api.settings import Settings
from api.upload_parts import PhotoTooLarge
from surveys.collect.submissions import LARGEST_XML, XmlTooLarge
from surveys.refusals import Invalid

FORM, INCOMPLETE = "xml_submission_file", "*isIncomplete*"
MOST_PARTS = 200
MOST_FILES_FULL = 4  # that come in one request; Collect sends one alone when it is as large
LONGEST_FIELD = 100  # bytes of a part that is neither the form nor a file


class NotASubmission(Invalid):
    """A body that is not multipart/form-data, or has no form in it."""

    code: ClassVar[str] = "not_a_submission"


class File(Struct, frozen=True):
    """A file that came, by the name that the form calls it; of one with too many bytes not all are there."""

    name: str
    path: Path
    sha256: bytes
    bytes: int


class Body(Struct):
    """What was posted."""

    xml: bytes = b""
    incomplete: bool = False  # more requests with the same form follow
    files: list[File] = []


class _Sink:
    """Where the bytes of one part go."""

    def __init__(self, segment: MultipartSegment, room: Callable[[], Path], most: int) -> None:
        self._named = segment.name or ""
        self._filename = segment.filename
        self.is_form = self._named == FORM
        self.is_file = not self.is_form and bool(self._filename)
        self._most = LARGEST_XML if self.is_form else most if self.is_file else LONGEST_FIELD
        self._kept = bytearray()
        self._bytes = 0
        self.path = room() if self.is_file else None
        self._file: BinaryIO | None = self.path.open("xb") if self.path else None
        self._hash = hashlib.sha256() if self.path else None

    def write(self, chunk: bytes | bytearray) -> None:
        """Take a piece. Of a file that is too large the rest is counted and dropped, so that it holds up no visit."""
        self._bytes += len(chunk)
        if self._file is not None and self._hash is not None:
            self._hash.update(chunk)
            if self._bytes <= self._most:
                self._file.write(chunk)
        elif self._bytes > self._most:
            raise XmlTooLarge(FORM, most=LARGEST_XML) if self.is_form else NotASubmission(self._named[:100])
        else:
            self._kept += chunk

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def end(self, body: Body) -> None:
        self.close()
        if self.is_form:
            body.xml = bytes(self._kept)
        elif self.path is not None and self._hash is not None:
            body.files.append(File(self._filename or "", self.path, self._hash.digest(), self._bytes))
        elif self._named == INCOMPLETE:
            body.incomplete = bytes(self._kept).strip().lower() == b"yes"


@asynccontextmanager
async def received(
    request: Request[Any, Any, Any], settings: Settings, district: int, most: int
) -> AsyncIterator[Body]:
    """What a request brings, its files on disk for as long as they are looked at, none of them with more bytes than
    `most`. Raises NotASubmission, XmlTooLarge and PhotoTooLarge."""
    boundary = multipart.parse_options_header(request.headers.get("content-type", ""))
    if boundary[0] != "multipart/form-data" or not boundary[1].get("boundary"):
        raise NotASubmission("Content-Type")
    body, sinks = Body(files=[]), list[_Sink]()

    def room() -> Path:
        return upload_parts.path(settings, district, uuid4())

    try:
        await _read(request, boundary[1]["boundary"], body, sinks, room, most)
        if not body.xml:
            raise NotASubmission(FORM)
        yield body
    except MultipartError:
        raise NotASubmission(FORM) from None
    finally:
        for sink in sinks:
            sink.close()
            if sink.path is not None:
                sink.path.unlink(missing_ok=True)


async def _read(
    request: Request[Any, Any, Any],
    boundary: str,
    body: Body,
    sinks: list[_Sink],
    room: Callable[[], Path],
    most: int,
) -> None:
    parser = PushMultipartParser(boundary, max_segment_count=MOST_PARTS)
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > MOST_FILES_FULL * most:
            raise PhotoTooLarge("content", most=MOST_FILES_FULL * most)
        for event in parser.parse(chunk) if chunk else ():
            if isinstance(event, MultipartSegment):
                sinks.append(_Sink(event, room, most))
            elif event is None:
                sinks[-1].end(body)
            else:
                sinks[-1].write(event)
    parser.close()
