"""Going back to ask who came to a service whether it was what they needed: the same states, days and answers as for
issues ([return_visits.md](../return_visits.md)), but that nothing is opened again.

Each booking that came is asked about once, when the service's report is confirmed: through the card, on a visit or by
telephone. What is said last counts; what was said before stays, so that any past day can be asked for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.contact_cards.card_doors import CardDoor
from surveys.history import Actor, Row, event_row, request_digest, text_row
from surveys.issues.issues import event_id
from surveys.people.people import Reader
from surveys.refusals import (
    AlreadyAnswered,
    AnswerTooLate,
    HandledItYourself,
    Missing,
    NotAllowed,
    NotFound,
    NotInvited,
    UnknownVisit,
    VisitUnfit,
)
from surveys.return_visits import return_visits
from surveys.return_visits.return_visit_answers import ASKING, EXPLAINED, Answer, AnswerHeard
from surveys.return_visits.return_visits import LAPSING, LATER, Via, VisitState
from surveys.volunteering import service_rows
from surveys.volunteering.service_rows import ServiceRow


class ServiceReturnVisit(Struct, frozen=True, kw_only=True):
    """A row of `service_return_visit`; `solved` is whether it was what they needed."""

    district: int
    id: UUID
    service: UUID
    booking: UUID
    state: VisitState
    invited_at: datetime
    closes_at: datetime
    ended_at: datetime | None = None
    answered_at: datetime | None = None
    event: UUID | None = None
    via: Via | None = None
    member: UUID | None = None
    visit: UUID | None = None
    solved: bool | None = None
    satisfaction: int | None = None


COLUMNS = ", ".join(ServiceReturnVisit.__struct_fields__)
WRITE = f"""
insert into service_return_visit ({COLUMNS})
select {COLUMNS} from json_populate_recordset(null::service_return_visit, $1)
on conflict (district, booking) do update
set ({COLUMNS}) = ({", ".join(f"excluded.{name}" for name in ServiceReturnVisit.__struct_fields__)})
"""


# --- inviting, and silence

WHO_CAME = """
select id from booking where district = $1 and service = $2 and state = 'came' and num_nonnulls(card, premises) > 0
order by number
"""


async def invite(conn: Connection, row: ServiceRow, now: datetime) -> int:
    """Ask all who came to a service and can be asked, for as many days as residents are asked about issues; how many
    that are."""
    closes_at = now + timedelta(days=await return_visits.days(conn, row.district))
    visits = [
        ServiceReturnVisit(
            district=row.district,
            id=event_id(found["id"], "return visit"),
            service=row.id,
            booking=found["id"],
            state="invited",
            invited_at=now,
            closes_at=closes_at,
        )
        for found in await conn.fetch(WHO_CAME, row.district, row.id)
    ]
    await conn.execute(WRITE, visits)
    await history.append(conn, [_event(visit, 1, "invite", return_visits.INVITING, now, {}) for visit in visits], [])
    return len(visits)


SILENT = f"""
select {COLUMNS} from service_return_visit
where district = $1 and state = 'invited' and closes_at <= $2 order by closes_at, id limit $3 for update skip locked
"""


async def lapse_due(conn: Connection, district: int, now: datetime) -> int:
    """Ask no longer where nobody has said anything in time, a bounded part of it; returns how much that was."""
    silent = [ServiceReturnVisit(**row) for row in await conn.fetch(SILENT, district, now, return_visits.AT_ONCE)]
    lapsed = [msgspec.structs.replace(visit, state="lapsed", ended_at=now) for visit in silent]
    await conn.execute(WRITE, lapsed)
    await history.append(conn, [_event(visit, 2, "lapse", LAPSING, now, {}) for visit in lapsed], [])
    return len(lapsed)


# --- answering


class ServiceAnswered(Struct, frozen=True, kw_only=True):
    """What was kept of an answer."""

    id: UUID
    service: UUID
    booking: UUID
    solved: bool
    satisfaction: int


class _Telling(Struct, frozen=True):
    """Who tells what somebody said of a service, and how they know."""

    actor: Actor
    via: Via
    reader: Reader | None = None
    visit: UUID | None = None


async def answer_by_card(
    conn: Connection, door: CardDoor, booking: UUID, answer: Answer, now: datetime
) -> ServiceAnswered:
    """What a resident says through their card; the same answer again gets its first result. They may think better of
    it for a while. Raises NotFound, IdTaken, NotInvited, AnswerTooLate or Missing."""
    visit = await _asked(conn, door.district, booking)
    if visit is None or not door.usable or not await _is_of(conn, door, booking):
        raise NotFound
    return await _answer(conn, visit, answer, _Telling(Actor("resident", door.number), "card"), now)


async def answer_by_member(
    conn: Connection, reader: Reader, booking: UUID, answer: AnswerHeard, now: datetime
) -> ServiceAnswered:
    """What a member heard at a door or by telephone; who announced, served or reported does not answer for others.
    Raises NotFound, NotAllowed, IdTaken, NotInvited, AlreadyAnswered, AnswerTooLate, HandledItYourself, UnknownVisit,
    VisitUnfit or Missing."""
    if not reader.roles() & ASKING:
        raise NotAllowed
    visit = await _asked(conn, reader.district, booking)
    if visit is None:
        raise NotFound
    telling = _Telling(Actor("member", str(reader.member)), answer.via, reader, answer.visit)
    return await _answer(conn, visit, answer, telling, now)


OF_BOOKING = f"select {COLUMNS} from service_return_visit where district = $1 and booking = $2 for no key update"
IS_OF = "select exists (select from booking where district = $1 and id = $2 and (card = $3 or premises = $4))"
BOOKING_EXISTS = "select exists (select from booking where district = $1 and id = $2)"


async def _asked(conn: Connection, district: int, booking: UUID) -> ServiceReturnVisit | None:
    """The return visit of a booking, until the transaction ends; None for a booking that there is not. Raises
    NotInvited where nobody is asked about it."""
    found = await conn.fetchrow(OF_BOOKING, district, booking)
    if found is None:
        if await conn.fetchval(BOOKING_EXISTS, district, booking):
            raise NotInvited
        return None
    return ServiceReturnVisit(**found)


async def _is_of(conn: Connection, door: CardDoor, booking: UUID) -> bool:
    found: bool = await conn.fetchval(IS_OF, door.district, booking, door.number, door.premises)
    return found


async def _answer(
    conn: Connection, visit: ServiceReturnVisit, answer: Answer, telling: _Telling, now: datetime
) -> ServiceAnswered:
    request = request_digest(answer)
    answered = ServiceAnswered(
        id=answer.id,
        service=visit.service,
        booking=visit.booking,
        solved=answer.solved,
        satisfaction=answer.satisfaction,
    )
    if await service_rows.told_before(conn, visit.district, answer.id, visit.id, telling.actor, request):
        return answered
    _refuse_closed(visit, telling.via, now)
    if telling.reader is not None:
        await _refuse_unfit(conn, visit, telling.reader, telling.visit)
    if not (answer.reason and answer.reason.strip()) and (not answer.solved or answer.satisfaction < EXPLAINED):
        raise Missing("reason")
    await _tell(conn, visit, answer, telling, request, now)
    return answered


def _refuse_closed(visit: ServiceReturnVisit, via: Via, now: datetime) -> None:
    present: dict[str, Any] = {"state": visit.state}
    if visit.state == "void":
        raise NotInvited(**present)
    if visit.state == "answered" and via != "card":
        raise AlreadyAnswered(**present, solved=visit.solved, satisfaction=visit.satisfaction)
    if visit.state != "invited" and now > visit.invited_at + LATER:
        raise AnswerTooLate(**present)


SERVED_THERE = """
select exists (select from service s where s.district = $1 and s.id = $2
    and $3 in (s.announced_by, s.reported_by, s.confirmed_by))
  or exists (select from service_volunteer v join volunteer p on p.district = v.district and p.id = v.volunteer
    where v.district = $1 and v.service = $2 and p.member = $3 and v.state = 'served')
