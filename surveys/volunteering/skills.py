"""What volunteers can do, and the hours of a week in which they would: of the words of a district, and of no person."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID, uuid4

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.refusals import Invalid, TextUnusable

LONGEST_SKILL = 40  # characters
MOST_SKILLS = 30  # of one volunteer
MOST_HOURS = 42  # spans of one week: six a day
DAY = 24 * 60  # minutes

_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
SPAN = rf"^[1-7] {_TIME}-({_TIME}|24:00)$"

SkillName = Annotated[str, Meta(min_length=1, max_length=LONGEST_SKILL)]
Span = Annotated[str, Meta(pattern=SPAN, description="a weekday, Monday being 1, and a span of it: 6 09:00-11:30")]


class HoursUnusable(Invalid):
    """Hours that end before they begin."""

    code: ClassVar[str] = "hours_unusable"


class UnknownSkill(Invalid):
    """No skill of this district's list."""

    code: ClassVar[str] = "unknown_skill"


class Hours(Struct, frozen=True, order=True):
    """A span of a day that comes each week, by the district's clock; Monday is 1, and 24:00 the end of a day."""

    weekday: int
    starts: str
    ends: str

    def __str__(self) -> str:
        return f"{self.weekday} {self.starts}-{self.ends}"


class Skill(Struct, frozen=True, kw_only=True):
    """Something that volunteers of the district can do; `volunteers` counts those who say so."""

    id: UUID
    name: str
    volunteers: int = 0


def clock(minute: int) -> str:
    """A minute of the day as people write it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def minute(time: str) -> int:
    """The minute of the day that a time stands for."""
    hours, _, minutes = time.partition(":")
    return int(hours) * 60 + int(minutes)


def read(spans: Iterable[Span], field: str = "hours") -> tuple[Hours, ...]:
    """Spans in the order of the week, those that touch or overlap made one. Raises HoursUnusable."""
    found: list[Hours] = []
    for one in sorted({Hours(int(span[0]), span[2:7], span[8:]) for span in spans}):
        if one.ends <= one.starts:
            raise HoursUnusable(field, starts=one.starts, ends=one.ends)
        if found and found[-1].weekday == one.weekday and one.starts <= found[-1].ends:
            found[-1] = Hours(one.weekday, found[-1].starts, max(found[-1].ends, one.ends))
        else:
            found.append(one)
    return tuple(found)


def tidy_names(names: Iterable[str], field: str = "skills") -> tuple[str, ...]:
    """Names of skills without stray spaces, each once. Raises TextUnusable."""
    found = dict.fromkeys(" ".join(name.split()) for name in names)
    if not all(name and name.isprintable() and len(name) <= LONGEST_SKILL for name in found):
        raise TextUnusable(field)
    return tuple(found)


# --- the district's list

EVERY = """
select s.id, s.name, (select count(*) from volunteer_skill v where v.district = $1 and v.skill = s.id) as volunteers
from skill s where s.district = $1 order by s.name
"""


async def of_district(conn: Connection, district: int) -> list[Skill]:
    """All that volunteers of the district can do."""
    return [Skill(**row) for row in await conn.fetch(EVERY, district)]


FIND = "select id, name from skill where district = $1 and name = any($2)"
ADD = """
insert into skill (district, id, name, recorded_at)
select $1, s.id, s.name, $4 from unnest($2::uuid[], $3::text[]) s(id, name)
on conflict on constraint skill_name_unique do nothing
"""


async def ids(conn: Connection, district: int, names: Iterable[str], now: datetime) -> dict[str, UUID]:
    """The skills of these names; those that the district has not had are added to its list."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    await conn.execute(ADD, district, [uuid4() for _ in wanted], wanted, now)
    return {row["name"]: row["id"] for row in await conn.fetch(FIND, district, wanted)}


async def known(conn: Connection, district: int, names: Iterable[str], field: str = "skills") -> dict[str, UUID]:
    """The skills of these names. Raises UnknownSkill for one that is not on the district's list."""
    wanted = sorted(set(names))
    found = {row["name"]: row["id"] for row in await conn.fetch(FIND, district, wanted)}
    for name in wanted:
        if name not in found:
            raise UnknownSkill(field, given=name)
    return found


# --- of volunteers

SET_SKILLS = """
with gone as (
  delete from volunteer_skill v where v.district = $1 and v.volunteer = any($2)
    and not exists (select from unnest($3::uuid[], $4::uuid[]) s(volunteer, skill)
                     where s.volunteer = v.volunteer and s.skill = v.skill)
)
insert into volunteer_skill (district, volunteer, skill)
select $1, s.volunteer, s.skill from unnest($3::uuid[], $4::uuid[]) s(volunteer, skill)
on conflict on constraint volunteer_skill_pkey do nothing
"""
FORGET_HOURS = "delete from volunteer_hours where district = $1 and volunteer = any($2)"
SET_HOURS = """
insert into volunteer_hours (district, volunteer, weekday, starts, ends)
select $1, h.volunteer, h.weekday, h.starts, h.ends
from unnest($2::uuid[], $3::smallint[], $4::smallint[], $5::smallint[]) h(volunteer, weekday, starts, ends)
"""


async def set_skills(conn: Connection, district: int, skills: Mapping[UUID, Sequence[UUID]]) -> None:
    """Let these volunteers have these skills, and no others."""
    pairs = [(volunteer, skill) for volunteer, of_them in skills.items() for skill in of_them]
    await conn.execute(SET_SKILLS, district, list(skills), [one for one, _ in pairs], [skill for _, skill in pairs])


async def set_hours(conn: Connection, district: int, hours: Mapping[UUID, Sequence[Hours]]) -> None:
    """Let these volunteers offer these hours, and no others."""
    every = [(volunteer, span) for volunteer, spans in hours.items() for span in spans]
    await conn.execute(FORGET_HOURS, district, list(hours))
    await conn.execute(
        SET_HOURS,
        district,
        [volunteer for volunteer, _ in every],
        [span.weekday for _, span in every],
        [minute(span.starts) for _, span in every],
        [minute(span.ends) for _, span in every],
    )
