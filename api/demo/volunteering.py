"""The volunteer teams of the demo district: eight of them, led by members, with neighbours of all ages in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from uuid import UUID

from asyncpg import Connection

from api.demo.people import Member, Population
from api.demo.places import Place
from api.demo.words import chances, new_id, person_name
from surveys.history import Actor
from surveys.privacy.sealing import KeyRing
from surveys.volunteering import skills, team_members, teams, volunteers
from surveys.volunteering.team_members import Membership
from surveys.volunteering.teams import NewTeam, TeamArea
from surveys.volunteering.volunteers import NewVolunteer

ACTOR = Actor("program", "demo")
MEMBERS_OF_A_TEAM, OTHERS_OF_A_TEAM = 3, 5
AGREE = 0.6  # of the volunteers, to their name on the public board

# Kind, what follows the community's name, what the team does, and what those in it can do.
TEAMS: Sequence[tuple[str, str, str, tuple[str, ...]]] = (
    ("neighbours", "邻里互助队", "为行动不便的邻居理发、缝补、代办。", ("理发", "缝补", "代办跑腿")),
    ("policy", "政策宣讲队", "把惠民政策讲到楼院里。", ("政策宣讲", "方言主持")),
    ("arts", "文艺服务队", "重阳、春节进楼院演出，教唱教跳。", ("戏曲", "广场舞", "书法")),
    ("wellbeing", "康乐服务队", "量血压、教太极，陪老人散步。", ("量血压", "太极拳")),
    ("technology", "数字助老队", "教老年人用手机挂号、缴费、视频。", ("手机教学", "家电维修")),
    ("jobs", "就业帮扶队", "介绍岗位，帮写简历，带着去面试。", ("简历辅导", "岗位推荐")),
    ("environment", "清洁家园队", "清理楼道杂物，认领花坛。", ("清扫", "园艺")),
    ("safety", "平安巡逻队", "晚间巡逻，检查楼道消防。", ("巡逻", "消防检查")),
)
WEEK = ("1 18:00-21:00", "3 14:00-17:00", "5 18:00-21:00", "6 09:00-12:00", "6 14:00-17:00", "7 09:00-12:00")


@dataclass(frozen=True, slots=True)
class Team:
    """A team of the demo, with the volunteers in it, its leader first."""

    id: UUID
    kind: str
    name: str
    community: str
    volunteers: Sequence[UUID]


async def load(
    conn: Connection,
    ring: KeyRing,
    district: int,
    everybody: Population,
    places: Sequence[Place],
    shown: Mapping[str, UUID | None],
    at: datetime,
) -> list[Team]:
    """Write the teams as of a day before the campaign: the first in the community of the worker whose desk is shown,
    led by the member whose is. Ids are the same each time."""
    rng = chances("volunteering")
    communities = _communities(everybody, places, shown.get("worker"))
    first = next((one for one in everybody.members if one.id == shown.get("member")), None)
    made: list[Team] = []
    people: list[NewVolunteer] = []
    founded: list[NewTeam] = []
    for (kind, called, about, able), place in zip(TEAMS, communities, strict=False):
        leader = first if first is not None and not made else None
        serving = _serving(everybody, place, leader, able, rng)
        organisation = next(
            one.id for one in everybody.organisations if (one.kind, one.place) == ("general", place.code)
        )
        team = Team(new_id(rng), kind, f"{place.name}{called}", place.code, [one.id for one in serving])
        made.append(team)
        people += serving
        founded.append(
            NewTeam(
                id=team.id,
                event=team.id,
                name=team.name,
                about=about,
                kind=kind,
                organisation=organisation,
                leader=serving[0].id,
                areas=[TeamArea("community", place.code)],
            )
        )
    await volunteers.write(conn, ring, district, people, ACTOR, at)
    await teams.write(conn, district, founded, ACTOR, at)
    joined = [Membership(team=team.id, volunteer=one, joined_at=at) for team in made for one in team.volunteers]
    await team_members.write(conn, district, joined, ACTOR, at, [(new_id(rng), None) for _ in joined])
    return made


def _communities(everybody: Population, places: Sequence[Place], worker: UUID | None) -> list[Place]:
    """That of the worker whose desk is shown first, and others in the order of their codes."""
    theirs = [code for code, members in everybody.of_community.items() if members and members[0].id == worker]
    return sorted(places, key=lambda place: (place.code not in theirs, place.code))


def _serving(
    everybody: Population, place: Place, leader: Member | None, able: Sequence[str], rng: Random
) -> list[NewVolunteer]:
    members = [one for one in everybody.of_community[place.code][2:] if one != leader]
    chosen = [*([leader] if leader else []), *rng.sample(members, MEMBERS_OF_A_TEAM)]
    serving = [_volunteer(rng, able, place, member=one.id) for one in chosen]
    others = [
        _volunteer(rng, able, place, name=person_name(rng), phone=f"120{rng.randrange(10**8):08}")
        for _ in range(OTHERS_OF_A_TEAM)
    ]
    return serving + others


def _volunteer(
    rng: Random,
    able: Sequence[str],
    place: Place,
    *,
    member: UUID | None = None,
    name: str | None = None,
    phone: str | None = None,
) -> NewVolunteer:
    id_ = new_id(rng)
    return NewVolunteer(
        id=id_,
        event=id_,
        member=member,
        name=name,
        phone=phone,
        community=place.code,
        skills=rng.sample(able, rng.randint(1, len(able))),
        hours=skills.read(rng.sample(WEEK, rng.randint(1, 3))),
        name_public=rng.random() < AGREE,
    )
