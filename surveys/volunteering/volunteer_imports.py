"""Teams and volunteers as a list of the district's gives them, taken over together: what is new is written, what is
known is brought up to date, nobody is taken out, and a second time changes nothing.

Consent to a name in public is never read from a list. It is one transaction, and each kind of row a few statements."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.history import Actor
from surveys.ledgers.ledger_rows import Reason, Rejected
from surveys.people import organisations
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotFound
from surveys.volunteering import skills, team_members, teams, volunteer_phones, volunteers
from surveys.volunteering.skills import Hours
from surveys.volunteering.team_members import Membership
from surveys.volunteering.teams import Kind, NewTeam, TeamArea
from surveys.volunteering.volunteers import NewVolunteer

ACTOR = Actor("import", "volunteers")

# What a row does; one that does nothing says what is there already.
Doing = Literal["found_team", "change_team", "register", "change", "join", "lead"]


class Entry(Struct, frozen=True, kw_only=True):
    """A row of a list, one volunteer in one team: what is None, it does not say, and that stays as it is."""

    row: int
    cells: Mapping[str, object]
    team: str
    organisation: str
    kind: Kind | None = None
    areas: tuple[str, ...] = ()
    leader: str | None = None
    name: str | None = None
    number: str | None = None
    phone: str | None = None
    skills: tuple[str, ...] | None = None
    hours: tuple[Hours, ...] | None = None


class Columns(Struct, frozen=True, kw_only=True):
    """What the list calls its columns, so that a reason can name them."""

    organisation: str | None = None
    kind: str | None = None
    areas: str | None = None
    leader: str | None = None
    number: str | None = None
    phone: str | None = None


class Counts(Struct, kw_only=True):
    """What became of a list."""

    teams: int = 0
    teams_changed: int = 0
    volunteers: int = 0
    changed: int = 0
    unchanged: int = 0
    joined: int = 0
    rejected: int = 0


class _Team(Struct, kw_only=True):
    """A team as it stands, or as it is to be founded."""

    id: UUID
    kind: str
    organisation: UUID
    name: str
    leader: UUID | None
    areas: set[TeamArea]
    new: bool = False
    changed: bool = False
    inside: set[UUID] = msgspec.field(default_factory=set)


class _Person(Struct, kw_only=True):
    """A volunteer as they stand, or as they are to be written."""

    id: UUID
    member: UUID | None
    name: str | None
    skills: set[str]
    hours: tuple[Hours, ...]
    phone: bytes | None = None  # its look-up
    new_phone: str | None = None
    community: str | None = None
    new: bool = False
    facts: dict[str, object] = msgspec.field(default_factory=dict)


TEAMS = """
select t.id, t.kind, t.organisation, x.body->>'name' as name, t.leader,
  array(select (a.kind, a.code) from volunteer_team_area a where a.district = t.district and a.team = t.id) as areas,
  array(select m.volunteer from team_volunteer m
         where m.district = t.district and m.team = t.id and m.left_at is null) as inside
from volunteer_team t
join text_version x on x.district = t.district and x.subject = t.id and x.version = t.text_version
where t.district = $1 and t.closed_at is null
"""
PEOPLE = """
select v.id, v.member, x.body->>'name' as name, f.look_up,
  array(select k.name from volunteer_skill s join skill k on k.district = s.district and k.id = s.skill
         where s.district = v.district and s.volunteer = v.id) as skills,
  array(select (h.weekday, h.starts, h.ends) from volunteer_hours h
         where h.district = v.district and h.volunteer = v.id order by h.weekday, h.starts) as hours
