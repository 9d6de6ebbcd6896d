"""What makes history trustworthy: pairs of characters that find a text, salted digests, and retries that are known."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from surveys import history
from surveys.history import bigrams, request_digest, text_digest, text_row
from surveys.issues.moves import MoveDraft
from surveys.visits.visit_drafts import VisitDraft
from tests import drafts

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DISTRICT = 410103


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("垃圾成堆", ["圾成", "垃圾", "成堆"]),
        ("漏水", ["漏水"]),
        ("水", []),
        ("", []),
        (" \n ", []),
        ("No 3  路", [" 3", " 路", "3 ", "no", "o "]),
        ("门口\n垃圾", [" 垃", "口 ", "垃圾", "门口"]),
        ("aaaa", ["aa"]),
    ],
)
def test_a_text_is_found_by_its_pairs_of_characters(text: str, pairs: list[str]) -> None:
    assert bigrams(text) == pairs


@given(st.text(), st.text(min_size=2), st.text())
def test_a_part_of_a_text_has_no_pair_that_the_whole_lacks(before: str, part: str, after: str) -> None:
    assert set(bigrams(part)) <= set(bigrams(before + part + after))


@given(st.dictionaries(st.sampled_from(["title", "description", "reason"]), st.text(min_size=1)))
def test_a_text_s_row_verifies_and_its_salt_keeps_it_from_being_guessed(body: dict[str, str]) -> None:
    row, digest = text_row(DISTRICT, UUID(int=1), 1, body, NOW)
    again, other = text_row(DISTRICT, UUID(int=1), 1, body, NOW)
    salt = bytes.fromhex(str(row["salt"]).removeprefix("\\x"))
    assert text_digest(body, salt).hex() == digest == str(row["digest"]).removeprefix("\\x")
    assert row["salt"] != again["salt"]
    assert digest != other
    assert digest != hashlib.sha256(msgspec.json.encode(body)).hexdigest()


def test_a_digest_does_not_depend_on_the_order_in_which_the_database_gives_the_texts() -> None:
    assert text_digest({"a": "1", "b": "2"}, b"salt") == text_digest({"b": "2", "a": "1"}, b"salt")


def test_empty_texts_are_left_out_and_only_a_findable_one_is_indexed() -> None:
    hidden, _ = text_row(DISTRICT, UUID(int=1), 1, {"title": "漏水", "description": None, "note": ""}, NOW)
    findable, _ = text_row(DISTRICT, UUID(int=1), 1, {"title": "漏水"}, NOW, findable=True)
    assert hidden["body"] == {"title": "漏水"}
    assert (hidden["bigrams"], findable["bigrams"]) == (None, ["漏水"])


class LaterDraft(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A draft as a later version of the program decodes it, with fields that nobody sent before."""

    a: int
    b: str | None = None
    new: str | None = None
    newer: tuple[int, ...] = ()


class Draft(Struct, forbid_unknown_fields=True, omit_defaults=True):
    a: int
    b: str | None = None


def test_a_field_that_a_later_version_adds_does_not_make_an_old_retry_look_new() -> None:
    sent = b'{"a": 1, "b": "x"}'
    assert request_digest(msgspec.json.decode(sent, type=Draft)) == request_digest(
        msgspec.json.decode(sent, type=LaterDraft)
    )


def test_what_is_left_out_and_what_is_null_is_the_same_request() -> None:
    plain = {name: value for name, value in drafts.visit().items() if name not in ("position", "issues")}
    spelled = plain | {"campaign": None, "note": None, "position": None, "answers": None, "contact_card": None}
    assert request_digest(msgspec.convert(plain, VisitDraft)) == request_digest(msgspec.convert(spelled, VisitDraft))


def test_the_order_of_the_fields_is_no_content_and_everything_else_is() -> None:
    sent = drafts.visit(note="有人在家", issues=[drafts.issue(), drafts.issue(category="0103")])
    known = request_digest(msgspec.convert(sent, VisitDraft))
    assert request_digest(msgspec.convert(dict(reversed(sent.items())), VisitDraft)) == known
    for changed in (
        sent | {"note": "无人在家"},
        sent | {"outcome": "not_home"},
        sent | {"issues": sent["issues"][::-1]},
        sent | {"issues": sent["issues"][:1]},
        sent | {"position": sent["position"] | {"accuracy_m": 13}},
    ):
        assert request_digest(msgspec.convert(changed, VisitDraft)) != known


def test_a_move_is_known_by_all_of_its_content() -> None:
    move = drafts.move("resolve", 3, reason="清运完毕")
    digests = {
        request_digest(msgspec.convert(changed, MoveDraft))
        for changed in (move, move | {"expected_version": 4}, move | {"reason": "清运"}, move | {"id": str(uuid4())})
    }
    assert len(digests) == 4


def test_an_event_never_takes_effect_after_it_was_recorded() -> None:
    row = history.event_row(
        district=DISTRICT,
        id=UUID(int=1),
        kind="issue",
        thing=UUID(int=2),
        version=1,
        event="report",
        actor=history.Actor("member", "m"),
        happened_at=datetime(2026, 11, 24, tzinfo=UTC),
        recorded_at=NOW,
        facts={},
    )
    assert row["happened_at"] == row["recorded_at"] == NOW
