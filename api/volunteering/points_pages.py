"""The pages of points at the desk: what a month gives so far and why, the rules and how others would count, and
publishing, with what will be public."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from api import problem_details, shell
from api.auth import Clock
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from api.volunteering import months, rules_form
from api.volunteering.kinds import KINDS
from api.volunteering.points import COUNTING, Row, counted, lines, question, rows
from surveys.people.people import District, Reader
from surveys.refusals import NotFound, Refusal
from surveys.volunteering import points, points_boards, points_rules, volunteers
from surveys.volunteering.points_boards import NoRules

AT_ONCE = 100  # rows of one page
MOST_MONTHS = 6  # that can be chosen at once


@get("/volunteering/points", include_in_schema=False)
async def points_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """What everybody has in a month, so far or at its end, as known now; and what was published of it."""
    refuse_unfit(request, ("month", "page", "lang"))
    reader.require(*COUNTING)
    now = clock()
    today = now.astimezone(district.zone).date()
    month = points_rules.month(request.query_params.get("month") or f"{today:%Y-%m}")
    shown, version = await _counted(conn, district, month, clock)
    page = _page(request.query_params.get("page"), len(shown))
    boards = await points_boards.boards(conn, reader.district)
    context = _context(request, reader, district) | {
        "month": month,
        "months": _months(today),
        "over": month < today.replace(day=1),
        "people": shown[(page - 1) * AT_ONCE : page * AT_ONCE],
        "total": len(shown),
        "page": page,
        "pages": max(1, -(-len(shown) // AT_ONCE)),
        "rules": version,
        "boards": boards,
        "published": [one for one in boards if one.month == month],
    }
    return Template("volunteering/points.html", context=context, headers=dict(NOT_KEPT))


async def _counted(
    conn: asyncpg.Connection, district: District, month: date, clock: Clock
) -> tuple[list[Row], int | None]:
    """Everybody's points, and the version of the rules; None where none hold."""
    try:
        asked, version = await counted(conn, district, f"{month:%Y-%m}", clock())
    except NoRules:
        return [], None
    return await rows(conn, district.district, await points.of_people(conn, asked)), version


def _page(text: str | None, total: int) -> int:
    number = int(text) if text and text.isascii() and text.isdecimal() and len(text) < 6 else 1
    return min(max(number, 1), max(1, -(-total // AT_ONCE)))


def _months(today: date) -> list[date]:
    """The month that is under way and those before it, the newest first."""
    found = [today.replace(day=1)]
    while len(found) < MOST_MONTHS:
        found.append((found[-1] - timedelta(days=1)).replace(day=1))
    return found


@get("/volunteering/points/volunteers/{volunteer:uuid}", include_in_schema=False)
async def reasons_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    volunteer: FromPath[UUID],
) -> Template:
    """Why a volunteer has the points that they have in a month."""
    refuse_unfit(request, ("month", "lang"))
    reader.require(*COUNTING)
    name = (await volunteers.named(conn, reader.district, [volunteer], public=True)).get(volunteer)
    if name is None:
        raise NotFound
    today = clock().astimezone(district.zone).date()
    asked, version = await counted(conn, district, request.query_params.get("month") or f"{today:%Y-%m}", clock())
    found = await points.reasons(conn, asked, [volunteer])
    context = _context(request, reader, district) | {
        "name": name,
        "month": asked.month,
        "rules": version,
        "lines": lines(found),
        "sum": points_rules.written(sum(one.points for one in found)),
    }
    return Template("volunteering/points_reasons.html", context=context, headers=dict(NOT_KEPT))


@get("/volunteering/points/rules", include_in_schema=False)
async def rules_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """The rules in all their versions; a new version is tried out on the last month, and published."""
    reader.require(*COUNTING)
    now = clock()
    versions = await points_rules.versions(conn, reader.district)
    newest = versions[0].rules if versions else points_rules.PROPOSED
    today = now.astimezone(district.zone).date()
    said = rules_form.flat(newest) | rules_form.said(request.query_params)
    tried, problem = await _tried(request, conn, reader, district, clock)
    context = _context(request, reader, district) | {
        "versions": [(one, rules_form.flat(one.rules)) for one in versions],
        "said": said,
        "from": request.query_params.get("valid_from") or f"{today:%Y-%m}",
        "tried": tried,
        "problem": problem,
        "last": _months(today)[1],
        "id": uuid4(),
        "fields": rules_form,
    }
    return Template("volunteering/points_rules.html", context=context, headers=dict(NOT_KEPT))


async def _tried(
    request: Request[Reader, Any, Any],
    conn: asyncpg.Connection,
    reader: Reader,
    district: District,
    clock: Clock,
) -> tuple[list[Mapping[str, Any]] | None, Any]:
    """What the rules in the address would have given for the last month, beside what those in force gave; or why they
    cannot be counted by."""
    if not rules_form.said(request.query_params):
        return None, None
    reader.require("administrator")
    now = clock()
    month = _months(now.astimezone(district.zone).date())[1]
    try:
        draft = rules_form.rules(request.query_params)
        by_new = await points.of_people(conn, question(district, month, draft, now))
    except Refusal as refusal:
        return None, problem_details.of(refusal, problem_details.language(request))
    in_force, _ = await _counted(conn, district, month, clock)
    before = {one.volunteer: one for one in in_force}
    return [
        {"row": one, "before": before.get(one.volunteer)} for one in await rows(conn, district.district, by_new)
    ], None


@get("/volunteering/points/publish", include_in_schema=False)
async def publish_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """What publishing a month would make public, as it is known now."""
    refuse_unfit(request, ("month", "lang"))
    reader.require("administrator")
    now = clock()
    month = points_rules.month(request.query_params.get("month") or "")
    seen = await points_boards.preview(conn, reader.district, month, district.zone, now, now)
    context = _context(request, reader, district) | {
        "month": month,
        "seen": seen,
        "people": await rows(conn, reader.district, seen.people),
        "id": uuid4(),
    }
    return Template("volunteering/points_publish.html", context=context, headers=dict(NOT_KEPT))


def _context(request: Request[Reader, Any, Any], reader: Reader, district: District) -> dict[str, Any]:
    return {
        **shell.context(request, reader, district, here="volunteering"),
        "named": months.in_language,
        "and_lang": "&lang=en" if problem_details.language(request) == "en" else "",
        "administers": "administrator" in reader.roles(),
        "kinds": KINDS,
    }


ROUTES: Sequence[Any] = [points_page, reasons_page, rules_page, publish_page]
