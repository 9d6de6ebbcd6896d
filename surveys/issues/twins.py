"""Twins: issues that are likely the same thing reported twice, and why they are taken for it.

Only what lies near, or was told at the same door, is compared, and no more than a bounded number of it, so that the
answer takes as long in a district with a million issues as in one with a thousand. `likeness` weighs what is found."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from maps import tiles
from surveys.counting import issue_lists
from surveys.counting.issue_lists import Item
from surveys.issues import merging, placing
from surveys.issues.issues import Description, Title
from surveys.issues.likeness import NEAR_M, THRESHOLD, Traits, Why, Words, beside_words
from surveys.issues.placing import Atlas, Position, ToPlace
from surveys.issues.workflow import OPEN, SOLVED
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters, Reach
from surveys.refusals import NotFound, TextUnusable, UnknownCategory, UnknownCommunity

WINDOW = timedelta(days=180)  # between the reports of two twins
SOLVED_WITHIN = timedelta(days=30)  # ago: what was solved before is another matter

MOST_NEAR = 200  # the nearest of
MOST_READ = 2_000  # that are read around a place
MOST_BESIDE = 50  # at the same door, and through the same card
MOST_WHOLE = 30  # of which descriptions are compared as well
MOST_SHOWN = 10


class TwinDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An issue that is not filed yet, as far as it is known."""

    category: str
    title: Title | None = None
    description: Description | None = None
    position: Position | None = None
    community: str | None = None
    premises: UUID | None = None
    card: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class Sought(Struct, frozen=True, kw_only=True):
    """What twins are looked for of; `id` and `visit` are None of a draft."""

    traits: Traits
    reported_at: datetime
    id: UUID | None = None
    visit: UUID | None = None


class Likely(Struct, frozen=True, kw_only=True):
    """An issue that is likely a twin: itself, or what it was merged into, which `through` then tells."""

    issue: UUID
    why: Why
    score: float
    through: UUID | None


class Twin(Struct, frozen=True, kw_only=True):
    """A likely twin as somebody within whose reach it is sees it, with why it is one; `through` is the issue that is
    alike, where that has been merged into this one."""

    issue: Item
    score: float
    why: Why
    through: UUID | None


class Twins(Struct, frozen=True):
    """Likely twins, the likeliest first."""

    items: list[Twin]


# What an issue is compared by.
TRAITS = """i.id, i.state, i.visit, i.reported_at, i.lon, i.lat, i.community, i.category, i.premises, i.card,
  i.text_version"""
NAMED = """
  k.parent as "group", t.body->>'title' as title, left(t.body->>'description', 300) as description
from found i
join category k on k.district = $1 and k.code = i.category
left join text_version t on t.district = $1 and t.subject = i.id and t.version = i.text_version
"""

# Issues as something to look for twins of; `{reached}` says which of them.
SOUGHT = f"""
with found as (select {TRAITS} from issue i where i.district = $1 and i.id = any($2) and {{reached}})
select i.*, {NAMED}
"""


async def of_issue(conn: Connection, reader: Reader, issue: UUID, zone: ZoneInfo, now: datetime) -> Twins:
    """The likely twins of an issue within the reader's reach, but for those that somebody has dismissed; of one that
    has been merged, none. Raises NotFound."""
    within = await scopes.reach(conn, reader)
    parameter = Parameters(reader.district, [issue])
    reached = within.condition(parameter, "issue", "i") or "true"
    row = await conn.fetchrow(SOUGHT.format(reached=reached), *parameter.values)
    if row is None:
        raise NotFound
    if row["state"] == "merged":
        return Twins([])
    found = await likely(conn, reader.district, _sought(row), now, within)
    return await _shown(conn, reader, await _undecided(conn, reader.district, issue, found), zone, now)


async def sought(conn: Connection, district: int, issues: Sequence[UUID]) -> dict[UUID, Sought]:
    """Those of these issues that are open, as something to look for twins of."""
    rows = await conn.fetch(SOUGHT.format(reached="i.state = any($3)"), district, issues, sorted(OPEN))
    return {row["id"]: _sought(row) for row in rows}


