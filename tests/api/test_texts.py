"""What the program says is said in Chinese and in English, and in the reader's way."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel.messages import extract

from api import pages, texts

API = Path(texts.__file__).parent
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "marked": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")

Said = tuple[str | None, str]  # the context, and the English text; of a plural its first form


def said() -> Iterator[tuple[Said, tuple[str, ...], str]]:
    """Every text that stands in a template or in code, all its forms, and where."""
    for path in sorted(API.rglob("*")):
        if path.suffix not in (".py", ".html", ".typ") or "node_modules" in path.parts:
            continue
        method = "python" if path.suffix == ".py" else "jinja2.ext:babel_extract"
        options = {"trimmed": "false", "encoding": "utf-8", "silent": "false", "extensions": "jinja2.ext.i18n"}
        with path.open("rb") as file:
            for line, found, _, about in extract.extract(method, file, KEYWORDS, options=options):
                forms = (found,) if isinstance(found, str) else tuple(form for form in found if form)
                yield (about, forms[0]), forms, f"{path.relative_to(API)}:{line}"


def translated() -> Mapping[Said, set[tuple[str, ...]]]:
    """The Chinese of every text, by all catalogues."""
    found: defaultdict[Said, set[tuple[str, ...]]] = defaultdict(set)
    for _, catalogue in texts.catalogues():
        for message in catalogue:
            if not message.id or message.fuzzy:
                continue
            one = message.id if isinstance(message.id, str) else message.id[0]
            string = message.string or ()
            chinese = (string,) if isinstance(string, str) else tuple(string)
            found[(message.context, one)].add(chinese)
    return found


def test_every_text_has_its_chinese() -> None:
    known = translated()
    missing = [
        f"{where} {text!r}"
        for text, _, where in said()
        if not all(map(all, known.get(text, [()]))) or text not in known
    ]
    assert not missing


def test_no_catalogue_keeps_a_text_that_nobody_says() -> None:
    assert set(translated()) - {text for text, _, _ in said()} == set()


def test_one_text_has_one_translation_in_all_catalogues() -> None:
    assert {text: chinese for text, chinese in translated().items() if len(chinese) > 1} == {}


def test_a_translation_names_the_values_that_the_text_names() -> None:
    known = translated()
    for text, forms, where in said():
        for chinese in known.get(text, ()):
            named = {name for form in forms for name in PLACEHOLDER.findall(form)}
            # a language without plurals may leave the count of one out
            assert {name for form in chinese for name in PLACEHOLDER.findall(form)} == named, where


def test_a_sign_for_per_cent_is_doubled() -> None:
    everything = [form for _, forms, _ in said() for form in forms]
    everything += [form for found in translated().values() for chinese in found for form in chinese]
    assert [form for form in everything if "%" in PLACEHOLDER.sub("", form.replace("%%", ""))] == []


def render(template: str, language: str, **values: Any) -> str:
    made = pages.TEMPLATES.engine_instance.engine.from_string(template)
    return str(made.render(language=language, zone=ZoneInfo("Asia/Shanghai"), **values))


@pytest.mark.parametrize(("language", "expected"), [("zh", "工作台"), ("en", "Desk")])
def test_a_template_speaks_the_language_of_its_reader(language: str, expected: str) -> None:
    assert render("{{ _('Desk') }}", language) == expected


def test_a_value_in_a_text_is_escaped() -> None:
    shown = render("{% autoescape true %}{{ _('%(hours)s h', hours=value) }}{% endautoescape %}", "zh", value="<b>")
    assert shown == "&lt;b&gt; 小时"


@pytest.mark.parametrize(
    ("filter_", "value", "zh", "en"),
    [
        ("number", 17727, "17,727", "17,727"),
        ("share", 0.8734, "87.3%", "87.3%"),
        ("share", None, "–", "–"),
        ("day", date(2026, 11, 3), "2026年11月3日", "3 Nov 2026"),
        ("day", datetime(2026, 11, 2, 16, 30, tzinfo=UTC), "2026年11月3日", "3 Nov 2026"),
        ("moment", datetime(2026, 11, 2, 16, 30, tzinfo=UTC), "2026年11月3日 00:30", "3 Nov 2026, 00:30"),
        ("working_time", timedelta(hours=26, minutes=5), "26 小时 5 分钟", "26 h 5 min"),
        ("working_time", timedelta(minutes=-40), "40 分钟", "40 min"),
        ("working_time", timedelta(hours=3), "3 小时", "3 h"),
    ],
)
def test_numbers_days_and_working_time_are_written_in_the_readers_way(
    filter_: str, value: object, zh: str, en: str
) -> None:
    template = f"{{{{ value|{filter_} }}}}"
    assert (render(template, "zh", value=value), render(template, "en", value=value)) == (zh, en)
