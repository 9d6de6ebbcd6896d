"""What can be put right about a visit, and taking one back; the first filing stays in the history."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, event_row, request_digest, text_row
from surveys.issues import issue_moves, placing
from surveys.issues.issues import Description
from surveys.issues.placing import Atlas, Position, ToPlace
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.questionnaires import questionnaire_fields
from surveys.questionnaires.questionnaire_fields import Field
from surveys.refusals import (
    AlreadyWithdrawn,
    IdTaken,
    Missing,
    NotAllowed,
    NotFound,
    StaleVersion,
    TextUnusable,
    UnknownCommunity,
)
from surveys.visits.visit_drafts import Answers, Outcome, PremisesDraft
from surveys.visits.visit_query import within
from surveys.visits.visits import ROW, VisitRow


class Correction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to put right, and why; what is left out stays. `withdraw` takes the whole visit back. A community named
    alone is a person's word, whatever the position says; `none` stands for no community. `place_settled` takes a place
    out of those that wait, or puts it back."""

    id: UUID
    expected_version: int
    reason: Annotated[str, Meta(min_length=1, max_length=5_000)]
    withdraw: bool = False
    premises: PremisesDraft | None = None
    outcome: Outcome | None = None
    note: Description | None = None
    position: Position | None = None
    community: Annotated[str, Meta(min_length=1, max_length=20)] | None = None
    place_settled: bool | None = None
    answers: Answers | None = None


class Corrected(Struct, frozen=True, kw_only=True):
    """What a correction led to."""

    id: UUID
    visit: UUID
    version: int
    withdrawn_at: datetime | None


LOCK = f"""
select {ROW}, c.street as street_of_community from visit v
left join lateral (select street from community where district = v.district and code = v.community) c on true
where v.district = $1 and {{reached}} and v.id = {{visit}}
for update of v
"""

CORRECTED_BEFORE = "select thing, actor, request, version, facts from history where district = $1 and id = $2"

WRITE = f"""
update visit v set ({ROW}) = (select {ROW} from jsonb_populate_record(null::visit, $1))
where v.district = $2 and v.id = $3
"""


async def correct(
    conn: Connection, atlas: Atlas, reader: Reader, visit: UUID, draft: Correction, now: datetime
) -> Corrected:
    """Correct or withdraw a visit; the same draft again gets its first answer.

    A visit that is taken back takes along the issues that nobody has accepted yet. Raises NotFound, IdTaken,
    StaleVersion, AlreadyWithdrawn, NotAllowed, or Invalid with the field."""
    locked = await _lock(conn, reader, visit)
    before = await _corrected_before(conn, reader, visit, draft)
    if before:
        return before
    if locked is None:
        raise NotFound
    row, street = locked
    _refuse(reader, row, street, draft)
    changed, texts = await _apply(conn, atlas, row, draft, now)
    await conn.execute(WRITE, changed, row.district, row.id)
    await _tell(conn, reader, row, changed, draft, texts, now)
    if draft.withdraw:
        await issue_moves.withdraw(conn, reader, visit, draft.id, draft.reason, now)
    return Corrected(id=draft.id, visit=visit, version=changed.version, withdrawn_at=changed.withdrawn_at)


async def _lock(conn: Connection, reader: Reader, visit: UUID) -> tuple[VisitRow, str | None] | None:
    reached, parameter = within(await scopes.reach(conn, reader))
    found = await conn.fetchrow(LOCK.format(reached=reached, visit=parameter(visit)), *parameter.values)
    if found is None:
        return None
    columns = dict(found)
    street = columns.pop("street_of_community")
    columns["digest"] = history.bytea(columns["digest"])
    return VisitRow(**columns), street


async def _corrected_before(conn: Connection, reader: Reader, visit: UUID, draft: Correction) -> Corrected | None:
    """The first answer to this correction, which may have taken the visit out of the reader's reach."""
    first = await conn.fetchrow(CORRECTED_BEFORE, reader.district, draft.id)
    if first is None:
        return None
    if (first["thing"], first["actor"], first["request"]) != (visit, str(reader.member), request_digest(draft)):
        raise IdTaken("id")
    withdrawn_at = first["facts"].get("withdrawn_at")
    return Corrected(
        id=draft.id,
        visit=visit,
        version=first["version"],
        withdrawn_at=datetime.fromisoformat(withdrawn_at) if withdrawn_at else None,
    )


