"""The questions asked all day long are answered from indexes: their plans on twenty thousand issues say so."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, get_args
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import numpy as np
import pytest

from api import database
from api.settings import Settings
from maps import tiles
from maps.locator import Atlas
from surveys import audit, history, history_seals
from surveys.access import sessions
from surveys.assessments import commitment_records, commitments
from surveys.assessments.commitments import Filters as CommitmentFilters
from surveys.contact_cards import card_doors
from surveys.contact_cards.card_doors import CardDoor
from surveys.counting import column_loading, issue_counts, issue_lists, rates, trust
from surveys.counting.issue_columns import Snapshot
from surveys.counting.issue_lists import Narrowed, Page
from surveys.counting.issue_query import Filters
from surveys.dashboards import dashboard_trust, visit_days
from surveys.desk import boards, uncertain_places
from surveys.desk.uncertain_places import PlaceFilters
from surveys.history import Actor
from surveys.intake import app_reports, app_requests, integrations
from surveys.intake.integrations import IntegrationDraft
from surveys.issues import issue_moves, issues, twin_proposals, twins
from surveys.issues.issues import IssueRow
from surveys.issues.twins import TwinDraft
from surveys.people.people import Grant, Reader
from surveys.privacy import contacts, resealing, residents, reveals
from surveys.privacy.contacts import Contact
from surveys.return_visits import return_visits, return_visits_due
from surveys.visits import receipts, visit_query
from surveys.visits.visit_query import VisitFilters
from surveys.volunteering import time_statements, time_sums
from tests import cards, doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISTRICT,
    FAR,
    LEADER,
    MEMBER,
    MEMBER_BESIDE,
    NEAR,
    NOW,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    OTHER_WORKER,
    RING,
    STRANGER,
    WORKER,
    Person,
    Server,
    TestClock,
    founded,
    person,
    serving,
)

pytestmark = pytest.mark.anyio

MANY = 20_000
LARGE = {
    "issue",
    "issue_spans",
    "text_version",
    "history",
    "visit",
    "sealed_field",
    "return_visit",
    "commitment",
    "commitment_audience",
    "commitment_rating",
}
ZONE = ZoneInfo("Asia/Shanghai")
DOOR = UUID(int=0xD00)
OTHER_STREET_LEADER = person("22", "别街领导", "leader", "street", "410103002")
WATER = person("31", "水务员", "department_handler", "department", "water")
WORDS = "街道社区居民反映路灯垃圾噪音占道积水井盖绿化停车楼道消防燃气电梯网线围挡施工"

# Copies of the one visit and issue that were filed, somewhere else and at another time.
VISITS = """
insert into visit select r.* from visit v, unnest($1::uuid[]) with ordinality as g(id, n),
  lateral jsonb_populate_record(v, jsonb_build_object(
    'id', g.id, 'started_at', v.started_at - g.n * interval '1 min',
    'community', case when g.n % 150 = 0 then '410103002001' else '410103001001' end,
    'member', lpad(case when g.n % 150 = 1 then '2' else '1' end, 32, '0')::uuid,
    'companions', case when g.n % 150 = 2 then array[lpad('2', 32, '0')::uuid] else '{}' end,
    'premises', case when g.n % 150 = 3 then lpad('d00', 32, '0')::uuid end,
    'organisation', lpad(case when g.n % 600 = 4 then '66' else '64' end, 32, '0')::uuid)) as r
where v.id = $2
"""
ISSUES = f"""
insert into issue ({issues.ROW}) select {", ".join(f"r.{name}" for name in IssueRow.__struct_fields__)} from issue i,
  unnest($1::uuid[], $2::uuid[], $3::float8[], $4::float8[], $5::bigint[]) with ordinality
    as g(id, visit, lon, lat, cell, n),
  lateral jsonb_populate_record(i, jsonb_build_object(
    'id', g.id, 'visit', g.visit, 'number', 20000 + g.n, 'lon', g.lon, 'lat', g.lat, 'cell', g.cell,
    'reported_at', i.reported_at - g.n * interval '1 min',
    'community', case when g.n % 150 = 0 then '410103002001' else '410103001001' end,
    'owner', lpad(case when g.n % 150 = 1 then '2' else '3' end, 32, '0')::uuid,
    'premises', case when g.n % 150 = 3 then lpad('d00', 32, '0')::uuid end,
    'organisation', lpad(case when g.n % 600 = 4 then '66' else '64' end, 32, '0')::uuid)) as r
