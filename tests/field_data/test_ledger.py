"""A real city's ledger: 10,000 reports with their dirt, taken over by a mapping, each in its neighbourhood."""

import csv
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from api import database
from api.ledgers import Import, opened
from api.tables import read_table
from maps import boundaries
from maps.boundaries import Area, BoundaryVersion
from maps.locator import Locator
from surveys.counting import rates
from surveys.counting.issue_query import Filters
from surveys.ledgers import ledger_mapping
from surveys.ledgers.ledger_rows import Rejected
from surveys.ledgers.ledgers import Counts
from surveys.people import people
from surveys.people.people import Founding, Grant, Reader
from tests.conftest import NOW

pytestmark = [pytest.mark.field_data, pytest.mark.anyio]

CITY = 24510
FIRST_DAY = datetime(2014, 1, 1, tzinfo=UTC)
MAPPING = Path(__file__).with_name("baltimore.toml")


@pytest.fixture(scope="module")
def ledger(field_data: Path) -> Path:
    return field_data / "baltimore" / "311_2014_2019_10k_with_expected.csv"


@pytest.fixture(scope="module")
def expected(ledger: Path) -> Mapping[str, dict[str, str]]:
    """The ledger's rows by the ids that they get here."""
    with ledger.open(encoding="utf-8") as file:
        return {f"baltimore-311:{row['SRRecordID']}": row for row in csv.DictReader(file)}


@pytest.fixture
async def city(conn: asyncpg.Connection, field_data: Path) -> list[Area]:
    """The city as a district, with its neighbourhoods."""
    founding = Founding(
        district=CITY,
        code=str(CITY),
        name="Baltimore",
        time_zone="America/New_York",
        organisation=UUID(int=1),
        organisation_name="City Hall",
        member=UUID(int=2),
        member_number="1",
        member_name="Dispatcher",
    )
    await people.found(conn, founding, FIRST_DAY)
    areas = boundaries.read(field_data / "baltimore" / "neighborhoods.geojson", code_field="name").areas
    await boundaries.store(conn, CITY, areas, valid_from=FIRST_DAY, source="neighborhoods", now=NOW)
    return areas


TakeOver = Callable[[], Awaitable[tuple[Counts, list[Rejected]]]]


@pytest.fixture
def take_over(city: list[Area], conn: asyncpg.Connection, dsn: str, owner_dsn: str, ledger: Path) -> TakeOver:
    """Import the ledger, as the command does."""

    async def analyse() -> None:
        owner = await asyncpg.connect(owner_dsn)
        await owner.execute("analyze")
        await owner.close()

    async def run() -> tuple[Counts, list[Rejected]]:
        mapping = ledger_mapping.read(MAPPING.read_text(encoding="utf-8"))
        rejected: list[Rejected] = []
        running = Import(
            ledger=await opened(conn, mapping, CITY, NOW),
            table=read_table(ledger),
            clock=lambda: NOW,
            reject=rejected.append,
        )
        await running.run(lambda: database.connect(dsn), analyse)
        return running.counts, rejected

    return run


async def test_every_report_is_taken_over_and_none_twice(take_over: TakeOver, conn: asyncpg.Connection) -> None:
    counts, rejected = await take_over()
    assert rejected == []
    assert counts == Counts(rows=10_000, filed=10_000, without_position=1_482, outside=187)
    counts, _ = await take_over()
    assert counts == Counts(rows=10_000, already_there=10_000)
    assert await conn.fetchval("select count(*) from issue where district = $1", CITY) == 10_000


async def test_reports_are_placed_where_an_independent_check_has_them(
    take_over: TakeOver, conn: asyncpg.Connection, city: list[Area], expected: Mapping[str, dict[str, str]]
) -> None:
    """On a line or in an overlap the check took another of the neighbourhoods; without a position, and outside of all,
    the neighbourhood is the one that the ledger names."""
    await take_over()
    locator = Locator(BoundaryVersion(1, FIRST_DAY, city, "neighborhoods"))
    differ = []
    for issue in await conn.fetch("select source_id, community, certainty, lon, lat from issue"):
        row = expected[issue["source_id"]]
        if issue["certainty"] in ("unplaced", "outside"):
            assert issue["community"] == (row["Neighborhood"] or None)
            assert row["pip_nbhd"] == ""
        elif issue["community"] != row["pip_nbhd"]:
            differ.append(locator.at(issue["lon"], issue["lat"]))
            assert row["pip_nbhd"] in differ[-1].candidates
            assert issue["community"] == min(differ[-1].candidates)
    assert len(differ) == 8


