"""Many issues at once: each moved by itself, and of each what became of it is told.

What is sent is done a part at a time, so that progress is seen; each move's id follows from the whole's and the
issue's, so that what is sent again is not done twice."""

from typing import Any, Literal, cast, get_args
from uuid import UUID, uuid4, uuid5

import asyncpg
import msgspec
from litestar import Request, get, post
from litestar.datastructures import FormMultiDict, State
from litestar.di import NamedDependency
from litestar.response import Template
from msgspec import Struct

from api import database, problem_details
from api.auth import Clock
from api.desk import move_forms, ways, words
from api.desk.board import MOST_AT_ONCE, Sort, asked
from api.json_bodies import decode
from api.problem_texts import TEXTS
from api.sign_in import NOT_KEPT
from maps.locator import Atlas
from surveys.counting import issue_lists
from surveys.counting.issue_lists import Item
from surveys.counting.issue_query import Filters
from surveys.issues import issue_moves
from surveys.issues.moves import MoveDraft
from surveys.issues.workflow import Move
from surveys.people import people, scopes
from surveys.people.people import District, Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Missing, NotFound, Refusal, TooMany, WrongValue

PART = 20  # moves that are made before progress is told

Doing = Literal["accept", "assign", "offer", "merge"]
MOVES: dict[Doing, Move] = {"accept": "accept", "assign": "assign", "offer": "assign", "merge": "merge"}
# What must be chosen, and in which field.
CHOSEN: dict[Doing, str] = {"assign": "to_department", "offer": "to_person", "merge": "survivor"}


class Chosen(Struct, frozen=True):
    """An issue as it was when it was ticked."""

    id: UUID
    version: int


class Bulk(Struct, frozen=True, kw_only=True):
    """What is to be done with which issues, of which some may be done already."""

    id: UUID
    doing: Doing
    to: str | None
    reason: str | None
    chosen: list[Chosen]
    done: int
    refused: int

    @property
    def whole(self) -> int:
        """How many it is about in all."""
        return self.done + self.refused + len(self.chosen)

    def draft(self, one: Chosen) -> MoveDraft:
        """The move of one of them. Raises Invalid."""
        told = {
            "id": str(uuid5(self.id, str(one.id))),
            "move": MOVES[self.doing],
            "expected_version": one.version,
            "to": self.to,
            "reason": self.reason,
        }
        said = {name: value for name, value in told.items() if value is not None}
        return cast(MoveDraft, decode(msgspec.json.encode(said), MoveDraft))


class Result(Struct, frozen=True):
    """What became of one of them: done, or why not."""

    number: str
    title: str
    id: UUID
    refused: str | None


@get("/desk/bulk/all", include_in_schema=False)
async def everything(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
    sort: Sort = None,
) -> Template:
    """All that a list shows, up to a bound, as the fields that stand for ticked rows."""
    shown = asked(request, filters, sort, district, clock)
    page = await issue_lists.page(
        conn,
        reader,
        shown.filters,
        district.zone,
        clock(),
        limit=MOST_AT_ONCE,
        total=False,
        order=shown.order,
    )
    context = dict(ways.context(request, reader, district, "issues"))
    context |= {"chosen": page.items, "cut": page.next is not None, "most": MOST_AT_ONCE}
    return Template("desk/bulk_all.html", context=context, headers=dict(NOT_KEPT))


@post("/desk/bulk", include_in_schema=False, status_code=200)
async def bulk(
    request: Request[Reader, Any, Any],
    state: State,
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    atlas: NamedDependency[Atlas],
) -> Template:
    """Do the next part, and tell what became of each; the answer asks for the part after it by itself."""
    scopes.refuse_who_reads_nothing(reader)
    asked_for = _read(await request.form())
    part, rest = asked_for.chosen[:PART], asked_for.chosen[PART:]
    language = problem_details.language(request)
    async with database.acquired(state.pool) as conn:
        district = await people.district(conn, reader.district)
        if district is None:
            raise NotFound
        found = await issue_lists.of_ids(conn, reader, [one.id for one in part], district.zone, clock())
        items = {item.id: item for item in found}
        results = [
            await _one(conn, atlas, reader, asked_for, one, items.get(one.id), clock, ring, language) for one in part
        ]
    refused = sum(result.refused is not None for result in results)
    left = msgspec.structs.replace(
        asked_for,
        chosen=rest,
        done=asked_for.done + len(part) - refused,
        refused=asked_for.refused + refused,
    )
    context = dict(ways.context(request, reader, district, "issues"))
    context |= {
        "bulk": left,
        "field": CHOSEN.get(left.doing),
        "results": results,
        "first": len(part) + len(rest) == asked_for.whole,
        "doing": words.BULK[left.doing],
        "new_id": uuid4(),
        "query": request.url.query,
    }
    return Template("desk/bulk_told.html", context=context, headers=dict(NOT_KEPT))


def _read(form: FormMultiDict) -> Bulk:
    """What is asked for. Raises Invalid with the field."""
    doing = next((one for one in get_args(Doing) if one == form.get("do")), None)
    if doing is None:
        raise WrongValue("do", expected=" | ".join(get_args(Doing)))
    field = CHOSEN.get(doing)
    to = move_forms.said(form, field) if field else None
    if field and to is None:
        raise Missing(field)
    reason = move_forms.said(form, "reason")
    if doing == "merge" and reason is None:
        raise Missing("reason")
    chosen = list({one.id: one for one in map(_chosen, form.getall("issue", []))}.values())
    if doing == "merge":
        chosen = [one for one in chosen if str(one.id) != to]
    if not chosen:
        raise Missing("issue")
    if len(chosen) > MOST_AT_ONCE:
        raise TooMany("issue", most=MOST_AT_ONCE)
    try:
        id_ = UUID(str(form.get("bulk")))
    except ValueError:
        raise WrongValue("bulk", expected="UUID") from None
    done, refused = (
        int(value) if (value := str(form.get(name, "0"))).isdecimal() else 0 for name in ("done", "refused")
    )
    return Bulk(id=id_, doing=doing, to=to, reason=reason, chosen=chosen, done=done, refused=refused)


def _chosen(value: object) -> Chosen:
    id_, _, version = str(value).partition(":")
    try:
        return Chosen(UUID(id_), int(version))
    except ValueError:
        raise WrongValue("issue", expected="id:version") from None


async def _one(
    conn: asyncpg.Connection,
    atlas: Atlas,
    reader: Reader,
    bulk: Bulk,
    one: Chosen,
    item: Item | None,
    clock: Clock,
    ring: KeyRing,
    language: str,
) -> Result:
    """Move one in a transaction of its own. What makes a move impossible is told of it and stops no other."""
    number, title = (item.number, item.title or "") if item else ("", "")
    refused: str | None = None
    try:
        async with conn.transaction():
            await issue_moves.move(conn, atlas, reader, one.id, bulk.draft(one), clock(), ring)
    except Refusal as refusal:
        refused = problem_details.of(refusal, language).title
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        refused = TEXTS["busy"].en if language == "en" else TEXTS["busy"].zh
    return Result(number, title, one.id, refused)


ROUTES = [everything, bulk]
