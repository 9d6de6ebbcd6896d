"""What is unsafe in an installation: its files, its settings, its database, and what people left open in it.

Each check answers with findings, by a code whose sentences are in `api.cli.doctor`."""

import os
import shutil
import socket
import ssl
import stat
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
from msgspec import Struct

from api import attachment_store, key_ring, migrations
from api.key_ring import KeyRingError
from api.settings import Settings, variable
from surveys.issues.workflow import OPEN

Level = Literal["ok", "warning", "unsafe"]

OLD_KEY = timedelta(days=365)
UNUSED_TOKEN = timedelta(days=90)
EXPIRED_CODE = timedelta(days=14)
OLD_BACKUP = timedelta(hours=48)
OLD_SEAL = timedelta(hours=2)
OLD_VERIFICATION = timedelta(days=31)
CLOCK_OFF = timedelta(seconds=30)
LEAST_DISK = (0.10, 0.02)  # of the disk free, below which it is a warning, and unsafe
SHORTEST_PASSWORD = 12
DEFAULT_PASSWORDS = frozenset(
    ("postgres", "password", "zoufang", "zoufang_app", "zoufang_owner", "administrator", "changeme", "123456789012")
)
NARROW_PROXY_NETWORK = {4: 24, 6: 64}  # the shortest prefix, by IP version, that names one place


class Finding(Struct, frozen=True):
    """What one check found; `facts` fill the braces of its sentences."""

    code: str
    level: Level
    facts: dict[str, object] = {}


def found(code: str, bad: bool, level: Level = "unsafe", **facts: object) -> Finding:
    """A finding of this level where something is bad, and else one that is ok."""
    return Finding(code, level if bad else "ok", facts)


# Files and settings


def of_settings(settings: Settings, now: datetime) -> Iterator[Finding]:
    """All that can be told without the database."""
    yield from of_keys(settings, now)
    yield from of_data(settings)
    yield from of_attachments(settings)
    yield from of_passwords(settings)
    yield of_transport(settings)
    yield of_proxies(settings)
    yield of_disk(settings)


def of_keys(settings: Settings, now: datetime) -> Iterator[Finding]:
    path = settings.key_file
    yield found("keys_inside_data", path.resolve().is_relative_to(settings.data.resolve()), path=path)
    try:
        ring = key_ring.read(settings)
    except KeyRingError:
        yield Finding("keys_missing", "unsafe", {"path": path})
        return
    yield Finding("keys_missing", "ok", {"path": path})
    yield found("keys_readable", key_ring.readable_by_others(settings) or open_to_others(path.parent), path=path)
    age = now - ring.made_at.get(ring.newest, now)
    yield found("keys_old", age > OLD_KEY, "warning", days=age.days)


def open_to_others(path: Path) -> bool:
    """Whether anybody but its owner may look into a folder or file."""
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def of_data(settings: Settings) -> Iterator[Finding]:
    if settings.data.is_dir():
        inside = [path for path in settings.data.iterdir() if open_to_others(path)]
        yield found("data_readable", open_to_others(settings.data) or bool(inside), path=settings.data)


def of_attachments(settings: Settings) -> Iterator[Finding]:
    """Where photos lie: whether they can be written there and, in S3, how they go there and who keeps a copy."""
    folder = attachment_store.folder(settings)
    if folder is None:
        plain = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        host = urlsplit(plain).hostname or ""
        in_clear = plain.startswith("http://") and not is_loopback(host)
        yield found("attachments_in_clear", in_clear, url=settings.attachments)
        yield Finding("attachments_not_backed_up", "warning", {"url": settings.attachments})
        return
    usable = not folder.exists() or (folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK))
    yield found("attachments_unwritable", not usable, path=folder)


def of_passwords(settings: Settings) -> Iterator[Finding]:
    for field in ("database_url", "migration_database_url"):
        url: str | None = getattr(settings, field)
        if url and (parts := urlsplit(url)).hostname and not parse_qs(parts.query).get("host"):
            yield found("database_password", is_guessable(url), setting=variable(field))


def is_guessable(url: str) -> bool:
    """Whether the password of a database's address is missing, short, or one that everybody tries first."""
    parts = urlsplit(url)
    password = unquote(parts.password or "") or next(iter(parse_qs(parts.query).get("password", [])), "")
    if not password:
        return not (os.environ.get("PGPASSWORD") or os.environ.get("PGPASSFILE"))
    weak = password.lower() in DEFAULT_PASSWORDS or password == parts.username
    return weak or len(password) < SHORTEST_PASSWORD


def of_transport(settings: Settings) -> Finding:
    https = (settings.public_url or "").startswith("https://")
    alone = is_loopback(settings.host) and not settings.public_url
    return found("no_tls", not (https or alone or speaks_tls(settings.port)), host=settings.host)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def speaks_tls(port: int) -> bool:
    """Whether the program, if it serves here now, has a certificate of its own."""
    asking = ssl.create_default_context()
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE  # whether, not whose
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as plain, asking.wrap_socket(plain):
            return True
    except OSError:
        return False


