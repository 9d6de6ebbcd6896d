"""The page of one door: who was there, what was found, which card it has, who visits it, and what changed."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from api.auth import Clock
from api.desk import ways
from api.desk.visits import names_in, told
from api.export_columns import WORDS
from api.issues import refuse_unfit
from api.premises_pages import NO_DOOR, SAME_DOOR
from api.sign_in import NOT_KEPT
from surveys.counting import issue_lists
from surveys.counting.issue_query import NONE
from surveys.desk import choices
from surveys.people.people import District, Reader
from surveys.premises import premises_lists
from surveys.premises.premises_changes import CHANGING, POSSIBLE


@get("/premises/{door:uuid}", include_in_schema=False)
async def door_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    door: FromPath[UUID],
) -> Template:
    """One door within reach; confirmed, corrected, marked gone or merged by who may."""
    refuse_unfit(request, ("lang",))
    found = await premises_lists.one(conn, reader, door)
    issues = await premises_lists.issues_at(conn, reader.district, door)
    around = ways.context(request, reader, district, "premises")
    english = 1 if around["language"] == "en" else 0
    names = await names_in(conn, reader, found.history)
    shown = {
        "detail": found,
        "door": found.door,
        "issues": await issue_lists.of_ids(conn, reader, issues, district.zone, clock()),
        "cards": await premises_lists.cards_left(conn, reader.district, door),
        "may_change": bool(reader.roles() & CHANGING),
        "possible": {act for act, states in POSSIBLE.items() if found.door.state in states},
        "communities": await choices.communities(conn, reader),
        "none": NONE,
        "history": told(found.history, "premises", names, around["language"]),
        "words": WORDS,
        "en": english,
        "same_door": SAME_DOOR[english],
        "no_door": NO_DOOR[english],
        "as_of": clock(),
        "new_id": uuid4,
    }
    return Template("desk/door.html", context={**around, **shown}, headers=dict(NOT_KEPT))


ROUTES = [door_page]