async def traits(conn: Connection, district: int, issues: Sequence[UUID]) -> list[Traits]:
    """What these issues are compared by, in whatever order."""
    return [_traits(row) for row in await conn.fetch(SOUGHT.format(reached="true"), district, issues)]


def _sought(row: Any) -> Sought:
    return Sought(traits=_traits(row), reported_at=row["reported_at"], id=row["id"], visit=row["visit"])


def _traits(row: Any) -> Traits:
    return Traits(**{name: row[name] for name in Traits.__struct_fields__})


async def of_draft(
    conn: Connection, atlas: Atlas, reader: Reader, draft: TwinDraft, zone: ZoneInfo, now: datetime
) -> Twins:
    """The likely twins, within the reader's reach, of an issue that is about to be filed; nothing is kept of it.
    Raises Invalid with the field."""
    of = Sought(traits=await _drafted(conn, atlas, reader.district, draft, now), reported_at=now)
    found = await likely(conn, reader.district, of, now, await scopes.reach(conn, reader))
    return await _shown(conn, reader, found, zone, now)


GROUP_OF = "select parent from category where district = $1 and code = $2"


async def _drafted(conn: Connection, atlas: Atlas, district: int, draft: TwinDraft, now: datetime) -> Traits:
    placing.check(draft.position, "position")
    category = await conn.fetchrow(GROUP_OF, district, draft.category)
    if category is None:
        raise UnknownCategory("category", given=draft.category)
    if draft.community is not None and not await placing.community_exists(conn, district, draft.community):
        raise UnknownCommunity("community", given=draft.community)
    if draft.title is not None and not draft.title.strip():
        raise TextUnusable("title")
    (placed,) = placing.place(atlas, district, [ToPlace(draft.position, draft.community, now)])
    return Traits(
        lon=placed.lon,
        lat=placed.lat,
        community=placed.community,
        category=draft.category,
        group=category["parent"],
        premises=draft.premises,
        card=draft.card,
        title=draft.title,
        description=draft.description,
    )


# What may be a twin, told within the window: what is open, what was solved lately, and what was merged, for what it
# was merged into. What was told on one visit was meant to be two.
MAY_BE = """i.district = $1 and i.reported_at between {since} and {until}
    and (i.state = any({open}) or i.state = any({solved}) and i.resolved_at >= {lately})
    and i.id is distinct from {id} and ({visit}::uuid is null or i.visit is distinct from {visit})"""

# Where they are looked for: around the place, or in the community if there is none, at the door, through the card.
# Those around are read in the order of their cells, and the nearest of them kept.
AROUND = """
  select {traits} from (
    select {traits} from issue i where {may_be} and ({ranges}) and i.lon between {west} and {east}
      and i.lat between {south} and {north} limit {most_read}) i
  order by ((i.lon - {lon}) * {shrunk}) ^ 2 + (i.lat - {lat}) ^ 2 limit {most}
"""
BESIDE = "select {traits} from issue i where {may_be} and i.{column} = {value} order by i.reported_at desc limit {most}"


async def likely(
    conn: Connection, district: int, of: Sought, now: datetime, within: Reach | None = None
) -> list[Likely]:
    """The likely twins of something, the likeliest first, among what is within somebody's reach, or among all."""
    parameter = Parameters(district)
    places = list(_places(of, now, parameter, within))
    if not places:
        return []
    found = f"with found as ({' union '.join(f'({place})' for place in places)})"
    rows = await conn.fetch(f"{found} select i.*, {NAMED}", *parameter.values)
    alike = _alike(of.traits, [(row["id"], _traits(row)) for row in rows])
    merged = [row["id"] for row in rows if row["state"] == "merged"]
    survivors = await merging.survivors(conn, district, merged) if merged else {}
    best: dict[UUID, Likely] = {}
    for id_, why in alike:
        issue = survivors.get(id_, id_)
        if issue != of.id:
            through = id_ if issue != id_ else None
            best.setdefault(issue, Likely(issue=issue, why=why, score=why.score, through=through))
    return list(best.values())


