"""Rows of a foreign ledger: what they report in our words, and every reason for which one is refused."""

from datetime import UTC, date, datetime
from itertools import chain, combinations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from api.tables import Cell
from surveys.issues import workflow
from surveys.issues.workflow import MOVES, Move
from surveys.ledgers.ledger_dates import form_reader, moment_reader
from surveys.ledgers.ledger_lives import DATE_OF, life, timed
from surveys.ledgers.ledger_mapping import REACHABLE, Categories, Communities, Dates, Departments
from surveys.ledgers.ledger_rows import LONGEST_TITLE, Rejected, Report, made_code
from tests.conftest import NEXT, NOW
from tests.surveys.ledgers_at_hand import SHANGHAI, china, interpreter, mapped, refusals, report, row


def test_a_row_is_read_in_our_words() -> None:
    read = report(社区="隔壁社区", 部门="城管局", 紧急程度="加急", 截止时间="2026/11/5 18:00")
    assert read.source_id == "12345 热线:A-2"
    assert (read.title, read.description) == ("门口垃圾成堆", "三天没人清理\n淮河路 1 号")
    assert (read.category, read.urgency, read.state) == ("0102", "urgent", "reported")
    assert (read.community, read.department) == (NEXT, "city_management")
    assert (read.reported_at, read.due_at) == (china(2026, 11, 1, 9, 30), china(2026, 11, 5, 18))
    assert read.position is not None
    assert (read.position.lon, read.position.source) == (113.605, "address")


def test_a_row_without_a_title_has_its_categorys_name() -> None:
    assert report(标题=" ").title == "垃圾成堆"


def test_of_a_long_title_nothing_is_lost() -> None:
    long = "路" * (LONGEST_TITLE + 1)
    read = report(标题=long)
    assert len(read.title) == LONGEST_TITLE
    assert read.description == f"{long}\n三天没人清理\n淮河路 1 号"


