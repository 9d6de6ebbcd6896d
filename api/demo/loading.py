"""Writing the demo district: invented, seeded, and dated before today.

Only imports and the demo set the past: what happened on a day is recorded as of that day, by the members who are
said to have done it, through the same functions that file visits and record issues every day.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TypeAlias
from uuid import UUID

import msgspec
import shapely
from asyncpg import Connection

from api import holiday_lists, shipped_questionnaires
from api.assessments import shipped_instruments
from api.category_lists import read_drafts
from api.demo import (
    answers,
    ballots,
    commitments,
    doors,
    people,
    places,
    points,
    register,
    rounds,
    services,
    time_bank,
    volunteering,
)
from api.demo.doors import Filed
from api.demo.lives import Desk, Found, Life, live
from api.demo.people import Population
from api.demo.places import Place
from api.demo.register import Door
from api.demo.turns import desks, take_turns
from api.demo.words import SOURCES, chances, person_name
from api.demo.workdays import ZONE, Workdays, midnight
from maps import boundaries
from maps.boundaries import Area
from maps.locator import Atlas
from surveys.access import sessions
from surveys.clock import calendars
from surveys.contact_cards import contact_cards
from surveys.contact_cards.contact_cards import Giver, NewCard
from surveys.history import Actor, request_digest
from surveys.issues import categories, issues, placing, workflow
from surveys.issues.categories import CategoryDraft, Defaults
from surveys.issues.issues import NewIssue
from surveys.issues.placing import ToPlace
from surveys.people import organisations
from surveys.people.people import first_handlers
from surveys.privacy import contacts
from surveys.privacy.contacts import Contact
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Refusal
from surveys.return_visits import return_visits
from surveys.visits import visits
from surveys.visits.visit_drafts import Filing

DISTRICT = 410103
HOTLINE = "0371-00000000"  # no number in China begins with a nought after its area
AT_ONCE = 500  # issues of one statement

Report: TypeAlias = Callable[[str, int, int], None]  # the step, how much of it is done, and of how much

PEOPLE, VISITS, ISSUES = "组织与党员 people", "走访 visits", "问题 issues"


@dataclass(frozen=True, slots=True)
class Invented:
    """All of the demo district that is made up before anything is written."""

    areas: Sequence[Area]
    places: Sequence[Place]
    lists: Sequence[Sequence[CategoryDraft]]  # the city's categories; then who handles them, and the campaign's own
    everybody: Population
    filed: Sequence[Filed]
    doors: Sequence[Door]


def invent(days: Workdays) -> Invented:
    """Make up the district and four months of visits; but for the dates, they are the same each time."""
    areas = boundaries.read(places.BOUNDARIES).areas
    known = places.places(areas, chances("places"))
    lists = [read_drafts(SOURCES / name) for name in ("categories_city_management.csv", "categories_district.csv")]
    named = [draft for drafts in lists for draft in drafts]
    departments = {one.department: one.department_name for one in named if one.department and one.department_name}
    streets = {area.street: area.street_name for area in areas if area.street and area.street_name}
    everybody = people.population(DISTRICT, known, streets, departments, chances("people"))
    outline = shapely.union_all([area.geometry for area in areas])
    rng = chances("visits")
    plan = doors.plan(known, everybody, rng)
    filed = list(doors.drafts(plan, everybody, outline, days, rng))
    rng = chances("register")
    filed = answers.answered(register.visited(filed, rng), chances("answers"))
    return Invented(areas, known, lists, everybody, filed, register.doors(filed, known, everybody, rng))


async def load(
    conn: Connection, ring: KeyRing, today: date, report: Report = lambda step, done, of: None
) -> dict[str, str]:
    """Write the demo district, as of a day in its time zone; nothing in it is dated on that day or later. The tokens of
    some contact cards, by their numbers, whose doors are worth a look: they can be read this once.

    Ids and all that is chosen at random are the same each time, whatever the day. Run it in a transaction, on a
    database without this district."""
    days = Workdays(today)
    invented = invent(days)
    await _found_district(conn, invented, days, report)
    atlas = Atlas()
    await atlas.refresh(conn)
    await register.write(conn, atlas, DISTRICT, invented.doors, days.first - timedelta(days=20))
    given = await _give_cards(conn, invented, days)
    await _file(conn, atlas, invented, days, report)
    found = list(_found(atlas, invented.filed))
    numbers = await issues.reserve_numbers(conn, DISTRICT, len(found))
    in_force = await categories.in_force(conn, DISTRICT, days.first)
    calendar = await calendars.in_force(conn, DISTRICT, midnight(today + timedelta(days=1)))
    desk = await _desk(conn, invented, found, days.first)
    rng = chances("lives")
    lives = [
        live(one, number, DISTRICT, in_force[one.draft.category], calendar, desk, days, rng)
        for one, number in zip(found, numbers, strict=True)
    ]
    await _record(conn, lives, report)
    await take_turns(conn, atlas, ring, desks(DISTRICT, invented.everybody), lives, days)
    await _leave_contacts(conn, ring, [life.issue for life in lives])
    await _volunteer(conn, ring, atlas, invented, days)
    await time_bank.load(conn, DISTRICT, midnight(today))
    await points.load(conn, DISTRICT, invented.everybody, days.first - timedelta(days=55), today)
    await commitments.load(conn, DISTRICT, today)
    await ballots.load(conn, ring, DISTRICT, today)
    [desks_] = await conn.fetch(SHOWN, DISTRICT, workflow.OPEN)
    await rounds.load(conn, DISTRICT, invented.everybody, desks_["member"], today)
    shown = {row["card"] for row in await conn.fetch(SHOWN_DOORS, DISTRICT)}
    return {card.number: card.token for card in given if card.number in shown}


async def _volunteer(conn: Connection, ring: KeyRing, atlas: Atlas, invented: Invented, days: Workdays) -> None:
    """The teams of those who serve, and what came of it."""
    [desks_] = await conn.fetch(SHOWN, DISTRICT, workflow.OPEN)
    founded_at = days.first - timedelta(days=60)
    teams = await volunteering.load(conn, ring, DISTRICT, invented.everybody, invented.places, dict(desks_), founded_at)
    await services.load(conn, DISTRICT, atlas, teams, invented.areas, days)


# The doors with the most to see: somebody booked a service, is asked how it went, other things are under way or done.
SHOWN_DOORS = """
select b.card from card_binding b
join issue i on i.district = b.district and i.visit = b.visit
left join return_visit r on r.district = i.district and r.issue = i.id and r.state = 'invited'
left join booking k on k.district = b.district and k.card = b.card
where b.district = $1
group by b.card
order by 4 * (count(k.id) > 0)::int + count(distinct i.state) + 2 * (count(r.id) > 0)::int desc,
  count(distinct i.id) desc, b.card limit 3
