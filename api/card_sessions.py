"""The session of a resident's phone: a card's token is exchanged for a cookie that opens the pages of that card for an
hour, and nothing else. It is stamped by the key ring and kept nowhere; that the card still holds is asked each time."""

import base64
import hmac
from datetime import datetime, timedelta
from typing import Any, ClassVar

from litestar import Request
from litestar.datastructures import Cookie
from msgspec import Struct

from api.auth import CSRF_HEADER, SAFE_METHODS, CsrfMissing
from api.entrance import refuse_cross_site
from surveys.contact_cards.card_doors import CardDoor
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Refusal

COOKIE = "zoufang_card"
PATH = "/card"  # of all its pages; no other door is sent the cookie
LASTS = timedelta(hours=1)
LONGEST = 200  # characters of a cookie that can be ours


class CardSessionOver(Refusal):
    """The card was not scanned, or too long ago."""

    code: ClassVar[str] = "card_session_over"


class CardSession(Struct, frozen=True):
    """A card whose token was shown, and the token against forged requests of its pages."""

    district: int
    number: str
    csrf: str


def cookie(request: Request[Any, Any, Any], ring: KeyRing, door: CardDoor, now: datetime) -> Cookie:
    """The cookie of a card whose token was just shown."""
    ends = int((now + LASTS).timestamp())
    said = f"{door.district}.{door.number}.{ends}"
    return _cookie(request, f"{said}.{_stamp(ring, 'card', said)}", int(LASTS.total_seconds()))


def no_cookie(request: Request[Any, Any, Any]) -> Cookie:
    """What takes the cookie away."""
    return _cookie(request, "", 0)


def opened(request: Request[Any, Any, Any], ring: KeyRing, now: datetime) -> CardSession:
    """The card whose cookie comes with a request. Raises CardSessionOver, or CsrfMissing for a request that changes
    something and is not from a page of ours."""
    value = request.cookies.get(COOKIE, "")
    said, _, stamp = value.rpartition(".")
    if len(value) > LONGEST or not hmac.compare_digest(stamp.encode(), _stamp(ring, "card", said).encode()):
        raise CardSessionOver
    district, number, ends = said.split(".")
    if now.timestamp() >= int(ends):
        raise CardSessionOver
    session = CardSession(int(district), number, _stamp(ring, "card csrf", value))
    if request.method not in SAFE_METHODS:
        refuse_cross_site(request)
        if not hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), session.csrf.encode()):
            raise CsrfMissing
    return session


def refuse_foreign(request: Request[Any, Any, Any]) -> None:
    """Raises CsrfMissing for what another site's form could send: of an old browser, too, that does not say so."""
    refuse_cross_site(request)
    if not request.headers.get("content-type", "").lower().startswith("application/json"):
        raise CsrfMissing


def _stamp(ring: KeyRing, what: str, text: str) -> str:
    return base64.urlsafe_b64encode(ring.stamp(what, text)).decode().rstrip("=")


def _cookie(request: Request[Any, Any, Any], value: str, seconds: int) -> Cookie:
    return Cookie(
        key=COOKIE,
        value=value,
        max_age=seconds,
        path=PATH,
        httponly=True,
        secure=request.url.scheme == "https",
        samesite="strict",
    )