@pytest.mark.parametrize(
    ("cells", "code", "column"),
    [
        ({"编号": " "}, "id_missing", "编号"),
        ({"编号": "x" * 201}, "text_too_long", "编号"),
        ({"编号": "A\x00"}, "text_unusable", "编号"),
        ({"标题": "垃圾\x00"}, "text_unusable", "标题"),
        ({"内容": "长" * 10_000_000}, "text_too_long", "内容"),
        ({"处理结果": "长" * 5_001}, "text_too_long", "处理结果"),
        ({"上报时间": ""}, "date_missing", "上报时间"),
        ({"上报时间": "昨天"}, "date_unreadable", "上报时间"),
        ({"上报时间": "2026-02-30"}, "date_unreadable", "上报时间"),
        ({"上报时间": 46_000.5}, "date_unreadable", "上报时间"),
        ({"上报时间": "0001-01-01"}, "date_unreadable", "上报时间"),
        ({"上报时间": "1999-12-31"}, "time_before_all", "上报时间"),
        ({"上报时间": "2026-11-23 12:00:01"}, "time_in_future", "上报时间"),
        ({"截止时间": "13/31/2026"}, "date_unreadable", "截止时间"),
        ({"截止时间": "2026-10-01"}, "times_reversed", "截止时间"),
        ({"状态": "已办结", "办结时间": "2026-10-31"}, "times_reversed", "办结时间"),
        ({"状态": "已办结", "办结时间": "2026-11-24"}, "time_in_future", "办结时间"),
        ({"状态": "处理中", "更新时间": "2026-10-01"}, "times_reversed", "更新时间"),
        ({"状态": "已飞走"}, "unknown_state", "状态"),
        ({"状态": ""}, "unknown_state", "状态"),
        ({"类别": "外星人"}, "unknown_category", "类别"),
        ({"类别": ""}, "unknown_category", "类别"),
        ({"紧急程度": "十万火急"}, "unknown_urgency", "紧急程度"),
        ({"部门": "月球局"}, "unknown_department", "部门"),
        ({"社区": "410103009009"}, "unknown_community", "社区"),
        ({"经度": ""}, "position_incomplete", "经度"),
        ({"经度": "东边"}, "not_a_number", "经度"),
        ({"纬度": "NaN"}, "not_a_number", "纬度"),
        ({"经度": 999}, "longitude_out_of_range", "经度"),
        ({"纬度": -91}, "latitude_out_of_range", "纬度"),
        ({"经度": 34.705, "纬度": 113.605}, "longitude_latitude_swapped", "纬度"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_reason(cells: dict[str, Cell], code: str, column: str) -> None:
    assert refusals(None, None, **cells) == {code: column}


def test_every_reason_of_a_row_is_told() -> None:
    assert refusals(None, "too_many_cells", 编号="", 上报时间="昨天", 类别="外星人", 经度=999) == {
        "too_many_cells": None,
        "id_missing": "编号",
        "unknown_category": "类别",
        "date_unreadable": "上报时间",
        "longitude_out_of_range": "经度",
    }


def test_an_id_that_comes_again_names_the_row_that_had_it() -> None:
    reading = interpreter()
    assert isinstance(reading.read(row(2)), Report)
    again = reading.read(row(3, 编号="A-2"))
    assert isinstance(again, Rejected)
    assert [(reason.code, reason.facts) for reason in again.reasons] == [("duplicate_row", {"row": 2})]


@pytest.mark.parametrize(("lon", "lat"), [("", ""), ("113.0", "34"), (0, 0), (" ", None)])
def test_no_position_and_those_that_stand_for_none_are_unplaced(lon: Cell, lat: Cell | None) -> None:
    assert report(经度=lon, 纬度="" if lat is None else lat).position is None


def test_a_position_may_be_in_a_system_of_its_own() -> None:
    mapping = mapped(columns=dict(mapped().columns) | {"system": "坐标系", "accuracy_m": "精度"})
    position = report(mapping, 坐标系="GCJ-02", 精度="30").position
    assert position is not None
    assert (position.system, position.accuracy_m) == ("gcj02", 30)
    assert refusals(mapping, 坐标系="北京54", 精度=-1) == {"accuracy_out_of_range": "精度", "unknown_system": "坐标系"}


def test_a_community_may_be_named_as_its_committee() -> None:
    assert report(社区="隔壁社区居民委员会").community == NEXT


def test_unknown_communities_can_be_ignored() -> None:
    mapping = mapped(communities=Communities(ignore_unknown=True))
    assert report(mapping, 社区="没听说过").community is None


def test_a_word_can_become_a_category_with_a_code_that_stays() -> None:
    reading = interpreter(mapped(categories=Categories(create=True), departments=Departments(create=True)))
    first, again = (
        reading.read(row(2, 类别="Rat Rubout", 部门="A")),
        reading.read(row(3, 类别=" RAT  rubout", 部门="a")),
    )
    assert isinstance(first, Report)
    assert isinstance(again, Report)
    assert first.category == again.category == made_code("Rat Rubout") == "x5f99f3b28c"
    assert (reading.made_categories, reading.made_departments) == (
        {first.category: "Rat Rubout"},
        {first.department: "A"},
    )
    assert refusals(reading.mapping, 类别="") == {"unknown_category": "类别"}


def test_a_default_takes_what_no_word_stands_for() -> None:
    mapping = mapped(categories=Categories(default="0102"))
    assert report(mapping, 类别="外星人").category == report(mapping, 类别="").category == "0102"


def test_a_category_needs_a_limit_for_the_urgency() -> None:
    reading = interpreter()
    known = reading.words.categories["0102"]
    reading.words.categories["0102"] = replace(known, limits={"normal": known.limits["normal"]})
    read = reading.read(row(紧急程度="加急"))
    assert isinstance(read, Rejected)
    assert [reason.code for reason in read.reasons] == ["category_without_limit"]


# --- lives


def subsets(moves: list[Move]) -> list[frozenset[Move]]:
    return [frozenset(some) for some in chain.from_iterable(combinations(moves, n) for n in range(len(moves) + 1))]


def test_every_life_is_one_that_the_workflow_knows() -> None:
    for state in REACHABLE:
        for dated in subsets(list(DATE_OF)):
            at: workflow.State = "reported"
            for move in life(state, dated):
                assert at in MOVES[move].starts, (state, dated)
                at = workflow.after(at, move)
            assert at == state, dated


def test_a_closed_issue_was_taken_on_and_solved_no_later_than_it_was_closed() -> None:
    closed = china(2026, 11, 3, 17)
    read = report(状态="已办结", 办结时间="2026-11-03 17:00")
    assert read.moves == (("accept", closed), ("resolve", closed), ("close", closed))
    assert not read.undated


def test_a_move_whose_time_is_known_keeps_it() -> None:
    accepted, closed = china(2026, 11, 2, 8), china(2026, 11, 3, 17)
    read = report(状态="已办结", 受理时间="2026-11-02 08:00", 办结时间="2026-11-03 17:00")
    assert read.moves == (("accept", accepted), ("resolve", closed), ("close", closed))


def test_the_time_of_the_present_state_serves_its_last_move() -> None:
    since = china(2026, 11, 4)
    read = report(状态="处理中", 更新时间="2026-11-04")
    assert read.moves == (("accept", since), ("start", since))


def test_a_state_since_nobody_knows_when_is_told() -> None:
    read = report(状态="已办结", 受理时间="2026-11-02 08:00")
    assert read.undated
    assert {moment for _, moment in read.moves} == {china(2026, 11, 2, 8)}


def test_dates_that_the_state_does_not_imply_are_not_used() -> None:
    assert report(状态="待受理", 受理时间="2026-11-02", 办结时间="2026-11-03").moves == ()


def test_a_rejected_issue_was_rejected_when_the_ledger_ended_it() -> None:
    assert report(状态="不予受理", 办结时间="2026-11-03").moves == (("reject", china(2026, 11, 3)),)


@pytest.mark.parametrize(
    ("cells", "state"),
    [({}, "reported"), ({"受理时间": "2026-11-02"}, "accepted"), ({"办结时间": "2026-11-02"}, "closed")],
)
def test_without_a_column_for_states_the_dates_tell(cells: dict[str, Cell], state: str) -> None:
    columns = {field: column for field, column in mapped().columns.items() if field not in ("state", "rejected_at")}
    assert report(mapped(columns=columns), **cells).state == state


def test_unknown_times_are_those_of_the_next_known_move() -> None:
    one, two, three = (datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2, 3))
    moves: list[Move] = ["accept", "start", "resolve", "close"]
    assert timed(moves, {"start": two}, one) == [("accept", two), ("start", two), ("resolve", two), ("close", two)]
    assert timed(moves, {"close": three, "accept": two}, one)[:2] == [("accept", two), ("start", three)]
    assert timed(moves, {}, one) == [(move, one) for move in moves]


def test_a_row_that_changed_is_told_from_one_that_did_not() -> None:
    before = report()
    assert report().digest() == before.digest()
    assert report(标题="别的").digest() == before.digest()  # texts can be forgotten, so no digest may hold them
    for changed in ({"状态": "处理中"}, {"截止时间": "2026-12-01"}, {"经度": "113.606"}, {"紧急程度": "加急"}):
        assert report(None, **changed).digest() != before.digest()


# --- dates


@pytest.mark.parametrize(
    "text", ["2026-11-01 09:30", "2026-11-1 9:30", "2026/11/01 09:30:00", "2026年11月1日 9:30", "2026-11-01T01:30:00Z"]
)
def test_dates_that_cannot_be_read_in_two_ways_are_read_without_being_told(text: str) -> None:
    assert report(上报时间=text).reported_at == china(2026, 11, 1, 9, 30)


def test_dates_of_a_spreadsheet_are_read_by_the_ledgers_clock() -> None:
    mapping = mapped(dates=Dates(time_zone="America/New_York"))
    assert report(mapping, 上报时间=datetime(2026, 11, 1, 9, 30)).reported_at == datetime(  # noqa: DTZ001
        2026, 11, 1, 14, 30, tzinfo=UTC
    )
    assert report(上报时间=date(2026, 11, 1)).reported_at == china(2026, 11, 1)


def test_formats_are_tried_in_their_order() -> None:
    american = moment_reader(["%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y"], ZoneInfo("UTC"))
    assert american("04/12/2018 12:05:06 AM") == datetime(2018, 4, 12, 0, 5, 6, tzinfo=UTC)
    assert american("04/12/2018 12:05:06 PM") == datetime(2018, 4, 12, 12, 5, 6, tzinfo=UTC)
    assert american("12.4.2018") == datetime(2018, 4, 12, tzinfo=UTC)
    for wrong in ("13/12/2018 01:00:00 PM", "04/12/2018 13:00:00 PM", "04/12/2018 00:00:00 AM", "2018-04-12"):
        with pytest.raises(ValueError, match="2018"):
            american(wrong)


def test_a_format_of_other_directives_is_strptimes() -> None:
    assert form_reader("%d %b %y")("12 Apr 18") == datetime(2018, 4, 12)  # noqa: DTZ001
    assert moment_reader(["%Y-%m-%d %H:%M %z"], SHANGHAI)("2026-11-01 09:30 +0000") == datetime(
        2026, 11, 1, 9, 30, tzinfo=UTC
    )


@given(
    moment=st.datetimes(datetime(2000, 1, 1), NOW.replace(tzinfo=None)),  # noqa: DTZ001
    form=st.sampled_from(["%Y-%m-%d %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y", "%Y年%m月%d日 %H时%M分"]),
    cut=st.integers(0, 3),
)
def test_the_quick_reader_reads_what_strptime_does(moment: datetime, form: str, cut: int) -> None:
    text = moment.strftime(form)
    text = text[: len(text) - cut]
    try:
        expected = datetime.strptime(text, form)  # noqa: DTZ007
    except ValueError:
        with pytest.raises(ValueError, match=r".*"):
            form_reader(form)(text)
    else:
        assert form_reader(form)(text) == expected