from volunteer v
left join text_version x on x.district = v.district and x.subject = v.id and x.version = v.text_version
left join sealed_field f on f.district = v.district and f.subject = v.id and f.field = 'volunteer_phone'
where v.district = $1 and v.ended_at is null
"""
MEMBERS = "select number, id from member where district = $1 and closed_at is null and number = any($2)"
# Members who served and ended it: they begin again themselves, and no list does it for them.
WENT = """
select distinct h.facts->>'member' as member from history h
join volunteer v on v.district = h.district and v.id = h.thing and v.ended_at is not null
where h.district = $1 and h.kind = 'volunteer' and h.event = 'register' and h.facts ? 'member'
"""
AREAS = """
select 'community' as kind, code, name from community where district = $1
union all select 'street', code, name from street where district = $1
"""


class Import(Struct, kw_only=True):
    """An import under way."""

    district: int
    ring: KeyRing
    now: datetime
    columns: Columns = Columns()
    actor: Actor = ACTOR
    reject: Callable[[Rejected], None] = lambda rejected: None
    told: Callable[[Entry, Sequence[Doing]], None] = lambda entry, does: None  # of each row that is taken over
    progress: Callable[[int], None] = lambda rows: None  # of rows that were checked
    counts: Counts = msgspec.field(default_factory=Counts)
    _teams: dict[tuple[UUID, str], _Team] = {}
    _people: list[_Person] = []
    _by_member: dict[UUID, _Person] = {}
    _by_phone: dict[tuple[bytes, str], _Person] = {}
    _members: dict[str, UUID] = {}
    _went: set[UUID] = set()
    _paths: dict[str, UUID] = {}
    _areas: dict[str, TeamArea] = {}
    _joins: list[Membership] = []
    _namesakes: dict[tuple[UUID, str], _Person] = {}  # who is called so in a team, of those who are no members
    _alike: set[tuple[str, str, str | None]] = set()  # teams in which the list has several of one name

    async def run(self, conn: Connection, entries: Sequence[Entry]) -> Counts:
        """Take a list over. Raises NotFound when there is no such district; run it in a transaction."""
        if await conn.fetchval(organisations.LOCK, self.district) is None:
            raise NotFound("district", given=self.district)
        await self._look_up(conn, entries)
        self._find_alike(entries)
        for done, entry in enumerate(entries, start=1):
            if reasons := self._reasons(entry):
                self.counts.rejected += 1
                self.reject(Rejected(entry.row, tuple(reasons), entry.cells))
            else:
                self._take(entry)
            if done % 500 == 0:
                self.progress(done)
        self.progress(len(entries))
        await self._write(conn)
        return self.counts

    # --- what there is

    async def _look_up(self, conn: Connection, entries: Sequence[Entry]) -> None:
        for row in await conn.fetch(TEAMS, self.district):
            told = {name: row[name] for name in ("id", "kind", "organisation", "name", "leader")}
            areas = {TeamArea(kind, code) for kind, code in row["areas"]}
            self._teams[row["organisation"], row["name"]] = _Team(**told, areas=areas, inside=set(row["inside"]))
        for row in await conn.fetch(PEOPLE, self.district):
            hours = tuple(
                Hours(weekday, skills.clock(starts), skills.clock(ends)) for weekday, starts, ends in row["hours"]
            )
            told = {name: row[name] for name in ("id", "member", "name")}
            self._know(_Person(**told, phone=row["look_up"], skills=set(row["skills"]), hours=hours))
        people = {person.id: person for person in self._people if person.member is None}
        for team in self._teams.values():
            self._namesakes |= {(team.id, people[one].name or ""): people[one] for one in team.inside if one in people}
        numbers = {entry.number for entry in entries} | {entry.leader for entry in entries}
        wanted = sorted(number for number in numbers if number)
        self._members = {row["number"]: row["id"] for row in await conn.fetch(MEMBERS, self.district, wanted)}
        self._went = {UUID(row["member"]) for row in await conn.fetch(WENT, self.district)} - self._by_member.keys()
        self._paths = _named(await organisations.open_paths(conn, self.district))
        for row in await conn.fetch(AREAS, self.district):
            area = TeamArea(row["kind"], row["code"])
            self._areas |= {row["code"]: area, row["name"]: area}

    def _know(self, person: _Person) -> None:
        self._people.append(person)
        if person.member is not None:
            self._by_member[person.member] = person
        elif person.phone is not None and person.name is not None:
            self._by_phone[person.phone, person.name] = person

    def _find_alike(self, entries: Sequence[Entry]) -> None:
        """Two of one name in a team are told apart by their phones; one whose phone is another has changed it."""
        phones: dict[tuple[str, str, str | None], set[str]] = {}
        for entry in entries:
            if entry.phone:
                phones.setdefault((entry.organisation, entry.team, entry.name), set()).add(entry.phone)
        self._alike = {key for key, told in phones.items() if len(told) > 1}

    # --- a row

    def _reasons(self, entry: Entry) -> list[Reason]:
        reasons: list[Reason] = []
        organisation = self._paths.get(entry.organisation)
        if organisation is None:
            reasons.append(Reason("organisation_unknown", self.columns.organisation, {"given": entry.organisation}))
        elif entry.kind is None and (organisation, entry.team) not in self._teams:
            reasons.append(Reason("kind_missing", self.columns.kind))
        reasons += [
            Reason("area_unknown", self.columns.areas, {"given": text})
            for text in entry.areas
            if text not in self._areas
        ]
        for number, column in ((entry.leader, self.columns.leader), (entry.number, self.columns.number)):
            if number is not None and number not in self._members:
                reasons.append(Reason("member_unknown", column, {"given": number}))
            elif number is not None and self._members[number] in self._went:
                reasons.append(Reason("ended_it", column, {"given": number}))
        return reasons

    def _take(self, entry: Entry) -> None:
        does: list[Doing] = []
        team = self._team(entry, does)
        known = len(self._people)
        person = self._person(entry, team, does)
        if len(self._people) > known:
            does.append("register")
        self._tell(person, entry, does)
        if self._join(team, person):
            does.append("join")
        if entry.leader is not None:
            leader = self._of_member(self._members[entry.leader])
            self._join(team, leader)
            if team.leader != leader.id:
                team.leader, team.changed = leader.id, not team.new
                does.append("lead")
        self.told(entry, does)

    def _team(self, entry: Entry, does: list[Doing]) -> _Team:
        key = self._paths[entry.organisation], entry.team
        areas = {self._areas[text] for text in entry.areas}
        team = self._teams.get(key)
        if team is None:
            team = _Team(
                id=uuid4(),
                kind=entry.kind or "other",
                organisation=key[0],
                name=key[1],
                leader=None,
                areas=areas,
                new=True,
            )
            self._teams[key] = team
            does.append("found_team")
        elif (entry.kind and entry.kind != team.kind) or not areas <= team.areas:
            team.kind, team.areas, team.changed = entry.kind or team.kind, team.areas | areas, not team.new
            does.append("change_team")
        return team

    def _person(self, entry: Entry, team: _Team, does: list[Doing]) -> _Person:
        if entry.number is not None:
            return self._of_member(self._members[entry.number])
        name = entry.name or ""
        phone = self.ring.look_up(entry.phone) if entry.phone else None
        known = self._by_phone.get((phone, name)) if phone else None
        if known is None and (phone is None or (entry.organisation, entry.team, entry.name) not in self._alike):
            known = self._namesakes.get((team.id, name))
        if known is None:
            known = _Person(id=uuid4(), member=None, name=name, skills=set(), hours=(), new=True)
            known.phone, known.new_phone = phone, entry.phone
            self._know(known)
        elif phone is not None and known.phone != phone:
            known.phone, known.new_phone, known.facts["phone"] = phone, entry.phone, "kept"
            self._by_phone[phone, name] = known
            does.append("change")
        return known

    def _of_member(self, member: UUID) -> _Person:
        person = self._by_member.get(member)
        if person is None:
            person = _Person(id=uuid4(), member=member, name=None, skills=set(), hours=(), new=True)
            self._know(person)
        return person

    def _tell(self, person: _Person, entry: Entry, does: list[Doing]) -> None:
        before = set(person.skills), person.hours
        if entry.skills is not None and set(entry.skills) - person.skills:
            person.skills |= set(entry.skills)
            person.facts["skills"] = True
        if entry.hours is not None and entry.hours != person.hours:
            person.hours = entry.hours
            person.facts["hours"] = [str(one) for one in entry.hours]
        if before != (person.skills, person.hours) and "register" not in does and "change" not in does:
            does.append("change")

    def _join(self, team: _Team, person: _Person) -> bool:
        """Let somebody be in a team; whether they were not."""
        if person.member is None:
            self._namesakes[team.id, person.name or ""] = person
        if person.id in team.inside:
            return False
        team.inside.add(person.id)
        self._joins.append(Membership(team=team.id, volunteer=person.id, joined_at=self.now))
        return True

    # --- writing

    async def _write(self, conn: Connection) -> None:
        new = [one for one in self._people if one.new]
        changed = [one for one in self._people if not one.new and one.facts]
        await self._write_people(conn, new, changed)
        await self._write_teams(conn)
        await team_members.write(conn, self.district, self._joins, self.actor, self.now)
        self.counts.volunteers, self.counts.changed, self.counts.joined = len(new), len(changed), len(self._joins)
        self.counts.unchanged = len(self._people) - len(new) - len(changed)

    async def _write_people(self, conn: Connection, new: Sequence[_Person], changed: Sequence[_Person]) -> None:
        if new:
            await volunteers.write(conn, self.ring, self.district, [_new(one) for one in new], self.actor, self.now)
        if not changed:
            return
        ids = await skills.ids(conn, self.district, (name for one in changed for name in one.skills), self.now)
        await skills.set_skills(conn, self.district, {one.id: [ids[name] for name in one.skills] for one in changed})
        await skills.set_hours(conn, self.district, {one.id: one.hours for one in changed})
        phones = {one.id: one.new_phone for one in changed if one.new_phone}
        await volunteer_phones.keep(conn, self.ring, self.district, phones, self.now)
        versions = {
            row["id"]: row["version"] for row in await conn.fetch(STAMP, self.district, [o.id for o in changed])
        }
        events = []
        for one in changed:
            facts = {**one.facts, **({"skills": [str(ids[name]) for name in sorted(one.skills)]} if one.skills else {})}
            told = (uuid4(), one.id, versions[one.id], "change", self.actor, self.now, facts)
            events.append(volunteers.event(self.district, *told))
        await history.append(conn, events, [])

    async def _write_teams(self, conn: Connection) -> None:
        new = [team for team in self._teams.values() if team.new]
        changed = [team for team in self._teams.values() if team.changed]
        await teams.write(conn, self.district, [_founded(team) for team in new], self.actor, self.now)
        rows = await conn.fetch(
            CHANGE_TEAMS,
            self.district,
            [team.id for team in changed],
            [team.kind for team in changed],
            [team.leader for team in changed],
        )
        versions = {row["id"]: row["version"] for row in rows}
        await conn.execute(FORGET_AREAS, self.district, [team.id for team in changed])
        await teams.set_areas(conn, self.district, {team.id: sorted(team.areas) for team in changed})
        events = []
        for team in changed:
            facts = {"kind": team.kind, "leader": team.leader, "areas": sorted(team.areas)}
            told = (uuid4(), team.id, versions[team.id], "change", self.actor, self.now, facts, None)
            events.append(teams.event(self.district, *told))
        await history.append(conn, events, [])
        self.counts.teams, self.counts.teams_changed = len(new), len(changed)


STAMP = "update volunteer set version = version + 1 where district = $1 and id = any($2) returning id, version"
CHANGE_TEAMS = """
update volunteer_team t set version = t.version + 1, kind = c.kind, leader = c.leader
from unnest($2::uuid[], $3::text[], $4::uuid[]) c(id, kind, leader)
where t.district = $1 and t.id = c.id returning t.id, t.version
"""
FORGET_AREAS = "delete from volunteer_team_area where district = $1 and team = any($2)"


def _named(paths: Mapping[UUID, str]) -> dict[str, UUID]:
    """Organisations by their path, and by their own name where only one has it."""
    found = {path: id_ for id_, path in paths.items()}
    own: dict[str, list[UUID]] = {}
    for id_, path in paths.items():
        own.setdefault(path.rpartition(organisations.SEPARATOR)[2], []).append(id_)
    return {name: ids[0] for name, ids in own.items() if len(ids) == 1} | found


def _new(one: _Person) -> NewVolunteer:
    return NewVolunteer(
        id=one.id,
        event=one.id,
        member=one.member,
        name=one.name,
        phone=one.new_phone,
        skills=sorted(one.skills),
        hours=one.hours,
    )


def _founded(team: _Team) -> NewTeam:
    return NewTeam(
        id=team.id,
        event=team.id,
        name=team.name,
        kind=team.kind,
        organisation=team.organisation,
        leader=team.leader,
        areas=sorted(team.areas),
    )
