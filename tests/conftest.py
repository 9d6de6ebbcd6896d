"""A real PostgreSQL, a small district, and a person for every role, a stranger among them."""

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID, uuid4

import asyncpg
import httpx
import hypothesis
import pytest
import shapely
from msgspec import Struct

from api import database, holiday_lists, migrations
from api.app import create_app
from api.embedded_postgres import Cluster
from api.settings import Settings
from maps import boundaries
from maps.boundaries import Area
from surveys.access import sessions
from surveys.privacy.sealing import KEY_BYTES, KeyRing

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # noon in the district
DISTRICT = 410103
RING = KeyRing(keys={1: b"1" * KEY_BYTES}, look_up_key=b"l" * KEY_BYTES)


# How long one example takes says more of what else the machine does than of the program.
hypothesis.settings.register_profile("tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("tests")


def pytest_configure() -> None:
    """Let Ctrl-C be heard: a shell that starts the tests in the background has them, and all they start, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


class Server(Struct, frozen=True):
    """A PostgreSQL server for tests, by the address of a database as a role."""

    address: str  # with {role} and {database} to fill in

    def dsn(self, role: str = "zoufang_owner", name: str = "postgres") -> str:
        return self.address.format(role=role, database=name)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The embedded server, or the one that ZOUFANG_TEST_POSTGRES names."""
    given = os.environ.get("ZOUFANG_TEST_POSTGRES")
    if given:
        yield Server(given)
        return
    with tempfile.TemporaryDirectory(prefix="zf-") as folder, Cluster(Path(folder) / "pg", durable=False) as cluster:
        yield Server(unquote(cluster.dsn("{role}", "{database}")))


@pytest.fixture(scope="session")
async def template(server: Server, anyio_backend: str) -> str:
    """A migrated database with a small district in it, from which each test's own is copied."""
    name = f"template_{uuid4().hex[:8]}"
    await _on_server(server, f"create database {name}")
    conn = await asyncpg.connect(server.dsn(name=name))
    await migrations.migrate(conn)
    await conn.close()
    conn = await database.connect(server.dsn("zoufang_app", name))
    await found_district(conn)
    await conn.close()
    return name


@asynccontextmanager
async def founded(server: Server, template: str) -> AsyncIterator[str]:
    """A copy of the template for as long as it is needed, by its address as the role that runs."""
    name = f"test_{uuid4().hex[:12]}"
    await _on_server(server, f"create database {name} template {template}")
    yield server.dsn("zoufang_app", name)
    await _on_server(server, f"drop database {name} with (force)")


@pytest.fixture
async def dsn(server: Server, template: str) -> AsyncIterator[str]:
    """A database of the test's own, as the role that runs."""
    async with founded(server, template) as address:
        yield address


@pytest.fixture
def owner_dsn(server: Server, dsn: str) -> str:
    """The test's own database, as the role that owns it."""
    return server.dsn(name=dsn.split("?", maxsplit=1)[0].rsplit("/", maxsplit=1)[1])


async def _on_server(server: Server, statement: str) -> None:
    conn = await asyncpg.connect(server.dsn())
    await conn.execute(statement)
    await conn.close()


@pytest.fixture
async def conn(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's own database, as the role that runs."""
    connection = await database.connect(dsn)
    yield connection
    await connection.close()


class Person(Struct, frozen=True):
    """Somebody of the small district, with the token that they hold."""

    id: UUID
    name: str
    number: str
    role: str
    scope_kind: str
    scope: str
    organisation: UUID

    @property
    def token(self) -> str:
        return self.token_in(DISTRICT)

    def token_in(self, district: int) -> str:
        return f"zf_{district}_{self.number:A<43}"

    @property
    def headers(self) -> dict[str, str]:
        return self.headers_in(DISTRICT)

    def headers_in(self, district: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token_in(district)}"}


# A branch, one below it and one beside it; none has an area, until a test gives it one.
ORGANISATION, BELOW, BESIDE = UUID(int=100), UUID(int=101), UUID(int=102)
ORGANISATIONS = [(ORGANISATION, None, "第一支部"), (BELOW, ORGANISATION, "第一小组"), (BESIDE, None, "第二支部")]


def person(number: str, name: str, role: str, scope_kind: str, scope: str, organisation: UUID = ORGANISATION) -> Person:
    return Person(UUID(int=int(number)), name, number, role, scope_kind, scope, organisation)


# Two streets, three communities side by side, each 0.01° wide, and a person for every role.
NEAR, NEXT, FAR = "410103001001", "410103001002", "410103002001"
MEMBER = person("1", "王走访", "member", "own", "")
STRANGER = person("2", "陌生人", "member", "own", "")
WORKER = person("3", "李社区", "community_worker", "community", NEAR)
OTHER_WORKER = person("4", "赵社区", "community_worker", "community", FAR)
STREET_DISPATCHER = person("5", "钱调度", "dispatcher", "street", "410103001")
DISPATCHER = person("6", "孙调度", "dispatcher", "district", str(DISTRICT))
HANDLER = person("7", "周城管", "department_handler", "department", "city_management")
LEADER = person("8", "吴领导", "leader", "district", str(DISTRICT))
ADMINISTRATOR = person("9", "郑管理", "administrator", "district", str(DISTRICT))
PEOPLE = [MEMBER, STRANGER, WORKER, OTHER_WORKER, STREET_DISPATCHER, DISPATCHER, HANDLER, LEADER, ADMINISTRATOR]

# Those who look after the organisations and the house, a leader of one street, and members of the other organisations.
ORGANISER = person("10", "冯组织", "organiser", "organisation", str(ORGANISATION))
AUDITOR = person("11", "陈审计", "auditor", "district", str(DISTRICT))
OPERATOR = person("12", "褚运维", "operator", "district", str(DISTRICT))
STREET_LEADER = person("13", "卫领导", "leader", "street", "410103001")
MEMBER_BELOW = person("14", "蒋小组", "member", "own", "", BELOW)
MEMBER_BESIDE = person("15", "沈二支", "member", "own", "", BESIDE)
ORGANISER_BESIDE = person("16", "韩组织", "organiser", "organisation", str(BESIDE), BESIDE)
EVERYBODY = [
    *PEOPLE,
    ORGANISER,
    AUDITOR,
    OPERATOR,
    STREET_LEADER,
    MEMBER_BELOW,
    MEMBER_BESIDE,
    ORGANISER_BESIDE,
]

AREAS = [
    Area(NEAR, "近邻社区", "410103001", shapely.box(113.60, 34.70, 113.61, 34.71), "淮河路街道"),
    Area(NEXT, "隔壁社区", "410103001", shapely.box(113.61, 34.70, 113.62, 34.71), "淮河路街道"),
    Area(FAR, "远方社区", "410103002", shapely.box(113.62, 34.70, 113.63, 34.71), "铭功路街道"),
]


async def found_district(conn: asyncpg.Connection, district: int = DISTRICT) -> None:
    """Write the small district of the tests, or its twin under another number."""
    long_ago = NOW - timedelta(days=365)
    async with conn.transaction():
        await holiday_lists.seed(conn, long_ago, last=NOW.year)
        await conn.execute(
            "insert into district (district, code, name, time_zone, dispatcher, created_at)"
            " values ($1, $1::int::text, '二七区', 'Asia/Shanghai', $2, $3)",
            district,
            DISPATCHER.id,
            long_ago,
        )
        await conn.execute("insert into number_series values ($1, 'issue', 10001)", district)
        await conn.executemany(
            "insert into organisation (district, id, parent, name) values ($1, $2, $3, $4)",
            [(district, *organisation) for organisation in ORGANISATIONS],
        )
        await conn.execute(
            "insert into organisation_spans (district, organisation, valid_from, parent, name, recorded_at)"
            " select district, id, '-infinity', parent, name, $2 from organisation where district = $1",
            district,
            long_ago,
        )
        await conn.execute(
            "insert into department values ($1, 'city_management', '城管局'), ($1, 'water', '水务局')", district
        )
        for one in EVERYBODY:
            await join(conn, district, one, long_ago)
        await _allow_categories(conn, district, long_ago)
        await boundaries.store(conn, district, AREAS, valid_from=long_ago, source="tests", now=long_ago)


async def join(conn: asyncpg.Connection, district: int, one: Person, at: datetime) -> None:
    """Let somebody be a member of a district, with their role and the token that they hold."""
    await conn.execute(
        "insert into member (district, id, number, name, organisation, joined_at) values ($1, $2, $3, $4, $5, $6)",
        district,
        one.id,
        one.number,
        one.name,
        one.organisation,
        at,
    )
    scope = str(district) if one.scope_kind == "district" else one.scope
    if one.role:
        await conn.execute(
            "insert into member_role values ($1, $2, $3, $4, $5)", district, one.id, one.role, one.scope_kind, scope
        )
    await conn.execute(
        "insert into access_token (district, digest, member, label, created_at) values ($1, $2, $3, 'tests', $4)",
        district,
        sessions.credential(one.token_in(district)).digest,
        one.id,
        at,
    )


async def _allow_categories(conn: asyncpg.Connection, district: int, at: datetime) -> None:
    await conn.execute(
        "insert into category (district, code, name, parent, channel, department, retired_at) values"
        " ($1, '01', '市容环境', null, 'joint_review', null, null),"
        " ($1, '0102', '垃圾成堆', '01', 'joint_review', 'city_management', null),"
        " ($1, '0103', '占道经营', '01', 'agent', null, null),"
        " ($1, '0199', '旧类别', '01', 'agent', null, $2)",
        district,
        at,
    )
    await conn.execute(
        "insert into category_limit (district, category, urgency, version, amount, unit, response_amount,"
        " response_unit, valid_from)"
        " select $1, code, urgency, 1, hours, 'calendar_hours', least(hours, 24), 'calendar_hours', $2"
        " from unnest(array['0102', '0103', '0199']) code,"
        " (values ('normal', 72), ('urgent', 24), ('emergency', 4)) u(urgency, hours)",
        district,
        at,
    )


class TestClock:
    """A clock that a test sets."""

    __test__ = False

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


Client = httpx.AsyncClient


@asynccontextmanager
async def serving(settings: Settings, clock: TestClock) -> AsyncIterator[Client]:
    """The program from its start to its end, spoken to over HTTP in the test's own event loop: requests that are
    sent together run together."""
    app = create_app(settings, clock, RING)
    async with (
        app.lifespan(),
        Client(transport=httpx.ASGITransport(app), base_url="http://testserver.local") as client,  # type: ignore[arg-type]
    ):
        yield client


@pytest.fixture
async def client(dsn: str, clock: TestClock) -> AsyncIterator[Client]:
    """The program on the test's own database."""
    async with serving(Settings(database_url=dsn, pool_size=4), clock) as opened:
        yield opened


@pytest.fixture(scope="session")
async def shared_dsn(server: Server, template: str) -> AsyncIterator[str]:
    """One database for all tests that look at nothing but what they themselves have filed."""
    async with founded(server, template) as address:
        yield address


@pytest.fixture(scope="session")
async def shared(shared_dsn: str) -> AsyncIterator[Client]:
    """The program on the database that tests share. Its clock stands, so that no test waits for what others asked: it
    lets everybody in as often as they like."""
    often = Settings(database_url=shared_dsn, page_burst=1_000_000, sign_in_burst=1_000_000, card_burst=1_000_000)
    async with serving(often, TestClock()) as opened:
        yield opened


@pytest.fixture
async def undone(shared_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the database that tests share, in a transaction that is undone when the test is over."""
    connection = await database.connect(shared_dsn)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()
