"""Who answers for an issue: the community's worker, else the street's dispatcher, else the district's."""

from uuid import UUID

import asyncpg
import pytest

from surveys.people import people
from surveys.people.people import Grant, Handler, Reader
from tests.conftest import (
    DISPATCHER,
    DISTRICT,
    FAR,
    LEADER,
    MEMBER,
    NEAR,
    NEXT,
    NOW,
    ORGANISATION,
    OTHER_WORKER,
    STREET_DISPATCHER,
    WORKER,
    Person,
)

pytestmark = pytest.mark.anyio


async def leave(conn: asyncpg.Connection, person: Person) -> None:
    await conn.execute("update member set closed_at = $3 where district = $1 and id = $2", DISTRICT, person.id, NOW)


async def handlers(conn: asyncpg.Connection, *communities: str | None) -> dict[str | None, UUID]:
    return {code: one.id for code, one in (await people.first_handlers(conn, DISTRICT, communities, NOW)).items()}


async def test_a_community_s_worker_comes_first(undone: asyncpg.Connection) -> None:
    assert await people.first_handlers(undone, DISTRICT, [NEAR, NEAR], NOW) == {NEAR: Handler(WORKER.id, WORKER.name)}


async def test_each_community_of_a_set_has_somebody(undone: asyncpg.Connection) -> None:
    assert await handlers(undone, NEAR, NEXT, FAR, None, "no such community") == {
        NEAR: WORKER.id,
        NEXT: STREET_DISPATCHER.id,
        FAR: OTHER_WORKER.id,
        None: DISPATCHER.id,
        "no such community": DISPATCHER.id,
    }


async def test_when_each_leaves_the_next_in_line_answers(undone: asyncpg.Connection) -> None:
    await leave(undone, WORKER)
    assert await handlers(undone, NEAR) == {NEAR: STREET_DISPATCHER.id}
    await leave(undone, STREET_DISPATCHER)
    assert await handlers(undone, NEAR) == {NEAR: DISPATCHER.id}
    await leave(undone, DISPATCHER)
    assert await handlers(undone, NEAR) == {NEAR: DISPATCHER.id}, "an issue is never without an owner"


async def test_a_dispatcher_of_another_street_does_not_answer(undone: asyncpg.Connection) -> None:
    await leave(undone, OTHER_WORKER)
    assert await handlers(undone, FAR) == {FAR: DISPATCHER.id}


async def test_of_two_workers_the_lower_number_answers_each_time(undone: asyncpg.Connection) -> None:
    await undone.execute(
        "insert into member_role values ($1, $2, 'community_worker', 'community', $3)", DISTRICT, MEMBER.id, NEAR
    )
    assert await handlers(undone, NEAR) == {NEAR: MEMBER.id}


async def test_who_has_left_keeps_the_name_and_files_nothing_more(undone: asyncpg.Connection) -> None:
    await leave(undone, MEMBER)
    assert await people.open_members(undone, DISTRICT, [MEMBER.id, LEADER.id]) == {LEADER.id: ORGANISATION}
    assert await people.names(undone, DISTRICT, [MEMBER.id]) == {MEMBER.id: MEMBER.name}


async def test_people_of_another_district_are_unknown_here(undone: asyncpg.Connection) -> None:
    assert await people.open_members(undone, 110101, [MEMBER.id]) == {}
    assert await people.names(undone, 110101, [MEMBER.id]) == {}
    assert not await people.department_exists(undone, 110101, "city_management")
    assert await people.district(undone, 110101) is None


@pytest.mark.parametrize(
    ("grants", "whole"),
    [
        ((), False),
        ((Grant("member", "own", ""),), False),
        ((Grant("leader", "street", "410103001"),), False),
        ((Grant("member", "own", ""), Grant("leader", "district", "410103")), True),
    ],
)
async def test_only_a_grant_for_the_district_reads_the_district(grants: tuple[Grant, ...], whole: bool) -> None:
    reader = Reader(district=DISTRICT, member=MEMBER.id, name="", organisation=ORGANISATION, grants=grants)
    assert reader.reads_district() is whole
