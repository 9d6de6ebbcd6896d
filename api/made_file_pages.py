"""The page of the files that one takes along: what is offered of a list, small ones at once and large ones made by a
job, how far those are, and where they are fetched."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from msgspec import Struct

from api import export_requests, exports, problem_details, shell, texts
from api import made_files as made
from api.auth import Clock
from api.documented_problems import REFUSES
from api.export_columns import WORDS
from api.export_files import Extension
from api.export_requests import Given, UnknownTable
from api.issues import refuse_unfit
from api.made_files import Wanted
from api.settings import Settings
from api.sign_in import NOT_KEPT
from surveys import made_files
from surveys.made_files import MadeFile
from surveys.people.people import READING, District, Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import WrongValue

AT_ONCE = 100_000  # rows up to which a file is fetched while it is made

TITLES: Mapping[str, str] = {
    "issues": texts.marked("Issues"),
    "visits": texts.marked("Visits"),
    "premises": texts.marked("Doors"),
    "answers": texts.marked("Answers"),
    "rates": texts.marked("Rates"),
    "coverage": texts.marked("Coverage"),
    "coverage_doors": texts.marked("Doors of a campaign"),
}
FORMATS: Mapping[Extension, str] = {
    "xlsx": texts.marked("Excel (XLSX)"),
    "csv": texts.marked("CSV"),
    "geojson": texts.marked("GeoJSON"),
    "gpkg": texts.marked("GeoPackage"),
}
FAULTS: Mapping[str, str] = {
    "too_many": texts.marked("Too many rows for this form; take CSV, or narrow the list."),
    "no_space": texts.marked("The server's disk has no room; narrow the list, or ask who runs the program."),
    "no_longer_allowed": texts.marked("Your roles have changed since, and reach less than was asked for."),
    "not_found": texts.marked("What was asked for is no longer there."),
    "fault": texts.marked("The program failed; ask for the file again, or tell who runs it."),
}
# What filters are called; one that is missing goes by its own name.
FILTERS: Mapping[str, str] = {
    "community": texts.marked("Community"),
    "street": texts.marked("Street"),
    "category": texts.marked("Category"),
    "state": texts.marked("State"),
    "group": texts.marked("Group"),
    "urgency": texts.marked("Urgency"),
    "channel": texts.marked("Channel"),
    "owner": texts.marked("Owner"),
    "department": texts.marked("Department"),
    "organisation": texts.marked("Organisation"),
    "member": texts.marked("Member"),
    "campaign": texts.marked("Campaign"),
    "questionnaire": texts.marked("Questionnaire"),
    "kind": texts.marked("Kind"),
    "outcome": texts.marked("Outcome"),
    "overdue": texts.marked("Overdue"),
    "placed": texts.marked("With a place"),
    "reported_from": texts.marked("Reported from"),
    "reported_to": texts.marked("Reported until"),
    "started_from": texts.marked("Visited from"),
    "started_to": texts.marked("Visited until"),
    "as_of": texts.marked("As of"),
    "text": texts.marked("Text"),
    "by": texts.marked("Broken down by"),
}
LABELLED = {"kind": "premises_kind"}  # whose words stand under another name


class Offer(Struct, frozen=True, kw_only=True):
    """A form that a list can be taken in: fetched at an address, or made when its button is pressed."""

    format: Extension
    title: str
    href: str | None


class Shown(Struct, frozen=True, kw_only=True):
    """A file as the page shows it."""

    file: MadeFile
    title: str
    format: str
    filters: list[tuple[str, str]]
    share: float | None  # how much of it is done
    size: str | None
    fault: str | None


@get("/exports", include_in_schema=False)
async def exports_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
) -> Template:
    """What one asked for, the newest first; with `of` and the filters of a list, what that list is offered as."""
    reader.require(*READING)
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    context = dict(shell.context(request, reader, district, here="exports"))
    context |= await _files(conn, reader, clock, context["language"])
    what = dict(asked).get("of")
    if what is not None:
        narrowed = [(name, value) for name, value in asked if name != "of"]
        context |= await _offers(conn, reader, what, narrowed, context["language"], ring, clock)
    return Template("exports.html", context=context, headers=dict(NOT_KEPT))


async def _offers(
    conn: asyncpg.Connection, reader: Reader, what: str, narrowed: Sequence[tuple[str, str]], language: str,
    ring: KeyRing, clock: Clock,
) -> Mapping[str, Any]:  # fmt: skip
    """What a list is offered as, and how many rows it has."""
    given = _given(narrowed)
    if what not in export_requests.TABLES:
        raise UnknownTable("of", expected=" | ".join(export_requests.TABLES))
    formats = export_requests.TABLES[what][1]
    table = export_requests.table_of(what, "csv", given, reader)
    _, told = await exports.look(conn, reader, language, table, ring, clock())
    large = told.rows is not None and told.rows > AT_ONCE
    say = texts.of(language).gettext
    offers = [
        Offer(
            format=format_,
            title=say(FORMATS[format_]),
            href=None if large else _address(what, format_, narrowed, language),
        )
        for format_ in FORMATS
        if format_ in formats
    ]
    return {
        "of": what,
        "of_title": say(TITLES[what]),
        "of_filters": _filters(dict(given), language),
        "of_query": urlencode(narrowed),
        "offers": offers,
        "rows": told.rows,
        "large": large,
        "at_once": AT_ONCE,
    }


def _given(narrowed: Sequence[tuple[str, str]]) -> Given:
    given: dict[str, list[str]] = {}
    for name, value in narrowed:
        if value:
            given.setdefault(name, []).append(value)
    return given


def _address(what: str, format: Extension, narrowed: Sequence[tuple[str, str]], language: str) -> str:  # noqa: A002
    """Where a small file is fetched at once."""
    beside = dict(narrowed)
    campaign, questionnaire = (quote(beside.get(name, ""), safe="") for name in ("campaign", "questionnaire"))
    long = "-long" if beside.get("shape") == "long" else ""
    path, apart = {
        "coverage": (f"/api/campaigns/{campaign}/coverage", {"campaign"}),
        "coverage_doors": (f"/api/campaigns/{campaign}/coverage/doors", {"campaign"}),
        "answers": (f"/api/questionnaires/{questionnaire}/answers{long}", {"questionnaire", "shape"}),
    }.get(what, (f"/api/{what}", set()))
    kept = [(name, value) for name, value in narrowed if name not in apart and value] + [("lang", language)]
    return f"{path}.{format}?{urlencode(kept)}"


@get("/exports/list", include_in_schema=False)
async def files_shown(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """The list of files as it is now, for the page that shows it."""
    reader.require(*READING)
    refuse_unfit(request, ("lang",))
    return await _list(request, conn, reader, district, clock)


@post("/exports", include_in_schema=False, status_code=200, opt={REFUSES: (404, 409, 422, 507)})
async def ask_on_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    settings: NamedDependency[Settings],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
) -> Template:
    """Have a file made, by the button of a form."""
    reader.require(*READING)
    form = await request.form()
    of, format_, query = (str(form.get(name) or "") for name in ("of", "format", "query"))
    if format_ not in FORMATS:
        raise WrongValue("format", expected=" | ".join(FORMATS))
    given = _given(parse_qsl(query))
    wanted = Wanted(table=of, format=format_, filters={name: list(values) for name, values in given.items()})  # type: ignore[arg-type]
    await made.ask(conn, reader, wanted, problem_details.language(request), settings, ring, clock())
    return await _list(request, conn, reader, district, clock)


@post("/exports/{file:uuid}/cancel", include_in_schema=False, status_code=200, opt={REFUSES: (404, 409)})
async def cancel_on_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    file: FromPath[UUID],
) -> Template:
    """Let a file not be made after all."""
    await made_files.cancel(conn, reader, file, clock())
    return await _list(request, conn, reader, district, clock)


async def _list(
    request: Request[Reader, Any, Any], conn: asyncpg.Connection, reader: Reader, district: District, clock: Clock
) -> Template:
    context = dict(shell.context(request, reader, district, here="exports"))
    context |= await _files(conn, reader, clock, context["language"])
    return Template("exports_list.html", context=context, headers=dict(NOT_KEPT))


async def _files(conn: asyncpg.Connection, reader: Reader, clock: Clock, language: str) -> Mapping[str, Any]:
    files = await made_files.newest(conn, reader, clock())
    return {
        "files": [_shown(file, language) for file in files],
        "under_way": made_files.unfinished(files),
    }


def _shown(file: MadeFile, language: str) -> Shown:
    say = texts.of(language).gettext
    beside = {name: value for name, value in file.asked.items() if name not in ("table", "filters", "hours", "shape")}
    return Shown(
        file=file,
        title=say(TITLES[file.what]),
        format=say(FORMATS[file.format]),
        filters=_filters({**beside, **file.asked.get("filters", {})}, language),
        share=min(1.0, file.rows_done / file.rows) if file.rows else None,
        size=None if file.bytes is None else _size(file.bytes, language),
        fault=say(FAULTS.get(file.fault, FAULTS["fault"])) if file.fault else None,
    )


def _filters(given: Mapping[str, Any], language: str) -> list[tuple[str, str]]:
    """Filters as people read them: words for codes; of ids, how many."""
    say = texts.of(language).gettext
    return [
        (say(FILTERS[name]) if name in FILTERS else name, _value(name, value, language))
        for name, value in given.items()
    ]


def _value(name: str, value: Any, language: str) -> str:
    say = texts.of(language).gettext
    values = value if isinstance(value, list) else [value]
    words = WORDS.get(LABELLED.get(name, name), {})
    told = []
    for one in values:
        if isinstance(one, bool) or one in ("yes", "no"):
            told.append(say("Yes") if one in (True, "yes") else say("No"))
        elif one in (None, "none"):
            told.append(texts.of(language).pgettext("filter", "none"))
        else:
            told.append(words[one][language == "en"] if one in words else str(one))
    ids = [one for one in told if len(one) == 36 and one.count("-") == 4]
    if ids and len(ids) == len(told):
        return say("%(count)s chosen") % {"count": len(ids)}
    return (", " if language == "en" else "、").join(told)


def _size(size: int, language: str) -> str:
    if size < 1_000_000:
        return f"{texts.number(max(1, size // 1_000), language)} KB"
    return f"{texts.number(round(size / 1_000_000, 1), language)} MB"


ROUTES = [exports_page, files_shown, ask_on_page, cancel_on_page]