def _refuse(reader: Reader, row: VisitRow, street: str | None, draft: Correction) -> None:
    if row.withdrawn_at is not None:
        raise AlreadyWithdrawn("id", version=row.version)
    if draft.expected_version != row.version:
        raise StaleVersion("expected_version", version=row.version)
    if reader.member not in (row.member, row.entered_by) and not answers_for(reader, row.community, street):
        raise NotAllowed
    if not draft.reason.strip():
        raise TextUnusable("reason")
    if draft.premises is not None and not draft.premises.name.strip():
        raise TextUnusable("premises.name")
    nothing = Correction(id=draft.id, expected_version=draft.expected_version, reason=draft.reason)
    if draft == nothing:
        raise Missing("withdraw")


def answers_for(reader: Reader, community: str | None, street: str | None) -> bool:
    """Whether what is filed in a community of a street is looked after by this reader."""
    return any(
        grant.role == "administrator"
        or (grant.role == "community_worker" and grant.scope == community)
        or (grant.role == "dispatcher" and (grant.scope_kind == "district" or grant.scope == street))
        for grant in reader.grants
    )


async def _apply(
    conn: Connection, atlas: Atlas, row: VisitRow, draft: Correction, now: datetime
) -> tuple[VisitRow, Mapping[str, str | None] | None]:
    row = msgspec.structs.replace(row, version=row.version + 1, outcome=draft.outcome or row.outcome)
    if draft.withdraw:
        row = msgspec.structs.replace(row, withdrawn_at=now)
    row = await _apply_place(conn, atlas, row, draft, now)
    if draft.premises is None and draft.note is None and draft.answers is None:
        return row, None
    texts = await history.text(conn, row.district, row.id, row.text_version)
    if draft.premises is not None:
        row = msgspec.structs.replace(row, premises=draft.premises.id, premises_kind=draft.premises.kind)
        texts |= {"premises_name": draft.premises.name, "premises_address": draft.premises.address}
    if draft.note is not None:
        texts["note"] = draft.note
    if draft.answers is not None:
        named = {"questionnaire": draft.answers.questionnaire, "questionnaire_version": draft.answers.version}
        row = msgspec.structs.replace(row, **named)
        texts["answers"] = msgspec.json.encode(await _held(conn, row.district, draft.answers)).decode()
    return msgspec.structs.replace(row, text_version=row.text_version + 1), texts


ASKED = "select fields from questionnaire_version where district = $1 and questionnaire = $2 and version = $3"


async def _held(conn: Connection, district: int, answers: Answers) -> Answers:
    """Answers in the types of their questions, as when they are filed; where nobody knows those, as they came."""
    fields = await conn.fetchval(ASKED, district, answers.questionnaire, answers.version)
    if fields is None:
        return answers
    held = questionnaire_fields.hold(msgspec.convert(fields, list[Field]), answers.values)
    return msgspec.structs.replace(answers, values=held.values)


async def _apply_place(conn: Connection, atlas: Atlas, row: VisitRow, draft: Correction, now: datetime) -> VisitRow:
    if draft.position is None and draft.community is None and draft.place_settled is None:
        return row
    community = placing.named(draft.community)
    if community is not None and not await placing.community_exists(conn, row.district, community):
        raise UnknownCommunity("community", given=draft.community)
    placing.check(draft.position, "position")
    settled_at = placing.settled(draft.community, draft.place_settled, now)
    row = msgspec.structs.replace(row, place_settled_at=settled_at)
    if draft.position is None:
        return row if draft.community is None else msgspec.structs.replace(row, community=community)
    placed = placing.place(atlas, row.district, [ToPlace(draft.position, community, row.started_at)])[0]
    columns = msgspec.structs.asdict(placed)
    del columns["cell"]
    return msgspec.structs.replace(row, **columns)


async def _tell(
    conn: Connection,
    reader: Reader,
    row: VisitRow,
    changed: VisitRow,
    draft: Correction,
    texts: Mapping[str, str | None] | None,
    now: datetime,
) -> None:
    before, after = msgspec.structs.asdict(row), msgspec.structs.asdict(changed)
    facts: dict[str, object] = {name: value for name, value in after.items() if value != before[name]}
    reason, facts["reason_digest"] = text_row(row.district, draft.id, 1, {"reason": draft.reason}, now)
    written = [reason]
    if texts is not None:
        text, facts["text_digest"] = text_row(row.district, row.id, changed.text_version, texts, now)
        written.append(text)
    event = event_row(
        district=row.district,
        id=draft.id,
        kind="visit",
        thing=row.id,
        version=changed.version,
        event="withdraw" if draft.withdraw else "correct",
        actor=Actor("member", str(reader.member)),
        happened_at=now,
        recorded_at=now,
        facts=facts,
        request=request_digest(draft),
    )
    await history.append(conn, [event], written)
