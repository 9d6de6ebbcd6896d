"""Who sends forms: a device's token as the password of Basic authentication, over TLS alone."""

from typing import Any

from litestar import Request

from api import basic_access
from api.auth import refuse_unproven
from surveys.people.people import Reader


async def admit(request: Request[Any, Any, Any]) -> Reader:
    """The person whose device sends this.

    Raises TlsNeeded, NotSignedIn, SecondFactorNeeded and, for an address that fails too often, TooManyRequests."""
    _, signed = await basic_access.signed(request)
    refuse_unproven(signed, request.app.state.settings.second_factor_roles)
    return signed.reader
