"""Programs that know no more than Basic authentication: a device's token is the password, over TLS alone."""

import base64
import binascii
import ipaddress
from typing import Any, ClassVar

from litestar.connection import ASGIConnection

from api.limits import Limits, address
from surveys.access import sessions
from surveys.access.sessions import Credential, Signed
from surveys.refusals import NotAllowed, NotSignedIn

LONGEST_HEADER = 1_000  # characters
AUTHENTICATE = 'Basic realm="Zoufang", charset="UTF-8"'

Connection = ASGIConnection[Any, Any, Any, Any]


class TlsNeeded(NotAllowed):
    """A password over plain HTTP, which everybody on the way can read."""

    code: ClassVar[str] = "tls_needed"


def is_spoken(connection: Connection) -> bool:
    """Whether a request comes with Basic authentication."""
    return connection.headers.get("authorization", "").partition(" ")[0].lower() == "basic"


async def signed(connection: Connection) -> tuple[Credential, Signed]:
    """The token that is presented, as a password or a bearer token, and the person whose it is. Those who fail are
    counted by where they come from, and who holds a token is never kept waiting by the failures of others.

    Raises TlsNeeded, NotSignedIn and, for an address that fails too often, TooManyRequests."""
    refuse_plain(connection)
    state = connection.app.state
    try:
        presented = sessions.credential(secret(connection))
        if presented.kind != "token":
            raise NotSignedIn
        return presented, await state.readers.signed(presented)
    except NotSignedIn:
        if connection.headers.get("authorization"):  # a first request often comes without
            count_failure(connection)
        raise


def count_failure(connection: Connection) -> None:
    """Count who presents what does not hold. Raises TooManyRequests for an address that does so too often."""
    limits: Limits = connection.app.state.limits
    limits.refuse_over("sign_in", f"basic {address(connection)}")


def refuse_plain(connection: Connection) -> None:
    """Raises TlsNeeded for what comes over plain HTTP from another machine."""
    if connection.scope["scheme"] != "https" and not from_this_machine(connection):
        raise TlsNeeded


def from_this_machine(connection: Connection) -> bool:
    """Whether nobody is on the way: the request comes over loopback, and no proxy says that it passed it on."""
    if connection.headers.get("x-forwarded-for") or connection.headers.get("forwarded"):
        return False
    try:
        return ipaddress.ip_address(connection.client.host if connection.client else "").is_loopback
    except ValueError:
        return False


def secret(connection: Connection) -> str:
    """What is presented: the password of Basic authentication, whatever stands as the name, or a bearer token.

    Raises NotSignedIn."""
    scheme, _, told = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return told.strip()
    if scheme.lower() != "basic" or len(told) > LONGEST_HEADER:
        raise NotSignedIn
    try:
        return base64.b64decode(told.strip(), validate=True).decode().partition(":")[2].strip()
    except (binascii.Error, ValueError):
        raise NotSignedIn from None
