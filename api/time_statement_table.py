"""A statement of the time bank as a table: what moved on an account, oldest first, in words."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar
from uuid import UUID

import asyncpg

from api.export_columns import Header
from api.export_tables import About, Few, Figures, Told, Words
from surveys.people.people import District
from surveys.privacy.sealing import KeyRing
from surveys.refusals import InvalidFilter
from surveys.volunteering import time_accounts, time_statements, volunteers

KINDS: Mapping[str, Words] = {
    "earn": ("服务计时", "Earned"),
    "spend": ("求助支付", "Spent on help"),
    "pass_on": ("转赠", "Passed on"),
    "give_back": ("归还区里", "Given back"),
    "correct": ("更正", "Correction"),
}
SYSTEMS: Mapping[str, Words] = {
    "issued": ("区里发放", "Issued by the district"),
    "given_back": ("归还区里", "Given back to the district"),
    "carried": ("区里承担", "Carried by the district"),
}
RELATIONS: Mapping[str, Words] = {
    "spouse": ("配偶", "Spouse"),
    "parent": ("父母", "Parent"),
    "child": ("子女", "Child"),
    "grandparent": ("祖父母", "Grandparent"),
    "grandchild": ("孙辈", "Grandchild"),
    "sibling": ("兄弟姐妹", "Sibling"),
    "parent_in_law": ("公婆或岳父母", "Parent-in-law"),
    "other": ("其他亲属", "Other relative"),
}
HEADERS: Sequence[Header] = (
    Header("happened_at", "发生时间", "Happened at", "time"),
    Header("recorded_at", "记录时间", "Recorded at", "time"),
    Header("movement", "交易", "Transaction", width=14),
    Header("minutes", "分钟", "Minutes", "count"),
    Header("balance", "余额（分钟）", "Balance (minutes)", "count"),
    Header("other", "对方", "Other side", width=24),
    Header("reason", "更正原因", "Reason of correction", width=36),
    Header("transaction", "标识", "Id", width=38),
    Header("corrects", "更正的交易", "Corrects", width=38),
)


def moments(
    as_of: date | None, known_at: datetime | None, district: District, now: datetime
) -> tuple[datetime, datetime]:
    """Before when something must have happened, and when it must have been known. Raises InvalidFilter for what no
    clock shows."""
    if known_at is not None and known_at.tzinfo is None:
        raise InvalidFilter("known_at", expected="2026-05-31T18:00:00+08:00")
    try:
        after = datetime.combine(
            (as_of or now.astimezone(district.zone).date()) + timedelta(days=1), time(), district.zone
        )
    except OverflowError:
        raise InvalidFilter("as_of", expected="YYYY-MM-DD") from None
    return after, known_at or now


class TimeStatement(Figures, frozen=True, kw_only=True, tag="time_statement"):
    """What moved on an account until the end of a day, as known at a moment, oldest first."""

    account: UUID
    as_of: date | None = None
    known_at: datetime | None = None

    name: ClassVar[str] = "time_statement"
    words: ClassVar[Words] = ("时间银行对账单", "time-bank statement")

    async def told(self, conn: asyncpg.Connection, about: About, ring: KeyRing) -> Told:
        """Raises NotFound for an account that the reader does not see, and InvalidFilter."""
        await time_accounts.seen(conn, about.reader, self.account, about.now)
        before, known_at = moments(self.as_of, self.known_at, about.district, about.now)
        return Told({"account": self.account, "before": before, "known_at": known_at}, None)

    async def figures(self, conn: asyncpg.Connection, about: About) -> Few:
        """Its lines."""
        before, known_at = moments(self.as_of, self.known_at, about.district, about.now)
        return await lines(conn, about.district.district, self.account, before, known_at, about.language)


async def lines(
    conn: asyncpg.Connection, district: int, account: UUID, before: datetime, known_at: datetime, language: str
) -> Few:
    """The lines of a statement in words."""
    rows = await time_statements.whole(district, account, before, known_at).fetch(conn)
    who = await volunteers.named(conn, district, {row["other_volunteer"] for row in rows} - {None}, public=False)
    return Few(headers=HEADERS, rows=[_line(row, who, language == "en") for row in rows])


def _line(row: Any, who: Mapping[UUID, str], english: bool) -> dict[str, object]:
    return {
        "happened_at": row["happened_at"],
        "recorded_at": row["recorded_at"],
        "movement": KINDS[row["kind"]][english],
        "minutes": row["minutes"],
        "balance": row["balance"],
        "other": other_side(row, who, english),
        "reason": row["reason"],
        "transaction": str(row["transaction"]),
        "corrects": str(row["corrects"]) if row["corrects"] else None,
    }


def other_side(row: Mapping[str, Any], who: Mapping[UUID, str], english: bool) -> str:
    """What to call the other side of a line: the district, a volunteer, or a relative, by name within the family."""
    if row["system"]:
        return SYSTEMS[row["system"]][english]
    volunteer = who.get(row["other_volunteer"], "")
    if row["other_kind"] == "volunteer":
        return volunteer
    relation = RELATIONS[row["other_relation"]][english]
    return row["other_name"] or (f"{relation} of {volunteer}" if english else f"{volunteer}的亲属（{relation}）")