where i.id = $6
"""
LIVES = """
with spans as (
  insert into issue_spans (district, issue, version, valid_from, recorded_at, state, owner, community, category,
                           urgency, channel, due_at, response_due_at)
  select district, id, 1, reported_at, recorded_at, state, owner, community, category, urgency, channel,
    due_at, response_due_at
  from issue where number > 20000
)
insert into history (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, facts)
select district, gen_random_uuid(), 'issue', id, 1, 'report', 'import', 'tests', reported_at, recorded_at, '{}'
from issue where number > 20000
"""

# Commitments of the last three years, an hour apart: most were done, some withdrawn, the newest of each hundred stand;
# each was promised to one of a hundred communities and rated by three.
COMMITMENTS = """
with made as (
  insert into commitment (district, id, version, organisation, member, state, aim, due_at, text_version, made_by,
    proposed_at, approved_at, done_at, done_recorded_at, done_by, withdrawn_at, withdrawal, recorded_at)
  select $1, md5('commitment ' || n)::uuid, 1, lpad(case when n % 600 = 4 then '66' else '64' end, 32, '0')::uuid,
    lpad(case when n % 150 = 1 then '2' else '1' end, 32, '0')::uuid, state, 'communities', at + interval '30 d', 1,
    lpad('1', 32, '0')::uuid, at, at, case state when 'done' then at + interval '20 d' end,
    case state when 'done' then at + interval '20 d' end, case state when 'done' then lpad('1', 32, '0')::uuid end,
    case state when 'withdrawn' then at + interval '9 d' end,
    case state when 'withdrawn' then md5('commitment ' || n)::uuid end, at
  from generate_series(1, $2::int) n,
    lateral (select $3::timestamptz - n * interval '1 h' - interval '30 d' as at,
      case when n % 100 = 0 then 'standing' when n % 20 = 1 then 'withdrawn' else 'done' end as state) s
  returning district, id, state, done_at
), audience as (
  insert into commitment_audience (district, commitment, kind, code)
  select $1, md5('commitment ' || n)::uuid, 'community',
    case when n % 100 = 7 then '410103001001' else 'of ' || n % 100 end from generate_series(1, $2::int) n
)
insert into commitment_rating (district, commitment, id, rated_by, rater, kept, stars, rated_at, recorded_at)
select district, id, gen_random_uuid(), by, case by when 'people' then 'D' || md5(id::text) else 'x' end, true, 5,
  done_at, done_at
