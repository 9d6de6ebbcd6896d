"""Filing single visits: those that arrive together share a transaction, and nobody suffers for it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from api import database
from api.filing import Busy, FilingQueue, Numbers
from api.settings import Settings
from maps.locator import Atlas
from surveys.people.people import Grant, Reader
from surveys.visits import visit_drafts
from surveys.visits.receipts import Receipt
from surveys.visits.visit_drafts import Filing, VisitDraft
from tests import doors, drafts
from tests.conftest import (
    DISPATCHER,
    DISTRICT,
    MEMBER,
    ORGANISATION,
    OTHER_WORKER,
    RING,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
    serving,
)
from tests.doors import file, written

pytestmark = pytest.mark.anyio

FILING_HELD_UP = """
select exists (select from pg_stat_activity
  where datname = current_database() and wait_event_type = 'Lock' and query ~ 'insert into visit')
"""


def reader(who: Person) -> Reader:
    grant = Grant("member", "own", "")
    return Reader(district=DISTRICT, member=who.id, name=who.name, organisation=ORGANISATION, grants=(grant,))


def filing(**changes: Any) -> Filing:
    return visit_drafts.filing(msgspec.convert(drafts.visit(**changes), VisitDraft), reader(MEMBER), None, RING)


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    async with await database.open_pool(dsn, most=2) as opened:
        yield opened


@pytest.fixture
async def queue(pool: asyncpg.Pool, clock: TestClock) -> FilingQueue:
    """A queue of five that nobody works on yet."""
    atlas = Atlas()
    async with database.acquired(pool) as conn:
        await atlas.refresh(conn)
    return FilingQueue(pool, atlas, Numbers(), clock, capacity=5)


async def test_the_same_visit_eight_times_at_once_is_one_visit(client: Client, conn: asyncpg.Connection) -> None:
    draft = drafts.visit(issues=[drafts.issue(), drafts.solved()])
    answers = await asyncio.gather(*[client.post("/api/visits", json=draft, headers=MEMBER.headers) for _ in range(8)])
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 7}
    receipts = [answer.json() for answer in answers]
    assert Counter(receipt.pop("status") for receipt in receipts) == {"filed": 1, "already_filed": 7}
    assert all(receipt == receipts[0] for receipt in receipts), "a retry gets the first receipt"
    assert await conn.fetchval("select count(*) from visit") == 1
    assert await conn.fetchval("select count(*) from issue") == 2


async def test_a_retry_after_the_issue_has_moved_on_gets_the_first_receipt(client: Client, clock: TestClock) -> None:
    draft = drafts.visit(issues=[drafts.issue()])
    first = await file(client, MEMBER, draft)
    clock.forward(hours=1)
    issue = draft["issues"][0]["id"]
    await doors.move(client, WORKER, issue, drafts.move("assign", 1, to=str(OTHER_WORKER.id)))
    correction = drafts.move("correct", 2, reason="在街对面", correction={"position": drafts.FAR_DOOR})
    await doors.move(client, DISPATCHER, issue, correction)
    assert await file(client, MEMBER, draft, status=200) == first | {"status": "already_filed"}


async def test_a_retry_after_the_visit_was_corrected_gets_the_first_receipt(client: Client) -> None:
    draft = drafts.visit(position=drafts.NEAR_DOOR)
    first = await file(client, MEMBER, draft)
    await doors.correct(client, MEMBER, draft["id"], drafts.correction(1, position=drafts.FAR_DOOR))
    assert await file(client, MEMBER, draft, status=200) == first | {"status": "already_filed"}


async def test_other_content_under_the_same_id_is_refused(client: Client, conn: asyncpg.Connection) -> None:
    draft = drafts.visit(note="有人")
    await file(client, MEMBER, draft)
    before = await written(conn)
    problem = await file(client, MEMBER, draft | {"note": "没人"}, status=409)
    assert (problem["code"], problem["field"]) == ("id_taken", "id")
    assert await written(conn) == before


async def test_another_member_s_id_reveals_nothing(client: Client) -> None:
    draft = drafts.visit(issues=[drafts.issue()])
    await file(client, MEMBER, draft)
    of_same = await file(client, STRANGER, draft, status=409)
    of_other = await file(client, MEMBER, draft | {"note": "另一份"}, status=409)
    of_same.pop("instance"), of_other.pop("instance")
    assert of_same == of_other
    assert MEMBER.name not in str(of_same)


async def test_two_members_with_one_id_at_once_one_wins(client: Client, conn: asyncpg.Connection) -> None:
    draft = drafts.visit()
    answers = await asyncio.gather(
        *[client.post("/api/visits", json=draft, headers=who.headers) for who in (MEMBER, STRANGER) * 4]
    )
    codes = Counter(answer.status_code for answer in answers)
    assert codes == {201: 1, 200: 3, 409: 4}
    assert await conn.fetchval("select count(*) from visit") == 1


async def test_forty_at_once_have_forty_numbers_and_every_refusal_is_its_own(client: Client) -> None:
    good = [drafts.visit(issues=[drafts.issue(), drafts.issue()]) for _ in range(40)]
    bad = [drafts.visit(issues=[drafts.issue(category="9999")]) for _ in range(8)]
    answers = await asyncio.gather(
        *[client.post("/api/visits", json=draft, headers=MEMBER.headers) for draft in [*good[:20], *bad, *good[20:]]]
    )
    assert Counter(answer.status_code for answer in answers) == {201: 40, 422: 8}
    numbers = [one["number"] for answer in answers if answer.status_code == 201 for one in answer.json()["issues"]]
    assert len(set(numbers)) == 80
    assert all(number.isdigit() and len(number) == 5 for number in numbers)


async def test_an_issue_s_id_that_another_visit_has_fails_alone(client: Client, conn: asyncpg.Connection) -> None:
    shared = drafts.issue()
    await file(client, MEMBER, drafts.visit(issues=[shared]))
    good = [drafts.visit(issues=[drafts.issue()]) for _ in range(6)]
    spoilt = drafts.visit(issues=[drafts.issue(), shared])
    answers = await asyncio.gather(
        *[client.post("/api/visits", json=draft, headers=MEMBER.headers) for draft in [*good[:3], spoilt, *good[3:]]]
    )
    assert [answer.status_code for answer in answers] == [201, 201, 201, 409, 201, 201, 201]
    assert doors.refused(answers[3], 409, "id_taken", "issues")
    assert await conn.fetchval("select count(*) from visit") == 7
    assert await conn.fetchval("select count(*) from issue") == 7


async def test_one_issue_s_id_in_two_visits_at_once_one_of_them_wins(client: Client, conn: asyncpg.Connection) -> None:
    shared = drafts.issue()
    answers = await asyncio.gather(
        *[
            client.post("/api/visits", json=drafts.visit(issues=[shared, drafts.issue()]), headers=MEMBER.headers)
            for _ in range(6)
        ]
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 5}
    assert await conn.fetchval("select count(*) from visit") == 1
    assert await conn.fetchval("select count(*) from issue") == 2


@pytest.mark.parametrize("of", ["itself", "another"])
async def test_an_issue_with_a_visit_s_id_spoils_nobody_s_filing(
    client: Client, conn: asyncpg.Connection, of: str
) -> None:
    first, good, spoilt = drafts.visit(), drafts.visit(), drafts.visit()
    await file(client, MEMBER, first)
    spoilt["issues"] = [drafts.issue(id=spoilt["id"] if of == "itself" else first["id"])]
    answers = await asyncio.gather(
        *[client.post("/api/visits", json=draft, headers=MEMBER.headers) for draft in (spoilt, good)]
    )
    if of == "itself":
        doors.refused(answers[0], 422, "duplicate_id", "issues")
    else:
        doors.refused(answers[0], 409, "id_taken")
    assert answers[1].status_code == 201
    assert await conn.fetchval("select count(*) from visit") == 2


async def test_a_full_queue_says_when_to_come_again(dsn: str, clock: TestClock, conn: asyncpg.Connection) -> None:
    settings = Settings(database_url=dsn, filing_queue=2, filing_connections=1)
    async with serving(settings, clock) as client:
        answers = await asyncio.gather(
            *[client.post("/api/visits", json=drafts.visit(), headers=MEMBER.headers) for _ in range(12)]
        )
        refused = [answer for answer in answers if answer.status_code == 503]
        filed = [answer for answer in answers if answer.status_code == 201]
        assert len(refused) + len(filed) == 12
        assert refused
        assert filed
        for answer in refused:
            doors.refused(answer, 503, "busy")
            assert int(answer.headers["retry-after"]) > 0
        assert await conn.fetchval("select count(*) from visit") == len(filed)
        await file(client, MEMBER, drafts.visit())


async def test_the_queue_takes_no_more_than_it_holds(queue: FilingQueue) -> None:
    waiting = [asyncio.create_task(queue.file(filing())) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await queue.file(filing())
    queue.start(1)
    assert all(isinstance(receipt, Receipt) for receipt in await asyncio.gather(*waiting))
    assert isinstance(await queue.file(filing()), Receipt)
    await queue.close()


async def test_what_waits_is_filed_before_the_server_stops(queue: FilingQueue, conn: asyncpg.Connection) -> None:
    waiting = [asyncio.create_task(queue.file(filing())) for _ in range(5)]
    await asyncio.sleep(0)
    queue.start(2)
    await queue.close()
    assert await conn.fetchval("select count(*) from visit") == 5
    assert all(isinstance(receipt, Receipt) for receipt in await asyncio.gather(*waiting))
    with pytest.raises(Busy):
        await queue.file(filing())


async def test_a_client_that_hangs_up_has_filed_all_the_same(queue: FilingQueue, conn: asyncpg.Connection) -> None:
    impatient, patient = (asyncio.create_task(queue.file(filing())) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    queue.start(1)
    assert isinstance(await patient, Receipt)
    await queue.close()
    assert await conn.fetchval("select count(*) from visit") == 2


async def test_a_request_that_is_cut_off_is_filed_and_its_retry_is_known(
    client: Client, conn: asyncpg.Connection, dsn: str
) -> None:
    draft = drafts.visit(issues=[drafts.issue()])
    holding_up = await database.connect(dsn)
    async with holding_up.transaction():
        await holding_up.execute("select from member where id = $1 for update", MEMBER.id)
        cut = asyncio.create_task(client.post("/api/visits", json=draft, headers=MEMBER.headers))
        while not await conn.fetchval(FILING_HELD_UP):  # noqa: ASYNC110 - only the database knows
            await asyncio.sleep(0.01)
        cut.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cut
    await holding_up.close()
    await file(client, MEMBER, draft, status=200)


async def test_two_processes_file_side_by_side(dsn: str, clock: TestClock, conn: asyncpg.Connection) -> None:
    settings = Settings(database_url=dsn, pool_size=2)
    async with serving(settings, clock) as one, serving(settings, clock) as other:
        shared = [drafts.visit(issues=[drafts.issue()]) for _ in range(20)]
        own = [drafts.visit(issues=[drafts.issue()]) for _ in range(20)]
        deeds = [(client, draft) for draft in shared for client in (one, other)] + [(other, draft) for draft in own]
        answers = await asyncio.gather(
            *[client.post("/api/visits", json=draft, headers=MEMBER.headers) for client, draft in deeds]
        )
        assert Counter(answer.status_code for answer in answers) == {201: 40, 200: 20}
        assert await conn.fetchval("select count(distinct number) from issue") == 40
