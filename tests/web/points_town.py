"""A month of points in the small district: two volunteers, one of them with markup for a name, a service and its text,
rules, a published month, and a model on the board and one that waits."""

from datetime import timedelta
from uuid import UUID

import asyncpg

from surveys.people.people import Grant, Reader
from surveys.volunteering import models, points_boards, points_rules
from surveys.volunteering.models import ModelDecision, ModelDraft
from surveys.volunteering.points_boards import BoardDraft
from surveys.volunteering.points_rules import RulesDraft
from tests.conftest import ADMINISTRATOR, BESIDE, DISTRICT, NOW, ORGANISER, Person
from tests.surveys import deeds_at_hand
from tests.surveys.test_points import ZONE
from tests.web.town import MARKUP

NAMED, NUMBERED, TEAM = UUID(int=0x9001), UUID(int=0x9002), UUID(int=0x9003)
KNOWN = NOW - timedelta(minutes=1)
OCTOBER = NOW - timedelta(days=40)


def reader(who: Person) -> Reader:
    scope = str(DISTRICT) if who.scope_kind == "district" else who.scope
    grants = (Grant(who.role, who.scope_kind, scope),)  # type: ignore[arg-type]
    return Reader(district=DISTRICT, member=who.id, name=who.name, organisation=who.organisation, grants=grants)


async def settle(conn: asyncpg.Connection) -> None:
    """Let October have been, and be published."""
    await deeds_at_hand.team(conn, TEAM, name=f"合唱队{MARKUP[0]}")
    await deeds_at_hand.volunteer(conn, "V900001", id_=NAMED, name=f"冯志愿{MARKUP[1]}", public=True)
    await deeds_at_hand.volunteer(conn, "V900002", id_=NUMBERED, name=MARKUP[0])
    for day in (0, 7, 21, 35):
        at = OCTOBER + timedelta(days=day)
        service = await deeds_at_hand.service(conn, at, helped=30, team_=TEAM, title=f"敬老演出{MARKUP[2]}")
        await deeds_at_hand.answer(conn, service, [5, 4, 5], at + timedelta(days=1))
        for who, minutes in ((NAMED, 90), (NUMBERED, 120)):
            await deeds_at_hand.serve(conn, who, service, minutes, at)
    await _publish(conn)


async def more_is_known(conn: asyncpg.Connection) -> None:
    """One more service of October is known than when it was published."""
    at = OCTOBER + timedelta(days=14)
    service = await deeds_at_hand.service(conn, at, helped=5, team_=TEAM, known=NOW)
    await deeds_at_hand.serve(conn, NAMED, service, 60, at, known=NOW)


async def _publish(conn: asyncpg.Connection) -> None:
    administrator = reader(ADMINISTRATOR)
    draft = RulesDraft(id=UUID(int=0x9011), valid_from="2026-10", rules=points_rules.PROPOSED)
    board = BoardDraft(id=UUID(int=0x9012), month="2026-10", known_at=KNOWN)
    async with conn.transaction():
        await points_rules.publish(conn, administrator, draft, ZONE, KNOWN)
        await points_boards.publish(conn, administrator, board, ZONE, NOW)
        for number, text in enumerate(MARKUP[:2]):
            model = ModelDraft(
                id=UUID(int=0x9020 + number), month="2026-10", subject="organisation", who=BESIDE, text=text
            )
            await models.propose(conn, reader(ORGANISER), model, ZONE, NOW)
        approval = ModelDecision(id=UUID(int=0x9030), decision="approve", expected_version=1)
        await models.decide(conn, administrator, UUID(int=0x9020), approval, NOW)
