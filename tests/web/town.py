"""The small district with issues in every state, and markup where people write: what runs of it is a fault."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any, Literal
from uuid import UUID, uuid4

import asyncpg

from maps import boundaries, tiles
from maps.boundaries import Area
from surveys.history import Actor
from surveys.issues import issues
from surveys.issues.issues import IssueRow, NewIssue, Step
from surveys.issues.workflow import State
from surveys.privacy import contacts
from surveys.privacy.contacts import Contact
from tests.conftest import AREAS, DISTRICT, FAR, LEADER, MEMBER, NEAR, NEXT, NOW, RING, WORKER

# What each text would do if a page took it for more than a text: it sets `ran`, which the tests look for.
MARKUP = [
    '<img src=x onerror="window.ran=1">',
    "${window.ran=2}`+(window.ran=2)+`",
    "</script><script>window.ran=3</script>",
    '{{ 7 * 7 }}{% raw %}" onfocus="window.ran=4" autofocus=\'',
    "javascript:window.ran=5//&lt;b&gt;",
]

CONTACT = Contact(name=MARKUP[0], phone="138 1234 1234")  # of the first issue, and once of the second

Event = Literal["report", "accept", "assign", "start", "resolve", "close", "reject"]

LIVES: dict[str, list[tuple[Event, State]]] = {
    "reported": [("report", "reported")],
    "in_hand": [("report", "reported"), ("accept", "accepted"), ("assign", "assigned"), ("start", "in_progress")],
    "overdue": [("report", "reported"), ("accept", "accepted")],
    "solved": [("report", "reported"), ("accept", "accepted"), ("resolve", "resolved"), ("close", "closed")],
    "other": [("report", "reported"), ("reject", "rejected")],
}

# Community, map group, how many; None stands for no position and no community.
STOCK: list[tuple[str | None, str, int]] = [
    (NEAR, "reported", 3),
    (NEAR, "in_hand", 4),
    (NEAR, "overdue", 2),
    (NEAR, "solved", 36),
    (NEXT, "overdue", 5),
    (NEXT, "solved", 6),
    (NEXT, "other", 2),
    (FAR, "in_hand", 1),
    (None, "reported", 2),
    (None, "solved", 1),
]
_CORNERS = {area.code: area.geometry.bounds[:2] for area in AREAS}


async def settle(conn: asyncpg.Connection) -> None:
    """Fill the small district: names with markup, and the stock of issues, one a day back from yesterday."""
    await conn.execute("update district set name = $2 where district = $1", DISTRICT, f"二七区{MARKUP[2]}")
    await conn.execute("update member set name = $3 where (district, id) = ($1, $2)", DISTRICT, LEADER.id, MARKUP[0])
    await conn.execute("update category set name = name || $2 where district = $1", DISTRICT, MARKUP[0])
    await conn.execute("update department set name = name || $2 where district = $1", DISTRICT, MARKUP[1])
    named = [
        Area(area.code, area.name + mark, area.street, area.geometry, f"{area.street_name}{mark}")
        for area, mark in zip(AREAS, MARKUP, strict=False)
    ]
    await boundaries.store(conn, DISTRICT, named, valid_from=NOW - timedelta(days=1), source="demo", now=NOW)
    numbers = count(10001)
    made = [_issue(next(numbers), community, group) for community, group, many in STOCK for _ in range(many)]
    async with conn.transaction():
        await issues.record(conn, made)
        for number in (10001, 10002):
            await contacts.replace(conn, RING, DISTRICT, UUID(int=number), CONTACT, NOW)
        await contacts.replace(conn, RING, DISTRICT, UUID(int=10002), Contact(), NOW)


def _issue(number: int, community: str | None, group: str) -> NewIssue:
    reported = NOW - timedelta(days=number - 10000)
    due = NOW + timedelta(days=-1 if group == "overdue" else 3)
    life = LIVES[group]
    steps = [_step(event, state, reported + timedelta(hours=at), number) for at, (event, state) in enumerate(life)]
    row = IssueRow(
        district=DISTRICT,
        id=UUID(int=number),
        number=number,
        version=len(life),
        source="ledger",
        source_id=str(number),
        reporter=MEMBER.id,
        reported_at=reported,
        category="0102",
        urgency="normal",
        channel="joint_review",
        state=life[-1][1],
        owner=WORKER.id,
        department="city_management",
        clock_started_at=reported,
        limit_version=1,
        limit_amount=72,
        due_at=due,
        response_due_at=due,
        held_since=reported,
        community=community,
        text_version=1,
        recorded_at=NOW,
        **_place(number, community),
    )
    title = f"井盖破损 {number} {MARKUP[number % len(MARKUP)]}"
    return issues.new(
        row=row, title=title, description=f"东门口 {MARKUP[(number + 1) % len(MARKUP)]}", steps=tuple(steps)
    )


def _step(event: Event, state: State, at: datetime, number: int) -> Step:
    return Step(
        id=uuid4(),
        event=event,
        actor=Actor("member", str(LEADER.id)),
        happened_at=at,
        state=state,
        owner=WORKER.id,
        department="city_management",
        reason=f"理由 {MARKUP[number % len(MARKUP)]}" if event in ("resolve", "reject") else None,
    )


def _place(number: int, community: str | None) -> dict[str, Any]:
    """A spot inside the community, another for each number."""
    if community is None:
        return {"certainty": "unplaced"}
    west, south = _CORNERS[community]
    lon, lat = west + 0.001 + number * 37 % 80 / 10_000, south + 0.001 + number * 53 % 80 / 10_000
    return {
        "position_lon": lon,
        "position_lat": lat,
        "position_system": "wgs84",
        "position_source": "map",
        "accuracy_m": 5.0,
        "lon": lon,
        "lat": lat,
        "cell": int(tiles.cell(lon, lat)),
        "certainty": "inside",
        "boundary_version": 1,
    }


def stock(*groups: str, community: str | None = None) -> int:
    """How many issues the district has of these groups, or of all; in one community, or anywhere."""
    return sum(
        many
        for where, group, many in STOCK
        if (not groups or group in groups) and (community is None or where == community)
    )
