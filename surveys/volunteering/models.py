"""Models (先进典型): whom others may take as an example. A team, a volunteer whose name is public, a member or an
organisation, with a text and a month; proposed by one person, approved by an administrator who is another, and on the
public board until taken off."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection, Record
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, Row, event_row, request_digest, text_row
from surveys.people.people import Reader
from surveys.refusals import (
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    StaleVersion,
    TextUnusable,
    TimeInFuture,
)
from surveys.volunteering import points_rules, repeats, standing, volunteers

Subject = Literal["team", "volunteer", "member", "organisation"]
State = Literal["proposed", "approved", "declined", "taken_off"]
Decision = Literal["approve", "decline", "take_off"]

LEADS: Mapping[Decision, tuple[State, State]] = {
    "approve": ("proposed", "approved"),
    "decline": ("proposed", "declined"),
    "take_off": ("approved", "taken_off"),
}
LONGEST = 2_000  # characters of a text
SHOWN = 24  # on the public board


class UnknownModel(Invalid):
    """No such team, volunteer, member or organisation, or one that is there no more."""

    code: ClassVar[str] = "unknown_model"


class NameNotPublic(Conflict):
    """A volunteer who does not want their name in public is no public example."""

    code: ClassVar[str] = "name_not_public"


class ProposedItYourself(NotAllowed):
    """Who proposes a model does not approve it."""

    code: ClassVar[str] = "proposed_it_yourself"


class DecidedAlready(Conflict):
    """Somebody decided before; `facts` hold the present state."""

    code: ClassVar[str] = "model_decided"


class ModelDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom somebody proposes, for what they did in a month, written as 2026-11."""

    id: UUID
    month: Annotated[str, Meta(max_length=10)]
    subject: Subject
    who: UUID
    text: Annotated[str, Meta(min_length=1, max_length=LONGEST)]


class ModelDecision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an administrator decides about one."""

    id: UUID
    decision: Decision
    expected_version: int


class Model(Struct, frozen=True, kw_only=True):
    """A model as it is shown to those who look after them."""

    id: UUID
    version: int
    state: State
    month: date
    subject: Subject
    who: UUID
    name: str
    text: str
    proposed_at: datetime
    proposed_by: str
    own: bool  # proposed by the reader
    decided_at: datetime | None
    decided_by: str | None


class PublicModel(Struct, frozen=True, kw_only=True):
    """A model as the public board shows it."""

    id: UUID
    month: date
    subject: Subject
    name: str
    text: str


# --- reading

MODELS = """
select m.id, m.version, m.state, m.month, m.proposed_at, m.decided_at, p.name as proposed_by, d.name as decided_by,
  m.proposed_by as proposer, coalesce(m.team, m.volunteer, m.member, m.organisation) as who,
  case when m.team is not null then 'team' when m.volunteer is not null then 'volunteer'
       when m.member is not null then 'member' else 'organisation' end as subject,
  coalesce(tt.body->>'name', mm.name, o.name, '') as name, coalesce(t.body->>'text', '') as text
from model m
join member p on p.district = m.district and p.id = m.proposed_by
left join member d on d.district = m.district and d.id = m.decided_by
left join member mm on mm.district = m.district and mm.id = m.member
left join organisation o on o.district = m.district and o.id = m.organisation
left join volunteer_team v on v.district = m.district and v.id = m.team
left join text_version tt on tt.district = m.district and tt.subject = v.id and tt.version = v.text_version
left join text_version t on t.district = m.district and t.subject = m.id and t.version = m.text_version
where m.district = $1
"""
LOOKED_AFTER = f"{MODELS} order by m.state <> 'proposed', m.month desc, m.proposed_at desc, m.id limit 200"
# A volunteer who took back that their name is public is off the board at once.
ON_BOARD = f"""
{MODELS} and m.state = 'approved'
  and (m.volunteer is null or exists (select from volunteer w where w.district = m.district and w.id = m.volunteer
                                        and w.name_public_since is not null))
order by m.month desc, m.id desc limit $2
"""


async def looked_after(conn: Connection, reader: Reader) -> list[Model]:
    """All that were proposed, those that wait first. Raises NotAllowed for who may neither propose nor decide."""
    await refuse_who_cannot_propose(conn, reader)
    found = await conn.fetch(LOOKED_AFTER, reader.district)
    names = await _names(conn, reader.district, found)
    return [
        Model(
            id=row["id"],
            version=row["version"],
            state=row["state"],
            month=row["month"],
            subject=row["subject"],
            who=row["who"],
            name=names.get(row["who"], row["name"]),
            text=row["text"],
            proposed_at=row["proposed_at"],
            proposed_by=row["proposed_by"],
            own=row["proposer"] == reader.member,
            decided_at=row["decided_at"],
            decided_by=row["decided_by"],
        )
        for row in found
    ]


async def public(conn: Connection, district: int, limit: int = SHOWN) -> list[PublicModel]:
    """Those on the public board, the newest months first."""
    found = await conn.fetch(ON_BOARD, district, limit)
    names = await _names(conn, district, found)
    return [
        PublicModel(
            id=row["id"],
            month=row["month"],
            subject=row["subject"],
            name=names.get(row["who"], row["name"]),
            text=row["text"],
        )
        for row in found
    ]


async def _names(conn: Connection, district: int, found: list[Record]) -> dict[UUID, str]:
    who = [row["who"] for row in found if row["subject"] == "volunteer"]
    return await volunteers.named(conn, district, who, public=True) if who else {}


# --- proposing and deciding

PROPOSERS = ("administrator", "organiser", "community_worker")
# Who there is to be proposed; of a volunteer, whether their name is public.
THERE: Mapping[Subject, str] = {
    "team": "select true from volunteer_team where district = $1 and id = $2 and closed_at is null",
    "volunteer": "select name_public_since is not null from volunteer where district = $1 and id = $2"
    " and ended_at is null",
    "member": "select true from member where district = $1 and id = $2 and closed_at is null",
    "organisation": "select true from organisation where district = $1 and id = $2 and closed_at is null",
}
PROPOSE = """
insert into model (district, id, version, state, month, team, volunteer, member, organisation, text_version,
  proposed_at, proposed_by, recorded_at)
