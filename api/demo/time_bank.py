"""What moves in the time bank of the demo district beside the services: rules, a family, help that is asked for, under
way and done, and a correction."""

from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from asyncpg import Connection

from api.demo.words import chances, new_id
from surveys.history import Actor
from surveys.people.people import Grant, Reader
from surveys.volunteering import (
    help_done,
    help_requests,
    help_taking,
    relatives,
    time_bank,
    time_rules,
)
from surveys.volunteering.help_done import Saying
from surveys.volunteering.help_requests import HelpDraft
from surveys.volunteering.help_taking import Taking
from surveys.volunteering.relatives import RelativeDraft
from surveys.volunteering.time_bank import Correction, PassOn
from surveys.volunteering.time_rules import RulesDraft

ACTOR = Actor("program", "demo")
ADMINISTRATOR = """
select m.id, m.name, m.organisation from member m join member_role r on r.district = m.district and r.member = m.id
where m.district = $1 and r.role = 'administrator' order by m.number limit 1
"""
# The teams with those who lead them first, and then those who can sign in.
TEAMS = """
select t.id, array(select j.volunteer from team_volunteer j join volunteer v on v.district = $1 and v.id = j.volunteer
                   where j.district = $1 and j.team = t.id and j.left_at is null
                   order by j.volunteer is distinct from t.leader, v.member is null, v.number) as volunteers
from volunteer_team t where t.district = $1 and t.closed_at is null order by t.kind <> 'neighbours', t.id limit 2
"""
# What the administrator may correct: something that was earned by neither of those who ask and help here.
EARNED = """
select id, minutes from time_transaction
where district = $1 and kind = 'earn' and minutes >= 60 and not volunteer = any($2::uuid[])
order by happened_at, id limit 1
"""
ASKED = (
    ("陪老人去社区医院取药", "幸福里 3 号楼 2 单元 501", 45),
    ("帮忙换灯泡、看看水龙头", "红星家属院 6 号楼 101", 30),
    ("教用手机挂号、视频通话", "丽水花园 1 号楼 1203", 60),
)


async def load(conn: Connection, district: int, now: datetime) -> None:
    """Write it as of the days before a moment. Ids are the same each time."""
    rng = chances("time bank")
    teams = [(row["id"], row["volunteers"]) for row in await conn.fetch(TEAMS, district) if len(row["volunteers"]) > 2]
    if not teams:
        return
    reader = await _administrator(conn, district)
    reason = "区里试行办法：可以先得到帮助，欠的时间以后补上"
    rules = RulesDraft(id=new_id(rng), expected_version=0, reason=reason, lowest_volunteer=-240, round_to=5)
    await time_rules.set_rules(conn, reader, rules, now - timedelta(days=90))
    for team, (leader, helper, third, *_) in teams:
        await _family(conn, district, team, leader, helper, rng, now)
        await _done(conn, district, team, third, helper, rng, now)
    await _correct(conn, reader, [one for _, volunteers in teams for one in volunteers], rng, now)


async def _administrator(conn: Connection, district: int) -> Reader:
    [row] = await conn.fetch(ADMINISTRATOR, district)
    grants = (Grant("administrator", "district", str(district)),)
    return Reader(
        district=district, member=row["id"], name=row["name"], organisation=row["organisation"], grants=grants
    )


async def _family(
    conn: Connection, district: int, team: UUID, leader: UUID, helper: UUID, rng: Random, now: datetime
) -> None:
    """A mother-in-law gets two hours and asks for help, which a neighbour says was given; and another asks anew."""
    relative = RelativeDraft(id=new_id(rng), relation="parent_in_law", name="李桂芳")
    at = now - timedelta(days=9)
    await relatives.name_one(conn, district, leader, relative, ACTOR, at)
    passed = PassOn(id=new_id(rng), minutes=120, from_account=leader, to_account=relative.id)
    await time_bank.pass_on(conn, district, leader, passed, ACTOR, at)
    help_ = await _asked(conn, district, leader, relative.id, 0, rng, at)
    await help_taking.take(
        conn, district, helper, help_, Taking(id=new_id(rng), expected_version=1, team=team), ACTOR, at
    )
    begun = now - timedelta(days=2)
    said = Saying(id=new_id(rng), expected_version=2, started_at=begun, ended_at=begun + timedelta(minutes=45))
    await help_done.say(conn, district, helper, help_, said, ACTOR, now - timedelta(days=1))
    await _asked(conn, district, leader, leader, 2, rng, now - timedelta(hours=5))


async def _done(
    conn: Connection, district: int, team: UUID, asking: UUID, helper: UUID, rng: Random, now: datetime
) -> None:
    """Help that both say was given."""
    at, begun = now - timedelta(days=14), now - timedelta(days=12, hours=3)
    help_ = await _asked(conn, district, asking, asking, 1, rng, at)
    await help_taking.take(
        conn, district, helper, help_, Taking(id=new_id(rng), expected_version=1, team=team), ACTOR, at
    )
    for version, who in ((2, helper), (3, asking)):
        said = Saying(
            id=new_id(rng), expected_version=version, started_at=begun, ended_at=begun + timedelta(minutes=30)
        )
        await help_done.say(conn, district, who, help_, said, ACTOR, now - timedelta(days=11))


async def _asked(
    conn: Connection, district: int, volunteer: UUID, account: UUID, which: int, rng: Random, at: datetime
) -> UUID:
    what, where, minutes = ASKED[which]
    wanted_at = at + timedelta(days=2)
    draft = HelpDraft(id=new_id(rng), account=account, what=what, where=where, wanted_at=wanted_at, minutes=minutes)
    await help_requests.ask(conn, district, volunteer, draft, ACTOR, at)
    return draft.id


async def _correct(conn: Connection, reader: Reader, but: list[UUID], rng: Random, now: datetime) -> None:
    row = await conn.fetchrow(EARNED, reader.district, but)
    if row is not None:
        draft = Correction(id=new_id(rng), minutes=row["minutes"] // 2, reason="签到表显示中途离开")
        await time_bank.correct(conn, reader, row["id"], draft, now - timedelta(days=1))
