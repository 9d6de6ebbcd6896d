"""A list's filters as the desk shows them: what can be taken away, what can be chosen, and the addresses of both."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from msgspec import Struct

from api import issues, texts
from api.desk.words import ASKED, word
from api.texts import marked
from surveys.counting.issue_lists import Order
from surveys.counting.issue_query import NONE, Filters
from surveys.desk import boards, choices
from surveys.desk.boards import UNFINISHED
from surveys.desk.choices import Choice, Narrowings
from surveys.people import people
from surveys.people.people import Reader

PERSONS = ("owner", "offered_to", "leader", "agent")
CHOSEN = frozenset({"community", "street", "category", "department", "owner", "text"})
BOXES = frozenset({"state", "urgency"})  # of which several are chosen
CHOSEN_DAYS = frozenset({"reported_from", "reported_to", "as_of"})

LABELS: Mapping[str, str] = {
    "id": marked("Chosen"),
    "community": marked("Community"),
    "street": marked("Street"),
    "category": marked("Category"),
    "state": marked("State"),
    "group": marked("Group"),
    "urgency": marked("Urgency"),
    "owner": marked("Owner"),
    "department": marked("Department"),
    "organisation": marked("Organisation"),
    "channel": marked("Channel"),
    "offered_to": marked("Offered to"),
    "asked": marked("Asked for"),
    "leader": marked("Leader"),
    "agent": marked("Agent"),
    "overdue": marked("Overdue"),
    "waiting": marked("Waiting for others"),
    "returned": marked("Came back"),
    "reported_from": marked("Reported from"),
    "reported_to": marked("Reported until"),
    "due_from": marked("Due from"),
    "due_to": marked("Due until"),
    "bbox": marked("Part of the map"),
    "text": marked("Text"),
    "placed": marked("Has a place"),
    "certainty": marked("Place"),
    "source": marked("Source"),
    "provisional": marked("Limit provisional"),
    "rate": marked("Counted by"),
    "met": marked("Counted as met"),
    "as_of": marked("As of"),
    "known_at": marked("As known at"),
}
RATES: Mapping[str, str] = {
    "response": marked("response rate"),
    "resolution": marked("resolution rate"),
    "satisfaction": marked("satisfaction rate"),
}
SOURCES: Mapping[str, str] = {
    "visit": marked("a visit"),
    "card": marked("a contact card"),
    "ledger": marked("a ledger"),
}


class Chip(Struct, frozen=True):
    """One filter in words, and the address of the list without it."""

    label: str
    value: str
    without: str


class Names(Struct, frozen=True):
    """What the codes and ids of filters are called, as far as the reader's district knows them."""

    narrowings: Narrowings
    members: Mapping[UUID, str]
    organisations: Mapping[UUID, str]


async def names(conn: asyncpg.Connection, reader: Reader, filters: Filters) -> Names:
    """Look up what filters name. Raises NotAllowed for who reads no issues."""
    members = [member for field in PERSONS for member in getattr(filters, field)]
    organisations = [one for one in filters.organisation if one]
    return Names(
        await choices.narrowings(conn, reader),
        await people.names(conn, reader.district, members) if members else {},
        await choices.organisation_names(conn, reader, organisations) if organisations else {},
    )


def address(filters: Filters, order: Order | None, language: str, **more: str) -> str:
    """Where a list stands on the desk."""
    return f"/desk/?{query(filters, order, language, **more)}"


def query(filters: Filters, order: Order | None, language: str, **more: str) -> str:
    """A list in the query of an address: of the list itself, or of an issue that was opened from it. Its order is told
    where it is not the usual one, and where nothing else is: the bare address opens what there is to do."""
    given = issues.pairs(filters)
    if not given or (order and order != boards.order(filters)):
        given.append(("sort", order or "newest"))
    return urlencode([*given, *more.items(), *([("lang", "en")] if language == "en" else [])])


def chips(filters: Filters, order: Order | None, names: Names, zone: ZoneInfo, language: str) -> list[Chip]:
    """The filters that are set, each with the way to be rid of it."""
    say = texts.of(language).gettext
    found = []
    for field, value in msgspec.structs.asdict(filters).items():
        if value in (None, ()):
            continue
        usual: Any = () if isinstance(value, tuple) and field != "bbox" else None
        changes = {field: usual} | ({"met": None} if field == "rate" else {})
        without = address(msgspec.structs.replace(filters, **changes), order, language)
        found.append(Chip(say(LABELS[field]), "、".join(_values(field, value, names, zone, language)), without))
    return found


def _values(field: str, value: Any, names: Names, zone: ZoneInfo, language: str) -> Iterator[str]:
    say = texts.of(language).gettext
    if field == "id":
        yield texts.of(language).ngettext("%(num)s issue", "%(num)s issues", len(value)) % {"num": len(value)}
    elif field == "bbox":
        yield say(marked("as chosen"))
    elif field == "state" and set(value) == set(UNFINISHED):
        yield say(marked("unfinished"))
    elif isinstance(value, tuple):
        yield from (_one(field, one, names, language) for one in value)
    elif isinstance(value, bool):
        yield say(marked("yes")) if value else say(marked("no"))
    elif isinstance(value, datetime):
        yield texts.moment(value, language, zone)
    elif isinstance(value, date):
        yield texts.day(value, language)
    elif field == "rate":
        yield say(RATES[value]) if value in RATES else value
    else:
        yield str(value)


def _one(field: str, value: Any, names: Names, language: str) -> str:
    """What one value of a filter is called; what the district does not know is shown as it was asked for."""
    say = texts.of(language).gettext
    if value in (None, NONE):
        return say(marked("without one"))
    if field in PERSONS:
        return names.members.get(value, say(marked("somebody unknown")))
    if field == "organisation":
        return names.organisations.get(value, say(marked("an unknown organisation")))
    if field == "asked":
        return say(ASKED[value])
    if field == "source":
        return say(SOURCES[value])
    known: Sequence[Choice] = {
        "community": names.narrowings.communities,
        "street": names.narrowings.streets,
        "category": names.narrowings.categories,
        "department": names.narrowings.departments,
    }.get(field, [])
    found = next((choice.name for choice in known if choice.code == value), None)
    return found or word(field, value, language) if field in WORDED else found or str(value)


WORDED = frozenset({"state", "group", "urgency", "channel", "certainty"})


def kept(filters: Filters, order: Order | None) -> list[tuple[str, str]]:
    """The filters that the form has no field for, to be sent along with it: also those of its fields that have several
    values, of which a field shows one."""
    return [
        *(
            (name, value)
            for name, value in issues.pairs(filters)
            if name not in CHOSEN_DAYS and not _chosen(name, filters)
        ),
        *([("sort", order)] if order else []),
    ]


def _chosen(name: str, filters: Filters) -> bool:
    return name in BOXES or (name in CHOSEN and (name == "text" or len(getattr(filters, name)) == 1))
