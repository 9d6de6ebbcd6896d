"""Last night's backup, after the data folder is gone: the same counts, a history that verifies, a resident's phone that
is shown again, and what was erased since stays erased."""

import asyncio
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from api.embedded_postgres import Cluster
from tests.api.processes import COMMAND, Program, stop

pytestmark = pytest.mark.timeout(1_800)

KEPT, ERASED = "13800001234", "13900005678"
DISTRICT = "410103"


def visit_with_contact(phone: str) -> dict[str, Any]:
    """A visit half an hour ago, with one problem and the number of the person who told of it."""
    began = datetime.now(UTC) - timedelta(minutes=30)
    contact = {"name": "王某某", "phone": phone}
    return {
        "id": str(uuid4()),
        "premises": {"kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"},
        "started_at": began.isoformat(),
        "ended_at": (began + timedelta(minutes=5)).isoformat(),
        "outcome": "met",
        "issues": [{"id": str(uuid4()), "category": "0102", "title": "门口垃圾成堆", "contact": contact}],
    }


def filed(program: Program, token: dict[str, str], phone: str) -> str:
    visit = visit_with_contact(phone)
    answer = program.ask("/api/visits", visit, token)
    assert answer.status_code == 201, answer.text
    issue: str = visit["issues"][0]["id"]
    return issue


def revealed(program: Program, token: dict[str, str], issue: str) -> dict[str, Any] | None:
    """The contact as somebody with a purpose sees it; None once it is erased."""
    answer = program.ask(f"/api/issues/{issue}/contact", {"purpose": "回访"}, token)
    if answer.status_code != 200:
        assert answer.json()["code"] == "no_contact", answer.text
        return None
    contact: dict[str, Any] = answer.json()
    return contact


def erase(program: Program, phone: str) -> None:
    """A resident's wish, through the command; the number comes from standard input."""
    done = subprocess.run(
        [*COMMAND, "residents", "erase", "--district", DISTRICT, "--purpose", "本人要求", "--yes"],
        input=phone + "\n", cwd="/", env=program.environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def total(program: Program, token: dict[str, str]) -> int:
    count: int = program.ask("/api/issues?limit=1", headers=token).json()["total"]
    return count


COUNTED = ("member", "organisation", "visit", "issue", "issue_spans", "text_version", "sealed_field", "card_binding")


def rows(program: Program) -> dict[str, int]:
    """How many rows the tables of people's work hold, asked of the database that the program runs."""

    async def ask(dsn: str) -> dict[str, int]:
        conn = await asyncpg.connect(dsn)
        found = {table: await conn.fetchval(f"select count(*) from {table}") for table in COUNTED}
        await conn.close()
        return found

    with Cluster(program.data / "postgresql", share=True) as cluster:
        return asyncio.run(ask(cluster.dsn(database="zoufang")))


def counted(said: str) -> dict[str, int]:
    """The counts that a restore prints, by table."""
    return {name: int(rows.replace(",", "")) for name, rows in re.findall(r"^  (\w+): ([\d,]+)$", said, re.MULTILINE)}


def test_after_the_data_folder_is_gone_last_night_s_backup_brings_it_back(tmp_path: Path) -> None:
    program = Program(tmp_path / "data", ZOUFANG_JOBS="off")  # which would go on working while rows are counted
    backup = tmp_path / "last-night.tar"
    loaded = program.run("demo", "--load-only")
    assert loaded.returncode == 0, loaded.stderr
    tokens = json.loads((program.data / "demo-tokens.json").read_text())
    member, administrator = ({"Authorization": f"Bearer {tokens[who]}"} for who in ("member", "administrator"))

    with program.serving() as process:
        kept, erased = filed(program, member, KEPT), filed(program, member, ERASED)
        made = program.run("backup", str(backup))  # while it serves
        assert made.returncode == 0, made.stderr
        assert "found whole" in made.stdout
        before, rows_before = total(program, administrator), rows(program)
        filed(program, member, "13700000000")  # after the backup: it is lost
        erase(program, ERASED)
        assert revealed(program, administrator, erased) is None
        assert stop(process) == 0
    assert backup.stat().st_mode & 0o777 == 0o600
    assert KEPT.encode() not in backup.read_bytes()
    shutil.rmtree(program.data)

    back = program.run("restore", str(backup))
    assert back.returncode == 0, back.stdout + back.stderr
    assert "Erased again 重新删除: 1" in back.stdout
    assert "The history verifies" in back.stdout
    assert counted(back.stdout)["member"] == 17_727

    with program.serving() as process:
        assert total(program, administrator) == before
        assert rows(program) == rows_before
        contact = revealed(program, administrator, kept)
        assert contact is not None
        assert contact["phone"] == KEPT
        assert revealed(program, administrator, erased) is None
        assert filed(program, member, "13600000000"), "and work goes on"
        assert stop(process) == 0
