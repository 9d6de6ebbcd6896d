"""Ballots of the demo district: one that was counted and published, and one that is still open."""

from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID

from asyncpg import Connection

from api.demo.commitments import holder
from api.demo.words import chances, new_id
from api.demo.workdays import midnight
from surveys.assessments import ballot_changes, ballot_votes
from surveys.assessments.ballot_terms import (
    BallotDraft,
    BallotMove,
    CandidateDraft,
    Code,
    Enrolment,
    GroupDraft,
    Move,
    Printing,
    SlipVote,
)
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing

GROUPS = (
    GroupDraft(code="A", name="领导班子", weight=30, way="slips"),
    GroupDraft(code="B", name="中层干部", weight=30, way="slips"),
    GroupDraft(code="C", name="党员群众", weight=40, way="slips"),
)
VOTES: dict[Code, int] = {"A": 7, "B": 4, "C": 24}  # of B there are too few to be told
JUDGED = """
select id from organisation where district = $1 and closed_at is null and parent is not null order by id limit 3
"""
NUMBERS = "select number from member where district = $1 and closed_at is null order by number limit 12"


async def load(conn: Connection, ring: KeyRing, district: int, today: date) -> None:
    """Hold a ballot a month ago, and have another open since yesterday."""
    rng = chances("ballots")
    holds = await holder(conn, district, "administrator")
    past = midnight(today) - timedelta(days=30)
    held = await _make(conn, ring, rng, holds, "半年民主测评", past, past + timedelta(days=2), GROUPS)
    for group, count in VOTES.items():
        made = Printing(group=group, count=count)
        _, codes = await ballot_changes.print_slips(conn, holds, held.id, made, past + timedelta(hours=1), new_id(rng))
        for code in codes:
            choices = tuple(rng.choices((1, 2, 3, 4), (8, 5, 2, 1), k=len(held.candidates)))
            vote = SlipVote(code=code, ballot=held.id, choices=choices)
            await ballot_votes.vote_with_slip(conn, ring, vote, past + timedelta(hours=9))
    await _move(conn, ring, rng, holds, held.id, "count", 1, past + timedelta(days=2, hours=9))
    await _move(conn, ring, rng, holds, held.id, "publish", 2, past + timedelta(days=2, hours=10))
    yesterday = midnight(today) - timedelta(hours=14)
    by_roll = (
        GroupDraft(code="A", name="领导班子", weight=40, way="roll"),
        GroupDraft(code="C", name="党员群众", weight=60, way="slips"),
    )
    now = await _make(conn, ring, rng, holds, "年度民主测评", yesterday, yesterday + timedelta(days=20), by_roll)
    numbers = [row["number"] for row in await conn.fetch(NUMBERS, district)]
    enrolment = Enrolment(id=new_id(rng), group="A", members=tuple(numbers))
    await ballot_changes.enrol(conn, holds, now.id, enrolment, yesterday)


async def _make(
    conn: Connection,
    ring: KeyRing,
    rng: Random,
    holds: Reader,
    title: str,
    opens_at: datetime,
    closes_at: datetime,
    groups: tuple[GroupDraft, ...],
) -> BallotDraft:
    judged = [row["id"] for row in await conn.fetch(JUDGED, holds.district)]
    draft = BallotDraft(
        id=new_id(rng),
        organisation=holds.organisation,
        title=title,
        opens_at=opens_at,
        closes_at=closes_at,
        candidates=(*(CandidateDraft(organisation=one) for one in judged), CandidateDraft(matter="本年为民办实事")),
        groups=groups,
    )
    await ballot_changes.make(conn, ring, holds, draft, opens_at - timedelta(minutes=10))
    return draft


async def _move(
    conn: Connection, ring: KeyRing, rng: Random, holds: Reader, ballot: UUID, move: Move, version: int, at: datetime
) -> None:
    asked = BallotMove(id=new_id(rng), expected_version=version, move=move)
    await ballot_changes.move(conn, ring, holds, ballot, asked, at)
