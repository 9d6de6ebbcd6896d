"""Public commitments as files: the rows are those of the list, and what was written stays a text."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from api.export_columns import WORDS
from tests import cards, doors
from tests.api.test_commitments import PATH, a_commitment, make, move, rate, rate_at_door, standing
from tests.api.test_exports import OF_EXPORTS, exported, table
from tests.api.test_resident_page import at_a_door, scan
from tests.conftest import (
    ADMINISTRATOR,
    BESIDE,
    LEADER,
    MEMBER,
    MEMBER_BESIDE,
    NEAR,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    STRANGER,
    Client,
    TestClock,
)

pytestmark = pytest.mark.anyio

# Texts that a spreadsheet would take for formulas, as far as one can promise them.
FORMULAS = ['=HYPERLINK("http://evil.example","点我")', "+1+1", "-2+3", "@SUM(A1)", "＝1+1"]


async def lived(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    """Commitments in every outcome, rated by all three; the clock stands a month later."""
    [card] = await cards.make(conn)
    await doors.file(client, MEMBER, at_a_door(card))
    kept, broken, beside = [
        await standing(client),
        await standing(client, organisation=str(ORGANISATION), text="每月义诊"),
        await standing(client, MEMBER_BESIDE, ORGANISER_BESIDE, text="修好路灯"),
    ]
    await standing(client, text="年底前装好扶手")
    returned = doors.answered(await make(client, MEMBER, a_commitment(text="写得太笼统")), 201)
    doors.answered(await move(client, ORGANISER, returned["id"], "send_back", 1, reason="写明哪几户"), 200)
    doors.answered(await make(client, MEMBER, a_commitment(text="还没审核", aim="area", communities=None)), 201)
    clock.forward(days=5)
    done = {"how": "三户都理了发", "done_on": "2026-11-25"}
    doors.answered(await move(client, MEMBER, kept, "report_done", 2, **done), 200)
    doors.answered(await rate(client, MEMBER, kept, "self", stars=4), 201)
    doors.answered(await rate(client, LEADER, kept, "leader"), 201)
    by_door = await scan(client, card)
    doors.answered(await rate_at_door(client, by_door, kept, stars=2, reason="只来了一次"), 201)
    doors.answered(await move(client, MEMBER_BESIDE, beside, "withdraw", 2, reason="理发师病了"), 200)
    clock.forward(days=30)
    waiting = await standing(client, text="上门送药", due_on="2027-02-01")
    doors.answered(await move(client, MEMBER, waiting, "report_done", 2, how="送到了"), 200)
    await standing(client, text="春节慰问", due_on="2027-02-01")
    doors.answered(await rate(client, LEADER, broken, "leader", kept=False, stars=1, reason="一次也没去"), 201)


def day(moment: str | None) -> str:
    """The day that ends at a moment, or in which it lies, where the tests' district is."""
    if moment is None:
        return ""
    at = datetime.fromisoformat(moment).astimezone(ZoneInfo("Asia/Shanghai")) - timedelta(microseconds=1)
    return at.date().isoformat()


def time(moment: str | None) -> str:
    at = datetime.fromisoformat(moment).astimezone(ZoneInfo("Asia/Shanghai")) if moment else None
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def flag(value: bool | None) -> str:
    return "" if value is None else ("No", "Yes")[value]


def as_row(listed: dict[str, Any]) -> dict[str, str]:
    """What the API says of a commitment, as a row says it."""
    own, leader, people = listed["own"] or {}, listed["leader"] or {}, listed["people"]
    return {
        "What is promised": listed["text"],
        "Organisation": listed["organisation_name"],
        "Member": listed["member_name"] or "",
        "Outcome": WORDS["commitment_outcome"][listed["outcome"]][1],
        "Late": flag(listed["late"]),
        "By the end of": day(listed["due_at"]),
        "Done on": day(listed["done_at"]),
        "How it was kept": listed["how"] or "",
        "For whom": WORDS["commitment_aim"][listed["aim"]][1],
        "Communities and streets": ", ".join(listed["places"]),
        "Doors": str(listed["doors"]),
        "Proposed at": time(listed["proposed_at"]),
        "Approved at": time(listed["approved_at"]),
        "Withdrawn at": time(listed["withdrawn_at"]),
        "Why it was withdrawn": listed["withdrawal"] or "",
        "Oneself: kept": flag(own.get("kept")),
        "Oneself: of five": str(own.get("stars", "")),
        "A leader: kept": flag(leader.get("kept")),
        "A leader: of five": str(leader.get("stars", "")),
        "The people: kept": str(people["kept"]),
        "The people: not kept": str(people["not_kept"]),
        "The people: mean of five": "" if people["stars"] is None else f"{people['stars']:g}",
        "Id": listed["id"],
    }


