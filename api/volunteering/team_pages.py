"""The pages on which teams are found and looked after: `/volunteering/`, a team, a volunteer at the desk.

Other parts hang a block into a team's page: its template is rendered by itself with what its `load` returns and with
what the page knows: `team`, `language`, `lang`, `zone`, `now`, and `new_id` for forms."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, get_args
from urllib.parse import urlencode
from uuid import UUID, uuid4

import asyncpg
from asyncpg import Connection
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from markupsafe import Markup
from msgspec import Struct

from api import history_words, shell
from api.auth import Clock
from api.issues import refuse_unfit
from api.pages import TEMPLATES
from api.sign_in import NOT_KEPT
from api.volunteering import team_services
from api.volunteering.kinds import KINDS
from api.volunteering.week_words import WEEKDAYS, grid, spoken
from surveys import history
from surveys.people import organisations
from surveys.people.people import District, Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import InvalidFilter
from surveys.volunteering import skills, standing, team_lists, volunteer_lists
from surveys.volunteering.team_lists import TeamFilters, TeamItem
from surveys.volunteering.teams import Kind
from surveys.volunteering.volunteer_lists import VolunteerFilters

AT_ONCE = 50  # teams, or volunteers, of one page

Asked = Request[Reader, Any, Any]
Load = Callable[[Connection, Reader, TeamItem, datetime], Awaitable[Mapping[str, Any]]]


class Block(Struct, frozen=True):
    """A part of a team's page: its name (the anchor), its template, and what fills it."""

    name: str
    template: str
    load: Load


# Below who is in the team: its services, and what else parts tell of it.
BLOCKS: tuple[Block, ...] = (Block("services", "volunteering/team_services.html", team_services.load),)


