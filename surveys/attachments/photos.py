"""Who may send a photo, and who sees it: as far as the issue or visit that it belongs to may be moved, and read."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection

from surveys.attachments import attachments
from surveys.attachments.attachments import Item, NotPromised, Promise, Stored
from surveys.counting import issue_query
from surveys.counting.issue_query import Filters
from surveys.issues.standings import standings
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.refusals import NotAllowed, NotFound

Of = Literal["issue", "visit"]  # a service's are looked after where services are

# An issue with a photo of it: whether it is within the reader's reach, what the reader is to it, and whether they
# promised this photo, when they reported the issue or as the evidence of a move that may have taken it from them.
OF_ISSUE = """
select i.owner, i.reporter, i.community, c.street, i.department, i.agent, i.consulted, {reached} as reached,
  exists (select from history h where h.district = i.district and h.thing = i.id and h.actor_kind = 'member'
    and h.actor = {me} and (h.version = 1 or h.facts->'evidence' ? {sha256})) as theirs
from issue i left join community c on c.district = i.district and c.code = i.community
where i.district = $1 and i.id = {thing}
"""

OF_VISIT = """
select {reached} as reached, v.member = {me}::uuid or {me}::uuid = any(v.companions) as theirs, v.withdrawn_at
from visit v where v.district = $1 and v.id = {thing}
"""


async def promise(conn: Connection, reader: Reader, of: Of, thing: UUID, sha256: str) -> Promise:
    """A photo that this reader may send: who promised it, and whoever works on its issue.

    Raises NotFound outside their reach, NotAllowed for who only reads, and NotPromised."""
    row = await _thing(conn, reader, of, thing, sha256)
    if row is None or not (row["reached"] or row["theirs"]):
        raise NotFound
    if not row["theirs"] and (of == "visit" or not _standings(reader, row) - {"leader"}):
        raise NotAllowed
    if of == "visit" and row["withdrawn_at"] is not None:
        raise NotPromised("sha256")
    return await attachments.promised(conn, reader.district, of, thing, sha256)


async def _thing(conn: Connection, reader: Reader, of: Of, thing: UUID, sha256: str) -> Any:
    parameter = Parameters(reader.district)
    reached = (await scopes.reach(conn, reader)).condition(parameter, of, of[0]) or "true"
    text = OF_ISSUE if of == "issue" else OF_VISIT
    text = text.format(
        reached=f"coalesce({reached}, false)",
        me=parameter(str(reader.member)),
        thing=parameter(thing),
        **({"sha256": parameter(sha256)} if of == "issue" else {}),
    )
    return await conn.fetchrow(text, *parameter.values)


def _standings(reader: Reader, row: Any) -> frozenset[str]:
    return standings(
        reader,
        owner=row["owner"],
        reporter=row["reporter"],
        community=row["community"],
        street=row["street"],
        department=row["department"],
        agent=row["agent"],
        consulted=row["consulted"],
    )


async def listed(
    conn: Connection, reader: Reader, of: Of, thing: UUID, zone: ZoneInfo, now: datetime, as_of: date | None = None
) -> list[Item]:
    """The photos and files of an issue or visit that the reader sees, oldest first; as of a past day, those that had
    come by its end. Raises NotFound, InvalidFilter."""
    at = await _seen_at(conn, reader, of, thing, zone, now, as_of)
    return (await attachments.of_things(conn, reader.district, of, [thing], at))[thing]


async def one(
    conn: Connection,
    reader: Reader,
    of: Of,
    thing: UUID,
    sha256: str,
    zone: ZoneInfo,
    now: datetime,
    as_of: date | None = None,
) -> Stored:
    """Where one of them lies. Raises NotFound, InvalidFilter."""
    at = await _seen_at(conn, reader, of, thing, zone, now, as_of)
    return await attachments.one(conn, reader.district, of, thing, sha256, at)


async def _seen_at(
    conn: Connection, reader: Reader, of: Of, thing: UUID, zone: ZoneInfo, now: datetime, as_of: date | None
) -> datetime:
    """The moment that is asked about, when the reader saw this issue or visit then. Raises NotFound."""
    about = issue_query.moment(Filters(as_of=as_of), zone, now)
    if of == "issue":
        query = await issue_query.seen(conn, reader, Filters(), zone, about)
        text, values = f"{query.text} select true from seen where id = ${len(query.parameters) + 1}", query.parameters
    else:
        parameter = Parameters(reader.district)
        reached = (await scopes.reach(conn, reader)).condition(parameter, "visit", "v") or "true"
        text = f"select true from visit v where v.district = $1 and {reached} and v.id = ${len(parameter.values) + 1}"
        values = tuple(parameter.values)
    if not await conn.fetchval(text, *values, thing):
        raise NotFound
    return about.at
