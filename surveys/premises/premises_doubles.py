"""Doors on the register that may be the same as another, as far as the reader sees them: what the desk looks at before
it confirms one."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from maps import tiles
from surveys import history
from surveys.issues.likeness import NEAR_M
from surveys.people.scopes import Parameters, Reach
from surveys.premises import premises_likeness
from surveys.premises.premises import PremisesKind, PremisesState
from surveys.premises.premises_likeness import Door

MOST = 300  # doors of like letters that are looked at for one


class Double(Struct, frozen=True, kw_only=True):
    """A door that may be the same as another, and how near they are; a distance that cannot be told is None."""

    id: UUID
    version: int
    kind: PremisesKind
    state: PremisesState
    code: str | None
    name: str
    address: str
    distance_m: int | None
    score: float  # of 1


# Doors around, or in the same community, that share two neighbouring characters with the name, or have the address.
CANDIDATES = """
select p.id, p.version, p.kind, p.state, p.code, p.lon, p.lat, t.body
from premises p
join text_version t on t.district = $1 and t.subject = p.id and t.version = p.text_version
where p.district = $1 and p.id <> {door} and p.state in ('proposed', 'confirmed') and {around}
  and (t.bigrams && {bigrams}::text[] or t.body->>'address' = {address}) and {reached}
limit {most}
"""


async def beside(conn: Connection, reach: Reach, door: Door, community: str | None) -> list[Double]:
    """The doors that may be the same as this one, the likeliest first."""
    parameter = Parameters(reach.reader.district)
    question = CANDIDATES.format(
        door=parameter(door.id),
        around=_around(parameter, door, community),
        bigrams=parameter(history.bigrams(door.name)),
        address=parameter(door.address),
        reached=reach.condition(parameter, "premises", "p") or "true",
        most=MOST,
    )
    rows = {row["id"]: row for row in await conn.fetch(question, *parameter.values)}
    found = premises_likeness.beside(door, [compared(row) for row in rows.values()])
    return [
        Double(
            id=other.id,
            version=rows[other.id]["version"],
            kind=other.kind,
            state=rows[other.id]["state"],
            code=other.code,
            name=other.name,
            address=other.address,
            distance_m=near.distance_m,
            score=near.score,
        )
        for other, near in found
    ]


def _around(parameter: Parameters, door: Door, community: str | None) -> str:
    ways = [f"p.community = {parameter(community)}"] if community is not None else []
    if door.lon is not None and door.lat is not None:
        box = tiles.around(door.lon, door.lat, NEAR_M)
        ways += [
            f"p.cell between {parameter(low)} and {parameter(high)}" for low, high in tiles.covering(box, max_ranges=4)
        ]
    return f"({' or '.join(ways) or 'p.community is null'})"


def compared(row: Any) -> Door:
    """A row with its texts as a door that is compared."""
    texts = row["body"] or {}
    return Door(
        id=row["id"],
        kind=row["kind"],
        code=row["code"],
        name=texts.get("name", ""),
        address=texts.get("address", ""),
        lon=row["lon"],
        lat=row["lat"],
    )


async def of_each(conn: Connection, reach: Reach, doors: Sequence[tuple[Door, str | None]]) -> dict[UUID, list[Double]]:
    """The doors that may be the same as each of these, which come with their communities."""
    return {door.id: await beside(conn, reach, door, community) for door, community in doors}
