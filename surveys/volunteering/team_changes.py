"""Volunteer teams change: what they are called and do, who leads them, where they belong; and they are closed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, Row, request_digest, text_row
from surveys.people.people import Reader
from surveys.refusals import NotAllowed, NotFound, NothingChanges, StaleVersion, TextUnusable, UnknownOrganisation
from surveys.volunteering import repeats, standing, team_members, teams
from surveys.volunteering.team_members import Membership, TeamClosed
from surveys.volunteering.teams import LONGEST_NAME, About, AreaNotYours, Changed, Codes, Kind, Name, TeamArea


class TeamChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What of a team is to be otherwise; what is left out stays."""

    id: UUID
    expected_version: int
    name: Name | None = None
    about: About | None = None
    kind: Kind | None = None
    organisation: UUID | None = None
    leader: UUID | None = None
    communities: Codes | None = None
    streets: Codes | None = None

    def areas(self, kept: Iterable[TeamArea]) -> list[TeamArea]:
        """Where the team is to serve from now on; what is not asked for stays as it is kept."""
        there: dict[str, list[str]] = {"community": [], "street": []}
        for area in kept:
            there[area.kind].append(area.code)
        return teams.areas(
            there["community"] if self.communities is None else self.communities,
            there["street"] if self.streets is None else self.streets,
        )