from made, unnest(array['self', 'leader', 'people']) by where state = 'done'
"""

# About each of them a resident was asked once, and has said nothing.
LAPSED = """
insert into return_visit (district, id, issue, round, state, invited_at, closes_at, ended_at)
select district, id, id, 1, 'lapsed', reported_at, reported_at, reported_at from issue
"""


@pytest.fixture(scope="module")
async def conn(server: Server, template: str) -> AsyncIterator[asyncpg.Connection]:
    """A district with twenty thousand issues, of which PostgreSQL knows the statistics."""
    async with founded(server, template) as dsn:
        async with serving(Settings(database_url=dsn), TestClock()) as client:
            filed = drafts.visit(issues=[drafts.issue()])
            await doors.file(client, MEMBER, filed)
        opened = await database.connect(dsn)
        await _multiply(opened, UUID(filed["id"]), UUID(filed["issues"][0]["id"]))
        name = await opened.fetchval("select current_database()")
        owner = await asyncpg.connect(server.dsn(name=name))
        await owner.execute("vacuum analyze")
        await owner.close()
        yield opened
        await opened.close()


PHONE = "13812341234"


async def _multiply(conn: asyncpg.Connection, visit: UUID, issue: UUID) -> None:
    chance = np.random.default_rng(20261123)
    lon, lat = chance.uniform(113.60, 113.63, MANY), chance.uniform(34.70, 34.71, MANY)
    visits, ids = [uuid4() for _ in range(MANY // 2)], [uuid4() for _ in range(MANY)]
    cells = [int(cell) for cell in tiles.cell(lon, lat)]
    await conn.execute(VISITS, visits, visit)
    await conn.execute(ISSUES, ids, [*visits, *visits], list(lon), list(lat), cells, issue)
    await conn.execute(LIVES)
    await conn.execute(LAPSED)
    await conn.execute(COMMITMENTS, DISTRICT, MANY, NOW)
    letters = chance.choice(list(WORDS), (MANY, 12))
    texts = ["".join(row) for row in letters]
    await conn.copy_records_to_table(
        "text_version",
        columns=["district", "subject", "version", "body", "bigrams", "salt", "digest", "recorded_at"],
        records=[
            (DISTRICT, id_, 1, {"title": text}, history.bigrams(text), b"salt", b"digest", NOW)
            for id_, text in zip(ids, texts, strict=True)
        ],
    )
    told = {id_: Contact(phone=f"{13800000000 + at // 2}") for at, id_ in enumerate(ids)}
    await contacts.add(conn, RING, DISTRICT, told | {ids[0]: Contact(name="张三", phone=PHONE)}, NOW)


async def reader(conn: asyncpg.Connection, who: Person) -> Reader:
    found = await sessions.readers(conn, [sessions.credential(who.token)], NOW)
    return next(iter(found.values()))


Asking = Callable[[asyncpg.Connection], Awaitable[Any]]


async def plans(conn: asyncpg.Connection, ask: Asking) -> list[dict[str, Any]]:
    """The plans of all statements that a function sends, taken again with the values that it sent."""
    sent: list[asyncpg.connection.LoggedQuery] = []
    conn.add_query_logger(sent.append)
    try:
        await ask(conn)
        await asyncio.sleep(0)  # the driver tells in the loop's next round
    finally:
        conn.remove_query_logger(sent.append)
    assert sent
    return [(await conn.fetchval(f"explain (format json) {one.query}", *one.args))[0]["Plan"] for one in sent]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


async def indexes(conn: asyncpg.Connection, ask: Asking) -> set[str]:
    """The indexes used; a large table that is read from its beginning to its end fails."""
    used = set()
    for plan in await plans(conn, ask):
        for node in nodes(plan):
            read_whole = node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
            assert not read_whole, json.dumps(plan, indent=1, ensure_ascii=False)[:3_000]
            used |= {node["Index Name"]} if "Index Name" in node else set()
    return used


async def test_there_is_enough_to_plan_for(conn: asyncpg.Connection) -> None:
    for table in LARGE:
        assert await conn.fetchval(f"select count(*) from {table}") > 10_000


# Filters of the list, and the index that answers them.
LISTS = {
    "the newest": (Filters(), "issue_newest"),
    "a community's": (Filters(community=(FAR,)), "issue_by_community"),
    "an owner's": (Filters(owner=(STRANGER.id,)), "issue_by_owner"),
    "in a small box": (Filters(bbox=(113.605, 34.705, 113.606, 34.706)), "issue_in_view"),
    "with two characters": (Filters(text="路灯"), "text_version_by_bigram"),
    "with four characters in a box": (
        Filters(text="路灯垃圾", bbox=(113.60, 34.70, 113.61, 34.71)),
        "text_version_by_bigram",
    ),
}


@pytest.mark.parametrize(("filters", "index"), LISTS.values(), ids=LISTS.keys())
async def test_a_list_comes_from_an_index(conn: asyncpg.Connection, filters: Filters, index: str) -> None:
    who = await reader(conn, LEADER)
    used = await indexes(conn, lambda conn: issue_lists.page(conn, who, filters, ZONE, NOW, total=False))
    assert index in used, used


# Queues of the board that hold much of a district, and the way in which they are read.
BY_DUE = {
    "all that is unfinished": Filters(state=boards.UNFINISHED),
    "what is overdue": Filters(state=boards.UNFINISHED, overdue=True),
    "what is new": Filters(state=("reported",)),
}


@pytest.mark.parametrize("filters", BY_DUE.values(), ids=BY_DUE.keys())
async def test_a_board_goes_by_due_time_without_sorting(conn: asyncpg.Connection, filters: Filters) -> None:
    who, late = await reader(conn, LEADER), NOW + timedelta(days=30)

    async def ask(conn: asyncpg.Connection) -> Page:
        return await issue_lists.page(conn, who, filters, ZONE, late, total=False, order="due")

    first = await ask(conn)
    following = await issue_lists.page(conn, who, filters, ZONE, late, total=False, order="due", cursor=first.next)
    assert following.items[0].due_at >= first.items[-1].due_at
    for plan in await plans(conn, ask):
        assert "Sort" not in {node["Node Type"] for node in nodes(plan)}
    assert "issue_running_by_due" in await indexes(conn, ask)


async def test_what_stands_beside_a_board_and_an_issue_comes_from_indexes(conn: asyncpg.Connection) -> None:
    who = await reader(conn, LEADER)
    unfinished = Filters(state=boards.UNFINISHED)
    page = await issue_lists.page(conn, who, unfinished, ZONE, NOW, total=False, order="due")
    item = page.items[20]
    assert await boards.beside(conn, who, unfinished, ZONE, NOW, item, "due") == (page.items[19].id, page.items[21].id)
    for ask in (
        lambda conn: boards.left(conn, who, page.items, NOW),
        lambda conn: boards.beside(conn, who, unfinished, ZONE, NOW, item, "due"),
        lambda conn: issue_lists.numbered(conn, who, item.number, ZONE, NOW),
        lambda conn: issue_lists.one(conn, who, item.id, ZONE, NOW, RING),
        lambda conn: issue_lists.of_ids(conn, who, [one.id for one in page.items], ZONE, NOW),
    ):
        assert await indexes(conn, ask)


@pytest.mark.parametrize("person", [LEADER, WORKER], ids=["leader", "worker"])
async def test_the_newest_need_no_sorting(conn: asyncpg.Connection, person: Person) -> None:
    who = await reader(conn, person)
    for plan in await plans(conn, lambda conn: issue_lists.page(conn, who, Filters(), ZONE, NOW, total=False)):
        assert "Sort" not in {node["Node Type"] for node in nodes(plan)}


async def test_a_later_page_reads_no_more_than_the_first(conn: asyncpg.Connection) -> None:
    who = await reader(conn, LEADER)
    first = await issue_lists.page(conn, who, Filters(), ZONE, NOW, total=False)
    used = await indexes(
        conn, lambda conn: issue_lists.page(conn, who, Filters(), ZONE, NOW, cursor=first.next, total=False)
    )
    assert {"issue_newest", "issue_spans_pkey"} <= used, used


async def test_what_another_program_narrows_is_read_on_from_the_index(conn: asyncpg.Connection) -> None:
    """Page by page, in a stretch of time that begins in the midst of twenty thousand."""
    who = await reader(conn, LEADER)
    within = Narrowed(since=NOW - timedelta(days=10), until=NOW - timedelta(days=1))
    first = await issue_lists.page(conn, who, Filters(), ZONE, NOW, limit=100, total=False, narrowed=within)
    for cursor in (None, first.next):
        used = await indexes(
            conn,
            lambda conn, cursor=cursor: issue_lists.page(  # type: ignore[misc]
                conn, who, Filters(), ZONE, NOW, limit=100, cursor=cursor, total=False, narrowed=within
            ),
        )
        assert "issue_newest" in used, used


async def test_what_a_city_app_filed_is_found_among_all(conn: asyncpg.Connection) -> None:
    transaction = conn.transaction()
    await transaction.start()
    try:
        draft = IntegrationDraft(id=UUID(int=0xA), name="城市通")
        made, key = await integrations.register(conn, await reader(conn, ADMINISTRATOR), draft, NOW)
        await conn.execute("update issue set integration = $1, source = 'app' where number % 500 = 7", made.id)
        app = await integrations.of_key(conn, sessions.credential(key))
        assert app is not None
        asked = app_requests.Asked(since=NOW - timedelta(days=90), until=NOW)
        used = await indexes(conn, lambda conn: app_requests.requests(conn, app, asked))
        assert {"issue_by_integration", "issue_pkey", "text_version_pkey"} <= used, used
        plan = await conn.fetchval(f"explain (format json) {app_reports.FILED}", DISTRICT, made.id, NOW)
        assert "issue_by_integration" in {node.get("Index Name") for node in nodes(plan[0]["Plan"])}, plan
    finally:
        await transaction.rollback()


@pytest.mark.parametrize("by", get_args(rates.By))
async def test_the_rates_are_counted_without_reading_a_row(conn: asyncpg.Connection, by: rates.By) -> None:
    who = await reader(conn, LEADER)
    async with conn.transaction():
        asked = await plans(conn, lambda conn: rates.by(conn, who, Filters(), by, ZONE, NOW))
    read = {(node["Node Type"], node["Index Name"]) for plan in asked for node in of_issues(plan)}
    assert ("Index Only Scan", "issue_rates") in read
    assert {how for how, _ in read} == {"Index Only Scan"}, read


@pytest.mark.parametrize("one", [OTHER_WORKER, ORGANISER_BESIDE], ids=["worker", "organiser"])
async def test_who_reaches_few_has_rates_of_few(conn: asyncpg.Connection, one: Person) -> None:
    who = await reader(conn, one)
    async with conn.transaction():
        used = await indexes(conn, lambda conn: rates.by(conn, who, Filters(), "category", ZONE, NOW))
    assert "issue_rates" not in used


def of_issues(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (node for node in nodes(plan) if node.get("Relation Name") == "issue")


async def test_a_viewport_comes_from_the_index_of_cells(conn: asyncpg.Connection) -> None:
    who = await reader(conn, LEADER)
    box = Filters(bbox=(113.605, 34.705, 113.607, 34.707))
    used = await indexes(conn, lambda conn: issue_counts.clusters(conn, who, box, ZONE, NOW, tiles.shift_for(16)))
    assert "issue_in_view" in used, used


async def test_what_changed_since_a_snapshot_is_found_without_reading_the_rest(conn: asyncpg.Connection) -> None:
    """Nothing of late, then an issue, which was written by a transaction that was under way before."""
    columns = await column_loading.load(conn, DISTRICT, spans=True)
    used = await indexes(conn, lambda conn: column_loading.changes(conn, columns))
    assert "history_written" in used
    assert not len((await column_loading.changes(conn, columns)).issues)
    writing = await conn.fetchval("select min(written_in) from history where thing in (select id from issue)")
    since = columns.snapshot
    columns.snapshot = Snapshot(since.first, since.until, frozenset({writing}))
    changes = await column_loading.changes(conn, columns)
    assert len(changes.issues) == 1
    assert changes.spans is not None
    assert len(changes.spans) == 1


async def test_one_issue_is_looked_up(conn: asyncpg.Connection) -> None:
    who = await reader(conn, LEADER)
    issue = await conn.fetchval("select id from issue where number = 20500")
    used = await indexes(conn, lambda conn: issue_lists.one(conn, who, issue, ZONE, NOW, RING))
    assert {"issue_pkey", "history_one_event_per_version", "text_version_pkey"} <= used, used


async def test_whom_to_ask_is_found_without_reading_the_rest(conn: asyncpg.Connection) -> None:
    who = await reader(conn, LEADER)
    assert "issue_solved" in await indexes(conn, lambda conn: return_visits.invite_due(conn, DISTRICT, NOW))
    assert "return_visit_open" in await indexes(conn, lambda conn: return_visits.lapse_due(conn, DISTRICT, NOW))
    asked = return_visits_due.Asked()
    used = await indexes(conn, lambda conn: return_visits_due.page(conn, who, asked, ZONE, NOW))
    assert "return_visit_open" in used


async def test_a_dashboard_reads_no_table_from_its_beginning_to_its_end(conn: asyncpg.Connection) -> None:
    """Beside the issues, which are counted as the rates are: visits of its days, whom to ask, and the last seal."""
    who = await reader(conn, LEADER)
    days = VisitFilters(started_from=(NOW - timedelta(days=1)).date(), started_to=NOW.date(), withdrawn=False)
    assert "visit_newest" in await indexes(conn, lambda conn: visit_days.by_day(conn, who, days, ZONE, NOW))
    asked = return_visits_due.Asked()
    assert "return_visit_open" in await indexes(conn, lambda conn: return_visits_due.count(conn, who, asked))
    await indexes(conn, lambda conn: dashboard_trust.history_of(conn, DISTRICT, NOW))


async def test_a_door_is_looked_up_with_its_issues_by_its_card(conn: asyncpg.Connection) -> None:
    transaction = conn.transaction()
    await transaction.start()
    [card] = await cards.make(conn)
    visit = await conn.fetchval("select visit from issue where number = 20003")
    bind = "insert into card_binding (district, card, visit, bound_at) values ($1, $2, $3, $4)"
    await conn.execute(bind, DISTRICT, card.number, visit, NOW)
    used = await indexes(conn, lambda conn: card_doors.page(conn, DISTRICT, card.number))
    assert {"issue_by_card", "issue_by_visit", "issue_by_premises", "issue_pkey", "text_version_pkey"} <= used, used
    await transaction.rollback()


async def test_receipts_and_visits_are_looked_up(conn: asyncpg.Connection) -> None:
    who = await reader(conn, MEMBER)
    visit = await conn.fetchval("select visit from issue where number = 20500")
    used = await indexes(conn, lambda conn: receipts.of_visits(conn, DISTRICT, [visit]))
    assert {"visit_pkey", "issue_by_visit"} <= used, used
    assert "visit_pkey" in await indexes(conn, lambda conn: visit_query.one(conn, who, visit))


def waiting_of(who: Reader, asked: PlaceFilters) -> Callable[[asyncpg.Connection], Awaitable[Any]]:
    return lambda conn: uncertain_places.page(conn, Atlas(), who, asked, NOW)


UNCERTAIN = """
update {table} set certainty = 'near_line' where district = $1 and id in (select id from {table} order by id limit 1000)
"""


@pytest.mark.parametrize("kind", ["issue", "visit"])
async def test_what_waits_to_be_settled_comes_from_an_index_of_its_own(conn: asyncpg.Connection, kind: Any) -> None:
    """For who reads the district, and for who reads a community of it."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        await conn.execute(UNCERTAIN.format(table=kind), DISTRICT)
        for one in (LEADER, WORKER):
            who = await reader(conn, one)
            used = await indexes(conn, waiting_of(who, PlaceFilters(kind=kind)))
            assert f"{kind}_uncertain" in used, used
            assert f"{kind}_newest" not in used
    finally:
        await transaction.rollback()


