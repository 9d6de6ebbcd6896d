"""OpenRosa's own XML: what is answered to ODK Collect, in the reader's language, and the headers of every answer."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.types import Message, Scope
from msgspec import Struct

from api.basic_access import AUTHENTICATE

if TYPE_CHECKING:
    from api.problem_details import Problem

PREFIX = "/openrosa/"
ACCEPTED_BYTES = 10_000_000  # of one request; Collect sends more than that in several
XML = "text/xml"  # in UTF-8, which the framework says

_DECLARED = '<?xml version="1.0" encoding="UTF-8"?>\n'
_HEADERS = [
    (b"x-openrosa-version", b"1.0"),
    (b"x-openrosa-accept-content-length", str(ACCEPTED_BYTES).encode()),
    (b"vary", b"Authorization, Accept-Language"),
    (b"cache-control", b"no-store"),
]


class Listed(Struct, frozen=True):
    """A form in the list: where it and its media are had, and the hash by which Collect sees that it changed."""

    id: str
    version: str
    name: str
    md5: str
    form: str
    manifest: str


class File(Struct, frozen=True):
    """A file that a form needs."""

    name: str
    md5: str
    address: str
    entities: bool = False  # Collect keeps it as a list of entities, to be searched and shown on a map


def is_ours(path: str) -> bool:
    """Whether a path is one of OpenRosa's."""
    return path.startswith(PREFIX)


async def add_headers(message: Message, scope: Scope) -> None:
    """Say with every answer to Collect, a refusal too, which protocol this is and how much it takes at once."""
    if message["type"] == "http.response.start" and scope["type"] == ScopeType.HTTP and is_ours(scope["path"]):
        message["headers"] = [*message["headers"], *_HEADERS]


def told(text: str, status: int, nature: str = "submit_success") -> Response[str]:
    """A message to who sends a form."""
    content = (
        f'{_DECLARED}<OpenRosaResponse xmlns="http://openrosa.org/http/response">'
        f'<message nature="{nature}">{escape(text)}</message></OpenRosaResponse>\n'
    )
    return Response(content, status_code=status, media_type=XML)


def refused(problem: "Problem", headers: dict[str, str]) -> Response[str]:
    """A refusal, with the field that it is about."""
    text = f"{problem.title}（{problem.field}）" if problem.field else problem.title
    answer = told(text, problem.status, "submit_error")
    answer.headers.update(headers)
    if problem.status == 401:
        answer.headers["WWW-Authenticate"] = AUTHENTICATE
    return answer


def form_list(forms: Sequence[Listed]) -> Response[str]:
    """The forms that somebody fills in."""
    return _document("xforms", "http://openrosa.org/xforms/xformsList", (_listed(form) for form in forms))


def _listed(form: Listed) -> str:
    return "".join(
        (
            "<xform>",
            _element("formID", form.id),
            _element("name", form.name),
            _element("version", form.version),
            _element("hash", f"md5:{form.md5}"),
            _element("downloadUrl", form.form),
            _element("manifestUrl", form.manifest),
            "</xform>",
        )
    )


def manifest(files: Sequence[File]) -> Response[str]:
    """The files that a form needs."""
    return _document("manifest", "http://openrosa.org/xforms/xformsManifest", (_file(file) for file in files))


def _file(file: File) -> str:
    begin = '<mediaFile type="entityList">' if file.entities else "<mediaFile>"
    elements = (
        _element("filename", file.name),
        _element("hash", f"md5:{file.md5}"),
        _element("downloadUrl", file.address),
    )
    return "".join((begin, *elements, "</mediaFile>"))


def _document(name: str, namespace: str, elements: Iterable[str]) -> Response[str]:
    return Response(f'{_DECLARED}<{name} xmlns="{namespace}">{"".join(elements)}</{name}>\n', media_type=XML)


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def concerns(request: Request[Any, Any, Any]) -> bool:
    """Whether a request is to be answered in OpenRosa's XML."""
    return is_ours(request.url.path)
