"""The pages on which scorecards are looked at and published."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from api import database, problem_details, shell, texts
from api.assessments import instruments as published_instruments
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from api.limits import TAKES_ITS_TIME
from api.questionnaires import LARGEST_BODY
from api.sign_in import NOT_KEPT
from api.xlsform_files import MOST_MEGABYTES
from surveys.assessments import instruments
from surveys.assessments.instrument_sheets import plain
from surveys.assessments.instruments import FactCode, Group, Instrument, Item, SubjectKind
from surveys.people.people import District, Reader
from surveys.questionnaires.questionnaire_fields import said

SUBJECTS: Mapping[SubjectKind, str] = {
    "organisation": texts.marked("Organisations"),
    "member": texts.marked("Members"),
    "window": texts.marked("Service windows"),
}
GROUPS: Mapping[Group, str] = {
    "self": texts.marked("Self-rating"),
    "people": texts.marked("People's rating"),
    "peers": texts.marked("Peer rating"),
    "leaders": texts.marked("Leaders' rating"),
}
FACTS: Mapping[FactCode, str] = {
    "visits": texts.marked("Visits made"),
    "coverage": texts.marked("Coverage"),
    "on_time_rate": texts.marked("On-time rate"),
    "satisfaction": texts.marked("Satisfaction rate"),
    "hours_served": texts.marked("Hours served"),
}


@get("/assessments/instruments", include_in_schema=False)
async def instruments_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
) -> Template:
    """All scorecards, and the form to publish one."""
    refuse_unfit(request, ("lang",))
    listed = await instruments.every(conn, reader)
    context = _context(request, reader, district) | {
        "items": [(id_, list(versions)) for id_, versions in groupby(listed, lambda one: one.id)],
        "most": MOST_MEGABYTES,
    }
    return Template("assessments/instruments.html", context=context, headers=dict(NOT_KEPT))


@get("/assessments/instruments/{instrument:str}/{version:str}", include_in_schema=False)
async def instrument_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    instrument: FromPath[str],
    version: FromPath[str],
) -> Template:
    """One version with its items and rules."""
    refuse_unfit(request, ("lang",))
    instruments.refuse_who_reads_nothing(reader)
    one = await instruments.of_version(conn, reader.district, instrument, version)
    context = _context(request, reader, district) | _shown(request, one)
    return Template("assessments/instrument.html", context=context, headers=dict(NOT_KEPT))


@post(
    "/assessments/instruments/preview",
    include_in_schema=False,
    status_code=200,
    request_max_body_size=LARGEST_BODY,
    opt={REFUSES: (408, 409, 413, 422), TAKES_ITS_TIME: True},
)
async def preview_page(
    request: Request[Reader, Any, Any], reader: NamedDependency[Reader], district: NamedDependency[District]
) -> Template:
    """What the file that is the body would publish, by whom it is looked at before it does; all that is wrong with it
    as it is told when it is published."""
    refuse_unfit(request, ("lang",))
    reader.require("administrator")
    one = await published_instruments.in_body(request)
    async with database.acquired(request.app.state.pool) as conn:
        published = await instruments.is_published(conn, reader.district, one)
    context = _context(request, reader, district) | _shown(request, one)
    context |= {"digest": one.digest().hex(), "published": published}
    return Template("assessments/instrument_preview.html", context=context, headers=dict(NOT_KEPT))


def _shown(request: Request[Reader, Any, Any], one: Instrument) -> dict[str, Any]:
    """What a template needs to show a scorecard."""
    english = problem_details.language(request) == "en"
    names = {heading.code: heading.english if english and heading.english else heading.name for heading in one.headings}
    return {
        "one": one,
        "by_heading": by_heading(one),
        "tie_breakers": (", " if english else "、").join(names[code] for code in one.rules.tie_breakers),
    }


def by_heading(instrument: Instrument) -> Mapping[str, list[Item]]:
    """The items of each heading, by its code."""
    found: dict[str, list[Item]] = {heading.code: [] for heading in instrument.headings}
    for item in instrument.items:
        found[item.heading].append(item)
    return found


def _context(request: Request[Reader, Any, Any], reader: Reader, district: District) -> dict[str, Any]:
    return {
        **shell.context(request, reader, district, here="assessments"),
        "administrator": "administrator" in reader.roles(),
        "subjects": SUBJECTS,
        "groups": GROUPS,
        "facts": FACTS,
        "said": said,
        "plain": plain,
    }


ROUTES = [instruments_page, instrument_page, preview_page]
