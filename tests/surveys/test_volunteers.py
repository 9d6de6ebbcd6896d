"""Volunteers in the database: registered, called by name only where they agreed, changed, and forgotten."""

from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from surveys import history_seals
from surveys.history import Actor, request_digest
from surveys.refusals import IdTaken, Missing, NothingChanges, PhoneUnusable, StaleVersion, TextUnusable, UnknownMember
from surveys.volunteering import endings, skills, volunteer_changes, volunteer_phones, volunteers
from surveys.volunteering.endings import Ending
from surveys.volunteering.skills import Hours, HoursUnusable
from surveys.volunteering.volunteer_changes import Consent, VolunteerChange
from surveys.volunteering.volunteers import Draft, Registered, VolunteerEnded, VolunteerKnown
from tests.conftest import DISTRICT, MEMBER, NEAR, NOW, RING

pytestmark = pytest.mark.anyio

DESK = Actor("member", str(MEMBER.id))
SATURDAY = "6 09:00-11:30"
PHONE, SPOKEN = "12000001234", "+86 120-0000-1234"


async def register(conn: asyncpg.Connection, **told: object) -> Registered:
    draft = msgspec.convert({"id": uuid4(), **told}, Draft)
    async with conn.transaction():
        return await volunteers.register(conn, RING, DISTRICT, draft, DESK, NOW)


async def change(conn: asyncpg.Connection, one: Registered, **told: object) -> Registered:
    asked = msgspec.convert({"id": uuid4(), "expected_version": one.version, **told}, VolunteerChange)
    async with conn.transaction():
        return await volunteer_changes.change(conn, RING, DISTRICT, one.id, asked, DESK, NOW)


async def called(conn: asyncpg.Connection, one: UUID, *, public: bool) -> str:
    return (await volunteers.named(conn, DISTRICT, [one], public=public))[one]


async def test_a_name_stands_in_public_only_where_it_was_agreed_to(conn: asyncpg.Connection) -> None:
    auntie = await register(conn, name=" 王  阿姨 ", phone=PHONE, community=NEAR, skills=["理发"], hours=[SATURDAY])
    member = await register(conn, member=MEMBER.number)
    assert (auntie.number, member.number) == ("V000001", "V000002")
    assert await called(conn, auntie.id, public=False) == "王 阿姨"
    assert await called(conn, member.id, public=False) == MEMBER.name
    assert await called(conn, auntie.id, public=True) == "V000001"
    agreed = await volunteer_changes.consent(
        conn, DISTRICT, auntie.id, Consent(id=uuid4(), name_public=True), DESK, NOW
    )
    assert (agreed.version, await called(conn, auntie.id, public=True)) == (2, "王 阿姨")
    with pytest.raises(NothingChanges):
        await volunteer_changes.consent(conn, DISTRICT, auntie.id, Consent(id=uuid4(), name_public=True), DESK, NOW)
    await volunteer_changes.consent(conn, DISTRICT, auntie.id, Consent(id=uuid4(), name_public=False), DESK, NOW)
    assert await called(conn, auntie.id, public=True) == "V000001"


async def test_the_same_registration_again_gets_its_first_answer_and_another_is_told_who_it_is(
    conn: asyncpg.Connection,
) -> None:
    draft = Draft(id=uuid4(), name="王阿姨", phone=PHONE)
    first = await volunteers.register(conn, RING, DISTRICT, draft, DESK, NOW)
    assert await volunteers.register(conn, RING, DISTRICT, draft, DESK, NOW) == first
    with pytest.raises(IdTaken):
        await volunteers.register(conn, RING, DISTRICT, msgspec.structs.replace(draft, name="别人"), DESK, NOW)
    with pytest.raises(VolunteerKnown) as known:
        await register(conn, name="王阿姨", phone=SPOKEN)
    assert known.value.facts["number"] == first.number
    assert (await register(conn, name="她的先生", phone=PHONE)).number == "V000002", "a household shares a phone"
    digests = await conn.fetchval("select request from history where id = $1", draft.id)
    assert digests != request_digest(draft), "a digest made of a phone would give it away"


