"""The files of a production installation, and the very commands in them, run by a user without privileges."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.embedded_postgres import Cluster
from api.postgres_programs import Account, choose_account
from tests.api.processes import LONGEST_RUN, LONGEST_START, free_port

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def instruction(name: str) -> str:
    """The last such instruction of the Dockerfile, without its name."""
    return [line.split(maxsplit=1)[1].strip() for line in DOCKERFILE if line.startswith(name + " ")][-1]


def command_in(text: str) -> list[str]:
    command: list[str] = json.loads(text[text.index("[") :])
    return command


def image_environment() -> dict[str, str]:
    return dict(part.split("=", 1) for part in instruction("ENV").split())


# Reading them


def test_the_image_runs_as_an_ordinary_user_and_holds_no_secret() -> None:
    assert instruction("USER").split(":")[0] not in {"0", "root"}
    assert instruction("HEALTHCHECK")
    text = "\n".join(DOCKERFILE).lower()
    assert not any(word in text for word in ("password=", "token=", "database_url="))
    assert {".git", ".env", ".venv", "data"} <= set((ROOT / ".dockerignore").read_text().split())


def test_the_image_installs_only_what_the_locks_name_by_hash() -> None:
    installs = [part for line in DOCKERFILE for part in line.split("&&") if "pip install" in part]
    assert len(installs) == 3
    assert all("--require-hashes" in part or "--no-deps --no-build-isolation" in part for part in installs)


def test_no_password_stands_in_the_compose_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name or "DATABASE_URL" in name:
                assert "PASSWORD:?" in value, f"{name} must come from the environment, and be demanded"


def test_only_the_proxy_is_open_to_the_world() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert set(SERVICES["database"]["networks"]) == {"inside"}
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_the_program_runs_as_the_role_that_owns_nothing() -> None:
    program = SERVICES["app"]["environment"]
    assert program["DATABASE_URL"].startswith("postgresql://zoufang_app:")
    assert "MIGRATION_DATABASE_URL" not in program
    assert SERVICES["migrate"]["environment"]["MIGRATION_DATABASE_URL"].startswith("postgresql://zoufang_owner:")


def test_each_service_starts_when_what_it_needs_is_well() -> None:
    assert SERVICES["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert SERVICES["app"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert SERVICES["proxy"]["depends_on"] == {"app": {"condition": "service_healthy"}}
    assert "healthcheck" in SERVICES["database"]
    assert "healthcheck" in SERVICES["proxy"]


def test_the_database_knows_chinese_letters() -> None:
    assert SERVICES["database"]["image"] == "postgres:18"
    assert "--lc-ctype=C.UTF-8" in SERVICES["database"]["environment"]["POSTGRES_INITDB_ARGS"]


def test_forwarded_headers_are_believed_from_the_proxy_s_network_alone() -> None:
    subnet = COMPOSE["networks"]["front"]["ipam"]["config"][0]["subnet"]
    assert SERVICES["app"]["environment"]["ZOUFANG_TRUSTED_PROXIES"] == subnet
    assert ip_network(subnet).is_private
    assert sorted(name for name, service in SERVICES.items() if "front" in service["networks"]) == ["app", "proxy"]


def test_the_proxy_passes_requests_to_where_the_program_listens() -> None:
    caddyfile = (ROOT / "Caddyfile").read_text()
    assert f"reverse_proxy app:{instruction('EXPOSE')}" in caddyfile
    assert "{$ZOUFANG_SITE}" in caddyfile
    assert "./Caddyfile:/etc/caddy/Caddyfile:ro" in SERVICES["proxy"]["volumes"]


def test_the_keys_have_a_volume_of_their_own_outside_the_data() -> None:
    keys = Path(image_environment()["ZOUFANG_KEYS"])
    assert not keys.is_relative_to(image_environment()["ZOUFANG_DATA"])
    for name in ("app", "operations"):
        assert f"keys:{keys.parent}" in SERVICES[name]["volumes"]
        assert "ZOUFANG_KEYS" not in SERVICES[name]["environment"]
    assert str(keys.parent) in next(line for line in DOCKERFILE if "useradd" in line), "it must be the user's own"


def test_the_head_of_the_compose_file_makes_the_keys_before_the_program_serves() -> None:
    head = [line for line in (ROOT / "compose.yaml").read_text().splitlines() if line.startswith("#")]
    commands = [line for line in head if "docker compose" in line]
    build, init, up = (next(i for i, line in enumerate(commands) if word in line) for word in ("build", "init", "up "))
    assert build < init < up


def test_only_what_an_administrator_starts_holds_the_owner_s_password() -> None:
    holders = {name for name, one in SERVICES.items() if "MIGRATION_DATABASE_URL" in one.get("environment", {})}
    assert holders == {"migrate", "operations"}
    assert SERVICES["operations"]["profiles"] == ["operations"]


def test_the_data_and_the_certificates_stay() -> None:
    kept = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    assert set(COMPOSE["volumes"]) <= kept
    assert f"data:{image_environment()['ZOUFANG_DATA']}" in SERVICES["app"]["volumes"]


# Running them


@pytest.fixture(scope="module")
def account() -> Account:
    """Somebody without privileges: ourselves, or, for root, the one that PostgreSQL runs as."""
    return choose_account(Path("/nonexistent"))


@pytest.fixture
def place(account: Account) -> Iterator[Path]:
    """A folder of that user's."""
    folder = Path(tempfile.mkdtemp(prefix="zf", dir="/tmp"))
    folder.chmod(0o755)
    for name in ("data", "keys"):
        (folder / name).mkdir(mode=0o700)
        if account.switches:
            os.chown(folder / name, account.uid, account.gid)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def environment(account: Account, place: Path) -> dict[str, str]:
    """What the image sets, with a PATH on which `zoufang` and `python` are this checkout's."""
    paths = [ROOT, Path(next(path for path in sys.path if path.endswith("site-packages")))]
    python = interpreter(account, paths)
    if python is None:
        paths = linked(paths, place)
        python = interpreter(account, paths)
    if python is None:
        pytest.fail(
            f"{pwd.getpwuid(account.uid).pw_name} can run no Python {sys.version_info.major}.{sys.version_info.minor}"
        )
    (place / "bin").mkdir()
    for name, options in (("python", ""), ("zoufang", "-c 'from api.cli import main; main()'")):
        (place / "bin" / name).write_text(f'#!/bin/sh\nexec {python} {options} "$@"\n')
        (place / "bin" / name).chmod(0o755)
    return image_environment() | {
        "PATH": f"{place / 'bin'}:/usr/bin:/bin",
        "PYTHONPATH": ":".join(str(path) for path in paths),
        "ZOUFANG_DATA": str(place / "data"),
        "ZOUFANG_KEYS": str(place / "keys" / "keys.json"),
        "ZOUFANG_HOST": "127.0.0.1",
        "ZOUFANG_PORT": str(free_port()),
    }


