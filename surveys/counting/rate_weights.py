"""How much each of the three rates counts in the index that is made of them: a district's own data, in versions, so
that the index of a past day is the same for ever."""

from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid5

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import event_row
from surveys.people.people import Reader
from surveys.refusals import Invalid

Weight = Annotated[int, Meta(ge=0, le=1_000)]

_NAMESPACE = UUID("0f7c7a0a-9d0e-5d0b-8b3c-1c0c9a5c7a44")  # of the ids of districts' weights in the history


class NoWeight(Invalid):
    """Weights of which none counts."""

    code = "no_weight"


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much each rate counts beside the others."""

    response: Weight = 1
    resolution: Weight = 1
    satisfaction: Weight = 1


EQUAL = Weights()  # of a district that has not said anything

IN_FORCE = """
select response, resolution, satisfaction from rate_weights
where district = $1 and valid_from <= $2 order by version desc limit 1
"""


async def in_force(conn: Connection, district: int, at: datetime) -> Weights:
    """The weights that hold at a moment."""
    row = await conn.fetchrow(IN_FORCE, district, at)
    return Weights(**row) if row else EQUAL


# Two that came at once would have the same version: the second waits here.
LOCK = "select district from district where district = $1 for no key update"
ADD = """
insert into rate_weights (district, version, valid_from, response, resolution, satisfaction)
select $1, coalesce(max(version), 0) + 1, greatest($2::timestamptz, max(valid_from)), $3, $4, $5
from rate_weights where district = $1
returning version
"""


async def change(conn: Connection, reader: Reader, weights: Weights, now: datetime) -> None:
    """Let other weights hold from now on; the same ones change nothing. Raises NotAllowed, and NoWeight."""
    reader.require("administrator")
    if weights == Weights(response=0, resolution=0, satisfaction=0):
        raise NoWeight("response")
    await conn.execute(LOCK, reader.district)
    if weights == await in_force(conn, reader.district, now):
        return
    version = await conn.fetchval(ADD, reader.district, now, weights.response, weights.resolution, weights.satisfaction)
    thing = uuid5(_NAMESPACE, str(reader.district))
    event = event_row(
        district=reader.district,
        id=uuid5(thing, str(version)),
        kind="district",
        thing=thing,
        version=version,
        event="weigh",
        actor=history.Actor("member", str(reader.member)),
        happened_at=now,
        recorded_at=now,
        facts={
            "response": weights.response,
            "resolution": weights.resolution,
            "satisfaction": weights.satisfaction,
        },
    )
    await history.append(conn, [event], [])