@get("/volunteering/", include_in_schema=False)
async def teams_page(
    request: Asked,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """The district's volunteer teams, found by kind, place, skill, weekday and name."""
    refuse_unfit(request, ("text", "kind", "community", "skill", "weekday", "mine", "closed", "cursor", "lang"))
    said = _said(request)
    page = await team_lists.page(conn, reader, _team_filters(said), limit=AT_ONCE, cursor=said.get("cursor"))
    stands = await standing.of_reader(conn, reader)
    filters = {name: value for name, value in said.items() if name not in ("cursor", "lang")}
    context = {
        **_around(request, reader, district, clock()),
        "page": page,
        "filters": filters,
        "query": urlencode(filters),
        "first": "cursor" not in said,
        "communities": await conn.fetch(COMMUNITIES, reader.district),
        "skills": await skills.of_district(conn, reader.district),
        "may_found": stands.district or bool(stands.organisations or stands.communities),
        "counts": stands.district or "organiser" in reader.roles(),
        "looks_after": await volunteer_lists.looks_after_any(conn, stands),
    }
    return Template("volunteering/teams.html", context=context, headers=dict(NOT_KEPT))


COMMUNITIES = "select code, name from community where district = $1 order by code"


def _said(request: Asked) -> dict[str, str]:
    return {name: value.strip() for name, value in request.query_params.items() if value.strip()}


def _team_filters(said: Mapping[str, str]) -> TeamFilters:
    kind = said.get("kind")
    kinds = tuple(one for one in get_args(Kind) if one == kind)
    if kind and not kinds:
        raise InvalidFilter("kind", expected=" | ".join(get_args(Kind)))
    return TeamFilters(
        kind=kinds,
        community=said.get("community"),
        skill=_uuid(said, "skill"),
        weekday=_weekday(said),
        text=said.get("text"),
        mine="mine" in said,
        closed="closed" in said,
    )


def _uuid(said: Mapping[str, str], field: str) -> UUID | None:
    try:
        return UUID(said[field]) if field in said else None
    except ValueError:
        raise InvalidFilter(field, expected="UUID") from None


def _weekday(said: Mapping[str, str]) -> int | None:
    text = said.get("weekday")
    if text is not None and text not in {"1", "2", "3", "4", "5", "6", "7"}:
        raise InvalidFilter("weekday", expected="1–7")
    return int(text) if text else None


@get("/volunteering/teams/new", include_in_schema=False)
async def new_team_page(
    request: Asked,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """Founding a team, for who organises or works in a community."""
    reader.require("administrator", "organiser", "community_worker")
    context = {
        **_around(request, reader, district, clock()),
        "organisations": await _organisations(conn, reader),
        "communities": await conn.fetch(COMMUNITIES, reader.district),
    }
    return Template("volunteering/team_new.html", context=context, headers=dict(NOT_KEPT))


async def _organisations(conn: Connection, reader: Reader) -> list[tuple[UUID, str]]:
    """Those for which a reader founds a team, from the top down."""
    stands = await standing.of_reader(conn, reader)
    theirs = {*stands.organisations, *([reader.organisation] if stands.communities else [])}
    paths = await organisations.open_paths(conn, reader.district)
    found = [(id_, path) for id_, path in paths.items() if stands.district or id_ in theirs]
    return sorted(found, key=lambda one: one[1])


@get("/volunteering/teams/{team:uuid}", include_in_schema=False)
async def team_page(
    request: Asked,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
    team: FromPath[UUID],
) -> Template:
    """A team: what it does and where; who is in it, for who looks after it, and what can be done."""
    refuse_unfit(request, ("text", "skill", "weekday", "cursor", "lang"))
    said, now = _said(request), clock()
    found = await team_lists.one(conn, reader, team)
    around = {**_around(request, reader, district, now), "team": found}
    page = None
    if found.looked_after:
        filters = VolunteerFilters(team=team, skill=_uuid(said, "skill"), weekday=_weekday(said), text=said.get("text"))
        page = await volunteer_lists.page(
            conn, ring, reader, filters, district.zone, now, limit=AT_ONCE, cursor=said.get("cursor")
        )
    told = {name: value for name, value in said.items() if name not in ("cursor", "lang")}
    context = {
        **around,
        "page": page,
        "filters": told,
        "query": urlencode(told),
        "first": "cursor" not in said,
        "skills": await skills.of_district(conn, reader.district),
        "blocks": [(block.name, await _rendered(conn, block, reader, found, now, around)) for block in BLOCKS],
        "entries": await history.of_thing(conn, reader.district, team) if found.looked_after else [],
        "event_in_words": history_words.event_in_words,
    }
    return Template("volunteering/team.html", context=context, headers=dict(NOT_KEPT))


async def _rendered(
    conn: Connection, block: Block, reader: Reader, team: TeamItem, now: datetime, around: Mapping[str, Any]
) -> Markup:
    template = TEMPLATES.engine_instance.get_template(block.template)
    return Markup(template.render({**around, **await block.load(conn, reader, team, now)}))  # noqa: S704 - of ours


@get("/volunteering/volunteers", include_in_schema=False)
async def volunteers_page(
    request: Asked,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
) -> Template:
    """The volunteers whom the reader looks after, in whatever team."""
    refuse_unfit(request, ("text", "skill", "weekday", "community", "cursor", "lang"))
    said, now = _said(request), clock()
    filters = VolunteerFilters(
        skill=_uuid(said, "skill"),
        weekday=_weekday(said),
        text=said.get("text"),
        community=said.get("community"),
    )
    page = await volunteer_lists.page(
        conn, ring, reader, filters, district.zone, now, limit=AT_ONCE, cursor=said.get("cursor")
    )
    told = {name: value for name, value in said.items() if name not in ("cursor", "lang")}
    context = {
        **_around(request, reader, district, now),
        "page": page,
        "filters": told,
        "query": urlencode(told),
        "first": "cursor" not in said,
        "skills": await skills.of_district(conn, reader.district),
        "communities": await conn.fetch(COMMUNITIES, reader.district),
    }
    return Template("volunteering/volunteers.html", context=context, headers=dict(NOT_KEPT))


@get("/volunteering/volunteers/{volunteer:uuid}", include_in_schema=False)
async def volunteer_page(
    request: Asked,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
    volunteer: FromPath[UUID],
) -> Template:
    """One volunteer whom the reader looks after, and what can be done for them."""
    one = await volunteer_lists.one(conn, ring, reader, volunteer)
    mine = await team_lists.page(conn, reader, TeamFilters(mine=True), limit=200, total=False)
    theirs = {team.id for team in one.teams}
    context = {
        **_around(request, reader, district, clock()),
        "one": one,
        "able": {"skills": [skill.name for skill in one.skills]},
        "grid": grid(one.hours),
        "skills": await skills.of_district(conn, reader.district),
        "communities": await conn.fetch(COMMUNITIES, reader.district),
        "others": [team for team in mine.items if str(team.id) not in theirs],
        "entries": await history.of_thing(conn, reader.district, volunteer),
        "event_in_words": history_words.event_in_words,
    }
    return Template("volunteering/volunteer.html", context=context, headers=dict(NOT_KEPT))


def _around(request: Asked, reader: Reader, district: District, now: datetime) -> dict[str, Any]:
    return {
        **shell.context(request, reader, district, here="volunteering"),
        "kinds": KINDS,
        "weekdays": WEEKDAYS,
        "spoken": spoken,
        "now": now,
        "new_id": uuid4,
    }


ROUTES = [teams_page, new_team_page, team_page, volunteers_page, volunteer_page]