class TeamClosing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a team is closed; everybody in it leaves it."""

    id: UUID
    expected_version: int
    reason: Annotated[str, Meta(min_length=1, max_length=1_000)]


LOCK = """
select t.id, t.version, t.kind, t.organisation, t.leader, t.text_version, t.closed_at, x.body
from volunteer_team t
join text_version x on x.district = t.district and x.subject = t.id and x.version = t.text_version
where t.district = $1 and t.id = $2 for update of t
"""
CHANGE = """
update volunteer_team set version = $3, kind = $4, organisation = $5, leader = $6, text_version = $7
where district = $1 and id = $2
"""


async def _locked(conn: Connection, reader: Reader, team: UUID, expected_version: int) -> Record:
    await standing.refuse_who_does_not_look_after(conn, reader, team)
    row = await conn.fetchrow(LOCK, reader.district, team)
    if row is None:
        raise NotFound
    if row["closed_at"] is not None:
        raise TeamClosed
    if row["version"] != expected_version:
        raise StaleVersion("expected_version", version=row["version"])
    return row


async def change(conn: Connection, reader: Reader, team: UUID, asked: TeamChange, now: datetime) -> Changed:
    """Change a team; the same again gets its first answer. Its leader says what it is called and does, and who leads it
    next; kind, organisation and area are said by who organises.

    Raises NotFound, NotAllowed, TeamClosed, StaleVersion, NothingChanges, IdTaken and what `found` raises."""
    actor = Actor("member", str(reader.member))
    if first := await repeats.asked_before(conn, reader.district, asked.id, asked, actor, team):
        return Changed(id=team, version=first["version"])
    row = await _locked(conn, reader, team, asked.expected_version)
    await _refuse_who_may_not(conn, reader, row, asked)
    version = row["version"] + 1
    facts, texts = await _apply(conn, reader.district, row, asked, version, now)
    if not facts:
        raise NothingChanges
    await conn.execute(
        CHANGE,
        reader.district,
        team,
        version,
        asked.kind or row["kind"],
        asked.organisation or row["organisation"],
        asked.leader or row["leader"],
        version if texts else row["text_version"],
    )
    event = teams.event(reader.district, asked.id, team, version, "change", actor, now, facts, request_digest(asked))
    await history.append(conn, [event], texts)
    if asked.leader is not None and not await conn.fetchval(
        team_members.IN_TEAM, reader.district, team, asked.leader, now
    ):
        joins = Membership(team=team, volunteer=asked.leader, joined_at=now)
        await team_members.write(conn, reader.district, [joins], actor, now)
    return Changed(id=team, version=version)


async def _refuse_who_may_not(conn: Connection, reader: Reader, row: Record, asked: TeamChange) -> None:
    """Who leads a team does not say where it belongs; who works in a community gives no area that is not theirs."""
    stands = await standing.of_reader(conn, reader)
    if stands.district:
        return
    if asked.organisation is not None and not {row["organisation"], asked.organisation} <= set(stands.organisations):
        raise UnknownOrganisation("organisation", given=asked.organisation)
    kept = await _areas(conn, reader.district, row["id"])
    serves = set(asked.areas(kept))
    if (serves == kept and asked.kind is None) or row["organisation"] in stands.organisations:
        return
    if not stands.communities:
        raise NotAllowed
    teams.refuse_foreign_areas(stands, serves ^ kept)
    if not serves:
        raise AreaNotYours("communities", given="")


FORGET_AREAS = "delete from volunteer_team_area where district = $1 and team = $2"
AREAS = "select kind, code from volunteer_team_area where district = $1 and team = $2"


async def _areas(conn: Connection, district: int, team: UUID) -> set[TeamArea]:
    return {TeamArea(row["kind"], row["code"]) for row in await conn.fetch(AREAS, district, team)}


async def _apply(
    conn: Connection, district: int, row: Record, asked: TeamChange, version: int, now: datetime
) -> tuple[dict[str, object], list[Row]]:
    """Write what lies beside the row; returns what the history tells of the change, and new texts."""
    facts: dict[str, object] = {}
    texts: list[Row] = []
    name = teams.tidy(asked.name, "name", LONGEST_NAME) if asked.name is not None else row["body"]["name"]
    about = asked.about.strip() if asked.about is not None else row["body"].get("about", "")
    organisation = asked.organisation or row["organisation"]
    if name != row["body"]["name"] or organisation != row["organisation"]:
        await teams.refuse_name(conn, district, organisation, name, row["id"])
    if (name, about) != (row["body"]["name"], row["body"].get("about", "")):
        text, facts["text_digest"] = text_row(district, row["id"], version, {"name": name, "about": about}, now)
        facts["text_version"] = version
        texts.append(text)
    kept = await _areas(conn, district, row["id"])
    areas = asked.areas(kept)
    if set(areas) != kept:
        await teams.refuse_unknown_areas(conn, district, areas)
        await conn.execute(FORGET_AREAS, district, row["id"])
        await teams.set_areas(conn, district, {row["id"]: areas})
        facts["areas"] = areas
    await teams.refuse_no_leader(conn, district, asked.leader)
    told = {"kind": asked.kind, "organisation": asked.organisation, "leader": asked.leader}
    facts |= {field: value for field, value in told.items() if value is not None and value != row[field]}
    return facts, texts


CLOSE = """
with left_teams as (
  update team_volunteer set left_at = greatest(joined_at, $4), left_recorded_at = $4
  where district = $1 and team = $2 and left_at is null returning volunteer
), closed as (
  update volunteer_team set version = $3, closed_at = $4, leader = null where district = $1 and id = $2
)
select count(*) from left_teams
"""


async def close(conn: Connection, reader: Reader, team: UUID, asked: TeamClosing, now: datetime) -> Changed:
    """Close a team, and let everybody leave it; the same again gets its first answer. Its leader alone does not.

    Raises NotFound, NotAllowed, TeamClosed, StaleVersion, TextUnusable or IdTaken."""
    actor = Actor("member", str(reader.member))
    if first := await repeats.asked_before(conn, reader.district, asked.id, asked, actor, team):
        return Changed(id=team, version=first["version"])
    row = await _locked(conn, reader, team, asked.expected_version)
    stands = await standing.of_reader(conn, reader)
    if not (stands.district or row["organisation"] in stands.organisations or stands.communities):
        raise NotAllowed
    if not asked.reason.strip():
        raise TextUnusable("reason")
    version = row["version"] + 1
    gone = await conn.fetchval(CLOSE, reader.district, team, version, now)
    text, digest = text_row(reader.district, asked.id, 1, {"reason": asked.reason.strip()}, now)
    facts = {"closed_at": now, "left": gone, "reason_digest": digest}
    event = teams.event(reader.district, asked.id, team, version, "close", actor, now, facts, request_digest(asked))
    await history.append(conn, [event], [text])
    return Changed(id=team, version=version)
