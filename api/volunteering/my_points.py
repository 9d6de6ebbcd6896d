"""The section of a volunteer's own page that tells their points, with the reason of each, and where they stood; of
others nothing but how many there are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from asyncpg import Connection

from api.volunteering import months
from api.volunteering.kinds import KINDS
from api.volunteering.passes import Me
from api.volunteering.points import counted, lines
from surveys.people import people
from surveys.refusals import NotFound
from surveys.volunteering import points, points_boards, points_rules, volunteers
from surveys.volunteering.points_boards import NoRules


async def load(conn: Connection, me: Me, now: datetime) -> Mapping[str, Any]:
    """What the section shows: the month that is under way, and those that were published."""
    district = await people.district(conn, me.district)
    if district is None:
        raise NotFound
    month = now.astimezone(district.zone).date().replace(day=1)
    names = await volunteers.named(conn, me.district, [me.volunteer], public=True)
    shown: dict[str, Any] = {
        "month": month,
        "rules": None,
        "lines": [],
        "standings": await points_boards.of_volunteer(conn, me.district, me.volunteer),
        "public_name": names.get(me.volunteer, ""),
        "kinds": KINDS,
        "written": points_rules.written,
        "named": months.in_language,
    }
    try:
        asked, version = await counted(conn, district, f"{month:%Y-%m}", now)
    except NoRules:
        return shown
    found = await points.reasons(conn, asked, [me.volunteer])
    everybody = await points.of_people(conn, asked)
    place = next((one.place for one in everybody if one.volunteer == me.volunteer), None)
    told = {"lines": lines(found), "sum": points_rules.written(sum(one.points for one in found))}
    return shown | told | {"rules": version, "place": place, "people": len(everybody)}