values ($1, $2, 1, 'proposed', $3, $4, $5, $6, $7, 1, $8, $9, $8)
"""
HELD = "select version, state, proposed_by, volunteer from model where district = $1 and id = $2 for no key update"
DECIDE = """
update model set version = $3, state = $4, recorded_at = $5,
  decided_at = case when $4 = 'taken_off' then decided_at else $5 end,
  decided_by = case when $4 = 'taken_off' then decided_by else $6 end
where district = $1 and id = $2
"""


async def refuse_who_cannot_propose(conn: Connection, reader: Reader) -> None:
    """Raises NotAllowed for who may neither propose nor decide."""
    if reader.roles().intersection(PROPOSERS):
        return
    own = await standing.of_reader(conn, reader)
    if own.volunteer is None or not await conn.fetchval(LEADS_A_TEAM, reader.district, own.volunteer):
        raise NotAllowed


LEADS_A_TEAM = "select exists (select from volunteer_team where district = $1 and leader = $2 and closed_at is null)"


async def propose(conn: Connection, reader: Reader, draft: ModelDraft, zone: ZoneInfo, now: datetime) -> int:
    """Propose somebody; the same draft again gets its first answer, the model's version.

    Organisers, community workers, administrators and leaders of teams may. Raises NotAllowed, UnknownModel,
    NameNotPublic, TextUnusable, TimeInFuture or IdTaken."""
    await refuse_who_cannot_propose(conn, reader)
    month, actor = points_rules.month(draft.month), _actor(reader)
    if await repeats.asked_before(conn, reader.district, draft.id, draft, actor, draft.id):
        return 1
    if month > now.astimezone(zone).date():
        raise TimeInFuture("month")
    text = draft.text.strip()
    if not text or "\x00" in text:
        raise TextUnusable("text")
    there = await conn.fetchval(THERE[draft.subject], reader.district, draft.who)
    if there is None:
        raise UnknownModel("who")
    if not there:
        raise NameNotPublic("who")
    who = [draft.who if draft.subject == one else None for one in ("team", "volunteer", "member", "organisation")]
    await conn.execute(PROPOSE, reader.district, draft.id, month, *who, now, reader.member)
    row, text_digest = text_row(reader.district, draft.id, 1, {"text": text}, now)
    facts = {"month": f"{month:%Y-%m}", draft.subject: draft.who, "text_version": 1, "text_digest": text_digest}
    event = _event(reader, draft.id, draft, draft.id, 1, "propose_model", facts, now)
    await history.append(conn, [event], [row])
    return 1


async def decide(conn: Connection, reader: Reader, model: UUID, asked: ModelDecision, now: datetime) -> int:
    """Approve, decline or take off; the same again gets its first answer, the model's version.

    Raises NotAllowed, NotFound, StaleVersion, DecidedAlready, ProposedItYourself, NameNotPublic or IdTaken."""
    reader.require("administrator")
    row = await conn.fetchrow(HELD, reader.district, model)
    if row is None:
        raise NotFound
    if first := await repeats.asked_before(conn, reader.district, asked.id, asked, _actor(reader), model):
        return int(first["version"])
    before, after = LEADS[asked.decision]
    if row["state"] != before:
        raise DecidedAlready("decision", state=row["state"], version=row["version"])
    if row["version"] != asked.expected_version:
        raise StaleVersion("expected_version", state=row["state"], version=row["version"])
    if asked.decision == "approve":
        await _refuse_unfit(conn, reader, row)
    version: int = row["version"] + 1
    await conn.execute(DECIDE, reader.district, model, version, after, now, reader.member)
    event = _event(reader, asked.id, asked, model, version, f"{asked.decision}_model", {"state": after}, now)
    await history.append(conn, [event], [])
    return version


async def _refuse_unfit(conn: Connection, reader: Reader, row: Record) -> None:
    if row["proposed_by"] == reader.member:
        raise ProposedItYourself
    if row["volunteer"] and not await conn.fetchval(THERE["volunteer"], reader.district, row["volunteer"]):
        raise NameNotPublic("who")


def _actor(reader: Reader) -> Actor:
    return Actor("member", str(reader.member))


def _event(
    reader: Reader,
    id_: UUID,
    asked: ModelDraft | ModelDecision,
    model: UUID,
    version: int,
    event: str,
    facts: Mapping[str, object],
    now: datetime,
) -> Row:
    return event_row(
        district=reader.district,
        id=id_,
        kind="points",
        thing=model,
        version=version,
        event=event,
        actor=_actor(reader),
        happened_at=now,
        recorded_at=now,
        facts=facts,
        request=request_digest(asked),
    )
