"""The tree of organisations: paths, moves without circles, the tree of any past day, and what is answered for."""

from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surveys.history import Actor
from surveys.people import organisations
from surveys.people.organisations import OrganisationChange, OrganisationDraft
from surveys.people.people import Grant, Reader
from surveys.refusals import OrganisationInCircle, OrganisationInUse, TextUnusable, UnknownOrganisation
from tests.conftest import ADMINISTRATOR, BELOW, BESIDE, DISTRICT, NOW, ORGANISATION, ORGANISER, Person

pytestmark = pytest.mark.anyio

IMPORT = Actor("import", "tests")
LATER = NOW + timedelta(hours=1)


def reader(person: Person) -> Reader:
    grant = Grant(person.role, person.scope_kind, person.scope)  # type: ignore[arg-type]
    return Reader(
        district=DISTRICT, member=person.id, name=person.name, organisation=person.organisation, grants=(grant,)
    )


def change(name: str, version: int, **further: object) -> OrganisationChange:
    return OrganisationChange(id=uuid4(), change=name, expected_version=version, **further)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "区委/街道党工委/第一支部",
        " 区委 > 街道党工委>第一支部",
        "区委／街道党工委／第一支部",
        "区委＞街道党工委/第一支部",
    ],
)
def test_a_path_is_read_however_its_names_are_parted(text: str) -> None:
    assert organisations.path(text) == ("区委", "街道党工委", "第一支部")


@pytest.mark.parametrize(
    "text", ["", "区委//支部", "/支部", "区委/", "区委/支\u200b部", "/".join("一" * 21), "长" * 101]
)
def test_a_path_with_an_unusable_name_is_refused(text: str) -> None:
    with pytest.raises(TextUnusable):
        organisations.path(text)


async def test_paths_are_found_or_made(undone: asyncpg.Connection) -> None:
    wanted = [("第一支部", "第一小组"), ("区委", "甲街道", "第一支部"), ("区委", "乙街道", "第一支部")]
    made = await organisations.make(undone, DISTRICT, wanted, IMPORT, NOW)
    assert made.ids["第一支部", "第一小组"] == BELOW
    assert sorted(made.new) == sorted([("区委",), ("区委", "甲街道"), ("区委", "乙街道"), *wanted[1:]])
    again = await organisations.make(undone, DISTRICT, wanted, IMPORT, LATER)
    assert (again.ids, again.new) == (made.ids, [])
    paths = await organisations.open_paths(undone, DISTRICT)
    assert paths[made.ids[wanted[2]]] == "区委/乙街道/第一支部"


async def test_an_organisation_that_was_closed_is_made_anew(undone: asyncpg.Connection) -> None:
    first = (await organisations.make(undone, DISTRICT, [("区委",)], IMPORT, NOW)).ids["区委",]
    await organisations.change(undone, reader(ADMINISTRATOR), first, change("close", 1), LATER)
    second = (await organisations.make(undone, DISTRICT, [("区委",)], IMPORT, LATER)).ids["区委",]
    assert first != second


async def test_with_members_or_others_below_it_stays(undone: asyncpg.Connection) -> None:
    with pytest.raises(OrganisationInUse) as refusal:
        await organisations.change(undone, reader(ADMINISTRATOR), ORGANISATION, change("close", 0), NOW)
    assert refusal.value.facts["organisations"] == 1


async def test_an_organiser_stays_within_their_own(undone: asyncpg.Connection) -> None:
    with pytest.raises(UnknownOrganisation):
        await organisations.change(undone, reader(ORGANISER), BELOW, change("move", 0, parent=BESIDE), NOW)
    with pytest.raises(UnknownOrganisation):
        await organisations.create(undone, reader(ORGANISER), OrganisationDraft(id=uuid4(), name="新"), NOW)
    shown = {one.id for one in await organisations.tree(undone, reader(ORGANISER))}
    assert shown == {ORGANISATION, BELOW}


async def test_the_tree_counts_who_belongs_to_it_and_below(undone: asyncpg.Connection) -> None:
    tree = {one.id: one for one in await organisations.tree(undone, reader(ADMINISTRATOR))}
    assert tree[ORGANISATION].members_below == (tree[ORGANISATION].members or 0) + (tree[BELOW].members or 0)
    assert tree[BELOW].path == "第一支部/第一小组"


Moves = list[tuple[int, int | None]]
COUNT = 8
MOVES = st.lists(
    st.tuples(st.integers(0, COUNT - 1), st.one_of(st.none(), st.integers(0, COUNT - 1))), min_size=1, max_size=12
)


@given(moves=MOVES)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_is_moved_there_is_no_circle_and_every_day_keeps_its_tree(
    undone: asyncpg.Connection, moves: Moves
) -> None:
    """Moves of eight organisations, told by a model: who hangs below whom is a map, walked upwards."""
    transaction = undone.transaction()
    await transaction.start()
    try:
        await _move_and_compare(undone, moves)
    finally:
        await transaction.rollback()


async def _move_and_compare(undone: asyncpg.Connection, moves: Moves) -> None:
    admin = reader(ADMINISTRATOR)
    ids = [uuid4() for _ in range(COUNT)]
    for at, id_ in enumerate(ids):
        await organisations.create(undone, admin, OrganisationDraft(id=id_, name=f"组织{at}"), NOW)
    parents: dict[UUID, UUID | None] = dict.fromkeys(ids)
    versions = dict.fromkeys(ids, 1)
    days = [dict(parents)]
    for day, (child, parent) in enumerate(moves, start=1):
        moved, onto = ids[child], None if parent is None else ids[parent]
        asked = change("move", versions[moved], parent=onto)
        if onto is not None and moved in above(parents, onto):
            with pytest.raises(OrganisationInCircle):
                await organisations.change(undone, admin, moved, asked, NOW + timedelta(days=day))
        else:
            versions[moved] = (
                await organisations.change(undone, admin, moved, asked, NOW + timedelta(days=day))
            ).version
            parents[moved] = onto
        days.append(dict(parents))
    for day, expected in enumerate(days):
        moment = NOW + timedelta(days=day, hours=12)
        tree = {one.id: one.parent for one in await organisations.tree(undone, admin, moment) if one.id in expected}
        assert tree == expected, f"day {day}"
    for id_ in ids:
        below = await organisations.below(undone, DISTRICT, [id_])
        assert below == {other for other in ids if id_ in above(parents, other)}
    now = {one.id: one.parent for one in await organisations.tree(undone, admin) if one.id in parents}
    assert now == parents


def above(parents: dict[UUID, UUID | None], of: UUID | None) -> set[UUID]:
    """An organisation and all that it hangs below; a circle would make this endless."""
    found: set[UUID] = set()
    while of is not None:
        assert of not in found
        found.add(of)
        of = parents[of]
    return found