async def test_states_dates_and_agencies_are_the_ledgers(
    take_over: TakeOver, conn: asyncpg.Connection, expected: Mapping[str, dict[str, str]]
) -> None:
    await take_over()
    told = Counter(row["SRStatus"] for row in expected.values())
    states = Counter(
        {row["state"]: row["count"] for row in await conn.fetch("select state, count(*) from issue group by 1")}
    )
    assert states == {
        "reported": told["New"],
        "accepted": told["Open"],
        "in_progress": told["Pending"] + told["In Progress"],
        "closed": told["Closed"] + told["Closed (Transferred)"],
        "rejected": told["Closed (Duplicate)"] + told["Open (Duplicate)"] + told["New (Duplicate)"],
    }
    assert await conn.fetchval("select count(*) from category where code like 'x%'") == 231
    assert await conn.fetchval("select count(*) from department where district = $1", CITY) == 16
    one = await conn.fetchrow("select * from issue where source_id = 'baltimore-311:18-00269879'")
    assert one is not None
    assert one["reported_at"] == datetime(2018, 4, 12, 15, 11, 26, tzinfo=UTC)  # daylight saving time
    assert one["due_at"] - one["reported_at"] == timedelta(days=1)
    closed = await conn.fetchval("select happened_at from history where thing = $1 and event = 'close'", one["id"])
    assert closed == datetime(2018, 4, 12, 16, 45, 47, tzinfo=UTC)


async def test_every_life_ends_in_the_issues_state_and_leaves_no_gap(
    take_over: TakeOver, conn: asyncpg.Connection
) -> None:
    await take_over()
    odd = await conn.fetch(
        """
        select i.id from issue i
        join lateral (
          select array_agg(state order by version) as states,
                 bool_and(valid_from <= valid_to) and max(valid_to) = 'infinity' as forward,
                 array_agg(valid_to order by version) as ends, array_agg(valid_from order by version) as starts
          from issue_spans s where s.issue = i.id
        ) life on true
        join lateral (
          select array_agg(facts ->> 'state' order by version) as states from history h where h.thing = i.id
        ) told on true
        where not life.forward or life.ends[1:i.version - 1] <> life.starts[2:i.version]
           or life.states <> told.states or life.states[i.version] <> i.state
        """
    )
    assert odd == []
    assert await conn.fetchval("select count(*) from issue_spans") > 30_000


BALTIMORE = ZoneInfo("America/New_York")
CLOSED = {"Closed", "Closed (Transferred)"}
LIMIT = timedelta(hours=168)  # the mapping's, where the ledger has no due time
DUPLICATES = {"Closed (Duplicate)", "Open (Duplicate)", "New (Duplicate)"}


def at(row: Mapping[str, str], *columns: str) -> datetime:
    """The first of these dates that the row has."""
    told = next(row[column] for column in columns if row[column])
    return datetime.strptime(told, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=BALTIMORE).astimezone(UTC)


def on_time(rows: Iterable[Mapping[str, str]]) -> tuple[int, int]:
    """How many of these reports were closed by their due time, of those that are closed or, open still, past it."""
    of = met = 0
    for row in rows:
        due_at = at(row, "DueDate") if row["DueDate"] else at(row, "CreatedDate") + LIMIT
        if row["SRStatus"] in CLOSED:
            of += 1
            met += at(row, "CloseDate", "StatusDate", "CreatedDate") <= due_at
        elif row["SRStatus"] not in DUPLICATES:
            of += due_at < NOW
    return of, met


def told(row: rates.Row) -> tuple[int, int]:
    """What a row of the rates says of it."""
    share = row.shares["on_time"]
    return share.denominator, share.numerator


async def test_the_on_time_rate_is_that_of_the_file(
    take_over: TakeOver, conn: asyncpg.Connection, expected: Mapping[str, dict[str, str]]
) -> None:
    """In all, and for each agency."""
    await take_over()
    grants = (Grant("leader", "district", str(CITY)),)
    reader = Reader(district=CITY, member=UUID(int=2), name="Dispatcher", organisation=UUID(int=1), grants=grants)
    (city,) = (await rates.by(conn, reader, Filters(), "district", BALTIMORE, NOW)).rows
    assert told(city) == on_time(expected.values())
    agencies: dict[str | None, list[dict[str, str]]] = defaultdict(list)
    for row in expected.values():
        agencies[row["Agency"] or None].append(row)
    counted = (await rates.by(conn, reader, Filters(), "department", BALTIMORE, NOW)).rows
    assert {row.name: told(row) for row in counted} == {agency: on_time(rows) for agency, rows in agencies.items()}
