"""Sending notices by the district's channels, through apprise: each in a thread, for a bounded time.

Whatever a channel answers stays with it: its errors may hold the district's secrets or the member's address, so that
only a word of ours is kept of them, and apprise's own log is not written."""

import asyncio
import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from urllib.parse import quote, urlsplit
from uuid import UUID

import apprise
from apprise.manager_plugins import NotificationManager

from api import notice_words, outgoing
from api.errands import Errand, NotDone, Office
from api.settings import Settings
from surveys.notices import notice_channels
from surveys.notices.notice_channels import PLACE_OF_ADDRESS, ChannelUnusable
from surveys.notices.webhooks import UrlUnusable

logging.getLogger("apprise").disabled = True

LONGEST_S = 20.0
CONNECT_S, READ_S = 4.0, 8.0
WAITS = [timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=6)]

# What districts use: mail, the three office messengers, what phones listen to, and gateways of their own (as for text
# messages). The last take the message to a host that the template names.
ELSEWHERE = frozenset(
    {"mailto", "mailtos", "wecombot", "wecom", "dingtalk", "feishu", "lark", "pushplus", "wxpusher", "schan"}
)
TO_A_HOST = frozenset({"json", "jsons", "form", "forms", "bark", "barks", "ntfys", "gotifys"})
OPEN_WIRE = frozenset({"json", "form", "bark"})  # without TLS

THREADS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="notices")


def usable(template: str, settings: Settings) -> str:
    """The scheme of a channel's template. Raises ChannelUnusable for one that messages cannot be sent by."""
    scheme = template.split(":", maxsplit=1)[0].lower()
    if template.count(PLACE_OF_ADDRESS) != 1 or scheme not in ELSEWHERE | TO_A_HOST:
        raise ChannelUnusable("template")
    if scheme in TO_A_HOST:
        try:
            outgoing.check(_as_web(template), settings)
        except UrlUnusable:
            raise ChannelUnusable("template") from None
    if _opened(template, "13800000000") is None:
        raise ChannelUnusable("template")
    return scheme


def _as_web(template: str) -> str:
    """The address that a message goes to, as a web address without what it is sent with."""
    parts = urlsplit(template)
    scheme = "http" if parts.scheme.lower() in OPEN_WIRE else "https"
    host = (parts.hostname or "") if ":" not in (parts.hostname or "") else f"[{parts.hostname}]"
    return f"{scheme}://{host}" + (f":{parts.port}" if parts.port else "")


@cache
def _load() -> None:
    """Read in all that apprise knows, which takes a second, once; one of its libraries warns of another's age."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        NotificationManager().load_modules()  # type: ignore[no-untyped-call]


def _opened(template: str, address: str) -> apprise.NotifyBase | None:
    """What apprise makes of a template for one member; None if it makes nothing of it."""
    _load()
    url = template.replace(PLACE_OF_ADDRESS, quote(address, safe=""))
    try:
        found = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    except Exception:
        return None
    if isinstance(found, apprise.NotifyBase):
        found.socket_connect_timeout, found.socket_read_timeout, found.redirects = CONNECT_S, READ_S, False
        return found
    return None


async def send(office: Office, district: int, delivery: UUID, last: bool) -> None:
    """Send one message, and write down what became of it. Raises NotDone."""
    async with office.connected() as conn:
        message = await notice_channels.to_send(conn, office.ring(), district, delivery)
        if message is None:
            await notice_channels.void(conn, district, delivery)
            return
    subject, body = notice_words.composed(message, office.settings.public_url)
    error = await deliver(office.settings, message.template, message.address, subject, body)
    state: notice_channels.State = "sent" if error is None else "parked" if last else "waiting"
    async with office.connected() as conn:
        await notice_channels.tried(conn, district, delivery, state, error, office.clock())
    if error is not None:
        raise NotDone(error)


async def deliver(settings: Settings, template: str, address: str, subject: str, body: str) -> str | None:
    """Hand a message to its channel; a word of ours for what went wrong."""
    if template.split(":", maxsplit=1)[0].lower() in TO_A_HOST:
        web = urlsplit(_as_web(template))
        try:
            await outgoing.found(web.hostname or "", web.port or 443, settings)
        except UrlUnusable:
            return "address_inside"
        except (OSError, TimeoutError):
            return "not_reached"
    try:
        async with asyncio.timeout(LONGEST_S):
            sent = await asyncio.get_running_loop().run_in_executor(THREADS, _notify, template, address, subject, body)
    except TimeoutError:
        return "no_answer_in_time"
    return None if sent else "channel_refused"


def _notify(template: str, address: str, subject: str, body: str) -> bool:
    """Send, in a thread; whatever goes wrong is said by nothing more than that it did."""
    try:
        channel = _opened(template, address)
        return channel is not None and bool(channel.notify(body=body, title=subject))
    except Exception:
        return False


ERRAND = Errand(name="send_notice", waits=WAITS, run=send)