def _places(of: Sought, now: datetime, parameter: Parameters, within: Reach | None) -> Iterable[str]:
    """The questions for what may be a twin, one for each place where it is looked for."""
    may_be = MAY_BE.format(
        since=parameter(of.reported_at - WINDOW),
        until=parameter(of.reported_at + WINDOW),
        open=parameter([*sorted(OPEN), "merged"]),
        solved=parameter(sorted(SOLVED)),
        lately=parameter(now - SOLVED_WITHIN),
        id=parameter(of.id),
        visit=parameter(of.visit),
    )
    if within is not None and (reached := within.condition(parameter, "issue", "i")):
        may_be += f" and {reached}"
    traits = of.traits
    if traits.lon is not None and traits.lat is not None:
        yield _around(traits.lon, traits.lat, may_be, parameter)
    elif traits.community is not None:
        yield _beside("community", traits.community, MOST_NEAR, may_be, parameter)
    if traits.premises is not None:
        yield _beside("premises", traits.premises, MOST_BESIDE, may_be, parameter)
    if traits.card is not None:
        yield _beside("card", traits.card, MOST_BESIDE, may_be, parameter)


def _around(lon: float, lat: float, may_be: str, parameter: Parameters) -> str:
    west, south, east, north = box = tiles.around(lon, lat, NEAR_M)
    ranges = " or ".join(
        f"i.cell between {parameter(low)} and {parameter(high)}" for low, high in tiles.covering(box, max_ranges=4)
    )
    return AROUND.format(
        traits=TRAITS,
        may_be=may_be,
        ranges=ranges,
        west=parameter(west),
        south=parameter(south),
        east=parameter(east),
        north=parameter(north),
        most_read=MOST_READ,
        lon=parameter(lon),
        lat=parameter(lat),
        shrunk=parameter((north - south) / (east - west)),
        most=MOST_NEAR,
    )


def _beside(column: str, value: object, most: int, may_be: str, parameter: Parameters) -> str:
    return BESIDE.format(traits=TRAITS, may_be=may_be, column=column, value=parameter(value), most=most)


def _alike(one: Traits, others: Sequence[tuple[UUID, Traits]]) -> list[tuple[UUID, Why]]:
    """Those alike enough to be proposed, the likeliest first. Words are compared where place and category do not rule
    it out, and descriptions where titles promise most."""
    words = Words(one)
    possible = [(id_, other, why) for id_, other in others if (why := beside_words(one, other)).score >= THRESHOLD]
    rough = [
        (id_, other, msgspec.structs.replace(why, words=words.titles_alike(other))) for id_, other, why in possible
    ]
    rough.sort(key=_score, reverse=True)
    closer = [
        (id_, other, msgspec.structs.replace(why, words=words.alike(other))) for id_, other, why in rough[:MOST_WHOLE]
    ]
    return [(id_, why) for id_, _, why in sorted(closer, key=_score, reverse=True) if why.score >= THRESHOLD]


def _score(compared: tuple[UUID, Traits, Why]) -> float:
    return compared[2].score


# The twins of $2 that somebody has said are none.
DISMISSED = """
select case when issue = $2 then twin else issue end from twin_proposal
where district = $1 and (issue = $2 or twin = $2) and state = 'dismissed'
"""


async def _undecided(conn: Connection, district: int, issue: UUID, found: list[Likely]) -> list[Likely]:
    dismissed = {row[0] for row in await conn.fetch(DISMISSED, district, issue)} if found else set()
    return [one for one in found if one.issue not in dismissed]


async def _shown(conn: Connection, reader: Reader, found: list[Likely], zone: ZoneInfo, now: datetime) -> Twins:
    """The twins as a list shows issues: what an issue was merged into may lie out of reach, and is then left out."""
    wanted = found[:MOST_SHOWN]
    if not wanted:
        return Twins([])
    items = {item.id: item for item in await issue_lists.of_ids(conn, reader, [one.issue for one in wanted], zone, now)}
    return Twins(
        [
            Twin(issue=items[one.issue], score=one.score, why=one.why, through=one.through)
            for one in wanted
            if one.issue in items and items[one.issue].state in OPEN | SOLVED
        ]
    )
