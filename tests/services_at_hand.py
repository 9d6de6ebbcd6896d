"""Volunteer teams, their services and who books them, for tests: as the rows that others lean on, and as what a team
announces."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec

from maps.locator import Atlas
from surveys import history
from surveys.history import text_row
from surveys.people import people
from surveys.volunteering import bookings, service_reports, services
from surveys.volunteering.bookings import BookingForDoor
from surveys.volunteering.service_reports import Confirmation, Report
from surveys.volunteering.services import Announcement
from tests import cards
from tests.conftest import DISTRICT, MEMBER, MEMBER_BELOW, NEAR, NOW, ORGANISATION, STRANGER, Person

TEAM, OTHER_TEAM = UUID(int=0x7EA0), UUID(int=0x7EA1)
# A member who leads, members who serve, and somebody who is no member.
LEADING, SERVING, ALSO, OUTSIDER = (UUID(int=0x70 + at) for at in range(4))
LEADS: Person = MEMBER
SERVES: Person = MEMBER_BELOW
VOLUNTEERS = [(LEADING, "V1", MEMBER.id), (SERVING, "V2", MEMBER_BELOW.id), (ALSO, "V3", STRANGER.id)]
LONG_AGO = NOW - timedelta(days=100)


async def found_team(conn: asyncpg.Connection, team: UUID = TEAM, name: str = "银龄智能服务队") -> None:
    """A team with its leader, two members who serve in it, and somebody who is no member; once for a database."""
    texts = [text_row(DISTRICT, team, 1, {"name": name}, LONG_AGO)[0]]
    async with conn.transaction():
        if team == TEAM:
            texts.append(text_row(DISTRICT, OUTSIDER, 1, {"name": "何志愿"}, LONG_AGO)[0])
            await conn.executemany(
                "insert into volunteer (district, id, version, number, member, joined_at, recorded_at)"
                " values ($1, $2, 1, $3, $4, $5, $5)",
                [(DISTRICT, *one, LONG_AGO) for one in VOLUNTEERS],
            )
            await conn.execute(
                "insert into volunteer (district, id, version, number, text_version, joined_at, recorded_at)"
                " values ($1, $2, 1, 'V4', 1, $3, $3)",
                DISTRICT,
                OUTSIDER,
                LONG_AGO,
            )
        await conn.execute(
            "insert into volunteer_team (district, id, version, kind, organisation, leader, text_version, founded_at,"
            " recorded_at) values ($1, $2, 1, 'technology', $3, $4, 1, $5, $5)",
            DISTRICT,
            team,
            ORGANISATION,
            LEADING,
            LONG_AGO,
        )
        await conn.executemany(
            "insert into team_volunteer (district, team, volunteer, joined_at, recorded_at)"
            " values ($1, $2, $3, $4, $4)",
            [(DISTRICT, team, one, LONG_AGO) for one in (LEADING, SERVING, OUTSIDER)],
        )
        await history.append(conn, [], texts)


VISITS = """
insert into visit (district, id, version, digest, member, organisation, companions, premises_kind, via, outcome,
                   started_at, ended_at, device_started_at, device_ended_at, clock_skew_s, community, certainty,
                   text_version, recorded_at)