def of_proxies(settings: Settings) -> Finding:
    networks = [ip_network(proxy, strict=False) for proxy in settings.trusted_proxies]
    wide = [one for one in networks if one.prefixlen < NARROW_PROXY_NETWORK[one.version] and not one.is_loopback]
    strangers = any(one.prefixlen <= 8 or one.is_global for one in wide)
    named = ", ".join(map(str, wide))
    return found("proxies_wide", bool(wide), "unsafe" if strangers else "warning", networks=named)


def of_disk(settings: Settings) -> Finding:
    folder = next(path for path in (settings.data, *settings.data.absolute().parents) if path.is_dir())
    usage = shutil.disk_usage(folder)
    share = usage.free / usage.total
    little, least = LEAST_DISK
    return found("disk_full", share < little, "unsafe" if share < least else "warning", percent=round(share * 100))


# The database


Check = Callable[[asyncpg.Connection, Settings, datetime], Any]

CLOCK = "select clock_timestamp()"
FSYNC = "select current_setting('fsync') = 'on' and current_setting('full_page_writes') = 'on'"
RIGHTS = """
select r.rolname as role,
       r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolbypassrls
         or has_table_privilege(r.oid, 'history', 'update, delete, truncate')
         or has_any_column_privilege(r.oid, 'history', 'update')
         or coalesce(has_table_privilege(r.oid, to_regclass('history_seal')::oid, 'update, delete, truncate'), false)
         or pg_has_role(r.oid, (select relowner from pg_class where oid = 'history'::regclass), 'usage') as too_many
from pg_roles r where r.rolname = $1
"""


async def of_database(conn: asyncpg.Connection, settings: Settings, app: str) -> list[Finding]:
    """What the server and the role that runs are; the checks of what is in the database follow only if it is ours."""
    before = datetime.now(UTC)
    theirs = await conn.fetchval(CLOCK)
    ours = before + (datetime.now(UTC) - before) / 2
    off = abs(theirs - ours)
    findings = [
        found("clock_off", off > CLOCK_OFF, "warning", seconds=round(off.total_seconds())),
        found("fsync_off", not await conn.fetchval(FSYNC)),
    ]
    pending = (await migrations.status(conn)).pending
    findings.append(found("migrations_pending", bool(pending), "warning", names=", ".join(pending)))
    if pending:
        return findings
    rights = await conn.fetchrow(RIGHTS, app)
    findings.append(found("role_rights", rights is None or rights["too_many"], role=app))
    for check in IN_DATABASE:
        findings.append(await check(conn, settings, ours))
    return findings


DEMO = """
select count(*) from access_token
where label = 'demo' and revoked_at is null and (expires_at is null or expires_at > $1)
"""


async def of_demo(conn: asyncpg.Connection, settings: Settings, now: datetime) -> Finding:
    """Tokens that the demo shows to whoever starts it, where others than this machine's user can come."""
    count = await conn.fetchval(DEMO, now)
    real = bool(settings.database_url or settings.public_url) or not is_loopback(settings.host)
    return found("demo_tokens", bool(count and real), count=count)


# Their sign-in is worth most: whoever gives rights, and whoever reads what everybody did.
WITHOUT_SECOND_FACTOR = """
select count(distinct (m.district, m.id)) from member m
join member_role r on r.district = m.district and r.member = m.id and r.role = any($1::text[])
left join second_factor f on f.district = m.district and f.member = m.id and f.confirmed_at is not null
where m.closed_at is null and f.member is null
"""


async def of_second_factors(conn: asyncpg.Connection, settings: Settings, _now: datetime) -> Finding:
    roles = sorted({"administrator", "auditor"} - set(settings.second_factor_roles))
    count = await conn.fetchval(WITHOUT_SECOND_FACTOR, roles)
    return found("no_second_factor", count > 0, "warning", count=count)


UNUSED_TOKENS = """
select count(*) from access_token t join member m on m.district = t.district and m.id = t.member
where t.expires_at is null and t.revoked_at is null and m.closed_at is null and t.label <> 'demo'
  and coalesce(t.last_used_at, t.created_at) < $1
"""


async def of_tokens(conn: asyncpg.Connection, _settings: Settings, now: datetime) -> Finding:
    count = await conn.fetchval(UNUSED_TOKENS, now - UNUSED_TOKEN)
    return found("tokens_unused", count > 0, "warning", count=count)


EXPIRED_CODES = """
select count(distinct (c.district, c.member)) from one_time_code c
join member m on m.district = c.district and m.id = c.member and m.closed_at is null
left join member_password p on p.district = c.district and p.member = c.member
where c.purpose = 'first_access' and c.used_at is null and c.expires_at < $1 and p.member is null
  and not exists (select from one_time_code later where later.district = c.district and later.member = c.member
                  and later.expires_at >= $1)
"""


