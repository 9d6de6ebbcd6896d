"""The organisations and members of the demo district; every person is invented."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle, islice
from random import Random
from uuid import UUID

from asyncpg import Connection

from api.demo.places import Place
from api.demo.words import enterprise_name, new_id, person_name
from surveys.people.organisations import Area
from surveys.people.people import Grant, Reader

ORGANISATIONS = 586
MEMBERS = 17_727
ENTERPRISE_BRANCHES = 78

_NUMBERS = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十")
_MEMBERS_PER = {"root": 24.0, "street": 30.0, "general": 14.0, "branch": 34.0, "enterprise": 16.0, "organ": 40.0}
_LEAST = 6  # so that everybody with an office finds a seat


@dataclass(frozen=True, slots=True)
class Organisation:
    id: UUID
    parent: UUID | None
    name: str
    kind: str
    place: str | None  # the street's or community's code, or the department's


@dataclass(frozen=True, slots=True)
class Member:
    id: UUID
    number: str
    name: str
    organisation: UUID


@dataclass(frozen=True)
class Population:
    """Everybody, and who holds which office."""

    organisations: Sequence[Organisation]
    members: Sequence[Member]
    grants: Mapping[UUID, Sequence[Grant]]  # beyond that of being a member
    of_community: Mapping[str, Sequence[Member]]  # the first is the community's worker
    of_street: Mapping[str, Sequence[Member]]  # the first is the street's dispatcher
    handlers: Mapping[str, UUID]  # by department
    dispatcher: UUID

    def reader(self, district: int, member: Member) -> Reader:
        grants = (*self.grants.get(member.id, ()), MEMBERSHIP)
        return Reader(
            district=district, member=member.id, name=member.name, organisation=member.organisation, grants=grants
        )


MEMBERSHIP = Grant("member", "own", "")


def population(
    district: int, places: Sequence[Place], streets: Mapping[str, str], departments: Mapping[str, str], rng: Random
) -> Population:
    """Found every organisation, fill it with members, and give the offices to the first of each."""
    organisations = list(_organisations(places, streets, departments, rng))
    seats = _members(organisations, rng)
    members = [member for organisation in organisations for member in seats[organisation.id]]
    grants: dict[UUID, list[Grant]] = {}
    for organisation in organisations:
        for member, grant in zip(seats[organisation.id], _offices(organisation, district), strict=False):
            grants.setdefault(member.id, []).append(grant)
    by_kind = {(one.kind, one.place): seats[one.id] for one in organisations if one.kind in ("street", "organ")}
    return Population(
        organisations=organisations,
        members=members,
        grants=grants,
        of_community={place.code: _of_community(organisations, seats, place.code) for place in places},
        of_street={code: by_kind["street", code] for code in streets},
        handlers={code: by_kind["organ", code][0].id for code in departments},
        dispatcher=seats[organisations[0].id][1].id,
    )


def _organisations(
    places: Sequence[Place], streets: Mapping[str, str], departments: Mapping[str, str], rng: Random
) -> Iterator[Organisation]:
    """District → street committees → general branches of communities → branches; organs and enterprises beside them."""
    root = Organisation(new_id(rng), None, "二七区委员会", "root", None)
    yield root
    committees = {
        code: Organisation(new_id(rng), root.id, f"{name}委员会", "street", code) for code, name in streets.items()
    }
    yield from committees.values()
    generals = {
        place.code: Organisation(
            new_id(rng), committees[place.code[:9]].id, f"{place.name}总支部", "general", place.code
        )
        for place in places
    }
    yield from generals.values()
    for code, name in departments.items():
        yield Organisation(new_id(rng), root.id, f"{name}机关支部", "organ", code)
    left = ORGANISATIONS - 1 - len(committees) - len(generals) - len(departments) - ENTERPRISE_BRANCHES
    for place, count in zip(places, shares([place.households for place in places], left), strict=True):
        for number in _NUMBERS[:count]:
            yield Organisation(
                new_id(rng), generals[place.code].id, f"{place.name}第{number}支部", "branch", place.code
            )
    sizes = [sum(place.households for place in places if place.code.startswith(code)) for code in streets]
    names = _distinct_enterprises(rng)
    for (code, committee), count in zip(committees.items(), shares(sizes, ENTERPRISE_BRANCHES), strict=True):
        for name in islice(names, count):
            yield Organisation(new_id(rng), committee.id, f"{name}支部", "enterprise", code)


def answered_for(everybody: Population, streets: Sequence[str]) -> dict[UUID, list[Area]]:
    """The streets that each organ of the district answers for: one, or two, in turn."""
    organs = [one.id for one in everybody.organisations if one.kind == "organ"]
    wanted: dict[UUID, list[Area]] = {organ: [] for organ in organs}
    for organ, street in zip(cycle(organs), sorted(streets), strict=False):
        wanted[organ].append(Area("street", street))
    return wanted


def _distinct_enterprises(rng: Random) -> Iterator[str]:
    seen: set[str] = set()
    while True:
        name = enterprise_name(rng)
        if name not in seen:
            seen.add(name)
            yield name


def _members(organisations: Sequence[Organisation], rng: Random) -> dict[UUID, list[Member]]:
    weights = [_MEMBERS_PER[organisation.kind] * rng.lognormvariate(0, 0.3) for organisation in organisations]
    counts = [_LEAST + count for count in shares(weights, MEMBERS - _LEAST * len(organisations))]
    seats: dict[UUID, list[Member]] = {}
    number = 0
    for organisation, count in zip(organisations, counts, strict=True):
        seats[organisation.id] = [
            Member(new_id(rng), f"EQ{number + at:05d}", person_name(rng), organisation.id) for at in range(1, count + 1)
        ]
        number += count
    return seats


def _offices(organisation: Organisation, district: int) -> list[Grant]:
    """What the first members of an organisation are, in their order."""
    place = organisation.place or str(district)
    organiser = Grant("organiser", "organisation", str(organisation.id))
    match organisation.kind:
        case "root":
            return [
                Grant("leader", "district", place),
                Grant("dispatcher", "district", place),
                Grant("administrator", "district", place),
                Grant("leader", "district", place),
                Grant("auditor", "district", place),
            ]
        case "street":
            return [Grant("dispatcher", "street", place), Grant("leader", "street", place), organiser]
        case "general":
            return [Grant("community_worker", "community", place), organiser]
        case "organ":
            return [Grant("department_handler", "department", place)]
        case _:
            return []


def _of_community(
    organisations: Sequence[Organisation], seats: Mapping[UUID, Sequence[Member]], code: str
) -> list[Member]:
    return [
        member
        for organisation in organisations
        if organisation.place == code and organisation.kind in ("general", "branch")
        for member in seats[organisation.id]
    ]


def shares(weights: Sequence[float], total: int) -> list[int]:
    """Part a total by weights into whole numbers, the largest remainders first."""
    scale = total / sum(weights)
    counts = [int(weight * scale) for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: counts[at] - weights[at] * scale)
    for at in by_remainder[: total - sum(counts)]:
        counts[at] += 1
    return counts


async def write(conn: Connection, district: int, everybody: Population, joined_at: datetime) -> None:
    """Write organisations, members and roles."""
    await conn.copy_records_to_table(
        "organisation",
        columns=("district", "id", "parent", "name"),
        records=[(district, one.id, one.parent, one.name) for one in everybody.organisations],
    )
    await conn.copy_records_to_table(
        "organisation_spans",
        columns=("district", "organisation", "valid_from", "parent", "name", "recorded_at"),
        records=[(district, one.id, joined_at, one.parent, one.name, joined_at) for one in everybody.organisations],
    )
    await conn.copy_records_to_table(
        "member",
        columns=("district", "id", "number", "name", "organisation", "joined_at"),
        records=[(district, one.id, one.number, one.name, one.organisation, joined_at) for one in everybody.members],
    )
    await conn.copy_records_to_table(
        "member_role",
        columns=("district", "member", "role", "scope_kind", "scope"),
        records=[
            (district, one.id, grant.role, grant.scope_kind, grant.scope)
            for one in everybody.members
            for grant in (*everybody.grants.get(one.id, ()), MEMBERSHIP)
        ],
    )
