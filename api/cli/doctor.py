"""`zoufang doctor`: what is unsafe in this installation, and what to do about it."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import unquote, urlsplit

import asyncpg
import click
from msgspec import Struct
from rich.cells import cell_len

from api import installation_checks
from api.cli.database import APP, NoDatabaseError, connect, opened
from api.installation_checks import Finding
from api.migrations import MigrationError
from api.postgres_programs import ClusterError
from api.settings import Settings

Language = Literal["zh", "en"]


class Sentences(Struct, frozen=True):
    """What a finding says when all is well, and, when it is not, what to do."""

    zh_ok: str
    en_ok: str
    zh: str
    en: str


# By the code of the finding; its facts fill the braces.
SENTENCES: Mapping[str, Sentences] = {
    "keys_missing": Sentences(
        "密钥环可读",
        "The key ring can be read",
        "密钥环缺失或无法读取：从保管处取回放到 {path}；全新安装则运行 `zoufang keys make`",
        "The key ring is missing or unreadable: put it back at {path}; for a new installation `zoufang keys make`",
    ),
    "keys_inside_data": Sentences(
        "密钥环在数据文件夹之外",
        "The key ring lies outside the data folder",
        "密钥环 {path} 在数据文件夹内：移到别处并设置 ZOUFANG_KEYS",
        "The key ring {path} lies inside the data folder: move it elsewhere and set ZOUFANG_KEYS",
    ),
    "keys_readable": Sentences(
        "密钥环只有所有者可读",
        "Only its owner can read the key ring",
        "他人可读密钥环：运行 `chmod 600 {path}`，其文件夹用 `chmod 700`，再运行 `zoufang keys rotate`",
        "Others can read the key ring: run `chmod 600 {path}`, `chmod 700` on its folder, then `zoufang keys rotate`",
    ),
    "keys_old": Sentences(
        "最新的密钥不到一年",
        "The newest key is less than a year old",
        "最新的密钥已用 {days} 天：运行 `zoufang keys rotate`",
        "The newest key is {days} days old: run `zoufang keys rotate`",
    ),
    "data_readable": Sentences(
        "数据文件夹他人不可读",
        "Others cannot read the data folder",
        "他人可读数据文件夹：运行 `chmod -R go-r {path}`",
        "Others can read the data folder: run `chmod -R go-r {path}`",
    ),
    "attachments_unwritable": Sentences(
        "照片文件夹可写",
        "Photos can be written to their folder",
        "照片文件夹无法读写：让运行程序的用户拥有 {path}",
        "Photos cannot be written to their folder: let the program's user own {path}",
    ),
    "attachments_in_clear": Sentences(
        "照片经加密连接存入 {url}",
        "Photos go to {url} over an encrypted connection",
        "照片未经加密就传到 {url}：把 AWS_ENDPOINT_URL 改为 https",
        "Photos go to {url} unencrypted: let AWS_ENDPOINT_URL be an https address",
    ),
    "attachments_not_backed_up": Sentences(
        "照片随备份保存",
        "Photos are in the backup",
        "照片在 {url}，不在 `zoufang backup` 的备份中：请在存储桶上启用版本或复制",
        "Photos lie in {url} and not in `zoufang backup`: let the bucket keep versions, or a copy",
    ),
    "database_password": Sentences(
        "{setting} 的密码不易猜到",
        "The password in {setting} is not easily guessed",
        "{setting} 没有密码，或密码太短、太常见：换成 `openssl rand -hex 24` 的结果",
        "{setting} has no password, or a short or common one: change it to what `openssl rand -hex 24` prints",
    ),
    "no_tls": Sentences(
        "从其他机器访问时有 TLS，或只在本机监听",
        "Others reach the program by TLS, or not at all",
        "在 {host} 上监听而没有 TLS：在前面放代理并设置 ZOUFANG_PUBLIC_URL=https://…，或使用 --tls-certificate",
        "It listens on {host} without TLS: put a proxy in front and set ZOUFANG_PUBLIC_URL=https://…, "
        "or use --tls-certificate",
    ),
    "proxies_wide": Sentences(
        "可信代理的范围不大",
        "Trusted proxies are few",
        "可信代理范围过大，他人可伪造来源地址：把 ZOUFANG_TRUSTED_PROXIES 中的 {networks} 改为代理自己的地址",
        "Too many addresses may claim to be others: narrow {networks} in ZOUFANG_TRUSTED_PROXIES to the proxy's own",
    ),
    "disk_full": Sentences(
        "磁盘还有 {percent}% 可用",
        "{percent}% of the disk is free",
        "磁盘只剩 {percent}% 可用：腾出空间或扩容",
        "Only {percent}% of the disk is free: make room, or a larger disk",
    ),
    "clock_off": Sentences(
        "本机时钟与数据库一致",
        "This machine's clock agrees with the database's",
        "本机时钟与数据库相差 {seconds} 秒：在两台机器上开启时间同步（NTP）",
        "This machine's clock is {seconds} s off the database's: let both keep time by NTP",
    ),
    "fsync_off": Sentences(
        "数据库把提交写入磁盘",
        "The database writes commits to disk",
        "PostgreSQL 的 fsync 或 full_page_writes 已关闭，断电会丢失或损坏数据：把两者设为 on",
        "PostgreSQL's fsync or full_page_writes is off, and a power cut loses data: set both to on",
    ),
    "migrations_pending": Sentences(
        "数据库与程序版本一致",
        "The database is at the program's version",
        "数据库尚未升级（{names}）：运行 `zoufang migrate`，然后再运行一次本命令",
        "The database lacks {names}: run `zoufang migrate`, then this command again",
    ),
    "role_rights": Sentences(
        "运行角色 {role} 的权限合适",
        "The role {role} that runs has no more rights than it needs",
        "运行角色 {role} 权限过大，可改动历史记录：DATABASE_URL 改用 zoufang_app，且不授予超级用户或所有者权限",
        "The role {role} that runs could change the history: use zoufang_app in DATABASE_URL, and grant it no more "
        "than the migrations do",
    ),
    "demo_tokens": Sentences(
        "没有对外开放的演示令牌",
        "No demo tokens are open to others",
        "有 {count} 个演示令牌仍有效：不要用演示数据对外服务，请用 `zoufang init` 新建安装",
        "{count} demo tokens still open the door: do not serve demo data to others; found a new installation "
        "with `zoufang init`",
    ),
    "no_second_factor": Sentences(
        "管理员和审计员都须使用或已启用动态验证码",
        "Administrators and auditors have a second factor",
        "有 {count} 名管理员或审计员没有动态验证码：设置 ZOUFANG_SECOND_FACTOR_ROLES=administrator,auditor",
        "{count} administrators or auditors have no second factor: set "
        "ZOUFANG_SECOND_FACTOR_ROLES=administrator,auditor",
    ),
    "tokens_unused": Sentences(
        "没有长期不用又不会过期的令牌",
        "No token that never expires lies unused",
        "有 {count} 个永不过期的令牌 90 天未用：请其持有人在“我的账号”页撤销",
        "{count} tokens never expire and were not used for 90 days: have them revoked on the account page",
    ),
    "codes_expired": Sentences(
        "没有早已过期的首次登录码",
        "No member is left with a first-access code long expired",
        "有 {count} 名成员的首次登录码早已过期：用 `zoufang members invite` 重新发放",
        "{count} members have a first-access code long expired: issue new ones with `zoufang members invite`",
    ),
    "no_backup": Sentences(
        "近期有备份",
        "There is a recent backup",
        "{hours} 小时内没有备份：每晚运行 `zoufang backup`，并把文件放到另一台机器",
        "No backup in {hours} hours: run `zoufang backup` every night, and keep the file on another machine",
    ),
    "backup_unverified": Sentences(
        "近期备份已试恢复",
        "A recent backup was tried out",
        "近期的备份都没有试恢复：运行 `zoufang backup` 时不要加 --no-verify",
        "No recent backup was tried out: run `zoufang backup` without --no-verify",
    ),
    "history_unsealed": Sentences(
        "历史记录按时封存",
        "The history is sealed in time",
        "历史记录已有 {hours} 小时未封存：查看 `zoufang jobs` 是否在运行，或运行 `zoufang history seal`",
        "The history was not sealed for {hours} hours: see that jobs run, or run `zoufang history seal`",
    ),
    "history_unverified": Sentences(
        "历史记录一个月内核验过",
        "The history was verified within a month",
        "历史记录已有一个月未核验：查看 `zoufang jobs` 是否在运行；`zoufang backup` 每次也会核验",
        "The history was not verified for a month: see that jobs run; every `zoufang backup` verifies it too",
    ),
    "history_broken": Sentences(
        "历史记录核验通过",
        "The history verifies",
        "历史记录核验未通过：运行 `zoufang history verify` 查看第一条被改动的记录，并查明是谁改动了数据库",
        "The history does not verify: `zoufang history verify` names the first broken record; find out who changed it",
    ),
    "jobs_failing": Sentences(
        "后台任务正常",
        "Background jobs succeed",
        "后台任务失败：{names}。查看日志，修复后运行 `zoufang jobs --once 名称`",
        "Background jobs fail: {names}. See the log, and when mended run `zoufang jobs --once NAME`",
    ),
    "holidays_unpublished": Sentences(
        "没有期限在等待公布放假安排",
        "No due time waits for holidays to be published",
        "{issues} 个未办结问题的期限是暂定的，因为 {year} 年的放假和调休安排尚未导入：公布后运行 "
        "`zoufang import holidays FILE.csv`，或升级程序后加 --from-library",
        "{issues} open issues have provisional due times, since the holidays of {year} are not known: once they are "
        "announced, `zoufang import holidays FILE.csv`, or --from-library after an update of the program",
    ),
    "errands_parked": Sentences(
        "没有搁置的通知或推送",
        "No message was given up",
        "{count} 条通知或推送多次失败后搁置：`zoufang jobs --list` 列出，排除原因后运行 `zoufang jobs --retry 编号`",
        "{count} messages failed too often and are parked: `zoufang jobs --list` names them; when what kept them is "
        "mended, `zoufang jobs --retry ID`",
    ),
}
LEVELS: Mapping[Language, Mapping[str, str]] = {
    "zh": {"ok": "正常", "warning": "注意", "unsafe": "危险"},
    "en": {"ok": "ok", "warning": "warning", "unsafe": "UNSAFE"},
}
SUMMARY: Mapping[Language, str] = {
    "zh": "{unsafe} 项危险，{warning} 项注意，{ok} 项正常",
    "en": "{unsafe} unsafe, {warning} warnings, {ok} ok",
}
NOT_LOOKED: Mapping[Language, str] = {
    "zh": "无法检查数据库：{reason}",
    "en": "Could not look into the database: {reason}",
}
NO_INSTALLATION: Mapping[Language, str] = {
    "zh": "{path} 中没有安装；请设置 ZOUFANG_DATA 或 DATABASE_URL",
    "en": "there is no installation in {path}; set ZOUFANG_DATA or DATABASE_URL",
}


@click.command()
@click.option("--language", type=click.Choice(["zh", "en"]), help="Of the sentences.  [default: by LANG]")
@click.pass_obj
def doctor(settings: Settings, language: Language | None) -> None:
    """Tell what is unsafe in this installation, and what to do.

    Ends with 0 when nothing is unsafe, with 1 when something is, and with 2 when it could not look.
    """
    told = language or language_of_terminal()
    findings = list(installation_checks.of_settings(settings, datetime.now(UTC)))
    reason = None
    try:
        findings += of_database(settings, told)
    except (NoDatabaseError, ClusterError, MigrationError, asyncpg.PostgresError) as error:
        reason = str(error)
    for finding in findings:
        click.echo(line(finding, told))
    if reason is not None:
        click.echo(NOT_LOOKED[told].format(reason=reason), err=True)
        raise SystemExit(2)
    counts = {level: sum(finding.level == level for finding in findings) for level in LEVELS[told]}
    click.echo(SUMMARY[told].format_map(counts))
    raise SystemExit(1 if counts["unsafe"] else 0)


def of_database(settings: Settings, language: Language) -> Sequence[Finding]:
    """What the database tells, as the role that owns where that is known; nothing is made or migrated to look."""
    given = settings.database_url or settings.migration_database_url
    if given is None and not (settings.data / "postgresql" / "cluster").is_dir():
        raise NoDatabaseError(NO_INSTALLATION[language].format(path=settings.data))
    with opened(settings, migrating=False) as addresses:
        app = unquote(urlsplit(settings.database_url or "").username or APP)

        async def look() -> Sequence[Finding]:
            conn = await connect(addresses.owner or addresses.program)
            try:
                return await installation_checks.of_database(conn, settings, app)
            finally:
                await conn.close()

        return asyncio.run(look())


def line(finding: Finding, language: Language) -> str:
    """A finding as one line: its level, and one sentence."""
    said = SENTENCES[finding.code]
    well = finding.level == "ok"
    sentence = {"zh": said.zh_ok if well else said.zh, "en": said.en_ok if well else said.en}[language]
    level = LEVELS[language][finding.level]
    return f"{level}{' ' * (9 - cell_len(level))}{sentence.format_map(finding.facts)}"


def language_of_terminal() -> Language:
    named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "zh" if named.lower().startswith("zh") else "en"
