"""Visits over HTTP: filed one by one or as a phone's backlog, asked for, listed, corrected."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from litestar import Request, Response, get, post
from litestar._openapi.schema_generation import SchemaCreator
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Reference, Schema
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter
from litestar.typing import FieldDefinition
from msgspec import Meta, Struct

from api import problem_details
from api.auth import Clock
from api.filing import FilingQueue
from api.issues import persons, refuse_unfit
from api.json_bodies import JsonBody, decode, parse
from api.limits import LARGEST_BODY, LARGEST_VISIT, Limits
from api.problem_details import Problem
from maps.locator import Atlas
from surveys.counting import issue_query
from surveys.issues.placing import Certainty
from surveys.people.people import District, Reader
from surveys.premises.premises import PremisesKind
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Refusal, TooMany, WrongValue
from surveys.visits import receipts, visit_corrections, visit_drafts, visit_flags, visit_query
from surveys.visits.receipts import Filed, Flag, Receipt
from surveys.visits.visit_corrections import Corrected, Correction
from surveys.visits.visit_drafts import Filing, Moment, Outcome, VisitDraft
from surveys.visits.visit_flags import FlagsSettled, FlagTold
from surveys.visits.visit_query import VisitDetail, VisitFilters, VisitPage

MOST_IN_BATCH = 500
CLOCK_YEARS = range(1970, 3000)  # what a phone's clock can say, set or not

T = TypeVar("T")


class BatchResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one item of a batch; each stands on its own."""

    id: str | None
    status: Literal["filed", "already_filed", "refused"]
    receipt: Receipt | None = None
    problem: Problem | None = None


class BatchResults(Struct, frozen=True):
    """What became of a batch, in its order."""

    results: list[BatchResult]


class ReceiptsWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """The visits that a phone asks about."""

    ids: Annotated[tuple[UUID, ...], Meta(max_length=MOST_IN_BATCH)]


class ReceiptFound(Struct, frozen=True, kw_only=True):
    """What the server has of a visit: `unknown` when nothing, or not this person's."""

    id: UUID
    status: Literal["filed", "unknown"]
    receipt: Receipt | None = None
    missing_photos: list[str] = []


class ReceiptsFound(Struct, frozen=True):
    """What the server has, in the order asked."""

    results: list[ReceiptFound]


class BatchBody(JsonBody[T]):
    """A batch whose items are decoded one by one, so that a malformed one spoils no other."""

    def decode_bytes(self, value: bytes) -> Any:
        return parse(value, self.model_type)

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: SchemaCreator
    ) -> Reference | Schema:
        return schema_creator.for_field_definition(FieldDefinition.from_annotation(list[VisitDraft]))


DeviceTime = Annotated[
    str | None, HeaderParameter(name="Device-Time", description="what the phone's clock says now, RFC 3339 with a zone")
]


@post(
    "/api/visits",
    dto=JsonBody[VisitDraft],
    return_dto=None,
    status_code=201,
    responses={200: ResponseSpec(Receipt, description="The visit was filed before")},
    summary="File a visit",
    request_max_body_size=LARGEST_VISIT,
)
async def file_visit(
    request: Request[Reader, Any, Any],
    data: JSONBody[VisitDraft],
    filing_queue: NamedDependency[FilingQueue],  # the only one: two would be resolved in tasks of their own
    device_time: DeviceTime = None,
) -> Response[Receipt]:
    """File a visit with the issues found on it: 201 when it is new, 200 when it was filed before."""
    _count(request, 1)
    ring: KeyRing = request.app.state.ring
    outcome = await filing_queue.file(visit_drafts.filing(data, request.user, _device_time(device_time), ring))
    if isinstance(outcome, Refusal):
        raise outcome
    return Response(outcome, status_code=201 if outcome.status == "filed" else 200)


@post(
    "/api/visits/batch",
    dto=BatchBody[list[msgspec.Raw]],
    return_dto=None,
    status_code=200,
    summary="File a backlog",
    request_max_body_size=LARGEST_BODY,
)
async def file_batch(
    request: Request[Reader, Any, Any],
    data: JSONBody[list[msgspec.Raw]],
    reader: NamedDependency[Reader],
    filing_queue: NamedDependency[FilingQueue],
    ring: NamedDependency[KeyRing],
    device_time: DeviceTime = None,
) -> BatchResults:
    """File up to 500 visits, each on its own; what became of each stands in the order sent."""
    if len(data) > MOST_IN_BATCH:
        raise TooMany(None, most=MOST_IN_BATCH)
    _count(request, len(data))
    at = _device_time(device_time)
    decoded = [_decoded(raw, reader, at, ring) for raw in data]
    filings = [item for item in decoded if isinstance(item, Filing)]
    outcomes = iter(await filing_queue.file_together(filings))
    answers = [next(outcomes) if isinstance(item, Filing) else item for item in decoded]
    language = problem_details.language(request)
    return BatchResults([_result(_id(raw), answer, language) for raw, answer in zip(data, answers, strict=True)])


def _count(request: Request[Reader, Any, Any], visits: int) -> None:
    """Raises TooManyRequests for a person who has filed more than anybody can."""
    limits: Limits = request.app.state.limits
    limits.refuse_over("filing", f"{request.user.district}/{request.user.member}", visits)


def _decoded(raw: msgspec.Raw, reader: Reader, device_time: datetime | None, ring: KeyRing) -> Filing | Refusal:
    try:
        return visit_drafts.filing(decode(bytes(raw), VisitDraft), reader, device_time, ring)
    except Refusal as refusal:
        return refusal


class _Named(Struct):
    id: str | None = None


def _id(raw: msgspec.Raw) -> str | None:
    """The id of an item, as far as one can be read out of it."""
    try:
        return msgspec.json.decode(raw, type=_Named).id
    except msgspec.DecodeError:
        return None


