"""A list of categories as a district keeps it, in our columns or in those of the city-management list."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from msgspec import UNSET

from api.tables import Row, UnusableTable, read_table
from surveys.clock.clock import Span, Unit
from surveys.issues.categories import (
    URGENCIES,
    BadCategory,
    CategoryDraft,
    Channel,
    LimitDraft,
    UnusableCategories,
    Urgency,
)

# What the columns are called: in files of ours, and in Chinese.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "code": ("code", "编码", "代码", "类别编码"),
    "name": ("name", "名称", "类别名称", "类别"),
    "parent": ("parent", "上级", "上级编码", "大类编码"),
    "channel": ("channel", "办理方式"),
    "department": ("department", "部门编码", "责任部门编码"),
    "department_name": ("department_name", "部门", "部门名称", "责任部门"),
    "normal": ("normal", "normal_hours", "一般", "一般时限"),
    "normal_unit": ("normal_unit", "一般单位", "一般时限单位"),
    "normal_response": ("normal_response", "一般响应", "一般响应时限"),
    "normal_response_unit": ("normal_response_unit", "一般响应单位", "一般响应时限单位"),
    "normal_channel": ("normal_channel", "一般办理方式"),
    "urgent": ("urgent", "urgent_hours", "紧急", "紧急时限"),
    "urgent_unit": ("urgent_unit", "紧急单位", "紧急时限单位"),
    "urgent_response": ("urgent_response", "紧急响应", "紧急响应时限"),
    "urgent_response_unit": ("urgent_response_unit", "紧急响应单位", "紧急响应时限单位"),
    "urgent_channel": ("urgent_channel", "紧急办理方式"),
    "emergency": ("emergency", "emergency_hours", "特急", "特急时限"),
    "emergency_unit": ("emergency_unit", "特急单位", "特急时限单位"),
    "emergency_response": ("emergency_response", "特急响应", "特急响应时限"),
    "emergency_response_unit": ("emergency_response_unit", "特急响应单位", "特急响应时限单位"),
    "emergency_channel": ("emergency_channel", "特急办理方式"),
    "retired": ("retired", "停用"),
}
CITY_MANAGEMENT = ("code", "major_code", "major_name", "minor_code", "minor_name")

# Why a row cannot be stored; the value at fault fills the braces.
REASONS: Mapping[str, str] = {
    "too_many_cells": "has more cells than the header 比表头多出单元格",
    "code_missing": "has no code 缺编码",
    "code_too_long": "has a code of more than 20 characters 编码超过 20 个字: {value}",
    "name_missing": "has no name 缺名称: {value}",
    "text_unusable": "has a character that no text has 含有非法字符: {value}",
    "channel_unknown": "has an unknown channel 办理方式不明: {value}",
    "limit_unusable": "has a limit that is none, as 5 working days or 72 (hours) are "
    "时限无效，应如 5个工作日、8工作时、72（小时）: {value}",
    "limit_not_positive": "has a limit that is not above 0 时限须大于 0: {value}",
    "limit_missing": "has a unit and no limit 有单位而缺时限: {value}",
    "unit_unknown": "has an unknown unit; there are 工作日 working days, 工作时 working hours, 小时 hours "
    "单位不明: {value}",
    "retired_unusable": "says neither yes nor no to retired 停用须填是或否: {value}",
    "code_repeated": "repeats the code 编码重复: {value}",
    "parent_unknown": "names a parent that does not exist 上级不存在: {value}",
    "parent_in_circle": "is its own ancestor by the parent 上级成环: {value}",
    "department_unknown": "names a department that does not exist; give its department_name 部门不存在: {value}",
    "department_name_differs": "names a department otherwise than an earlier row 部门名称前后不一: {value}",
    "department_missing": "has a department_name and no department (code) 缺部门编码: {value}",
}

CHANNELS: Mapping[str, Channel] = {
    "一站办结": "on_the_spot",
    "联审联批": "joint_review",
    "绿色通道": "green_channel",
    "代办": "agent",
    "上门": "agent",
    "代办/上门": "agent",
    **{channel: channel for channel in get_args(Channel)},
}
YES_OR_NO = {"1": True, "true": True, "yes": True, "是": True, "0": False, "false": False, "no": False, "否": False}

UNITS: Mapping[str, Unit] = {
    "工作日": "working_days",
    "个工作日": "working_days",
    "working days": "working_days",
    "working day": "working_days",
    "工作时": "working_hours",
    "个工作时": "working_hours",
    "工作小时": "working_hours",
    "个工作小时": "working_hours",
    "working hours": "working_hours",
    "working hour": "working_hours",
    "小时": "calendar_hours",
    "个小时": "calendar_hours",
    "自然小时": "calendar_hours",
    "calendar hours": "calendar_hours",
    "hours": "calendar_hours",
    "hour": "calendar_hours",
    "h": "calendar_hours",
}

LONGEST_CODE = 20
LONGEST_LIMIT: Mapping[Unit, int] = {"calendar_hours": 87_600, "working_hours": 20_000, "working_days": 2_500}
_LIMIT = re.compile(r"([0-9]{1,6})\s*(\D*)")


def read_drafts(file: Path, sheet: str | None = None, header_row: int | None = None) -> list[CategoryDraft]:
    """The drafts of a file in either layout. Raises UnusableTable, or UnusableCategories with every bad row."""
    table = read_table(file, sheet, header_row)
    own = None if set(CITY_MANAGEMENT) <= set(table.columns) else _columns(file, table.columns)
    drafts: list[CategoryDraft] = []
    bad: list[BadCategory] = []
    for row in table:
        texts = _city_management(row) if own is None else {name: row.text(column) for name, column in own.items()}
        faults = list(_faults(row, texts))
        bad += faults
        if not faults:
            drafts.append(_draft(row.number, texts))
    bad += _names_that_differ(drafts)
    if bad:
        raise UnusableCategories(bad)
    if not drafts:
        raise UnusableTable("no_rows", file=file.name)
    return drafts


def _columns(file: Path, present: Sequence[str]) -> dict[str, str]:
    """Which column of the file holds what."""
    folded = {column.casefold(): column for column in reversed(present)}
    found = {
        name: folded[spelling]
        for name, spellings in COLUMNS.items()
        for spelling in spellings[::-1]
        if spelling in folded
    }
    missing = [name for name in ("code", "name") if name not in found]
    if missing:
        raise UnusableTable("columns_missing", file=file.name, missing=missing, columns=list(present))
    return found


def _city_management(row: Row) -> dict[str, str]:
    """A row of the city-management list: a group's own row has no minor code, and is named by its major name."""
    if row.text("minor_code"):
        return {"code": row.text("code"), "name": row.text("minor_name"), "parent": row.text("major_code")}
    return {"code": row.text("code"), "name": row.text("major_name"), "parent": ""}


