"""Every number opens the list that it counts: what the map and the list say of the same filters, side by side."""

from typing import Any

from tests.conftest import Client, Person
from tests.doors import read

GROUPS = ("reported", "in_hand", "overdue", "solved", "other")


async def total(client: Client, who: Person, **filters: Any) -> int:
    """How many issues the list counts."""
    counted: int = (await read(client, who, "/api/issues", limit=1, **filters))["total"]
    return counted


async def agree(client: Client, who: Person, zoom: int = 14, **filters: Any) -> int:
    """Hold the map's areas and clusters to the list, in all and group by group; returns how many issues there are."""
    listed = await total(client, who, **filters)
    areas = (await read(client, who, "/maps/issues/areas", **filters))["areas"]
    clusters = (await read(client, who, "/maps/issues/clusters", zoom=zoom, **filters))["clusters"]
    placed = listed - sum(area["unplaced"] for area in areas)
    assert sum(area["total"] for area in areas) == listed
    assert sum(cluster["count"] for cluster in clusters) == placed
    for part in (*areas, *clusters):
        assert sum(part[group] for group in GROUPS) == part.get("total", part.get("count")), part
    for group in GROUPS:
        assert sum(area[group] for area in areas) == await _in_group(client, who, group, filters)
    return listed


async def _in_group(client: Client, who: Person, group: str, filters: dict[str, Any]) -> int:
    asked = filters.get("group", GROUPS)
    if group not in ([asked] if isinstance(asked, str) else asked):
        return 0
    return await total(client, who, **filters | {"group": group})


async def lists_open(client: Client, who: Person, **filters: Any) -> None:
    """Open the list behind each number of each area, and the issue behind each lone pin."""
    for area in (await read(client, who, "/maps/issues/areas", **filters))["areas"]:
        here = filters | {"community": area["community"] or "none"}
        assert await total(client, who, **here) == area["total"]
        for group in GROUPS:
            assert await _in_group(client, who, group, here) == area[group]
    for cluster in (await read(client, who, "/maps/issues/clusters", zoom=24, **filters))["clusters"]:
        assert (cluster["issue"] is not None) == (cluster["count"] == 1)
        if cluster["issue"]:
            one = (await read(client, who, f"/api/issues/{cluster['issue']}"))["issue"]
            assert one["number"] == cluster["number"]
