"""Volunteer teams: founded for an organisation and an area, and led by a volunteer who signs in."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, Row, event_row, request_digest, text_row
from surveys.people.people import Reader
from surveys.refusals import (
    Conflict,
    Invalid,
    NotAllowed,
    TextUnusable,
    UnknownArea,
    UnknownOrganisation,
)
from surveys.volunteering import repeats, standing, team_members
from surveys.volunteering.standing import Standing
from surveys.volunteering.team_members import Membership
from surveys.volunteering.volunteers import UnknownVolunteer

LONGEST_NAME = 60  # characters
LONGEST_ABOUT = 1_000
MOST_AREAS = 200

FIELDS = {"community": "communities", "street": "streets"}  # that say where a team serves

Kind = Literal[
    "policy", "arts", "wellbeing", "technology", "jobs", "environment", "safety", "learning", "neighbours", "other"
]
Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
About = Annotated[str, Meta(max_length=LONGEST_ABOUT)]


class LeaderCannotSignIn(Invalid):
    """A leader has to sign in, and only members do."""

    code: ClassVar[str] = "leader_cannot_sign_in"


class AreaNotYours(NotAllowed):
    """Who works in a community says where a team serves within their communities, and leaves no team without one."""

    code: ClassVar[str] = "area_not_yours"


class TeamNameTaken(Conflict):
    """The organisation has a team of this name."""

    code: ClassVar[str] = "team_name_taken"


class TeamArea(Struct, frozen=True, order=True):
    """A street or community that a team serves, by its code."""

    kind: Literal["street", "community"]
    code: str


Codes = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=MOST_AREAS)]


class TeamDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A team to be founded; one without an area serves the whole district."""

    id: UUID
    name: Name
    kind: Kind
    organisation: UUID
    about: About = ""
    leader: UUID | None = None
    communities: Codes = ()
    streets: Codes = ()

    def areas(self) -> list[TeamArea]:
        """Where the team is to serve, each once."""
        return areas(self.communities, self.streets)


def areas(communities: Iterable[str], streets: Iterable[str]) -> list[TeamArea]:
    """Communities and streets by their codes, each once and in order."""
    every = {TeamArea("community", code) for code in communities} | {TeamArea("street", code) for code in streets}
    return sorted(every)


class Changed(Struct, frozen=True, kw_only=True):
    """A team, and the version at which it stands."""

    id: UUID
    version: int


class NewTeam(Struct, frozen=True, kw_only=True):
    """A team that has been looked at, and can be written."""

    id: UUID
    event: UUID
    name: str
    kind: str
    organisation: UUID
    about: str = ""
    leader: UUID | None = None
    areas: Sequence[TeamArea] = ()
    request: bytes | None = None


# --- founding


async def found(conn: Connection, reader: Reader, draft: TeamDraft, now: datetime) -> Changed:
    """Found a team; the same draft again gets its first answer. Its leader is in it.

    Raises NotAllowed, UnknownOrganisation, TeamNameTaken, TextUnusable, UnknownArea, UnknownVolunteer,
    LeaderCannotSignIn or IdTaken."""
    actor = Actor("member", str(reader.member))
    if first := await repeats.asked_before(conn, reader.district, draft.id, draft, actor, draft.id):
        return Changed(id=draft.id, version=first["version"])
    stands = await standing.of_reader(conn, reader)
    _refuse_who_may_not_found(stands, draft)
    serves = draft.areas()
    name = tidy(draft.name, "name", LONGEST_NAME)
    await refuse_name(conn, reader.district, draft.organisation, name, None)
    await refuse_unknown_areas(conn, reader.district, serves)
    await refuse_no_leader(conn, reader.district, draft.leader)
    new = NewTeam(
        id=draft.id,
        event=draft.id,
        name=name,
        about=draft.about.strip(),
        kind=draft.kind,
        organisation=draft.organisation,
        leader=draft.leader,
        areas=serves,
        request=request_digest(draft),
    )
    await write(conn, reader.district, [new], actor, now)
    if draft.leader is not None:
        one = Membership(team=draft.id, volunteer=draft.leader, joined_at=now)
        await team_members.write(conn, reader.district, [one], actor, now)
    return Changed(id=draft.id, version=1)


def _refuse_who_may_not_found(stands: Standing, draft: TeamDraft) -> None:
    """An administrator founds any team, an organiser their organisations', and a community's worker one of their own
    organisation for their communities."""
    if stands.district or draft.organisation in stands.organisations:
        return
    if not stands.communities and not stands.organisations:
        raise NotAllowed
    if not stands.communities or draft.organisation != stands.reader.organisation:
        raise UnknownOrganisation("organisation", given=draft.organisation)
    refuse_foreign_areas(stands, draft.areas())
    if not draft.areas():
        raise AreaNotYours("communities", given="")


