"""The page of one result: how much it is, and how every point came about."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from msgspec import Struct

from api import problem_details, shell, texts
from api.assessments import round_answers
from api.assessments.appeals import Version
from api.assessments.instrument_pages import FACTS, GROUPS, by_heading
from api.auth import Clock
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from surveys.assessments import round_results
from surveys.assessments.instrument_sheets import plain
from surveys.assessments.instruments import PERCENT_FACTS, Heading, Item
from surveys.assessments.round_results import SubjectResult
from surveys.assessments.score_reasons import ItemReason
from surveys.people.people import District, Reader

MOST_STARS = 5
SKIPPED: Mapping[str, str] = {
    "joined_late": texts.marked("Joined too late in the period to be rated"),
    "left": texts.marked("Left before the end of the period"),
    "closed": texts.marked("Was closed in the period"),
    "not_there": texts.marked("Was not there in the period"),
}


class ShownItem(Struct, frozen=True):
    """An item with how its points came about."""

    item: Item
    reason: ItemReason


class ShownHeading(Struct, frozen=True):
    """A heading with what it reached and its items."""

    heading: Heading
    percent: Decimal | None
    items: list[ShownItem]

    def called(self, english: bool) -> str:
        """What it is called."""
        return self.heading.english if english and self.heading.english else self.heading.name


@get("/assessments/rounds/{round:uuid}/results/{subject:uuid}", include_in_schema=False)
async def result_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    subject: FromPath[UUID],
    version: Version = None,
) -> Template:
    """One result with the reason of every point, for who was rated, and who leads or organises them."""
    refuse_unfit(request, ("version", "lang"))
    found = await round_results.of_subject(conn, reader, round, subject, clock(), version=version)
    context = {**shell.context(request, reader, district, here="assessments"), **_shown(request, found)}
    return Template("assessments/result.html", context=context, headers=dict(NOT_KEPT))


def _shown(request: Request[Reader, Any, Any], found: SubjectResult) -> Mapping[str, Any]:
    english = problem_details.language(request) == "en"
    return {
        "found": found,
        "result": found.result,
        "headings": _headings(found),
        "facts_told": round_answers.facts_told(found, page=True),
        "appealed_items": {one.item for one in found.appeals},
        "english": english,
        "groups": GROUPS,
        "facts": FACTS,
        "percent_facts": PERCENT_FACTS,
        "skipped": SKIPPED,
        "most_stars": MOST_STARS,
        "percent": per_cent,
        "plain": plain,
        "new_id": uuid4,
    }


def _headings(found: SubjectResult) -> list[ShownHeading]:
    items = by_heading(found.instrument)
    reasons = {reason.code: reason for reason in found.reasons}
    return [
        ShownHeading(
            heading,
            found.headings.get(heading.code),
            [ShownItem(item, reasons[item.code]) for item in items[heading.code]],
        )
        for heading in found.instrument.headings
    ]


def per_cent(value: Decimal | None) -> str:
    """A percentage to two digits, without its sign; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"


ROUTES = [result_page]
