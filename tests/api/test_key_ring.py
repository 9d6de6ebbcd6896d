"""The key ring: where it lies, who may read it, and how a key comes onto it and off it while people work."""

import asyncio
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import pytest
from click.testing import CliRunner, Result
from litestar import Litestar

from api import jobs, key_ring
from api.app import create_app
from api.cli.keys import keys
from api.jobs import Work
from api.key_ring import KeyRingError
from api.settings import Settings
from surveys.access import second_factors
from surveys.privacy import resealing
from surveys.privacy.sealing import KeyRing, Place, key_of
from tests import doors, drafts
from tests.api.processes import Program
from tests.conftest import DISTRICT, MEMBER, NOW, STRANGER, WORKER, TestClock

pytestmark = pytest.mark.anyio

PHONE = "13812341234"
LONG_AGO = NOW - timedelta(days=400)

Command = Callable[..., Result]


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    given = Settings(database_url=dsn, data=tmp_path / "data", keys=tmp_path / "keys" / "keys.json", pool_size=4)
    key_ring.make(given, LONG_AGO)
    return given


@pytest.fixture
def zoufang_keys(settings: Settings) -> Command:
    """Runs the command; it opens its own loop, so it is to be called beside the test's."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(keys, arguments, obj=settings)

    return run


def age(settings: Settings) -> None:
    """Let the newest key be older than a minute."""
    ring = key_ring.read(settings)
    aged = KeyRing(keys=ring.keys, look_up_key=ring.look_up_key, made_at=dict.fromkeys(ring.keys, LONG_AGO))
    key_ring.replace(settings, aged)


async def reseal(conn: asyncpg.Connection, settings: Settings) -> dict[str, object]:
    """One turn of the job."""
    work = Work(district=DISTRICT, now=NOW, ring=key_ring.read(settings), settings=settings)
    async with conn.transaction():
        return dict(await jobs.named("reseal").run(conn, work))


# The file


def test_it_is_for_its_owner_alone_and_made_once(settings: Settings) -> None:
    assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.key_file.parent.stat().st_mode) == 0o700
    before = settings.key_file.read_bytes()
    with pytest.raises(KeyRingError, match="is there already"):
        key_ring.make(settings, NOW)
    assert settings.key_file.read_bytes() == before
    assert key_ring.read(settings).made_at == {1: LONG_AGO}
    key_ring.replace(settings, key_ring.read(settings).rotated(NOW))
    assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600
    assert key_ring.read(settings).made_at == {1: LONG_AGO, 2: NOW}


def test_it_never_lies_with_the_data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "way").symlink_to(tmp_path / "data")
    for place in (tmp_path / "data" / "keys.json", tmp_path / "data" / "a" / "k", tmp_path / "way" / "keys.json"):
        inside = Settings(data=tmp_path / "data", keys=place)
        for act in (key_ring.make, key_ring.read):
            with pytest.raises(KeyRingError, match="outside the data folder"):
                act(inside)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    ["", "{}", '{"keys": {}, "look_up_key": "AAAA"}', '{"keys": {"1": {"key": "AAAA", "made_at": "now"}}}', "\x00"],
)
def test_a_damaged_one_is_said_to_be(settings: Settings, content: str) -> None:
    settings.key_file.write_text(content)
    with pytest.raises(KeyRingError, match=r"is damaged|holds no key"):
        key_ring.read(settings)


def test_the_program_does_not_start_without_it(tmp_path: Path) -> None:
    program = Program(tmp_path / "data")
    key_ring.read(Settings(data=program.data))
    Settings(data=program.data).key_file.unlink()
    for command in ("serve", "jobs"):
        ended = program.run(command)
        assert ended.returncode == 1
        assert "There is no key ring at" in ended.stderr
        assert "Traceback" not in ended.stderr
    assert not (program.data / "postgresql").exists(), "it did not come as far as a database"


# Keys that come and go


async def seal_some(conn: asyncpg.Connection, settings: Settings) -> None:
    """A member's phone and a second factor, sealed under the newest key."""
    ring = key_ring.read(settings)
    phone = ring.seal(PHONE, Place(DISTRICT, MEMBER.id, "phone"))
    await conn.execute(
        "update member set phone = $1, phone_look_up = $2 where district = $3 and id = $4",
        phone,
        ring.look_up(PHONE),
        DISTRICT,
        MEMBER.id,
    )
    await second_factors.offer(conn, ring, DISTRICT, STRANGER.id, NOW)


