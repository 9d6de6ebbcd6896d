"""What a submission names, looked up: a questionnaire's questions, a door, a card, and the visit that an edit in ODK
Collect puts right."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.collect.submissions import found_door
from surveys.contact_cards import contact_cards
from surveys.issues.placing import Atlas
from surveys.people.people import Reader
from surveys.questionnaires.questionnaire_fields import Field
from surveys.refusals import Conflict, NotFound
from surveys.visits import visit_corrections
from surveys.visits.visit_corrections import Corrected, Correction
from surveys.visits.visit_drafts import VisitDraft

REASON = "在 ODK Collect 中修改 / Edited in ODK Collect"


class EditsProblems(Conflict):
    """An edit with other problems than were filed: those have been somebody's work since."""

    code: ClassVar[str] = "edits_problems"


QUESTIONS = "select fields from questionnaire_version where district = $1 and questionnaire = $2 and version = $3"


async def questions(conn: Connection, district: int, questionnaire: str, version: str) -> tuple[Field, ...] | None:
    """The questions of a questionnaire's version; None for one that was never published here."""
    fields = await conn.fetchval(QUESTIONS, district, questionnaire, version)
    return None if fields is None else tuple(msgspec.convert(fields, list[Field]))


DOOR = """
select p.kind, t.body->>'name' as name, coalesce(t.body->>'address', '') as address
from premises p
join text_version t on t.district = p.district and t.subject = p.id and t.version = p.text_version
where p.district = $1 and p.id = $2 and t.body->>'name' is not null
"""


async def door(conn: Connection, district: int, premises: UUID) -> Mapping[str, str] | None:
    """A door as the register describes it; None for one that it does not have."""
    row = await conn.fetchrow(DOOR, district, premises)
    return dict(row) if row else None


CARD = "select number from contact_card where district = $1 and digest = $2"


async def card_number(conn: Connection, district: int, scanned: str) -> str:
    """The number of a card whose QR code was scanned: it stands there or, on the oldest cards, is looked up by the
    secret; of what is no card's, what cannot be a number."""
    token, _, number = scanned.rpartition("#")[2].partition(".")[2].partition(".")
    if number:
        return number
    digest = contact_cards.token_digest(district, token)
    found: str | None = await conn.fetchval(CARD, district, digest)
    return found or f"QR {digest.hex()[:8]}"


class Original(Struct, frozen=True, kw_only=True):
    """The visit that an edit puts right, as it stands, or as it stood when this edit came for the first time."""

    visit: UUID
    premises: UUID | None
    version: int
    problems: list[dict[str, Any] | None]  # their texts as they were filed, in order; None where they were forgotten


# An edit names the instance that was filed, or the last edit of it.
ORIGINAL = """
select v.id as visit, v.premises,
  coalesce((select h.version - 1 from history h where h.district = $1 and h.id = $3 and h.thing = v.id), v.version)
    as version,
  array(select t.body from issue i
        left join text_version t on t.district = i.district and t.subject = i.id and t.version = 1
        where i.district = $1 and i.visit = v.id order by i.number) as problems
from visit v
where v.district = $1 and v.via = 'collect' and v.id in (
  select $2::uuid
  union all
  select h.thing from history h where h.district = $1 and h.id = $2 and h.kind = 'visit' and h.event = 'correct')
"""


async def original(conn: Connection, district: int, edits: UUID, by: UUID) -> Original:
    """The visit that this instance, or an edit of it, told of. Raises NotFound."""
    row = await conn.fetchrow(ORIGINAL, district, edits, by)
    if row is None:
        raise NotFound("meta/deprecatedID")
    return Original(**dict(row))


async def correct(
    conn: Connection, atlas: Atlas, reader: Reader, found: Original, by: UUID, draft: VisitDraft, now: datetime
) -> Corrected:
    """Put a visit right as an edit tells it. Raises EditsProblems, and what a correction raises."""
    _refuse_other_problems(found, draft)
    door_ = draft.premises
    if door_.id == found_door(found.visit) and door_.id != found.premises:
        door_ = msgspec.structs.replace(door_, id=None)  # described now, and not known to the register
    correction = Correction(
        id=by,
        expected_version=found.version,
        reason=REASON,
        premises=door_,
        outcome=draft.outcome,
        note=draft.note or "",
        position=draft.position,
        answers=draft.answers,
    )
    return await visit_corrections.correct(conn, atlas, reader, found.visit, correction, now)


def _refuse_other_problems(found: Original, draft: VisitDraft) -> None:
    """A problem is put right where it is worked on: what an edit would change of it is not dropped in silence."""
    same = len(found.problems) == len(draft.issues) and all(
        texts is None or (texts["title"], texts.get("description")) == (issue.title, issue.description)
        for texts, issue in zip(found.problems, draft.issues, strict=True)
    )
    if not same:
        raise EditsProblems("issue")
