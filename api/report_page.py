"""The page of briefs: which there are, how far those are that are being made, and the form to have one made."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from api import issues, report_sheets, shell, texts
from api.auth import Clock
from api.issues import refuse_unfit
from api.reports import scope_code
from api.sign_in import NOT_KEPT
from surveys.issues.workflow import Group
from surveys.people.people import District, Reader
from surveys.reports import report_archive, report_periods, report_sources, report_templates
from surveys.reports.report_archive import Within
from surveys.reports.report_makings import Making
from surveys.reports.report_periods import Kind, Period, named
from surveys.reports.reports import Figures, Scope

AT_ONCE = 30  # briefs of one page
OFFERED: Mapping[Kind, int] = {"week": 12, "month": 13}  # past periods that can be chosen at once
OPEN: tuple[Group, ...] = ("reported", "in_hand", "overdue")
KINDS = {
    "district": texts.marked("Whole district"),
    "street": texts.marked("One street"),
    "community": texts.marked("One community"),
}
STATES = {
    "waiting": texts.marked("Waiting to be made"),
    "making": texts.marked("Being made"),
    "done": texts.marked("Made already"),
    "failed": texts.marked("Not made"),
    "cancelled": texts.marked("Making cancelled"),
}


@get("/reports", include_in_schema=False)
async def reports_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """The briefs within reach, found by place and period."""
    refuse_unfit(request, ("period", "scope", "cursor", "lang"))
    said = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    scope = scope_code(said["scope"], reader.district) if "scope" in said else None
    within = await report_archive.within(conn, reader, district)
    page = await report_archive.page(
        conn, reader, district, period=said.get("period"), scope=scope, limit=AT_ONCE, cursor=said.get("cursor")
    )
    context = _context(request, reader, district, within)
    filters = {name: value for name, value in said.items() if name in ("period", "scope")}
    context |= {
        "page": page,
        "first": "cursor" not in said,
        "filters": filters,
        "query": urlencode({**filters, **({"lang": "en"} if context["language"] == "en" else {})}),
        "periods": [
            (period.name, report_sheets.in_words(period, context["language"]))
            for period in _offered(district.zone, clock)
        ],
        "templates": await _templates(conn, reader, context["language"]),
        **await _progress(conn, reader, district, clock, within),
    }
    return Template("reports.html", context=context, headers=dict(NOT_KEPT))


@get("/reports/makings", include_in_schema=False)
async def makings_part(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """How far the makings are, for the page to show while they go on; once none does, it is loaded anew."""
    refuse_unfit(request, ("lang",))
    within = await report_archive.within(conn, reader, district)
    progress = await _progress(conn, reader, district, clock, within)
    headers = dict(NOT_KEPT)
    if not progress["going_on"]:
        headers["HX-Refresh"] = "true"
    context = _context(request, reader, district, within) | progress
    return Template("reports_makings.html", context=context, headers=headers)


@get("/reports/{report:uuid}", include_in_schema=False)
async def report_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    report: FromPath[UUID],
) -> Template:
    """One brief on the screen, with its files, and the form to choose other cases."""
    refuse_unfit(request, ("lang",))
    found = await report_archive.one(conn, reader, district, report)
    within = await report_archive.within(conn, reader, district)
    context = _context(request, reader, district, within)
    sheet = report_sheets.sheet(found, district.zone, context["language"])
    tables = ("categories", "places", "departments", "coverage")
    context |= {
        "report": found,
        "sheet": sheet,
        "rows": {name: [msgspec.structs.astuple(row) for row in getattr(sheet, name)] for name in tables},
        "headings": report_sheets.headings(context["language"]),
        "opens": _opening(found.figures, context["language"]),
    }
    return Template("report.html", context=context, headers=dict(NOT_KEPT))


def _context(request: Request[Reader, Any, Any], reader: Reader, district: District, within: Within) -> dict[str, Any]:
    context = dict(shell.context(request, reader, district, here="reports"))
    language = context["language"]
    return context | {
        "scopes": [(f"{scope.kind}:{scope.code}", _place(scope)) for scope in within.scopes],
        "whole": any(scope.kind == "district" for scope in within.scopes),
        "kinds": KINDS,
        "states": STATES,
        "in_words": lambda name: report_sheets.in_words(named(name), language),
        "administrator": "administrator" in reader.roles(),
    }


def _place(scope: Scope) -> str:
    return f"{scope.part_of} · {scope.name}" if scope.kind == "community" and scope.part_of else scope.name


def _offered(zone: ZoneInfo, clock: Clock) -> Sequence[Period]:
    """Past periods, the latest first: weeks, then months."""
    found = []
    for kind, count in OFFERED.items():
        period = report_periods.latest(kind, zone, clock())
        for _ in range(count):
            found.append(period)
            period = period.before()
    return found


async def _progress(
    conn: asyncpg.Connection, reader: Reader, district: District, clock: Clock, within: Within
) -> dict[str, Any]:
    """What is being made, and what failed or was cancelled lately."""
    makings = await report_archive.makings(conn, reader, district, clock() - timedelta(hours=12))
    going_on = [one for one in makings if one.state in ("waiting", "making")]
    names = {(scope.kind, scope.code): _place(scope) for scope in within.scopes}
    shown = [*going_on, *(one for one in makings if one.state == "failed")]
    return {"makings": [(one, _of(one, names)) for one in shown], "going_on": bool(going_on)}


def _of(making: Making, names: Mapping[tuple[Any, Any], str]) -> str | None:
    return names.get((making.scope_kind, making.scope)) if making.scope_kind else None


async def _templates(conn: asyncpg.Connection, reader: Reader, language: Any) -> list[report_templates.Template]:
    if "administrator" not in reader.roles():
        return []
    return await report_templates.versions(conn, reader.district, language)


def _opening(figures: Figures, language: str) -> dict[str, str]:
    """Where the lists open that the figures count: as they were at the end of the period, as known when it was made."""
    at_its_end = msgspec.structs.replace(
        report_sources.of_scope(figures.scope), as_of=figures.last, known_at=figures.known_at
    )
    reported = msgspec.structs.replace(at_its_end, reported_from=figures.first, reported_to=figures.last)
    tail = "&lang=en" if language == "en" else ""
    lists: dict[str, str] = {
        "reported": issues.address(reported, rate=report_sources.REPORTED, page=True),
        "solved": issues.address(msgspec.structs.replace(reported, group=("solved",)), page=True),
        "open": issues.address(msgspec.structs.replace(at_its_end, group=OPEN), page=True),
        "overdue": issues.address(msgspec.structs.replace(at_its_end, overdue=True), page=True),
        **{line.rate: issues.address(reported, rate=line.rate, page=True) for line in figures.rates},
    }
    if figures.services is not None and figures.scope.kind != "street":
        days = {"stands": "held", "from": figures.first.isoformat(), "to": figures.last.isoformat()}
        within = {"community": figures.scope.code} if figures.scope.kind == "community" else {}
        lists["services"] = f"/volunteering/services?{urlencode(days | within)}"
    return {name: href + tail for name, href in lists.items()}


ROUTES = [reports_page, makings_part, report_page]
