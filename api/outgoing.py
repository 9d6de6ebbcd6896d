"""Where messages may go: to other houses, by https. Whoever may say where they go could otherwise have the program ask
its own machine, or its neighbours, for what only they are answered."""

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from api.settings import Settings
from surveys.notices.webhooks import UrlUnusable

LONGEST_LOOK_UP_S = 5


def check(url: str, settings: Settings, field: str = "url") -> None:
    """Raise UrlUnusable for an address that is no https address of another house, as far as its text tells."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UrlUnusable(field) from None
    inside = settings.inside_addresses == "on"
    if parts.scheme != "https" and not (inside and parts.scheme == "http"):
        raise UrlUnusable(field)
    if not host or parts.username is not None or parts.password is not None or port == 0:
        raise UrlUnusable(field)
    if any(ord(letter) <= 32 or letter in "\\{}`" for letter in url):
        raise UrlUnusable(field)
    if not inside and _is_written_inside(host):
        raise UrlUnusable(field)


def _is_written_inside(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


async def found(host: str, port: int, settings: Settings) -> str:
    """The address that a name has now, if messages may go there: it may have another than when it was registered.
    Raises UrlUnusable, or OSError where there is none."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(LONGEST_LOOK_UP_S):
        answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(answer[4][0]) for answer in answers]
    if settings.inside_addresses == "off" and not all(_is_outside(address) for address in addresses):
        raise UrlUnusable("url")
    return addresses[0]


def _is_outside(address: str) -> bool:
    parsed = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    mapped = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None)
    return parsed.is_global and not parsed.is_multicast and (mapped is None or mapped.is_global)
