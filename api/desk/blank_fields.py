"""Forms of the desk's lists send their blank fields along: what is not said is left out of the address."""

from typing import Any
from urllib.parse import urlencode

from litestar import Request
from litestar.response import Redirect


async def left_out(request: Request[Any, Any, Any]) -> Redirect | None:
    """To the same list without what is blank; it then has an address that can be sent."""
    given = list(request.query_params.multi_items())
    said = [(name, value) for name, value in given if value.strip()]
    if len(said) == len(given):
        return None
    return Redirect(f"{request.url.path}?{urlencode(said)}" if said else request.url.path, status_code=303)
