"""A ledger with residents' names and phones: sealed with their issues, in no text, and refused without a quotation."""

import asyncio
import csv
import stat
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from click.testing import CliRunner, Result

from api import key_ring
from api.cli.issues import issues
from api.settings import Settings
from surveys.privacy import contacts
from surveys.privacy.contacts import Masked
from tests.conftest import DISTRICT
from tests.surveys.ledgers_at_hand import MAPPING, ROW

pytestmark = pytest.mark.anyio

TOLD = {"联系人": "张秀英", "电话": "138-1234-1234"}


@pytest.fixture
def settings(dsn: str, owner_dsn: str, tmp_path: Path) -> Settings:
    return Settings(
        database_url=dsn,
        migration_database_url=owner_dsn,
        data=tmp_path / "data",
        keys=tmp_path / "keys" / "keys.json",
    )


async def imported(settings: Settings, folder: Path, *rows: dict[str, str]) -> Result:
    """Run the command on a ledger with these rows."""
    ledger, mapping = folder / "台账.csv", folder / "mapping.toml"
    whole = [{**ROW, "编号": f"A-{at}", **TOLD, **row} for at, row in enumerate(rows)]
    with ledger.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*ROW, *TOLD])
        writer.writeheader()
        writer.writerows(whole)
    columns = '[columns]\ncontact_name = "联系人"\ncontact_phone = "电话"\n'
    mapping.write_text(MAPPING.replace("[columns]\n", columns), encoding="utf-8")
    arguments = [str(ledger), "--mapping", str(mapping), "--district", str(DISTRICT)]
    return await asyncio.to_thread(CliRunner().invoke, issues, arguments, obj=settings)


async def test_names_and_phones_are_sealed_with_their_issues(
    settings: Settings, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    ring = key_ring.make(settings)
    rows = [
        {},
        {"电话": "无"},
        {"联系人": ""},
        {"联系人": "", "电话": "-"},
        {"电话": "一二三4"},
        {"电话": "138x12341234"},
    ]
    result = await imported(settings, tmp_path, *rows)
    assert result.exit_code == 0, result.output
    filed = {row["source_id"][-1]: row["id"] for row in await conn.fetch("select id, source_id from issue")}
    kept = await contacts.of_issues(conn, DISTRICT, list(filed.values()))
    assert {at: kept[issue].masked(ring) for at, issue in filed.items()} == {
        "0": Masked(name="张**", phone="138****1234"),
        "1": Masked(name="张**", phone=None),
        "2": Masked(name=None, phone="138****1234"),
        "3": None,
    }
    assert kept[filed["0"]].plain(ring).phone == "138-1234-1234"
    with (tmp_path / "台账.csv.rejected.csv").open(encoding="utf-8-sig", newline="") as file:
        refused = list(csv.reader(file))
    assert len(refused) == 3
    assert stat.S_IMODE((tmp_path / "台账.csv.rejected.csv").stat().st_mode) == 0o600
    assert "1234" not in result.output.replace(str(tmp_path), ""), "but for the folder, which may have any number"
    for table in ("issue", "history", "text_version"):
        for row in await conn.fetch(f"select t::text as row from {table} t"):
            assert "张秀英" not in row["row"]
            assert "12341234" not in row["row"].replace("-", "")


async def test_a_second_run_seals_nothing_twice(settings: Settings, conn: asyncpg.Connection, tmp_path: Path) -> None:
    key_ring.make(settings)
    await imported(settings, tmp_path, {})
    [issue] = [row["id"] for row in await conn.fetch("select id from issue")]
    assert isinstance(issue, UUID)
    before = await conn.fetch("select * from sealed_field order by field")
    result = await imported(settings, tmp_path, {}, {})
    assert "1  already there" in result.output
    assert await conn.fetch("select * from sealed_field where subject = $1 order by field", issue) == before
    assert await conn.fetchval("select count(*) from sealed_field") == 4


async def test_without_keys_nothing_is_taken_over(settings: Settings, conn: asyncpg.Connection, tmp_path: Path) -> None:
    result = await imported(settings, tmp_path, {})
    assert result.exit_code == 1
    assert "no key ring" in str(result.exception)
    assert await conn.fetchval("select count(*) from issue") == 0
