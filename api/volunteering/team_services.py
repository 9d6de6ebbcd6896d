"""A team's services on its page: what is to come, how many are to be reported, were held, or were cancelled, and how
many bookings were missed or given up."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg

from surveys.people.people import Reader
from surveys.volunteering import booking_outcomes, service_lists
from surveys.volunteering.service_lists import STANDS, ServiceFilters
from surveys.volunteering.team_lists import TeamItem

SHOWN = 5


async def load(conn: asyncpg.Connection, reader: Reader, team: TeamItem, now: datetime) -> Mapping[str, Any]:
    """The services of the block; every number opens its list."""
    pages = {
        stands: await service_lists.page(conn, reader, ServiceFilters(stands=stands, team=(team.id,)), now, limit=SHOWN)
        for stands in STANDS
    }
    return {
        "coming": pages["to_come"].items,
        "counts": {stands: page.total for stands, page in pages.items()},
        "missed": await booking_outcomes.count(conn, reader, "missed", team.id),
        "given_up": await booking_outcomes.count(conn, reader, "cancelled", team.id),
    }
