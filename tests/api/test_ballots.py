"""Ballots: slips and a roll, weights and groups too small to be told, every vote that is refused; and that a dump of
the database cannot tell who cast which vote, by time, by order, or by where a row lies."""

import os
import re
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from api import database
from api.postgres_programs import Account, find_programs
from api.settings import Settings
from surveys.assessments import ballot_boxes, ballot_changes, ballot_slips
from surveys.assessments.ballot_terms import Code, Printing
from surveys.people import people
from tests import drafts
from tests.api.test_logs import Lines, lines
from tests.conftest import (
    ADMINISTRATOR,
    BESIDE,
    DISTRICT,
    EVERYBODY,
    LEADER,
    MEMBER,
    MEMBER_BESIDE,
    NOW,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    RING,
    STRANGER,
    Client,
    Person,
    TestClock,
    serving,
)
from tests.doors import Answer, answered, read, refused

pytestmark = pytest.mark.anyio

assert lines  # a fixture

PATH = "/api/assessments/ballots"
VOTERS = [one for one in EVERYBODY if one.role not in ("auditor", "operator")]


def a_ballot(**changes: Any) -> drafts.Draft:
    """Three kinds of votes on a member and on an organisation, for two days from the tests' noon on."""
    return {
        "id": str(uuid4()),
        "organisation": str(ORGANISATION),
        "title": "年度民主测评",
        "opens_at": NOW.isoformat(),
        "closes_at": (NOW + timedelta(days=2)).isoformat(),
        "candidates": [{"member": MEMBER.number}, {"organisation": str(BESIDE)}],
        "groups": [
            {"code": "A", "name": "领导", "weight": 30, "way": "roll"},
            {"code": "B", "name": "中层", "weight": 20, "way": "slips"},
            {"code": "C", "name": "群众", "weight": 50, "way": "slips"},
        ],
    } | changes


async def make(client: Client, draft: drafts.Draft, who: Person = ORGANISER) -> httpx.Response:
    return await client.post(PATH, json=draft, headers=who.headers)


async def enrol(client: Client, id_: str, voters: Sequence[Person], group: str = "A") -> httpx.Response:
    body = {"id": str(uuid4()), "group": group, "members": [one.number for one in voters]}
    return await client.post(f"{PATH}/{id_}/roll", json=body, headers=ORGANISER.headers)


async def slips(conn: asyncpg.Connection, id_: str, group: Code, count: int) -> Sequence[str]:
    """Slips as their printing makes them."""
    reader = await people.reader(conn, DISTRICT, ORGANISER.number)
    assert reader
    async with conn.transaction():
        _, codes = await ballot_changes.print_slips(conn, reader, UUID(id_), Printing(group=group, count=count), NOW)
    return codes


async def move(client: Client, id_: str, name: str, version: int, who: Person = ORGANISER, **more: Any) -> Answer:
    body = {"id": str(uuid4()), "move": name, "expected_version": version} | more
    return answered(await client.post(f"{PATH}/{id_}/moves", json=body, headers=who.headers), 200)


async def vote(client: Client, id_: str, who: Person, *choices: int) -> httpx.Response:
    return await client.post(f"{PATH}/{id_}/votes", json={"choices": choices}, headers=who.headers)


async def drop(client: Client, id_: str, code: str, *choices: int) -> httpx.Response:
    client.cookies.clear()
    return await client.post("/ballot/votes", json={"code": code, "ballot": id_, "choices": choices})


