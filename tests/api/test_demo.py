"""The demo district: as large as promised, the same each time, and as true to its history as what was filed live."""

import hashlib
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from api import database, demo, migrations
from api.demo import loading, people, rounds, words
from api.demo.workdays import DAYS, ZONE, Workdays, midnight
from maps.locator import Atlas
from surveys import history_seals
from surveys.access import sessions
from surveys.assessments import public_stars
from surveys.clock import calendars, clock, deadlines
from surveys.clock.clock import Due, Span
from surveys.issues import issues, workflow
from surveys.issues.issues import IssueRow
from surveys.issues.workflow import Standing
from surveys.privacy import contacts
from surveys.questionnaires.questionnaire_fields import Field, hold
from surveys.refusals import NotSignedIn, Refusal
from surveys.return_visits.return_visit_answers import HANDLING
from surveys.visits import visit_drafts, visits
from tests.conftest import RING, Server

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]  # the demo is loaded once

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
DISTRICT = 410103
OPEN = list(workflow.OPEN)


@asynccontextmanager
async def empty(server: Server) -> AsyncIterator[str]:
    """A migrated database without a district."""
    name = f"demo_{uuid4().hex[:12]}"
    owner = await asyncpg.connect(server.dsn())
    await owner.execute(f"create database {name}")
    conn = await asyncpg.connect(server.dsn(name=name))
    await migrations.migrate(conn)
    await conn.close()
    yield server.dsn("zoufang_app", name)
    await owner.execute(f"drop database {name} with (force)")
    await owner.close()


@pytest.fixture(scope="session")
async def loaded(server: Server, anyio_backend: str) -> AsyncIterator[str]:
    """A database with the demo in it, loaded once for all; what a test changes it takes back."""
    async with empty(server) as dsn:
        conn = await database.connect(dsn)
        async with conn.transaction():
            await demo.load(conn, RING, TODAY)
        await conn.close()
        yield dsn


