"""What was expected of a value, in the reader's words: `int <= 840` is "a whole number of at most 840" to a person.

Facts keep the terms of the decoder, which programs may match; titles of problems speak.
"""

import re
from collections.abc import Mapping

from msgspec import Struct


class _Words(Struct, frozen=True):
    zh: str
    en: str

    def said(self, language: str) -> str:
        return self.en if language == "en" else self.zh


_KINDS: Mapping[str, _Words] = {
    "int": _Words("整数", "a whole number"),
    "float": _Words("数字", "a number"),
    "str": _Words("文字", "a text"),
    "bool": _Words("true 或 false", "true or false"),
    "array": _Words("列表", "a list"),
    "object": _Words("一组字段", "an object with fields"),
    "null": _Words("空", "nothing"),
    "date": _Words("日期，如 2026-11-24", "a date, as 2026-11-24"),
    "RFC 3339 date": _Words("日期，如 2026-11-24", "a date, as 2026-11-24"),
    "datetime": _Words("日期和时间，如 2026-11-24T08:30:00+08:00", "a date and time, as 2026-11-24T08:30:00+08:00"),
    "RFC 3339 time": _Words("时刻，如 08:30:00", "a time, as 08:30:00"),
    "decimal string": _Words("小数", "a decimal number"),
    "UUID": _Words("UUID 编号", "a UUID"),
    "uuid": _Words("UUID 编号", "a UUID"),
}
_OF_TIME = {"RFC 3339 datetime": "datetime", "datetime with a timezone component": "datetime"}
_BOUNDS: Mapping[str, _Words] = {
    "<=": _Words("不大于 {bound}", "of at most {bound}"),
    ">=": _Words("不小于 {bound}", "of at least {bound}"),
    "<": _Words("小于 {bound}", "below {bound}"),
    ">": _Words("大于 {bound}", "above {bound}"),
}
_LENGTHS: Mapping[tuple[str, str], _Words] = {
    ("str", "<="): _Words("最多 {bound} 个字符", "a text of at most {bound} characters"),
    ("str", ">="): _Words("最少 {bound} 个字符", "a text of at least {bound} characters"),
    ("array", "<="): _Words("最多 {bound} 项", "a list of at most {bound}"),
    ("array", ">="): _Words("最少 {bound} 项", "a list of at least {bound}"),
    ("object", "<="): _Words("最多 {bound} 个字段", "an object of at most {bound} fields"),
    ("object", ">="): _Words("最少 {bound} 个字段", "an object of at least {bound} fields"),
}
_PATTERN = _Words("符合格式 {pattern} 的文字", "a text in the form {pattern}")

_BOUNDED = re.compile(r"(int|float) (<=|>=|<|>) (\S+)")
_LONG = re.compile(r"(str|array|object) of length (<=|>=) (\d+)")
_FORMED = re.compile(r"str matching regex '(.*)'")


def spoken(expected: str, language: str) -> str:
    """The decoder's terms (https://jcristharif.com/msgspec/constraints.html) in a language; other texts as they are."""
    expected = _OF_TIME.get(expected, expected)
    if match := _BOUNDED.fullmatch(expected):
        bound = _BOUNDS[match[2]].said(language).format(bound=match[3].removesuffix(".0"))
        kind = _KINDS[match[1]].said(language)
        return f"{kind} {bound}" if language == "en" else f"{bound} 的{kind}"
    if match := _LONG.fullmatch(expected):
        return _LENGTHS[match[1], match[2]].said(language).format(bound=match[3])
    if match := _FORMED.fullmatch(expected):
        return _PATTERN.said(language).format(pattern=match[1])
    kinds = expected.split(" | ")
    if all(kind in _KINDS for kind in kinds):
        return (" or " if language == "en" else "或").join(_KINDS[kind].said(language) for kind in kinds)
    return expected
