"""XLSForms: what comes of a good one, and where a bad one is said to be wrong."""

import shutil
import struct
import time
from datetime import date
from pathlib import Path

import pytest
from pyxform.validators.odk_validate import check_xform

from api import shipped_questionnaires, xlsform_maker, xlsforms
from api.shipped_questionnaires import NAMES
from api.xlsform_expressions import Broken, tokens
from api.xlsform_faults import REASONS, Fault, FormUnusable
from api.xlsform_maker import Wanted
from surveys.questionnaires.questionnaire_fields import every, said
from surveys.questionnaires.questionnaires import Form
from tests.forms import QUESTION, SETTINGS, changed, workbook

TODAY = date(2026, 11, 25)
BILLION = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">%s]>' % b"".join(
    b'<!ENTITY %c "%s">' % (98 + at, b"&%c;" % (97 + at) * 10) for at in range(9)
)


def made(content: bytes) -> Form:
    return xlsforms.make(content, "form.xlsx", TODAY)


def faults(content: bytes) -> list[Fault]:
    with pytest.raises(FormUnusable) as refused:
        made(content)
    return list(refused.value.faults)


def where(content: bytes) -> list[tuple[str, str, int | None, str]]:
    return [(fault.reason, fault.sheet, fault.row, fault.column) for fault in faults(content)]


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_form_asks_in_both_languages_and_passes_validation(name: str, tmp_path: Path) -> None:
    form = made(shipped_questionnaires.workbook(name))
    assert (form.id, form.kind, form.version) == (name, name, "2026-11")
    assert set(form.title) == {"zh", "en"}
    asked = [field for field in every(form.fields) if field.type != "calculate"]
    assert asked
    assert all(set(field.label) == {"zh", "en"} for field in asked)
    assert all(set(choice.label) == {"zh", "en"} for field in asked for choice in field.choices)
    types = {field.type for field in asked}
    assert {"select_one", "select_multiple", "integer", "text", "date"} <= types
    assert "constraint=" in form.xform
    assert "relevant=" in form.xform
    assert f'id="visit-{name}"' in form.visit_xform
    if shutil.which("java") is None:
        return  # pyxform's own validation has passed; ODK Validate needs Java
    for kind, xform in (("alone", form.xform), ("visit", form.visit_xform)):
        path = tmp_path / f"{kind}.xml"
        path.write_text(xform, encoding="utf-8")
        assert check_xform(str(path)) == []


def test_a_shipped_workbook_is_the_same_each_time() -> None:
    assert shipped_questionnaires.workbook("shop") == shipped_questionnaires.workbook("shop")


def test_a_form_without_a_version_has_one_of_the_day_and_the_file() -> None:
    settings = [{"form_id": "stalls", "form_title::中文 (zh)": "摊位", "form_title::English (en)": "Stalls"}]
    form = made(workbook([QUESTION], settings=settings))
    assert form.version == f"20261125-{form.digest.hex()[:8]}"
    assert form.title == {"zh": "摊位", "en": "Stalls"}


def test_columns_are_known_by_every_spelling() -> None:
    rows = [
        {"Type": "select one yn", "Name": "a", "Label : Chinese (zh)": "甲", "label:English": "A"},
        {"Type": "integer", "Name": "b", "Label : Chinese (zh)": "乙", "relevance": "${a} = 'y'"},
    ]
    choices = [{"list name": "yn", "value": "y", "Label : Chinese (zh)": "是", "label:English": "Yes"}]
    first, second = made(workbook(rows, choices)).fields
    assert first.label == {"zh": "甲", "en": "A"}
    assert first.called("y", "en") == "Yes"
    assert second.asked_if == "${a} = 'y'"
    assert said(second.label, "en") == "乙"


