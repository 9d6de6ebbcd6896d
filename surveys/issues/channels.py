"""By which channel an issue is handled: category and urgency propose it, a person changes it with a reason; and the
leader who follows what is on the green channel."""

from uuid import UUID

import msgspec
from asyncpg import Connection

from surveys.issues import appointments, joint_reviews, moves
from surveys.issues.issues import IssueRow
from surveys.issues.moves import Making, Outcome
from surveys.issues.workflow import Field
from surveys.people import people
from surveys.refusals import (
    AlreadyTheirs,
    Missing,
    NotAllowed,
    NotForThisMove,
    NothingChanges,
    UnknownDepartment,
    UnknownMember,
    UnsuitableMember,
)


async def change(conn: Connection, making: Making) -> Outcome:
    """Another channel; what belonged to the one before ends with it. Raises NothingChanges, NotForThisMove, and what
    the new channel raises."""
    row, draft = making.row, making.draft
    if draft.channel is None or draft.channel == row.channel:
        raise NothingChanges("channel")
    row = msgspec.structs.replace(row, channel=draft.channel, consulted=None, agent=None, appointment_at=None)
    match draft.channel:
        case "joint_review":
            _refuse(making, "at")
            return await _review(conn, making, row)
        case "green_channel":
            _refuse(making, "at", "departments")
            if draft.to is None and row.leader is None:
                raise Missing("to", move="change_channel")
            return Outcome(row=row if draft.to is None else await _followed(conn, making, row, draft.to))
        case "agent":
            _refuse(making, "departments")
            if draft.to is None and draft.at is None:
                return Outcome(row=row)
            return Outcome(row=await appointments.appointed(conn, making, row))
        case _:
            _refuse(making, "to", "at", "departments")
            return Outcome(row=row)


def _refuse(making: Making, *fields: Field) -> None:
    for field in fields:
        if getattr(making.draft, field):
            raise NotForThisMove(field, move=making.draft.move)


async def _review(conn: Connection, making: Making, row: IssueRow) -> Outcome:
    """The department that leads may be named with it; the others may be asked later."""
    draft = making.draft
    if draft.to is not None:
        if not await people.department_exists(conn, row.district, draft.to):
            raise UnknownDepartment("to", given=draft.to)
        row = moves.worked_on_by(row, draft.to)
    if not draft.departments:
        return Outcome(row=row)
    row, facts = await joint_reviews.ask(conn, row, draft.departments, making.now)
    return Outcome(row=row, facts=facts)


async def follow(conn: Connection, making: Making) -> Outcome:
    """A leader follows it from now on, and sees every move. Raises NotAllowed for a leader who names another."""
    row, to = making.row, making.draft.to or ""
    if not making.stands & {"dispatcher", "administrator"} and to != str(making.reader.member):
        raise NotAllowed("to", move="follow")
    return Outcome(row=await _followed(conn, making, row, to))


async def _followed(conn: Connection, making: Making, row: IssueRow, to: str) -> IssueRow:
    """Raises UnknownMember, UnsuitableMember for who is no leader there, AlreadyTheirs."""
    try:
        member = UUID(to)
    except ValueError:
        raise UnknownMember("to", given=to) from None
    if member == row.leader:
        raise AlreadyTheirs("to")
    if member not in await people.open_members(conn, row.district, [member]):
        raise UnknownMember("to", given=to)
    if not await _leads(conn, row.district, member, making.street):
        raise UnsuitableMember("to")
    return msgspec.structs.replace(row, leader=member)


LEADS = """
select exists (select from member_role where district = $1 and member = $2 and role = 'leader'
  and (scope_kind = 'district' or scope = $3))
"""


async def _leads(conn: Connection, district: int, member: UUID, street: str | None) -> bool:
    leads: bool = await conn.fetchval(LEADS, district, member, street)
    return leads
