"""Volunteer teams in the database: founded, joined and left, asked for as of a past day, listed, closed."""

from datetime import date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import pytest

from surveys.history import Actor
from surveys.people.people import Grant, Reader
from surveys.refusals import (
    IdTaken,
    InvalidCursor,
    NotAllowed,
    NotFound,
    NothingChanges,
    StaleVersion,
    TextUnusable,
    TimeInFuture,
    UnknownArea,
    UnknownOrganisation,
)
from surveys.volunteering import (
    skills,
    standing,
    team_changes,
    team_lists,
    team_members,
    teams,
    volunteer_lists,
    volunteers,
)
from surveys.volunteering.team_changes import TeamChange, TeamClosing
from surveys.volunteering.team_lists import TeamFilters
from surveys.volunteering.team_members import InTeamAlready, Joining, Leaving, NotInTeam, TeamClosed
from surveys.volunteering.teams import AreaNotYours, LeaderCannotSignIn, TeamDraft, TeamNameTaken
from surveys.volunteering.volunteer_lists import VolunteerFilters
from surveys.volunteering.volunteers import Draft, Registered, UnknownVolunteer
from tests.conftest import (
    ADMINISTRATOR,
    BELOW,
    BESIDE,
    DISTRICT,
    FAR,
    LEADER,
    MEMBER,
    NEAR,
    NOW,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    OTHER_WORKER,
    RING,
    STRANGER,
    WORKER,
    Person,
)

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
DESK = Actor("member", str(WORKER.id))
SATURDAY, TUESDAY = "6 09:00-11:30", "2 19:00-21:00"


def reader(one: Person) -> Reader:
    grants = (Grant(one.role, one.scope_kind, one.scope), Grant("member", "own", ""))  # type: ignore[arg-type]
    return Reader(district=DISTRICT, member=one.id, name=one.name, organisation=one.organisation, grants=grants)


async def register(conn: asyncpg.Connection, **told: object) -> Registered:
    draft = msgspec.convert({"id": uuid4(), **told}, Draft)
    return await volunteers.register(conn, RING, DISTRICT, draft, DESK, NOW)


async def found(conn: asyncpg.Connection, who: Person = ADMINISTRATOR, **told: object) -> UUID:
    usual = {"id": uuid4(), "name": "近邻互助队", "kind": "neighbours", "organisation": ORGANISATION}
    draft = msgspec.convert({**usual, **told}, TeamDraft)
    async with conn.transaction():
        return (await teams.found(conn, reader(who), draft, NOW)).id


async def join(conn: asyncpg.Connection, team: UUID, one: Registered, on: date | None = None, **at: int) -> None:
    now = NOW + timedelta(**at)
    async with conn.transaction():
        await team_members.join(conn, DISTRICT, team, Joining(id=uuid4(), volunteer=one.id, on=on), DESK, ZONE, now)


async def leave(conn: asyncpg.Connection, team: UUID, one: Registered, on: date | None = None, **at: int) -> None:
    now = NOW + timedelta(**at)
    async with conn.transaction():
        await team_members.leave(conn, DISTRICT, team, Leaving(id=uuid4(), volunteer=one.id, on=on), DESK, ZONE, now)


async def listed(conn: asyncpg.Connection, who: Person = STRANGER, **filters: object) -> list[str]:
    page = await team_lists.page(conn, reader(who), TeamFilters(**filters))  # type: ignore[arg-type]
    assert page.total == len(page.items)
    return [one.name for one in page.items]


async def those(conn: asyncpg.Connection, who: Person = ADMINISTRATOR, **filters: object) -> list[str]:
    asked = VolunteerFilters(**filters)  # type: ignore[arg-type]
    page = await volunteer_lists.page(conn, RING, reader(who), asked, ZONE, NOW + timedelta(days=30))
    assert page.total == len(page.items)
    return [one.name for one in page.items]


async def test_a_team_is_led_by_a_volunteer_who_signs_in_and_is_in_it(conn: asyncpg.Connection) -> None:
    auntie, member = await register(conn, name="王阿姨"), await register(conn, member=MEMBER.number)
    with pytest.raises(LeaderCannotSignIn):
        await found(conn, leader=auntie.id)
    with pytest.raises(UnknownVolunteer):
        await found(conn, leader=uuid4())
    team = await found(conn, leader=member.id, about="为邻居跑腿")
    assert await team_members.at(conn, DISTRICT, team, NOW, NOW) == [member.id]
    await standing.refuse_who_does_not_look_after(conn, reader(MEMBER), team)
    with pytest.raises(NotAllowed):
        await standing.refuse_who_does_not_look_after(conn, reader(STRANGER), team)
    shown = await team_lists.one(conn, reader(STRANGER), team)
    assert shown.leader is not None
    assert (shown.leader.name, shown.volunteers, shown.looked_after) == (member.number, 1, False)
    theirs = await team_lists.one(conn, reader(MEMBER), team)
    assert theirs.leader is not None
    assert (theirs.leader.name, theirs.looked_after) == (MEMBER.name, True)