def interpreter(account: Account, paths: Sequence[Path]) -> str | None:
    """A Python of this version that the user can run with the program in its reach, or None."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    asking = {"PYTHONPATH": ":".join(str(path) for path in paths)}
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        with suppress(OSError):
            asked = [python, "-c", "import api, asyncpg"]
            if subprocess.run(asked, cwd="/", env=asking, capture_output=True, **account.arguments()).returncode == 0:
                return python
    return None


def linked(paths: Sequence[Path], place: Path) -> list[Path]:
    """The same files in a folder open to all users, for a checkout that lies in a private one."""
    by_name = shutil.ignore_patterns(".*", "node_modules", "__pycache__")

    def needless(folder: str, names: list[str]) -> set[str]:
        return by_name(folder, names) | ({"data"} if Path(folder) == ROOT else set())

    for number, path in enumerate(paths):
        shutil.copytree(path, place / f"path{number}", copy_function=link_or_copy, ignore=needless, symlinks=True)
        (place / f"path{number}").chmod(0o755)
    return [place / f"path{number}" for number in range(len(paths))]


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@contextmanager
def served(environment: dict[str, str], account: Account) -> Iterator[subprocess.Popen[bytes]]:
    """The image's own command, until it answers and then until SIGTERM."""
    command = command_in(instruction("CMD"))
    program = resolved(command, environment)
    with subprocess.Popen(command, cwd="/", env=environment, executable=program, **account.arguments()) as process:
        try:
            await_answer(process, environment, "/health/ready")
            yield process
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()