async def test_a_key_goes_when_nothing_is_sealed_under_it(
    settings: Settings, conn: asyncpg.Connection, zoufang_keys: Command
) -> None:
    await seal_some(conn, settings)
    assert (await asyncio.to_thread(zoufang_keys, "retire", "1")).exit_code == 1, "the only one"
    rotated = await asyncio.to_thread(zoufang_keys, "rotate")
    assert rotated.exit_code == 0, rotated.output
    listed = (await asyncio.to_thread(zoufang_keys, "list")).output.splitlines()
    assert listed[0].split()[0] == "1"
    assert listed[0].split()[-1] == "2", "a phone and a second factor"
    assert "seals what is new" in listed[1]

    young = await asyncio.to_thread(zoufang_keys, "retire", "1")
    assert "made just now" in str(young.exception)
    age(settings)
    early = await asyncio.to_thread(zoufang_keys, "retire", "1")
    assert "still seals 2 fields" in str(early.exception)
    assert sorted(key_ring.read(settings).keys) == [1, 2]

    assert await reseal(conn, settings) == {"member": 1, "second_factor": 1}
    assert await reseal(conn, settings) == {}
    assert await resealing.counts(conn) == {2: 2}
    retired = await asyncio.to_thread(zoufang_keys, "retire", "1")
    assert retired.exit_code == 0, retired.output
    ring = key_ring.read(settings)
    assert sorted(ring.keys) == [2]
    phone = await conn.fetchval("select phone from member where id = $1", MEMBER.id)
    assert ring.open(phone, Place(DISTRICT, MEMBER.id, "phone")) == PHONE
    assert (await asyncio.to_thread(zoufang_keys, "retire", "7")).exit_code == 1
    events = await conn.fetch(
        "select event, facts from history where kind = 'installation' order by recorded_at, event"
    )
    assert [(row["event"], row["facts"]["key"]) for row in events] == [("key_added", 2), ("key_retired", 1)]


async def test_a_value_that_does_not_open_stays_and_stops_nothing(settings: Settings, conn: asyncpg.Connection) -> None:
    await seal_some(conn, settings)
    await conn.execute("update second_factor set secret = (select phone from member where phone is not null)")
    key_ring.replace(settings, key_ring.read(settings).rotated(NOW))
    assert await reseal(conn, settings) == {"member": 1, "second_factor": 0, "second_factor_not_genuine": 1}
    assert await resealing.counts(conn) == {1: 1, 2: 1}


async def test_a_key_is_added_while_people_file(
    settings: Settings, conn: asyncpg.Connection, clock: TestClock, zoufang_keys: Command
) -> None:
    app = create_app(settings, clock)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    filed: list[str] = []
    over = asyncio.Event()

    async def file(client: httpx.AsyncClient) -> None:
        while not over.is_set():
            issue = drafts.issue(contact={"name": "张秀英", "phone": PHONE})
            await doors.file(client, MEMBER, drafts.visit(issues=[issue]))
            filed.append(issue["id"])
            await asyncio.sleep(0.01)

    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://testserver.local") as client:
        filing = [asyncio.create_task(file(client)) for _ in range(4)]
        while len(filed) < 20:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        rotated = await asyncio.to_thread(zoufang_keys, "rotate")
        assert rotated.exit_code == 0, rotated.output
        async with asyncio.timeout(60):
            while 2 not in await resealing.counts(conn):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await reseal(conn, settings)
        over.set()
        await asyncio.gather(*filing)
        await reseal(conn, settings)
        assert await resealing.counts(conn) == {2: 2 * len(filed)}
        age(settings)
        retired = await asyncio.to_thread(zoufang_keys, "retire", "1")
        assert retired.exit_code == 0, retired.output
        await taken_up(app, [2])
        for issue in (filed[0], filed[-1]):
            shown = await client.post(f"/api/issues/{issue}/contact", json={"purpose": "回访"}, headers=WORKER.headers)
            assert doors.answered(shown, 200) == {"name": "张秀英", "phone": PHONE}
        found = await client.post("/api/contacts/search", json={"phone": PHONE}, headers=WORKER.headers)
        assert len(doors.answered(found, 200)["items"]) == min(len(filed), 200)
        keys_used = {key_of(row[0]) for row in await conn.fetch("select sealed from sealed_field")}
        assert keys_used == {2}
        assert await conn.fetchval("select count(*) from sealed_field where subject = $1", UUID(filed[0])) == 2


async def taken_up(app: Litestar, numbers: list[int]) -> None:
    """Wait until the program has a ring of these keys."""
    async with asyncio.timeout(30):
        while sorted(app.state.ring.keys) != numbers:  # noqa: ASYNC110 - it tells nobody when it looks
            await asyncio.sleep(0.05)


async def test_a_ring_that_breaks_while_the_program_serves_changes_nothing(
    settings: Settings, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, changed = asyncio.Event(), key_ring.Followed.changed

    def look(followed: key_ring.Followed) -> bool:
        try:
            return changed(followed)
        except KeyRingError:
            looked.set()
            raise

    monkeypatch.setattr(key_ring.Followed, "changed", look)
    app = create_app(settings, clock)
    async with app.lifespan():
        before = app.state.ring
        settings.key_file.write_text("{")
        await asyncio.wait_for(looked.wait(), 30)
        assert app.state.ring is before
        key_ring.replace(settings, before.rotated(NOW))
        await taken_up(app, [1, 2])
