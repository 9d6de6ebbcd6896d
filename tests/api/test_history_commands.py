"""`zoufang history`: what a person at the terminal is told of the chain, and of the first record that breaks it."""

import asyncio
import re
from pathlib import Path

import asyncpg
import pytest

from api.cli.database import opened
from api.settings import Settings
from tests.api.processes import Program

pytestmark = pytest.mark.timeout(600)  # a dozen commands, each with a server of its own


@pytest.fixture
def program(tmp_path: Path) -> Program:
    made = Program(tmp_path / "data")
    founded = made.run(
        "init", "--district", "410103", "--code", "410103", "--name", "二七区", "--time-zone", "Asia/Shanghai",
        "--organisation", "区委", "--administrator", "张三", "--number", "000001",
    )  # fmt: skip
    assert founded.returncode == 0, founded.stderr
    return made


def as_owner(program: Program, *statements: str) -> None:
    async def run(dsn: str) -> None:
        conn = await asyncpg.connect(dsn)
        for statement in statements:
            await conn.execute(statement)
        await conn.close()

    with opened(Settings(data=program.data)) as addresses:
        assert addresses.owner
        asyncio.run(run(addresses.owner))


HAPPENED = """
insert into history (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, facts)
select 410103, gen_random_uuid(), 'access', gen_random_uuid(), 1, 'signed_in', 'member', 'x', '2026-11-23',
       '2026-11-23', '{}' from generate_series(1, 20)
"""


FORGED = """
update history set actor = 'y' where id = (select min(id::text)::uuid from history where event = 'signed_in')
"""


def test_the_chain_is_sealed_verified_and_its_head_written_down(program: Program) -> None:
    assert program.run("history", "head").stdout == "410103  nothing is sealed yet\n"
    as_owner(program, HAPPENED)
    sealed = program.run("history", "seal")
    assert (sealed.returncode, sealed.stdout) == (0, "seal_history: done\n"), sealed.stderr
    head = program.run("history", "head").stdout
    digest = re.fullmatch(r"410103  ([0-9a-f]{64})  seal 1 of .*Z\n", head)
    assert digest, head
    whole = program.run("history", "verify", "--district", "410103", "--head", digest[1])
    assert whole.returncode == 0, whole.stderr
    assert re.match(r"410103  holds: \d+ records in 1 seals, sealed until .*Z, \d+ texts; 0 records wait", whole.stdout)
    assert digest[1] in whole.stdout
    other = program.run("history", "verify", "--district", "410103", "--head", "0" * 64)
    assert (other.returncode, "stands nowhere in the chain" in other.stdout) == (1, True)
    assert program.run("history", "verify", "--district", "7").returncode == 1

    as_owner(program, FORGED)
    broken = program.run("history", "verify")
    assert broken.returncode == 1
    assert re.search(r"BROKEN: record \S+ of thing \S+ \(access signed_in of .*Z\), seal 1 was changed", broken.stdout)