def _faults(row: Row, texts: Mapping[str, str]) -> Iterator[BadCategory]:
    for reason, value in [*_text_faults(row, texts), *_choice_faults(texts)]:
        yield BadCategory(row.number, reason, value)


def _text_faults(row: Row, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if row.fault:
        yield row.fault, ""
    if not texts["code"]:
        yield "code_missing", texts["name"]
    if len(texts["code"]) > LONGEST_CODE:
        yield "code_too_long", texts["code"]
    yield from (("text_unusable", repr(text)) for text in texts.values() if not text.isprintable())
    if texts.get("department_name") and not texts.get("department"):
        yield "department_missing", texts["department_name"]


def _choice_faults(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if (channel := texts.get("channel")) and channel not in CHANNELS:
        yield "channel_unknown", channel
    if (retired := texts.get("retired")) and retired.casefold() not in YES_OR_NO:
        yield "retired_unusable", retired
    for urgency in URGENCIES:
        yield from _limit_faults(urgency, texts)


def _limit_faults(urgency: Urgency, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in (urgency, f"{urgency}_response"):
        text, unit = texts.get(name, ""), texts.get(f"{name}_unit", "")
        if unit and _unit(unit) is None:
            yield "unit_unknown", unit
        elif unit and not text:
            yield "limit_missing", unit
        elif text and limit(text, unit) is None:
            yield "limit_unusable", f"{text} {unit}".strip()
    if (channel := texts.get(f"{urgency}_channel")) and channel not in CHANNELS:
        yield "channel_unknown", channel


def limit(text: str, unit: str = "") -> Span | None:
    """A limit as people write it: 5 with its unit beside it, 5个工作日, 8 working hours, or just hours; None if it is
    none."""
    parts = _LIMIT.fullmatch(text.strip())
    named = [word for word in (parts[2] if parts else "", unit) if word.strip()]
    units = {_unit(word) for word in named} or {"calendar_hours"}
    found = units.pop()
    if parts is None or found is None or units or not 1 <= int(parts[1]) <= LONGEST_LIMIT[found]:
        return None
    return Span(int(parts[1]), found)


def _unit(text: str) -> Unit | None:
    return UNITS.get(" ".join(text.casefold().replace("_", " ").split()))


def _limit(urgency: Urgency, texts: Mapping[str, str]) -> LimitDraft:
    """What a row says of one urgency; the unit of its limit holds for the first contact too, unless that has one."""
    span = limit(texts.get(urgency, ""), texts.get(f"{urgency}_unit", ""))
    response, unit = texts.get(f"{urgency}_response", ""), texts.get(f"{urgency}_response_unit", "")
    if span and response.isdecimal() and not unit:
        unit = span.unit
    channel = texts.get(f"{urgency}_channel")
    return LimitDraft(span or UNSET, limit(response, unit) or UNSET, CHANNELS[channel] if channel else UNSET)


def _draft(row: int, texts: Mapping[str, str]) -> CategoryDraft:
    """What the file has no column for it does not say; an empty parent or department says that there is none."""
    return CategoryDraft(
        row=row,
        code=texts["code"],
        name=texts["name"] or UNSET,
        parent=(texts["parent"] or None) if "parent" in texts else UNSET,
        channel=CHANNELS[texts["channel"]] if texts.get("channel") else UNSET,
        department=(texts["department"] or None) if "department" in texts else UNSET,
        department_name=texts.get("department_name") or None,
        limits={urgency: told for urgency in URGENCIES if (told := _limit(urgency, texts)) != LimitDraft()},
        retired=YES_OR_NO[texts["retired"].casefold()] if texts.get("retired") else UNSET,
    )


def _names_that_differ(drafts: Sequence[CategoryDraft]) -> Iterator[BadCategory]:
    names: dict[str, str] = {}
    for draft in drafts:
        if draft.department and draft.department_name:
            first = names.setdefault(draft.department, draft.department_name)
            if first != draft.department_name:
                yield BadCategory(draft.row, "department_name_differs", draft.department_name)
