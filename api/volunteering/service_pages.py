"""The pages of services: what is to come, to be reported and held; and one of them, from its announcement to its
report, for a team's leader with a phone in hand."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, get_args
from urllib.parse import urlencode
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from msgspec import Struct

from api import shell, texts
from api.auth import Clock
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from api.volunteering.kinds import KINDS
from api.volunteering.services import day
from surveys.people.people import District, Reader
from surveys.people.scopes import Parameters
from surveys.refusals import InvalidFilter
from surveys.volunteering import service_lists, standing, volunteers
from surveys.volunteering.bookings import BookingState
from surveys.volunteering.service_lists import STANDS, ServiceDetail, ServiceFilters, Stands
from surveys.volunteering.service_reports import MOST_PHOTOS
from surveys.volunteering.service_rows import ServiceKind
from surveys.volunteering.services import WAITING_PLACES

AT_ONCE = 30
MOST_TEAMS = 500  # that one announces for, or narrows a list by

STAND_WORDS: Mapping[Stands, str] = {
    "to_come": texts.marked("To come"),
    "to_report": texts.marked("To report or confirm"),
    "held": texts.marked("Held"),
    "cancelled": texts.marked("Cancelled"),
}
BOOKING_WORDS: Mapping[BookingState, str] = {
    "booked": texts.marked("Booked"),
    "waiting": texts.marked("Waiting list"),
    "cancelled": texts.marked("Given up"),
    "came": texts.marked("Came"),
    "missed": texts.marked("Did not come"),
}
VIA_WORDS: Mapping[str, str] = {
    "card": texts.marked("by card"),
    "member": texts.marked("by a member"),
    "desk": texts.marked("at the desk"),
}


class Choice(Struct, frozen=True):
    """Something to choose from: its id or code, and what it is called."""

    value: str
    name: str


TEAMS = """
select t.id::text as value, coalesce(n.body->>'name', '') as name from volunteer_team t
left join text_version n on n.district = t.district and n.subject = t.id and n.version = t.text_version
where t.district = $1 and {condition} order by name, t.id limit {limit}
"""
COMMUNITIES = "select code as value, name from community where district = $1 order by code"


async def _teams(conn: asyncpg.Connection, reader: Reader, *, looked_after: bool) -> list[Choice]:
    parameter, condition = Parameters(reader.district), "true"
    if looked_after:
        own = (await standing.of_reader(conn, reader)).condition(parameter) or "true"
        condition = f"t.closed_at is null and {own}"
    query = TEAMS.format(condition=condition, limit=parameter(MOST_TEAMS))
    return [Choice(**row) for row in await conn.fetch(query, *parameter.values)]


@get("/volunteering/services", include_in_schema=False)
async def services_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """Services by where they stand, narrowed by team, kind and community; and the form that announces one."""
    refuse_unfit(request, ("stands", "team", "kind", "community", "from", "to", "cursor", "lang"))
    said = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    communities = [value for value in request.query_params.getall("community", []) if value.strip()]
    now, filters = clock(), _filters(said, communities, district.zone)
    page = await service_lists.page(conn, reader, filters, now, limit=AT_ONCE, cursor=said.get("cursor"))
    told: dict[str, str | list[str]] = {name: value for name, value in said.items() if name not in ("cursor", "lang")}
    if len(communities) > 1:
        told["community"] = communities
    mine = await _teams(conn, reader, looked_after=True)
    context = {
        **shell.context(request, reader, district, here="volunteering"),
        "page": page,
        "stands": STAND_WORDS,
        "stood": filters.stands,
        "kinds": KINDS,
        "teams": await _teams(conn, reader, looked_after=False),
        "mine": mine,
        "communities": [Choice(**row) for row in await conn.fetch(COMMUNITIES, reader.district)],
        "filters": told,
        "query": urlencode(told, doseq=True),
        "narrower": urlencode({name: value for name, value in told.items() if name != "stands"}, doseq=True),
        "first": "cursor" not in said,
        "new_id": uuid4(),
        "waiting_places": WAITING_PLACES,
        **_usual_times(now, district.zone),
    }
    return Template("volunteering/services.html", context=context, headers=dict(NOT_KEPT))


def _usual_times(now: datetime, zone: ZoneInfo) -> dict[str, str]:
    """What stands in the form before somebody chooses: nine to eleven in a week, by the clock of the district."""
    begins = (now.astimezone(zone) + timedelta(days=7)).replace(hour=9, minute=0, second=0, microsecond=0)
    form = "%Y-%m-%dT%H:%M"
    return {"usual_start": begins.strftime(form), "usual_end": (begins + timedelta(hours=2)).strftime(form)}


def _filters(said: Mapping[str, str], communities: Sequence[str], zone: ZoneInfo) -> ServiceFilters:
    stands = next((one for one in STANDS if one == said.get("stands", "to_come")), None)
    if stands is None:
        raise InvalidFilter("stands", expected=" | ".join(STANDS))
    kind = next((one for one in get_args(ServiceKind) if one == said.get("kind")), None)
    if kind is None and "kind" in said:
        raise InvalidFilter("kind", expected=" | ".join(get_args(ServiceKind)))
    try:
        team = (UUID(said["team"]),) if "team" in said else ()
        since, until = (date.fromisoformat(said[name]) if name in said else None for name in ("from", "to"))
    except ValueError:
        raise InvalidFilter(None, expected="a team's id; YYYY-MM-DD") from None
    return ServiceFilters(
        stands=stands,
        team=team,
        kind=(kind,) if kind else (),
        community=tuple(communities),
        since=day(since, zone),
        until=day(until, zone, 1),
    )


MEMBERS_OF = """
select m.volunteer from team_volunteer m join volunteer v on v.district = m.district and v.id = m.volunteer
where m.district = $1 and m.team = $2 and m.left_at is null and v.ended_at is null
  and not exists (select from service_volunteer s where s.district = m.district and s.service = $3
    and s.volunteer = m.volunteer and s.state <> 'left')
