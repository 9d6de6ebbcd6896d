"""Phones: a token for each, shown once to who gives their password there, listed and revoked by its holder."""

import base64
import zlib
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from api import qr_codes
from api.auth import PUBLIC, Clock, SecondFactorNeeded
from api.documented_problems import REFUSES
from api.entrance import Entrance, Own, Password, SixDigits, require_page
from api.json_bodies import JsonBody, Nothing
from api.settings import Settings
from api.sign_in import NOT_KEPT
from surveys.access import account_notices, second_factors, sessions, sign_ins
from surveys.access.sessions import Device
from surveys.people import people
from surveys.people.people import Reader
from surveys.refusals import NotFound, TextUnusable


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
    if admitted.has_second_factor:
        await _show_second_factor(request, entrance, admitted.district, admitted.member, data.second_factor)
    answer = await _added(entrance, admitted.district, admitted.member, device, proven=admitted.has_second_factor)
    return Response(answer, status_code=201, headers=NOT_KEPT)


async def _show_second_factor(
    request: Request[Any, Any, Any], entrance: Entrance, district: int, member: UUID, code: str | None
) -> None:
    if code is None:
        raise SecondFactorNeeded("second_factor")
    await entrance.show_second_factor(request, district, member, code, "second_factor")


async def _added(entrance: Entrance, district: int, member: UUID, device: str, *, proven: bool) -> DeviceAdded:
    """A token for somebody who has shown who they are; raises SecondFactorNeeded for who must have one and has none."""
    settings, now = entrance.settings, entrance.now()
    async with entrance.transaction() as conn:
        if not proven and await people.roles(conn, district, member) & set(settings.second_factor_roles):
            raise SecondFactorNeeded("second_factor")
        added = await sessions.add_device(
            conn, district, member, device, timedelta(days=settings.device_days), now, proven=proven
        )
        await account_notices.add(conn, district, [member], "device_added", None, now)
        name = (await people.names(conn, district, [member]))[member]
    return DeviceAdded(id=added.id, token=added.token, expires_at=added.expires_at, member=member, name=name)


COLLECT = "ODK Collect"


class CollectWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody's own password again, and who has one, the second factor."""

    password: Password
    second_factor: SixDigits | None = None


class CollectAdded(Struct, frozen=True, kw_only=True):
    """What ODK Collect is set up with, shown this once: typed in, or read from the code."""

    id: UUID
    server: str
    username: str
    token: str
    expires_at: datetime
    code: str  # the address of an SVG picture of a QR code


@post(
    "/api/devices/collect",
    opt={REFUSES: (403, 422)},
    dto=JsonBody[CollectWanted],
    return_dto=None,
    status_code=201,
    summary="Set ODK Collect up",
)
async def add_collect(
    request: Own,
    data: JSONBody[CollectWanted],
    entrance: NamedDependency[Entrance],
    settings: NamedDependency[Settings],
) -> Response[CollectAdded]:
    """A token for ODK Collect on the reader's phone, with all that Collect asks for in one QR code."""
    require_page(request)
    reader = request.user
    await entrance.confirm_password(request, reader.district, reader.member, data.password, "password")
    async with entrance.transaction() as conn:
        proven = await second_factors.has_one(conn, reader.district, reader.member)
        account = await sign_ins.of_member(conn, reader.district, reader.member)
    if account is None:
        raise NotFound
    if proven:
        await _show_second_factor(request, entrance, reader.district, reader.member, data.second_factor)
    added = await _added(entrance, reader.district, reader.member, COLLECT, proven=proven)
    server = f"{(settings.public_url or str(request.base_url)).rstrip('/')}/openrosa"
    number = account.holder.number
    answer = CollectAdded(
        id=added.id,
        server=server,
        username=number,
        token=added.token,
        expires_at=added.expires_at,
        code=qr_codes.svg_address(_collect_settings(server, number, added.token)),
    )
    return Response(answer, status_code=201, headers=NOT_KEPT)


def _collect_settings(server: str, username: str, token: str) -> str:
    """Settings as Collect reads them from a QR code, as ODK documents them: JSON, through zlib, in base64."""
    told = {
        "general": {
            "protocol": "odk_default",
            "server_url": server,
            "username": username,
            "password": token,
            "form_update_mode": "match_exactly",
            "autosend": "wifi_and_cellular",
        },
        "admin": {},
        "project": {"name": "走访", "icon": "走", "color": "#7a4a28"},
    }
    return base64.b64encode(zlib.compress(msgspec.json.encode(told))).decode()


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


ROUTES = [add_device, add_collect, list_devices, revoke_device]
