"""A wrong value is refused in words that somebody at a desk understands, whatever the decoder calls it."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from api import json_bodies, problem_details
from surveys.refusals import WrongValue

WRONG: list[tuple[Any, bytes, str, str]] = [
    (int, b'"x"', "整数", "a whole number"),
    (Annotated[int, Meta(le=840)], b"900", "不大于 840 的整数", "a whole number of at most 840"),
    (Annotated[int, Meta(ge=1)], b"0", "不小于 1 的整数", "a whole number of at least 1"),
    (Annotated[float, Meta(gt=0)], b"0", "大于 0 的数字", "a number above 0"),
    (Annotated[str, Meta(max_length=3)], b'"four"', "最多 3 个字符", "a text of at most 3 characters"),
    (Annotated[list[int], Meta(min_length=1)], b"[]", "最少 1 项", "a list of at least 1"),
    (Annotated[str, Meta(pattern="^[0-9]+$")], b'"b"', "符合格式 ^[0-9]+$ 的文字", "a text in the form ^[0-9]+$"),
    (str | int | None, b"[]", "整数或文字或空", "a whole number or a text or nothing"),
    (bool, b"1", "true 或 false", "true or false"),
    (UUID, b'"x"', "UUID 编号", "a UUID"),
    (date, b'"x"', "日期，如 2026-11-24", "a date, as 2026-11-24"),
    (
        Annotated[datetime, Meta(tz=True)],
        b'"2026-11-24T08:30:00"',
        "日期和时间，如 2026-11-24T08:30:00+08:00",
        "a date and time, as 2026-11-24T08:30:00+08:00",
    ),
]


@pytest.mark.parametrize(("kind", "sent", "zh", "en"), WRONG, ids=[row[3] for row in WRONG])
def test_what_was_expected_is_said_in_the_reader_s_language(kind: Any, sent: bytes, zh: str, en: str) -> None:
    with pytest.raises(WrongValue) as refused:
        json_bodies.decode(sent, kind)
    assert problem_details.of(refused.value, "zh").title == f"值不符合要求，应为：{zh}"
    assert problem_details.of(refused.value, "en").title == f"The value does not fit; expected: {en}"


def test_programs_are_told_the_decoder_s_own_terms() -> None:
    with pytest.raises(WrongValue) as refused:
        json_bodies.decode(b"900", Annotated[int, Meta(le=840)])
    assert problem_details.of(refused.value, "zh").facts == {"expected": "int <= 840"}


def test_values_that_are_named_stay_as_they_are_sent() -> None:
    refusal = WrongValue("do", expected="assign | return")
    assert problem_details.of(refusal, "zh").title.endswith("应为：assign | return")
    assert msgspec.json.encode(problem_details.of(refusal, "zh").facts) == b'{"expected":"assign | return"}'
