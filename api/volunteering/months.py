"""Months and quarters as a language writes them; in templates by the language of the page, as `named`."""

from datetime import date

from babel import dates
from jinja2 import pass_context
from jinja2.runtime import Context

from api.texts import LOCALES

PATTERNS = {"zh": "y年M月", "en": "MMMM y"}
SHORT = {"zh": "M月", "en": "MMM"}
QUARTERS = {"zh": "y年QQQQ", "en": "QQQQ y"}


def named(month: date | str, language: str) -> str:
    """A month, by its first day or as 2026-11: 2026年11月, November 2026."""
    first = date.fromisoformat(f"{month}-01") if isinstance(month, str) else month
    return dates.format_date(first, PATTERNS[language], locale=LOCALES[language])


@pass_context
def in_language(context: Context, month: date | str) -> str:
    """A month in the language of the template that asks."""
    return named(month, context.get("language", "zh"))


@pass_context
def short(context: Context, day: date) -> str:
    """The month of a day alone, in the language of the template that asks: 11月, Nov."""
    language = context.get("language", "zh")
    return dates.format_date(day, SHORT[language], locale=LOCALES[language])


@pass_context
def period_in_language(context: Context, period: str) -> str:
    """A month or quarter, as 2026-11 or 2026-Q3, in the language of the template that asks: 2026年第三季度."""
    year, quarter = period.split("-")
    if not quarter.startswith("Q"):
        return in_language(context, period)
    language = context.get("language", "zh")
    first = date(int(year), int(quarter[1:]) * 3 - 2, 1)
    return dates.format_date(first, QUARTERS[language], locale=LOCALES[language])
