"""Sending to webhooks: signed, to an address that is looked up and judged each time; nobody is followed elsewhere."""

import secrets
from base64 import b64encode
from datetime import timedelta
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

import httpx
import msgspec

from api import outgoing
from api.errands import Errand, NotDone, Office
from surveys.notices import webhooks
from surveys.notices.webhooks import Message, UrlUnusable

LONGEST_S = 15.0
WAITS = [
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=12),
]  # some twenty hours in all
GONE = 410  # by the specification: send no more; a person should look


def new_secret() -> str:
    """A secret as the specification writes it."""
    return webhooks.PREFIX + b64encode(secrets.token_bytes(webhooks.SECRET_BYTES)).decode()


async def send(office: Office, district: int, delivery: UUID, last: bool) -> None:
    """Send one message, and write down what became of it. Raises NotDone."""
    async with office.connected() as conn:
        message = await webhooks.to_send(conn, office.ring(), district, delivery)
        if message is None:
            await webhooks.void(conn, district, delivery)
            return
    status, error = await _post(office, delivery, message)
    state: webhooks.State = "sent" if error is None else "parked" if last else "waiting"
    async with office.connected() as conn:
        await webhooks.tried(conn, district, delivery, state, status, error, office.clock())
    if error is not None:
        raise NotDone(error)


async def _post(office: Office, delivery: UUID, message: Message) -> tuple[int | None, str | None]:
    """The status that the other side answered, and a word of ours for what went wrong."""
    body = msgspec.json.encode(message.said).decode()
    headers = webhooks.signed(message.secret, delivery, body, office.clock())
    try:
        outgoing.check(message.url, office.settings)
        address, sent_to = await _addressed(office, message.url)
        async with (
            httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=LONGEST_S) as client,
            client.stream(
                "POST", address, content=body, headers=headers | {"host": sent_to.netloc},
                extensions={"sni_hostname": sent_to.hostname},
            ) as answer,
        ):  # fmt: skip
            status = answer.status_code
    except UrlUnusable:
        return None, "address_inside"
    except httpx.TimeoutException:
        return None, "no_answer_in_time"
    except (httpx.HTTPError, OSError, TimeoutError, ValueError):
        return None, "not_reached"
    return status, None if 200 <= status < 300 else "redirected" if 300 <= status < 400 else f"status_{status}"


async def _addressed(office: Office, url: str) -> tuple[str, SplitResult]:
    """The url with the host's address of this moment in place of its name, so that no second look-up finds another."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = await outgoing.found(parts.hostname or "", port, office.settings)
    host = f"[{address}]" if ":" in address else address
    return parts._replace(netloc=f"{host}:{port}").geturl(), parts


ERRAND = Errand(name="send_webhook", waits=WAITS, run=send)
