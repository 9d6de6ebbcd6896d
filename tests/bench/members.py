"""Taking over a district's members by the command `zoufang import members`, beside a bare COPY of the rows that it
wrote."""

import csv
import os
import subprocess
import time
from pathlib import Path
from statistics import median

import asyncpg

from api import database
from api.embedded_postgres import Cluster
from tests.bench import server
from tests.bench.figures import Figure

ORGANISATIONS = 586
MEMBERS = 17_727
ROUNDS = 3
WANTED_S = 20
DISTRICT, AGAIN = 410103, 410999  # what the command writes goes to the other number for the ceiling

STREETS = 16
COMMUNITIES = 120
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴", "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚"

# In an order in which each finds what it refers to.
TABLES = ("organisation", "organisation_spans", "member", "member_role", "text_version", "history")


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure an import into a new installation: the command as a whole, with the start of its own database."""
    file = _write(folder)
    seconds, ceilings, second_times = [], [], []
    for at in range(ROUNDS):
        data = folder / f"members_{at}"
        _command(data, "init", *FOUNDING, "--token-file", str(folder / f"token_{at}"))
        seconds.append(_command(data, "import", "members", str(file), "--district", str(DISTRICT)))
        second_times.append(_command(data, "import", "members", str(file), "--district", str(DISTRICT)))
        with Cluster(data / "postgresql") as embedded:
            ceilings.append(await _copied(embedded.dsn(database="zoufang")))
    took, ceiling = median(seconds), median(ceilings)
    return [
        Figure(
            what=f"{MEMBERS:,} members of {ORGANISATIONS} organisations, by the command as a whole",
            figure=f"{took:.1f} s",
            ceiling=f"{ceiling:.2f} s, COPY of what it wrote",
            ratio=ceiling / took,
            wanted=f"< {WANTED_S} s",
            met=took < WANTED_S,
        ),
        Figure(what="the same list a second time", figure=f"{median(second_times):.1f} s"),
    ]


FOUNDING = (
    "--district", str(DISTRICT), "--code", str(DISTRICT), "--name", "二七区", "--time-zone", "Asia/Shanghai",
    "--organisation", "区委", "--administrator", "管理员", "--number", "ADMIN",
)  # fmt: skip


def _write(folder: Path) -> Path:
    """A list as an office keeps it: streets below the district, communities below streets, branches below those."""
    streets = [f"区委/第{at}街道党工委" for at in range(STREETS)]
    communities = [f"{streets[at % STREETS]}/第{at}社区党委" for at in range(COMMUNITIES)]
    paths = ["区委", *streets, *communities]
    branches = ORGANISATIONS - len(paths)
    paths += [f"{communities[at % COMMUNITIES]}/第{at // COMMUNITIES + 1}支部" for at in range(branches)]
    file = folder / "members.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["组织", "姓名", "手机", "编号", "角色", "范围"])
        for at in range(MEMBERS):
            name = SURNAMES[at % 10] + GIVEN[at // 10 % 20] + GIVEN[at // 200 % 20]
            role = "组织员" if at < ORGANISATIONS else ""
            rows.writerow([paths[at % ORGANISATIONS], name, f"139{at:08d}", f"EQ{at:05d}", role, ""])
    return file


def _command(data: Path, *words: str) -> float:
    """Seconds that a command takes from its start to its end, on an embedded database of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZOUFANG_", "DATABASE_URL"))}
    started = time.perf_counter()
    told = subprocess.run(
        [*server.PROGRAM, *words], env=kept | {"ZOUFANG_DATA": str(data)}, capture_output=True, text=True
    )
    if told.returncode != 0 or "rejected 未接受 →" in told.stdout:
        raise RuntimeError(f"{' '.join(words[:2])} failed:\n{told.stdout}\n{told.stderr[-2000:]}")
    return time.perf_counter() - started


async def _copied(owner: str) -> float:
    """Seconds in which all that the import wrote is copied into the tables again, for a district of another number."""
    owning = await database.connect(owner)
    await owning.execute("vacuum analyze")
    await owning.close()
    conn = await asyncpg.connect(owner)
    rows = {table: await conn.fetch(f"select * from {table} where district = $1", DISTRICT) for table in TABLES}
    founder = await conn.fetchval("select dispatcher from district where district = $1", DISTRICT)
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute(
        "insert into district (district, code, name, time_zone, dispatcher, created_at)"
        " select $2, code, name, time_zone, $3, created_at from district where district = $1",
        DISTRICT,
        AGAIN,
        founder,
    )
    started = time.perf_counter()
    for table, found in rows.items():
        records = [tuple({**row, "district": AGAIN}.values()) for row in found]
        await conn.copy_records_to_table(table, records=records, columns=list(found[0].keys()))
    await conn.execute("set constraints all immediate")
    seconds = time.perf_counter() - started
    await transaction.rollback()
    await conn.close()
    return seconds
