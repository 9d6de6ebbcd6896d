"""What stands around a page of the desk: the way to its other pages, as far as a reader's roles go."""

from collections.abc import Mapping
from typing import Any

from litestar import Request

from api import shell, texts
from api.shell import Entry, Way
from surveys.people.people import READING, District, Reader
from surveys.premises.premises_changes import CHANGING

ENTRIES = (
    Entry("issues", "/desk/", texts.marked("Issues"), READING),
    Entry(
        "places",
        "/desk/places",
        texts.marked("Uncertain places"),
        frozenset({"community_worker", "dispatcher", "administrator"}),
    ),
    Entry("visits", "/desk/visits", texts.marked("Visits"), READING),
    Entry("premises", "/premises", texts.marked("Doors"), CHANGING),
    Entry("people", "/people", texts.marked("Members"), frozenset({"administrator", "organiser"})),
    Entry("cards", "/desk/cards", texts.marked("Contact cards"), frozenset({"administrator", "organiser"})),
    Entry("categories", "/desk/categories", texts.marked("Categories and limits"), READING),
    Entry("imports", "/desk/imports", texts.marked("Imports"), frozenset({"administrator"})),
)


def context(request: Request[Reader, Any, Any], reader: Reader, district: District, here: str) -> Mapping[str, Any]:
    """What a page of the desk needs beside what it shows; `here` is the name of its entry."""
    around = shell.context(request, reader, district, "desk")
    roles, say = reader.roles(), texts.of(around["language"]).gettext
    ways = [
        Way(entry.name, entry.path + around["lang"], say(entry.title), entry.name == here)
        for entry in ENTRIES
        if roles & entry.roles
    ]
    return {**around, "desk_ways": ways}
