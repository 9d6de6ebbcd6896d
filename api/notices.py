"""Notices over HTTP: one's inbox and how one wants to be told; the district's channels, and what was sent by them."""

import asyncio
from collections.abc import Mapping
from datetime import time
from typing import Annotated
from uuid import UUID

import asyncpg
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from api import notice_sending
from api.auth import Clock
from api.json_bodies import JsonBody, Nothing
from api.settings import Settings
from surveys.clock import calendars
from surveys.history import Actor
from surveys.notices import deadline_rules, notice_channels, notices
from surveys.notices.deadline_rules import Rules
from surveys.notices.notice_channels import Channel, ChannelDraft, Delivery, OwnChannel
from surveys.notices.notices import KINDS, Inbox, Language, NoticeKind, NoticeSettings, Seen, Way
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing

SHOWN = 200  # deliveries, the newest

Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=200)]


@get("/api/notices", summary="One's notices")
async def list_notices(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
    unseen: FromQuery[bool] = False,
) -> Inbox:
    """What the reader was told, newest first; with `unseen` only what they have not seen yet."""
    return await notices.inbox(conn, reader, cursor, limit, unseen=unseen)


@post("/api/notices/seen", dto=JsonBody[Seen], return_dto=None, status_code=204, summary="Notices of issues were seen")
async def see_notices(
    data: JSONBody[Seen],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> None:
    """The reader has seen the notices that are named, or all of theirs."""
    await notices.see(conn, reader, data.ids if isinstance(data.ids, tuple) else None, clock())


TimeOfDay = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]  # by the clock on the district's wall


class Wishes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a member wants to be told; what is left out follows the program."""

    language: Language = notices.USUAL.language
    quiet_from: TimeOfDay = f"{notices.USUAL.quiet_from:%H:%M}"
    quiet_to: TimeOfDay = f"{notices.USUAL.quiet_to:%H:%M}"
    ways: Mapping[NoticeKind, Way] = {}


class OwnSettings(Struct, frozen=True, kw_only=True):
    """How the reader is told: by each kind, and by which channels they are reached."""

    language: Language
    quiet_from: TimeOfDay
    quiet_to: TimeOfDay
    ways: Mapping[NoticeKind, Way]
    channels: list[OwnChannel]


async def own_settings(conn: asyncpg.Connection, reader: Reader) -> OwnSettings:
    """How a member is told, the program's own ways where they have chosen none."""
    found = await notices.settings(conn, reader.district, [reader.member])
    wanted = found.get(reader.member, notices.USUAL)
    return OwnSettings(
        language=wanted.language,
        quiet_from=f"{wanted.quiet_from:%H:%M}",
        quiet_to=f"{wanted.quiet_to:%H:%M}",
        ways={kind: wanted.way(kind) for kind in KINDS},
        channels=await notice_channels.own(conn, reader),
    )


@get("/api/notice-settings", summary="How one is told")
async def read_settings(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> OwnSettings:
    """How the reader is told of what, and by which channels they are reached."""
    return await own_settings(conn, reader)


@post(
    "/api/notice-settings",
    dto=JsonBody[Wishes],
    return_dto=None,
    status_code=200,
    summary="Choose how one is told",
)
async def change_settings(
    data: JSONBody[Wishes],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> OwnSettings:
    """Tell the reader in this way from now on; kinds that are left out follow the program."""
    wanted = NoticeSettings(
        language=data.language,
        quiet_from=time.fromisoformat(data.quiet_from),
        quiet_to=time.fromisoformat(data.quiet_to),
        ways=data.ways,
    )
    await notices.set_settings(conn, reader, wanted, clock())
    return await own_settings(conn, reader)


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a channel reaches somebody: a mail address, a number, a name; left out for nowhere."""

    address: Annotated[str, Meta(max_length=200)] = ""


@post(
    "/api/notice-settings/addresses/{channel:uuid}",
    dto=JsonBody[Address],
    return_dto=None,
    status_code=204,
    summary="Choose where a channel reaches one",
)
async def set_address(
    data: JSONBody[Address],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
    channel: FromPath[UUID],
) -> None:
    """Reach the reader at this address; it is sealed, and shown to nobody again."""
    await notice_channels.set_address(conn, ring, reader, channel, data.address, clock())


class Channels(Struct, frozen=True):
    """The district's channels."""

    items: list[Channel]


@get("/api/notice-channels", summary="Channels for messages")
async def list_channels(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Channels:
    """The district's channels; what they are made of is shown to nobody."""
    reader.require("administrator")
    return Channels(await notice_channels.of_district(conn, reader.district))


@post("/api/notice-channels", dto=JsonBody[ChannelDraft], return_dto=None, summary="Make a channel")
async def make_channel(
    data: JSONBody[ChannelDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    ring: NamedDependency[KeyRing],
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
) -> Channel:
    """Make a channel of an address of apprise, with `{address}` where the member's own goes. It is sealed and never
    shown again."""
    reader.require("administrator")
    scheme = await asyncio.to_thread(notice_sending.usable, data.template, settings)
    return await notice_channels.make(conn, ring, reader, data, scheme, clock())


@post(
    "/api/notice-channels/{channel:uuid}/close",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Close a channel",
)
async def close_channel(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    channel: FromPath[UUID],
) -> None:
    """Send nothing more through it."""
    reader.require("administrator")
    await notice_channels.close(conn, reader, channel, clock())


class Deliveries(Struct, frozen=True):
    """What was sent, newest first."""

    items: list[Delivery]


@get("/api/notice-deliveries", summary="What was sent to whom")
async def list_deliveries(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    member: FromQuery[UUID | None] = None,
) -> Deliveries:
    """The newest messages: to whom, when, by which channel, with which outcome."""
    reader.require("administrator", "auditor", "operator")
    return Deliveries(await notice_channels.deliveries(conn, reader.district, member, SHOWN))


@get("/api/deadline-rules", summary="Reminders and escalations")
async def read_rules(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Rules:
    """When the district reminds of a limit, and when it goes up a level after it."""
    return await deadline_rules.of_district(conn, reader.district)


@post(
    "/api/deadline-rules",
    dto=JsonBody[Rules],
    return_dto=None,
    status_code=200,
    summary="Change reminders and escalations",
)
async def change_rules(
    data: JSONBody[Rules],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Rules:
    """Follow other rules from now on; what has gone up stays there."""
    reader.require("administrator")
    now = clock()
    calendar = await calendars.in_force(conn, reader.district, now)
    await deadline_rules.change(conn, reader.district, Actor("member", str(reader.member)), data, calendar, now)
    return await deadline_rules.of_district(conn, reader.district)


ROUTES = [
    list_notices,
    see_notices,
    read_settings,
    change_settings,
    set_address,
    list_channels,
    make_channel,
    close_channel,
    list_deliveries,
    read_rules,
    change_rules,
]