async def test_a_ballot_from_the_roll_to_its_result(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    draft = a_ballot()
    made = answered(await make(client, draft), 201)
    assert answered(await make(client, draft), 201) == made, "a retry gets its first answer"
    id_ = draft["id"]
    assert answered(await enrol(client, id_, VOTERS[:6]), 201) == {"count": 6}
    of_people, of_middle = await slips(conn, id_, "C", 7), await slips(conn, id_, "B", 4)

    asked = answered(await client.post("/ballot/form", json={"code": of_people[0].lower().replace("-", " ")}), 200)
    assert asked["candidates"] == [f"{MEMBER.name}（第一支部）", "第二支部"]
    assert asked["options"] == ["优秀", "称职", "基本称职", "不称职"]
    for voter, choices in zip(VOTERS[:5], [(1, 2), (1, 2), (2, 2), (2, 2), (4, 2)], strict=True):
        answered(await vote(client, id_, voter, *choices), 201)
    for code, choices in zip(of_people, [(1, 1), (1, 1), (1, 3), (2, 3), (2, 4), (3, 4), (4, 4)], strict=True):
        answered(await drop(client, id_, code, *choices), 201)
    for code in of_middle:
        answered(await drop(client, id_, code, 4, 4), 201)

    before = await read(client, ORGANISER, f"{PATH}/{id_}")
    assert before["result"] is None
    assert [(one["code"], one["enrolled"], one["marked"], one["used"]) for one in before["groups"]] == [
        ("A", 6, 5, 0),
        ("B", 0, 0, 4),
        ("C", 0, 0, 7),
    ]
    roll = (await read(client, ORGANISER, f"{PATH}/{id_}/roll"))["items"]
    assert {one["name"] for one in roll if not one["marked"]} == {VOTERS[5].name}
    refused(await client.get(f"{PATH}/{id_}/result", headers=ORGANISER.headers), 409, "not_counted")

    clock.forward(days=2)
    assert (await move(client, id_, "count", 1))["state"] == "counted"
    found = await read(client, ORGANISER, f"{PATH}/{id_}/result")
    assert found["verified"]
    assert [(one["code"], one["votes"]) for one in found["result"]["groups"]] == [("A", 5), ("B", None), ("C", 7)]
    first, second = found["result"]["candidates"]
    # A: (100 + 100 + 80 + 80 + 0) / 5; C: (3 × 100 + 2 × 80 + 60 + 0) / 7; by 30 and 50 of 80
    assert [one["mean"] for one in first["groups"]] == [72.0, 74.29]
    assert [one["share"] for one in first["groups"]] == [37.5, 62.5]
    assert first["score"] == 73.43
    assert second["score"] == pytest.approx((80 * 30 + 320 / 7 * 50) / 80, abs=0.005)
    refused(await client.get(f"{PATH}/{id_}/result", headers=MEMBER_BESIDE.headers), 404, "not_found")
    await move(client, id_, "publish", 2)
    assert (await read(client, MEMBER_BESIDE, f"{PATH}/{id_}/result"))["result"] == found["result"]


async def test_of_a_group_of_four_votes_nothing_is_left_anywhere(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    """Not in the result, not in the box, and not as the difference between two totals: two ballots that differ in
    nothing but how such a group voted come to the same."""
    found = []
    for choice in (1, 4):
        draft = a_ballot()
        answered(await make(client, draft), 201)
        for code in await slips(conn, draft["id"], "C", 5):
            answered(await drop(client, draft["id"], code, 2, 3), 201)
        for code in await slips(conn, draft["id"], "B", 4):
            answered(await drop(client, draft["id"], code, choice, choice), 201)
        found.append(draft["id"])
    clock.forward(days=2)
    results = []
    for id_ in found:
        await move(client, id_, "count", 1)
        results.append((await read(client, ORGANISER, f"{PATH}/{id_}/result"))["result"])
    assert results[0] == results[1]
    kept = await conn.fetch("select sealed, counts, salt from ballot_box where code = 'B'")
    assert [tuple(row.values()) for row in kept] == [(None, None, None)] * 2


async def test_every_vote_that_is_not_in_order_is_refused_and_changes_no_box(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    draft, other = a_ballot(), a_ballot(opens_at=(NOW + timedelta(hours=1)).isoformat())
    for one in (draft, other):
        answered(await make(client, one), 201)
    id_ = draft["id"]
    answered(await enrol(client, id_, [MEMBER, LEADER]), 201)
    refused(await enrol(client, id_, [LEADER], "B"), 409, "already_on_roll", "members")
    [code, spare], [coming] = await slips(conn, id_, "C", 2), await slips(conn, other["id"], "C", 1)
    answered(await drop(client, id_, code, 1, 1), 201)
    answered(await vote(client, id_, MEMBER, 1, 1), 201)
    boxes = "select ballot, code, sealed from ballot_box order by 1, 2"
    before = await conn.fetch(boxes)

    refused(await drop(client, id_, code, 2, 2), 409, "slip_used", "code")
    refused(await client.post("/ballot/form", json={"code": code}), 409, "slip_used", "code")
    refused(await drop(client, id_, coming, 1, 1), 409, "slip_of_another_ballot", "code")
    refused(await drop(client, other["id"], coming, 1, 1), 409, "ballot_not_open")
    refused(await drop(client, id_, spare, 1, 5), 422, "unknown_option", "choices[1]")
    refused(await drop(client, id_, spare, 0, 1), 422, "unknown_option", "choices[0]")
    refused(await drop(client, id_, spare, 1), 422, "choices_do_not_fit", "choices")
    for wrong in ("", "1", "410103-0000-0000-0000-0000", spare[:-1], "9" * 100, "区-" + spare[7:], spare[7:]):
        refused(await drop(client, id_, wrong, 1, 1), 422, "slip_unknown", "code")
    refused(await vote(client, id_, MEMBER, 2, 2), 409, "already_voted")
    refused(await vote(client, id_, STRANGER, 1, 1), 404, "not_found")
    refused(await vote(client, id_, ORGANISER, 1, 1), 403, "not_on_roll")
    refused(await vote(client, id_, LEADER, 1, 9), 422, "unknown_option", "choices[1]")
    clock.forward(days=2)
    refused(await drop(client, id_, spare, 1, 1), 409, "ballot_closed")
    refused(await vote(client, id_, LEADER, 1, 1), 409, "ballot_closed")
    assert await conn.fetch(boxes) == before
    marks = await conn.fetchrow(
        "select marks::text, used::text from ballot_turnout where ballot = $1 and code = 'A'", id_
    )
    assert marks is not None
    assert marks["marks"].count("1") == 1, "who was refused can vote still"


async def test_who_tries_codes_has_to_wait_and_who_has_one_does_not(dsn: str, clock: TestClock) -> None:
    async with serving(Settings(database_url=dsn, pool_size=4, sign_in_burst=3), clock) as client:
        draft = a_ballot()
        answered(await make(client, draft), 201)
        conn = await database.connect(dsn)
        codes = await slips(conn, draft["id"], "C", 6)
        for _ in range(3):
            refused(await drop(client, draft["id"], "410103-0000-0000-0000-0000", 1, 1), 422, "slip_unknown", "code")
        refused(await drop(client, draft["id"], "410103-0000-0000-0000-0000", 1, 1), 429, "too_many_requests")
        for code in codes:
            answered(await drop(client, draft["id"], code, 1, 1), 201)
        await conn.close()


async def test_a_ballot_that_could_not_be_counted_is_not_made(client: Client) -> None:
    groups = a_ballot()["groups"]
    for changes, status, code, field in (
        ({"groups": [groups[0] | {"weight": 31}, *groups[1:]]}, 422, "weights_do_not_sum", "groups"),
        ({"groups": [groups[0], groups[0] | {"weight": 20}, groups[2]]}, 422, "duplicate_id", "groups"),
        ({"options": [{"name": "同意"}, {"name": "反对"}]}, 422, "points_missing", "options"),
        ({"closes_at": NOW.isoformat()}, 422, "times_reversed", "closes_at"),
        ({"candidates": [{"member": MEMBER.number}] * 2}, 422, "duplicate_id", "candidates"),
        ({"candidates": [{"member": "nobody"}]}, 422, "unknown_member", "candidates[0].member"),
        ({"candidates": [{"matter": "甲", "member": "1"}]}, 422, "missing", "candidates[0]"),
        ({"candidates": [{"matter": " "}]}, 422, "text_unusable", "candidates[0].matter"),
        ({"organisation": str(BESIDE)}, 422, "unknown_organisation", "organisation"),
    ):
        refused(await make(client, a_ballot(**changes)), status, code, field)
    refused(await make(client, a_ballot(), MEMBER), 403, "not_allowed")


async def test_only_its_holder_counts_and_only_once_it_is_closed(client: Client, clock: TestClock) -> None:
    draft = a_ballot()
    answered(await make(client, draft), 201)
    body = {"id": str(uuid4()), "move": "count", "expected_version": 1}
    path = f"{PATH}/{draft['id']}/moves"
    early = await client.post(path, json=body, headers=ORGANISER.headers)
    refused(early, 409, "ballot_move_not_possible", "move")
    refused(await client.post(path, json=body, headers=ORGANISER_BESIDE.headers), 404, "not_found")
    refused(await client.post(path, json=body | {"move": "close"}, headers=ORGANISER.headers), 422, "missing", "reason")
    await move(client, draft["id"], "close", 1, reason="人都到齐了")
    await move(client, draft["id"], "count", 2, ADMINISTRATOR)
    found = await read(client, ORGANISER, f"{PATH}/{draft['id']}/result")
    assert found["result"]["candidates"] == [], "nobody has voted"


async def test_a_result_that_was_touched_is_found(client: Client, conn: asyncpg.Connection, owner_dsn: str) -> None:
    draft = a_ballot()
    answered(await make(client, draft), 201)
    for code in await slips(conn, draft["id"], "C", 6):
        answered(await drop(client, draft["id"], code, 3, 3), 201)
    await move(client, draft["id"], "close", 1, reason="人都到齐了")
    await move(client, draft["id"], "count", 2)
    assert (await read(client, ORGANISER, f"{PATH}/{draft['id']}/result"))["verified"]
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("update ballot_box set counts[1] = 6, counts[3] = 0 where counts is not null")
    await owner.close()
    assert not (await read(client, ORGANISER, f"{PATH}/{draft['id']}/result"))["verified"]


async def test_several_ballots_are_weighed_together(client: Client, conn: asyncpg.Connection) -> None:
    ids = []
    for choice in (1, 3):
        draft = a_ballot(title=f"第 {choice} 季度测评")
        answered(await make(client, draft), 201)
        for code in await slips(conn, draft["id"], "C", 5):
            answered(await drop(client, draft["id"], code, choice, 2), 201)
        await move(client, draft["id"], "close", 1, reason="人都到齐了")
        await move(client, draft["id"], "count", 2)
        ids.append(draft["id"])
    query = {"ballot": ids, "weight": [60, 40]}
    found: Any = answered(await client.get(f"{PATH}/combined", params=query, headers=ORGANISER.headers), 200)
    assert [(one["subject"], one["score"]) for one in found] == [
        (f"{MEMBER.name}（第一支部）", 84.0),
        ("第二支部", 80.0),
    ]
    refused(
        await client.get(f"{PATH}/combined", params={"ballot": ids, "weight": [60]}, headers=ORGANISER.headers),
        422,
        "invalid_filter",
        "ballot",
    )


async def test_slips_are_printed_with_nothing_but_their_codes_to_tell_them_apart(dsn: str, clock: TestClock) -> None:
    settings = Settings(database_url=dsn, pool_size=4, public_url="https://zoufang.example")
    async with serving(settings, clock) as client:
        draft = a_ballot()
        answered(await make(client, draft), 201)
        body = {"group": "C", "count": 11}
        made = await client.post(f"{PATH}/{draft['id']}/slips", json=body, headers=ORGANISER.headers)
        assert (made.status_code, made.headers["content-type"]) == (201, "application/pdf"), made.text[:300]
        assert made.content.startswith(b"%PDF")
        wrong = await client.post(f"{PATH}/{draft['id']}/slips", json=body | {"group": "A"}, headers=ORGANISER.headers)
        refused(wrong, 422, "wrong_way_of_voting", "group")


# --- what a dump can tell

POSITIONS = "select ctid::text, xmin::text, xmax::text from {} order by ctid"
STILL = ("ballot_voter", "ballot_slip", "ballot_group", "ballot_option", "ballot_candidate", "history", "text_version")
TABLES = """
select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('public', 'queue') order by 1
"""
# When somebody was last here: of whom the roll says that they have voted this tells when, and no box has a time.
LAST_SEEN = ("INSERT INTO public.access_token ", "INSERT INTO public.session ")


def dumped(owner_dsn: str, folder: Path) -> str:
    """The whole database, as pg_dump writes it."""
    program = find_programs(folder, Account(os.geteuid(), os.getegid(), switches=False)) / "pg_dump"
    done = subprocess.run([program, "--inserts", f"--dbname={owner_dsn}"], check=True, capture_output=True, timeout=120)
    return done.stdout.decode()


async def sizes(owner: asyncpg.Connection) -> dict[str, int]:
    tables = [row[0] for row in await owner.fetch(TABLES)]
    return {table: await owner.fetchval(f"select count(*) from {table}") for table in tables}


async def test_a_dump_cannot_tell_who_cast_which_vote(
    client: Client,
    conn: asyncpg.Connection,
    clock: TestClock,
    owner_dsn: str,
    tmp_path: Path,
    lines: Lines,
) -> None:
    """Twelve members and twelve slips vote one after another, each at a minute of its own. An attacker has every row of
    the database with its position and transaction, every sequence, and the program's log."""
    chance = Random(7)  # noqa: S311
    draft = a_ballot()
    answered(await make(client, draft), 201)
    id_, voters = draft["id"], VOTERS[:12]
    answered(await enrol(client, id_, voters), 201)
    codes = list(await slips(conn, id_, "C", 12))
    owner = await asyncpg.connect(owner_dsn)
    before = {table: await owner.fetch(POSITIONS.format(table)) for table in STILL}
    rows = await sizes(owner)
    sequences = await owner.fetch("select sequencename, last_value from pg_sequences order by 1")
    lines.truncate(0)
    lines.seek(0)

    times, lengths, people_order = [], set(), chance.sample(voters, 12)
    for voter, code in zip(people_order, chance.sample(codes, 12), strict=True):
        clock.forward(minutes=17)
        times.append(clock.now)
        answered(await vote(client, id_, voter, chance.randint(1, 4), chance.randint(1, 4)), 201)
        answered(await drop(client, id_, code, chance.randint(1, 4), chance.randint(1, 4)), 201)
        lengths |= {len(row["sealed"]) for row in await conn.fetch("select sealed from ballot_box")}

    # by row: no table has a row for a vote, and no row but the box's and the marks' was touched
    assert await sizes(owner) == rows
    assert {table: await owner.fetch(POSITIONS.format(table)) for table in STILL} == before
    assert await owner.fetch("select sequencename, last_value from pg_sequences order by 1") == sequences
    # by order and position: of a group there is one row of each, so that nothing stands before anything else, and all
    # that they share is the transaction of the last vote
    for table in ("ballot_box", "ballot_turnout"):
        groups = await owner.fetch(f"select code, count(*) from {table} group by code")
        assert {row["code"]: row["count"] for row in groups} == {"A": 1, "B": 1, "C": 1}
    # by what is in them: all marks are set alike, and boxes are as long after each vote as before
    marks = await owner.fetchrow("select marks::text, used::text from ballot_turnout where code = 'A'")
    assert marks is not None
    assert (marks["marks"], marks["used"]) == ("1" * 12, "")
    assert len(lengths) == 1
    # by time: no moment at which somebody voted stands anywhere, in whatever zone; nor does a code
    dump = "\n".join(line for line in dumped(owner_dsn, tmp_path).splitlines() if not line.startswith(LAST_SEEN))
    assert "ballot_box" in dump
    for at in times:
        for hours in (0, 8):
            assert (at + timedelta(hours=hours)).strftime("%H:%M") not in _times(dump, at), at
    for code in codes:
        assert code.split("-", 1)[1].replace("-", "") not in dump.replace("-", "")
    # by the log: neither who, whence, nor with which slip
    votes = [line for line in lines.read_each() if str(line.get("path", "")).endswith("/votes")]
    assert len(votes) == 24
    for line in votes:
        assert line["client"] is None
        assert not any(voter.number in str(line.get(name)) for voter in voters for name in ("member", "actor", "user"))
    assert not any(code in lines.getvalue() for code in codes)
    await owner.close()


def _times(dump: str, day: Any) -> set[str]:
    """The hours and minutes of all moments of a day, or of the night after it, in a dump."""
    days = {(day + timedelta(days=shift)).strftime("%Y-%m-%d") for shift in (0, 1)}
    found = re.findall(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d):\d\d", dump)
    return {at for on, at in found if on in days}


async def test_two_elections_that_differ_in_who_chose_what_leave_the_same_rows(
    client: Client, conn: asyncpg.Connection, clock: TestClock, owner_dsn: str
) -> None:
    """The same people, the same sums, another hand for each choice, another order: what is left is the same in all that
    can be read, and so can tell neither apart."""
    chosen = [(1, 2), (2, 2), (3, 4), (4, 1), (1, 1), (2, 3), (1, 4)]
    voters, left = VOTERS[:7], []
    for turn in range(2):
        draft = a_ballot()
        answered(await make(client, draft), 201)
        answered(await enrol(client, draft["id"], voters), 201)
        order = voters if turn == 0 else list(reversed(voters))
        choices = chosen if turn == 0 else chosen[3:] + chosen[:3]
        for voter, one in zip(order, choices, strict=True):
            clock.forward(minutes=1)
            answered(await vote(client, draft["id"], voter, *one), 201)
        await move(client, draft["id"], "close", 1, reason="人都到齐了")
        await move(client, draft["id"], "count", 2)
        boxes = await conn.fetch("select code, counts from ballot_box where ballot = $1 order by code", draft["id"])
        roll = (await read(client, ORGANISER, f"{PATH}/{draft['id']}/roll"))["items"]
        result = (await read(client, ORGANISER, f"{PATH}/{draft['id']}/result"))["result"]
        entries = (await read(client, ORGANISER, f"{PATH}/{draft['id']}"))["history"]
        told = [(one["event"], sorted(one["facts"])) for one in entries]
        left.append((boxes, roll, result, told))
    assert left[0] == left[1]


async def test_between_two_dumps_a_single_vote_shows_that_it_was_cast_and_not_what_it_says(
    client: Client, conn: asyncpg.Connection
) -> None:
    """What is protected by the key ring, which lies outside the database: with it, the difference would say all."""
    draft = a_ballot()
    answered(await make(client, draft), 201)
    answered(await enrol(client, draft["id"], [MEMBER, LEADER]), 201)
    asked = "select sealed from ballot_box where code = 'A'"
    first = await conn.fetchval(asked)
    answered(await vote(client, draft["id"], MEMBER, 1, 4), 201)
    second = await conn.fetchval(asked)
    assert len(first) == len(second)
    assert first != second
    where = ballot_boxes.place(DISTRICT, UUID(draft["id"]), "A")
    assert RING.open(second, where).split()[0] == "0000001"


async def test_a_code_is_read_however_it_is_typed() -> None:
    assert ballot_slips.read("410103-0123-4567-89AB-CDEF") == (410103, "0123456789ABCDEF")
    assert ballot_slips.read(" 410103 o123 4567 89ab cdef ") == (410103, "0123456789ABCDEF")
    assert ballot_slips.written(410103, "0123456789ABCDEF") == "410103-0123-4567-89AB-CDEF"
