"""Ten doors and a month in which members went from one to the next: everything that can become of a door."""

from typing import Any
from uuid import UUID

import asyncpg

from maps import tiles
from tests import doors, doorsteps, drafts
from tests.conftest import FAR, MEMBER, MEMBER_BESIDE, NEXT, Client, Person
from tests.doors import Answer
from tests.doorsteps import Door

# The doors of the story, by what becomes of them.
MET_NEXT_DOOR, THREE_TIMES, AT_LAST, DECLINED, CLOSED, NEVER, MERGED, PROPOSED, GONE, TAKEN_BACK = range(10)
STREET = [
    Door(name="并入者所在"),
    Door(name="三次无人"),
    Door(name="终于见到", kind="enterprise"),
    Door(name="婉拒"),
    Door(name="关门", community=NEXT, at=(113.615, 34.705)),
    Door(name="从未走访", community=FAR, at=(113.625, 34.705)),
    Door(name="重复登记", state="merged"),
    Door(name="路上发现", state="proposed"),
    Door(name="已搬走", state="gone"),
    Door(name="撤回的走访", kind="household", community=None, at=None),
]
CELLS = "update premises set cell = c.cell from unnest($1::uuid[], $2::bigint[]) c(id, cell) where premises.id = c.id"


async def visit(client: Client, door: UUID, outcome: str, day: str, who: Person = MEMBER, **more: Any) -> Answer:
    """File a visit at a door, at ten in the morning of a day."""
    draft = drafts.visit(
        campaign="winter",
        premises={"id": str(door), "kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"},
        outcome=outcome,
        started_at=f"{day}T10:00:00+08:00",
        ended_at=f"{day}T10:10:00+08:00",
    )
    return await doors.file(client, who, draft | more)


async def walk(client: Client, conn: asyncpg.Connection) -> list[UUID]:
    """Ten doors in a campaign that comes to each of them every month, and what happened there in November."""
    starts = doorsteps.STARTS.replace(month=10)
    await doorsteps.campaign(conn, every="month", starts_at=starts)
    ids = await doorsteps.register(conn, STREET)
    placed = [(id_, door.at) for id_, door in zip(ids, STREET, strict=True) if door.at]
    cells = [int(tiles.cell(*at)) for _, at in placed]
    await conn.execute(CELLS, [id_ for id_, _ in placed], cells)
    await doorsteps.assign(conn, [ids[at] for at in (MET_NEXT_DOOR, THREE_TIMES, AT_LAST, DECLINED, TAKEN_BACK)])
    await doorsteps.assign(conn, [ids[CLOSED]], MEMBER_BESIDE)
    await visit(client, ids[MET_NEXT_DOOR], "not_home", "2026-11-03")
    await visit(client, ids[MERGED], "met", "2026-11-04")
    for day in ("2026-11-03", "2026-11-10", "2026-11-20"):
        await visit(client, ids[THREE_TIMES], "not_home", day)
    await visit(client, ids[AT_LAST], "closed", "2026-11-05")
    await visit(client, ids[AT_LAST], "met", "2026-11-20")
    await visit(client, ids[AT_LAST], "not_home", "2026-11-21")
    await visit(client, ids[DECLINED], "declined", "2026-11-05")
    await visit(client, ids[CLOSED], "closed", "2026-11-21", MEMBER_BESIDE)
    await visit(client, ids[PROPOSED], "met", "2026-11-21")
    await visit(client, ids[GONE], "closed", "2026-11-21")
    taken_back = await visit(client, ids[TAKEN_BACK], "met", "2026-11-21")
    await doors.correct(client, MEMBER, taken_back["id"], drafts.correction(1, withdraw=True))
    await visit(client, ids[NEVER], "met", "2026-10-20")  # in the round before
    return ids
