"""Who answers for an issue, and how that goes from one to another: whoever shall take it on is asked first, and until
they have, it stays with whom it was and its clock runs on."""

from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Connection

from surveys.issues import joint_reviews, moves
from surveys.issues.moves import Making, Outcome
from surveys.people import people
from surveys.refusals import (
    AlreadyTheirs,
    MemberAway,
    NotForThisMove,
    UnknownDepartment,
    UnknownMember,
    UnsuitableMember,
)


async def assign(conn: Connection, making: Making) -> Outcome:
    """A member is asked to take it on; a department works on it at once, while the owner goes on answering for it."""
    to = making.draft.to or ""
    try:
        member = UUID(to)
    except ValueError:
        return await _to_department(conn, making, to)
    if making.draft.departments:
        raise NotForThisMove("departments", move="assign")
    row = making.row
    if member == row.owner and row.offered_to is not None:
        return Outcome(row=msgspec.structs.replace(row, offered_to=None))  # taken back
    if member in (row.owner, row.offered_to):
        raise AlreadyTheirs("to")
    await refuse_unable(conn, row.district, member, making.now)
    return Outcome(row=msgspec.structs.replace(row, offered_to=member))


async def refuse_unable(conn: Connection, district: int, member: UUID, now: datetime) -> None:
    """Raises UnknownMember, MemberAway or UnsuitableMember for somebody who could not take on an issue."""
    found = await people.able(conn, district, member, now)
    if found is None:
        raise UnknownMember("to", given=str(member))
    if found.away:
        raise MemberAway("to")
    if not found.reads:
        raise UnsuitableMember("to")


async def _to_department(conn: Connection, making: Making, code: str) -> Outcome:
    """On joint review others can be asked for their opinions in the same move."""
    if not await people.department_exists(conn, making.row.district, code):
        raise UnknownDepartment("to", given=code)
    row = moves.worked_on_by(making.row, code)
    if not making.draft.departments:
        return Outcome(row=row)
    if row.channel != "joint_review":
        raise NotForThisMove("departments", move="assign")
    row, facts = await joint_reviews.ask(conn, row, making.draft.departments, making.now)
    return Outcome(row=row, facts=facts)


def accept(making: Making) -> Outcome:
    """Whoever accepts answers for it from now on."""
    return Outcome(row=moves.taken_over(making.row, making.reader.member))


def decline(making: Making) -> Outcome:
    """Who was asked says no; it stays with whom it was."""
    return Outcome(row=msgspec.structs.replace(making.row, offered_to=None))