READERS = (ADMINISTRATOR, LEADER, MEMBER, STRANGER, ORGANISER_BESIDE)
FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"outcome": ["kept", "withdrawn"]},
    {"outcome": "proposed"},
    {"late": True},
    {"late": False, "organisation": str(ORGANISATION)},
    {"organisation": str(BESIDE)},
    {"member": str(MEMBER.id)},
    {"community": NEAR},
    {"as_of": "2026-11-24"},
    {"as_of": "2026-11-26", "known_at": "2026-11-24T12:00:00Z"},
)


async def test_a_file_has_the_rows_of_the_list_under_its_filters(
    client: Client, conn: asyncpg.Connection, clock: TestClock, tmp_path: Path
) -> None:
    await lived(client, conn, clock)
    seen: dict[str, int] = {}
    for who in READERS:
        for filters in FILTERS:
            listed = await doors.every_page(client, who, PATH, **filters)
            told = await table(client, who, f"{PATH}.csv", tmp_path, **filters)
            assert told == [as_row(one) for one in listed], (who.name, filters)
            seen |= {one["outcome"]: 1 for one in listed}
    assert set(seen) == set(WORDS["commitment_outcome"]), "nothing was compared of these"
    for filters in ({}, {"outcome": "kept"}):
        listed = await doors.every_page(client, LEADER, PATH, **filters)
        sheet = await table(client, LEADER, f"{PATH}.xlsx", tmp_path, **filters)
        assert [(row["Id"], row["What is promised"]) for row in sheet] == [(one["id"], one["text"]) for one in listed]
        proposed = [f"{row['Proposed at']:%Y-%m-%d %H:%M:%S}" for row in sheet]
        assert proposed == [time(one["proposed_at"]) for one in listed]


async def test_what_would_be_a_formula_stays_a_text(client: Client, tmp_path: Path) -> None:
    for text in FORMULAS:
        done = await standing(client, text=text)
        doors.answered(await move(client, MEMBER, done, "report_done", 2, how=text), 200)
    told = {row["What is promised"]: row["How it was kept"] for row in await table(
        client, LEADER, f"{PATH}.csv", tmp_path
    )}  # fmt: skip
    assert told == {f"'{text}": f"'{text}" for text in FORMULAS}
    sheet = await table(client, LEADER, f"{PATH}.xlsx", tmp_path)
    assert {row["What is promised"] for row in sheet} == set(FORMULAS)
    with ZipFile(tmp_path / "file.xlsx") as file:
        cells = file.read("xl/worksheets/sheet1.xml").decode()
    assert "<f" not in cells
    assert "hyperlink" not in cells


async def test_the_history_has_who_took_which_commitments(client: Client, conn: asyncpg.Connection) -> None:
    await standing(client)
    asked: dict[str, Any] = {"outcome": "standing", "community": [NEAR]}
    await exported(client, LEADER, f"{PATH}.csv", **asked)
    ((actor, facts),) = await conn.fetch(OF_EXPORTS)
    assert (actor, facts["what"], facts["rows"]) == (str(LEADER.id), "commitments.csv", 1)
    kept = {name: value for name, value in facts["filters"].items() if value is not None}
    assert kept == {"outcomes": ["standing"], "community": [NEAR]}
    answer = await exported(client, LEADER, f"{PATH}.xlsx", lang="zh")
    assert 'filename="commitments-2026-11-23.xlsx"' in answer.headers["content-disposition"]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_what_the_list_refuses_the_file_refuses(client: Client, conn: asyncpg.Connection, kind: str) -> None:
    for query, code, field in (
        ("nonsense=1", "unknown_field", "nonsense"),
        ("limit=1", "unknown_field", "limit"),
        ("as_of=0001-01-01", "invalid_filter", "as_of"),
        ("organisation=00000000-0000-0000-0000-00000000ffff", "unknown_organisation", "organisation"),
    ):
        problem = await client.get(f"{PATH}.{kind}?{query}", headers=LEADER.headers)
        doors.refused(problem, 422, code, field)
    assert await conn.fetch(OF_EXPORTS) == []
