"""A mapping file says what is wrong with it, and on which line."""

import pytest

from surveys.ledgers import ledger_mapping
from surveys.ledgers.ledger_mapping import FIELDS, REACHABLE, UnusableMapping
from tests.surveys.ledgers_at_hand import MAPPING

LEAST = 'name = "hotline"\n[columns]\nid = "ID"\nreported_at = "Created"\ncategory = "Type"\n'


def refused(text: str) -> UnusableMapping:
    with pytest.raises(UnusableMapping) as caught:
        ledger_mapping.read(text)
    return caught.value


def test_the_least_that_can_be_said() -> None:
    mapping = ledger_mapping.read(LEAST)
    assert mapping.column("id") == "ID"
    assert mapping.column("closed_at") is None
    assert mapping.dates.formats[0] == "iso"
    assert mapping.all_columns() == ["ID", "Created", "Type"]


def test_a_column_that_serves_twice_is_named_once() -> None:
    mapping = ledger_mapping.read(MAPPING)
    assert mapping.text_columns("description") == ("内容", "地址")
    assert mapping.all_columns().count("办结时间") == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name = hotline\n", 1),
        ('name = "hotline"\n[columns\nid = "ID"\n', 2),
        ('name = "hotline"\n\n[columns]\nid = "ID\n', 4),
        (LEAST + '[columns]\nid = "ID"\n', 6),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(text: str, line: int) -> None:
    error = refused(text)
    assert (error.code, error.facts["line"]) == ("mapping_unreadable", line)


@pytest.mark.parametrize(
    ("added", "key", "line"),
    [
        ('[states]\n"Open" = "reported"\n"Gone" = "lost"\n', "states", 8),
        ('colour = "red"\n', "columns", 6),
        ('[table]\nheader_row = "top"\n', "table.header_row", 7),
        ('[dates]\nformats = []\n', "dates.formats", 7),
        ("[categories]\ncreates = true\n", "categories.creates", 7),
        ('[defaults]\nhours = { normal = 0 }\n', "defaults.hours.normal", 7),
        ("[nowhere]\n", "nowhere", 6),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_key_and_line(added: str, key: str, line: int) -> None:
    error = refused(LEAST + added)
    assert (error.code, error.facts["key"], error.facts["line"]) == ("mapping_unusable", key, line)


def test_what_could_stand_there_instead_is_told() -> None:
    assert refused(LEAST + '[states]\n"Gone" = "lost"\n').facts["known"] == REACHABLE
    assert refused(LEAST + 'colour = "red"\n').facts["known"] == FIELDS


@pytest.mark.parametrize("state", ["paused", "merged"])
def test_no_ledger_leads_to_a_state_that_no_move_leads_to(state: str) -> None:
    assert refused(LEAST + f'[states]\n"X" = "{state}"\n').facts["line"] == 7


@pytest.mark.parametrize(
    ("text", "code", "fact"),
    [
        (LEAST.replace('id = "ID"\n', ""), "field_not_mapped", ("field", "id")),
        (LEAST.replace('category = "Type"\n', ""), "field_not_mapped", ("field", "category")),
        (LEAST + 'lon = "X"\n', "field_not_mapped", ("field", "lat")),
        (LEAST + 'state = ["A", "B"]\n', "one_column_only", ("field", "state")),
        (LEAST + '[dates]\ntime_zone = "Mars/Olympus"\n', "unknown_time_zone", ("given", "Mars/Olympus")),
        (LEAST + '[dates]\ntime_zone = "../etc/passwd"\n', "unknown_time_zone", ("given", "../etc/passwd")),
    ],
)
def test_what_contradicts_itself_is_refused(text: str, code: str, fact: tuple[str, str]) -> None:
    error = refused(text)
    assert (error.code, error.facts[fact[0]]) == (code, fact[1])


def test_without_a_column_for_categories_there_must_be_a_default() -> None:
    text = LEAST.replace('category = "Type"\n', "") + '[categories]\ndefault = "0102"\n'
    assert ledger_mapping.read(text).categories.default == "0102"


@pytest.mark.parametrize("name", ["", " a", "a ", "a:b", "a\\nb", "x" * 61])
def test_a_name_keeps_the_ids_of_two_ledgers_apart(name: str) -> None:
    assert refused(LEAST.replace("hotline", name)).facts["key"] == "name"
