"""Residents' rights and retention over HTTP: for the administrator, for a purpose, and never in an address."""

from typing import Any, Literal
from uuid import UUID

import asyncpg
import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from api import erasure_journal, resident_texts
from api.auth import Clock
from api.contacts import NO_STORE, Phone, Purpose
from api.documented_problems import REFUSES
from api.json_bodies import JsonBody
from api.settings import Settings
from surveys.history import Actor
from surveys.people.people import District, Reader
from surveys.privacy import residents, retention
from surveys.privacy.residents import Receipt, Resident
from surveys.privacy.retention import Rule
from surveys.privacy.sealing import KeyRing


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A resident by their phone number, and what they are looked for."""

    phone: Phone
    purpose: Purpose


class ExportWanted(Wanted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In which form the resident gets what is kept about them."""

    format: Literal["json", "text"] = "json"


class ErasureWanted(Wanted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the texts and photos of the issues and visits are forgotten too."""

    with_texts: bool = False


class Receipts(Struct, frozen=True):
    """What was forgotten at residents' requests, newest first."""

    items: list[Receipt]


class Rules(Struct, frozen=True):
    """The rules by which the district forgets."""

    rules: list[Rule]


@post("/api/residents/find", dto=JsonBody[Wanted], return_dto=None, status_code=200, summary="Find a resident")
async def find_resident(
    data: JSONBody[Wanted],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
) -> Response[Resident]:
    """Every issue and visit of the district that a phone number leads to, with what was booked with their cards and how
    commitments were rated through these."""
    reader.require("administrator")
    actor = Actor("member", str(reader.member))
    found = await residents.find(conn, ring, reader.district, actor, data.phone, data.purpose, clock())
    return Response(found, headers=NO_STORE)


@post(
    "/api/residents/export",
    dto=JsonBody[ExportWanted],
    return_dto=None,
    status_code=200,
    summary="Hand out what is kept about a resident",
    responses={
        200: ResponseSpec(dict[str, Any], generate_examples=False, description="As JSON, unless text is wanted")
    },
    opt={REFUSES: (404, 409)},
)
async def export_resident(
    data: JSONBody[ExportWanted],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
) -> Response[bytes]:
    """All that is kept about a resident, as one file, JSON or readable text."""
    reader.require("administrator")
    actor = Actor("member", str(reader.member))
    record = await residents.export(conn, ring, reader.district, actor, data.phone, data.purpose, clock())
    if data.format == "json":
        content, media_type, name = msgspec.json.encode(record), "application/json", "resident.json"
    else:
        content = resident_texts.written(record, district.zone).encode()
        media_type, name = "text/plain; charset=utf-8", "resident.txt"
    headers = NO_STORE | {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


@post(
    "/api/residents/erase",
    dto=JsonBody[ErasureWanted],
    return_dto=None,
    status_code=200,
    summary="Forget a resident",
    opt={REFUSES: (404,)},
)
async def erase_resident(
    data: JSONBody[ErasureWanted],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    settings: NamedDependency[Settings],
) -> Response[Receipt]:
    """Forget a resident's name and phone and, if asked, all texts and photos of their issues and visits; the issues
    stay and are counted as before. The receipt can be fetched again."""
    reader.require("administrator")
    actor = Actor("member", str(reader.member))
    receipt, erasure = await residents.erase(
        conn, ring, reader.district, actor, data.phone, data.purpose, clock(), with_texts=data.with_texts
    )
    erasure_journal.append(settings, erasure)
    return Response(receipt, headers=NO_STORE)


@get("/api/residents/erasures", summary="The receipts of erasures")
async def erasure_receipts(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Receipts:
    """The last erasures at residents' requests, newest first."""
    reader.require("administrator")
    return Receipts(await residents.receipts(conn, reader.district))


@get("/api/residents/erasures/{erasure:uuid}", summary="The receipt of an erasure")
async def erasure_receipt(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], erasure: FromPath[UUID]
) -> Receipt:
    """What was forgotten at a resident's request: ids, counts and the time."""
    reader.require("administrator")
    return await residents.receipt(conn, reader.district, erasure)


@get("/api/retention", summary="How long data is kept")
async def retention_rules(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Rules:
    """The rules by which the district forgets."""
    reader.require("administrator")
    return Rules(await retention.rules(conn, reader.district))


@post("/api/retention", dto=JsonBody[Rule], return_dto=None, status_code=200, summary="Change how long data is kept")
async def change_retention(
    data: JSONBody[Rule],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Rules:
    """Change one rule; the job follows it from its next turn on."""
    reader.require("administrator")
    await retention.change(conn, reader.district, Actor("member", str(reader.member)), data, clock())
    return Rules(await retention.rules(conn, reader.district))


ROUTES = [
    find_resident,
    export_resident,
    erase_resident,
    erasure_receipts,
    erasure_receipt,
    retention_rules,
    change_retention,
]
