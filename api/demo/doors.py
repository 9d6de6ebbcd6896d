"""Four months of visits to doors, planned in working days: who went where, and what they found."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Literal

import shapely
from shapely.geometry.base import BaseGeometry

from api.demo.people import Member, Population
from api.demo.places import Place, beyond, door, moved
from api.demo.words import enterprise_name, new_id, problems, shop_name, weighted, words
from api.demo.workdays import DAYS, LENGTH, Workdays
from maps import coordinates
from maps.coordinates import System
from surveys.contact_cards import card_numbers
from surveys.issues.categories import Urgency
from surveys.issues.placing import Position
from surveys.premises.premises import PremisesKind
from surveys.visits.visit_drafts import IssueDraft, Outcome, PremisesDraft, SolvedOnSpot, VisitDraft

CAMPAIGN = "wanming-zoufang"
SERIES = "EQ"  # 二七, in front of the number of each contact card
VISITS = 5_000
SLOTS = 10  # parts of a working day, at whose ends phones have sent what they have

Chance = Literal["inside", "outside", "unplaced"]

_KINDS_CENTRE: Mapping[PremisesKind, float] = {"shop": 0.55, "household": 0.35, "enterprise": 0.10}
_KINDS_OUT: Mapping[PremisesKind, float] = {"shop": 0.32, "household": 0.42, "enterprise": 0.26}
_OUTCOMES: Mapping[PremisesKind, Mapping[Outcome, float]] = {
    "shop": {"met": 0.86, "closed": 0.09, "declined": 0.05},
    "household": {"met": 0.74, "not_home": 0.22, "declined": 0.04},
    "enterprise": {"met": 0.91, "closed": 0.06, "declined": 0.03},
}
_WHERE: Mapping[Chance, float] = {"inside": 0.952, "unplaced": 0.036, "outside": 0.012}
_SYSTEMS: Mapping[System, float] = {"wgs84": 0.70, "gcj02": 0.27, "cgcs2000": 0.02, "bd09": 0.01}
_ISSUES: Mapping[int, float] = {0: 0.34, 1: 0.47, 2: 0.16, 3: 0.03}
_URGENCIES: Mapping[Urgency, float] = {"normal": 0.87, "urgent": 0.11, "emergency": 0.02}
_PUBLIC = ("01", "02", "03", "04", "05", "17", "18")  # categories in which a problem is not one person's
_OUTDOORS = ("01", "02", "03", "04", "05", "18", "1708")  # categories whose place is not the door's own


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit of the plan: by whom, when in working days, and how it went."""

    at: float
    until: float
    weekend: bool
    place: Place
    member: Member
    kind: PremisesKind
    outcome: Outcome

    @property
    def sent(self) -> float:
        """The end of its part of the day: phones send then what they have."""
        day = int(self.until)
        return min(day + math.ceil((self.until - day) * SLOTS) / SLOTS, day + 0.999)


@dataclass(frozen=True, slots=True)
class Case:
    """A problem as somebody tells it, and how it is going to be solved."""

    category: str
    title: str
    description: str
    how: str


@dataclass(frozen=True, slots=True)
class Filed:
    """A visit of the plan, its draft, and how each of the draft's issues is going to be solved."""

    visit: Visit
    draft: VisitDraft
    hows: Sequence[str]


def plan(places: Sequence[Place], everybody: Population, rng: Random) -> list[Visit]:
    """All visits in the order of their planned moments."""
    by_place = {place.code: place.weight for place in places}
    known = {place.code: place for place in places}
    days = {day: _zeal(day) for day in range(DAYS)}
    visits = [
        _visit(known[weighted(rng, by_place)], weighted(rng, days) + _hour(rng), everybody, rng) for _ in range(VISITS)
    ]
    return sorted(visits, key=lambda visit: (visit.until, visit.at))


def _zeal(day: int) -> float:
    """The campaign starts with a rush, slackens, and is spurred on at each month's end and in its last weeks."""
    monthly = 0.35 * max(0.0, math.sin(2 * math.pi * (day - 12) / 21.75))
    return 0.7 + 0.6 * math.exp(-day / 9) + monthly + 4.5 * math.exp((day + 1 - DAYS) / 5)


def _hour(rng: Random) -> float:
    """A share of the working day: mid-morning and mid-afternoon are when people visit, the lunch hour is not."""
    middle = rng.choices((0.19, 0.74, 0.9), (0.46, 0.44, 0.10))[0]
    return min(max(rng.gauss(middle, 0.075), 0.01), 0.93)


def _visit(place: Place, at: float, everybody: Population, rng: Random) -> Visit:
    members = everybody.of_community[place.code]
    rank = min(1 + int(rng.expovariate(1 / 5)), len(members) - 1)  # a few do most; the first one minds the desk
    share = place.centrality
    kinds = {kind: share * _KINDS_CENTRE[kind] + (1 - share) * _KINDS_OUT[kind] for kind in _KINDS_CENTRE}
    kind = weighted(rng, kinds)
    outcome = weighted(rng, _OUTCOMES[kind])
    minutes = rng.lognormvariate(math.log(17), 0.4) if outcome == "met" else rng.uniform(2, 5)
    until = min(at + timedelta(minutes=minutes) / LENGTH, math.floor(at) + 0.98)
    weekend = kind == "household" and rng.random() < 0.18
    return Visit(at, until, weekend, place, members[rank], kind, outcome)


def drafts(
    visits: Sequence[Visit], everybody: Population, district: BaseGeometry, days: Workdays, rng: Random
) -> Iterator[Filed]:
    """The drafts of the visits, as phones would have sent them; but for dates, they are the same each time."""
    shapely.prepare(district)
    cards = (card_numbers.numbered(SERIES, at) for at in count(1))
    last_card = ""
    for visit in visits:
        card = None
        if visit.outcome == "met" and rng.random() < 0.85:
            card = last_card if last_card and rng.random() < 0.003 else next(cards)  # some bind a used one again
            last_card = card
        yield _filed(visit, card, everybody, district, days, rng)