async def test_twins_are_looked_for_near_by_and_nowhere_else(conn: asyncpg.Connection) -> None:
    """Around a place, in a community, at a door, through a card: what a text is like is asked of what is found there
    alone."""
    who = await reader(conn, LEADER)
    issue = await conn.fetchval("select id from issue where number = 20003")
    used = await indexes(conn, lambda conn: twins.of_issue(conn, who, issue, ZONE, NOW))
    assert {"issue_pkey", "issue_in_view", "issue_by_premises", "text_version_pkey"} <= used, used
    assert not used & {"issue_newest", "text_version_by_bigram"}
    unplaced = TwinDraft(category="0102", title="路灯不亮", community=FAR, card="EQ-000123-K")
    used = await indexes(conn, lambda conn: twins.of_draft(conn, Atlas(), who, unplaced, ZONE, NOW))
    assert {"issue_by_community", "issue_by_card", "text_version_pkey"} <= used, used
    assert not used & {"issue_newest", "text_version_by_bigram"}


async def test_new_issues_are_followed_by_the_history(conn: asyncpg.Connection) -> None:
    async with conn.transaction():
        await twin_proposals.propose(conn, DISTRICT, NOW)
        row = await conn.fetchrow("select epoch, written_in, id from twin_search")
        assert row is not None
        plan = (await conn.fetchval(f"explain (format json) {twin_proposals.FRESH}", DISTRICT, *row, row[1] + 1, 10))[
            0
        ]["Plan"]
        assert "history_written" in {node.get("Index Name") for node in nodes(plan)}, plan


