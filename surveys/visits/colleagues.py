"""Whom a visit may name: who came along, and, of a paper record, who made it. Names alone, of those who are there."""

from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.people import scopes
from surveys.people.people import Reader
from surveys.refusals import InvalidFilter
from surveys.visits.visit_rules import DESK

MOST = 20
LONGEST_TEXT = 50


class Colleague(Struct, frozen=True):
    """A member by what tells them from others of the same name."""

    id: UUID
    number: str
    name: str
    organisation: str


class Colleagues(Struct, frozen=True):
    """The first of those who were looked for, by their numbers."""

    items: list[Colleague]


FOUND = """
select m.id, m.number, m.name, o.name as organisation
from member m
join organisation o on o.district = m.district and o.id = m.organisation
where m.district = $1 and m.closed_at is null and m.id <> $2 and ($3::uuid is null or m.organisation = $3)
  and (m.name ilike $4 or m.number ilike $4)
order by m.number limit $5
"""


async def found(conn: Connection, reader: Reader, text: str, *, everywhere: bool) -> Colleagues:
    """Members by part of a name or number: of one's own organisation, or of the whole district for who types in paper
    records. Raises NotAllowed and InvalidFilter."""
    scopes.refuse_who_reads_nothing(reader)
    if everywhere:
        reader.require(*DESK)
    folded = " ".join(text.split())
    if not folded or len(folded) > LONGEST_TEXT or "\x00" in folded:
        raise InvalidFilter("text", expected=f"1–{LONGEST_TEXT} characters")
    escaped = folded.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    organisation = None if everywhere else reader.organisation
    rows = await conn.fetch(FOUND, reader.district, reader.member, organisation, f"%{escaped}%", MOST)
    return Colleagues(items=[Colleague(**row) for row in rows])
