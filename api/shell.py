"""What every page of somebody who is signed in has around it: the way to the other pages, and to their account."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from litestar import Request
from msgspec import Struct

from api import problem_details, texts
from surveys.people.people import READING, District, Reader, Role
from surveys.premises.premises_changes import CHANGING


class Entry(Struct, frozen=True):
    """A page that one can go to, for those who hold one of its roles."""

    name: str
    path: str
    title: str
    roles: frozenset[Role]


ENTRIES = (
    Entry("desk", "/desk/", texts.marked("Desk"), READING),
    Entry("map", "/maps/issues", texts.marked("Map"), READING),
    Entry("dashboards", "/dashboards", texts.marked("Dashboards"), READING),
    Entry("reports", "/reports", texts.marked("Briefs"), READING),
    Entry("campaigns", "/campaigns", texts.marked("Campaigns"), READING),
    Entry("premises", "/premises", texts.marked("Doors"), CHANGING),
    Entry("volunteering", "/volunteering/", texts.marked("Volunteering"), READING),
    Entry("assessments", "/assessments", texts.marked("Assessments"), READING),
    Entry("exports", "/exports", texts.marked("Downloads"), READING),
    Entry("people", "/people", texts.marked("People"), frozenset({"administrator", "organiser"})),
    Entry("audit", "/audit", texts.marked("History"), frozenset({"administrator", "auditor"})),
)


class Way(Struct, frozen=True):
    """An entry as a page shows it."""

    name: str
    href: str
    title: str
    here: bool


def ways(reader: Reader, language: str, here: str) -> list[Way]:
    """The pages that this reader can go to."""
    roles, say = reader.roles(), texts.of(language).gettext
    tail = "?lang=en" if language == "en" else ""
    return [
        Way(entry.name, entry.path + tail, say(entry.title), entry.name == here)
        for entry in ENTRIES
        if roles & entry.roles
    ]


def context(request: Request[Reader, Any, Any], reader: Reader, district: District, here: str) -> Mapping[str, Any]:
    """What `shell.html` and its formats need; `here` is the entry under which the page stands."""
    language = problem_details.language(request)
    return {
        "language": language,
        "zone": district.zone,
        "district": district.name,
        "reader": reader,
        "ways": ways(reader, language, here),
        "lang": "?lang=en" if language == "en" else "",
        "other_language": _in_the_other_language(request, language),
    }


def _in_the_other_language(request: Request[Any, Any, Any], language: str) -> str:
    """This page with the same filters."""
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return f"{request.url.path}?{urlencode([*asked, ('lang', 'zh' if language == 'en' else 'en')])}"
