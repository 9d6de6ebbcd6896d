"""The page of the rules by which time counts: office hours, holidays, reminders, escalations, bounds and weights."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template

from api.auth import Clock
from api.desk import ways
from api.desk.categories import UNITS
from api.desk.visits import names_in, told
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from surveys import history
from surveys.clock import calendars, office_hours
from surveys.clock.office_hours import Week
from surveys.counting import rate_weights
from surveys.history import Entry
from surveys.issues import judgements
from surveys.notices import deadline_rules
from surveys.people.people import READING, District, Reader

MOST_CHANGES = 20
DAYS = Week.__struct_fields__


@get("/desk/limits", include_in_schema=False)
async def limits_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """What holds now, since when, and what held before; administrators change it."""
    reader.require(*READING)
    refuse_unfit(request, ("lang",))
    now = clock()
    today = now.astimezone(district.zone).date()
    years = await calendars.years(conn)
    around = ways.context(request, reader, district, "categories")
    rules = await history.changes(
        conn, reader.district, "installation", ("deadline_rules_changed", judgements.BOUNDS_CHANGED), MOST_CHANGES
    )
    hours = await history.changes(conn, reader.district, "calendar", ("office_hours",), MOST_CHANGES)
    weighed = await history.changes(conn, reader.district, "district", ("weigh",), MOST_CHANGES)
    language = around["language"]
    names = await names_in(conn, reader, [*rules, *hours, *weighed])

    def said(entries: list[Entry], kind: str) -> Any:
        return told(entries, kind, names, language)

    shown = {
        "hours": await office_hours.read(conn, district, now),
        "days": DAYS,
        "years": [(year, years[year]) for year in sorted(years) if year in (today.year, today.year + 1)],
        "rules": await deadline_rules.of_district(conn, reader.district),
        "bounds": await judgements.bounds(conn, reader.district),
        "weights": await rate_weights.in_force(conn, reader.district, now),
        "changes": {
            "hours": said(hours, "calendar"),
            "rules": said(rules, "installation"),
            "weights": said(weighed, "district"),
        },
        "units": UNITS,
        "may_change": "administrator" in reader.roles(),
        "tomorrow": today + timedelta(days=1),
        "as_of": now,
        "new_id": uuid4,
    }
    return Template("desk/limits.html", context={**around, **shown}, headers=dict(NOT_KEPT))


ROUTES = [limits_page]
