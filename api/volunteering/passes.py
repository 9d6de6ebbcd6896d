"""Whose page `/volunteering/me` is: a member's who is signed in, or that of a volunteer who showed a personal link.

A link's token is exchanged for a cookie that opens the pages below /volunteering for a day, and nothing else. It is
stamped by the key ring and kept nowhere; that the link still holds is asked each time."""

import base64
import hmac
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
from litestar import Request, Response, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta, Struct

from api import auth
from api.auth import CSRF_COOKIE, CSRF_HEADER, PUBLIC, SAFE_METHODS, Clock, CsrfMissing
from api.card_making import AddressUnknown
from api.card_sessions import refuse_foreign
from api.documented_problems import REFUSES
from api.entrance import refuse_cross_site
from api.json_bodies import JsonBody
from api.limits import few_pages
from api.settings import Settings
from api.sign_in import NOT_KEPT
from surveys.history import Actor
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Invalid, NotFound, NotSignedIn, Refusal
from surveys.volunteering import standing, volunteer_passes

COOKIE = "zoufang_volunteer"
PATH = "/volunteering"  # of all that a link opens; no other door is sent the cookie
PAGE = "/volunteering/me"
LASTS = timedelta(days=1)
LONGEST = 200  # characters of a cookie that can be ours
LARGEST_DISTRICT = 2_147_483_647

Anybody = Request[Any, Any, Any]


class PassWrong(Invalid):
    """No link's token, or one that was revoked; which of the two is not said."""

    code: ClassVar[str] = "pass_wrong"


class PassOver(Refusal):
    """The link was opened too long ago, or ended since."""

    code: ClassVar[str] = "pass_over"


class NotAVolunteer(NotFound):
    """A member who is signed in, and does not serve."""

    code: ClassVar[str] = "not_a_volunteer"


class Me(Struct, frozen=True):
    """The volunteer behind a request; `member` is who they are when they signed in."""

    district: int
    volunteer: UUID
    member: UUID | None = None

    def actor(self) -> Actor:
        """Who does it, for the history: a member, or a volunteer by their id."""
        return Actor("member", str(self.member)) if self.member else Actor("resident", str(self.volunteer))


async def me(request: Anybody, conn: asyncpg.Connection, now: datetime) -> Me:
    """The volunteer behind a request, be it by session, token or personal link; who is signed in is who signed in.

    Raises NotSignedIn or PassOver for nobody, NotAVolunteer for a member who does not serve, CsrfMissing for a request
    that changes something and is not from a page of ours, and TooManyRequests."""
    try:
        reader = await auth.visitor(request, conn)
    except (NotSignedIn, CsrfMissing):  # the latter of a session that may be over, too
        if COOKIE not in request.cookies:
            raise
        return await _of_link(request, conn, now)
    return await of_reader(conn, reader)


async def of_reader(conn: asyncpg.Connection, reader: Reader) -> Me:
    """The volunteer that a reader is. Raises NotAVolunteer."""
    volunteer = await standing.volunteer_of(conn, reader)
    if volunteer is None:
        raise NotAVolunteer
    return Me(reader.district, volunteer, reader.member)


async def _of_link(request: Anybody, conn: asyncpg.Connection, now: datetime) -> Me:
    ring: KeyRing = request.app.state.ring
    value = request.cookies.get(COOKIE, "")
    said, _, stamp = value.rpartition(".")
    if len(value) > LONGEST or not hmac.compare_digest(stamp.encode(), _stamp(ring, "volunteer", said).encode()):
        raise PassOver
    district, id_, ends = said.split(".")
    if now.timestamp() >= int(ends):
        raise PassOver
    request.app.state.limits.refuse_over("card", f"volunteer {id_}")
    if request.method not in SAFE_METHODS:
        refuse_cross_site(request)
        if not hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), _csrf(request).encode()):
            raise CsrfMissing
    found = await volunteer_passes.still_holds(conn, int(district), UUID(id_))
    if found is None:
        raise PassOver
    return Me(found.district, found.volunteer)


def csrf(request: Anybody, of: Me | None) -> str:
    """The token that a page sends back with what changes something: the session's, or the link's."""
    return _csrf(request) if of and of.member is None else request.cookies.get(CSRF_COOKIE, "")


def _csrf(request: Anybody) -> str:
    return _stamp(request.app.state.ring, "volunteer csrf", request.cookies.get(COOKIE, ""))


def address(settings: Settings, district: int, token: str) -> str:
    """The personal link: what opens the page stands behind #, which no browser sends. Raises AddressUnknown."""
    url = (settings.public_url or "").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise AddressUnknown
    return f"{url}{PAGE}#{district}.{token}"


class LinkShown(Struct, frozen=True, forbid_unknown_fields=True):
    """What stands behind # in a personal link."""

    token: Annotated[str, Meta(max_length=200)]


@post(
    "/volunteering/me/session",
    opt={PUBLIC: True, REFUSES: (403,)},
    dto=JsonBody[LinkShown],
    return_dto=None,
    status_code=204,
    summary="Show a volunteer's personal link",
    security=[],
    guards=[few_pages],
)
async def show_link(
    request: Anybody,
    data: JSONBody[LinkShown],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
) -> Response[None]:
    """Exchange the token of a personal link for a cookie that opens the volunteer's own page for a day."""
    refuse_foreign(request)
    district, _, token = data.token.partition(".")
    number = int(district) if district.isascii() and district.isdecimal() and len(district) <= 10 else 0
    found = await volunteer_passes.of_token(conn, number if number <= LARGEST_DISTRICT else 0, token)
    if found is None:
        raise PassWrong("token")
    ends = int((clock() + LASTS).timestamp())
    said = f"{found.district}.{found.id}.{ends}"
    value = f"{said}.{_stamp(request.app.state.ring, 'volunteer', said)}"
    return Response(None, cookies=[_cookie(request, value, int(LASTS.total_seconds()))], headers=NOT_KEPT)


@post("/volunteering/me/leave", opt={PUBLIC: True}, status_code=204, include_in_schema=False)
async def leave(
    request: Anybody, conn: NamedDependency[asyncpg.Connection], clock: NamedDependency[Clock]
) -> Response[None]:
    """Put the link away: the next who opens this browser sees nothing."""
    await _of_link(request, conn, clock())
    return Response(None, cookies=[no_cookie(request)], headers=NOT_KEPT)


def no_cookie(request: Anybody) -> Cookie:
    """What takes the cookie away."""
    return _cookie(request, "", 0)


def _stamp(ring: KeyRing, what: str, text: str) -> str:
    return base64.urlsafe_b64encode(ring.stamp(what, text)).decode().rstrip("=")


def _cookie(request: Anybody, value: str, seconds: int) -> Cookie:
    return Cookie(
        key=COOKIE,
        value=value,
        max_age=seconds,
        path=PATH,
        httponly=True,
        secure=request.url.scheme == "https",
        samesite="strict",
    )


ROUTES = [show_link, leave]
