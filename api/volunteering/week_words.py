"""Weekdays and parts of a day in the words of pages, and a week's hours as boxes to tick."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from api import texts

WEEKDAYS: Sequence[str] = (
    texts.marked("Monday"),
    texts.marked("Tuesday"),
    texts.marked("Wednesday"),
    texts.marked("Thursday"),
    texts.marked("Friday"),
    texts.marked("Saturday"),
    texts.marked("Sunday"),
)
PARTS = ("09:00-12:00", "14:00-17:00", "18:00-21:00")  # morning, afternoon, evening: what most people say


class Day(Struct, frozen=True):
    """A weekday with its spans: what a box sends, its words, and whether it is ticked."""

    name: str
    spans: list[tuple[str, str, bool]]


def grid(hours: Iterable[str]) -> list[Day]:
    """The boxes of a week: the three usual parts of each day, and every other span that is offered already."""
    offered = set(hours)
    days = []
    for number, name in enumerate(WEEKDAYS, start=1):
        own = {span[2:] for span in offered if span.startswith(f"{number} ")}
        spans = [(f"{number} {part}", part.replace("-", "–"), part in own) for part in sorted(own | set(PARTS))]
        days.append(Day(name, spans))
    return days


def spoken(span: str, language: str) -> str:
    """A span of the week as a page says it: 周六 09:00–11:30."""
    return f"{texts.of(language).gettext(WEEKDAYS[int(span[0]) - 1])} {span[2:].replace('-', '–')}"