async def test_who_organises_founds_a_team_where_they_do(conn: asyncpg.Connection) -> None:
    near, far = NEAR, FAR
    await found(conn, ORGANISER, organisation=BELOW)
    await found(conn, WORKER, communities=[near])
    for who, told, refusal in (
        (STRANGER, {}, NotAllowed),
        (LEADER, {}, NotAllowed),
        (ORGANISER_BESIDE, {}, UnknownOrganisation),
        (WORKER, {"organisation": BESIDE, "communities": [near]}, UnknownOrganisation),
        (WORKER, {"communities": [near, far]}, AreaNotYours),
        (WORKER, {"communities": []}, AreaNotYours),
        (ADMINISTRATOR, {"name": "近邻互助队", "organisation": BELOW}, TeamNameTaken),
        (ADMINISTRATOR, {"organisation": uuid4()}, UnknownOrganisation),
        (ADMINISTRATOR, {"name": " \t "}, TextUnusable),
        (ADMINISTRATOR, {"name": "另一队", "communities": ["nowhere"]}, UnknownArea),
    ):
        with pytest.raises(refusal):
            await found(conn, who, **told)
    draft = TeamDraft(id=uuid4(), name="巡逻队", kind="safety", organisation=ORGANISATION)
    first = await teams.found(conn, reader(ADMINISTRATOR), draft, NOW)
    assert await teams.found(conn, reader(ADMINISTRATOR), draft, NOW) == first
    with pytest.raises(IdTaken):
        await teams.found(conn, reader(ADMINISTRATOR), msgspec.structs.replace(draft, name="别队"), NOW)


async def test_who_was_in_it_on_a_past_day_depends_on_what_was_known(conn: asyncpg.Connection) -> None:
    auntie, uncle, team = await register(conn, name="王阿姨"), await register(conn, name="李大叔"), await found(conn)
    await join(conn, team, auntie, on=date(2026, 11, 1))
    await join(conn, team, uncle)
    with pytest.raises(InTeamAlready):
        await join(conn, team, auntie)
    with pytest.raises(TimeInFuture):
        await join(conn, team, auntie, on=date(2027, 1, 1))
    await leave(conn, team, auntie, on=date(2026, 11, 30), days=20)
    then, after = datetime(2026, 11, 30, 12, tzinfo=ZONE), datetime(2026, 12, 1, 12, tzinfo=ZONE)
    today = NOW + timedelta(days=20)
    assert await team_members.at(conn, DISTRICT, team, datetime(2026, 10, 31, tzinfo=ZONE), today) == []
    assert await team_members.at(conn, DISTRICT, team, then, today) == [auntie.id, uncle.id]
    assert await team_members.at(conn, DISTRICT, team, after, today) == [uncle.id]
    assert await team_members.at(conn, DISTRICT, team, after, NOW + timedelta(days=19)) == [auntie.id, uncle.id]
    assert await those(conn, team=team, at=then, known_at=today) == ["王阿姨", "李大叔"]
    with pytest.raises(NotInTeam):
        await leave(conn, team, auntie, days=21)
    await join(conn, team, auntie, on=date(2026, 12, 12), days=21)
    assert await team_members.at(conn, DISTRICT, team, NOW + timedelta(days=22), NOW + timedelta(days=22)) == [
        uncle.id,
        auntie.id,
    ]


async def test_who_could_help_at_an_hour(conn: asyncpg.Connection) -> None:
    team = await found(conn)
    for name, skill, hours in (("王阿姨", "理发", SATURDAY), ("李大叔", "理发", TUESDAY), ("张老师", "书法", SATURDAY)):
        await join(conn, team, await register(conn, name=name, skills=[skill], hours=[hours], community=NEAR))
    able = {skill.name: skill.id for skill in await skills.of_district(conn, DISTRICT)}
    assert await those(conn, team=team) == ["王阿姨", "李大叔", "张老师"]
    assert await those(conn, team=team, skill=able["理发"]) == ["王阿姨", "李大叔"]
    assert await those(conn, team=team, weekday=6) == ["王阿姨", "张老师"]
    saturday = datetime(2026, 11, 28, 11, 29, tzinfo=ZONE)
    assert await those(conn, team=team, skill=able["理发"], free_at=saturday) == ["王阿姨"]
    assert await those(conn, team=team, free_at=saturday + timedelta(minutes=1)) == [], "the span is over"
    assert await those(conn, team=team, text="王") == ["王阿姨"]
    assert await those(conn, team=team, text="%") == [], "no pattern of the asker's"
    assert await those(conn, team=team, text="v000002") == ["李大叔"]


