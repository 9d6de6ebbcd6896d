"""The pages on which commitments are looked at, made, decided on and rated."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from api import history_words, problem_details, shell
from api.assessments.commitment_words import AIMS, MARKS, OUTCOMES, due_on
from api.auth import Clock
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from surveys.assessments import (
    commitment_audiences,
    commitment_figures,
    commitment_moves,
    commitment_photos,
    commitment_ratings,
    commitments,
)
from surveys.assessments.commitment_outcomes import Outcome
from surveys.assessments.commitment_terms import MOST_PHOTOS
from surveys.assessments.commitments import Filters
from surveys.attachments import attachments
from surveys.campaigns import campaigns
from surveys.people import organisations
from surveys.people.people import District, Reader
from surveys.refusals import InvalidFilter

FIGURES: tuple[Outcome, ...] = ("standing", "overdue", "waiting", "kept", "broken", "withdrawn")
FILTERS = ("organisation", "outcome", "late")


@get("/assessments/commitments", include_in_schema=False)
async def commitments_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """Commitments with their figures, and the form to make one."""
    refuse_unfit(request, (*FILTERS, "cursor", "lang"))
    now, asked = clock(), _asked(request)
    cursor = request.query_params.get("cursor")
    page = await commitments.page(conn, reader, asked, district.zone, now, cursor=cursor)
    counted = Filters(organisation=asked.organisation)
    looked_after = await organisations.tree(conn, reader) if _looks_after(reader) else []
    context = {
        **_common(request, reader, district),
        "page": page,
        "first": cursor is None,
        "asked": asked,
        "figures": await commitment_figures.count(conn, reader, counted, district.zone, now),
        "shown": FIGURES,
        "href": lambda **more: _href(asked, request, **more),
        "exported": _exported(asked, problem_details.language(request)),
        "organisations": sorted(
            (await organisations.open_paths(conn, reader.district)).items(), key=lambda one: one[1]
        ),
        "looked_after": looked_after,
        "places": await campaigns.places(conn, reader.district),
        "doors": await commitment_audiences.offered(conn, reader),
        "today": now.astimezone(district.zone).date(),
        "soon": now.astimezone(district.zone).date() + timedelta(days=30),
        "new_id": uuid4(),
    }
    return Template("assessments/commitments.html", context=context, headers=dict(NOT_KEPT))


@get("/assessments/commitments/{commitment:uuid}", include_in_schema=False)
async def commitment_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    commitment: FromPath[UUID],
) -> Template:
    """One commitment: what was promised, what became of it, and what the reader can do about it."""
    refuse_unfit(request, ("lang",))
    now = clock()
    found = await commitments.one(conn, reader, commitment, now)
    proofs = await attachments.of_things(conn, reader.district, "commitment", [commitment], now)
    context = {
        **_common(request, reader, district),
        "one": found.commitment,
        "history": found.history,
        "ratings": found.ratings,
        "names": found.names,
        "proofs": proofs[commitment],
        "missing": await commitment_photos.missing(conn, reader, commitment),
        "moves": await commitment_moves.possible(conn, reader, commitment),
        "rates": await commitment_ratings.possible(conn, reader, commitment, now),
        "today": now.astimezone(district.zone).date(),
        "places": await campaigns.places(conn, reader.district),
        "doors": await commitment_audiences.offered(conn, reader),
        "uuid": uuid4,
        "most_photos": MOST_PHOTOS,
        "event_in_words": history_words.event_in_words,
        "actors": history_words.ACTORS,
    }
    return Template("assessments/commitment.html", context=context, headers=dict(NOT_KEPT))


def _looks_after(reader: Reader) -> bool:
    return bool(reader.roles() & {"administrator", "organiser"})


def _common(request: Request[Reader, Any, Any], reader: Reader, district: District) -> dict[str, Any]:
    return {
        **shell.context(request, reader, district, here="assessments"),
        "outcomes": OUTCOMES,
        "marks": MARKS,
        "aims": AIMS,
        "due_on": lambda due_at: due_on(due_at, district.zone),
    }


def _asked(request: Request[Any, Any, Any]) -> Filters:
    """The filters of the address. Raises InvalidFilter."""
    said = request.query_params
    outcomes = tuple(one for one in said.getall("outcome", []) if one)
    if any(one not in OUTCOMES for one in outcomes):
        raise InvalidFilter("outcome")
    try:
        organisation = UUID(said["organisation"]) if said.get("organisation") else None
    except ValueError:
        raise InvalidFilter("organisation") from None
    late = {"true": True, "false": False}.get(said.get("late") or "")
    return Filters(organisation=organisation, outcomes=outcomes, late=late)


def _href(asked: Filters, request: Request[Any, Any, Any], **more: Any) -> str:
    """The list of the same organisation with other filters."""
    said = {"organisation": asked.organisation, **more}
    if request.query_params.get("lang") == "en":
        said["lang"] = "en"
    return "/assessments/commitments?" + urlencode([(name, str(value)) for name, value in said.items() if value])


def _exported(asked: Filters, language: str) -> str:
    """What stands in the address of a file of the same list."""
    said: list[tuple[str, str]] = [("outcome", one) for one in asked.outcomes]
    if asked.organisation is not None:
        said.append(("organisation", str(asked.organisation)))
    if asked.late is not None:
        said.append(("late", str(asked.late).lower()))
    return urlencode([*said, ("lang", language)])


ROUTES = [commitments_page, commitment_page]