async def of_codes(conn: asyncpg.Connection, _settings: Settings, now: datetime) -> Finding:
    count = await conn.fetchval(EXPIRED_CODES, now - EXPIRED_CODE)
    return found("codes_expired", count > 0, "warning", count=count)


# A district without any row has no backup at all.
BACKUPS = """
select bool_and(recent) as recent, bool_and(verified) as verified from (
  select d.district, count(h.id) > 0 as recent, coalesce(bool_or((h.facts ->> 'verified')::boolean), false) as verified
  from district d left join history h on h.district = d.district and h.kind = 'installation' and h.event = 'backed_up'
    and h.recorded_at > $1
  group by d.district) as by_district
"""


async def of_backups(conn: asyncpg.Connection, _settings: Settings, now: datetime) -> Finding:
    row = await conn.fetchrow(BACKUPS, now - OLD_BACKUP)
    if row is None or not row["recent"]:
        return Finding("no_backup", "unsafe", {"hours": OLD_BACKUP // timedelta(hours=1)})
    return found("backup_unverified", not row["verified"], "warning")


# Since when each district's oldest row behind its last seal waits; a row may have been given an earlier time.
UNSEALED = """
select min(greatest(h.recorded_at, s.sealed_at)) from district d
left join lateral (select epoch, to_written, to_id, sealed_at from history_seal s where s.district = d.district
  order by number desc limit 1) s on true
join history h on h.district = d.district and (
  s.epoch is null or h.epoch > s.epoch
  or h.epoch = s.epoch and h.written_in >= s.to_written and (h.written_in, h.id) >= (s.to_written, s.to_id))
"""


async def of_seals(conn: asyncpg.Connection, _settings: Settings, now: datetime) -> Finding:
    oldest = await conn.fetchval(UNSEALED)
    age = now - oldest if oldest else timedelta()
    return found("history_unsealed", age > OLD_SEAL, "warning", hours=age // timedelta(hours=1))


# The daily job verifies the history, and so does every backup that is tried out: when they last did, and the answer.
VERIFIED = """
with verified as (
  select district, started_at as at, not facts ? 'broken' as holds from job_run
  where job = 'verify_history' and outcome = 'done'
  union all
  select district, recorded_at, (facts ->> 'history_verified')::boolean from history
  where kind = 'installation' and event = 'backed_up' and (facts ->> 'verified')::boolean
)
select coalesce(bool_or(v.at is null or v.at < $1), false) as long_ago, coalesce(bool_or(not v.holds), false) as broken
from district d
left join lateral (select at, holds from verified where district = d.district order by at desc limit 1) v on true
"""


async def of_verification(conn: asyncpg.Connection, _settings: Settings, now: datetime) -> Finding:
    row = await conn.fetchrow(VERIFIED, now - OLD_VERIFICATION)
    if row is not None and row["broken"]:
        return Finding("history_broken", "unsafe")
    return found("history_unverified", row is None or row["long_ago"], "warning")


FAILING_JOBS = """
select distinct job from (
  select distinct on (district, job) job, outcome from job_run order by district, job, started_at desc) as latest
where outcome = 'failed' order by job
"""


async def of_jobs(conn: asyncpg.Connection, _settings: Settings, _now: datetime) -> Finding:
    names = [row["job"] for row in await conn.fetch(FAILING_JOBS)]
    return found("jobs_failing", bool(names), "warning", names=", ".join(names))


PARKED = "select count(*) from queue.pgqueuer where status = 'failed'"


async def of_parked(conn: asyncpg.Connection, _settings: Settings, _now: datetime) -> Finding:
    count = await conn.fetchval(PARKED)
    return found("errands_parked", count > 0, "warning", count=count)


# Open issues whose due times wait for a year, this one or the next, that is not published in their country yet.
UNPUBLISHED = """
select count(distinct i.id) as issues, min(y.year) as year
from district d
cross join unnest($1::int[]) as y(year)
join issue i on i.district = d.district and i.due_provisional and i.state = any($2)
where not coalesce((select published from holiday_year h
  where h.calendar = d.calendar and h.year = y.year order by h.version desc limit 1), false)
"""


async def of_holidays(conn: asyncpg.Connection, _settings: Settings, now: datetime) -> Finding:
    row = await conn.fetchrow(UNPUBLISHED, [now.year, now.year + 1], list(OPEN))
    issues, year = (row["issues"], row["year"]) if row else (0, None)
    return found("holidays_unpublished", issues > 0, "warning", issues=issues, year=year or now.year + 1)


IN_DATABASE: Sequence[Check] = (
    of_demo, of_second_factors, of_tokens, of_codes, of_backups, of_seals, of_verification, of_jobs, of_parked,
    of_holidays,
)  # fmt: skip
