"""Services on the map: what is told there is what the list counts, place by place and day by day."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import pytest
from msgspec import Struct

from api import database
from maps import tiles
from maps.locator import Atlas
from surveys.counting.issue_query import Filters
from surveys.people import people
from surveys.people.people import Reader
from surveys.refusals import InvalidFilter, NotAllowed
from surveys.volunteering import service_lists, service_marks, service_reports, services
from surveys.volunteering.service_lists import ServiceFilters, Stands
from surveys.volunteering.service_marks import TOLD, ServiceMarks
from surveys.volunteering.service_reports import Confirmation, Report
from surveys.volunteering.services import Announcement, Cancellation
from tests import services_at_hand
from tests.conftest import DISTRICT, FAR, NEAR, NOW, Server, founded
from tests.services_at_hand import LEADS, SERVING, announcement, report
from tests.surveys.test_query_plans import indexes

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
HERE, THERE = {"lon": 113.605, "lat": 34.705, "source": "map"}, {"lon": 113.645, "lat": 34.705, "source": "map"}
MANY = TOLD + 2


class Town(Struct):
    conn: asyncpg.Connection
    reader: Reader
    atlas: Atlas

    async def announce(self, days: float, **changes: Any) -> UUID:
        """A service that begins so many days from now; one in the past was announced before it."""
        starts_at = NOW + timedelta(days=days)
        times = {"starts_at": starts_at.isoformat(), "ends_at": (starts_at + timedelta(hours=1)).isoformat()}
        draft = msgspec.convert(announcement(**times, **changes), Announcement)
        async with self.conn.transaction():
            told = await services.announce(
                self.conn, self.atlas, self.reader, draft, min(NOW, starts_at) - timedelta(days=1)
            )
        return told.id

    async def hold(self, days: float, **changes: Any) -> UUID:
        """One that was reported and confirmed on its day."""
        id_ = await self.announce(days, **changes)
        starts_at = NOW + timedelta(days=days)
        served = {"volunteer": str(SERVING), "served_from": starts_at, "served_to": starts_at + timedelta(hours=1)}
        draft = msgspec.convert(report([], {}, 1) | {"served": [served]}, Report)
        async with self.conn.transaction():
            told = await service_reports.report(self.conn, self.reader, id_, draft, starts_at + timedelta(hours=2))
            confirmation = Confirmation(id=uuid4(), expected_version=told.version)
            await service_reports.confirm(self.conn, self.reader, id_, confirmation, starts_at + timedelta(hours=3))
        return id_

    async def marks(self, zoom: int = 12, **filters: Any) -> ServiceMarks:
        asked = Filters(**filters)
        return await service_marks.on_map(self.conn, self.reader, asked, ZONE, NOW, tiles.shift_for(zoom))

    async def listed(self, stands: Stands, **filters: Any) -> int | None:
        return (await service_lists.page(self.conn, self.reader, ServiceFilters(stands=stands, **filters), NOW)).total


@pytest.fixture(scope="module")
async def town(server: Server, template: str) -> AsyncIterator[Town]:
    async with founded(server, template) as address:
        conn = await database.connect(address)
        await services_at_hand.found_team(conn)
        reader = await people.reader(conn, DISTRICT, LEADS.number)
        assert reader is not None
        atlas = Atlas()
        await atlas.refresh(conn)
        made = Town(conn, reader, atlas)
        for day in range(1, MANY + 1):
            await made.announce(day, position=HERE)
        await made.announce(2, position=THERE)
        await made.announce(2, position=None)
        cancelled = await made.announce(3, position=HERE)
        draft = Cancellation(id=uuid4(), expected_version=1, reason="下雨")
        async with conn.transaction():
            await services.cancel(conn, reader, cancelled, draft, NOW)
        await made.hold(-3, position=HERE)
        await made.hold(-40, position=THERE)
        await made.announce(-2, position=HERE)  # over, and not reported
        yield made
        await conn.close()


def counted(found: ServiceMarks) -> list[tuple[int, int]]:
    return sorted((one.count, one.held) for one in found.marks)


async def test_the_map_has_what_the_list_counts(town: Town) -> None:
    found = await town.marks()
    assert (found.to_come, found.held, found.unplaced) == (MANY + 2, 1, 1)
    assert found.to_come == await town.listed("to_come")
    assert found.first == NOW.date() - timedelta(days=29)
    assert counted(found) == [(1, 0), (MANY + 1, 1)]


async def test_a_mark_tells_the_soonest_first_and_no_more_than_a_few(town: Town) -> None:
    [crowd] = [one for one in (await town.marks()).marks if one.count > 1]
    starts = [one.starts_at for one in crowd.services]
    assert starts == sorted(starts)
    assert len(starts) == TOLD
    assert all(one.state == "announced" for one in crowd.services)
    assert abs(crowd.lon - HERE["lon"]) < 1e-6  # type: ignore[operator]


async def test_a_view_has_the_marks_that_lie_in_it_and_the_numbers_of_all(town: Town) -> None:
    found = await town.marks(bbox=(113.64, 34.70, 113.65, 34.71))
    assert counted(found) == [(1, 0)]
    assert found.to_come == MANY + 2


async def test_a_period_has_what_was_held_in_it(town: Town) -> None:
    found = await town.marks(reported_from=date(2026, 10, 1), reported_to=date(2026, 10, 31))
    assert found.held == 1
    assert (1, 1) not in counted(found)  # it lies where one is to come
    assert (2, 1) in counted(found)
    since, until = (NOW - timedelta(days=60)), (NOW - timedelta(days=20))
    assert found.held == await town.listed("held", since=since, until=until)


async def test_on_a_past_day_nothing_is_to_come(town: Town) -> None:
    found = await town.marks(as_of=NOW.date() - timedelta(days=1))
    assert found.to_come is None
    assert counted(found) == [(1, 1)]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"community": (NEAR,)}, MANY),
        ({"community": (FAR,)}, 0),
        ({"street": ("410103002",)}, 0),
        ({"group": ("overdue",)}, MANY + 2),
    ],
)
async def test_places_narrow_and_what_is_said_of_issues_does_not(
    town: Town, filters: dict[str, Any], wanted: int
) -> None:
    assert (await town.marks(**filters)).to_come == wanted


async def test_a_box_that_is_none_is_refused_and_so_is_who_reads_nothing(town: Town) -> None:
    with pytest.raises(InvalidFilter):
        await town.marks(bbox=(1.0, 1.0, 0.0, 0.0))
    nobody = msgspec.structs.replace(town.reader, grants=())
    with pytest.raises(NotAllowed):
        await service_marks.on_map(town.conn, nobody, Filters(), ZONE, NOW, 10)


# Years of services that were held, as copies of one of them.
HELD_LONG_AGO = """
insert into service select r.* from service s, generate_series(1, 10000) as n,
  lateral jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(),
    'starts_at', s.starts_at - n * interval '3 hours' - interval '60 days',
    'ends_at', s.ends_at - n * interval '3 hours' - interval '60 days')) as r
where s.district = $1 and s.id = $2
"""


async def test_years_of_services_are_not_read_for_those_of_a_month(town: Town, server: Server) -> None:
    name = await town.conn.fetchval("select current_database()")
    held = await town.conn.fetchval("select id from service where state = 'confirmed' limit 1")
    before = await town.marks()
    await town.conn.execute(HELD_LONG_AGO, DISTRICT, held)
    owner = await asyncpg.connect(server.dsn(name=name))
    await owner.execute("vacuum analyze service")
    await owner.close()
    used = await indexes(town.conn, lambda conn: town.marks())
    assert {"service_to_come", "service_by_start"} <= used, used
    assert (await town.marks()).held == before.held