def refuse_foreign_areas(stands: Standing, serves: Iterable[TeamArea]) -> None:
    """Raises AreaNotYours for an area that is no community of the reader's."""
    for area in serves:
        if area.kind != "community" or area.code not in stands.communities:
            raise AreaNotYours(FIELDS[area.kind], given=area.code)


def tidy(text: str, field: str, most: int) -> str:
    """A text of one line without stray spaces. Raises TextUnusable."""
    found_ = " ".join(text.split())
    if not found_ or len(found_) > most or not found_.isprintable():
        raise TextUnusable(field)
    return found_


# Two teams of one organisation are not named alike at once.
LOCK_ORGANISATION = """
select id from organisation where district = $1 and id = $2 and closed_at is null for no key update
"""
NAMED_ALIKE = """
select exists (select from volunteer_team t
  join text_version x on x.district = t.district and x.subject = t.id and x.version = t.text_version
  where t.district = $1 and t.organisation = $2 and t.closed_at is null and x.body->>'name' = $3
    and ($4::uuid is null or t.id <> $4))
"""


async def refuse_name(conn: Connection, district: int, organisation: UUID, name: str, but: UUID | None) -> None:
    """Raises UnknownOrganisation, or TeamNameTaken where it has another team of this name."""
    if await conn.fetchval(LOCK_ORGANISATION, district, organisation) is None:
        raise UnknownOrganisation("organisation", given=organisation)
    if await conn.fetchval(NAMED_ALIKE, district, organisation, name, but):
        raise TeamNameTaken("name")


UNKNOWN_AREAS = """
select a.kind, a.code from unnest($2::text[], $3::text[]) a(kind, code)
where not exists (select from street s where a.kind = 'street' and s.district = $1 and s.code = a.code)
  and not exists (select from community c where a.kind = 'community' and c.district = $1 and c.code = a.code)
order by a.code
"""


async def refuse_unknown_areas(conn: Connection, district: int, serves: Sequence[TeamArea]) -> None:
    """Raises UnknownArea."""
    asked = [area.kind for area in serves], [area.code for area in serves]
    for row in await conn.fetch(UNKNOWN_AREAS, district, *asked):
        raise UnknownArea(FIELDS[row["kind"]], given=row["code"])


LEADER = "select member from volunteer where district = $1 and id = $2 and ended_at is null"


async def refuse_no_leader(conn: Connection, district: int, leader: UUID | None) -> None:
    """Raises UnknownVolunteer, or LeaderCannotSignIn for who is no member."""
    if leader is None:
        return
    row = await conn.fetchrow(LEADER, district, leader)
    if row is None:
        raise UnknownVolunteer("leader", given=leader)
    if row["member"] is None:
        raise LeaderCannotSignIn("leader")


INSERT = """
insert into volunteer_team (district, id, version, kind, organisation, leader, text_version, founded_at, recorded_at)
select district, id, version, kind, organisation, leader, text_version, founded_at, recorded_at
from json_populate_recordset(null::volunteer_team, $1)
"""
SET_AREAS = """
insert into volunteer_team_area (district, team, kind, code)
select $1, a.team, a.kind, a.code from unnest($2::uuid[], $3::text[], $4::text[]) a(team, kind, code)
"""


async def write(conn: Connection, district: int, new: Sequence[NewTeam], actor: Actor, now: datetime) -> None:
    """Write teams that have been looked at, all of them in a few statements."""
    rows: list[Row] = []
    events: list[Row] = []
    texts: list[Row] = []
    for one in new:
        text, digest = text_row(district, one.id, 1, {"name": one.name, "about": one.about}, now)
        texts.append(text)
        stands = {"kind": one.kind, "organisation": one.organisation, "leader": one.leader}
        whole = {"district": district, "id": one.id, "version": 1, **stands}
        rows.append({**whole, "text_version": 1, "founded_at": now, "recorded_at": now})
        facts = {**stands, "areas": one.areas, "text_version": 1, "text_digest": digest}
        events.append(event(district, one.event, one.id, 1, "found", actor, now, facts, one.request))
    await conn.execute(INSERT, rows)
    await set_areas(conn, district, {one.id: one.areas for one in new})
    await history.append(conn, events, texts)


async def set_areas(conn: Connection, district: int, serves: Mapping[UUID, Sequence[TeamArea]]) -> None:
    """Let these teams, which have none, serve these areas."""
    every = [(team, area) for team, of_it in serves.items() for area in of_it]
    await conn.execute(
        SET_AREAS, district, [team for team, _ in every], [area.kind for _, area in every], [a.code for _, a in every]
    )


def event(
    district: int,
    id_: UUID,
    team: UUID,
    version: int,
    what: str,
    actor: Actor,
    now: datetime,
    facts: Mapping[str, object],
    request: bytes | None,
) -> Row:
    """What happened to a team, as a row of the history."""
    return event_row(
        district=district,
        id=id_,
        kind="team",
        thing=team,
        version=version,
        event=what,
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts={name: value for name, value in facts.items() if value is not None},
        request=request,
    )
