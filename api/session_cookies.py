"""The cookies of a browser that signs in: its session, the token against forged requests, and the secret by which it is
known the next time."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from litestar import Request
from litestar.datastructures import Cookie

from api.auth import CSRF_COOKIE, SESSION_COOKIE
from api.settings import Settings
from surveys.access import sessions, sign_ins
from surveys.access.sessions import Session

BROWSER_COOKIE = "zoufang_browser"

# As they call themselves, in the order in which they have to be asked: each also claims to be those after it.
_BROWSERS = {
    "MicroMessenger/": "微信 WeChat",
    "DingTalk/": "钉钉 DingTalk",
    "Lark/": "飞书 Feishu",
    "HuaweiBrowser/": "华为浏览器",
    "MiuiBrowser/": "小米浏览器",
    "Edg/": "Edge",
    "Firefox/": "Firefox",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "HarmonyOS": "HarmonyOS",
    "OpenHarmony": "HarmonyOS",
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def of_session(request: Request[Any, Any, Any], session: Session, now: datetime) -> list[Cookie]:
    """The cookies of a new session, for as long as it lasts."""
    seconds = int((session.expires_at - now).total_seconds())
    return [
        _cookie(request, SESSION_COOKIE, session.secret, seconds, httponly=True),
        _cookie(request, CSRF_COOKIE, sessions.csrf_token(session.secret), seconds, httponly=False),
    ]


def of_no_session(request: Request[Any, Any, Any]) -> list[Cookie]:
    """What takes the cookies of a session away."""
    return [
        _cookie(request, SESSION_COOKIE, "", 0, httponly=True),
        _cookie(request, CSRF_COOKIE, "", 0, httponly=False),
    ]


async def know(
    conn: asyncpg.Connection,
    request: Request[Any, Any, Any],
    district: int,
    member: UUID,
    settings: Settings,
    now: datetime,
) -> str:
    """Know the browser of a request from now on; the secret for its cookie."""
    lifetime = timedelta(days=settings.known_browser_days)
    return await sign_ins.know(conn, district, member, request.cookies.get(BROWSER_COOKIE), lifetime, now)


def of_browser(request: Request[Any, Any, Any], secret: str, days: int) -> Cookie:
    """The cookie of a browser on which somebody has signed in."""
    return _cookie(request, BROWSER_COOKIE, secret, days * 24 * 3600, httponly=True)


def browser_name(request: Request[Any, Any, Any]) -> str | None:
    """What to call the browser and its system, out of the few that we know; nothing of what it says is kept."""
    said = request.headers.get("user-agent", "")
    names = [next((name for mark, name in known.items() if mark in said), None) for known in (_BROWSERS, _SYSTEMS)]
    return " · ".join(name for name in names if name) or None


def _cookie(request: Request[Any, Any, Any], key: str, value: str, seconds: int, *, httponly: bool) -> Cookie:
    return Cookie(
        key=key,
        value=value,
        max_age=seconds,
        path="/",
        httponly=httponly,
        secure=request.url.scheme == "https",
        samesite="lax",
    )
