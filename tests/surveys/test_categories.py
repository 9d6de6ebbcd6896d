"""A district's list of categories is stored as a whole or not at all, and what was filed keeps the limit it had."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from surveys.clock.clock import Span
from surveys.issues import categories
from surveys.issues.categories import (
    BadCategory,
    CategoryDraft,
    Defaults,
    Limit,
    LimitDraft,
    Stored,
    UnusableCategories,
    in_hours,
)
from surveys.refusals import NotFound
from tests.conftest import DISTRICT, NOW

pytestmark = pytest.mark.anyio

LATER = NOW + timedelta(days=1)


def draft(code: str, name: str = "名称", row: int = 2, **rest: Any) -> CategoryDraft:
    return CategoryDraft(row=row, code=code, name=name, **rest)


async def hours(conn: asyncpg.Connection, code: str, at: Any = NOW) -> Mapping[str, tuple[int, int]]:
    found = await categories.in_force(conn, DISTRICT, at, [code])
    return {urgency: (limit.version, limit.amount) for urgency, limit in found[code].limits.items()}


async def test_a_list_is_stored_with_groups_departments_and_limits(conn: asyncpg.Connection) -> None:
    drafts = [
        draft(
            "1101",
            "企业融资",
            parent="11",
            channel="green_channel",
            department="finance",
            limits=in_hours({"normal": 360}),
        ),
        draft("11", "企业服务", row=3),
        draft("1102", "企业用工", row=4, parent="11", department="finance", department_name="金融局"),
    ]
    stored = await categories.store(conn, DISTRICT, drafts, NOW)
    assert stored == Stored(new=["11", "1101", "1102"], changed=[], limits=["1101", "1102"], retired=[])
    found = await categories.in_force(conn, DISTRICT, NOW)
    assert "11" not in found, "a group takes no issue"
    assert (found["1101"].channel, found["1101"].department) == ("green_channel", "finance")
    assert await hours(conn, "1101") == {"normal": (1, 360), "urgent": (1, 8), "emergency": (1, 4)}
    assert await hours(conn, "1102") == {"normal": (1, 5), "urgent": (1, 8), "emergency": (1, 4)}


async def test_the_same_list_again_changes_nothing(conn: asyncpg.Connection) -> None:
    drafts = [
        draft("21", channel="agent", limits=in_hours({"normal": 10})),
        draft("22", row=3, department="d", department_name="局"),
    ]
    await categories.store(conn, DISTRICT, drafts, NOW)
    before = await conn.fetchval("select count(*) from history")
    assert await categories.store(conn, DISTRICT, drafts, LATER) == Stored(new=[], changed=[], limits=[], retired=[])
    assert await conn.fetchval("select count(*) from history") == before


async def test_a_changed_limit_is_a_new_version_from_now_on(conn: asyncpg.Connection) -> None:
    stored = await categories.store(conn, DISTRICT, [draft("0102", "垃圾成堆", limits=in_hours({"normal": 48}))], LATER)
    assert stored.limits == ["0102"]
    assert (await hours(conn, "0102", NOW))["normal"] == (1, 72)
    assert (await hours(conn, "0102", LATER))["normal"] == (2, 48)
    assert (await hours(conn, "0102", LATER))["urgent"] == (1, 24)


async def test_a_new_category_counts_in_working_time_unless_told_otherwise(conn: asyncpg.Connection) -> None:
    await categories.store(conn, DISTRICT, [draft("71")], NOW)
    found = (await categories.in_force(conn, DISTRICT, NOW))["71"]
    assert found.limits == {
        "normal": Limit(1, 5, "working_days", 1, "working_days"),
        "urgent": Limit(1, 8, "working_hours", 2, "working_hours"),
        "emergency": Limit(1, 4, "calendar_hours", 1, "calendar_hours"),
    }


async def test_parts_of_a_limit_change_by_themselves(conn: asyncpg.Connection) -> None:
    """Each what the list tells; the first contact keeps its limit unless the whole one changes."""
    told = [
        (LimitDraft(Span(3, "working_days"), Span(4, "working_hours")), (3, "working_days", 4, "working_hours", None)),
        (LimitDraft(Span(3, "working_days")), (3, "working_days", 4, "working_hours", None)),
        (LimitDraft(channel="green_channel"), (3, "working_days", 4, "working_hours", "green_channel")),
        (LimitDraft(response=Span(1, "working_days")), (3, "working_days", 1, "working_days", "green_channel")),
        (LimitDraft(Span(30, "calendar_hours")), (30, "calendar_hours", 24, "calendar_hours", "green_channel")),
        (LimitDraft(channel=None), (30, "calendar_hours", 24, "calendar_hours", None)),
    ]
    for limit, expected in told:
        await categories.store(conn, DISTRICT, [draft("72", limits={"normal": limit})], NOW)
        found = (await categories.in_force(conn, DISTRICT, NOW))["72"].limits["normal"]
        assert (found.amount, found.unit, found.response_amount, found.response_unit, found.channel) == expected
    assert found.version == 5, "what stays the same is no new version"


async def test_what_a_list_does_not_say_stays(conn: asyncpg.Connection) -> None:
    await categories.store(conn, DISTRICT, [CategoryDraft(row=2, code="0102", channel="green_channel")], LATER)
    row = await conn.fetchrow("select * from category where district = $1 and code = '0102'", DISTRICT)
    assert row is not None
    kept = ("垃圾成堆", "01", "city_management", None)
    assert (row["name"], row["parent"], row["department"], row["retired_at"]) == kept
    assert row["channel"] == "green_channel"


async def test_what_is_missing_stays_unless_it_is_to_be_retired(conn: asyncpg.Connection) -> None:
    await categories.store(conn, DISTRICT, [draft("31")], NOW)
    assert not (await categories.in_force(conn, DISTRICT, LATER))["0103"].retired
    stored = await categories.store(conn, DISTRICT, [draft("31")], NOW, retire_missing=True)
    assert stored.retired == ["01", "0102", "0103"], "0199 was retired before"
    assert (await categories.in_force(conn, DISTRICT, LATER))["0103"].retired
    assert not (await categories.in_force(conn, DISTRICT, LATER))["31"].retired


async def test_a_retired_category_can_come_back(conn: asyncpg.Connection) -> None:
    await categories.store(conn, DISTRICT, [draft("0199", "旧类别", retired=False)], LATER)
    assert not (await categories.in_force(conn, DISTRICT, LATER))["0199"].retired
    await categories.store(conn, DISTRICT, [draft("0199", "旧类别", retired=True)], LATER)
    assert (await categories.in_force(conn, DISTRICT, LATER))["0199"].retired


async def test_every_bad_row_is_named_and_nothing_is_written(conn: asyncpg.Connection) -> None:
    drafts = [
        draft("41", row=2),
        draft("42", row=3, parent="99"),
        draft("43", row=4, department="nobody"),
        draft("44", row=5, parent="45"),
        draft("45", row=6, parent="44"),
        draft("46", row=7, limits=in_hours({"normal": 0})),
        draft("41", row=8),
        CategoryDraft(row=9, code="47"),
    ]
    with pytest.raises(UnusableCategories) as refused:
        await categories.store(conn, DISTRICT, drafts, NOW)
    assert sorted(refused.value.rows, key=lambda bad: bad.row) == [
        BadCategory(2, "code_repeated", "41"),
        BadCategory(3, "parent_unknown", "99"),
        BadCategory(4, "department_unknown", "nobody"),
        BadCategory(5, "parent_in_circle", "45"),
        BadCategory(6, "parent_in_circle", "44"),
        BadCategory(7, "limit_not_positive", "0"),
        BadCategory(8, "code_repeated", "41"),
        BadCategory(9, "name_missing", "47"),
    ]
    assert not await conn.fetchval("select exists (select from category where code like '4%')")


async def test_a_district_that_is_not_there_is_refused(conn: asyncpg.Connection) -> None:
    with pytest.raises(NotFound):
        await categories.store(conn, 999, [draft("51")], NOW, defaults=Defaults())


async def test_history_tells_what_a_list_changed_without_names(conn: asyncpg.Connection) -> None:
    await categories.store(conn, DISTRICT, [draft("0102", "另一个名称", limits=in_hours({"normal": 48}))], NOW)
    row = await conn.fetchrow("select * from history where kind = 'category' order by version desc limit 1")
    assert row is not None
    assert (row["actor_kind"], row["actor"], row["facts"]["changed"]) == ("import", "categories", ["0102"])
    (limit,) = row["facts"]["limits"]
    assert (limit["category"], limit["urgency"], limit["version"], limit["amount"]) == ("0102", "normal", 2, 48)
    assert "另一个名称" not in str(row["facts"])
