"""Moves made on an issue's page, without leaving it; and who comes second is told of the first."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from litestar import Request, post
from litestar.datastructures import FormMultiDict, State, UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from api import database, problem_details, texts
from api.attachments import Attachments
from api.auth import Clock
from api.contacts import few
from api.desk import history_lines, move_forms, ways, words
from api.desk.board import Sort
from api.desk.issue import Place, Typed, shown, twin_context
from api.desk.move_forms import CHUNK, Sent
from api.settings import Settings
from api.sign_in import NOT_KEPT
from maps.locator import Atlas
from surveys.attachments import photos
from surveys.counting import issue_lists
from surveys.counting.issue_query import Filters
from surveys.history import Actor
from surveys.issues import issue_moves, twin_proposals
from surveys.issues.workflow import Move
from surveys.people import people, scopes
from surveys.people.people import District, Reader
from surveys.privacy import reveals
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Missing, MoveNotPossible, NotFound, Refusal, StaleVersion

LARGEST_FORM = 80 * 1024 * 1024  # ten photos of a phone

OVERTAKEN = (StaleVersion, MoveNotPossible)


@post("/desk/issues/{issue:uuid}/moves", include_in_schema=False, request_max_body_size=LARGEST_FORM, status_code=200)
async def move(
    request: Request[Reader, Any, Any],
    state: State,
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    atlas: NamedDependency[Atlas],
    settings: NamedDependency[Settings],
    attachments: NamedDependency[Attachments],
    filters: NamedDependency[Filters],
    issue: FromPath[UUID],
    sort: Sort = None,
) -> Template:
    """Make one move and show the issue as it stands after it; or, where somebody was faster, what they did, with what
    was typed still there."""
    scopes.refuse_who_reads_nothing(reader)
    form = await request.form()
    async with database.acquired(state.pool) as conn:
        district = await people.district(conn, reader.district)
        if district is None:
            raise NotFound
        sent = await _read(conn, reader, form, district, clock())
        overtaken = await _make(conn, atlas, reader, issue, sent, clock(), ring)
    told = [] if overtaken else await _send(state, reader, attachments, issue, sent, clock, request)
    async with database.acquired(state.pool) as conn, conn.transaction():
        place = Place(
            request=request,
            conn=conn,
            reader=reader,
            district=district,
            now=clock(),
            ring=ring,
            atlas=atlas,
            settings=settings,
            filters=filters,
            sort=sort,
        )
        if overtaken:
            return await _overtaken(place, issue, sent, Typed(str(form.get("form", "")), move_forms.typed(form)))
        return await _made(place, issue, sent.draft.move, told)


async def _read(
    conn: asyncpg.Connection, reader: Reader, form: FormMultiDict, district: District, now: datetime
) -> Sent:
    """The move that was sent; the issue that another is merged into is named by its number."""
    number = move_forms.said(form, "to_issue")
    if number is None:
        return await move_forms.read(form, district.zone)
    found = await issue_lists.numbered(conn, reader, number, district.zone, now)
    if found is None:
        raise NotFound("to_issue")
    given = [(name, value) for name, value in form.multi_items() if name != "to_issue"]
    return await move_forms.read(FormMultiDict([*given, ("to", str(found))]), district.zone)


async def _make(
    conn: asyncpg.Connection, atlas: Atlas, reader: Reader, issue: UUID, sent: Sent, now: datetime, ring: KeyRing
) -> bool:
    """Make the move; returns whether somebody was faster."""
    try:
        async with conn.transaction():
            await issue_moves.move(conn, atlas, reader, issue, sent.draft, now, ring)
    except OVERTAKEN:
        return True
    return False


async def _send(
    state: State,
    reader: Reader,
    attachments: Attachments,
    issue: UUID,
    sent: Sent,
    clock: Clock,
    request: Request[Reader, Any, Any],
) -> list[str]:
    """Take in the files that came with a move that was made; returns why any of them was not taken."""
    language, refused = problem_details.language(request), []
    for photo, file in sent.files:
        try:
            async with database.acquired(state.pool) as conn:
                promise = await photos.promise(conn, reader, "issue", issue, photo.sha256)
            await attachments.receive(promise, _chunks(file), Actor("member", str(reader.member)))
        except Refusal as refusal:
            refused.append(f"{file.filename}: {problem_details.of(refusal, language).title}")
    return refused


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK):
        yield chunk


async def _made(place: Place, issue: UUID, move: Move, refused: list[str]) -> Template:
    try:
        context = await shown(place, issue)
    except NotFound:  # the move took it from its mover
        context = dict(ways.context(place.request, place.reader, place.district, "issues"))
        context |= {"back": f"/desk/?{place.request.url.query}", "told": words.DONE[move]}
        return Template("desk/gone.html", context=context, headers=dict(NOT_KEPT))
    context |= {"told": words.DONE[move], "refused": refused}
    return Template("desk/issue_body.html", context=context, headers=dict(NOT_KEPT))


async def _overtaken(place: Place, issue: UUID, sent: Sent, typed: Typed) -> Template:
    """The issue as it stands, who did what since, and the form as it was filled in."""
    context = await shown(place, issue)
    language = context["language"]
    since = history_lines.since(context["history"], sent.draft.expected_version)
    context |= {
        "typed": typed,
        "conflict": {
            "since": [(line, history_lines.ago(line.at, place.now, language)) for line in since],
            "possible": sent.draft.move in context["detail"].moves,
            "move": texts.of(language).gettext(words.MOVES[sent.draft.move]),
            "reason": sent.draft.reason,
            "files": bool(sent.files),
        },
    }
    return Template("desk/issue_body.html", context=context, headers=dict(NOT_KEPT), status_code=409)


@post("/desk/issues/{issue:uuid}/twins/{other:uuid}/dismiss", include_in_schema=False, status_code=200)
async def dismiss_twin(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    issue: FromPath[UUID],
    other: FromPath[UUID],
) -> Template:
    """Say that two issues are not the same, and show the twins that are left."""
    await twin_proposals.dismiss(conn, reader, issue, other, district.zone, clock())
    context = await twin_context(request, conn, reader, district, clock(), ring, issue)
    return Template("desk/twins.html", context=context, headers=dict(NOT_KEPT))


@post("/desk/issues/{issue:uuid}/contact", include_in_schema=False, status_code=200, guards=[few])
async def contact(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    issue: FromPath[UUID],
) -> Template:
    """A resident's name and phone in plain text; the history keeps who asked, and what for."""
    scopes.refuse_who_reads_nothing(reader)
    purpose = move_forms.said(await request.form(), "purpose")
    if purpose is None:
        raise Missing("purpose")
    found = await reveals.reveal(conn, ring, reader, issue, purpose[:500], district.zone, clock())
    context = dict(ways.context(request, reader, district, "issues")) | {"contact": found}
    return Template("desk/contact.html", context=context, headers=dict(NOT_KEPT))


ROUTES = [move, dismiss_twin, contact]
