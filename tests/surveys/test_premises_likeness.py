"""Which doors may be the same one: what a person would look at twice, and what they would not."""

from uuid import uuid4

import pytest

from surveys.premises.premises import PremisesKind
from surveys.premises.premises_likeness import Door, compare, pairs

HERE = (113.605, 34.705)
STEP = 0.0001  # degrees of latitude; some 11 m


def door(
    name: str,
    address: str = "",
    *,
    kind: PremisesKind = "shop",
    north: float | None = None,
    row: int | None = None,
) -> Door:
    lon, lat = (None, None) if north is None else (HERE[0], HERE[1] + north * STEP)
    return Door(id=uuid4(), kind=kind, code=None, name=name, address=address, lon=lon, lat=lat, row=row)


ALIKE = [
    (
        door("老张烩面馆", "淮河路12号", north=0),
        door("老张烩面", "淮河路12号附近", north=1),
        "a word less, a word more",
    ),
    (door("老张烩面馆", "淮河路12号"), door("老张烩面馆"), "one has no address"),
    (
        door("老张烩面馆", "淮河路12号", north=0),
        door("老张烩面馆", "淮河路21号", north=1),
        "a number mistyped, one spot",
    ),
    (door("老张烩面馆", "淮河路12号", north=0), door("老李烩面馆", "淮河路12号", north=0), "another keeper, one place"),
    (
        door("3号楼2单元501", "幸福路1号院3号楼2单元501", kind="household"),
        door("501", "幸福路1号院3号楼2单元501", kind="household"),
        "a flat by its short name",
    ),
    (
        door("明德科技", "铭功路8号", kind="enterprise", north=0),
        door("明德科技", "铭功路8号", north=0),
        "a shop that is a company as well",
    ),
]

OTHERS = [
    (
        door("3号楼2单元501", "幸福路1号院3号楼2单元501", kind="household"),
        door("3号楼2单元502", "幸福路1号院3号楼2单元502", kind="household"),
        "the flat next door",
    ),
    (
        door("A座501", "幸福路1号院A座501", kind="household", north=0),
        door("B座501", "幸福路1号院B座501", kind="household", north=0),
        "the other tower",
    ),
    (door("便民超市", "淮河路12号", north=0), door("便民超市", "淮河路90号", north=9), "another shop of the chain"),
    (door("近邻超市", "淮河路12号", north=0), door("老张烩面馆", "淮河路12号", north=0), "two shops in one house"),
    (
        door("淮河路面馆", "淮河路", north=0),
        door("淮河路药店", "淮河路", north=1),
        "neighbours on a road without numbers",
    ),
    (door("便民一店2", "淮河路12号"), door("便民一店3", "淮河路12号"), "numbered shops"),
    (door("501", "淮河路12号", kind="household"), door("501", "淮河路12号"), "a home and a shop"),
]


@pytest.mark.parametrize(("one", "other"), [pair[:2] for pair in ALIKE], ids=[pair[2] for pair in ALIKE])
def test_these_may_be_one_door(one: Door, other: Door) -> None:
    assert compare(one, other) is not None
    assert compare(one, other) == compare(other, one)


@pytest.mark.parametrize(("one", "other"), [pair[:2] for pair in OTHERS], ids=[pair[2] for pair in OTHERS])
def test_these_are_two(one: Door, other: Door) -> None:
    assert compare(one, other) is None


def test_a_list_is_compared_with_itself_and_with_the_register_and_each_pair_is_told_once() -> None:
    known = door("老张烩面馆", "淮河路12号", north=0)
    first, second = door("老张烩面", "淮河路12号", north=1, row=2), door("老张烩面店", "淮河路12号", north=1, row=3)
    alone = door("近邻药店", "淮河路40号", north=20, row=4)
    found = [{pair.one.id, pair.other.id} for pair in pairs([known, first, second, alone])]
    assert len(found) == 3
    assert all(pair in found for pair in ({known.id, first.id}, {known.id, second.id}, {first.id, second.id}))


def test_like_names_a_square_apart_are_found() -> None:
    """The squares in which they are looked for have edges, and doors stand on both sides of them."""
    for north in range(40):
        one, other = door("老张烩面馆", north=north, row=1), door("老张烩面店", north=north + 4, row=2)
        assert len(list(pairs([one, other]))) == 1, north


def test_two_that_the_register_has_are_not_told_again() -> None:
    assert list(pairs([door("老张烩面馆", north=0), door("老张烩面馆", north=0)])) == []