@pytest.fixture
async def conn(loaded: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await database.connect(loaded)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


async def count(conn: asyncpg.Connection, of: str) -> int:
    found: int = await conn.fetchval(f"select count(*) from {of}")
    return found


async def tally(conn: asyncpg.Connection, question: str) -> dict[str, float]:
    """What a question of two columns answers, by the first."""
    return {key: value for key, value in await conn.fetch(question)}  # noqa: C416 - a record is not a pair to mypy


async def test_the_district_is_as_large_as_promised(conn: asyncpg.Connection) -> None:
    assert await count(conn, "street") == 16
    assert await count(conn, "community") == 176
    assert await count(conn, "organisation") == 586
    assert await count(conn, "member") == 17_727
    assert await count(conn, "visit") == 5_000
    assert 3_000 <= await count(conn, "issue") <= 4_000


async def test_organisations_are_one_tree(conn: asyncpg.Connection) -> None:
    reached = await conn.fetch(
        "with recursive below as (select id, 1 as depth from organisation where parent is null"
        " union all select o.id, depth + 1 from organisation o join below b on o.parent = b.id)"
        " select depth, count(*) from below group by depth order by depth"
    )
    assert [depth for depth, _ in reached] == [1, 2, 3, 4]
    assert sum(number for _, number in reached) == 586


async def test_every_office_is_held(conn: asyncpg.Connection) -> None:
    held = await conn.fetch("select role, scope_kind, count(distinct scope) from member_role group by 1, 2")
    assert {(role, kind): number for role, kind, number in held} == {
        ("member", "own"): 1,
        ("community_worker", "community"): 176,
        ("dispatcher", "street"): 16,
        ("dispatcher", "district"): 1,
        ("department_handler", "department"): 14,
        ("leader", "street"): 16,
        ("leader", "district"): 1,
        ("administrator", "district"): 1,
        ("auditor", "district"): 1,
        ("organiser", "organisation"): 192,  # of the committees of streets and the general branches of communities
    }
    assert await count(conn, "member_role where role = 'community_worker'") == 176


async def test_the_boundaries_say_that_they_are_a_demo(conn: asyncpg.Connection) -> None:
    [version] = await conn.fetch("select source, valid_from from boundary_version")
    assert version["source"] == "demo"
    assert version["valid_from"] < await conn.fetchval("select min(started_at) from visit") - timedelta(days=30)


async def test_issues_are_in_every_state_that_the_workflow_leads_to(conn: asyncpg.Connection) -> None:
    reachable = {"reported", "paused"} | {rule.leads for rule in workflow.MOVES.values() if rule.leads}
    states = await tally(conn, "select state, count(*) from issue group by state")
    assert states.keys() == reachable
    assert min(states.values()) >= 20
    assert await count(conn, "history where event = 'reopen'") >= 40
    overdue = await conn.fetchval("select count(*) from issue where state = any($1) and due_at < $2", OPEN, NOW)
    assert 100 <= overdue <= 500


async def test_places_are_as_uncertain_as_phones_make_them(conn: asyncpg.Connection) -> None:
    for table in ("visit", "issue"):
        certainties = await tally(conn, f"select certainty, count(*) from {table} group by 1")
        assert certainties.keys() == {"inside", "near_line", "outside", "unplaced"}
        assert certainties["inside"] > 0.8 * sum(certainties.values())
    assert await count(conn, "visit where position_system = 'gcj02'") > 500
    assert (await tally(conn, "select flag, count(*) from visit_flag group by 1")).keys() == {
        "outside_district",
        "card_already_bound",
        "door_of_another",
    }


async def test_doors_wait_were_tried_again_and_were_found_on_the_way(conn: asyncpg.Connection) -> None:
    states = await tally(conn, "select state, count(*) from premises group by 1")
    assert states["proposed"] > 50
    assert states["confirmed"] > 5_000
    of_each = "select premises, count(*) as visits from visit group by premises"
    visited = await count(conn, f"({of_each}) visited")
    assert 0.5 < visited / sum(states.values()) < 0.8
    assert await count(conn, f"({of_each}) visited where visits > 1") > 100
    held = await count(conn, "assignment")
    assert 0.9 < held / states["confirmed"] < 1, "some doors nobody has"
    ways = "select member from assignment group by member having min(place) <> 1 or max(place) <> count(*)"
    assert await count(conn, f"({ways}) gaps") == 0, "each member's way is numbered through"


async def test_answers_fit_their_questionnaires(conn: asyncpg.Connection) -> None:
    asked = "select questionnaire, count(*) from visit where questionnaire is not null group by 1"
    assert (await tally(conn, asked)).keys() == {"shop", "enterprise", "household"}
    of_version = "select questionnaire, fields from questionnaire_version"
    fields = {row["questionnaire"]: msgspec.convert(row["fields"], list[Field]) for row in await conn.fetch(of_version)}
    texts = await conn.fetch(
        "select v.questionnaire, t.body->>'answers' as answers from visit v join text_version t"
        " on t.district = v.district and t.subject = v.id and t.version = 1 where v.questionnaire is not null"
    )
    unfit = [
        held.unfit
        for row in texts
        if (held := hold(fields[row["questionnaire"]], msgspec.json.decode(row["answers"])["values"])).unfit
    ]
    assert unfit == []


async def test_the_centre_is_visited_more_than_the_outskirts(conn: asyncpg.Connection) -> None:
    of_street = await tally(
        conn,
        "select c.street, count(*)::float / count(distinct c.code) from visit v"
        " join community c on c.code = v.community group by 1",
    )
    assert of_street["410103010"] > 2 * of_street["410103100"]


async def test_nothing_is_dated_today_or_later(conn: asyncpg.Connection) -> None:
    latest = await conn.fetchrow(
        "select greatest((select max(ended_at) from visit), (select max(recorded_at) from visit),"
        " (select max(recorded_at) from history), (select max(reported_at) from issue),"
        " (select max(valid_from) from issue_spans), (select max(recorded_at) from text_version)) as at"
    )
    assert latest is not None
    assert latest["at"] < midnight(TODAY)
    assert await conn.fetchval("select min(started_at) from visit") > midnight(TODAY - timedelta(days=130))


async def test_every_issue_has_an_owner_a_channel_and_a_limit_of_its_category(conn: asyncpg.Connection) -> None:
    wrong = await conn.fetchval(
        "select count(*) from issue i left join category_limit l on (l.district, l.category, l.urgency, l.version)"
        " = (i.district, i.category, i.urgency, i.limit_version) left join member m on m.id = i.owner"
        " where m.id is null or l.amount is distinct from i.limit_amount"
    )
    assert wrong == 0


async def test_every_issue_is_due_in_working_time(conn: asyncpg.Connection) -> None:
    calendar = await calendars.in_force(conn, DISTRICT, NOW)
    rows = await conn.fetch(
        "select id, clock_started_at, limit_amount, limit_unit, extension, due_at, due_provisional, state from issue"
    )
    pauses = await deadlines.pauses_of(conn, DISTRICT, [row["id"] for row in rows])
    for row in rows:
        span, paused = Span(row["limit_amount"], row["limit_unit"]), pauses.get(row["id"], [])
        due = clock.due(calendar, span, row["clock_started_at"], paused, row["extension"])
        assert due == Due(row["due_at"], row["due_provisional"])
    assert {row["limit_unit"] for row in rows} == {"working_days", "working_hours", "calendar_hours"}
    late = sum(row["due_at"] < NOW and row["state"] in OPEN for row in rows)
    assert 0.02 < late / len(rows) < 0.3, "some are late, and most are not"


async def test_history_rebuilds_every_issue(conn: asyncpg.Connection) -> None:
    facts: dict[UUID, list[dict[str, object]]] = defaultdict(list)
    for row in await conn.fetch("select thing, facts from history where kind = 'issue' order by thing, version"):
        facts[row["thing"]].append(row["facts"])
    rows = [IssueRow(**row) for row in await conn.fetch(f"select {issues.ROW} from issue")]
    assert len(rows) == len(facts)
    for issue in rows:
        assert issues.rebuilt(DISTRICT, issue.id, facts[issue.id], issue.recorded_at) == issue


async def test_spans_follow_one_another_and_the_last_is_the_row(conn: asyncpg.Connection) -> None:
    last = await conn.fetchval(
        "select count(*) from issue i join issue_spans s on s.issue = i.id and s.version = i.version"
        " and s.valid_to = 'infinity' and s.end_recorded_at = 'infinity'"
        " and (s.state, s.owner, s.category, s.urgency, s.due_at) = (i.state, i.owner, i.category, i.urgency, i.due_at)"
        " and s.department is not distinct from i.department and s.community is not distinct from i.community"
    )
    assert last == await count(conn, "issue")
    broken = await conn.fetchval(
        "select count(*) from issue_spans s left join issue_spans n on n.issue = s.issue and n.version = s.version + 1"
        " where n.issue is not null and (s.valid_to <> n.valid_from or s.end_recorded_at <> n.recorded_at)"
        " or n.issue is null and s.valid_to <> 'infinity'"
    )
    assert broken == 0


async def test_every_move_is_one_that_the_workflow_lets_its_actor_make(conn: asyncpg.Connection) -> None:
    """But for what was solved at the door, which was accepted by nobody; and for what residents say, and jobs do."""
    roles: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in await conn.fetch("select member, role, scope from member_role where role <> 'member'"):
        roles[str(row["member"])].add((row["role"], row["scope"]))
    moves = await conn.fetch(
        "select h.event, h.actor, h.facts->>'state' as state, s.state as was, s.owner, s.department, s.community,"
        " i.reporter, c.street, s.offered_to as offered,"
        " (select r.actor from history r where r.district = h.district and r.thing = h.thing and r.event = 'resolve'"
        "  and r.version < h.version order by r.version desc limit 1) as resolver"
        " from history h join issue i on i.id = h.thing"
        " join issue_spans s on s.district = h.district and s.issue = h.thing and s.version = h.version - 1"
        " left join community c on c.code = i.community"
        " where h.kind = 'issue' and not (i.channel = 'on_the_spot' and h.version = 2)"
        " and h.event <> all('{invite,lapse,answer,absorb}') and not h.facts ? 'by_resident'"
    )
    for move in moves:
        rule, held = workflow.MOVES[move["event"]], roles[move["actor"]]
        persons: tuple[Standing, ...] = ("owner", "reporter", "resolver", "offered")
        stands = {name for name in persons if move["actor"] == str(move[name])}
        stands |= {"community_worker"} if ("community_worker", move["community"]) in held else set()
        stands |= {"handler"} if ("department_handler", move["department"]) in held else set()
        stands |= {"dispatcher"} if held & {("dispatcher", move["street"]), ("dispatcher", "410103")} else set()
        assert move["was"] in rule.starts
        if move["event"] not in ("accept", "assign", "approve", "resume"):  # which lead where the issue says
            assert move["state"] == workflow.after(move["was"], move["event"])
        lets = workflow.lets(move["was"], move["event"], frozenset(stands))
        assert lets, f"{move['event']} by somebody who is {stands or 'nobody'} to it"
    assert len(moves) > 5_000


async def test_residents_are_asked_and_most_of_them_are_content(conn: asyncpg.Connection) -> None:
    states = await tally(conn, "select state, count(*) from return_visit group by 1")
    assert states.keys() == {"invited", "answered", "lapsed", "void"}
    assert min(states.values()) >= 20
    stars = await tally(
        conn, "select satisfaction::text, count(*) from return_visit where solved is not null group by 1"
    )
    assert stars.keys() == {"1", "2", "3", "4", "5"}
    assert stars["4"] + stars["5"] > 0.75 * sum(stars.values())
    assert await count(conn, "return_visit where not solved") >= 60
    assert (await tally(conn, "select via, count(*) from return_visit group by 1")).keys() >= {"card", "visit", "call"}
    wrong = await conn.fetchval(
        "select count(*) from issue i left join return_visit r on r.issue = i.id and r.round = i.resolutions"
        " where i.state in ('resolved', 'closed') and (r.id is null or r.state = 'void'"
        " or (i.state = 'resolved') <> (r.state = 'invited')"
        " or i.answer is distinct from case r.state when 'lapsed' then 'not_answered' when 'answered' then 'solved'"
        "  else i.answer end"
        " or r.state = 'answered' and i.satisfaction <> r.satisfaction)"
    )
    assert wrong == 0
    unheard = await conn.fetchval(
        "select count(*) from return_visit r where state = 'answered' and not exists (select from history h"
        " where h.id = r.event and h.thing = r.issue and h.event = 'answer' and h.happened_at = r.answered_at)"
    )
    assert unheard == 0
    for_themselves = await conn.fetchval(
        "select count(*) from return_visit r join issue i on i.id = r.issue where r.member = i.owner or exists ("
        " select from history h where h.thing = r.issue and h.actor = r.member::text"
        " and h.happened_at < r.answered_at and h.event = any($1))",
        sorted(HANDLING),
    )
    assert for_themselves == 0


async def test_desks_ask_judge_hand_on_and_merge(conn: asyncpg.Connection) -> None:
    events = await tally(conn, "select event, count(*) from history where kind = 'issue' group by 1")
    for event, least in {
        "extend": 10,
        "pause": 25,
        "return": 15,
        "approve": 40,
        "refuse": 5,
        "resume": 3,
        "decline": 2,
        "merge": 20,
    }.items():
        assert events[event] >= least, events
    assert await count(conn, "issue where extension > 0") >= 5
    assert await count(conn, "issue where asked is not null") >= 10
    assert await count(conn, "issue where offered_to is not null") >= 3
    channels = await tally(conn, "select channel, count(*) from issue group by 1")
    assert channels.keys() >= {"on_the_spot", "joint_review", "agent"}


async def test_texts_are_filled_in_and_clean(conn: asyncpg.Connection) -> None:
    bodies = await conn.fetch("select body from text_version")
    texts = [text for row in bodies for name, text in row["body"].items() if name != "answers"]
    assert len(texts) > 15_000
    assert not [text for text in texts if set(text) & set("{}<>$`") or not text.isprintable() or text != text.strip()]


async def test_every_problem_told_of_is_a_category_that_takes_issues(conn: asyncpg.Connection) -> None:
    codes = {row["category"] for row in await conn.fetch("select distinct category from category_limit")}
    assert words.problems().keys() <= codes


async def test_live_filings_get_fresh_numbers(conn: asyncpg.Connection) -> None:
    numbers = await issues.reserve_numbers(conn, DISTRICT, 1)
    assert numbers[0] == await conn.fetchval("select max(number) from issue") + 1


async def test_a_visit_of_the_demo_is_known_again_when_its_phone_sends_it_again(conn: asyncpg.Connection) -> None:
    invented = loading.invent(Workdays(TODAY))
    filed = next(one for one in invented.filed if one.draft.issues)
    atlas = Atlas()
    await atlas.refresh(conn)
    filing = visit_drafts.filing(filed.draft, invented.everybody.reader(DISTRICT, filed.visit.member), None, RING)
    [receipt] = await visits.file(conn, atlas, iter(range(len(filed.draft.issues))), [filing], NOW)
    assert not isinstance(receipt, Refusal)
    assert receipt.status == "already_filed"
    assert [issue.id for issue in receipt.issues] == [issue.id for issue in filed.draft.issues]


async def test_tokens_open_desks_that_are_worth_a_look(conn: asyncpg.Connection) -> None:
    first = await demo.tokens(conn, NOW)
    tokens = await demo.tokens(conn, NOW)
    readers = {who: await sessions.reader(conn, sessions.credential(token), NOW) for who, token in tokens.items()}
    assert readers["member"].roles() == {"member"}
    assert await count(conn, f"visit where member = '{readers['member'].member}'") >= 10
    assert await count(conn, f"issue where reporter = '{readers['member'].member}' and state = 'reported'") >= 1
    [community] = readers["worker"].scopes("community")
    open_ = await conn.fetchval("select count(*) from issue where community = $1 and state = any($2)", community, OPEN)
    assert open_ >= 30
    assert ("leader", "district") in {(grant.role, grant.scope_kind) for grant in readers["leader"].grants}
    assert "administrator" in readers["administrator"].roles()
    with pytest.raises(NotSignedIn):
        await sessions.reader(conn, sessions.credential(first["leader"]), NOW)


def digest(today: date) -> str:
    """A digest of all that is invented; dates are left out, for they are all that may differ."""
    invented = loading.invent(Workdays(today))
    drafts = [
        msgspec.structs.replace(
            one.draft,
            started_at=NOW,
            ended_at=NOW,
            issues=tuple(msgspec.structs.replace(issue, solved_on_spot=None) for issue in one.draft.issues),
        )
        for one in invented.filed
    ]
    hows = [one.hows for one in invented.filed]
    everybody = [invented.everybody.organisations, invented.everybody.members, invented.everybody.grants]
    content = msgspec.json.encode([drafts, hows, [one.visit.at for one in invented.filed], everybody])
    return hashlib.sha256(content).hexdigest()


def test_the_same_is_invented_on_every_day_and_in_every_process() -> None:
    elsewhere = subprocess.run(
        [sys.executable, "-c", "from tests.api.test_demo import *; print(digest(date(2027, 2, 28)))"],
        env={"PYTHONHASHSEED": "4711", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.strip() == digest(TODAY)


ROWS = {
    "member": "select * from member order by id",
    "premises": "select * from premises order by id",
    "assignment": "select * from assignment order by premises",
    "visit": "select * from visit order by id",
    "issue": "select * from issue order by id",
    "return_visit": "select * from return_visit order by id",
    "issue_spans": "select * from issue_spans order by issue, version",
    "history": "select id, thing, version, event, actor, happened_at, recorded_at from history order by id",
    "texts": "select subject, version, body from text_version order by subject, version",
}


async def test_every_text_that_its_history_names_is_there(conn: asyncpg.Connection) -> None:
    assert (await history_seals.verify(conn, DISTRICT)).broken is None


@pytest.mark.long
async def test_the_same_rows_are_written_each_time(server: Server, conn: asyncpg.Connection) -> None:
    async with empty(server) as dsn:
        other = await database.connect(dsn)
        async with other.transaction():
            await demo.load(other, RING, TODAY)
        for name, question in ROWS.items():
            assert await other.fetch(question) == await conn.fetch(question), name
        await other.close()


@pytest.mark.parametrize("today", [TODAY, date(2026, 11, 22), date(2027, 1, 1), date(2024, 3, 1)])
def test_working_days_end_before_today_and_keep_their_order(today: date) -> None:
    days = Workdays(today)
    assert days.days[-1] < today
    assert len(days.days) == len(set(days.days)) == DAYS
    assert not [day for day in days.days if day.weekday() > 4]
    moments = [days.moment(at / 10) for at in range(DAYS * 10)]
    assert moments == sorted(set(moments))
    assert days.moment(DAYS - 0.001) < midnight(today)
    on_weekends = [days.moment(float(day), weekend=True).astimezone(ZONE) for day in range(DAYS)]
    assert {moment.weekday() for moment in on_weekends} == {5}
    assert days.first < on_weekends[0]


def test_a_total_is_parted_whole() -> None:
    assert people.shares([1, 1, 1], 10) in ([4, 3, 3], [3, 4, 3], [3, 3, 4])
    assert people.shares([0, 5], 3) == [0, 3]
    assert sum(people.shares([0.3, 17.2, 4.4, 9.9], 17_727)) == 17_727


async def test_volunteers_serve_in_teams_of_every_kind_but_a_few(conn: asyncpg.Connection) -> None:
    assert await count(conn, "volunteer_team") == 8
    assert await count(conn, "team_volunteer") == await count(conn, "volunteer") >= 60
    assert await conn.fetchval("select count(*) from volunteer_team where leader is null") == 0
    shown = (await loading.accounts(conn))["member"]
    leads = "select count(*) from volunteer_team t join volunteer v on v.id = t.leader where v.member = $1"
    assert await conn.fetchval(leads, shown.id) == 1, "the member whose desk is shown leads a team"


async def test_the_last_month_s_points_are_published(conn: asyncpg.Connection) -> None:
    (board,) = await conn.fetch("select month, deeds from points_board")
    assert board["month"] == date(2026, 10, 1)
    assert board["deeds"] == 4, "the services of that month"


async def test_some_left_a_name_and_a_number_that_nobody_has(conn: asyncpg.Connection) -> None:
    of_issues = "select distinct subject from sealed_field where field <> 'volunteer_phone'"
    told = [row["subject"] for row in await conn.fetch(of_issues)]
    assert 0.2 < len(told) / await count(conn, "issue") < 0.4
    for kept in (await contacts.of_issues(conn, DISTRICT, told)).values():
        contact = kept.plain(RING)
        assert contact.name
        assert contact.phone.startswith("120")
        assert len(contact.phone) == 11


async def test_points_follow_rules_and_two_teams_are_models(conn: asyncpg.Connection) -> None:
    rules = await conn.fetch("select version, valid_from from points_rules where district = $1", loading.DISTRICT)
    assert [one["version"] for one in rules] == [1]
    assert await conn.fetchval("select count(*) from model where state = 'approved'") == 2


async def test_the_stars_of_windows_stand_on_the_public_board_and_no_member_s(conn: asyncpg.Connection) -> None:
    (published,) = await public_stars.latest(conn, DISTRICT, limit=10)
    assert (published.kind, published.rated) == ("window", len(rounds.WINDOWS))
    assert {one.name for one in published.items} <= set(rounds.WINDOWS)
    assert all(one.stars > 0 for one in published.items)
