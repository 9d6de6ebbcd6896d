"""Small ledgers for tests: a mapping, rows as a table gives them, and the district's words."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from api.tables import Cell, Row
from surveys.issues.categories import Category, Limit
from surveys.ledgers import ledger_mapping
from surveys.ledgers.ledger_mapping import LedgerMapping
from surveys.ledgers.ledger_rows import Interpreter, Rejected, Report, Words
from tests.conftest import FAR, NEAR, NEXT, NOW

MAPPING = """
name = "12345 热线"
ignore_positions = [[113.0, 34.0]]

[columns]
id = "编号"
title = "标题"
description = ["内容", "地址"]
outcome = "处理结果"
category = "类别"
urgency = "紧急程度"
state = "状态"
reported_at = "上报时间"
due_at = "截止时间"
accepted_at = "受理时间"
closed_at = "办结时间"
rejected_at = "办结时间"
state_at = "更新时间"
community = "社区"
department = "部门"
lon = "经度"
lat = "纬度"

[states]
"待受理" = "reported"
"处理中" = "in_progress"
"已办结" = "closed"
"不予受理" = "rejected"

[urgencies]
"加急" = "urgent"

[categories.codes]
"垃圾" = "0102"
"""

ROW: Mapping[str, Cell] = {
    "编号": "A-1",
    "标题": "门口垃圾成堆",
    "内容": "三天没人清理",
    "地址": "淮河路 1 号",
    "处理结果": "",
    "类别": "垃圾",
    "紧急程度": "",
    "状态": "待受理",
    "上报时间": "2026-11-01 09:30:00",
    "截止时间": "",
    "受理时间": "",
    "办结时间": "",
    "更新时间": "",
    "社区": "",
    "部门": "",
    "经度": "113.605",
    "纬度": "34.705",
}

SHANGHAI = ZoneInfo("Asia/Shanghai")


def mapped(**changes: Any) -> LedgerMapping:
    """The mapping, with some of its parts replaced."""
    return replace(ledger_mapping.read(MAPPING), **changes)


def row(number: int = 2, fault: str | None = None, /, **cells: Cell) -> Row:
    """A row that makes sense, but for what a test wants otherwise."""
    return Row(number, {**ROW, "编号": f"A-{number}", **cells}, fault)


def rows(*changed: Mapping[str, Cell]) -> Sequence[Row]:
    """Rows that make sense, numbered from 2 as below a header, but for what a test wants otherwise."""
    return [row(number, None, **cells) for number, cells in enumerate(changed, start=2)]


def words() -> Words:
    """What the tests' district has, without asking a database."""
    limits: Any = {"normal": Limit(1, 72), "urgent": Limit(1, 24), "emergency": Limit(1, 4)}
    category = Category(
        code="0102", name="垃圾成堆", channel="joint_review", department="city_management", retired=False, limits=limits
    )
    return Words(
        categories={"0102": category},
        category_codes={"0102": "0102", "垃圾成堆": "0102"},
        departments={"city_management": "city_management", "城管局": "city_management"},
        communities={NEAR: NEAR, "近邻社区": NEAR, NEXT: NEXT, "隔壁社区": NEXT, FAR: FAR, "远方社区": FAR},
    )


def interpreter(mapping: LedgerMapping | None = None) -> Interpreter:
    """A reader of rows at the tests' noon."""
    return Interpreter(mapping or mapped(), words(), SHANGHAI, NOW)


def report(mapping: LedgerMapping | None = None, /, **cells: Cell) -> Report:
    """What a row reports; fails, saying why, when it is refused."""
    read = interpreter(mapping).read(row(2, None, **cells))
    assert isinstance(read, Report), read.reasons
    return read


def refusals(mapping: LedgerMapping | None = None, fault: str | None = None, /, **cells: Cell) -> dict[str, str | None]:
    """Why a row is refused: the codes of the reasons, with their columns."""
    read = interpreter(mapping).read(row(2, fault, **cells))
    assert isinstance(read, Rejected)
    return {reason.code: reason.column for reason in read.reasons}


def china(*moment: int) -> datetime:
    """A moment by the clock of the tests' district."""
    return datetime(*moment, tzinfo=SHANGHAI).astimezone(UTC)  # type: ignore[arg-type,misc]