def _result(id_: str | None, answer: Receipt | Refusal, language: str) -> BatchResult:
    if isinstance(answer, Receipt):
        return BatchResult(id=id_, status=answer.status, receipt=answer)
    return BatchResult(id=id_, status="refused", problem=problem_details.of(answer, language))


def _device_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        told = msgspec.convert(text, Moment)
    except msgspec.ValidationError:
        told = None
    if told is None or told.year not in CLOCK_YEARS:
        raise WrongValue("Device-Time", expected="2026-11-23T09:30:00+08:00")
    return told


@post("/api/receipts", dto=JsonBody[ReceiptsWanted], return_dto=None, status_code=200, summary="Ask what was filed")
async def find_receipts(
    data: JSONBody[ReceiptsWanted], conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]
) -> ReceiptsFound:
    """What the server has of the reader's own visits, and which photos it still waits for."""
    found = await receipts.of_visits(conn, reader.district, data.ids)
    return ReceiptsFound([_found(id_, found.get(id_), reader) for id_ in data.ids])


def _found(id_: UUID, filed: Filed | None, reader: Reader) -> ReceiptFound:
    if filed is None or filed.member != reader.member:
        return ReceiptFound(id=id_, status="unknown")
    return ReceiptFound(id=id_, status="filed", receipt=filed.receipt, missing_photos=filed.missing_photos)


BESIDE_FILTERS = frozenset({"limit", "cursor", "total", "lang"})


async def visit_filters(
    request: Request[Reader, Any, Any],
    community: Annotated[
        list[str] | None, QueryParameter(description="codes of communities; `none` for what is in none")
    ] = None,
    street: FromQuery[list[str] | None] = None,
    kind: FromQuery[list[PremisesKind] | None] = None,
    outcome: FromQuery[list[Outcome] | None] = None,
    member: Annotated[
        list[str] | None, QueryParameter(description="who filed it: ids of members; `me` for who asks")
    ] = None,
    organisation: Annotated[list[UUID] | None, QueryParameter(description="the member's on the day")] = None,
    campaign: Annotated[
        list[str] | None, QueryParameter(description="ids of campaigns; `none` for what was filed in none")
    ] = None,
    premises: Annotated[list[UUID] | None, QueryParameter(description="doors on the register")] = None,
    certainty: FromQuery[list[Certainty] | None] = None,
    flag: FromQuery[list[Flag] | None] = None,
    unsettled: Annotated[
        Literal["yes", "no"] | None, QueryParameter(description="whether a flag waits to be settled")
    ] = None,
    started_from: FromQuery[date | None] = None,
    started_to: FromQuery[date | None] = None,
    text: Annotated[
        str | None,
        QueryParameter(description="in the door's name or address, two characters suffice; or a card's whole number"),
    ] = None,
    bbox: FromQuery[str | None] = None,
    placed: FromQuery[Literal["yes", "no"] | None] = None,
    withdrawn: FromQuery[Literal["yes", "no"] | None] = None,
) -> VisitFilters:
    """The filters of a list of visits. Raises Invalid for one that does not fit, or that is not one."""
    refuse_unfit(request, BESIDE_FILTERS.union(VisitFilters.__struct_fields__))
    return VisitFilters(
        community=tuple(community or ()),
        street=tuple(street or ()),
        kind=tuple(kind or ()),
        outcome=tuple(outcome or ()),
        member=persons(request, "member", member),
        organisation=tuple(organisation or ()),
        campaign=tuple(campaign or ()),
        premises=tuple(premises or ()),
        certainty=tuple(certainty or ()),
        flag=tuple(flag or ()),
        unsettled=None if unsettled is None else unsettled == "yes",
        started_from=started_from,
        started_to=started_to,
        text=text,
        bbox=issue_query.box(bbox) if bbox is not None else None,
        placed=None if placed is None else placed == "yes",
        withdrawn=None if withdrawn is None else withdrawn == "yes",
    )


@get("/api/visits", summary="List visits")
async def list_visits(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    visit_filters: NamedDependency[VisitFilters],
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> VisitPage:
    """The visits that the reader may see, newest first by when they began."""
    return await visit_query.page(
        conn, reader, visit_filters, district.zone, clock(), limit=limit, cursor=cursor, total=total
    )


@get("/api/visits/{visit:uuid}", summary="One visit")
async def one_visit(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], visit: FromPath[UUID]
) -> VisitDetail:
    """One visit, with its texts, flags and history."""
    return await visit_query.one(conn, reader, visit)


@post(
    "/api/visits/{visit:uuid}/corrections",
    dto=JsonBody[Correction],
    return_dto=None,
    status_code=200,
    summary="Correct or withdraw a visit",
)
async def correct_visit(
    data: JSONBody[Correction],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
    visit: FromPath[UUID],
) -> Corrected:
    """Correct a visit, with a reason; the first filing stays in the history."""
    return await visit_corrections.correct(conn, atlas, reader, visit, data, clock())


class FlagsNow(Struct, frozen=True):
    """The flags of a visit as they stand."""

    flags: list[FlagTold]


@post(
    "/api/visits/{visit:uuid}/flags",
    dto=JsonBody[FlagsSettled],
    return_dto=None,
    status_code=200,
    summary="Settle flags of a visit",
)
async def settle_flags(
    data: JSONBody[FlagsSettled],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    visit: FromPath[UUID],
) -> FlagsNow:
    """Say that what was not in order about a visit was looked at, with what was found; a retry changes nothing more."""
    return FlagsNow(await visit_flags.settle(conn, reader, visit, data, clock()))


ROUTES = [settle_flags, file_visit, file_batch, find_receipts, list_visits, one_visit, correct_visit]