order by m.joined_at, m.volunteer limit 500
"""


@get("/volunteering/services/{service:uuid}", include_in_schema=False)
async def service_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    service: FromPath[UUID],
) -> Template:
    """One service: what is announced, who serves, who booked, how it went; and what its reader can do with it."""
    refuse_unfit(request, ("lang",))
    now = clock()
    detail = await service_lists.one(conn, reader, service, now)
    context = {
        **shell.context(request, reader, district, here="volunteering"),
        "service": detail,
        "stands": STAND_WORDS,
        "stood": _stands(detail, now),
        "begun": detail.starts_at <= now,
        "tickable": detail.starts_at - timedelta(days=1) <= now,
        "kinds": KINDS,
        "states": BOOKING_WORDS,
        "vias": VIA_WORDS,
        "joining": await _joining(conn, reader, detail),
        "communities": [Choice(**row) for row in await conn.fetch(COMMUNITIES, reader.district)],
        "active": [one for one in detail.bookings or [] if one.state != "cancelled"],
        "local": _local(district.zone),
        "uuid": uuid4,
        "most_photos": MOST_PHOTOS,
    }
    return Template("volunteering/service.html", context=context, headers=dict(NOT_KEPT))


async def _joining(conn: asyncpg.Connection, reader: Reader, detail: ServiceDetail) -> list[Choice]:
    """Who of the team could be named, for who names them."""
    if not detail.may.look_after:
        return []
    ids = [row["volunteer"] for row in await conn.fetch(MEMBERS_OF, reader.district, detail.team.id, detail.id)]
    names = await volunteers.named(conn, reader.district, ids, public=False)
    return [Choice(str(one), names[one]) for one in ids]


def _local(zone: ZoneInfo) -> Any:
    """A moment as a field for a local date and time has it."""

    def local(at: datetime) -> str:
        return at.astimezone(zone).strftime("%Y-%m-%dT%H:%M")

    return local


def _stands(detail: ServiceDetail, now: datetime) -> Stands:
    if detail.state == "announced":
        return "to_come" if detail.ends_at > now else "to_report"
    return {"reported": "to_report", "confirmed": "held", "cancelled": "cancelled"}[detail.state]  # type: ignore[return-value]


ROUTES = [services_page, service_page]
