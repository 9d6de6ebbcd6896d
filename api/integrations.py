"""City apps over HTTP: for the administrator, who registers them, gives them another key and takes it away."""

from uuid import UUID

import asyncpg
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from api.auth import Clock
from api.json_bodies import JsonBody, Nothing
from api.sign_in import NOT_KEPT
from surveys.intake import integrations
from surveys.intake.integrations import Integration, IntegrationDraft
from surveys.people.people import Reader


class Integrations(Struct, frozen=True):
    """The district's city apps."""

    items: list[Integration]


class RegisteredIntegration(Struct, frozen=True):
    """A city app, with its key, which is shown this once."""

    integration: Integration
    key: str


@get("/api/integrations", summary="City apps")
async def list_integrations(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Integrations:
    """The programs that report for residents, revoked ones among them, without their keys."""
    reader.require("administrator")
    return Integrations(await integrations.of_district(conn, reader.district))


@post("/api/integrations", dto=JsonBody[IntegrationDraft], return_dto=None, summary="Register a city app")
async def register_integration(
    data: JSONBody[IntegrationDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Response[RegisteredIntegration]:
    """Let a program report problems by Open311, in its scope and so many a day. Its key is shown this once."""
    reader.require("administrator")
    made = RegisteredIntegration(*await integrations.register(conn, reader, data, clock()))
    return Response(made, status_code=201, headers=NOT_KEPT)


@post(
    "/api/integrations/{integration:uuid}/key",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=200,
    summary="Give a city app another key",
)
async def renew_key(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    integration: FromPath[UUID],
) -> Response[RegisteredIntegration]:
    """A new key, shown this once; the one before opens nothing any more."""
    reader.require("administrator")
    made = RegisteredIntegration(*await integrations.renew(conn, reader, integration, clock()))
    return Response(made, status_code=200, headers=NOT_KEPT)


@post(
    "/api/integrations/{integration:uuid}/revoke",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Revoke a city app's key",
)
async def revoke_integration(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    integration: FromPath[UUID],
) -> None:
    """It files nothing more; what it filed stays."""
    reader.require("administrator")
    await integrations.revoke(conn, reader, integration, clock())


ROUTES = [list_integrations, register_integration, renew_key, revoke_integration]
