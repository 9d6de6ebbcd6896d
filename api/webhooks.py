"""Webhooks over HTTP: for the administrator, who lets other systems be told of what happens to issues."""

from uuid import UUID

import asyncpg
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from api import job_queue, outgoing, webhook_sending
from api.auth import Clock
from api.job_queue import Ticket
from api.json_bodies import JsonBody, Nothing
from api.settings import Settings
from surveys.notices import webhooks
from surveys.notices.webhooks import Delivery, Webhook, WebhookDraft
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing

SHOWN = 100  # deliveries, the newest


class Webhooks(Struct, frozen=True):
    """The district's webhooks."""

    items: list[Webhook]


class MadeWebhook(Struct, frozen=True):
    """A new webhook, with the secret by which the other side knows what comes from us; it is shown this once."""

    webhook: Webhook
    secret: str


class Deliveries(Struct, frozen=True):
    """What was sent to a webhook, newest first."""

    items: list[Delivery]


class Pinged(Struct, frozen=True):
    """The delivery that shows whether messages arrive."""

    delivery: UUID


@get("/api/webhooks", summary="Webhooks")
async def list_webhooks(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Webhooks:
    """The district's webhooks, closed ones among them, without their secrets."""
    reader.require("administrator")
    return Webhooks(await webhooks.of_district(conn, reader.district))


@post("/api/webhooks", dto=JsonBody[WebhookDraft], return_dto=None, summary="Register a webhook")
async def make_webhook(
    data: JSONBody[WebhookDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    ring: NamedDependency[KeyRing],
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
) -> MadeWebhook:
    """Tell another system of these events, signed as Standard Webhooks wants it. The secret is shown this once."""
    reader.require("administrator")
    outgoing.check(data.url, settings)
    secret = webhook_sending.new_secret()
    return MadeWebhook(await webhooks.make(conn, ring, reader, data, secret, clock()), secret)


@post(
    "/api/webhooks/{webhook:uuid}/close",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Close a webhook",
)
async def close_webhook(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    webhook: FromPath[UUID],
) -> None:
    """Send nothing more to it."""
    reader.require("administrator")
    await webhooks.close(conn, reader, webhook, clock())


@post(
    "/api/webhooks/{webhook:uuid}/ping",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=202,
    summary="Try a webhook",
)
async def ping_webhook(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    webhook: FromPath[UUID],
) -> Pinged:
    """Send a message that says nothing; its deliveries tell whether it arrived."""
    reader.require("administrator")
    delivery = await webhooks.ping(conn, reader.district, webhook, clock())
    await job_queue.put(conn, webhook_sending.ERRAND.name, [Ticket(reader.district, delivery)])
    return Pinged(delivery)


@get("/api/webhooks/{webhook:uuid}/deliveries", summary="What was sent to a webhook")
async def list_deliveries(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], webhook: FromPath[UUID]
) -> Deliveries:
    """The newest messages to a webhook, and what became of them."""
    reader.require("administrator", "operator")
    return Deliveries(await webhooks.deliveries(conn, reader.district, webhook, SHOWN))


ROUTES = [list_webhooks, make_webhook, close_webhook, ping_webhook, list_deliveries]
