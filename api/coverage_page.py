"""The page on which one sees how far a campaign has come: figures, a map, a table, and the doors behind each number."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Template

from api import export_columns, problem_details, shell
from api.coverage import ASKED, CoverageRow, CoverageTable, address, told
from api.pages import content_policy
from api.settings import Settings
from api.sign_in import NOT_KEPT
from maps import base_maps
from surveys.coverage import coverage, coverage_doors, coverage_query
from surveys.coverage.coverage import By
from surveys.coverage.coverage_query import Asked, Filters
from surveys.coverage.coverage_terms import Figure
from surveys.people.people import District, Reader
from surveys.premises.door_states import DoorState

Words = tuple[str, str]  # Chinese, English

MOST_ROWS = 300  # of the table; the API tells them all
AT_ONCE = 50  # doors of one page

BYS: Mapping[By, Words] = {
    "community": ("社区", "Community"),
    "street": ("街道", "Street"),
    "organisation": ("党组织", "Organisation"),
    "member": ("党员", "Member"),
    "kind": ("类型", "Kind"),
    "day": ("日期", "Day"),
}
NONE_OF: Mapping[By, Words] = {
    "community": ("不在任何社区", "In no community"),
    "street": ("不在任何街道", "In no street"),
    "organisation": ("未分派", "Not assigned"),
    "member": ("无人负责", "Held by nobody"),
    "kind": ("", ""),
    "day": ("", ""),
}
FIGURES: Mapping[Figure, Words] = {
    "doors": ("名册总数", "Doors"),
    "visited": ("已走访", "Visited"),
    "met": ("已见到", "Met"),
    "not_yet": ("未走访", "Not yet"),
    "not_home": ("无人", "Not home"),
    "declined": ("婉拒", "Declined"),
    "closed": ("关门", "Closed"),
    "twice": ("重复走访", "Visited twice"),
    "three_tries": ("三次未见", "Three tries"),
    "unheld": ("无人负责", "Held by nobody"),
    "unassigned": ("未分派", "Not assigned"),
    "proposed": ("待确认", "To be confirmed"),
}
STATES: Mapping[DoorState, Words] = {
    "not_yet": ("未走访", "Not yet visited"),
    "not_home": ("无人", "Nobody home"),
    "met": ("已见到", "Met"),
    "declined": ("婉拒", "Declined"),
    "closed": ("关门", "Closed"),
}
# Of a round, beside the two shares; and of a row of the table.
ASIDE: Sequence[Figure] = ("not_yet", "three_tries", "twice", "unheld", "unassigned", "proposed")
COLUMNS: Sequence[Figure] = ("not_home", "declined", "closed", "twice", "three_tries", "unheld")


@get("/campaigns/{campaign:str}/coverage", include_in_schema=False, dependencies=ASKED)
async def coverage_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    settings: NamedDependency[Settings],
    asked: NamedDependency[Asked],
    campaign: FromPath[str],
    by: FromQuery[By] = "community",
    cursor: FromQuery[str | None] = None,
) -> Template:
    """The coverage of a campaign; filters narrow the list of doors below, and round and day the whole page."""
    language = problem_details.language(request)
    filters = asked.filters
    whole = coverage_query.asking(asked, Filters(round=filters.round, as_of=filters.as_of))
    table = told(await coverage.by(conn, whole, by), by, language)
    base_map = base_maps.chosen(settings.base_map, settings.base_map_key)
    rows = _worst_first(table.rows) if by == "member" else table.rows
    context = {
        **shell.context(request, reader, district, here="campaigns"),
        "campaign": table,
        "path": f"/campaigns/{quote(campaign, safe='')}",
        "filters": filters,
        "rounds": asked.campaign.rounds(district.zone),
        "by": by,
        "rows": rows[:MOST_ROWS],
        "rest": max(0, len(rows) - MOST_ROWS),
        "page": await coverage_doors.page(conn, asked, limit=AT_ONCE, cursor=cursor),
        "first": cursor is None,
        "chosen": _chosen(table, filters),
        "narrowed": filters != whole.filters,
        "opens": _opening(campaign, by, language),
        "here": address(campaign, filters),
        "map": json.dumps(_map(asked, base_map)),
        "words": {"by": BYS, "none": NONE_OF, "figures": FIGURES, "states": STATES, "kinds": KINDS},
        "aside": ASIDE,
        "columns": COLUMNS,
    }
    policy = content_policy(img_src=" ".join(base_map.hosts()))
    return Template("coverage.html", context=context, headers={**NOT_KEPT, "Content-Security-Policy": policy})


KINDS = export_columns.WORDS["premises_kind"]


def _worst_first(rows: Sequence[CoverageRow]) -> list[CoverageRow]:
    return sorted(rows, key=lambda row: (row.visited.rate if row.visited.rate is not None else 2, -row.doors))


def _opening(campaign: str, by: By, language: str) -> Callable[[str], str]:
    """From the address of a list of doors to where this page shows it."""

    def opens(href: str) -> str:
        _, _, query = href.partition("?")
        kept = [query] if query else []
        kept += [f"by={by}"] + (["lang=en"] if language == "en" else [])
        return f"/campaigns/{quote(campaign, safe='')}/coverage?{'&'.join(kept)}#doors"

    return opens


def _chosen(table: CoverageTable, filters: Filters) -> str | None:
    """What the part that the list is about is called, if it is a row of the table."""
    if filters.day is not None:
        return filters.day.isoformat()
    given = getattr(filters, table.by)
    if len(given) != 1:
        return None
    key = str(given[0] or "none")
    return next((row.name for row in table.rows if row.key == key), None)


def _map(asked: Asked, base_map: base_maps.BaseMap) -> dict[str, object]:
    """What the page's script needs to draw the map."""
    filters = asked.filters
    given = {"round": asked.round.number, "as_of": filters.as_of.isoformat() if filters.as_of else None}
    return {
        "campaign": asked.campaign.id,
        "query": {name: value for name, value in given.items() if value is not None},
        "system": base_map.system,
        "layers": base_map.layers,
        "subdomains": base_map.subdomains,
        "credit": base_map.credit,
        "max_zoom": base_map.max_zoom,
    }


ROUTES = [coverage_page]
