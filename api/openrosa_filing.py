"""A submission from ODK Collect becomes what our own client would have sent: there is one way to file, one to correct,
and one to take in a photo."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection
from litestar.datastructures import State
from msgspec import Struct

from api import database, json_bodies
from api.attachments import HOPELESS, Attachments
from api.filing import FilingQueue
from api.openrosa_bodies import Body, File
from api.upload_parts import PhotoTooLarge
from surveys.attachments.attachments import NotPromised
from surveys.collect import submissions, submitted_media, submitted_visits
from surveys.collect.submissions import Media, Opened, Told
from surveys.collect.submitted_media import Awaited
from surveys.history import Actor
from surveys.people.people import Reader
from surveys.questionnaires.questionnaire_fields import Field
from surveys.refusals import Refusal
from surveys.visits import visit_drafts
from surveys.visits.visit_drafts import Filing, VisitDraft

MOST_KNOWN = 1_000  # questionnaires' versions whose questions are kept in memory
LONGEST_CARD = 40

_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
UNDESCRIBED: Mapping[str, str] = {"kind": "shop", "name": "?"}  # a door by its id alone, until it is looked up


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a submission."""

    corrected: bool
    numbers: Sequence[str] = ()  # of the problems that it told of
    missing: Sequence[str] = ()  # files that are still to come
    unusable: Sequence[str] = ()  # files that came and cannot be kept


async def take(state: State, reader: Reader, body: Body, device_time: datetime | None) -> Outcome:
    """File what came, or put a visit right by it, and take in its files. Raises what these refuse."""
    opened = submissions.read(body.xml)
    questions = await _questions(state, reader.district, opened)
    if opened.edits is None:
        told = submissions.tell(opened, opened.instance, questions)
        filed = await _filing(state, reader, told.draft, device_time)
        queue: FilingQueue = state.filing_queue
        receipt = await queue.file(filed)
        if isinstance(receipt, Refusal):
            raise receipt
        visit, numbers = opened.instance, [issue.number for issue in receipt.issues]
    else:
        visit, told = await _correct(state, reader, opened, opened.edits, questions)
        numbers = []
    missing, unusable = await _files(state, reader, visit, told.media, body.files)
    return Outcome(corrected=opened.edits is not None, numbers=numbers, missing=missing, unusable=unusable)


async def _questions(state: State, district: int, opened: Opened) -> tuple[Field, ...] | None:
    """The questions of the form's questionnaire, which never change once they are published."""
    if opened.questionnaire is None:
        return None
    key = (district, opened.questionnaire, opened.version)
    known: dict[tuple[int, str, str], tuple[Field, ...]] = state.setdefault("known_questions", {})
    if key not in known:
        async with database.acquired(state.pool) as conn:
            found = await submitted_visits.questions(conn, *key)
        if found is None:
            return None
        if len(known) >= MOST_KNOWN:
            known.clear()
        known[key] = found
    return known[key]


async def _filing(state: State, reader: Reader, told: dict[str, Any], device_time: datetime | None) -> Filing:
    """The visit ready to be filed. It is known again by what was sent, not by what the register says of its door."""
    described = None
    if _undescribed(told) is not None:
        async with database.acquired(state.pool) as conn:
            described = await _described(conn, reader.district, told)
    await _read_card(state, reader.district, told)
    filing = visit_drafts.filing(held(told), reader, device_time, state.ring)
    if described is None:
        return filing
    premises = msgspec.structs.replace(filing.draft.premises, **described)
    return msgspec.structs.replace(filing, draft=msgspec.structs.replace(filing.draft, premises=premises))


def _undescribed(told: dict[str, Any]) -> UUID | None:
    """The door, where the form knows it by its id alone."""
    door: dict[str, str] = told["premises"]
    listed = _UUID.fullmatch(door["id"]) and UUID(door["id"]) != submissions.found_door(UUID(told["id"]))
    return UUID(door["id"]) if listed and not door.keys() >= UNDESCRIBED.keys() else None


