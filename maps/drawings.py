"""The drawing of a district's present boundaries, made once for each version and base map system."""

import asyncio
from collections import OrderedDict
from datetime import datetime
from typing import TypeAlias

from asyncpg import Connection
from msgspec import Struct

from maps import boundaries, issue_map
from maps.coordinates import System
from maps.issue_map import Area, Drawing

KEPT = 64  # drawings of some 300 KB each

_Key: TypeAlias = tuple[int, int, System]


class Present(Struct, frozen=True):
    """The boundaries that are valid now as a page shows them, and where they come from."""

    drawing: Drawing
    source: str | None


# The version that is valid at a moment: the newest that has begun, or else the first of all.
VALID_VERSION = """
select version, source from boundary_version where district = $1
order by valid_from <= $2 desc, case when valid_from <= $2 then valid_from end desc, valid_from
limit 1
"""


class Drawings:
    """Keeps the drawings that pages asked for; two pages that ask for the same one wait for one making of it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, asyncio.Task[Drawing]] = OrderedDict()

    async def present(self, conn: Connection, district: int, now: datetime, system: System) -> Present:
        """Return the drawing of the boundaries valid now; an empty one where the district has none."""
        valid = await conn.fetchrow(VALID_VERSION, district, now)
        if valid is None:
            return Present(issue_map.draw([]), None)
        key = (district, valid["version"], system)
        if key not in self._kept:
            areas = await _areas(conn, district, valid["version"])
            self._keep(key, areas)
        self._kept.move_to_end(key)
        return Present(await asyncio.shield(self._kept[key]), valid["source"])

    def _keep(self, key: _Key, areas: list[Area]) -> None:
        if key in self._kept:
            return
        making = asyncio.create_task(asyncio.to_thread(issue_map.draw, areas, key[2]))
        self._kept[key] = making
        making.add_done_callback(lambda made: self._forget_failed(key, made))
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def _forget_failed(self, key: _Key, made: asyncio.Task[Drawing]) -> None:
        if (made.cancelled() or made.exception()) and self._kept.get(key) is made:
            del self._kept[key]


async def _areas(conn: Connection, district: int, version: int) -> list[Area]:
    versions = await boundaries.load(conn, district, after=version - 1)
    return [
        Area(
            area.code, area.name, (area.street, area.street_name or area.street) if area.street else None, area.geometry
        )
        for area in next(found.areas for found in versions if found.version == version)
    ]
