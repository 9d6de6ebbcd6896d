"""Campaigns and doors of the register as tests need them: written past the forms, in the district's communities."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from surveys.premises import premises
from tests.conftest import DISTRICT, MEMBER, NEAR, NOW, Person

STARTS, ENDS = datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)

CAMPAIGN = """
insert into campaign (district, id, version, name, starts_at, ends_at, kinds, every, promise, created_at, closed_at)
values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $4, $9)
"""


async def campaign(conn: asyncpg.Connection, id_: str = "winter", **changes: Any) -> str:
    """A campaign over the winter for every kind of door, or otherwise."""
    row = {
        "name": "冬季大走访",
        "starts_at": STARTS,
        "ends_at": ENDS,
        "kinds": ["shop", "enterprise", "household"],
        "every": "once",
        "promise": "三日内回复",
        "closed_at": None,
    } | changes
    await conn.execute(CAMPAIGN, DISTRICT, id_, *row.values())
    return id_


class Door(Struct, frozen=True, kw_only=True):
    """A door as a test wants it; without `at` it has no position."""

    name: str = "老王面馆"
    address: str = "淮河路 1 号"
    kind: premises.PremisesKind = "shop"
    state: premises.PremisesState = "confirmed"
    at: tuple[float, float] | None = (113.605, 34.705)
    community: str | None = NEAR
    id: UUID | None = None


DOORS = """
insert into premises (district, id, version, kind, state, merged_into, source, alike, position_lon, position_lat,
                      position_system, lon, lat, community, certainty, text_version, recorded_at)
select $1, id, 1, kind, state, merged, 'import', '', lon, lat, case when lon is not null then 'wgs84' end, lon, lat,
       community, case when lon is null then 'unplaced' else 'inside' end, 1, $2
from unnest($3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::float8[], $8::float8[], $9::text[])
  d(id, kind, state, merged, lon, lat, community)
"""
TEXTS = """
insert into text_version (district, subject, version, body, salt, digest, recorded_at)
select $1, id, 1, jsonb_build_object('name', name, 'address', address), 'salt', 'digest', $2
from unnest($3::uuid[], $4::text[], $5::text[]) t(id, name, address)
"""


async def register(conn: asyncpg.Connection, doors: Sequence[Door]) -> list[UUID]:
    """Write doors onto the register; their ids."""
    ids = [door.id or uuid4() for door in doors]
    await conn.execute(
        DOORS,
        DISTRICT,
        NOW,
        ids,
        [door.kind for door in doors],
        [door.state for door in doors],
        [ids[0] if door.state == "merged" else None for door in doors],
        [door.at[0] if door.at else None for door in doors],
        [door.at[1] if door.at else None for door in doors],
        [door.community for door in doors],
    )
    await conn.execute(TEXTS, DISTRICT, NOW, ids, [door.name for door in doors], [door.address for door in doors])
    return ids


ASSIGN = """
insert into assignment (district, campaign, premises, organisation, member, place, means, assigned_at)
select $1, $2, id, $3, $4, place, 'hand', $5 from unnest($6::uuid[]) with ordinality a(id, place)
"""


async def assign(
    conn: asyncpg.Connection, doors: Sequence[UUID], who: Person = MEMBER, campaign: str = "winter"
) -> None:
    """Give doors to a member, in this order."""
    await conn.execute(ASSIGN, DISTRICT, campaign, who.organisation, who.id, NOW, list(doors))


# A questionnaire for shops in its seventh version, which is filled in now.
QUESTIONNAIRE = """
with made as (insert into questionnaire values ($1, 'shop', 'shop', null, $2) returning id)
insert into questionnaire_version
select $1, id, '7', '{"zh": "沿街商户", "en": "Shop"}', '', '', 'shop.xlsx', '', '', '[]', $2 from made
"""
GIVE_OUT = "update questionnaire set current = '7' where district = $1"


async def questionnaire(conn: asyncpg.Connection) -> str:
    """Publish a questionnaire for shops; its id."""
    await conn.execute(QUESTIONNAIRE, DISTRICT, NOW)
    await conn.execute(GIVE_OUT, DISTRICT)
    return "shop"
