"""Who sends forms: a device's token as the password of Basic authentication, over TLS alone."""

import base64
import binascii
import ipaddress
from typing import Any, ClassVar

from litestar import Request

from api.auth import refuse_unproven
from api.limits import Limits, address
from surveys import sessions
from surveys.people import Reader
from surveys.refusals import NotAllowed, NotSignedIn

LONGEST_HEADER = 1_000  # characters


class TlsNeeded(NotAllowed):
    """A password over plain HTTP, which everybody on the way can read."""

    code: ClassVar[str] = "tls_needed"


async def admit(request: Request[Any, Any, Any]) -> Reader:
    """The person whose device sends this. Those who fail are counted by where they come from, and who holds a token is
    never kept waiting by the failures of others.

    Raises TlsNeeded, NotSignedIn, SecondFactorNeeded and, for an address that fails too often, TooManyRequests."""
    _refuse_plain(request)
    state = request.app.state
    try:
        presented = sessions.credential(_secret(request.headers.get("authorization", "")))
        if presented.kind != "token":
            raise NotSignedIn
        signed = await state.readers.signed(presented)
    except NotSignedIn:
        if request.headers.get("authorization"):  # Collect's first request comes without
            limits: Limits = state.limits
            limits.refuse_over("sign_in", f"openrosa {address(request)}")
        raise
    refuse_unproven(signed, state.settings.second_factor_roles)
    reader: Reader = signed.reader
    return reader


def _refuse_plain(request: Request[Any, Any, Any]) -> None:
    """On the same machine there is nobody on the way, unless a proxy says that there was."""
    if request.scope["scheme"] == "https":
        return
    forwarded = request.headers.get("x-forwarded-for") or request.headers.get("forwarded")
    if forwarded or not _on_this_machine(request.client.host if request.client else ""):
        raise TlsNeeded


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _secret(header: str) -> str:
    """The device's token: the password, whatever stands as the name. Raises NotSignedIn."""
    scheme, _, told = header.partition(" ")
    if scheme.lower() == "bearer":
        return told.strip()
    if scheme.lower() != "basic" or len(told) > LONGEST_HEADER:
        raise NotSignedIn
    try:
        return base64.b64decode(told.strip(), validate=True).decode().partition(":")[2].strip()
    except (binascii.Error, ValueError):
        raise NotSignedIn from None
