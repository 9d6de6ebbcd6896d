"""Points of the demo district: rules, the last month as it was published, if anybody served in it, and models."""

from contextlib import suppress
from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID

from asyncpg import Connection

from api.demo.people import Population
from api.demo.words import chances, new_id
from api.demo.workdays import ZONE, midnight
from surveys.people.people import Reader
from surveys.reports import report_periods
from surveys.volunteering import models, points_boards, points_rules
from surveys.volunteering.models import ModelDecision, ModelDraft
from surveys.volunteering.points_boards import BoardDraft, NobodyHasPoints
from surveys.volunteering.points_rules import RulesDraft

SAID = (
    "每周两次上门为行动不便的老人理发、缝补，三年来从未间断。",
    "把惠民政策编成快板，走进十二个楼院，帮三百多户居民弄清了怎么申请。",
)
TEAMS = "select id from volunteer_team where district = $1 and closed_at is null order by kind desc, id limit $2"
ORGANISER = """
select r.member from member_role r join member m on m.district = r.district and m.id = r.member
where r.district = $1 and r.role = 'organiser' and m.closed_at is null order by m.number limit 1
"""
ADMINISTRATOR = ORGANISER.replace("'organiser'", "'administrator'")


async def load(conn: Connection, district: int, everybody: Population, founded_at: datetime, today: date) -> None:
    """Publish rules as of a day before the campaign, the last month that is over, and let two teams be models of it."""
    rng = chances("points")
    administrator = await _reader(conn, district, everybody, ADMINISTRATOR)
    organiser = await _reader(conn, district, everybody, ORGANISER)
    from_ = founded_at.astimezone(ZONE)
    rules = RulesDraft(id=new_id(rng), valid_from=f"{from_:%Y-%m}", rules=points_rules.PROPOSED)
    await points_rules.publish(conn, administrator, rules, ZONE, founded_at)
    period = report_periods.latest("month", ZONE, midnight(today) - timedelta(hours=1))
    at = min(period.ends(ZONE) + timedelta(days=2, hours=10), midnight(today) - timedelta(minutes=30))
    with suppress(NobodyHasPoints):
        board = BoardDraft(id=new_id(rng), month=period.name, known_at=at)
        await points_boards.publish(conn, administrator, board, ZONE, at)
    for team, text in zip(await conn.fetch(TEAMS, district, len(SAID)), SAID, strict=False):
        await _name(conn, organiser, administrator, team["id"], text, period.name, at, rng)


async def _name(
    conn: Connection,
    organiser: Reader,
    administrator: Reader,
    team: UUID,
    text: str,
    month: str,
    at: datetime,
    rng: Random,
) -> None:
    draft = ModelDraft(id=new_id(rng), month=month, subject="team", who=team, text=text)
    await models.propose(conn, organiser, draft, ZONE, at)
    decision = ModelDecision(id=new_id(rng), decision="approve", expected_version=1)
    await models.decide(conn, administrator, draft.id, decision, at)


async def _reader(conn: Connection, district: int, everybody: Population, question: str) -> Reader:
    found = await conn.fetchval(question, district)
    return everybody.reader(district, next(one for one in everybody.members if one.id == found))
