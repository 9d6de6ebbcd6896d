"""A ledger taken over: every report once, with its own dates, its whole life, its place and its owner."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
import shapely

from api.tables import Cell, Row
from maps import boundaries
from maps.boundaries import Area
from maps.locator import Atlas
from surveys.clock import calendars, reckonings
from surveys.clock.calendars import Day, Year
from surveys.history import Actor
from surveys.issues import issues, workflow
from surveys.ledgers import ledgers
from surveys.ledgers.ledger_mapping import Categories, Departments, LedgerMapping, UnusableMapping
from surveys.ledgers.ledger_rows import made_code
from surveys.ledgers.ledgers import Counts, Ledger
from surveys.refusals import NotFound
from tests.conftest import (
    DISPATCHER,
    DISTRICT,
    FAR,
    NEAR,
    NEXT,
    NOW,
    OTHER_WORKER,
    STREET_DISPATCHER,
    WORKER,
)
from tests.surveys.ledgers_at_hand import china, mapped, row, rows

pytestmark = pytest.mark.anyio

CLOSED: Mapping[str, Cell] = {
    "状态": "已办结", "受理时间": "2026-11-02 08:00", "办结时间": "2026-11-03 17:00", "处理结果": "已清运",
}  # fmt: skip


async def opened(conn: asyncpg.Connection, mapping: LedgerMapping | None = None) -> Ledger:
    atlas = Atlas()
    await atlas.refresh(conn)
    return Ledger(mapping or mapped(), await ledgers.known(conn, DISTRICT, NOW), atlas, NOW)


async def taken_over(conn: asyncpg.Connection, found: Sequence[Row], mapping: LedgerMapping | None = None) -> Counts:
    """The counts of an import of these rows, in one chunk."""
    ledger = await opened(conn, mapping)
    chunk = ledger.prepare(found)
    await ledgers.add_words(conn, ledger, chunk, NOW)
    return await ledgers.write(conn, ledger, chunk, NOW)


async def only(conn: asyncpg.Connection) -> asyncpg.Record:
    (found,) = await conn.fetch("select * from issue")
    assert found is not None
    return found


async def test_a_report_becomes_an_issue_with_its_own_date_place_owner_and_limit(conn: asyncpg.Connection) -> None:
    counts = await taken_over(conn, rows({}))
    assert counts == Counts(rows=1, filed=1)
    issue = await only(conn)
    assert (issue["source"], issue["source_id"]) == ("ledger", "12345 热线:A-2")
    assert issue["reported_at"] == issue["clock_started_at"] == china(2026, 11, 1, 9, 30)
    assert issue["due_at"] - issue["reported_at"] == timedelta(hours=72)
    assert (issue["community"], issue["certainty"], issue["boundary_version"]) == (NEAR, "inside", 1)
    assert (issue["owner"], issue["department"], issue["channel"]) == (WORKER.id, "city_management", "joint_review")
    assert (issue["state"], issue["version"], issue["recorded_at"]) == ("reported", 1, NOW)
    assert (issue["position_source"], issue["number"]) == ("address", 10_001)


async def test_the_ledgers_own_limit_outranks_the_categorys(conn: asyncpg.Connection) -> None:
    await taken_over(conn, rows({"截止时间": "2026-11-30"}))
    issue = await only(conn)
    assert (issue["due_at"], issue["limit_amount"]) == (china(2026, 11, 30), 72)


async def test_a_due_time_that_a_ledger_brought_is_never_counted_anew(conn: asyncpg.Connection) -> None:
    """Not even when a pause has carried it into a year that is published later; one that was counted here is."""
    await conn.execute(
        "insert into category_limit (district, category, urgency, version, amount, unit, response_amount,"
        " response_unit, valid_from) values ($1, '0102', 'normal', 2, 60, 'working_days', 1, 'working_days', $2)",
        DISTRICT,
        NOW,
    )
    await taken_over(conn, rows({"截止时间": "2027-02-09"}, {}))
    brought, counted = await conn.fetch("select * from issue order by source_id")
    assert (brought["due_at"], brought["due_provisional"]) == (china(2027, 2, 9), False)
    assert (counted["due_at"], counted["due_provisional"]) == (china(2027, 1, 25, 17), True)
    await conn.execute("update issue set due_provisional = true")  # as a pause leaves it
    days = (Day(date(2027, 1, 1), "holiday", ""), Day(date(2027, 1, 4), "holiday", ""))
    actor = Actor("import", "holidays")
    async with conn.transaction():
        await calendars.store(conn, "cn", {2027: Year(days, published=True)}, "tests", actor, NOW)
        assert (await reckonings.reckon(conn, DISTRICT, actor, NOW)).changed == 2
    brought, counted = await conn.fetch("select * from issue order by source_id")
    assert (brought["due_at"], brought["due_provisional"]) == (china(2027, 2, 9), False)
    assert (counted["due_at"], counted["due_provisional"]) == (china(2027, 1, 26, 17), False)


async def test_the_owner_is_the_first_who_answers_for_the_place(conn: asyncpg.Connection) -> None:
    await taken_over(
        conn,
        rows(
            {},
            {"经度": 113.615},  # a community without a worker: its street's dispatcher
            {"经度": 113.625},
            {"经度": 113.7},  # outside of all: the district's
            {"经度": "", "纬度": ""},
            {"经度": "", "纬度": "", "社区": "远方社区"},
        ),
    )
    owners = await conn.fetch("select owner, community, certainty from issue order by source_id")
    assert [tuple(one) for one in owners] == [
        (WORKER.id, NEAR, "inside"),
        (STREET_DISPATCHER.id, NEXT, "inside"),
        (OTHER_WORKER.id, FAR, "inside"),
        (DISPATCHER.id, None, "outside"),
        (DISPATCHER.id, None, "unplaced"),
        (OTHER_WORKER.id, FAR, "unplaced"),
    ]


async def test_a_closed_issue_has_its_whole_life_with_the_ledgers_dates(conn: asyncpg.Connection) -> None:
    await taken_over(conn, rows(CLOSED))
    events = await conn.fetch("select * from history where kind = 'issue' order by version")
    assert [(event["event"], event["happened_at"]) for event in events] == [
        ("report", china(2026, 11, 1, 9, 30)),
        ("accept", china(2026, 11, 2, 8)),
        ("resolve", china(2026, 11, 3, 17)),
        ("close", china(2026, 11, 3, 17)),
    ]
    assert {(event["actor_kind"], event["actor"], event["recorded_at"]) for event in events} == {
        ("import", "12345 热线", NOW)
    }
    at: workflow.State = "reported"
    for event in events[1:]:
        at = workflow.after(at, event["event"])
        assert event["facts"]["state"] == at
    issue = await only(conn)
    facts = [event["facts"] for event in events]
    told = issues.IssueRow(**{name: issue[name] for name in issues.IssueRow.__struct_fields__})
    assert issues.rebuilt(DISTRICT, issue["id"], facts, NOW) == told
    spans = await conn.fetch("select state, valid_from, valid_to from issue_spans order by version")
    assert [span["state"] for span in spans] == ["reported", "accepted", "resolved", "closed"]
    assert all(one["valid_to"] == after["valid_from"] for one, after in pairwise(spans))


async def test_what_the_ledger_says_of_the_outcome_goes_with_the_move_that_solved_it(conn: asyncpg.Connection) -> None:
    await taken_over(conn, rows(CLOSED))
    texts = await conn.fetch(
        "select h.event, t.body from text_version t left join history h on h.id = t.subject"
        " order by h.version nulls first"
    )
    assert [tuple(text) for text in texts] == [
        (None, {"title": "门口垃圾成堆", "description": "三天没人清理\n淮河路 1 号"}),
        ("resolve", {"reason": "已清运"}),
    ]


async def test_a_second_time_nothing_is_written(conn: asyncpg.Connection) -> None:
    found = rows({}, CLOSED, {"状态": "处理中"})
    assert (await taken_over(conn, found)).filed == 3
    before = await everything(conn)
    assert await taken_over(conn, found) == Counts(rows=3, already_there=3)
    assert await everything(conn) == before


async def everything(conn: asyncpg.Connection) -> Any:
    return await conn.fetchrow(
        "select (select count(*) from issue), (select count(*) from history), (select count(*) from text_version),"
        " (select count(*) from issue_spans), (select next from number_series)"
    )


async def test_a_longer_ledger_brings_what_is_new_and_tells_what_changed(conn: asyncpg.Connection) -> None:
    await taken_over(conn, rows({}, {}))
    counts = await taken_over(conn, rows({}, CLOSED, {}))
    assert counts == Counts(rows=3, filed=1, already_there=2, changed_since=1)
    states = await conn.fetch("select state from issue order by source_id")
    assert [one["state"] for one in states] == ["reported"] * 3  # left as they are


async def test_what_happened_to_an_issue_here_does_not_make_its_row_changed(conn: asyncpg.Connection) -> None:
    await taken_over(conn, rows({}))
    await conn.execute("update issue set state = 'accepted', version = 2")
    assert await taken_over(conn, rows({})) == Counts(rows=1, already_there=1)


async def test_two_imports_at_once_write_each_row_once(conn: asyncpg.Connection, dsn: str) -> None:
    ledger = await opened(conn)
    chunk = ledger.prepare(rows({}, {}))
    fresh, _ = await ledgers.compare(conn, ledger, chunk)
    assert len(fresh) == 2
    await taken_over(conn, rows({}))  # another import comes in between
    counts = await ledgers.write(conn, ledger, chunk, NOW)
    assert (counts.filed, counts.already_there) == (1, 1)
    assert await conn.fetchval("select count(*) from issue") == 2


async def test_ledgers_of_two_names_may_use_the_same_ids(conn: asyncpg.Connection) -> None:
    await taken_over(conn, rows({}))
    assert (await taken_over(conn, rows({}), mapped(name="城管"))).filed == 1


async def test_a_chunk_is_written_whole_or_not_at_all(conn: asyncpg.Connection, owner_dsn: str) -> None:
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("alter table history add check (event <> 'close')")
    await owner.close()
    with pytest.raises(asyncpg.CheckViolationError):
        await taken_over(conn, rows({}, CLOSED))
    assert await conn.fetchval("select count(*) from issue") == 0


async def test_exchanged_coordinates_are_known_by_the_district_that_they_fall_in(conn: asyncpg.Connection) -> None:
    """East of 90° the numbers themselves betray it; farther west only the district does."""
    await boundaries.store(
        conn, DISTRICT, [Area("w", "西", None, shapely.box(76, 39, 77, 40))], valid_from=NOW - timedelta(days=60),
        source="tests", now=NOW,
    )  # fmt: skip
    ledger = await opened(conn)
    chunk = ledger.prepare(
        rows({"经度": 76.5, "纬度": 39.5}, {"经度": 39.5, "纬度": 76.5}, {"经度": 39.5, "纬度": 75.5})
    )
    assert [(report.number, place.community) for report, place in chunk.reports] == [(2, "w"), (4, None)]
    (refused,) = chunk.rejected
    assert [(reason.code, reason.column) for reason in refused.reasons] == [("longitude_latitude_swapped", "纬度")]
    assert (refused.number, refused.cells["经度"]) == (3, 39.5)


async def test_a_report_is_placed_in_the_boundaries_of_its_day(conn: asyncpg.Connection) -> None:
    moved = [Area(NEXT, "隔壁社区", "410103001", shapely.box(113.60, 34.70, 113.61, 34.71), "淮河路街道")]
    await boundaries.store(conn, DISTRICT, moved, valid_from=china(2026, 11, 10), source="tests", now=NOW)
    await taken_over(conn, rows({}, {"上报时间": "2026-11-12"}))
    placed = await conn.fetch("select community, boundary_version from issue order by source_id")
    assert [tuple(one) for one in placed] == [(NEAR, 1), (NEXT, 2)]


async def test_words_become_categories_and_departments_once_and_only_with_a_row_that_is_taken(
    conn: asyncpg.Connection,
) -> None:
    mapping = mapped(categories=Categories(create=True), departments=Departments(create=True))
    found = rows(
        {"类别": "Rat Rubout", "部门": "Health"}, {"类别": "RAT RUBOUT"}, {"类别": "Ghosts", "上报时间": "yesterday"}
    )
    assert (await taken_over(conn, found, mapping)).filed == 2
    assert (await taken_over(conn, found, mapping)).already_there == 2
    code = made_code("Rat Rubout")
    new = await conn.fetch("select code, name, channel from category where code like 'x%'")
    assert [tuple(one) for one in new] == [(code, "Rat Rubout", "joint_review")]
    limits = await conn.fetch(
        "select urgency, amount, version from category_limit where category = $1 order by 2", code
    )
    assert [tuple(one) for one in limits] == [("emergency", 4, 1), ("urgent", 24, 1), ("normal", 72, 1)]
    assert await conn.fetchval("select name from department where code = $1", made_code("health")) == "Health"
    assert await conn.fetchval("select count(*) from history where kind = 'category' and actor = 'categories'") == 1
    departments = await conn.fetch("select department from issue order by source_id")
    assert [one["department"] for one in departments] == [made_code("health"), None]


async def test_a_name_that_two_have_names_neither(conn: asyncpg.Connection) -> None:
    await conn.execute("update community set name = '同名社区' where code in ($1, $2)", NEAR, NEXT)
    ledger = await opened(conn)
    assert [one.number for one in ledger.prepare(rows({"社区": "同名社区"}, {"社区": FAR})).rejected] == [2]


@pytest.mark.parametrize(
    ("parts", "key", "codes"),
    [
        ({"categories": Categories(codes={"垃圾": "0102", "猫": "9999"})}, "categories", "9999"),
        ({"categories": Categories(default="01")}, "categories", "01"),  # a group holds no issues
        ({"departments": Departments(codes={"城管": "moon"})}, "departments", "moon"),
    ],
)
async def test_a_mapping_that_leads_nowhere_is_refused_at_once(
    conn: asyncpg.Connection, parts: dict[str, Any], key: str, codes: str
) -> None:
    known = await ledgers.known(conn, DISTRICT, NOW)
    with pytest.raises(UnusableMapping) as refused:
        ledgers.refuse_unknown_codes(mapped(**parts), known)
    assert (refused.value.facts["key"], refused.value.facts["codes"]) == (key, codes)


async def test_there_must_be_such_a_district(conn: asyncpg.Connection) -> None:
    with pytest.raises(NotFound):
        await ledgers.known(conn, 999, NOW)


async def test_a_ledger_of_the_past_may_have_a_retired_category(conn: asyncpg.Connection) -> None:
    assert (await taken_over(conn, [row(类别="旧类别")])).filed == 1


async def test_the_import_itself_is_history(conn: asyncpg.Connection) -> None:
    ledger = await opened(conn)
    counts = Counts(rows=3, filed=2, rejected=1)
    await ledgers.tell(conn, ledger, b"\x01" * 32, counts, NOW - timedelta(minutes=1), NOW)
    await ledgers.tell(conn, ledger, b"\x02" * 32, counts, NOW, NOW)
    told = await conn.fetch("select version, actor, facts from history where kind = 'ledger' order by version")
    assert [(one["version"], one["actor"]) for one in told] == [(1, "12345 热线"), (2, "12345 热线")]
    assert (told[0]["facts"]["file_digest"], told[0]["facts"]["filed"]) == ("01" * 32, 2)
