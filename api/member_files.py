"""A list of members as a district keeps it, CSV or XLSX, with columns in Chinese or English."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from msgspec import Struct

from api.tables import Row, Table, UnusableTable
from surveys.ledgers.ledger_rows import Reason, Rejected
from surveys.people import organisations
from surveys.people.member_changes import LONGEST
from surveys.people.member_imports import Columns, Entry
from surveys.people.people import Role
from surveys.privacy.contacts import check_phone
from surveys.refusals import PhoneUnusable, TextUnusable

# What the columns are called; the first that a file has counts.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "path": ("组织", "组织路径", "所属组织", "所在党组织", "organisation", "organisation_path", "organization"),
    "name": ("姓名", "name"),
    "phone": ("手机", "手机号", "手机号码", "电话", "联系电话", "phone", "mobile"),
    "number": ("编号", "党员编号", "number", "member_number"),
    "roles": ("角色", "roles", "role"),
    "scopes": ("范围", "scope", "scopes"),
    "areas": ("责任区", "area", "areas"),
}
NEEDED = ("path", "name", "number")

ROLES: Mapping[str, Role] = {
    "党员": "member",
    "组织员": "organiser",
    "组织管理员": "organiser",
    "社区工作人员": "community_worker",
    "社区工作者": "community_worker",
    "调度员": "dispatcher",
    "部门经办人": "department_handler",
    "部门承办人": "department_handler",
    "领导": "leader",
    "管理员": "administrator",
    "区管理员": "administrator",
    "审计员": "auditor",
    "运维人员": "operator",
    "系统运维": "operator",
    **{role: role for role in get_args(Role)},
    **{role.replace("_", " "): role for role in get_args(Role)},
}

# Why a row can be refused, in Chinese and English; the facts of the reason fill the braces.
REASONS: Mapping[str, tuple[str, str]] = {
    "too_many_cells": ("比表头多出单元格", "has more cells than the header"),
    "missing": ("为空", "is empty"),
    "text_too_long": ("文字超过 {most} 个字", "is longer than {most} characters"),
    "text_unusable": ("含有不可用的字符", "has a character that no text has"),
    "path_unusable": ("组织路径写法有误：{given}", "is not a path such as 区委/街道党工委/第一支部: {given}"),
    "number_repeated": ("与第 {row} 行编号相同", "is the number of row {row} already"),
    "phone_unusable": ("手机号写法有误", "is no phone number"),
    "phone_taken": ("手机号已登记在别人名下，或在表中重复", "is another member's, or stands in another row"),
    "role_unknown": ("没有这个角色：{given}", "is not a role: {given}"),
    "scope_without_role": ("有范围而没有角色", "is given without a role"),
    "scope_missing": ("角色 {role} 缺少范围，或范围不符", "names nothing in which the role {role} could hold"),
    "scope_unknown": ("没有这个范围，或与角色不符：{given}", "is not there, or does not go with the role: {given}"),
    "area_unknown": ("没有这个责任区：{given}", "is neither a community nor a street: {given}"),
}

_PARTS = re.compile(r"[;；、]")


class Read(Struct, frozen=True):
    """A list as it was read: what can be taken over, what cannot, and every number that it names."""

    entries: list[Entry]
    rejected: list[Rejected]
    numbers: frozenset[str]
    nameless: int  # rows without a number, of whom nobody can say whether they are missing
    columns: Columns


def read(file: Path, table: Table, progress: Callable[[int], None] = lambda rows: None) -> Read:
    """The entries of a list, each row by itself. Raises UnusableTable when it lacks a column, or breaks off."""
    columns = _columns(file, table.columns)
    entries: list[Entry] = []
    rejected: list[Rejected] = []
    rows: dict[str, int] = {}
    nameless = 0
    for done, row in enumerate(table, start=1):
        if done % 1_000 == 0:
            progress(done)
        texts = {name: row.text(column) for name, column in columns.items()}
        nameless += not texts["number"]
        reasons = list(_reasons(row, texts, columns))
        first = rows.setdefault(texts["number"], row.number) if texts["number"] else row.number
        if first != row.number:
            reasons.append(Reason("number_repeated", columns["number"], {"row": first}))
        if reasons:
            rejected.append(Rejected(row.number, tuple(reasons), row.cells))
        else:
            entries.append(_entry(row, texts))
    if not entries and not rejected:
        raise UnusableTable("no_rows", file=file.name)
    told = Columns(**{name: columns.get(name) for name in Columns.__struct_fields__})
    return Read(entries, rejected, frozenset(rows), nameless, told)


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


def _reasons(row: Row, texts: Mapping[str, str], columns: Mapping[str, str]) -> Iterator[Reason]:
    if row.fault:
        yield Reason(row.fault)
    yield from _text_reasons(texts, columns)
    if texts.get("phone"):
        try:
            check_phone(texts["phone"], "phone")
        except PhoneUnusable:
            yield Reason("phone_unusable", columns["phone"])
    for part in _parts(texts.get("roles", "")):
        if part.casefold() not in ROLES:
            yield Reason("role_unknown", columns["roles"], {"given": part})


def _text_reasons(texts: Mapping[str, str], columns: Mapping[str, str]) -> Iterator[Reason]:
    yield from (Reason("missing", columns[name]) for name in NEEDED if not texts[name])
    for name in ("name", "number"):
        if len(texts[name]) > LONGEST:
            yield Reason("text_too_long", columns[name], {"most": LONGEST})
    for name, text in texts.items():
        if not text.isprintable():
            yield Reason("text_unusable", columns[name])
    try:
        if texts["path"]:
            organisations.path(texts["path"])
    except TextUnusable:
        yield Reason("path_unusable", columns["path"], {"given": texts["path"]})


def _parts(text: str) -> list[str]:
    return [part.strip() for part in _PARTS.split(text) if part.strip()]


def _entry(row: Row, texts: Mapping[str, str]) -> Entry:
    named = _parts(texts.get("roles", ""))
    return Entry(
        row=row.number,
        cells=row.cells,
        path=organisations.path(texts["path"]),
        number=texts["number"],
        name=" ".join(texts["name"].split()),
        phone=texts.get("phone") or None,
        roles=tuple(dict.fromkeys(ROLES[part.casefold()] for part in named)) if named else None,
        scopes=tuple(_parts(texts.get("scopes", ""))),
        areas=tuple(_parts(texts.get("areas", ""))),
    )