async def test_an_issue_is_locked_by_its_key(conn: asyncpg.Connection) -> None:
    who = await reader(conn, WORKER)
    issue = await conn.fetchval("select id from issue where number = 20500")
    used = await indexes(conn, lambda conn: issue_moves._lock(conn, who, issue))
    assert "issue_pkey" in used, used


# Who reaches something by what, and the indexes by which a list of it is found: of twenty thousand some dozens each.
REACHED: dict[str, tuple[Person, str, set[str], set[str]]] = {
    "their own": (STRANGER, "", {"issue_by_owner", "issue_by_reporter"}, {"visit_by_member", "visit_by_companion"}),
    "their branch's": (ORGANISER_BESIDE, "", {"issue_by_organisation"}, {"visit_by_organisation"}),
    "a community of their branch": (
        MEMBER_BESIDE,
        f"community:{FAR}",
        {"issue_by_community", "issue_by_reporter"},
        {"visit_by_community"},
    ),
    "a street of their branch": (MEMBER_BESIDE, "street:410103002", {"issue_by_community"}, {"visit_by_community"}),
    "a door of their branch": (MEMBER_BESIDE, f"premises:{DOOR}", {"issue_by_premises"}, {"visit_by_premises"}),
    "a community of a branch that they look after": (
        ORGANISER_BESIDE,
        f"community:{FAR}",
        {"issue_by_community", "issue_by_organisation"},
        {"visit_by_community", "visit_by_organisation"},
    ),
    "a community of their own": (OTHER_WORKER, "", {"issue_by_community"}, {"visit_by_community"}),
    "what their department is asked about": (
        WATER,
        "",
        {"issue_by_consulted", "issue_by_department", "issue_by_agent", "issue_by_leader", "issue_by_offer"},
        {"visit_by_member"},
    ),
    "a street": (OTHER_STREET_LEADER, "", {"issue_by_community"}, {"visit_by_community"}),
}