async def _described(conn: Connection, district: int, told: dict[str, Any]) -> Mapping[str, str] | None:
    """What the register says of a door that the form knows by its id alone, for which something stands until then."""
    id_ = _undescribed(told)
    described = None if id_ is None else await submitted_visits.door(conn, district, id_)
    if described is not None:
        told["premises"] |= UNDESCRIBED
    return described


async def _read_card(state: State, district: int, told: dict[str, Any]) -> None:
    """A card's number, of what was scanned or typed."""
    scanned: str = told.get("contact_card", "")
    if "#" in scanned:
        async with database.acquired(state.pool) as conn:
            scanned = await submitted_visits.card_number(conn, district, scanned)
    if scanned:
        told["contact_card"] = scanned[:LONGEST_CARD]  # what is longer is none of ours: it is filed, and flagged for it


def held(told: dict[str, Any]) -> VisitDraft:
    """A draft of what a form tells. Raises Invalid, naming the field."""
    try:
        return msgspec.convert(told, VisitDraft)
    except msgspec.ValidationError as error:
        json_bodies.refuse(str(error), VisitDraft)


async def _correct(
    state: State, reader: Reader, opened: Opened, edits: UUID, questions: Sequence[Field] | None
) -> tuple[UUID, Told]:
    """Put the visit right that an edit is of; returns which that is."""
    async with database.acquired(state.pool) as conn, conn.transaction():
        found = await submitted_visits.original(conn, reader.district, edits, opened.instance)
        told = submissions.tell(opened, found.visit, questions)
        described = await _described(conn, reader.district, told.draft)
        told.draft["premises"] |= described or {}
        told.draft.pop("contact_card", None)  # it stays where it was left
        draft = held(told.draft)
        await submitted_visits.correct(conn, state.atlas, reader, found, opened.instance, draft, state.clock())
    return found.visit, told


async def _files(
    state: State, reader: Reader, visit: UUID, media: Sequence[Media], came: Sequence[File]
) -> tuple[list[str], list[str]]:
    """Take in the files that came; returns the names of those still missing, and of those that cannot be kept."""
    if not media:
        return [], []
    async with database.acquired(state.pool) as conn, conn.transaction():
        awaited = await submitted_media.expect(conn, reader.district, visit, media, state.clock())
    missing = {name for name, one in awaited.items() if one.missing}
    unusable = {name for name, one in awaited.items() if one.refused}
    for file in came:
        if file.name in missing:
            missing.discard(file.name)
            if not await _take(state, reader, visit, awaited[file.name], file):
                unusable.add(file.name)
    return sorted(missing), sorted(unusable)


async def _take(state: State, reader: Reader, visit: UUID, awaited: Awaited, file: File) -> bool:
    """Take in a file; whether it could be kept. One that cannot be will be no better when it is sent again, and does
    not hold up the visit that it came with."""
    district, now = reader.district, state.clock()
    refused = await _refused(state, reader, visit, awaited, file)
    async with database.acquired(state.pool) as conn, conn.transaction():
        if refused:
            await submitted_media.give_up(conn, district, awaited, file.sha256, now)
        await submitted_media.came(conn, district, visit, file.name, file.sha256, now, refused)
    return refused is None


async def _refused(state: State, reader: Reader, visit: UUID, awaited: Awaited, file: File) -> str | None:
    """Why a file cannot be kept; None when it is."""
    attachments: Attachments = state.attachments
    if file.bytes > attachments.most_bytes:
        return PhotoTooLarge.code
    async with database.acquired(state.pool) as conn, conn.transaction():
        promise = await submitted_media.promise(conn, reader.district, visit, awaited, file.sha256, file.bytes)
    if promise is None:
        return NotPromised.code
    try:
        await attachments.take(promise, file.path, Actor("member", str(reader.member)))
    except HOPELESS as hopeless:
        return hopeless.code
    return None