def test_what_a_text_says_stays_text() -> None:
    hostile = "<img src=x onerror=alert(1)> ${b} {{7*7}} =cmd()"
    form = made(workbook([QUESTION | {"label": hostile}, {"type": "integer", "name": "b", "label": "=cmd()"}]))
    assert form.fields[0].label == {"zh": hostile}
    for xform in (form.xform, form.visit_xform):
        assert "<img" not in xform
        assert "&lt;img src=x onerror=alert(1)&gt;" in xform


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"type": "text", "name": "a", "label": "x", "relevant": "${b} = 'x"}], ("expression_broken", "relevant")),
        ([{"type": "text", "name": "a", "label": "x", "constraint": ". > 3 and"}], ("expression_broken", "constraint")),
        ([{"type": "text", "name": "a", "label": "x", "constraint": "foo(.)"}], ("function_unknown", "constraint")),
        ([{"type": "text", "name": "a", "label": "x", "relevant": "${z} = 1"}], ("reference_unknown", "relevant")),
        ([{"type": "text", "name": "a", "label": "${z}"}], ("reference_unknown", "label")),
        ([{"type": "text", "name": "a", "label": "x", "relevant": ". = 1"}], ("cycle", "relevant")),
        ([{"type": "nonsense", "name": "a", "label": "x"}], ("type_unknown", "type")),
        ([{"type": "audio", "name": "a", "label": "x"}], ("type_unsupported", "type")),
        ([{"type": "select_one z", "name": "a", "label": "x"}], ("list_unknown", "type")),
        ([{"type": "text", "name": "1a", "label": "x"}], ("name_unusable", "name")),
        ([{"type": "text", "name": "名", "label": "x"}], ("name_unusable", "name")),
        ([{"type": "text", "name": "visit_note", "label": "x"}], ("name_reserved", "name")),
        ([{"type": "text", "label": "x"}, QUESTION], ("name_missing", "name")),
        ([{"name": "a", "label": "x"}, QUESTION | {"name": "b"}], ("type_missing", "type")),
        ([{"type": "begin_group", "name": "a", "label": "x"}, QUESTION | {"name": "b"}], ("group_unclosed", "type")),
        ([{"type": "end_group", "name": "", "label": ""}, QUESTION], ("group_unopened", "type")),
        ([{"type": "text", "name": "a", "label": "x", "image": "a.jpg"}], ("column_unsupported", "image")),
        ([{"type": "text", "name": "a", "label": "a\x07b"}], ("file_broken", "")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_fault_is_told_where_it_is(rows: list[dict[str, str]], told: tuple[str, str]) -> None:
    found = faults(workbook(rows))[0]
    if told[0] == "file_broken":  # a control character: no workbook holds one, or it is named
        assert found.reason in ("file_broken", "text_unusable")
        return
    assert (found.reason, found.sheet, found.row, found.column) == (told[0], "survey", 2, told[1])
    assert "第 2 行" in found.told("zh")
    assert "row 2" in found.told("en")
    assert "{" not in found.words("zh") + found.words("en") or told[0] in ("expression_broken", "reference_unknown")


def test_all_faults_are_told_at_once() -> None:
    rows = [
        QUESTION,
        QUESTION,
        {"type": "select_multiple", "name": "c", "label": "x"},
        {"type": "integer", "name": "d"},
    ]
    choices = [
        {"list_name": "yn", "name": "y", "label": "是"},
        {"list_name": "yn", "name": "y", "label": "否"},
        {"list_name": "yn", "name": "a b", "label": "空"},
    ]
    settings = [{"form_id": "a/b", "version": "1 2", "premises_kind": "castle"}]
    assert where(workbook(rows, choices, settings)) == [
        ("name_repeated", "survey", 3, "name"),
        ("list_missing", "survey", 4, "type"),
        ("label_missing", "survey", 5, "label"),
        ("choice_repeated", "choices", 3, "name"),
        ("choice_unusable", "choices", 4, "name"),
        ("form_id_unusable", "settings", 2, "form_id"),
        ("version_unusable", "settings", 2, "version"),
        ("kind_unknown", "settings", 2, "premises_kind"),
    ]


def test_a_missing_sheet_is_named_beside_those_there_are() -> None:
    [fault] = faults(workbook(None, 调查=[QUESTION]))
    assert (fault.reason, fault.facts["value"]) == ("sheet_missing", "survey")
    assert "调查" in fault.told("zh")
    [fault] = faults(workbook([QUESTION], settings=()))
    assert (fault.reason, fault.facts["value"]) == ("sheet_missing", "settings")


def test_a_circle_of_conditions_names_its_rows() -> None:
    rows = [
        {"type": "text", "name": "a", "label": "甲", "relevant": "${c} = '1'"},
        {"type": "begin_group", "name": "g", "label": "组", "relevant": "${a} = '1'"},
        {"type": "text", "name": "b", "label": "乙"},
        {"type": "end_group", "name": "", "label": ""},
        {"type": "calculate", "name": "c", "calculation": "concat(${b}, 'x')"},
        {"type": "text", "name": "d", "label": "丁", "relevant": "${a} = '2'"},
    ]
    [fault] = faults(workbook(rows))
    assert (fault.reason, fault.sheet, fault.row) == ("cycle", "survey", 2)
    assert fault.facts["rows"] == "2 a、4 b、6 c"


def test_what_pyxform_alone_knows_is_told_with_its_row() -> None:
    rows = [QUESTION, {"type": "text", "name": "b", "label": "x", "parameters": "colour=red"}]
    [fault] = faults(workbook(rows))
    assert (fault.reason, fault.sheet, fault.row, fault.column) == ("unfit", "survey", 3, "parameters")
    assert "表格转换程序不接受" in fault.told("zh")
    assert "colour" in fault.told("zh")


def _large(questions: int) -> bytes:
    rows = [
        {"type": "text", "name": f"q{at}", "label": f"题 {at}", "relevant": f"${{q{at - 1}}} != ''" if at else ""}
        for at in range(questions)
    ]
    return workbook(rows)


def test_five_thousand_questions_are_refused_with_the_limit() -> None:
    content = _large(5_000)
    begun = time.process_time()
    [fault] = faults(content)
    assert time.process_time() - begun < 20
    assert (fault.reason, fault.facts["count"], fault.facts["most"]) == ("too_many_rows", 5_000, 2_000)
    assert "2000" in fault.told("zh")


def test_two_thousand_questions_each_waiting_for_the_one_before_are_taken() -> None:
    begun = time.process_time()
    assert len(made(_large(2_000)).fields) == 2_000
    assert time.process_time() - begun < 30


GOOD = workbook([QUESTION | {"label": "CELL"}])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not_xlsx"),
        (b"type,name,label\ntext,a,A\n", "not_xlsx"),
        (b"\xd0\xcf\x11\xe0" + bytes(2_000), "not_xlsx"),
        (GOOD[:-300], "file_broken"),
        (changed(GOOD, lambda name, part: b"" if "sheet1" in name else part), "file_broken"),
        (changed(GOOD, xl__vbaProject=b"x"), "has_macros"),
        (changed(GOOD, xl__media__zeros=bytes(200_000_000)), "unpacked_too_large"),
        (changed(GOOD, lambda _, part: part.replace(b"CELL", b"x" * 10_000_000)), "cell_too_long"),
        (b"PK\x03\x04" + bytes(5_000_001), "file_too_large"),
    ],
    ids=["empty", "csv", "xls", "cut", "no sheet", "macros", "bomb", "10 MB cell", "large"],
)
def test_a_file_that_is_no_form_is_refused_as_what_it_is(content: bytes, reason: str) -> None:
    assert [fault.reason for fault in faults(content)] == [reason]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "content",
    [
        changed(GOOD, xl__media__zeros=bytes(200_000_000)).replace(
            struct.pack("<I", 200_000_000), struct.pack("<I", 1_000)
        ),
        changed(
            GOOD,
            lambda name, part: (
                BILLION + part.split(b"?>", 1)[1].replace(b"CELL", b"&j;") if "sharedStrings" in name else part
            ),
        ),
        changed(
            GOOD,
            lambda name, part: (
                part.replace(
                    b"</sheetData>", b'<row r="1048576"><c r="XFD1048576" t="s"><v>0</v></c></row></sheetData>'
                )
                if "sheet1" in name
                else part
            ),
        ),
    ],
    ids=["a bomb that lies", "a billion laughs", "a cell at the far end"],
)
async def test_what_would_break_a_process_breaks_its_own(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsform_maker, "LONGEST_S", 600)  # on a slow machine, too, it is what it takes that ends it
    with pytest.raises(FormUnusable) as refused:
        await xlsform_maker.make(content, Wanted("form.xlsx", TODAY))
    assert [fault.reason for fault in refused.value.faults] == ["file_broken"], "and not that it took too long"