@pytest.mark.parametrize(("one", "area", "of_issues", "of_visits"), REACHED.values(), ids=REACHED.keys())
async def test_few_things_are_found_among_many(
    conn: asyncpg.Connection, one: Person, area: str, of_issues: set[str], of_visits: set[str]
) -> None:
    """Never by going through the newest of all until enough of theirs have turned up."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        who = await _reader_with(conn, one, area)
        used = await indexes(conn, lambda conn: issue_lists.page(conn, who, Filters(), ZONE, NOW))
        assert of_issues <= used, used
        assert "issue_newest" not in used
        used = await indexes(conn, lambda conn: visit_query.page(conn, who, VisitFilters(), ZONE, NOW))
        assert of_visits <= used, used
        assert "visit_newest" not in used
        box = Filters(bbox=(113.605, 34.705, 113.606, 34.706))
        await indexes(conn, lambda conn: issue_counts.clusters(conn, who, box, ZONE, NOW, tiles.shift_for(18)))
        issue = await conn.fetchval("select id from issue where number = 20500")
        assert "issue_pkey" in await indexes(conn, lambda conn: issue_moves._lock(conn, who, issue))
    finally:
        await transaction.rollback()


async def _reader_with(conn: asyncpg.Connection, one: Person, area: str) -> Reader:
    if area:
        await conn.execute(
            "insert into organisation_area values ($1, $2, $3, $4)", DISTRICT, one.organisation, *area.split(":")
        )
    grants = (Grant(one.role, one.scope_kind, one.scope),)  # type: ignore[arg-type]
    return Reader(district=DISTRICT, member=one.id, name=one.name, organisation=one.organisation, grants=grants)


async def test_who_reaches_most_of_all_reads_the_newest_first(conn: asyncpg.Connection) -> None:
    """Of one who looks after a branch in which nearly everything was found, as of one who reads the district."""
    who = await reader(conn, ORGANISER)
    for used, ask in (
        ("issue_newest", lambda conn: issue_lists.page(conn, who, Filters(), ZONE, NOW, total=False)),
        ("visit_newest", lambda conn: visit_query.page(conn, who, VisitFilters(), ZONE, NOW, total=False)),
    ):
        assert used in await indexes(conn, ask)


async def test_a_map_s_visits_are_those_of_its_days_alone(conn: asyncpg.Connection) -> None:
    day = NOW.astimezone(ZONE).date() - timedelta(days=2)
    asked = VisitFilters(started_from=day, started_to=day, withdrawn=False)
    leader, worker = await reader(conn, LEADER), await reader(conn, WORKER)
    used = await indexes(conn, lambda conn: visit_query.by_community(conn, leader, asked, ZONE, NOW))
    assert "visit_newest" in used
    used = await indexes(conn, lambda conn: visit_query.by_community(conn, worker, asked, ZONE, NOW))
    assert used & {"visit_newest", "visit_by_community"}


async def test_when_the_history_was_verified_is_looked_up(conn: asyncpg.Connection) -> None:
    who = await reader(conn, LEADER)
    await indexes(conn, lambda conn: trust.of(conn, who, Filters(text="路灯"), ZONE, NOW))


# Filters of the history, and the indexes that answer them.
HISTORIES = {
    "the newest": (audit.Asked(), {"history_newest"}),
    "a day's": (audit.Asked(from_=NOW.date(), to=NOW.date()), {"history_newest"}),
    "a person's": (audit.Asked(person=str(STRANGER.id)), {"history_by_actor", "history_about"}),
    "about somebody": (audit.Asked(about=STRANGER.id), {"history_about"}),
    "a thing's": (audit.Asked(thing=str(STRANGER.id)), {"history_one_event_per_version", "history_about"}),
    "a rare kind": (audit.Asked(kind=("reveal",)), {"history_by_kind"}),
    "a rare event": (audit.Asked(event=("withdraw",)), {"history_by_event"}),
}


@pytest.mark.parametrize(("asked", "expected"), HISTORIES.values(), ids=HISTORIES.keys())
async def test_the_history_comes_from_indexes(conn: asyncpg.Connection, asked: audit.Asked, expected: set[str]) -> None:
    who = await reader(conn, AUDITOR)
    used = await indexes(conn, lambda conn: audit.page(conn, who, asked, ZONE, NOW, total=False))
    assert expected <= used, used


async def test_sealing_reads_only_what_came_since(conn: asyncpg.Connection) -> None:
    async with conn.transaction():
        await history_seals.seal(conn, DISTRICT, NOW)
        row = await conn.fetchrow("select to_written, to_id from history_seal order by number desc limit 1")
        assert row is not None
        asked = (DISTRICT, 1, row["to_written"], row["to_id"], row["to_written"] + 1, 10)
        plan = (await conn.fetchval(f"explain (format json) {history_seals.ROWS}", *asked))[0]["Plan"]
        assert "history_written" in {node.get("Index Name") for node in nodes(plan)}, plan


async def test_a_number_is_looked_up(conn: asyncpg.Connection) -> None:
    for person_ in (WORKER, ADMINISTRATOR):
        who = await reader(conn, person_)
        async with conn.transaction():
            used = await indexes(conn, lambda conn, who=who: reveals.search(conn, RING, who, PHONE, ZONE, NOW))  # type: ignore[misc]
            assert {"sealed_field_by_look_up", "issue_pkey"} <= used, used
    actor = Actor("program", "tests")
    async with conn.transaction():
        used = await indexes(conn, lambda conn: residents.find(conn, RING, DISTRICT, actor, PHONE, "查", NOW))
        assert {"sealed_field_by_look_up", "issue_pkey"} <= used, used


async def test_what_older_keys_have_sealed_is_found_without_reading_the_rest(conn: asyncpg.Connection) -> None:
    ring = RING.rotated(NOW)
    older = [number.to_bytes(4, "big") for number in ring.keys if number != 1]
    question = resealing._select(resealing.COLUMNS[0], after=False)
    used = await indexes(conn, lambda conn: conn.fetch(question, DISTRICT, older))
    assert "sealed_field_by_key" in used, used


SAVERS = """
with one as (
  insert into volunteer (district, id, version, number, joined_at, recorded_at) values ($1, $2, 1, 'V1', $3, $3)
), account as (
  insert into time_account (district, id, version, kind, volunteer, opened_at, recorded_at)
  values ($1, $2, 1, 'volunteer', $2, $3, $3)
), made as (
  insert into time_transaction (district, id, kind, minutes, lines, served, happened_at, recorded_at, request)
  select $1, gen_random_uuid(), 'earn', 1, 2, 0, $3, $3, '' from generate_series(1, 5000) returning id
)
insert into time_entry (district, transaction, line, account, system, minutes, happened_at, recorded_at)
select $1, id, line, case line when 1 then $2 end, case line when 2 then 'issued' end, 3 - 2 * line, $3, $3
from made, generate_series(1, 2) line
"""


async def test_a_statement_comes_from_the_index_of_its_account(conn: asyncpg.Connection) -> None:
    volunteer, long_ago = UUID(int=7002), NOW - timedelta(days=9)
    async with conn.transaction():
        await conn.execute(SAVERS, DISTRICT, volunteer, long_ago)
        used = await indexes(conn, lambda conn: time_statements.page(conn, DISTRICT, volunteer, NOW, NOW, limit=50))
        assert "time_entry_by_account" in used
        used = await indexes(conn, lambda conn: time_sums.served_minutes(conn, DISTRICT, long_ago, NOW, NOW))
        assert "time_transaction_served" in used


# Filters of the list of commitments, and the index that answers them; by outcomes all are worked out.
PROMISED = {
    "the newest": (CommitmentFilters(), "commitment_newest"),
    "as they were": (CommitmentFilters(as_of=(NOW - timedelta(days=300)).date()), "commitment_newest"),
    "a member's": (CommitmentFilters(member=STRANGER.id), "commitment_by_member"),
    "a community's": (CommitmentFilters(community=NEAR), "commitment_audience_by_code"),
}


@pytest.mark.parametrize(("filters", "index"), PROMISED.values(), ids=PROMISED.keys())
async def test_a_list_of_commitments_comes_from_an_index(
    conn: asyncpg.Connection, filters: CommitmentFilters, index: str
) -> None:
    who = await reader(conn, LEADER)
    page = await commitments.page(conn, who, filters, ZONE, NOW)
    assert page.next, "there is more than a page"
    for cursor in (None, page.next):
        used = await indexes(
            conn,
            lambda conn, cursor=cursor: commitments.page(conn, who, filters, ZONE, NOW, cursor=cursor, total=False),  # type: ignore[misc]
        )
        assert index in used, used


async def test_the_newest_commitments_are_worked_out_and_no_others(conn: asyncpg.Connection) -> None:
    who = await reader(conn, LEADER)
    [plan] = await plans(
        conn, lambda conn: commitments.page(conn, who, CommitmentFilters(), ZONE, NOW, limit=20, total=False)
    )
    worked_out = [node["Plan Rows"] for node in nodes(plan) if node.get("CTE Name") == "judged"]
    assert worked_out
    assert max(worked_out) <= 21


async def test_commitments_in_public_are_found_among_all(conn: asyncpg.Connection) -> None:
    assert len(await commitments.public(conn, DISTRICT, NOW)) == 50
    used = await indexes(conn, lambda conn: commitments.public(conn, DISTRICT, NOW))
    assert {"commitment_standing", "commitment_done", "commitment_withdrawn"} <= used, used


async def test_commitments_to_a_door_come_from_its_audiences(conn: asyncpg.Connection) -> None:
    door = CardDoor(
        district=DISTRICT,
        number="D1",
        organisation=ORGANISATION,
        service_name="老王",
        revoked_at=None,
        visit=UUID(int=1),
        premises=DOOR,
        community=NEAR,
        position=None,
    )
    assert await commitments.of_door(conn, door, NOW)
    used = await indexes(conn, lambda conn: commitments.of_door(conn, door, NOW))
    assert {"commitment_audience_by_code", "commitment_pkey", "commitment_rating_by_rater"} <= used, used
    card = await conn.fetchval("select rater from commitment_rating where rated_by = 'people' limit 1")
    assert await commitment_records.of_cards(conn, DISTRICT, [card])
    used = await indexes(conn, lambda conn: commitment_records.of_cards(conn, DISTRICT, [card]))
    assert "commitment_rating_by_card" in used, used
