"""Phones: a token for each, shown once to who gives their password there, listed and revoked by its holder."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from api.auth import PUBLIC, Clock, SecondFactorNeeded
from api.documented_problems import REFUSES
from api.entrance import Entrance, Own, Password, SixDigits
from api.json_bodies import JsonBody, Nothing
from api.sign_in import NOT_KEPT
from surveys import (
    account_notices,
    people,
    sessions,
    sign_ins,
)
from surveys.people import Reader
from surveys.refusals import TextUnusable
from surveys.sessions import Device


class DeviceWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A phone that asks for a token: who holds it, and what it is called."""

    account: Annotated[str, Meta(min_length=1, max_length=sign_ins.LONGEST_ACCOUNT)]
    password: Password
    device: Annotated[str, Meta(min_length=1, max_length=80)]
    district: Annotated[int, Meta(ge=1, le=2_147_483_647)] | None = None
    second_factor: SixDigits | None = None


class DeviceAdded(Struct, frozen=True, kw_only=True):
    """A phone's token, shown this once."""

    id: UUID
    token: str
    expires_at: datetime
    member: UUID
    name: str


@post(
    "/api/devices",
    opt={PUBLIC: True, REFUSES: (401, 403)},
    dto=JsonBody[DeviceWanted],
    return_dto=None,
    status_code=201,
    summary="Sign in on a phone",
    security=[],
)
async def add_device(
    request: Request[Any, Any, Any], data: JSONBody[DeviceWanted], entrance: NamedDependency[Entrance]
) -> Response[DeviceAdded]:
    """A token for a phone, by number or phone, password and, who has one, the second factor. Who must have one and has
    none sets it up on the page first."""
    device = " ".join(data.device.split())
    if not device or not device.isprintable():
        raise TextUnusable("device")
    admitted = await entrance.admit(request, data.district, data.account, data.password)
    district, member, settings = admitted.district, admitted.member, entrance.settings
    if admitted.has_second_factor:
        if data.second_factor is None:
            raise SecondFactorNeeded("second_factor")
        await entrance.show_second_factor(request, district, member, data.second_factor, "second_factor")
    now = entrance.now()
    async with entrance.transaction() as conn:
        if not admitted.has_second_factor and await people.roles(conn, district, member) & set(
            settings.second_factor_roles
        ):
            raise SecondFactorNeeded("second_factor")
        added = await sessions.add_device(
            conn,
            district,
            member,
            device,
            timedelta(days=settings.device_days),
            now,
            proven=admitted.has_second_factor,
        )
        await account_notices.add(conn, district, [member], "device_added", None, now)
        name = (await people.names(conn, district, [member]))[member]
    answer = DeviceAdded(id=added.id, token=added.token, expires_at=added.expires_at, member=member, name=name)
    return Response(answer, status_code=201, headers=NOT_KEPT)


class Devices(Struct, frozen=True):
    """The tokens that still hold."""

    items: list[Device]


@get("/api/devices", summary="List one's phones")
async def list_devices(
    request: Own,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Devices:
    """The reader's own tokens, each with its phone and its last use, newest first."""
    return Devices(await sessions.devices(conn, reader, request.auth, clock()))


@post(
    "/api/devices/{device:uuid}/revoke",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Sign a phone out",
)
async def revoke_device(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    device: FromPath[UUID],
) -> None:
    """End one of the reader's own tokens."""
    await sessions.revoke(conn, reader, device, clock())


ROUTES = [add_device, list_devices, revoke_device]
