"""What pages, files and messages say in the reader's language: gettext catalogues, and numbers and dates in their way.

The English text stands in the code and is the message's id; its Chinese stands in `api/locale/zh_CN/`, one catalogue
for each part of the program. A text is marked where it is written, so that a test finds what has no translation:
`_('…')` in a template, `texts.of(language).gettext('…')` in code, `texts.marked('…')` where it is only kept there."""

import gettext
import io
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from babel import dates, numbers
from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog
from jinja2 import pass_context
from jinja2.runtime import Context

LOCALE = Path(__file__).parent / "locale"
LOCALES = {"zh": "zh_Hans_CN", "en": "en_GB"}
DAYS = {"zh": "y年M月d日", "en": "d MMM y"}
MOMENTS = {"zh": "y年M月d日 HH:mm", "en": "d MMM y, HH:mm"}


def marked(text: str) -> str:
    """The text itself: it is translated where it is shown."""
    return text


def catalogues() -> Iterator[tuple[Path, Catalog]]:
    """Every catalogue of Chinese texts with its file. Raises PoFileError for one that cannot be read."""
    for path in sorted((LOCALE / "zh_CN").glob("*.po")):
        with path.open("rb") as file:
            yield path, pofile.read_po(file, locale="zh_CN", abort_invalid=True)


@cache
def of(language: str) -> gettext.NullTranslations:
    """The texts of a language: `gettext`, `ngettext` and `pgettext` of them; English texts say themselves."""
    if language == "en":
        return gettext.NullTranslations()
    whole = Catalog(locale="zh_CN")
    for _, catalogue in catalogues():
        for message in catalogue:
            if message.id:
                whole.add(message.id, message.string, context=message.context)
    compiled = io.BytesIO()
    mofile.write_mo(compiled, whole)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def number(value: float, language: str) -> str:
    """A number with its thousands parted, and at most three decimals."""
    return numbers.format_decimal(value, locale=LOCALES[language])


def share(value: float | None, language: str) -> str:
    """A share of one as per cent with one decimal; a dash where there is none."""
    return "–" if value is None else numbers.format_percent(value, "#,##0.0%", locale=LOCALES[language])


def day(value: date, language: str) -> str:
    """A day as the language writes it."""
    return dates.format_date(value, DAYS[language], locale=LOCALES[language])


def moment(value: datetime, language: str, zone: Any) -> str:
    """A moment to the minute, by the clock of a zone."""
    return dates.format_datetime(value.astimezone(zone), MOMENTS[language], locale=LOCALES[language])


def working_time(value: timedelta, language: str) -> str:
    """A stretch of working time in hours and minutes, without its sign; days of work are of different lengths."""
    minutes = int(abs(value).total_seconds() // 60)
    hours, rest = divmod(minutes, 60)
    texts = of(language)
    if not hours:
        return texts.gettext("%(minutes)s min") % {"minutes": rest}
    if not rest:
        return texts.gettext("%(hours)s h") % {"hours": number(hours, language)}
    return texts.gettext("%(hours)s h %(minutes)s min") % {"hours": number(hours, language), "minutes": rest}


def _language(context: Context) -> str:
    """Chinese where a template is not told, as in a page of whoever has not been asked."""
    language: str = context.get("language", "zh")
    return language


@pass_context
def _gettext(context: Context, text: str) -> str:
    return of(_language(context)).gettext(text)


@pass_context
def _ngettext(context: Context, one: str, many: str, count: int) -> str:
    return of(_language(context)).ngettext(one, many, count)


@pass_context
def _pgettext(context: Context, about: str, text: str) -> str:
    return of(_language(context)).pgettext(about, text)


@pass_context
def _npgettext(context: Context, about: str, one: str, many: str, count: int) -> str:
    return of(_language(context)).npgettext(about, one, many, count)


@pass_context
def _number(context: Context, value: float) -> str:
    return number(value, _language(context))


@pass_context
def _share(context: Context, value: float | None) -> str:
    return share(value, _language(context))


@pass_context
def _day(context: Context, value: date) -> str:
    when = value.astimezone(context["zone"]).date() if isinstance(value, datetime) else value
    return day(when, _language(context))


@pass_context
def _moment(context: Context, value: datetime) -> str:
    return moment(value, _language(context), context["zone"])


@pass_context
def _working_time(context: Context, value: timedelta) -> str:
    return working_time(value, _language(context))


def speak(environment: jinja2.Environment) -> None:
    """Teach templates to say texts in the language of their context, `language`, and moments in its `zone`."""
    environment.add_extension("jinja2.ext.i18n")
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        _gettext, _ngettext, newstyle=True, pgettext=_pgettext, npgettext=_npgettext
    )
    environment.filters |= {
        "number": _number,
        "share": _share,
        "day": _day,
        "moment": _moment,
        "working_time": _working_time,
    }
