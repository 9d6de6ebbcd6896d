"""The same request again gets its first answer, and never does its work twice."""

from uuid import UUID

from asyncpg import Connection, Record

from surveys.history import Actor, request_digest
from surveys.refusals import IdTaken

ASKED_BEFORE = "select thing, version, actor, request, facts, recorded_at from history where district = $1 and id = $2"


async def asked_before(
    conn: Connection, district: int, id_: UUID, asked: object, actor: Actor, thing: UUID | None = None
) -> Record | None:
    """The event that this request led to when it came first; None for a new one. Raises IdTaken for an id that was used
    for other content, by somebody else, or for another thing."""
    first = await conn.fetchrow(ASKED_BEFORE, district, id_)
    if first is None:
        return None
    of_another = thing is not None and first["thing"] != thing
    if of_another or (first["actor"], first["request"]) != (actor.id, request_digest(asked)):
        raise IdTaken("id")
    return first