@pytest.mark.parametrize(
    ("told", "refusal"),
    [
        ({}, Missing),
        ({"name": "  "}, TextUnusable),
        ({"name": "王\x07"}, TextUnusable),
        ({"name": "王", "phone": "12"}, PhoneUnusable),
        ({"name": "王", "phone": "叫我小王"}, PhoneUnusable),
        ({"name": "王", "hours": ["1 12:00-09:00"]}, HoursUnusable),
        ({"name": "王", "skills": ["理\x07发"]}, TextUnusable),
        ({"member": "999"}, UnknownMember),
        ({"member": "1", "name": "王"}, TextUnusable),
    ],
)
async def test_what_cannot_be_used_is_named(
    undone: asyncpg.Connection, told: dict[str, object], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        await register(undone, **told)


async def test_who_is_faster_wins_and_a_blank_phone_is_forgotten(conn: asyncpg.Connection) -> None:
    one = await register(conn, name="王阿姨", phone=PHONE, skills=["理发", "缝补"])
    assert await volunteer_phones.masked(conn, RING, DISTRICT, [one.id]) == {one.id: "120****1234"}
    changed = await change(conn, one, phone="", skills=["理发"], name="王秀英")
    assert await volunteer_phones.masked(conn, RING, DISTRICT, [one.id]) == {}
    with pytest.raises(StaleVersion):
        await change(conn, one, phone=PHONE)
    with pytest.raises(NothingChanges):
        await change(conn, changed)
    assert [(skill.name, skill.volunteers) for skill in await skills.of_district(conn, DISTRICT)] == [
        ("理发", 1),
        ("缝补", 0),
    ]
    names = "select body->>'name' as name from text_version where subject = $1 order by version"
    assert [row["name"] for row in await conn.fetch(names, one.id)] == ["王阿姨", "王秀英"]
    async with conn.transaction():
        erasure = await endings.planned(conn, DISTRICT, one.id, NOW)
        await endings.end(conn, erasure, one.id, Ending(id=uuid4(), sure=True), DESK, NOW)
    assert [row["name"] for row in await conn.fetch(names, one.id)] == [None, None], "the name of before goes too"
    assert (await history_seals.verify(conn, DISTRICT)).broken is None


async def test_who_ends_it_is_a_number_from_then_on(conn: asyncpg.Connection) -> None:
    one = await register(
        conn, name="王阿姨", phone=PHONE, community=NEAR, skills=["理发"], hours=[SATURDAY], name_public=True
    )
    ending = Ending(id=uuid4(), sure=True)
    async with conn.transaction():
        erasure = await endings.planned(conn, DISTRICT, one.id, NOW)
        ended = await endings.end(conn, erasure, one.id, ending, DESK, NOW)
    assert ended.number == one.number
    async with conn.transaction():
        erasure = await endings.planned(conn, DISTRICT, one.id, NOW)
        assert await endings.end(conn, erasure, one.id, ending, DESK, NOW) == ended, "asked again"
    for public in (True, False):
        assert await called(conn, one.id, public=public) == one.number
    assert await volunteer_phones.masked(conn, RING, DISTRICT, [one.id]) == {}
    with pytest.raises(VolunteerEnded):
        await change(conn, one, phone=PHONE)
    again = await register(conn, name="王阿姨", phone=PHONE)
    assert again.number == "V000002", "who comes again is somebody new"


async def test_a_member_who_ended_it_can_begin_anew(conn: asyncpg.Connection) -> None:
    first = await register(conn, member=MEMBER.number)
    with pytest.raises(VolunteerKnown):
        await register(conn, member=MEMBER.number)
    async with conn.transaction():
        erasure = await endings.planned(conn, DISTRICT, first.id, NOW)
        await endings.end(conn, erasure, first.id, Ending(id=uuid4(), sure=True), DESK, NOW)
    again = await register(conn, member=MEMBER.number)
    assert again.number != first.number
    assert await called(conn, first.id, public=False) == first.number


def test_hours_that_touch_are_one_span() -> None:
    told = ["6 10:00-12:00", "6 09:00-10:00", "7 22:00-24:00", "6 09:30-11:00"]
    assert skills.read(told) == (Hours(6, "09:00", "12:00"), Hours(7, "22:00", "24:00"))
