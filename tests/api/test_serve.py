"""`zoufang serve` and `zoufang init` as people use them: started, asked, stopped, killed and started again."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest

from api.embedded_postgres import Cluster, standing_in
from tests.api.processes import Program, alive, certificate, descendants, stop, wait_until

pytestmark = pytest.mark.timeout(900)  # each starts the program, most of them more than once

FOUNDING = (
    "init", "--district", "410103", "--code", "410103", "--name", "二七区", "--time-zone", "Asia/Shanghai",
    "--organisation", "区委", "--administrator", "张三", "--number", "000001",
)  # fmt: skip


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path / "data")


def token_in(text: str) -> str:
    found = re.search(r"^zf_\S+$", text, flags=re.MULTILINE)
    assert found, text
    return found[0]


def visit() -> dict[str, object]:
    return {
        "id": str(uuid4()),
        "premises": {"kind": "household", "name": "幸福路12号", "address": "幸福路12号"},
        "started_at": "2026-11-20T09:30:00+08:00",
        "ended_at": "2026-11-20T09:40:00+08:00",
        "outcome": "met",
        "issues": [],
    }


def test_a_district_is_founded_once_and_its_administrator_signs_in(program: Program) -> None:
    founded = program.run(*FOUNDING)
    assert founded.returncode == 0, founded.stderr
    token = token_in(founded.stdout)
    again = program.run(*FOUNDING)
    assert again.returncode == 1
    assert "District 410103 exists already; nothing was changed." in again.stderr
    with program.serving() as process:
        answer = program.ask("/api/issues", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["items"]) == (200, [])
        assert program.ask("/api/issues").status_code == 401
        code = re.search(r"^410103(-[0-9A-Z]{4}){4}$", founded.stdout, flags=re.MULTILINE)
        assert code, "the code by which they choose a password"
        chosen = {"code": code[0], "password": "护城河边 那棵老槐树"}
        assert program.ask("/api/first-access", chosen).json()["name"] == "张三"
        assert program.ask("/api/first-access", chosen).status_code == 422, "it is used"
        assert stop(process, signal.SIGINT) == 0
    assert standing_in(program.data / "postgresql" / "cluster") == []


def test_a_token_file_is_its_owner_s_alone_and_never_overwritten(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "token"
    founded = program.run(*FOUNDING, "--token-file", str(path))
    assert founded.returncode == 0
    assert "zf_" not in founded.stdout + founded.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    assert token_in(path.read_text())
    second = program.run(*FOUNDING[:2], "7", *FOUNDING[3:], "--token-file", str(path))
    assert second.returncode == 1
    assert "nothing was changed" in second.stderr
    assert program.run(*FOUNDING[:2], "7", *FOUNDING[3:]).returncode == 0, "the district was not half founded"


@pytest.mark.parametrize("zone", ["Asia/Atlantis", "Asia", "/etc/passwd", "../UTC", ""])
def test_a_time_zone_that_does_not_exist_is_refused(program: Program, zone: str) -> None:
    refused = program.run(*(zone if part == "Asia/Shanghai" else part for part in FOUNDING))
    assert refused.returncode == 2
    assert "is not a time zone such as Asia/Shanghai" in refused.stderr
    assert not program.data.exists()


def test_commands_share_the_database_of_a_program_that_serves_and_a_second_server_is_refused(program: Program) -> None:
    with program.serving():
        assert program.run("migrate", "--status").returncode == 0
        assert program.run(*FOUNDING).returncode == 0
        second = program.run("serve", "--port", "0")
        assert second.returncode == 1
        assert "in use by a running instance" in second.stderr
        assert program.ask("/health/ready").status_code == 200
        taken = program.run("serve")
        assert taken.returncode == 1
        assert f"Cannot listen on 127.0.0.1 port {program.port}" in taken.stderr


@pytest.mark.alone
def test_a_second_start_is_ready_within_five_seconds(program: Program) -> None:
    program.run("migrate")
    began = time.monotonic()
    with program.serving() as process:
        assert time.monotonic() - began < 5
        assert stop(process) == 0


def test_stopping_finishes_what_is_under_way(program: Program) -> None:
    token = token_in(program.run(*FOUNDING).stdout)
    headers = {"Authorization": f"Bearer {token}"}
    filed = visit()
    answers: list[int] = []
    with program.serving() as process:
        blocked = lock_visits(program)
        asking = threading.Thread(target=lambda: answers.append(program.ask("/api/visits", filed, headers).status_code))
        asking.start()
        assert blocked.stdout is not None
        assert blocked.stdout.readline().strip() == "waited for"
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert process.poll() is None
        assert answers == []
        release(blocked)
        asking.join(60)
        assert answers == [201]
        assert process.wait(60) == 0
    with program.serving():
        assert program.ask(f"/api/visits/{filed['id']}", headers=headers).status_code == 200


def lock_visits(program: Program) -> subprocess.Popen[str]:
    """Somebody who holds the table of visits until told to let go, and says when somebody else waits for it."""
    with Cluster(program.data / "postgresql", share=True) as guest:
        dsn = guest.dsn(database="zoufang")
    holding = (
        f"import asyncio, asyncpg\nasync def hold():\n    conn = await asyncpg.connect({dsn!r})\n"
        "    async with conn.transaction():\n        await conn.execute('lock table visit in exclusive mode')\n"
        "        print('held', flush=True)\n"
        "        waiting = 'select exists (select from pg_locks where relation = $1::regclass and not granted)'\n"
        "        while not await conn.fetchval(waiting, 'visit'):\n            await asyncio.sleep(0.02)\n"
        "        print('waited for', flush=True)\n        input()\n    await conn.close()\nasyncio.run(hold())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holding], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    return process


def release(process: subprocess.Popen[str]) -> None:
    process.communicate("go\n", timeout=30)


def test_a_kill_of_the_first_of_several_processes_leaves_none_behind(program: Program) -> None:
    with program.serving("serve", "--processes", "2") as process:
        family = descendants(process.pid)
        assert len(family) >= 3, "two that serve, and the database"
        process.kill()
        process.wait()
        wait_until(lambda: not alive(family))
    with program.serving() as process:
        assert stop(process) == 0


def test_it_serves_https_with_a_certificate_of_its_own(program: Program, tmp_path: Path) -> None:
    options = certificate(tmp_path)
    with program.serving("serve", *options, scheme="https") as process:
        assert program.ask("/health/live", scheme="https").status_code == 200
        assert stop(process) == 0
    alone = program.run("serve", *options[:2])
    assert alone.returncode == 2
    assert "go together" in alone.stderr


@pytest.mark.parametrize(
    ("proxies", "believed"), [("", False), ("192.0.2.0/24", False), ("10.1.2.3, 127.0.0.9/8", True)]
)
def test_forwarded_headers_are_believed_from_named_proxies_alone(tmp_path: Path, proxies: str, believed: bool) -> None:
    program = Program(tmp_path / "data", ZOUFANG_TRUSTED_PROXIES=proxies)
    with program.serving() as process:
        program.ask("/nowhere", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"})
        stop(process)
    (line,) = program.requests_logged()
    assert line["client"] == ("203.0.113.9" if believed else "127.0.0.1")


def test_a_wrong_setting_is_named_before_anything_starts(tmp_path: Path) -> None:
    refused = Program(tmp_path / "data", ZOUFANG_POOL_SIZE="many").run("serve")
    assert refused.returncode == 1
    assert "ZOUFANG_POOL_SIZE" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_server_that_is_not_migrated_is_refused_and_no_password_is_told(tmp_path: Path) -> None:
    with Cluster(tmp_path / "pg", durable=False) as cluster:
        address = cluster.dsn(database="postgres").replace("zoufang_owner@", "zoufang_owner:hunter2@")
        program = Program(tmp_path / "data", DATABASE_URL=address)
        unfit = program.run("serve")
        assert unfit.returncode == 1
        assert "`zoufang migrate`" in unfit.stderr
        unanswered = Program(tmp_path / "data", DATABASE_URL="postgresql://a:hunter2@127.0.0.1:1/x").run("serve")
        assert "does not answer" in unanswered.stderr
        assert "hunter2" not in unfit.stderr + unanswered.stderr
    assert not (tmp_path / "data").exists()


def test_the_log_of_a_server_is_json_throughout(program: Program) -> None:
    with program.serving() as process:
        stop(process)
    for line in program.log.read_text().splitlines():
        json.loads(line)