def _filed(
    visit: Visit, card: str | None, everybody: Population, district: BaseGeometry, days: Workdays, rng: Random
) -> Filed:
    door_ = premises(visit.kind, visit.place, rng)
    where = weighted(rng, _WHERE)
    true = beyond(visit.place, district, rng) if where == "outside" else door(visit.place, rng)
    ended_at = days.moment(visit.until, weekend=visit.weekend)
    cases = list(_cases(visit, door_, rng))
    others = [member.id for member in everybody.of_community[visit.place.code][:12] if member.id != visit.member.id]
    draft = VisitDraft(
        id=new_id(rng),
        campaign=CAMPAIGN,
        premises=door_,
        companions=tuple(rng.sample(others, rng.choices((0, 1, 2), (0.45, 0.4, 0.15))[0])) or None,
        started_at=days.moment(visit.at, weekend=visit.weekend),
        ended_at=ended_at,
        outcome=visit.outcome,
        position=None if where == "unplaced" else _position(true, rng),
        community=visit.place.code if where == "unplaced" and rng.random() < 0.8 else None,
        contact_card=card,
        note=_note(visit, rng),
        issues=tuple(_issue(case, true if where == "inside" else None, ended_at, rng) for case in cases),
    )
    return Filed(visit, draft, [case.how for case in cases])


def _issue(case: Case, door: tuple[float, float] | None, at: datetime, rng: Random) -> IssueDraft:
    problem = problems()[case.category]
    urgency = problem.urgency if problem.urgency != "normal" else weighted(rng, _URGENCIES)
    return IssueDraft(
        id=new_id(rng),
        title=case.title,
        description=case.description,
        category=case.category,
        urgency=urgency,
        position=_aside(case.category, door, rng) if door else None,
        solved_on_spot=SolvedOnSpot(case.how, at) if rng.random() < problem.spot else None,
    )


def premises(kind: PremisesKind, place: Place, rng: Random) -> PremisesDraft:
    """A door of this kind in a community, as its sign says."""
    if kind == "household":
        room = f"{rng.randrange(1, 19)}号楼{rng.randrange(1, 5)}单元{rng.randrange(1, 19)}0{rng.randrange(1, 5)}"
        return PremisesDraft(kind="household", name=room, address=rng.choice(place.yards) + room)
    number = f"{rng.choice(place.roads)}{rng.randrange(1, 299)}号"
    if kind == "shop":
        return PremisesDraft(kind="shop", name=shop_name(rng), address=number)
    return PremisesDraft(kind="enterprise", name=enterprise_name(rng), address=f"{number}{rng.randrange(2, 21)}层")


def _position(true: tuple[float, float], rng: Random) -> Position:
    """What a phone takes for its place, in the system that it happens to speak."""
    accuracy = min(rng.lognormvariate(math.log(14), 0.6), 400.0)
    lon, lat = moved(*true, rng.gauss(0, accuracy / 2), rng.gauss(0, accuracy / 2))
    system = weighted(rng, _SYSTEMS)
    lon, lat = (float(degrees) for degrees in coordinates.from_wgs84(lon, lat, system))
    return Position(lon=round(lon, 6), lat=round(lat, 6), accuracy_m=round(accuracy), system=system, source="gps")


def _aside(category: str, door: tuple[float, float], rng: Random) -> Position | None:
    """Where the member put the problem on the map, if it is not at the door itself."""
    if not category.startswith(_OUTDOORS) or rng.random() < 0.45:
        return None
    lon, lat = moved(*door, rng.gauss(0, 60), rng.gauss(0, 60))
    return Position(lon=round(lon, 6), lat=round(lat, 6), accuracy_m=5.0, system="wgs84", source="map")


def _note(visit: Visit, rng: Random) -> str | None:
    sentences = words().texts
    notes = {
        "met": sentences.notes_household if visit.kind == "household" else sentences.notes_business,
        "not_home": sentences.notes_not_home,
        "declined": sentences.notes_declined,
        "closed": sentences.notes_closed,
    }
    return rng.choice(notes[visit.outcome]) or None


def _cases(visit: Visit, door: PremisesDraft, rng: Random) -> Iterator[Case]:
    """Different problems of this kind of door, in whose gaps stand its own places."""
    count = weighted(rng, _ISSUES) if visit.outcome == "met" else 0
    left = {code: problem.weight for code, problem in problems().items() if visit.kind in problem.kinds.split()}
    for _ in range(count):
        category = weighted(rng, left)
        del left[category]
        cases = problems()[category].cases
        title, description, how = rng.choice(
            [case for case in cases if visit.kind != "household" or "{name}" not in case[0]]
        )
        urge = words().texts.urge_public if category.startswith(_PUBLIC) else words().texts.urge_own
        gaps = _gaps(visit, door, rng)
        whole = description + rng.choice(urge)
        yield Case(category, title.format_map(gaps), whole.format_map(gaps), how.format_map(gaps))


def _gaps(visit: Visit, door: PremisesDraft, rng: Random) -> Mapping[str, object]:
    road, cross, *_ = rng.sample(list(visit.place.roads), 2)
    return {
        "road": road,
        "cross": cross,
        "yard": rng.choice(visit.place.yards),
        "building": f"{rng.randrange(1, 19)}号楼",
        "unit": f"{rng.randrange(1, 5)}单元",
        "name": door.name,
        "community": visit.place.name,
        "n": rng.randrange(2, 10),
        "days": rng.randrange(2, 8),
    }
