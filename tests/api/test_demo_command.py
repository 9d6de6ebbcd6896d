"""`zoufang demo`: one command, four tokens that hold, and a second start that finds everything again."""

import asyncio
import json
import signal
import time
from pathlib import Path

import asyncpg
import pytest

from api.embedded_postgres import Cluster, standing_in
from tests.api.processes import LONGEST_START, Program, stop, wait_until

WHO = ("member", "worker", "leader", "administrator")
WITH_PASSWORD = (*WHO, "organiser", "auditor")


def signs_in(program: Program, number: str, password: str) -> bool:
    """Whether a number and a password open the door."""
    answer = program.ask("/api/devices", {"account": number, "password": password, "device": "手机"})
    assert answer.status_code in (201, 401), answer.text
    return answer.status_code == 201


def count_of_issues(program: Program, token: str) -> int:
    answer = program.ask("/api/issues?limit=1", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    total: int = answer.json()["total"]
    return total


@pytest.mark.timeout(900)
@pytest.mark.alone
def test_the_demo_serves_keeps_and_starts_again_within_five_seconds(tmp_path: Path) -> None:
    program = Program(tmp_path / "data", DATABASE_URL="postgresql://nobody@127.0.0.1:1/elsewhere")
    tokens_file, passwords_file = program.data / "demo-tokens.json", program.data / "demo-passwords.json"
    cards_file = program.data / "demo-cards.json"
    with program.serving("demo") as process:
        tokens = json.loads(tokens_file.read_text())
        assert tuple(tokens) == WHO
        assert tokens_file.stat().st_mode & 0o777 == 0o600
        seen = {who: count_of_issues(program, tokens[who]) for who in WHO}
        assert seen["leader"] == seen["administrator"] > 1000
        assert 0 < seen["worker"] < seen["leader"]
        assert seen["member"] < seen["leader"]
        passwords = json.loads(passwords_file.read_text())
        assert tuple(passwords) == WITH_PASSWORD
        assert passwords_file.stat().st_mode & 0o777 == 0o600
        for account in passwords.values():
            assert signs_in(program, account["number"], account["password"])
        assert not signs_in(program, passwords["leader"]["number"], passwords["member"]["password"])
        cards = json.loads(cards_file.read_text())
        assert cards_file.stat().st_mode & 0o777 == 0o600
        for token in cards.values():
            assert program.ask("/card/session", {"token": f"410103.{token}"}).status_code == 204
        assert stop(process, signal.SIGINT) == 0
    said = program.log.read_text()
    assert f"http://127.0.0.1:{program.port}/sign-in" in said
    assert all(token in said for token in tokens.values())
    assert [f"/card#410103.{token}" in said for token in cards.values()] == [True] * 3
    assert all(account["number"] in said and account["password"] in said for account in passwords.values())
    assert standing_in(program.data / "postgresql" / "cluster") == []
    began = time.monotonic()
    with program.serving("demo") as process:
        assert time.monotonic() - began < 5
        assert json.loads(tokens_file.read_text()) == tokens
        assert json.loads(passwords_file.read_text()) == passwords
        assert count_of_issues(program, tokens["leader"]) == seen["leader"]
        assert stop(process, signal.SIGINT) == 0
    tokens_file.unlink()
    with program.serving("demo"):
        made_anew = json.loads(tokens_file.read_text())
        assert count_of_issues(program, made_anew["leader"]) == seen["leader"]
        lost = program.ask("/api/issues", headers={"Authorization": f"Bearer {tokens['leader']}"})
        assert lost.status_code == 401


# The district is loaded in one transaction, as the role that runs; what is migrated before is the owner's.
LOADING = """
select exists (select from pg_stat_activity
  where usename = 'zoufang_app' and backend_xid is not null and xact_start < now() - interval '1 second')
"""


async def loading(shared: Cluster) -> bool:
    """Whether the demo is being written."""
    conn = await asyncpg.connect(shared.dsn())
    found: bool = await conn.fetchval(LOADING)
    await conn.close()
    return found


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_load_that_was_cut_off_is_begun_anew(tmp_path: Path) -> None:
    program = Program(tmp_path / "data")
    with program.begun("demo") as process:
        wait_until((program.data / "postgresql" / "cluster" / "postmaster.pid").exists, LONGEST_START)
        with Cluster(program.data / "postgresql", share=True) as shared:
            wait_until(lambda: asyncio.run(loading(shared)), LONGEST_START)
        assert stop(process, signal.SIGINT) == 0
    assert not (program.data / "demo-tokens.json").exists()
    assert "Traceback" not in program.log.read_text()
    with program.serving("demo") as process:
        tokens = json.loads((program.data / "demo-tokens.json").read_text())
        assert count_of_issues(program, tokens["leader"]) > 1000
        stop(process)
