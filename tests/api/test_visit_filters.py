"""The list of visits narrowed, and the file of it: each filter shows what it says, and a misspelt one nothing."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests import doors, drafts
from tests.conftest import FAR, LEADER, MEMBER, NEAR, STRANGER, WORKER, Client

pytestmark = pytest.mark.anyio

SHOP, HOME, NOWHERE, EARLIER = "shop", "home", "nowhere", "earlier"


@pytest.fixture
async def filed(client: Client, conn: asyncpg.Connection) -> dict[str, str]:
    """Four visits of which each differs from the others, by their names; the earlier one is withdrawn."""
    await conn.execute(
        "insert into campaign (district, id, name, starts_at, ends_at, kinds)"
        " values (410103, 'winter', '冬季', '2026-11-01', '2026-12-31', '{shop,household,enterprise}')"
    )
    earlier = {"started_at": "2026-11-20T23:50:00+08:00", "ended_at": "2026-11-20T23:55:00+08:00"}
    visits = {
        SHOP: (MEMBER, drafts.visit(campaign="winter", contact_card="FW-000123-0")),
        HOME: (
            STRANGER,
            drafts.visit(
                premises={"id": str(uuid4()), "kind": "household", "name": "刘家", "address": "铭功路 9 号"},
                position=drafts.FAR_DOOR,
                outcome="not_home",
            ),
        ),
        NOWHERE: (MEMBER, drafts.visit(position=None, outcome="declined")),
        EARLIER: (MEMBER, drafts.visit(**earlier)),
    }
    for who, draft in visits.values():
        await doors.file(client, who, draft)
    gone = drafts.correction(1, withdraw=True)
    await doors.correct(client, MEMBER, visits[EARLIER][1]["id"], gone)
    return {draft["id"]: name for name, (_, draft) in visits.items()}


NARROWED: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {SHOP, HOME, NOWHERE, EARLIER}),
    ({"community": NEAR}, {SHOP, EARLIER}),
    ({"community": [FAR, "none"]}, {HOME, NOWHERE}),
    ({"street": "410103002"}, {HOME}),
    ({"street": ["none", "410103001"]}, {SHOP, NOWHERE, EARLIER}),
    ({"kind": "household"}, {HOME}),
    ({"outcome": ["declined", "not_home"]}, {HOME, NOWHERE}),
    ({"member": str(STRANGER.id)}, {HOME}),
    ({"member": "me"}, set()),
    ({"organisation": str(MEMBER.organisation), "placed": "no"}, {NOWHERE}),
    ({"organisation": str(UUID(int=9))}, set()),
    ({"campaign": "winter"}, {SHOP}),
    ({"campaign": "none"}, {HOME, NOWHERE, EARLIER}),
    ({"flag": "card_unknown"}, {SHOP}),
    ({"unsettled": "yes"}, {SHOP}),
    ({"unsettled": "no"}, {HOME, NOWHERE, EARLIER}),
    ({"certainty": ["unplaced", "outside"]}, {NOWHERE}),
    ({"text": "fw-000123-0"}, {SHOP}),
    ({"started_from": "2026-11-21"}, {SHOP, HOME, NOWHERE}),
    ({"started_to": "2026-11-20"}, {EARLIER}),
    ({"text": "铭功路 9"}, {HOME}),
    ({"text": "刘%"}, set()),
    ({"bbox": "113.6,34.7,113.61,34.71"}, {SHOP, EARLIER}),
    ({"placed": "yes"}, {SHOP, HOME, EARLIER}),
    ({"withdrawn": "no", "member": str(MEMBER.id)}, {SHOP, NOWHERE}),
    ({"community": "x'; drop table visit; --"}, set()),
]


async def test_each_filter_shows_what_it_says(client: Client, filed: dict[str, str]) -> None:
    for params, expected in NARROWED:
        items = await doors.every_page(client, LEADER, "/api/visits", limit=1, **params)
        assert {filed[item["id"]] for item in items} == expected, params
        counted = (await doors.read(client, LEADER, "/api/visits", **params))["total"]
        lines = (await client.get("/api/visits.csv", params=params, headers=LEADER.headers)).text.splitlines()
        assert counted == len(lines) - 1 == len(expected), params


async def test_nobody_sees_more_by_asking_for_it(client: Client, filed: dict[str, str]) -> None:
    for params, _ in NARROWED:
        for who in (WORKER, STRANGER):
            seen = {item["id"] for item in await doors.every_page(client, who, "/api/visits")}
            narrowed = {item["id"] for item in await doors.every_page(client, who, "/api/visits", **params)}
            assert narrowed <= seen, (who.name, params)


async def test_what_no_visit_can_be_asked_for_is_refused(client: Client, filed: dict[str, str]) -> None:
    for query, code, field in (
        ("outcom=met", "unknown_field", "outcom"),
        ("outcome=gone", "wrong_value", "outcome"),
        ("member=you", "invalid_filter", "member"),
        ("organisation=1", "wrong_value", "organisation"),
        ("bbox=1,2,3", "invalid_filter", "bbox"),
        ("bbox=114,34,113,35", "invalid_filter", "bbox"),
        ("started_from=0001-01-01", "invalid_filter", "started_from"),
        ("started_to=9999-12-31", "invalid_filter", "started_to"),
        ("text=x", "invalid_filter", "text"),
        ("community=%00", "invalid_filter", "community"),
    ):
        doors.refused(await client.get(f"/api/visits?{query}", headers=LEADER.headers), 422, code, field)
    cursor = (await doors.read(client, LEADER, "/api/visits", limit=1))["next"]
    answer = await client.get("/api/visits", params={"cursor": cursor, "kind": "shop"}, headers=LEADER.headers)
    doors.refused(answer, 422, "invalid_cursor", "cursor")
