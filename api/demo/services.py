"""Services of the demo's teams: held, reported and judged in the weeks before, and to come in the days after, one of
them with a waiting list."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from asyncpg import Connection
from shapely import Point

from api.demo.volunteering import Team
from api.demo.words import chances, new_id
from api.demo.workdays import ZONE, Workdays
from maps.boundaries import Area
from maps.locator import Atlas
from surveys.contact_cards import card_doors
from surveys.contact_cards.card_doors import CardDoor
from surveys.issues.placing import Position
from surveys.people import people
from surveys.people.people import Reader
from surveys.reports import report_periods
from surveys.return_visits.return_visit_answers import Answer
from surveys.volunteering import bookings, service_reports, service_return_visits, services
from surveys.volunteering.bookings import BookingByCard
from surveys.volunteering.service_reports import Confirmation, Report, VolunteerServed
from surveys.volunteering.services import Announcement

AHEAD = timedelta(days=6)  # that services are announced before they begin
LONG = timedelta(hours=2)
CARDS = 5  # of each community, that book


class Plan(NamedTuple):
    """What a team of a kind does: title, what happens, what to bring, where, and what was done."""

    title: str
    about: str
    bring: str
    place: str
    done: str


PLANS: dict[str, Plan] = {
    "neighbours": Plan(
        "便民理发", "免费理发，行动不便的可以登记上门。", "", "社区党群服务中心一楼", "理发十余人，上门两户。"
    ),
    "policy": Plan(
        "医保政策面对面",
        "讲解医保缴费、报销和异地就医，现场答疑。",
        "身份证、医保卡",
        "小区凉亭",
        "讲解一场，答疑多人次。",
    ),
    "arts": Plan("楼院戏曲专场", "豫剧选段、合唱，欢迎上台。", "小板凳", "中心广场", "演出七个节目。"),
    "wellbeing": Plan(
        "量血压、测血糖", "免费测量，医生志愿者解答。", "空腹测血糖", "社区卫生站门口", "测量并建议复查三人。"
    ),
    "technology": Plan(
        "教老人用智能手机",
        "一对一教视频通话、扫码、挂号。",
        "自己的手机和充电器",
        "社区二楼教室",
        "教会视频通话和手机挂号。",
    ),
    "jobs": Plan("简历辅导和岗位推荐", "现场改简历，对接附近企业。", "简历", "街道就业窗口", "改简历多份，推荐岗位。"),
    "environment": Plan("楼道清洁日", "清理楼道杂物，认领花坛。", "手套", "各楼栋集合", "清理楼道杂物两车。"),
    "safety": Plan("消防器材会用课", "灭火器、报警器怎么用，现场练习。", "", "小区东门", "人人动手练习灭火器。"),
}
# Days from the end of the demo's time on which a service is held or to come, and its places.
DATES: Sequence[tuple[int, int]] = ((-16, 20), (-5, 12), (3, 30))
INTO = timedelta(days=10)  # the month whose points are published: one was held then, too


async def load(
    conn: Connection, district: int, atlas: Atlas, teams: Sequence[Team], areas: Sequence[Area], days: Workdays
) -> None:
    """Let the teams announce, hold and report; ids are the same each time."""
    rng = chances("services")
    middles = {area.code: area.geometry.representative_point() for area in areas}
    month = report_periods.latest("month", ZONE, days.end - timedelta(hours=1))
    published = (month.first + INTO - days.end.astimezone(ZONE).date()).days
    for at, team in enumerate(teams):
        leader = await _leader(conn, district, team)
        doors = await _doors(conn, district, team.community)
        for shift, places in ((published, 20), *DATES) if at < 4 else DATES[1:]:
            begins = days.end + timedelta(days=shift, hours=9 + at % 3)
            few = 4 if at == 0 and shift > 0 else places  # one with a waiting list
            draft = _announcement(new_id(rng), team, middles[team.community], begins, few)
            told = min(begins - AHEAD, days.end - timedelta(hours=20))
            service = (await services.announce(conn, atlas, leader, draft, told)).id
            booked = [(door, BookingByCard(id=new_id(rng), persons=rng.choice((1, 1, 2)))) for door in doors]
            for number, (door, booking) in enumerate(booked):
                when = told + timedelta(hours=1 + number)
                await bookings.book_by_card(conn, door, service, booking, when)
            if shift < 0:
                await _hold(conn, leader, team, draft, booked, [new_id(rng) for _ in range(2 + len(booked))])


LEADER = """
select m.number from volunteer_team t
join volunteer v on v.district = t.district and v.id = t.leader
join member m on m.district = t.district and m.id = v.member
where t.district = $1 and t.id = $2
"""


async def _leader(conn: Connection, district: int, team: Team) -> Reader:
    found = await people.reader(conn, district, await conn.fetchval(LEADER, district, team.id))
    assert found is not None  # noqa: S101 - it was written a moment ago
    return found


CARD_NUMBERS = """
select b.card from card_binding b
join visit v on v.district = b.district and v.id = b.visit
join contact_card k on k.district = b.district and k.number = b.card
where b.district = $1 and v.community = $2 and v.withdrawn_at is null and k.revoked_at is null
order by b.card limit $3
"""


async def _doors(conn: Connection, district: int, community: str) -> list[CardDoor]:
    numbers = [row["card"] for row in await conn.fetch(CARD_NUMBERS, district, community, CARDS)]
    found = [await card_doors.of_number(conn, district, number) for number in numbers]
    doors = {door.premises or door.number: door for door in found if door is not None and door.usable}
    return list(doors.values())


def _announcement(id_: UUID, team: Team, middle: Point, begins: datetime, places: int) -> Announcement:
    plan = PLANS[team.kind]
    return Announcement(
        id=id_,
        team=team.id,
        title=plan.title,
        about=plan.about,
        bring=plan.bring,
        place=plan.place,
        position=Position(lon=middle.x, lat=middle.y, source="map"),
        starts_at=begins,
        ends_at=begins + LONG,
        places=places,
        volunteers=tuple(team.volunteers[:4]),
    )


async def _hold(
    conn: Connection,
    leader: Reader,
    team: Team,
    draft: Announcement,
    booked: Sequence[tuple[CardDoor, BookingByCard]],
    ids: Sequence[UUID],
) -> None:
    """The service took place: all but the last who booked came, most of them were content, and said so."""
    over = draft.starts_at + LONG
    came = booked[:-1]
    served = tuple(
        VolunteerServed(volunteer=one, served_from=draft.starts_at, served_to=over) for one in draft.volunteers
    )
    report = Report(
        id=ids[0],
        expected_version=1,
        done=PLANS[team.kind].done,
        helped=sum(booking.persons for _, booking in came) + 7,
        came=tuple(booking.id for _, booking in came),
        served=served,
    )
    await service_reports.report(conn, leader, draft.id, report, over + timedelta(hours=1))
    confirmation = Confirmation(id=ids[1], expected_version=2)
    await service_reports.confirm(conn, leader, draft.id, confirmation, over + timedelta(hours=2))
    for number, (door, booking) in enumerate(came[1:]):  # the first is still to be asked
        answer = Answer(id=ids[2 + number], solved=True, satisfaction=(5, 4, 5, 3)[number % 4])
        when = over + timedelta(hours=20 + number)
        await service_return_visits.answer_by_card(conn, door, booking.id, answer, when)
