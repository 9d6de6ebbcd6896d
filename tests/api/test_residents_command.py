"""`zoufang residents`: the phone comes from standard input, never from an argument; a file is for its owner alone."""

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from click.testing import CliRunner, Result

from api import erasure_journal, key_ring
from api.cli.residents import residents_group
from api.settings import Settings
from surveys.history import Actor
from surveys.issues import issues
from surveys.issues.issues import IssueRow, Step
from surveys.privacy import contacts
from surveys.privacy.contacts import Contact
from tests.conftest import DISTRICT, NEAR, NOW, WORKER

pytestmark = pytest.mark.anyio

NAME, PHONE = "张秀英", "13812341234"
Command = Callable[..., Result]


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    given = Settings(database_url=dsn, data=tmp_path / "data", keys=tmp_path / "keys" / "keys.json")
    key_ring.make(given)
    return given


@pytest.fixture
async def reported(conn: asyncpg.Connection, settings: Settings) -> IssueRow:
    """An issue with the resident's contact."""
    row = IssueRow(
        district=DISTRICT,
        id=uuid4(),
        number=10001,
        version=1,
        source="ledger",
        reported_at=NOW,
        category="0102",
        urgency="normal",
        channel="joint_review",
        state="reported",
        owner=WORKER.id,
        clock_started_at=NOW,
        limit_version=1,
        limit_amount=72,
        due_at=NOW,
        response_due_at=NOW,
        held_since=NOW,
        community=NEAR,
        certainty="unplaced",
        text_version=1,
        recorded_at=NOW,
    )
    step = Step(
        id=uuid4(),
        event="report",
        actor=Actor("import", "tests"),
        happened_at=NOW,
        state="reported",
        owner=WORKER.id,
        department=None,
    )
    await issues.record(conn, [issues.new(row=row, title="门口垃圾成堆", description=None, steps=(step,))])
    told = Contact(name=NAME, phone=PHONE)
    await contacts.replace(conn, key_ring.read(settings), DISTRICT, row.id, told, NOW)
    return row


@pytest.fixture
def command(settings: Settings) -> Command:
    """Runs the command with a line on its standard input; it opens its own loop, so call it beside the test's."""

    def run(*arguments: str, typed: str = PHONE, district: int = DISTRICT) -> Result:
        asked = [*arguments, "--district", str(district), "--purpose", "居民申请"]
        return CliRunner().invoke(residents_group, asked, obj=settings, input=f"{typed}\n")

    return run


async def test_a_resident_is_found(command: Command, reported: IssueRow, conn: asyncpg.Connection) -> None:
    found = await asyncio.to_thread(command, "find", typed="+86 138 1234 1234")
    assert found.exit_code == 0, found.output
    assert "10001" in found.stdout
    assert "张** 138****1234" in found.stdout
    assert PHONE not in found.output
    event = await conn.fetchrow("select * from history where kind = 'reveal'")
    assert event is not None
    assert (event["event"], event["actor_kind"], event["actor"]) == ("resident_found", "program", "residents")
    assert event["facts"]["issues"] == [str(reported.id)]


async def test_what_is_handed_out_is_for_its_owner_alone(command: Command, reported: IssueRow, tmp_path: Path) -> None:
    for form, name in (("json", "resident.json"), ("text", "resident.txt")):
        output = tmp_path / name
        done = await asyncio.to_thread(command, "export", "--format", form, "--output", str(output))
        assert done.exit_code == 0, done.output
        assert stat.S_IMODE(output.stat().st_mode) == 0o600
        assert NAME in output.read_text(encoding="utf-8")
        assert PHONE in output.read_text(encoding="utf-8")
    again = await asyncio.to_thread(command, "export", "--output", str(tmp_path / "resident.json"))
    assert again.exit_code == 1
    assert "nothing was written" in again.output
    record = msgspec.json.decode((tmp_path / "resident.json").read_bytes())
    assert [issue["id"] for issue in record["issues"]] == [str(reported.id)]


async def test_a_resident_is_forgotten_after_a_question(
    command: Command, reported: IssueRow, settings: Settings, conn: asyncpg.Connection
) -> None:
    kept = await asyncio.to_thread(command, "erase", typed=f"{PHONE}\nn")
    assert kept.exit_code == 1
    assert await conn.fetchval("select count(*) from sealed_field where sealed is not null") == 2
    done = await asyncio.to_thread(command, "erase", "--with-texts", typed=f"{PHONE}\ny")
    assert done.exit_code == 0, done.output
    receipt = msgspec.json.decode(done.stdout[done.stdout.index("{") :])
    assert (receipt["issues"], receipt["sealed_fields"], receipt["texts"]) == ([str(reported.id)], 2, 1)
    assert await conn.fetchval("select count(*) from sealed_field where sealed is not null") == 0
    assert [str(entry.id) for entry in erasure_journal.read(settings)] == [receipt["id"]]


@pytest.mark.parametrize(
    ("typed", "district", "said"),
    [
        ("1381234123x", DISTRICT, "5"),
        ("", DISTRICT, "5"),
        ("13700000000", DISTRICT, "no contact"),
        (PHONE, 9, "no district 9"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_quoted(
    command: Command, reported: IssueRow, typed: str, district: int, said: str
) -> None:
    refused = await asyncio.to_thread(command, "erase", "--yes", typed=typed, district=district)
    assert refused.exit_code == 1
    assert said in refused.output
    assert not typed or typed not in refused.output