async def test_teams_are_found_by_place_kind_skill_weekday_and_name(conn: asyncpg.Connection) -> None:
    clippers = await found(conn, name="理发队", communities=[NEAR])
    await found(conn, name="文艺队", kind="arts", streets=["410103002"], organisation=BELOW)
    await found(conn, name="全区队", kind="policy", organisation=BESIDE)
    await join(conn, clippers, await register(conn, name="王阿姨", skills=["理发"], hours=[SATURDAY]))
    [skill] = await skills.of_district(conn, DISTRICT)
    assert await listed(conn) == sorted(["理发队", "文艺队", "全区队"])
    assert await listed(conn, community=NEAR) == sorted(["理发队", "全区队"])
    assert await listed(conn, community=FAR) == sorted(["文艺队", "全区队"])
    assert await listed(conn, street="410103001") == sorted(["理发队", "全区队"])
    assert await listed(conn, kind=("arts",)) == ["文艺队"]
    assert await listed(conn, skill=skill.id) == ["理发队"]
    assert await listed(conn, weekday=6) == ["理发队"]
    assert await listed(conn, weekday=5) == []
    assert await listed(conn, text="艺") == ["文艺队"]
    assert await listed(conn, organisation=ORGANISATION) == sorted(["理发队", "文艺队"])
    assert await listed(conn, WORKER, mine=True) == ["理发队"]
    assert await listed(conn, STRANGER, mine=True) == []


async def test_pages_follow_one_another(conn: asyncpg.Connection) -> None:
    for number in range(5):
        await found(conn, name=f"第{number}队")
    names, cursor = [], None
    while True:
        page = await team_lists.page(conn, reader(STRANGER), TeamFilters(), limit=2, cursor=cursor)
        names += [one.name for one in page.items]
        cursor = page.next
        if cursor is None:
            break
        with pytest.raises(InvalidCursor):
            await team_lists.page(conn, reader(STRANGER), TeamFilters(text="第"), cursor=cursor)
    assert names == [f"第{number}队" for number in range(5)]


async def test_who_does_not_look_after_a_team_sees_nobody_in_it(conn: asyncpg.Connection) -> None:
    team = await found(conn, communities=[NEAR])
    auntie = await register(conn, name="王阿姨", community=FAR)
    await join(conn, team, auntie)
    assert await those(conn, WORKER, team=team) == ["王阿姨"]
    assert await those(conn, OTHER_WORKER) == ["王阿姨"], "who serves first in their community"
    for who in (STRANGER, LEADER, OTHER_WORKER, ORGANISER_BESIDE):
        with pytest.raises(NotAllowed):
            await those(conn, who, team=team)
    for who in (STRANGER, LEADER):
        with pytest.raises(NotAllowed):
            await those(conn, who)
        with pytest.raises(NotAllowed):
            await volunteer_lists.one(conn, RING, reader(who), auntie.id)
    assert await those(conn, ORGANISER_BESIDE) == []
    with pytest.raises(NotFound):
        await volunteer_lists.one(conn, RING, reader(ORGANISER_BESIDE), auntie.id)


async def test_a_leader_says_what_the_team_is_called_and_not_where_it_belongs(conn: asyncpg.Connection) -> None:
    member, stranger = await register(conn, member=MEMBER.number), await register(conn, member=STRANGER.number)
    team = await found(conn, leader=member.id)

    async def change(who: Person, version: int, **told: object) -> int:
        asked = msgspec.convert({"id": uuid4(), "expected_version": version, **told}, TeamChange)
        async with conn.transaction():
            return (await team_changes.change(conn, reader(who), team, asked, NOW)).version

    assert await change(MEMBER, 1, name="近邻帮帮队", about="帮忙") == 2
    for told in ({"kind": "arts"}, {"communities": [NEAR]}, {"organisation": str(BESIDE)}):
        with pytest.raises((NotAllowed, UnknownOrganisation)):
            await change(MEMBER, 2, **told)
    with pytest.raises(StaleVersion):
        await change(MEMBER, 1, about="晚了")
    with pytest.raises(NothingChanges):
        await change(MEMBER, 2, name="近邻帮帮队")
    assert await change(ORGANISER, 2, kind="arts", communities=[NEAR]) == 3
    assert await change(MEMBER, 3, leader=str(stranger.id)) == 4
    assert set(await team_members.at(conn, DISTRICT, team, NOW, NOW)) == {member.id, stranger.id}
    with pytest.raises(NotAllowed):
        await change(MEMBER, 4, about="不再带队")
    closing = TeamClosing(id=uuid4(), expected_version=4, reason="并入另一队")
    with pytest.raises(NotAllowed):
        await team_changes.close(conn, reader(STRANGER), team, closing, NOW)
    await team_changes.close(conn, reader(ORGANISER), team, closing, NOW)
    assert await team_changes.close(conn, reader(ORGANISER), team, closing, NOW)
    assert await listed(conn) == []
    assert await listed(conn, closed=True) == ["近邻帮帮队"]
    assert await team_members.at(conn, DISTRICT, team, NOW, NOW) == []
    with pytest.raises(TeamClosed):
        await join(conn, team, member)


async def test_a_team_whose_leader_leaves_has_none(conn: asyncpg.Connection) -> None:
    member = await register(conn, member=MEMBER.number)
    team = await found(conn, leader=member.id)
    await leave(conn, team, member)
    assert (await team_lists.one(conn, reader(STRANGER), team)).leader is None
    told = await conn.fetch(
        "select version, facts->>'leader' as leader from history where thing = $1 order by version", team
    )
    assert [(row["version"], row["leader"]) for row in told] == [(1, str(member.id)), (2, "none")]