"""
ON_VISIT = """
select v.premises, v.outcome, v.ended_at, b.premises as door, b.card, s.ends_at as over_at,
  exists (select from card_binding c where c.district = v.district and c.visit = v.id and c.card = b.card) as by_card
from visit v, booking b join service s on s.district = b.district and s.id = b.service
where v.district = $1 and v.id = $2 and (v.member = $3 or v.companions @> array[$3]) and v.withdrawn_at is null
  and b.district = $1 and b.id = $4
"""


async def _refuse_unfit(conn: Connection, visit: ServiceReturnVisit, reader: Reader, on: UUID | None) -> None:
    if await conn.fetchval(SERVED_THERE, visit.district, visit.service, reader.member):
        raise HandledItYourself
    if on is None:
        return
    found = await conn.fetchrow(ON_VISIT, visit.district, on, reader.member, visit.booking)
    if found is None:
        raise UnknownVisit("visit", given=str(on))
    another = None not in (found["premises"], found["door"]) and found["premises"] != found["door"]
    if another or found["outcome"] != "met" or found["ended_at"] < found["over_at"]:
        raise VisitUnfit("visit", given=str(on))


KEEP = """
insert into service_answer (district, id, return_visit, service, answered_at, solved, satisfaction, recorded_at)
values ($1, $2, $3, $4, $5, $6, $7, $5)
"""
VERSION = "select coalesce(max(version), 0) from history where district = $1 and thing = $2"


async def _tell(
    conn: Connection, visit: ServiceReturnVisit, answer: Answer, telling: _Telling, request: bytes, now: datetime
) -> None:
    """Write an answer, beside those that were given before."""
    version: int = await conn.fetchval(VERSION, visit.district, visit.id)
    facts: Row = {"via": telling.via, "solved": answer.solved, "satisfaction": answer.satisfaction}
    texts = []
    if answer.reason:
        text, digest = text_row(visit.district, answer.id, 1, {"reason": answer.reason}, now)
        texts.append(text)
        facts["reason_digest"] = digest
    if telling.visit is not None:
        facts["on_visit"] = telling.visit
    changed = msgspec.structs.replace(
        visit,
        state="answered",
        ended_at=visit.ended_at or now,
        answered_at=now,
        event=answer.id,
        via=telling.via,
        member=telling.reader.member if telling.reader else None,
        visit=telling.visit,
        solved=answer.solved,
        satisfaction=answer.satisfaction,
    )
    await conn.execute(WRITE, [changed])
    kept = (answer.id, visit.id, visit.service, now, answer.solved, answer.satisfaction)
    await conn.execute(KEEP, visit.district, *kept)
    event = _event(visit, version + 1, "answer", telling.actor, now, facts, id_=answer.id, request=request)
    await history.append(conn, [event], texts)


def _event(
    visit: ServiceReturnVisit,
    version: int,
    event: str,
    actor: Actor,
    now: datetime,
    facts: Row,
    *,
    id_: UUID | None = None,
    request: bytes | None = None,
) -> Row:
    return event_row(
        district=visit.district,
        id=id_ or event_id(visit.id, f"{event} {version}"),
        kind="service",
        thing=visit.id,
        version=version,
        event=event,
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts={"service": visit.service, "booking": visit.booking} | facts,
        request=request,
    )


# --- what was said

SATISFACTION = """
select last.service, count(*)::int as answers, count(*) filter (where last.solved)::int as solved,
       sum(last.satisfaction)::int as points, count(*) filter (where last.satisfaction >= 4)::int as satisfied
from (
  select distinct on (a.return_visit) a.service, a.solved, a.satisfaction from service_answer a
  where a.district = $1 and a.service = any($2) and a.recorded_at <= $3
  order by a.return_visit, a.recorded_at desc, a.id desc
) last group by last.service
"""


class Satisfaction(Struct, frozen=True, kw_only=True):
    """What those who came said of a service by then: of so many answers, how many say that it was what they needed,
    how many give four or five, and the sum of what they give."""

    answers: int
    solved: int
    points: int
    satisfied: int

    @property
    def mean(self) -> float:
        """One to five."""
        return self.points / self.answers


async def satisfaction(
    conn: Connection, district: int, services: Sequence[UUID], known_at: datetime
) -> dict[UUID, Satisfaction]:
    """What was said of each of these services by then; of those of which nobody said anything nothing is there."""
    rows = await conn.fetch(SATISFACTION, district, list(services), known_at)
    return {row["service"]: Satisfaction(**{k: v for k, v in row.items() if k != "service"}) for row in rows}
