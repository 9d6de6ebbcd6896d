"""`zoufang doctor`: each thing that is unsafe, provoked, and an installation in which nothing is."""

import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from api import installation_checks, key_ring
from api.cli.doctor import SENTENCES, line
from api.installation_checks import Level
from api.settings import Settings
from surveys import history_seals
from surveys.clock import calendars
from surveys.clock.calendars import Year
from surveys.history import Actor
from surveys.privacy.sealing import KeyRing
from tests import doors, drafts
from tests.api.processes import Program
from tests.conftest import ADMINISTRATOR, DISTRICT, MEMBER, NOW, Client, Server

pytestmark = pytest.mark.anyio

PASSWORD = "3f1c9a7de0b24c58"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation whose files are as they should be."""
    (tmp_path / "data").mkdir(mode=0o711)
    made = Settings(data=tmp_path / "data", second_factor_roles=("administrator", "auditor"))
    key_ring.make(made, NOW)
    return made


@pytest.fixture
async def owner(owner_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(owner_dsn)
    yield conn
    await conn.close()


def changed(settings: Settings, **changes: Any) -> Settings:
    return msgspec.structs.replace(settings, **changes)


def of_files(settings: Settings, now: datetime = NOW) -> dict[str, Level]:
    return {one.code: one.level for one in installation_checks.of_settings(settings, now)}


def test_files_and_settings_as_they_should_be_are_ok(settings: Settings) -> None:
    url = f"postgresql://zoufang_app:{PASSWORD}@database/zoufang"
    found = of_files(changed(settings, database_url=url, trusted_proxies=("172.30.17.0/28",)))
    assert set(found.values()) - {"ok"} <= ({"warning", "unsafe"} if found["disk_full"] != "ok" else set())
    assert {"keys_missing", "keys_readable", "data_readable", "database_password", "no_tls"} <= found.keys()


def test_a_key_ring_that_is_missing_readable_inside_the_data_or_old_is_told(settings: Settings) -> None:
    assert of_files(settings, NOW + timedelta(days=366))["keys_old"] == "warning"
    settings.key_file.chmod(0o640)
    assert of_files(settings)["keys_readable"] == "unsafe"
    settings.key_file.chmod(0o600)
    settings.key_file.parent.chmod(0o755)
    assert of_files(settings)["keys_readable"] == "unsafe"
    assert of_files(changed(settings, keys=settings.data / "keys.json"))["keys_inside_data"] == "unsafe"
    settings.key_file.unlink()
    assert of_files(settings)["keys_missing"] == "unsafe"


def test_data_that_others_can_read_is_told(settings: Settings) -> None:
    settings.data.chmod(0o755)
    assert of_files(settings)["data_readable"] == "unsafe"
    settings.data.chmod(0o711)
    (settings.data / "attachments").mkdir(mode=0o755)
    assert of_files(settings)["data_readable"] == "unsafe"


def test_photos_that_cannot_be_written_or_lie_elsewhere_are_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert of_files(settings)["attachments_unwritable"] == "ok"
    (settings.data / "attachments").write_text("no folder")
    assert of_files(settings)["attachments_unwritable"] == "unsafe"
    elsewhere = changed(settings, attachments="s3://bucket/photos")
    found = of_files(elsewhere)
    assert (found["attachments_in_clear"], found["attachments_not_backed_up"]) == ("ok", "warning")
    assert "attachments_unwritable" not in found
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://storage.example:9000")
    assert of_files(elsewhere)["attachments_in_clear"] == "unsafe"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    assert of_files(elsewhere)["attachments_in_clear"] == "ok"


@pytest.mark.parametrize(
    ("url", "level"),
    [
        (f"postgresql://zoufang_app:{PASSWORD}@database/zoufang", "ok"),
        ("postgresql://zoufang_app@database/zoufang", "unsafe"),
        ("postgresql://zoufang_app:zoufang_app@database/zoufang", "unsafe"),
        ("postgresql://zoufang_app:postgres@database/zoufang", "unsafe"),
        ("postgresql://zoufang_app:s3cret@database/zoufang", "unsafe"),
    ],
)
def test_a_password_that_is_missing_or_easily_guessed_is_told(
    settings: Settings, url: str, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.delenv("PGPASSFILE", raising=False)
    assert of_files(changed(settings, database_url=url))["database_password"] == level


@pytest.mark.parametrize(
    ("host", "public_url", "level"),
    [
        ("127.0.0.1", None, "ok"),
        ("localhost", None, "ok"),
        ("0.0.0.0", None, "unsafe"),  # noqa: S104
        ("0.0.0.0", "http://visits.example", "unsafe"),  # noqa: S104
        ("127.0.0.1", "http://visits.example", "unsafe"),
        ("0.0.0.0", "https://visits.example", "ok"),  # noqa: S104
    ],
)
def test_a_door_open_to_others_without_tls_is_told(
    settings: Settings, host: str, public_url: str | None, level: Level
) -> None:
    assert of_files(changed(settings, host=host, public_url=public_url, port=1))["no_tls"] == level


@pytest.mark.parametrize(
    ("proxies", "level"),
    [
        (("10.0.0.7",), "ok"),
        (("127.0.0.0/8",), "ok"),
        (("10.1.0.0/16",), "warning"),
        (("0.0.0.0/0",), "unsafe"),
        (("203.0.0.0/16",), "unsafe"),
        (("fd00:1::/64",), "ok"),
        (("fd00:1::/48",), "warning"),
        (("::/0",), "unsafe"),
    ],
)
def test_too_many_trusted_proxies_are_told(settings: Settings, proxies: tuple[str, ...], level: Level) -> None:
    assert of_files(changed(settings, trusted_proxies=proxies))["proxies_wide"] == level


def test_a_disk_that_is_nearly_full_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, level in ((50, "ok"), (9, "warning"), (1, "unsafe")):
        usage = type("Usage", (), {"total": 100, "free": free})
        monkeypatch.setattr("shutil.disk_usage", lambda _path, usage=usage: usage)
        assert of_files(settings)["disk_full"] == level


async def of_rows(conn: asyncpg.Connection, settings: Settings, app: str = "zoufang_app") -> dict[str, Level]:
    return {one.code: one.level for one in await installation_checks.of_database(conn, settings, app)}


async def note(conn: asyncpg.Connection, event: str, facts: str, ago: timedelta) -> None:
    await conn.execute(
        "insert into history (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at,"
        " facts) select $1, id, 'installation', id, 1, $2, 'program', 'backup', $3, $3, $4"
        " from (values (gen_random_uuid())) v(id)",
        DISTRICT,
        event,
        datetime.now(UTC) - ago,
        facts,
    )


async def test_a_backup_that_is_missing_old_or_not_tried_out_is_told(
    owner: asyncpg.Connection, settings: Settings
) -> None:
    assert (await of_rows(owner, settings))["no_backup"] == "unsafe"
    assert (await of_rows(owner, settings))["history_unverified"] == "warning"
    await note(owner, "backed_up", '{"verified": true, "history_verified": true}', timedelta(hours=49))
    found = await of_rows(owner, settings)
    assert found["no_backup"] == "unsafe"
    assert found["history_unverified"] == "ok"
    await note(owner, "backed_up", '{"verified": false}', timedelta(hours=1))
    assert (await of_rows(owner, settings))["backup_unverified"] == "warning"
    await note(owner, "backed_up", '{"verified": true}', timedelta(hours=2))
    assert (await of_rows(owner, settings))["backup_unverified"] == "ok"


async def test_a_history_that_does_not_verify_is_told_until_it_does(
    owner: asyncpg.Connection, settings: Settings
) -> None:
    async def verified(facts: str, ago: timedelta) -> None:
        at = datetime.now(UTC) - ago
        await owner.execute(
            "insert into job_run values ($1, gen_random_uuid(), 'verify_history', $2, $2, 'done', $3)",
            DISTRICT, at, facts,
        )  # fmt: skip

    await verified('{"seals": 3}', timedelta(days=3))
    assert (await of_rows(owner, settings))["history_unverified"] == "ok"
    await verified('{"broken": {"what": "changed"}}', timedelta(days=2))
    assert (await of_rows(owner, settings))["history_broken"] == "unsafe"
    await note(owner, "backed_up", '{"verified": true, "history_verified": false}', timedelta(days=1))
    assert (await of_rows(owner, settings))["history_broken"] == "unsafe"
    await verified('{"seals": 4}', timedelta(hours=1))
    assert (await of_rows(owner, settings))["history_unverified"] == "ok"


async def test_a_history_that_waits_to_be_sealed_is_told(owner: asyncpg.Connection, settings: Settings) -> None:
    async with owner.transaction():
        await history_seals.seal(owner, DISTRICT, datetime.now(UTC) - timedelta(hours=5))
    assert (await of_rows(owner, settings))["history_unsealed"] == "ok", "there is nothing to seal"
    await note(owner, "backed_up", "{}", timedelta(hours=1))
    assert (await of_rows(owner, settings))["history_unsealed"] == "ok"
    await note(owner, "backed_up", "{}", timedelta(hours=3))
    assert (await of_rows(owner, settings))["history_unsealed"] == "warning"


async def test_tokens_of_the_demo_and_tokens_left_lying_are_told(owner: asyncpg.Connection, settings: Settings) -> None:
    public = changed(settings, public_url="https://visits.example")
    await owner.execute("update access_token set last_used_at = $1", datetime.now(UTC))
    found = await of_rows(owner, public)
    assert found["tokens_unused"] == found["demo_tokens"] == "ok"
    await owner.execute("update access_token set last_used_at = $1", datetime.now(UTC) - timedelta(days=91))
    assert (await of_rows(owner, public))["tokens_unused"] == "warning"
    await owner.execute("update access_token set label = 'demo' where member = $1", MEMBER.id)
    assert (await of_rows(owner, public))["demo_tokens"] == "unsafe"
    assert (await of_rows(owner, settings))["demo_tokens"] == "ok", "a demo on its own machine is what it says"


async def test_an_administrator_without_a_second_factor_is_told(owner: asyncpg.Connection, settings: Settings) -> None:
    lax = changed(settings, second_factor_roles=())
    assert (await of_rows(owner, lax))["no_second_factor"] == "warning"
    assert (await of_rows(owner, settings))["no_second_factor"] == "ok"
    await owner.execute(
        "insert into second_factor (district, member, secret, offered_at, confirmed_at)"
        " select distinct district, member, 'sealed'::bytea, $1::timestamptz, $1::timestamptz from member_role"
        " where role in ('administrator', 'auditor')",
        NOW,
    )
    assert (await of_rows(owner, lax))["no_second_factor"] == "ok"


async def test_a_first_access_code_that_nobody_used_is_told(owner: asyncpg.Connection, settings: Settings) -> None:
    now = datetime.now(UTC)
    assert (await of_rows(owner, settings))["codes_expired"] == "ok"
    for days, level in ((15, "warning"), (-5, "ok")):
        await owner.execute(
            "insert into one_time_code (district, id, digest, member, purpose, issued_at, expires_at)"
            " values ($1, gen_random_uuid(), sha256($2::text::bytea), $3, 'first_access', $4, $5)",
            DISTRICT,
            str(days),
            ADMINISTRATOR.id,
            now - timedelta(days=30),
            now - timedelta(days=days),
        )
        assert (await of_rows(owner, settings))["codes_expired"] == level


async def test_a_job_whose_last_run_failed_is_told(owner: asyncpg.Connection, settings: Settings) -> None:
    for minutes, outcome, level in ((2, "failed", "warning"), (1, "done", "ok")):
        at = datetime.now(UTC) - timedelta(minutes=minutes)
        await owner.execute(
            "insert into job_run values ($1, gen_random_uuid(), 'seal_history', $2, $2, $3, '{}')",
            DISTRICT, at, outcome,
        )  # fmt: skip
        assert (await of_rows(owner, settings))["jobs_failing"] == level


async def test_a_message_that_was_given_up_is_told(owner: asyncpg.Connection, settings: Settings) -> None:
    assert (await of_rows(owner, settings))["errands_parked"] == "ok"
    await owner.execute("insert into queue.pgqueuer (priority, status, entrypoint) values (0, 'failed', 'send_notice')")
    assert (await of_rows(owner, settings))["errands_parked"] == "warning"


async def test_due_times_that_wait_for_a_year_to_be_published_are_told(
    owner: asyncpg.Connection, conn: asyncpg.Connection, settings: Settings, client: Client
) -> None:
    assert (await of_rows(owner, settings))["holidays_unpublished"] == "ok"
    receipt = await doors.file(client, MEMBER, drafts.visit(issues=[drafts.issue()]))
    assert (await of_rows(owner, settings))["holidays_unpublished"] == "ok", "as long as no issue waits for it"
    await owner.execute("update issue set due_provisional = true where id = $1", receipt["issues"][0]["id"])
    assert (await of_rows(owner, settings))["holidays_unpublished"] == "warning"
    for year in (datetime.now(UTC).year, datetime.now(UTC).year + 1):
        known = {year: Year((), published=True)}
        await calendars.store(conn, "cn", known, "tests", Actor("import", "holidays"), NOW)
    assert (await of_rows(owner, settings))["holidays_unpublished"] == "ok"


async def test_a_role_that_could_change_the_history_is_told(
    owner: asyncpg.Connection, settings: Settings, server: Server
) -> None:
    assert (await of_rows(owner, settings))["role_rights"] == "ok"
    assert (await of_rows(owner, settings, "zoufang_owner"))["role_rights"] == "unsafe"
    await owner.execute("grant delete on history to zoufang_app")
    assert (await of_rows(owner, settings))["role_rights"] == "unsafe"
    await owner.execute("revoke delete on history from zoufang_app; grant update (facts) on history to zoufang_app")
    assert (await of_rows(owner, settings))["role_rights"] == "unsafe"


async def test_the_server_s_own_faults_are_told(
    owner: asyncpg.Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await of_rows(owner, settings))["fsync_off"] == "unsafe", "the tests' server forgets"
    monkeypatch.setattr(installation_checks, "FSYNC", "select true")
    assert (await of_rows(owner, settings))["fsync_off"] == "ok"
    assert (await of_rows(owner, settings))["clock_off"] == "ok"
    monkeypatch.setattr(installation_checks, "CLOCK", "select clock_timestamp() - interval '1 minute'")
    assert (await of_rows(owner, settings))["clock_off"] == "warning"
    await owner.execute("delete from schema_migrations where version = (select max(version) from schema_migrations)")
    found = await of_rows(owner, settings)
    assert found["migrations_pending"] == "warning"
    assert "no_backup" not in found, "tables that are not there yet are not asked"


def test_every_finding_has_its_sentences_in_both_languages(settings: Settings) -> None:
    for finding in installation_checks.of_settings(settings, NOW):
        for level in ("ok", "warning"):
            told = {line(msgspec.structs.replace(finding, level=level), language) for language in ("zh", "en")}
            assert len(told) == 2
    assert all(len(set(msgspec.structs.astuple(one))) == 4 for one in SENTENCES.values())


def run(program: Program, **environment: str) -> tuple[int, str, str]:
    program.environment |= environment
    done = program.run("doctor")
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


INIT = (
    "init", "--district=410199", "--code=410199", "--name=试点区", "--time-zone=Asia/Shanghai",
    "--organisation=试点区委", "--administrator=郑管理", "--number=A1",
)  # fmt: skip


@pytest.mark.timeout(300)
def test_a_new_installation_becomes_safe_with_its_first_backup() -> None:
    with tempfile.TemporaryDirectory(prefix="zf-") as folder:
        program = Program(Path(folder) / "data", LC_ALL="zh_CN.UTF-8", ZOUFANG_SECOND_FACTOR_ROLES="administrator")
        code, said, wrong = run(program)
        assert (code, "没有安装" in wrong) == (2, True)
        assert not program.data.exists(), "looking makes nothing"
        assert program.run(*INIT).returncode == 0
        code, said, _ = run(program)
        assert code == 1
        assert "小时内没有备份" in said
        assert program.run("backup", str(Path(folder) / "b.tar")).returncode == 0
        code, said, _ = run(program, LC_ALL="C")
        assert code == 0, said
        assert "UNSAFE" not in said
        program.data.chmod(0o755)
        assert run(program)[0] == 1


def test_a_database_that_does_not_answer_could_not_be_looked_into(tmp_path: Path) -> None:
    program = Program(tmp_path / "data", DATABASE_URL=f"postgresql://zoufang_app:{PASSWORD}@127.0.0.1:1/zoufang")
    code, said, wrong = run(program)
    assert code == 2
    assert "Could not look" in wrong
    assert PASSWORD not in said + wrong


def test_a_ring_without_dates_is_not_called_young(settings: Settings) -> None:
    ring = key_ring.read(settings)
    key_ring.replace(settings, KeyRing(keys=ring.keys, look_up_key=ring.look_up_key))
    assert of_files(settings)["keys_old"] == "warning"