select $1, id, 1, ''::bytea, $3, $4, '{}', 'household', 'phone', 'met', $5, $5, $5, $5, 0, $6, 'unplaced', 1, $5
from unnest($2::uuid[]) id
"""


async def doors(conn: asyncpg.Connection, count: int = 1) -> list[str]:
    """So many cards that were left at doors of the district, by their numbers."""
    numbers = [card.number for card in await cards.make(conn, count)]
    await leave(conn, numbers)
    return numbers


async def leave(conn: asyncpg.Connection, numbers: Sequence[str]) -> None:
    """Leave cards at doors of the district, each on a visit of its own."""
    visits = [uuid4() for _ in numbers]
    await conn.execute(VISITS, DISTRICT, visits, MEMBER.id, ORGANISATION, NOW, NEAR)
    await conn.executemany(
        "insert into card_binding (district, card, round, visit, bound_at) values ($1, $2, 1, $3, $4)",
        [(DISTRICT, number, visit, NOW) for number, visit in zip(numbers, visits, strict=True)],
    )


def announcement(**changes: Any) -> dict[str, Any]:
    """A service as its team announces it: tomorrow, two hours, twenty places."""
    starts_at = NOW + timedelta(days=1)
    draft = {
        "id": str(uuid4()),
        "team": str(TEAM),
        "title": "教老人用智能手机",
        "about": "一对一教会视频通话、扫码付款、预约挂号。",
        "bring": "带上自己的手机和充电器",
        "place": "近邻社区党群服务中心二楼",
        "position": {"lon": 113.605, "lat": 34.705, "source": "map"},
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=2)).isoformat(),
        "places": 20,
    }
    return {**draft, **changes}


def report(came: list[str], served: Mapping[UUID, float], version: int, **changes: Any) -> dict[str, Any]:
    """A report of that service: who came, and for how many hours each served."""
    starts_at = NOW + timedelta(days=1)
    draft = {
        "id": str(uuid4()),
        "expected_version": version,
        "done": "教会十二位老人视频通话。",
        "helped": 12,
        "came": came,
        "served": [
            {
                "volunteer": str(one),
                "served_from": starts_at.isoformat(),
                "served_to": (starts_at + timedelta(hours=hours)).isoformat(),
            }
            for one, hours in served.items()
        ],
    }
    return {**draft, **changes}


async def announced(conn: asyncpg.Connection, places: int) -> UUID:
    """A service with so many places, by its id."""
    reader = await people.reader(conn, DISTRICT, LEADS.number)
    assert reader is not None
    draft = msgspec.convert(announcement(places=places, position=None), Announcement)
    async with conn.transaction():
        return (await services.announce(conn, Atlas(), reader, draft, NOW)).id


SHOWN, HELD = UUID(int=0x5E01), UUID(int=0x5E02)  # services of `settle`


async def settle(conn: asyncpg.Connection, text: str) -> None:
    """A team with a service to come, which somebody booked and somebody waits for, and one that was reported; in every
    text of them stands this one."""
    await found_team(conn, name=text)
    atlas = Atlas()
    await atlas.refresh(conn)
    reader = await people.reader(conn, DISTRICT, LEADS.number)
    assert reader is not None
    told = {"title": text, "about": text, "bring": text, "place": text, "volunteers": [str(LEADING), str(SERVING)]}
    past = NOW - timedelta(days=2)
    for id_, now in ((SHOWN, NOW), (HELD, past)):
        draft = announcement(**told, id=str(id_), places=1)
        if now == past:
            draft |= {
                "starts_at": (past + timedelta(hours=1)).isoformat(),
                "ends_at": (past + timedelta(hours=2)).isoformat(),
            }
        async with conn.transaction():
            await services.announce(conn, atlas, reader, msgspec.convert(draft, Announcement), now)
    cards_there = await doors(conn, 2)
    for card in cards_there:
        async with conn.transaction():
            await bookings.book_for_door(conn, reader, SHOWN, BookingForDoor(id=uuid4(), card=card), NOW)
    served = [
        {"volunteer": str(SERVING), "served_from": past + timedelta(hours=1), "served_to": past + timedelta(hours=2)}
    ]
    asked = report([], {}, 1, done=text) | {"served": served}
    async with conn.transaction():
        await service_reports.report(conn, reader, HELD, msgspec.convert(asked, Report), NOW)


async def confirm(conn: asyncpg.Connection) -> None:
    """The report of the service of `settle` that was held is found right."""
    reader = await people.reader(conn, DISTRICT, LEADS.number)
    assert reader is not None
    version = await conn.fetchval("select version from service where district = $1 and id = $2", DISTRICT, HELD)
    async with conn.transaction():
        await service_reports.confirm(conn, reader, HELD, Confirmation(id=uuid4(), expected_version=version), NOW)
