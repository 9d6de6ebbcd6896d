"""Voting: with a slip, by whoever holds it, or as a member on the roll. What was chosen is said to nobody again, and
nothing of a single vote is written into the history."""

from datetime import datetime
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.assessments import ballot_boxes, ballot_slips, ballots
from surveys.assessments.ballot_slips import Slip
from surveys.assessments.ballot_terms import (
    AlreadyVoted,
    BallotClosed,
    BallotNotOpen,
    Code,
    NotOnRoll,
    SlipOfAnotherBallot,
    SlipUsed,
    SlipVote,
    Vote,
    WrongWayOfVoting,
)
from surveys.assessments.ballots import BallotRow
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotFound


class Form(Struct, frozen=True, kw_only=True):
    """What a voter is asked: each candidate by name, and what can be said of each, by places from 1."""

    ballot: UUID
    title: str
    district: str
    closes_at: datetime
    group: str
    candidates: list[str]
    options: list[str]


class Voted(Struct, frozen=True):
    """That a vote is in the box, and of which ballot."""

    ballot: UUID


def _refuse_unless_open(ballot: BallotRow, now: datetime) -> None:
    state = ballot.state(now)
    if state == "coming":
        raise BallotNotOpen(None, opens_at=ballot.opens_at.isoformat())
    if state != "open":
        raise BallotClosed


# --- with a slip

USED = """
select get_bit(used, $4) = 1 from ballot_turnout where district = $1 and ballot = $2 and code = $3
"""


async def form_of_slip(conn: Connection, code: str, now: datetime) -> Form:
    """The form of a slip's ballot. Raises SlipUnknown, SlipUsed, BallotNotOpen or BallotClosed."""
    slip = await ballot_slips.find(conn, code)
    ballot = await ballots.row_of(conn, slip.district, slip.ballot)
    _refuse_unless_open(ballot, now)
    if await conn.fetchval(USED, slip.district, slip.ballot, slip.code, slip.place):
        raise SlipUsed("code")
    return await _form(conn, ballot, slip.code)


async def vote_with_slip(conn: Connection, ring: KeyRing, vote: SlipVote, now: datetime) -> Voted:
    """Cast a vote with a slip, which is used from then on.

    Raises SlipUnknown, SlipOfAnotherBallot, SlipUsed, BallotNotOpen, BallotClosed, ChoicesDoNotFit, UnknownOption."""
    slip = await ballot_slips.find(conn, vote.code)
    if slip.ballot != vote.ballot:
        raise SlipOfAnotherBallot("code")
    ballot = await _held_open(conn, slip, now)
    options = await ballots.count_options(conn, slip.district, slip.ballot)
    await ballot_boxes.mark_slip(conn, slip.district, slip.ballot, slip.code, slip.place)
    await ballot_boxes.drop_in(conn, ring, slip.district, slip.ballot, slip.code, vote.choices, options)
    return Voted(ballot.id)


async def _held_open(conn: Connection, slip: Slip, now: datetime) -> BallotRow:
    """The ballot, which nobody closes until the transaction ends."""
    ballot = await ballots.row_of(conn, slip.district, slip.ballot, hold="for share")
    _refuse_unless_open(ballot, now)
    return ballot


# --- as a member on the roll

ENROLLED = """
select v.code, v.place, g.way, get_bit(t.marks, v.place) = 1 as marked
from ballot_voter v
join ballot_group g on g.district = $1 and g.ballot = v.ballot and g.code = v.code
join ballot_turnout t on t.district = $1 and t.ballot = v.ballot and t.code = v.code
where v.district = $1 and v.ballot = $2 and v.member = $3
"""


class Enrolled(Struct, frozen=True):
    """In which group a member votes, and whether they have."""

    code: Code
    place: int
    way: str
    marked: bool


async def enrolled(conn: Connection, reader: Reader, ballot: UUID) -> Enrolled | None:
    """Whether a member is on the roll of a ballot."""
    row = await conn.fetchrow(ENROLLED, reader.district, ballot, reader.member)
    return Enrolled(**row) if row else None


async def form_of_member(conn: Connection, reader: Reader, ballot: UUID, now: datetime) -> Form:
    """The form for a member on the roll. Raises NotFound for who is not on it, WrongWayOfVoting for who votes by slip,
    AlreadyVoted, BallotNotOpen or BallotClosed."""
    voter = await _to_vote(conn, reader, ballot)
    row = await ballots.row_of(conn, reader.district, ballot)
    _refuse_unless_open(row, now)
    if voter.marked:
        raise AlreadyVoted
    return await _form(conn, row, voter.code)


async def vote_as_member(
    conn: Connection, ring: KeyRing, reader: Reader, ballot: UUID, vote: Vote, now: datetime
) -> Voted:
    """Cast the vote of a member on the roll.

    Raises NotFound, NotOnRoll, WrongWayOfVoting, AlreadyVoted, BallotNotOpen, BallotClosed, ChoicesDoNotFit or
    UnknownOption."""
    voter = await _to_vote(conn, reader, ballot)
    row = await ballots.row_of(conn, reader.district, ballot, hold="for share")
    _refuse_unless_open(row, now)
    options = await ballots.count_options(conn, reader.district, ballot)
    await ballot_boxes.mark_voter(conn, reader.district, ballot, voter.code, voter.place)
    await ballot_boxes.drop_in(conn, ring, reader.district, ballot, voter.code, vote.choices, options)
    return Voted(ballot)


async def _to_vote(conn: Connection, reader: Reader, ballot: UUID) -> Enrolled:
    scopes.refuse_who_reads_nothing(reader)
    voter = await enrolled(conn, reader, ballot)
    if voter is None:
        if await ballots.manages(conn, reader, ballot):
            raise NotOnRoll
        raise NotFound
    if voter.way != "roll":
        raise WrongWayOfVoting
    return voter


async def _form(conn: Connection, ballot: BallotRow, code: str) -> Form:
    words = await ballots.words_of(conn, ballot)
    return Form(
        ballot=ballot.id,
        title=words.title,
        district=words.district,
        closes_at=ballot.closes_at,
        group=words.groups.get(code, code),
        candidates=list(words.candidates),
        options=list(words.options),
    )
