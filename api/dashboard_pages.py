"""The pages on which a leader finds the answers before anybody asks: the dashboard, and whom residents are still to be
asked by."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Template
from msgspec import Struct

from api import dashboards as told
from api import issues, shell, texts
from api import rates as api_rates
from api.auth import Clock
from api.dashboards import ASKED
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from surveys.counting import rates
from surveys.counting.issue_query import Filters
from surveys.counting.rate_terms import RATES as RATES_IN_ORDER
from surveys.counting.rate_terms import Rate
from surveys.counting.rates import By
from surveys.dashboards import dashboards
from surveys.dashboards.dashboards import LEVELS, THREE, Asked, Dashboard, Level, Part, Ranking
from surveys.desk import choices
from surveys.desk.choices import Street
from surveys.people import organisations, scopes
from surveys.people.people import District, Reader
from surveys.return_visits import return_visits_due
from surveys.return_visits.return_visits_due import Asked as Invited

MOST_RANKED = 5  # in each direction
MOST_FEW = 12  # that are named
MOST_CATEGORIES = 10
MOST_DEPARTMENTS = 10
MOST_ROWS = 200  # of the table of all rates; the interface tells them all

PERIODS = {
    "month": texts.marked("This month"),
    "last_month": texts.marked("Last month"),
    "quarter": texts.marked("This quarter"),
    "year": texts.marked("This year"),
}
THAN = {"before": texts.marked("the period before"), "year": texts.marked("the same a year earlier")}
RATES: Mapping[Rate, str] = {
    "response": texts.marked("Response rate"),
    "resolution": texts.marked("Resolution rate"),
    "satisfaction": texts.marked("Satisfaction rate"),
    "on_time": texts.marked("On time"),
    "own_word": texts.marked("Solved by our own word"),
    "not_answered": texts.marked("Not answered"),
}
# What stands beside each of the three, and is not in it.
BESIDE: Mapping[Rate, Rate] = {"response": "on_time", "resolution": "own_word", "satisfaction": "not_answered"}
# What each of the three counts: above and below the line.
FORMULAS: Mapping[Rate, str] = {
    "response": texts.marked("first contact within its limit ÷ issues whose response limit has passed"),
    "resolution": texts.marked("residents who say solved ÷ residents who answered"),
    "satisfaction": texts.marked("four or five of five ÷ residents who answered"),
}


class Ranked(Struct, frozen=True, kw_only=True):
    """What got better and worse on one level, the greatest changes first, and what is too little to say."""

    level: Level
    better: Sequence[told.PlaceTold]
    worse: Sequence[told.PlaceTold]
    few: Sequence[told.PlaceTold]
    few_more: int


@get("/dashboards", include_in_schema=False, dependencies=ASKED)
async def dashboard_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    asked: NamedDependency[Asked],
    change: FromQuery[Rate] = "response",
    present: FromQuery[bool] = False,
) -> Template:
    """The dashboard; `change` is the rate by which places are compared, and `present` shows it to a room."""
    found = await dashboards.gathered(conn, reader, asked, district.zone, clock())
    around = shell.context(request, reader, district, "dashboards")
    streets = await choices.streets_with_communities(conn, reader)
    shown = change if change in THREE else "response"
    context = {
        **around,
        "found": told.told(found, places=False),
        "asked": asked,
        "present": present,
        "change": shown,
        "ranked": [_ranked(found, level, shown) for level in LEVELS],
        "streets": streets,
        "organisations": await _organisations(conn, reader),
        "place": await _place(conn, reader, district, asked, streets, around["language"]),
        "words": {"periods": PERIODS, "than": THAN, "rates": RATES, "formulas": FORMULAS, "beside": BESIDE},
        "three": THREE,
        "opens": opening(around["language"]),
        "here": _here(request, around["lang"]),
        "broken_down": _broken_down(found, around["language"]),
        "most": {"categories": MOST_CATEGORIES, "departments": MOST_DEPARTMENTS},
        "reads_history": bool(reader.roles() & {"administrator", "auditor"}),
    }
    return Template("dashboards.html", context=context, headers=dict(NOT_KEPT))


def _broken_down(found: Dashboard, language: str) -> Callable[[str], str]:
    """Where all rates of the same period and place are, broken down."""
    _, _, asked = issues.address(found.filters).partition("?")

    def broken_down(by: str) -> str:
        return f"/dashboards/rates?by={by}&{asked}{'&lang=en' if language == 'en' else ''}"

    return broken_down


def _ranked(found: Dashboard, level: Level, rate: Rate) -> Ranked:
    ranking: Ranking = dashboards.ranked(found.places[level], rate)
    few = _most_first(ranking.few, rate)
    return Ranked(
        level=level,
        better=[told.place(part) for part in ranking.better[:MOST_RANKED]],
        worse=[told.place(part) for part in ranking.worse[:MOST_RANKED]],
        few=[told.place(part) for part in few[:MOST_FEW]],
        few_more=max(0, len(few) - MOST_FEW),
    )


def _most_first(parts: Sequence[Part], rate: Rate) -> list[Part]:
    return sorted(parts, key=lambda part: (-part.shares[rate].now.denominator, part.key or ""))


async def _organisations(conn: asyncpg.Connection, reader: Reader) -> list[tuple[UUID, str]]:
    """Those within reach that are not closed."""
    reach = await scopes.reach(conn, reader)
    if not (reach.district or reach.organisations):
        return []
    paths = await organisations.open_paths(conn, reader.district)
    within = paths if reach.district else {id_: paths[id_] for id_ in reach.organisations if id_ in paths}
    return sorted(within.items(), key=lambda each: each[1])


NAMES = """
select coalesce((select name from organisation where district = $1 and id = $2),
                (select name from street where district = $1 and code = $3))
