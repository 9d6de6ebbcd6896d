"""Who could be proposed as a model, found by a part of their name or their number."""

from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.people.people import Reader
from surveys.volunteering import models
from surveys.volunteering.models import Subject

AT_ONCE = 20
LONGEST = 50  # characters of what is looked for

# Of volunteers those alone whose name is public.
FOUND = """
select * from (
  (select 'team' as subject, v.id, t.body->>'name' as name, '' as about
   from volunteer_team v
   join text_version t on t.district = v.district and t.subject = v.id and t.version = v.text_version
   where v.district = $1 and v.closed_at is null and t.body->>'name' ilike $2 order by 3, 2 limit $3)
  union all
  (select 'organisation', o.id, o.name, '' from organisation o
   where o.district = $1 and o.closed_at is null and o.name ilike $2 order by 3, 2 limit $3)
  union all
  (select 'volunteer', v.id, coalesce(m.name, t.body->>'name'), v.number
   from volunteer v
   left join member m on m.district = v.district and m.id = v.member
   left join text_version t on t.district = v.district and t.subject = v.id and t.version = v.text_version
   where v.district = $1 and v.name_public_since is not null
     and (coalesce(m.name, t.body->>'name') ilike $2 or v.number ilike $2) order by 3, 2 limit $3)
  union all
  (select 'member', m.id, m.name, o.name from member m
   join organisation o on o.district = m.district and o.id = m.organisation
   where m.district = $1 and m.closed_at is null
     and (m.name ilike $2 or m.number ilike $2) order by 3, 2 limit $3)
) found
where name is not null
order by subject <> 'team', subject <> 'volunteer', subject <> 'organisation', name, id limit $3
"""
ONE = {
    "team": """
select t.body->>'name' from volunteer_team v
join text_version t on t.district = v.district and t.subject = v.id and t.version = v.text_version
where v.district = $1 and v.id = $2
""",
    "organisation": "select name from organisation where district = $1 and id = $2",
    "member": "select name from member where district = $1 and id = $2",
    "volunteer": """
select case when v.name_public_since is null then v.number else coalesce(m.name, t.body->>'name', v.number) end
from volunteer v
left join member m on m.district = v.district and m.id = v.member
left join text_version t on t.district = v.district and t.subject = v.id and t.version = v.text_version
where v.district = $1 and v.id = $2
""",
}


class Candidate(Struct, frozen=True, kw_only=True):
    """Somebody who could be proposed; `about` is a volunteer's number or a member's organisation."""

    subject: Subject
    id: UUID
    name: str
    about: str


async def found(conn: Connection, reader: Reader, text: str) -> list[Candidate]:
    """Those whose name holds a text, or whose number does. Raises NotAllowed for who proposes nobody."""
    await models.refuse_who_cannot_propose(conn, reader)
    wanted = " ".join(text[:LONGEST].split())
    if not wanted:
        return []
    plain = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = await conn.fetch(FOUND, reader.district, f"%{plain}%", AT_ONCE)
    return [Candidate(**row) for row in rows]


async def one(conn: Connection, reader: Reader, subject: Subject, who: UUID) -> Candidate | None:
    """Somebody by their id; None where there is nobody. Raises NotAllowed for who proposes nobody."""
    await models.refuse_who_cannot_propose(conn, reader)
    name = await conn.fetchval(ONE[subject], reader.district, who)
    return None if name is None else Candidate(subject=subject, id=who, name=name, about="")