@pytest.mark.parametrize(
    "text",
    [
        "${a} = 'x' and not(selected(${b}, 'y') or count-selected(.) > 1)",
        ". >= 0 and . <= 500",
        "if(${a} = '', 0, ${a} * 2) div 3",
        "instance('list')/root/item[name = ${a}]/label != \"\"",
        "- 3 + .5 - -${a}",
        "count(${r}) mod 2 = 0",
        "today() > date('2026-01-01')",
        "regex(., '^[0-9]{11}$')",
        "../b = 1 or /data/c[1] = 2",
    ],
)
def test_expressions_that_can_be_read(text: str) -> None:
    assert tokens(text).functions == frozenset()


@pytest.mark.parametrize(
    "text",
    ["(", "${a} ==  1", "'x", "${a} ${b}", "and 1", "1 and", "f(,1)", "selected(${a}, 'x') ${b}", "a]", "1 # 2", ""],
)
def test_expressions_that_cannot(text: str) -> None:
    with pytest.raises(Broken):
        tokens(text)


def test_every_reason_speaks_both_languages() -> None:
    for chinese, english in REASONS.values():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
        assert english.isascii()


def test_settings_cannot_send_answers_elsewhere() -> None:
    settings = [{**SETTINGS[0], "submission_url": "https://evil.example", "public_key": "MII", "auto_send": "true"}]
    form = made(workbook([QUESTION], settings=settings))
    for xform in (form.xform, form.visit_xform):
        assert "evil" not in xform
        assert "MII" not in xform
