"""Sealing anew what older keys have sealed, so that a key can be retired once nothing is sealed under it."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from asyncpg import Connection
from msgspec import Struct

from surveys.access import second_factors
from surveys.assessments import ballot_boxes
from surveys.notices import notice_channels, webhooks
from surveys.privacy.sealing import ID_BYTES, KeyRing, NotGenuine, Place, key_of

AT_ONCE = 500
MOST = 10_000  # values in one turn of the job: some two seconds


class Column(Struct, frozen=True, kw_only=True):
    """A column of sealed values; `key` are the columns that, with the district, name its row."""

    table: str
    column: str
    key: tuple[str, ...]
    types: tuple[str, ...]
    place: Callable[[int, Any], Place]


COLUMNS = (
    Column(
        table="sealed_field",
        column="sealed",
        key=("subject", "field"),
        types=("uuid", "text"),
        place=lambda district, row: Place(district, row["subject"], row["field"]),
    ),
    Column(
        table="member",
        column="phone",
        key=("id",),
        types=("uuid",),
        place=lambda district, row: Place(district, row["id"], "phone"),
    ),
    Column(
        table="notice_channel",
        column="template",
        key=("id",),
        types=("uuid",),
        place=lambda district, row: notice_channels.template_place(district, row["id"]),
    ),
    Column(
        table="notice_address",
        column="address",
        key=("member", "channel"),
        types=("uuid", "uuid"),
        place=lambda district, row: notice_channels.address_place(district, row["member"], row["channel"]),
    ),
    Column(
        table="webhook",
        column="secret",
        key=("id",),
        types=("uuid",),
        place=lambda district, row: webhooks.place(district, row["id"]),
    ),
    Column(
        table="second_factor",
        column="secret",
        key=("member",),
        types=("uuid",),
        place=lambda district, row: second_factors.place(district, row["member"]),
    ),
    Column(
        table="ballot_box",
        column="sealed",
        key=("ballot", "code"),
        types=("uuid", "text"),
        place=lambda district, row: ballot_boxes.place(district, row["ballot"], row["code"]),
    ),
)

COUNT = """
select substring({column} from 1 for {bytes}) as key, count(*) as sealed from {table}
where {column} is not null group by 1
"""


async def counts(conn: Connection) -> dict[int, int]:
    """How many values each key seals, by its number, in all districts; a key that is not on the ring may be there."""
    found: Counter[int] = Counter()
    for column in COLUMNS:
        statement = COUNT.format(table=column.table, column=column.column, bytes=ID_BYTES)
        for row in await conn.fetch(statement):
            found[key_of(row["key"])] += row["sealed"]
    return dict(found)


# In the order of their keys, so that one that does not open is passed over; what somebody is just changing comes later.
OLDER = """
select {key}, {column} as sealed from {table}
where district = $1 and substring({column} from 1 for {bytes}) = any($2::bytea[]) and ({key}) > ({after})
order by {key} limit {limit} for update skip locked
"""
FIRST = """
select {key}, {column} as sealed from {table}
where district = $1 and substring({column} from 1 for {bytes}) = any($2::bytea[])
order by {key} limit {limit} for update skip locked
"""
WRITE = """
update {table} t set {column} = new.sealed
from unnest({arrays}) as new({key}, sealed)
where t.district = $1 and ({columns}) = ({values})
"""


async def reseal(conn: Connection, ring: KeyRing, district: int) -> Mapping[str, object]:
    """Seal anew, under the newest key, some of what older keys of the ring have sealed in a district; answers how much
    of each table was, and how much did not open and stays as it is."""
    done: dict[str, object] = {}
    for column in COLUMNS:
        resealed, failed = await _reseal(conn, ring, district, column)
        if resealed or failed:
            done[column.table] = resealed
        if failed:
            done[f"{column.table}_not_genuine"] = failed
    return done


async def _reseal(conn: Connection, ring: KeyRing, district: int, column: Column) -> tuple[int, int]:
    older = [number.to_bytes(ID_BYTES, "big") for number in ring.keys if number != ring.newest]
    resealed = failed = 0
    last: tuple[object, ...] = ()
    while older and resealed + failed < MOST:
        rows = await conn.fetch(_select(column, after=bool(last)), district, older, *last)
        fresh = []
        for row in rows:
            place = column.place(district, row)
            try:
                fresh.append((*(row[name] for name in column.key), ring.seal(ring.open(row["sealed"], place), place)))
            except NotGenuine:
                failed += 1
        if fresh:
            await conn.execute(_write(column), district, *(list(values) for values in zip(*fresh, strict=True)))
            resealed += len(fresh)
        if len(rows) < AT_ONCE:
            break
        last = tuple(rows[-1][name] for name in column.key)
    return resealed, failed


def _select(column: Column, *, after: bool) -> str:
    places = ", ".join(f"${at}" for at, _ in enumerate(column.key, start=3))
    return (OLDER if after else FIRST).format(
        table=column.table,
        column=column.column,
        key=", ".join(column.key),
        bytes=ID_BYTES,
        after=places,
        limit=AT_ONCE,
    )


def _write(column: Column) -> str:
    types = [*column.types, "bytea"]
    return WRITE.format(
        table=column.table,
        column=column.column,
        arrays=", ".join(f"${at}::{kind}[]" for at, kind in enumerate(types, start=2)),
        key=", ".join(column.key),
        columns=", ".join(f"t.{name}" for name in column.key),
        values=", ".join(f"new.{name}" for name in column.key),
    )
