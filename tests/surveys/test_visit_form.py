"""The visit form for ODK Collect is one that pyxform and, where Java is, the validator of ODK take without a word."""

import shutil
from xml.etree import ElementTree

from pyxform.xls2xform import convert

from surveys.collect import visit_form
from surveys.collect.visit_form import CHOICES, EN, SURVEY, ZH
from surveys.issues.categories import URGENCIES
from surveys.privacy import contacts

NAMES = [row["name"] for row in SURVEY if row["name"]]


def test_it_is_converted_without_a_warning() -> None:
    warnings: list[str] = []
    made = convert(visit_form.workbook(), warnings=warnings, validate=shutil.which("java") is not None)
    assert warnings == []
    root = ElementTree.fromstring(made.xform)  # noqa: S314 -- of our own making
    data = next(node for node in root.iter("{http://www.w3.org/2002/xforms}data"))
    assert (data.get("id"), data.get("version")) == (visit_form.FORM_ID, visit_form.VERSION)


def test_a_questionnaire_behind_it_has_all_usual_names_for_itself() -> None:
    asked = [{"type": "text", "name": name, "label": name} for name in ("name", "kind", "note", "position", "title")]
    group = [
        {"type": "begin_group", "name": visit_form.ANSWERS, "label": "A"},
        *asked,
        {"type": "text", "name": "more", "label": "More", "relevant": "${name} != '' and ${visit_outcome} = 'met'"},
        {"type": "end_group"},
    ]
    convert(visit_form.workbook() | {"survey": [*SURVEY, *group]})
    assert all(name.startswith(("visit_", "issue")) for name in NAMES)
    assert all(row["list_name"].startswith("visit_") for row in CHOICES)
    assert len(set(NAMES)) == len(NAMES)


def test_everything_that_is_read_has_a_text_in_both_languages() -> None:
    for row in (*SURVEY, *CHOICES):
        columns = {column.split("::")[0] for column in row if "::" in column}
        assert all(row.get(f"{column}::{language}") for column in columns for language in (ZH, EN)), row
        silent = row.get("type") in ("start", "end", "calculate", "end_group", "end_repeat")
        assert silent or "label" in columns, row


def test_what_it_offers_is_what_a_visit_can_have() -> None:
    offered = {name: [row["name"] for row in CHOICES if row["list_name"] == name] for name in ("visit_urgencies",)}
    assert offered["visit_urgencies"] == list(URGENCIES)
    phone = next(row for row in SURVEY if row["name"] == "issue_contact_phone")
    assert f"{contacts.DIGITS[0]} to {contacts.DIGITS[-1]} digits" in phone[f"constraint_message::{EN}"]
