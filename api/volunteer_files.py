"""A list of volunteer teams and who is in them, CSV or XLSX, with columns in Chinese or English."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from msgspec import Struct

from api.tables import Row, Table, UnusableTable
from surveys.ledgers.ledger_rows import Reason, Rejected
from surveys.privacy.contacts import check_phone
from surveys.refusals import PhoneUnusable, TextUnusable
from surveys.volunteering import skills, teams, volunteers
from surveys.volunteering.skills import Hours, HoursUnusable
from surveys.volunteering.teams import Kind
from surveys.volunteering.volunteer_imports import Columns, Entry

# What the columns are called; the first that a file has counts.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "team": ("服务队", "志愿服务队", "队伍名称", "team"),
    "kind": ("类别", "服务类别", "kind", "type"),
    "organisation": ("组织", "组织路径", "所属组织", "organisation", "organisation_path", "organization"),
    "areas": ("服务范围", "社区", "范围", "area", "areas", "community"),
    "leader": ("队长编号", "队长", "leader", "leader_number"),
    "name": ("姓名", "志愿者", "name"),
    "number": ("党员编号", "编号", "member_number", "number"),
    "phone": ("手机", "手机号", "手机号码", "电话", "联系电话", "phone", "mobile"),
    "skills": ("技能", "特长", "skills", "skill"),
    "hours": ("时段", "服务时段", "可服务时段", "hours"),
}
NEEDED = ("team", "organisation")

KINDS: Mapping[str, Kind] = {
    "政策宣讲": "policy",
    "文艺": "arts",
    "文艺服务": "arts",
    "康乐关爱": "wellbeing",
    "健康": "wellbeing",
    "科技": "technology",
    "科技助力": "technology",
    "就业": "jobs",
    "就业帮扶": "jobs",
    "环境": "environment",
    "清洁家园": "environment",
    "平安": "safety",
    "平安巡逻": "safety",
    "助学": "learning",
    "助学辅导": "learning",
    "邻里互助": "neighbours",
    "其他": "other",
    "其他服务": "other",
    "文化文艺": "arts",
    "科技服务": "technology",
    "环境整治": "environment",
    "平安巡防": "safety",
    "其他类别": "other",
    **{kind: kind for kind in get_args(Kind)},
}

# Why a row can be refused, in Chinese and English; the facts of the reason fill the braces.
REASONS: Mapping[str, tuple[str, str]] = {
    "too_many_cells": ("比表头多出单元格", "has more cells than the header"),
    "missing": ("为空", "is empty"),
    "nobody": ("没有姓名，也没有党员编号", "names nobody: neither a name nor a member's number"),
    "phone_of_member": ("党员用本人登记的电话，不在此填写", "gives a phone to a member, who has their own"),
    "text_unusable": ("文字太长，或含有不可用的字符", "is too long, or has a character that no text has"),
    "phone_unusable": ("手机号写法有误", "is no phone number"),
    "kind_unknown": ("没有这种服务类别：{given}", "is not a kind of team: {given}"),
    "kind_missing": ("新的服务队要写类别", "says no kind for a team that is new"),
    "hours_unusable": (
        "时段写法有误，应类似“周六 09:00-11:30”：{given}",
        "is no span such as 周六 09:00-11:30: {given}",
    ),
    "organisation_unknown": ("没有这个组织，或有几个同名：{given}", "is no organisation, or several have it: {given}"),
    "area_unknown": ("没有这个社区或街道：{given}", "is neither a community nor a street: {given}"),
    "member_unknown": ("没有这个编号的党员：{given}", "is no member's number: {given}"),
    "ended_it": ("此人已注销志愿者资料，只能由本人重新登记：{given}", "ended it, and begins again themselves: {given}"),
}

_PARTS = re.compile(r"[;；、，,\n]")
_SPAN = re.compile(
    r"(?:周|星期|礼拜)?(?P<day>[一二三四五六日天1-7]|mon|tue|wed|thu|fri|sat|sun)[a-z]*\s*"
    r"(?P<starts>\d{1,2}[:：]\d{2})\s*[-–—~至到]\s*(?P<ends>\d{1,2}[:：]\d{2})",
    re.IGNORECASE,
)
_DAYS = {day: at for days in ("一二三四五六日", "1234567") for at, day in enumerate(days, start=1)} | {"天": 7}
_DAYS |= {day: at for at, day in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), start=1)}


class Read(Struct, frozen=True):
    """A list as it was read: what can be taken over, and what cannot."""

    entries: list[Entry]
    rejected: list[Rejected]
    columns: Columns


def read(file: Path, table: Table, progress: Callable[[int], None] = lambda rows: None) -> Read:
    """The entries of a list, each row by itself. Raises UnusableTable when it lacks a column, or breaks off."""
    columns = _columns(file, table.columns)
    entries: list[Entry] = []
    rejected: list[Rejected] = []
    for done, row in enumerate(table, start=1):
        if done % 1_000 == 0:
            progress(done)
        texts = {name: row.text(column) for name, column in columns.items()}
        spans: list[Hours] = []
        reasons = list(_reasons(row, texts, columns, spans))
        if reasons:
            rejected.append(Rejected(row.number, tuple(reasons), row.cells))
        else:
            entries.append(_entry(row, texts, spans))
    if not entries and not rejected:
        raise UnusableTable("no_rows", file=file.name)
    told = Columns(**{name: columns.get(name) for name in Columns.__struct_fields__})
    return Read(entries, rejected, told)


def _columns(file: Path, present: Sequence[str]) -> dict[str, str]:
    """Which column of the file holds what."""
    folded = {column.casefold(): column for column in reversed(present)}
    found = {
        name: folded[spelling]
        for name, spellings in COLUMNS.items()
        for spelling in reversed(spellings)
        if spelling in folded
    }
    missing = [COLUMNS[name][0] for name in NEEDED if name not in found]
    if missing:
        raise UnusableTable("columns_missing", file=file.name, missing=missing, columns=list(present))
    return found


def _reasons(row: Row, texts: Mapping[str, str], columns: Mapping[str, str], spans: list[Hours]) -> Iterator[Reason]:
    """What is wrong with a row by itself; `spans` is filled with its hours."""
    if row.fault:
        yield Reason(row.fault)
    yield from (Reason("missing", columns[name]) for name in NEEDED if not texts[name])
    if not texts.get("name") and not texts.get("number"):
        yield Reason("nobody", columns.get("name"))
    if texts.get("number") and texts.get("phone"):
        yield Reason("phone_of_member", columns["phone"])
    yield from _text_reasons(texts, columns)
    kind = texts.get("kind", "").casefold()
    if kind and kind not in KINDS:
        yield Reason("kind_unknown", columns["kind"], {"given": texts["kind"]})
    for part in _parts(texts.get("hours", "")):
        try:
            spans += skills.read([_span(part)])
        except (HoursUnusable, ValueError):
            yield Reason("hours_unusable", columns["hours"], {"given": part})


def _text_reasons(texts: Mapping[str, str], columns: Mapping[str, str]) -> Iterator[Reason]:
    try:
        if texts["team"]:
            teams.tidy(texts["team"], "team", teams.LONGEST_NAME)
    except TextUnusable:
        yield Reason("text_unusable", columns["team"])
    try:
        if texts.get("name"):
            volunteers.tidy_name(texts["name"])
    except TextUnusable:
        yield Reason("text_unusable", columns["name"])
    try:
        skills.tidy_names(_parts(texts.get("skills", "")))
    except TextUnusable:
        yield Reason("text_unusable", columns["skills"])
    try:
        if texts.get("phone"):
            check_phone(texts["phone"], "phone")
    except PhoneUnusable:
        yield Reason("phone_unusable", columns["phone"])


def _span(text: str) -> str:
    """A span as the program writes it: 周六 9:00-11:30 as 6 09:00-11:30. Raises ValueError."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day = _DAYS[found["day"].casefold()]
    starts, ends = (found[name].replace("：", ":").zfill(5) for name in ("starts", "ends"))
    if not ("00:00" <= starts <= "23:59" and starts[3:] <= "59" and ends <= "24:00" and ends[3:] <= "59"):
        raise ValueError(text)
    return f"{day} {starts}-{ends}"


def _parts(text: str) -> list[str]:
    return [part.strip() for part in _PARTS.split(text) if part.strip()]


def _entry(row: Row, texts: Mapping[str, str], spans: Sequence[Hours]) -> Entry:
    able = _parts(texts.get("skills", ""))
    number = texts.get("number") or None
    return Entry(
        row=row.number,
        cells=row.cells,
        team=teams.tidy(texts["team"], "team", teams.LONGEST_NAME),
        organisation=re.sub(r"\s*[/／>＞]\s*", "/", texts["organisation"]),
        kind=KINDS.get(texts.get("kind", "").casefold()),
        areas=tuple(_parts(texts.get("areas", ""))),
        leader=texts.get("leader") or None,
        name=volunteers.tidy_name(texts["name"]) if number is None else None,
        number=number,
        phone=texts.get("phone") or None,
        skills=skills.tidy_names(able) if able else None,
        hours=skills.read([str(span) for span in spans]) if spans else None,
    )