"""


async def _place(
    conn: asyncpg.Connection, reader: Reader, district: District, asked: Asked, streets: Sequence[Street], language: str
) -> str:
    """What the dashboard is about, as one reads it above the numbers."""
    communities = {one.code: one.name for street in streets for one in street.communities}
    named = [communities.get(asked.community, asked.community)] if asked.community else []
    if not named and (asked.street or asked.organisation):
        name = await conn.fetchval(NAMES, reader.district, None, asked.street)
        named = [name or asked.street] if asked.street else []
    if asked.organisation:
        named.append(await conn.fetchval(NAMES, reader.district, asked.organisation, None) or str(asked.organisation))
    if named:
        return " · ".join(named)
    say = texts.of(language)
    if reader.reads_district():
        return district.name
    if reader.scopes("street") and streets:
        return "、".join(street.name or "" for street in streets if street.code in reader.scopes("street"))
    if communities and len(communities) <= 3:
        return "、".join(communities.values())
    if communities:
        return say.gettext("%(count)s communities") % {"count": len(communities)}
    return say.gettext("What I found and handle")


def _here(request: Request[Any, Any, Any], lang: str) -> Callable[..., str]:
    """This page with some of its address changed; what is None is left out."""

    def here(**changed: object) -> str:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changed]
        given = [(name, str(value)) for name, value in changed.items() if value is not None]
        return f"{request.url.path}?{urlencode([*kept, *given])}"

    return here


def opening(language: str) -> Callable[[str], str]:
    """From the address of a list to the page on which people see it."""
    english = [("lang", "en")] if language == "en" else []

    def opens(href: str) -> str:
        path, _, query = href.partition("?")
        asked = "&".join(one for one in (query, urlencode(english)) if one)
        if path == "/api/issues":
            return f"/desk/?{asked}"
        if path == "/api/visits":
            return f"/desk/visits?{asked}"
        if path == "/api/return-visits":
            return f"/dashboards/return-visits?{asked}"
        campaign = path.removeprefix("/api/campaigns/").removesuffix("/doors")
        return f"/campaigns/{campaign}/coverage?{asked}#doors"

    return opens


@get("/dashboards/return-visits", include_in_schema=False)
async def return_visits_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    street: FromQuery[str | None] = None,
    community: FromQuery[str | None] = None,
    organisation: FromQuery[UUID | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Template:
    """Whom residents are still to be asked about, those that close first at the head."""
    refuse_unfit(request, ("street", "community", "organisation", "cursor", "lang"))
    asked = Invited(street=street, community=community, organisation=organisation)
    around = shell.context(request, reader, district, "dashboards")
    page = await return_visits_due.page(conn, reader, asked, district.zone, clock(), cursor=cursor)
    context = {**around, "page": page, "first": cursor is None, "here": _here(request, around["lang"])}
    return Template("return_visits.html", context=context, headers=dict(NOT_KEPT))


BYS: Mapping[By, str] = {
    "street": texts.marked("By street"),
    "community": texts.marked("By community"),
    "organisation": texts.marked("By organisation"),
    "department": texts.marked("By department"),
    "category": texts.marked("By category"),
    "channel": texts.marked("By channel"),
    "month": texts.marked("By month"),
    "district": texts.marked("All together"),
}
NAMES_OF_RATES: Mapping[Rate, str] = {
    **RATES,
    "bounce": texts.marked("Bounced"),
    "redo": texts.marked("Redone"),
    "pause": texts.marked("Paused"),
    "reopen": texts.marked("Reopened"),
}


@get("/dashboards/rates", include_in_schema=False)
async def rates_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
    by: FromQuery[By] = "street",
) -> Template:
    """All ten rates with hours and index, broken down, under the list's filters."""
    around = shell.context(request, reader, district, "dashboards")
    found = await rates.by(conn, reader, filters, by, district.zone, clock())
    table = api_rates.told(found, by, around["language"])
    rows = table.rows if by == "month" else sorted(table.rows, key=lambda row: -row.bounce.denominator)
    context = {
        **around,
        "table": table,
        "rows": rows[:MOST_ROWS],
        "rest": max(0, len(rows) - MOST_ROWS),
        "filters": filters,
        "bys": BYS,
        "rates": {rate: NAMES_OF_RATES[rate] for rate in RATES_IN_ORDER},
        "opens": opening(around["language"]),
        "here": _here(request, around["lang"]),
    }
    return Template("rates.html", context=context, headers=dict(NOT_KEPT))


ROUTES = [dashboard_page, return_visits_page, rates_page]
