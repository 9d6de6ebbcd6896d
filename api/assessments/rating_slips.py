"""The page on which slips are made for the people: each has a code, and its QR code, by which one rates once."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Template
from msgspec import Struct

from api import qr_codes, shell
from api.assessments.rating_pages import of_sheet
from api.auth import Clock
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from api.settings import Settings
from api.sign_in import NOT_KEPT
from surveys.assessments import rating_context, ratings, round_codes, rounds
from surveys.assessments.ratings import Sheet
from surveys.assessments.round_codes import CodesWanted
from surveys.people.people import District, Reader
from surveys.refusals import Invalid

PATH = "/assessments/rounds/{round:uuid}/people/{subject:uuid}"
USUAL = 8  # slips of one sheet of A4
SHOWN = 100  # of those who are rated; others are found by name


class CountUnfit(Invalid):
    """Slips are made from one to as many as one may have at a time."""

    code = "count_unfit"


class Slip(Struct, frozen=True):
    """A code as it is printed, and the picture of the address that has it behind its #, which goes to no server."""

    code: str
    picture: str


@get("/assessments/rounds/{round:uuid}/people", include_in_schema=False)
async def people_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    find: Annotated[str, QueryParameter(max_length=100)] = "",
) -> Template:
    """Whom the people rate in a round, to make slips for them or type in papers."""
    refuse_unfit(request, ("find", "lang"))
    organised = await rounds.organised(conn, reader, round)
    page = await rating_context.by_people(conn, organised, find.strip(), SHOWN)
    context = {
        **shell.context(request, reader, district, here="assessments"),
        "round": organised.round,
        "now": clock(),
        "page": page,
        "find": find.strip(),
    }
    return Template("assessments/peoples_ratings.html", context=context, headers=dict(NOT_KEPT))


@get(PATH, include_in_schema=False)
async def slips_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    subject: FromPath[UUID],
) -> Template:
    """How the people rate a subject: by code or on paper, and how many did."""
    refuse_unfit(request, ("lang",))
    sheet = await ratings.sheet(conn, reader, round, subject, "people", clock())
    context = {
        **shell.context(request, reader, district, here="assessments"),
        **of_sheet(request, sheet),
        "codes": await rating_context.codes(conn, reader.district, round, subject),
        "usual": USUAL,
        "most": round_codes.MOST,
    }
    return Template("assessments/people.html", context=context, headers=dict(NOT_KEPT))


@post(PATH, include_in_schema=False, status_code=200, opt={REFUSES: (404, 409, 422)})
async def make_slips(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    subject: FromPath[UUID],
) -> Template:
    """The slips, shown this once, to be printed."""
    wanted = CodesWanted(id=uuid4(), count=_count((await request.form()).get("count")))
    now = clock()
    made = await round_codes.make(conn, reader, round, subject, wanted, now)
    sheet: Sheet = await ratings.sheet(conn, reader, round, subject, "people", now)
    base = (settings.public_url or str(request.base_url)).rstrip("/")
    context = {
        **shell.context(request, reader, district, here="assessments"),
        "sheet": sheet,
        "address": f"{base}/rate",
        "slips": [Slip(code, qr_codes.svg_address(f"{base}/rate#{quote(code)}")) for code in made.codes],
    }
    return Template("assessments/slips.html", context=context, headers=dict(NOT_KEPT))


def _count(given: object) -> int:
    text = str(given or "")
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= round_codes.MOST):
        raise CountUnfit("count", most=round_codes.MOST)
    return int(text)


ROUTES = [people_page, slips_page, make_slips]
