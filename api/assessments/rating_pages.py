"""The pages on which is rated: by who has an account, by who types in papers, and by the people with a code."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, QueryParameter
from litestar.response import Template
from msgspec import Struct

from api import problem_details, shell
from api.assessments.instrument_pages import GROUPS, by_heading
from api.auth import PUBLIC, Clock
from api.entrance import refuse_cross_site
from api.issues import refuse_unfit
from api.limits import few_pages
from api.sign_in import NOT_KEPT
from surveys.access.one_time_codes import read as read_code
from surveys.assessments import rating_context, ratings, round_codes
from surveys.assessments.instrument_sheets import plain
from surveys.assessments.instruments import Group, Heading, Item
from surveys.assessments.ratings import Sheet
from surveys.people import people
from surveys.people.people import District, Reader
from surveys.refusals import Refusal

MOST_BUTTONS = 10  # points that are tapped; more are typed


class RatedHeading(Struct, frozen=True):
    """A heading as a group of raters has it: the items that it rates, and how many it has rated."""

    heading: Heading
    items: list[Item]
    given: int

    def called(self, english: bool) -> str:
        """What it is called."""
        return self.heading.english if english and self.heading.english else self.heading.name


@get("/assessments/rate/{round:uuid}/{subject:uuid}", include_in_schema=False)
async def rate_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    subject: FromPath[UUID],
    group: Annotated[Group, QueryParameter(description="as which rater")] = "self",
) -> Template:
    """The items that a rater rates of a subject; as `people`, papers are typed in."""
    refuse_unfit(request, ("group", "lang"))
    sheet = await ratings.sheet(conn, reader, round, subject, group, clock())
    context = {
        **shell.context(request, reader, district, here="assessments"),
        **of_sheet(request, sheet),
        "self_points": await rating_context.self_points(conn, sheet),
    }
    return Template("assessments/rate.html", context=context, headers=dict(NOT_KEPT))


def of_sheet(request: Request[Any, Any, Any], sheet: Sheet) -> Mapping[str, Any]:
    """What a template needs to show the items that are rated."""
    headings = _headings(sheet)
    return {
        "sheet": sheet,
        "headings": headings,
        "asked": sum(len(heading.items) for heading in headings),
        "groups": GROUPS,
        "english": problem_details.language(request) == "en",
        "plain": plain,
        "buttoned": buttoned,
    }


def _headings(sheet: Sheet) -> list[RatedHeading]:
    items = by_heading(sheet.instrument)
    found = []
    for heading in sheet.instrument.headings:
        asked = [item for item in items[heading.code] if sheet.group in item.raters]
        if asked:
            found.append(RatedHeading(heading, asked, sum(item.code in sheet.points for item in asked)))
    return found


def buttoned(item: Item, given: Decimal | None) -> bool:
    """Whether points are tapped: where there are few, and what was given is one of them."""
    whole = all(value is None or value % 1 == 0 for value in (item.maximum, given))
    return whole and item.maximum <= MOST_BUTTONS


# --- with a code, by anybody


class CodeGiven(Struct, frozen=True):
    """A code as it was typed or scanned."""

    code: str = ""


@get("/rate", opt={PUBLIC: True}, include_in_schema=False, guards=[few_pages])
async def code_page(request: Request[Any, Any, Any]) -> Template:
    """Where a code is typed in; one that was scanned stands behind # and is sent by the page."""
    return _code_page(request, {})


@post("/rate", opt={PUBLIC: True}, include_in_schema=False, status_code=200, guards=[few_pages])
async def code_sheet_page(
    request: Request[Any, Any, Any],
    data: Annotated[CodeGiven, Body(media_type=RequestEncodingType.URL_ENCODED)],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
) -> Template:
    """Whom one rates by a code, and by what; what is wrong with the code is told on the page."""
    refuse_cross_site(request)
    try:
        sheet = await round_codes.sheet(conn, data.code[:100], clock())
    except Refusal as refusal:
        problem = problem_details.of(refusal, problem_details.language(request))
        return _code_page(request, {"problem": problem.title}, problem.status)
    district = await people.district(conn, read_code(data.code[:100]).district)
    zone = district.zone if district else ZoneInfo("UTC")
    return _code_page(request, {**of_sheet(request, sheet), "code": data.code[:100], "zone": zone})


def _code_page(request: Request[Any, Any, Any], more: Mapping[str, Any], status: int = 200) -> Template:
    language = problem_details.language(request)
    context = {
        "language": language,
        "english": language == "en",
        "lang": "?lang=en" if language == "en" else "",
        "sheet": None,
        **more,
    }
    return Template("assessments/rate_code.html", context=context, status_code=status, headers=dict(NOT_KEPT))


ROUTES = [rate_page, code_page, code_sheet_page]
