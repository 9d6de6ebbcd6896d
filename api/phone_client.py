"""The phone client: an app that is installed from /phone/ and then works without signal.

Its files are built from `api/phone/` into `api/static_phone/`, each beside its compressed forms, and served from
memory: they are few, and a phone on a poor signal should wait for nothing else.
"""

import hashlib
import mimetypes
from functools import cache
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from api.auth import PUBLIC
from api.pages import A_YEAR_S, PagesNotBuilt
from surveys.refusals import NotFound

BUILT = Path(__file__).parent / "static_phone"
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))  # best first
ASKED_AGAIN = "no-cache"  # kept, but never used without asking
FOR_EVER = f"public, max-age={A_YEAR_S}, immutable"  # the name changes with the content

# Runs the scripts and the WebAssembly that we serve, and reaches nobody else. Vant sets style attributes.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' blob: data:",
        "font-src 'self' data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
TYPES = {".webmanifest": "application/manifest+json", ".js": "text/javascript", ".wasm": "application/wasm"}


class File(Struct, frozen=True):
    """A built file: what it is, by what a kept copy is known to be the present one, and its forms by encoding."""

    media_type: str
    etag: str
    forms: dict[str, bytes]


@cache
def files() -> dict[str, File]:
    """Every built file by its path below /phone/. Raises PagesNotBuilt."""
    if not (BUILT / "index.html").is_file():
        raise PagesNotBuilt("api/static_phone/index.html is missing: `pip install --no-deps -e .` builds it")
    compressed = {suffix for _, suffix in ENCODINGS}
    return {
        path.relative_to(BUILT).as_posix(): _file(path)
        for path in BUILT.rglob("*")
        if path.is_file() and path.suffix not in compressed and not path.name.startswith(".")
    }


def _file(path: Path) -> File:
    content = path.read_bytes()
    forms = {"": content}
    for encoding, suffix in ENCODINGS:
        other = path.with_name(path.name + suffix)
        if other.is_file():
            forms[encoding] = other.read_bytes()
    known = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return File(known, f'W/"{hashlib.sha256(content).hexdigest()[:32]}"', forms)


@get("/phone", opt={PUBLIC: True}, include_in_schema=False)
async def first_page(request: Request[Any, Any, Any]) -> Response[Any]:
    """The app, below its folder: its worker has no say over an address without the slash."""
    if not request.scope["raw_path"].endswith(b"/"):
        return Redirect("/phone/", status_code=308)
    return _served(request, "index.html")


@get("/phone/{name:path}", opt={PUBLIC: True}, include_in_schema=False)
async def built_file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    """A file of the app: its scripts for ever, everything else only after asking whether it has changed."""
    return _served(request, str(name).lstrip("/"))


def _served(request: Request[Any, Any, Any], name: str) -> Response[bytes]:
    file = files().get(name)
    if file is None:
        raise NotFound
    headers = {
        "Cache-Control": FOR_EVER if name.startswith("assets/") else ASKED_AGAIN,
        "ETag": file.etag,
        "Vary": "Accept-Encoding",
        "Content-Security-Policy": POLICY,
    }
    if name == "sw.js":
        headers["Service-Worker-Allowed"] = "/phone/"
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    encoding = _encoding(request.headers.get("accept-encoding", ""), file)
    if encoding:
        headers["Content-Encoding"] = encoding
    return Response(file.forms[encoding], media_type=file.media_type, headers=headers)


def _encoding(accepted: str, file: File) -> str:
    """The best form that the browser can read."""
    told = {part.split(";")[0].strip() for part in accepted.split(",") if "q=0" not in part.replace(" ", "")}
    return next((encoding for encoding, _ in ENCODINGS if encoding in told and encoding in file.forms), "")


ROUTES = [first_page, built_file]