"""


# The dispatcher is written with the members, before the transaction ends.
FOUND = """
with founded as (
  insert into district (district, code, name, time_zone, dispatcher, created_at)
  values ($1, $1::int::text, $2, $3, $4, $5)
)
insert into number_series (district, series, next) values ($1, 'issue', 10001)
"""

START_CAMPAIGN = """
insert into campaign (district, id, name, starts_at, ends_at, promise, created_at, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""
ASK = """
insert into campaign_questionnaire (district, campaign, kind, questionnaire)
select district, $2, kind, id from questionnaire where district = $1 and kind is not null
"""
PROMISE = "走访不落一户，问题件件有回音"


async def _found_district(conn: Connection, invented: Invented, days: Workdays, report: Report) -> None:
    """Write the district as it stood before the campaign: its people, boundaries and categories."""
    founded_at = days.first - timedelta(days=90)
    count = len(invented.everybody.members)
    report(PEOPLE, 0, count)
    await holiday_lists.seed(conn, founded_at)
    await conn.execute(FOUND, DISTRICT, "二七区", ZONE.key, invented.everybody.dispatcher, founded_at)
    await people.write(conn, DISTRICT, invented.everybody, founded_at)
    report(PEOPLE, count, count)
    await boundaries.store(conn, DISTRICT, invented.areas, valid_from=founded_at, source="demo", now=founded_at)
    streets = {area.street for area in invented.areas if area.street}
    wanted = people.answered_for(invented.everybody, list(streets))
    await organisations.answer_for(conn, DISTRICT, wanted, Actor("program", "demo"), founded_at)
    for drafts in invented.lists:
        await categories.store(conn, DISTRICT, drafts, founded_at, defaults=Defaults(limits={}))
    ends_at = days.first + timedelta(days=365)
    creator = invented.everybody.dispatcher
    campaign = (doors.CAMPAIGN, "万名党员大走访", days.first, ends_at, PROMISE, founded_at, creator)
    await conn.execute(START_CAMPAIGN, DISTRICT, *campaign)
    await shipped_questionnaires.install(conn, DISTRICT, Actor("program", "demo"), founded_at)
    await shipped_instruments.install(conn, DISTRICT, Actor("program", "demo"), founded_at)
    await conn.execute(ASK, DISTRICT, doors.CAMPAIGN)


SAY_ON_CARDS = "insert into card_terms (district, series, hotline) values ($1, $2, $3)"


async def _give_cards(conn: Connection, invented: Invented, days: Workdays) -> Sequence[NewCard]:
    """Make the cards that the members are going to leave at doors, each in the name of who leaves it."""
    givers = {one.draft.contact_card: one.visit.member for one in reversed(invented.filed)}
    cards = [
        Giver(organisation=giver.organisation, member=giver.id, service_name=giver.name)
        for number, giver in sorted((number, giver) for number, giver in givers.items() if number)
    ]
    by = Actor("program", "demo")
    await conn.execute(SAY_ON_CARDS, DISTRICT, doors.SERIES, HOTLINE)
    return await contact_cards.make(conn, DISTRICT, cards, doors.SERIES, by, days.first)


async def _file(conn: Connection, atlas: Atlas, invented: Invented, days: Workdays, report: Report) -> None:
    """File the visits as phones did, those of one part of a day together; the issues are recorded with their lives."""
    done = 0
    for (sent, weekend), group in groupby(sorted(invented.filed, key=_sent), key=_sent):
        filings = [
            Filing(
                draft=msgspec.structs.replace(one.draft, issues=()),
                filer=invented.everybody.reader(DISTRICT, one.visit.member),
                digest=request_digest(one.draft),
            )
            for one in group
        ]
        answers = await visits.file(conn, atlas, iter(()), filings, days.moment(sent, weekend=weekend))
        refused = [answer for answer in answers if isinstance(answer, Refusal)]
        if refused:
            raise refused[0]
        done += len(filings)
        report(VISITS, done, len(invented.filed))


def _sent(one: Filed) -> tuple[float, bool]:
    return one.visit.sent, one.visit.weekend


def _found(atlas: Atlas, filed: Sequence[Filed]) -> Iterator[Found]:
    """Every issue of the visits with where it falls."""
    pairs = [(one, issue, how) for one in filed for issue, how in zip(one.draft.issues, one.hows, strict=True)]
    wanted = [
        ToPlace(issue.position or one.draft.position, one.draft.community, one.draft.started_at)
        for one, issue, _ in pairs
    ]
    for (one, issue, how), place in zip(pairs, placing.place(atlas, DISTRICT, wanted), strict=True):
        yield Found(one.visit, one.draft, issue, how, place)


async def _desk(conn: Connection, invented: Invented, found: Sequence[Found], at: datetime) -> Desk:
    everybody = invented.everybody
    handlers = await first_handlers(conn, DISTRICT, [one.place.community for one in found], at)
    streets: dict[str | None, UUID] = {
        place.code: everybody.of_street[place.code[:9]][0].id for place in invented.places
    }
    return Desk(
        owners={community: handler.id for community, handler in handlers.items()},
        dispatchers=streets | {None: everybody.dispatcher},
        handlers=everybody.handlers,
    )


async def _leave_contacts(conn: Connection, ring: KeyRing, lives: Sequence[NewIssue]) -> None:
    """At some doors somebody left a name and a number; no number in China begins as these do."""
    rng = chances("contacts")
    for one in lives:
        if rng.random() < 0.3:
            told = Contact(name=person_name(rng), phone=f"120{rng.randrange(10**8):08}")
            await contacts.add(conn, ring, DISTRICT, {one.row.id: told}, one.row.recorded_at)


async def _record(conn: Connection, lives: Sequence[Life], report: Report) -> None:
    for start in range(0, len(lives), AT_ONCE):
        part = lives[start : start + AT_ONCE]
        await issues.record(conn, [life.issue for life in part])
        await return_visits.write(conn, [visit for life in part for visit in life.visits])
        report(ISSUES, min(start + AT_ONCE, len(lives)), len(lives))


# The persons whose desks show the most: the member with the most visits among those who hold no office and have open
# issues, the worker of the community with the most open issues, the district's leader and its administrator.
SHOWN = """
select
  (select v.member from visit v
    where v.district = $1
      and not exists (select from member_role r where r.district = $1 and r.member = v.member and r.role <> 'member')
      and exists (select from issue i where i.district = $1 and i.reporter = v.member and i.state = any($2))
    group by v.member order by count(*) desc, v.member limit 1) as member,
  (select r.member from member_role r
    join issue i on i.district = r.district and i.community = r.scope and i.state = any($2)
    where r.district = $1 and r.role = 'community_worker'
    group by r.member order by count(*) desc, r.member limit 1) as worker,
  (select r.member from member_role r join member m on m.district = r.district and m.id = r.member
    where r.district = $1 and r.role = 'leader' and r.scope_kind = 'district' order by m.number limit 1) as leader,
  (select r.member from member_role r join member m on m.district = r.district and m.id = r.member
    where r.district = $1 and r.role = 'administrator' order by m.number limit 1) as administrator
"""


async def tokens(conn: Connection, now: datetime) -> dict[str, str]:
    """New tokens for a member, a community worker, a leader and the administrator; those of before end."""
    await sessions.revoke_tokens(conn, DISTRICT, "demo", now)
    [shown] = await conn.fetch(SHOWN, DISTRICT, workflow.OPEN)
    return {who: await sessions.issue_token(conn, DISTRICT, member, "demo", now) for who, member in shown.items()}


# Those four, an organiser of a street's committee, and the auditor, by who they are and the number they sign in with.
ACCOUNTS = """
select m.id, m.number, m.name from unnest($2::uuid[]) with ordinality w(id, at)
join member m on m.district = $1 and m.id = w.id order by w.at
"""
ORGANISER_AND_AUDITOR = """
select
  (select r.member from member_role r join member m on m.district = r.district and m.id = r.member
    join organisation o on o.district = r.district and o.id::text = r.scope
    where r.district = $1 and r.role = 'organiser' and m.closed_at is null
    order by (select count(*) from organisation below where below.district = $1 and below.parent = o.id) desc, m.number
    limit 1) as organiser,
  (select r.member from member_role r join member m on m.district = r.district and m.id = r.member
    where r.district = $1 and r.role = 'auditor' and m.closed_at is null order by m.number limit 1) as auditor
"""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody whose desk the demo shows."""

    id: UUID
    number: str
    name: str


async def accounts(conn: Connection) -> dict[str, Account]:
    """Whose desks are worth a look, by their office; of a demo made long ago some may be missing."""
    [shown] = await conn.fetch(SHOWN, DISTRICT, workflow.OPEN)
    [further] = await conn.fetch(ORGANISER_AND_AUDITOR, DISTRICT)
    wanted = {who: member for who, member in {**shown, **further}.items() if member is not None}
    found = {row["id"]: Account(**row) for row in await conn.fetch(ACCOUNTS, DISTRICT, list(wanted.values()))}
    return {who: found[member] for who, member in wanted.items() if member in found}
