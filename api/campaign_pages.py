"""The pages on which campaigns are looked at, made and changed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import asyncpg
import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from api import history_words, shell
from api.auth import Clock
from api.issues import refuse_unfit
from api.pages import content_policy
from api.settings import Settings
from api.sign_in import NOT_KEPT
from maps import base_maps
from surveys.campaigns import assignments, campaigns
from surveys.campaigns.campaigns import State
from surveys.people import organisations
from surveys.people.people import District, Reader
from surveys.premises.door_states import Every
from surveys.premises.premises import PremisesKind

Words = tuple[str, str]  # Chinese, English

KINDS: Mapping[PremisesKind, Words] = {
    "shop": ("商铺", "Shops"),
    "enterprise": ("企业", "Enterprises"),
    "household": ("住户", "Households"),
}
EVERY: Mapping[Every, Words] = {
    "once": ("活动期间一次", "Once"),
    "month": ("每月一次", "Once a month"),
    "quarter": ("每季度一次", "Once a quarter"),
    "year": ("每年一次", "Once a year"),
}
STATES: Mapping[State, Words] = {
    "running": ("进行中", "Running"),
    "coming": ("未开始", "Coming"),
    "over": ("已到期", "Over"),
    "closed": ("已结束", "Closed"),
}
# What else there is of a campaign, by its address below the campaign's.
DOORS: Mapping[str, Words] = {
    "assignment": ("分配", "Who visits which door"),
    "coverage": ("走访覆盖", "Coverage"),
}
BY_ASSIGNERS = frozenset({"assignment"})  # of these, what only they open who say who visits which door


@get("/campaigns", include_in_schema=False)
async def campaigns_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """All campaigns, and the form to make one."""
    refuse_unfit(request, ("cursor", "lang"))
    cursor = request.query_params.get("cursor")
    page = await campaigns.page(conn, reader, district.zone, clock(), cursor=cursor, total=False)
    may_make = bool(reader.roles() & {"administrator", "organiser"})
    context = await _context(request, conn, reader, district, clock, form=may_make)
    context |= {"page": page, "first": cursor is None, "may_make": may_make, "new_id": uuid4(), "campaign": None}
    return Template("campaigns.html", context=context, headers=dict(NOT_KEPT))


@get("/campaigns/{campaign:str}", include_in_schema=False)
async def campaign_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    campaign: FromPath[str],
) -> Template:
    """One campaign, and the forms to change and close it."""
    refuse_unfit(request, ("lang",))
    found = await campaigns.one(conn, reader, campaign, district.zone, clock())
    one = found.campaign
    context = await _context(request, conn, reader, district, clock, form=one.changeable)
    context |= {
        "campaign": one,
        "chosen": {
            "streets": [place.code for place in one.streets],
            "communities": [place.code for place in one.communities],
            "organisations": [each.id for each in one.organisations],
        },
        "doors": {
            address: words
            for address, words in DOORS.items()
            if address not in BY_ASSIGNERS or reader.roles().intersection(assignments.ASSIGNERS)
        },
        "history": found.history,
        "assigned": found.assignments,
        "names": found.names,
        "uuid": uuid4,
        "event_in_words": history_words.event_in_words,
        "actors": history_words.ACTORS,
    }
    return Template("campaign.html", context=context, headers=dict(NOT_KEPT))


@get("/campaigns/{campaign:str}/assignment", include_in_schema=False)
async def assignment_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
    campaign: FromPath[str],
) -> Template:
    """Who visits which door, on a map and in a list; its script asks for the doors."""
    refuse_unfit(request, ("organisation", "community", "lang"))
    reader.require(*assignments.ASSIGNERS)
    one = await campaigns.seen_by(conn, reader, campaign, district.zone, clock())
    paths = await organisations.open_paths(conn, reader.district)
    mine = await assignments.organisations_of(conn, reader, campaign)
    base_map = base_maps.chosen(settings.base_map, settings.base_map_key)
    said = {name: value for name in ("organisation", "community") if (value := request.query_params.get(name))}
    context = {
        **shell.context(request, reader, district, here="campaigns"),
        "campaign": one,
        "organisations": sorted(((str(id_), paths[id_]) for id_ in mine), key=lambda each: each[1]),
        "communities": await campaigns.communities_of(conn, reader.district, campaign),
        "query": urlencode(said),
        "data": {
            "campaign": one.id,
            "open": one.state in ("running", "coming"),
            "organisation": said.get("organisation"),
            "community": said.get("community"),
            "base": msgspec.to_builtins(base_map),
        },
    }
    policy = content_policy(img_src=" ".join(base_map.hosts()))
    headers = {**NOT_KEPT, "Content-Security-Policy": policy}
    return Template("assignment.html", context=context, headers=headers)


async def _context(
    request: Request[Reader, Any, Any],
    conn: asyncpg.Connection,
    reader: Reader,
    district: District,
    clock: Clock,
    *,
    form: bool,
) -> dict[str, Any]:
    context: dict[str, Any] = {
        **shell.context(request, reader, district, here="campaigns"),
        "kinds": KINDS,
        "every": EVERY,
        "states": STATES,
    }
    if form:
        tomorrow = (clock() + timedelta(days=1)).astimezone(district.zone)
        context |= {
            "administrator": "administrator" in reader.roles(),
            "tomorrow": tomorrow.replace(hour=0, minute=0, second=0, microsecond=0),
            "organisations": await organisations.tree(conn, reader),
            "places": await campaigns.places(conn, reader.district),
            "questionnaires": await campaigns.given_out(conn, reader.district),
        }
    return context


ROUTES = [campaigns_page, campaign_page, assignment_page]