def resolved(command: list[str], environment: dict[str, str]) -> str:
    found = shutil.which(command[0], path=environment["PATH"])
    assert found is not None
    return found


def await_answer(process: subprocess.Popen[bytes], environment: dict[str, str], path: str) -> None:
    deadline = time.monotonic() + LONGEST_START
    while answer(environment, path) != 200:
        assert process.poll() is None, "the program has ended"
        assert time.monotonic() < deadline, "the program does not answer"
        time.sleep(0.1)


def answer(environment: dict[str, str], path: str) -> int | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{environment['ZOUFANG_PORT']}{path}", timeout=5) as response:
            status: int = response.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None


def run(command: list[str], environment: dict[str, str], account: Account) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd="/", env=environment, executable=resolved(command, environment),
        capture_output=True, text=True, timeout=LONGEST_RUN, **account.arguments(),
    )  # fmt: skip


INIT = [
    "zoufang", "init", "--district=410199", "--code=410199", "--name=试点区", "--time-zone=Asia/Shanghai",
    "--organisation=试点区委", "--administrator=郑管理", "--number=A1",
]  # fmt: skip


@pytest.mark.timeout(600)
def test_the_image_s_command_serves_on_its_own_data_and_is_found_healthy(
    environment: dict[str, str], account: Account
) -> None:
    check = command_in(instruction("HEALTHCHECK"))
    refused = run(command_in(instruction("CMD")), environment, account)
    assert refused.returncode != 0
    assert "zoufang keys make" in refused.stderr
    assert run(INIT, environment, account).returncode == 0
    with served(environment, account) as process:
        assert Path(f"/proc/{process.pid}").stat().st_uid == account.uid != 0 or not account.switches
        assert run(check, environment, account).returncode == 0
    assert run(check, environment, account).returncode != 0, "a program that is gone is not healthy"


@pytest.mark.timeout(600)
def test_the_compose_file_s_commands_migrate_and_serve_on_a_server(
    environment: dict[str, str], account: Account, place: Path
) -> None:
    cluster = Cluster(place / "pg", durable=False)
    with cluster:
        pass
    demand_passwords(cluster)
    with cluster:
        owner = cluster.dsn(database="postgres")
        program = cluster.dsn("zoufang_app", "postgres").replace("zoufang_app@", "zoufang_app:secret7@")
        migrating = environment | {"DATABASE_URL": program, "MIGRATION_DATABASE_URL": owner}
        serving = environment | {"DATABASE_URL": program}
        refused = run(INIT, serving, account)
        assert refused.returncode != 0
        assert "does not answer" in refused.stderr
        done = run(SERVICES["migrate"]["command"], migrating, account)
        assert done.returncode == 0, done.stderr
        assert "Applied: 20261123000001" in done.stdout
        made = run(INIT, serving, account)
        assert made.returncode == 0, made.stderr
        with served(serving, account):
            assert answer(serving, "/health/live") == 200
            assert answer(serving, "/api/issues") == 401


def demand_passwords(cluster: Cluster) -> None:
    """Let the role that runs in with its password alone, as a server on the network does."""
    rules = cluster.data / "pg_hba.conf"
    rules.write_text("local all zoufang_app scram-sha-256\nlocal all all trust\n")
