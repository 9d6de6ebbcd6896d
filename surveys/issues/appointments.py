"""Agent and door service: a named person goes there at a time agreed, and shows afterwards that they were."""

from uuid import UUID

import msgspec
from asyncpg import Connection

from surveys.issues import offers
from surveys.issues.issues import IssueRow
from surveys.issues.moves import Making, Outcome
from surveys.refusals import Missing, TimeInPast, UnknownMember


async def appoint(conn: Connection, making: Making) -> Outcome:
    """Who goes to the door, and when; appointing again puts another person or another time in its place."""
    return Outcome(row=await appointed(conn, making, making.row))


async def appointed(conn: Connection, making: Making, row: IssueRow) -> IssueRow:
    """Raises Missing, UnknownMember, MemberAway, UnsuitableMember, TimeInPast."""
    to, at = making.draft.to, making.draft.at
    if to is None or at is None:
        raise Missing("to" if to is None else "at", move=making.draft.move)
    try:
        member = UUID(to)
    except ValueError:
        raise UnknownMember("to", given=to) from None
    if at <= making.now:
        raise TimeInPast("at")
    if member != row.owner:
        await offers.refuse_unable(conn, row.district, member, making.now)
    return msgspec.structs.replace(row, agent=member, appointment_at=at)
