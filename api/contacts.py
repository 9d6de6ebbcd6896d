"""Contacts over HTTP: shown for a purpose, and looked for by phone; nothing sealed stands in an address."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Response, post
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from api.auth import Clock
from api.documented_problems import REFUSES
from api.json_bodies import JsonBody
from api.limits import Limits
from surveys.people.people import District, Reader
from surveys.privacy import reveals
from surveys.privacy.contacts import Contact
from surveys.privacy.reveals import Found
from surveys.privacy.sealing import KeyRing

Purpose = Annotated[str, Meta(min_length=1, max_length=500, description="why, in words; kept in the history")]
Phone = Annotated[str, Meta(min_length=1, max_length=40)]

WEIGHT = 10  # of a look at what is sealed, in the bucket of pages: whoever tries numbers one by one comes to an end

NO_STORE = {"Cache-Control": "no-store"}


async def few(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard: a person looks at a few contacts a minute. Raises TooManyRequests."""
    limits: Limits = connection.app.state.limits
    limits.refuse_over("page", f"contacts {connection.user.district}/{connection.user.member}", WEIGHT)


class RevealDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants a contact for."""

    purpose: Purpose


class Search(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The number that is looked for, however it is written."""

    phone: Phone


@post(
    "/api/issues/{issue:uuid}/contact",
    dto=JsonBody[RevealDraft],
    return_dto=None,
    status_code=200,
    guards=[few],
    summary="Show an issue's contact",
    opt={REFUSES: (409,)},  # what is sealed belongs elsewhere
)
async def reveal_contact(
    data: JSONBody[RevealDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    issue: FromPath[UUID],
) -> Response[Contact]:
    """A resident's name and phone in plain text, for those who have to reach them; the history keeps who asked, and
    what for."""
    contact = await reveals.reveal(conn, ring, reader, issue, data.purpose, district.zone, clock())
    return Response(contact, headers=NO_STORE)


@post(
    "/api/contacts/search",
    dto=JsonBody[Search],
    return_dto=None,
    status_code=200,
    guards=[few],
    summary="Find issues by phone",
)
async def search_contacts(
    data: JSONBody[Search],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
) -> Response[Found]:
    """The issues that a phone number was left with, of those whose contact the reader may see."""
    found = await reveals.search(conn, ring, reader, data.phone, district.zone, clock())
    return Response(Found(found), headers=NO_STORE)


ROUTES = [reveal_contact, search_contacts]
