"""Two thousand doors among forty members, and twenty thousand among four hundred: how long a proposal takes, how even
it is, and how far all walk, beside neighbours that are simply counted off."""

import time
from pathlib import Path
from uuid import UUID

import numpy as np
import numpy.typing as npt

from api import route_plans
from api.embedded_postgres import Cluster
from surveys.campaigns import proposals, walking_routes
from surveys.campaigns.assignments import Spot
from surveys.campaigns.proposals import Party
from surveys.campaigns.route_tasks import Answer
from tests.bench.figures import Figure

SEED = 20261125
MOST_S, LARGE_MOST_S = 30.0, 90.0
LEAST_SHORTER = 0.3  # of what is walked when neighbours are counted off
HOME = UUID(int=1)


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure what one organisation asks for, and what is the most at once."""
    return [await _proposed(2_000, 40, MOST_S), await _proposed(proposals.MOST_DOORS, 400, LARGE_MOST_S)]


async def _proposed(doors: int, members: int, most_s: float) -> Figure:
    party = _party(doors, members)
    division = proposals.division(party)
    started = time.perf_counter()
    answer = None
    async for said in route_plans.ask(route_plans.planned([party], [division])):
        answer = said if isinstance(said, Answer) else answer
    took = time.perf_counter() - started
    assert answer is not None
    points = walking_routes.on_plane([(door.lon or 0.0, door.lat or 0.0) for door in division.placed])
    routes = answer.routes[0]
    assert sorted(door for route in routes for door in route) == list(range(doors))
    metres = sum(walking_routes.length(points[route]) for route in routes)
    plain = proposals.plain_metres(division)
    counts = [len(route) for route in routes]
    even = max(counts) - min(counts) <= 1
    return Figure(
        what=f"{doors:,} doors among {members} members, {min(counts)} to {max(counts)} each",
        figure=f"{took:.1f} s, {metres / 1_000:.1f} km",
        ceiling=f"{plain / 1_000:.1f} km counted off",
        ratio=metres / plain,
        wanted=f"≤ {most_s:.0f} s, even, {LEAST_SHORTER:.0%} shorter",
        met=took <= most_s and even and metres <= (1 - LEAST_SHORTER) * plain,
    )


def _party(doors: int, members: int) -> Party:
    """Doors along streets, twelve metres apart, on both their sides."""
    lon, lat = _town(doors)
    spots = [Spot(id=UUID(int=at), lon=float(x), lat=float(y)) for at, (x, y) in enumerate(zip(lon, lat, strict=True))]
    return Party(
        organisation=None,
        doors=spots,
        members=[UUID(int=at) for at in range(members)],
        homes=[HOME] * members,
        held=[0] * members,
        near=[None] * members,
    )


def _town(doors: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    random = np.random.default_rng(SEED)
    side = 3_000 * np.sqrt(doors / 2_000)
    streets: list[npt.NDArray[np.float64]] = []
    while sum(map(len, streets)) < doors:
        angle = random.choice([0, np.pi / 2]) + random.normal(0, 0.1)
        along = np.arange(0, random.uniform(100, 400), 12)
        across = random.choice([-8, 8], len(along))
        begins = random.uniform(0, side, 2)
        direction, beside = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        streets.append(begins + along[:, None] * direction + across[:, None] * beside)
    metres = np.concatenate(streets)[:doors]
    return 113.6 + metres[:, 0] / 91_400, 34.7 + metres[:, 1] / 111_195
