"""The results of a round as a table: a row for each who was rated, or was not and why."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

import asyncpg

from api.export_columns import Header
from api.export_tables import About, Few, Figures, Told, Words
from surveys.assessments import round_results, rounds
from surveys.assessments.round_results import ResultItem
from surveys.privacy.sealing import KeyRing

AT_ONCE = 1_000
SKIPPED: dict[str, Words] = {
    "joined_late": ("加入太晚", "joined too late in the period"),
    "left": ("已离开", "has left"),
    "closed": ("已撤销", "was closed"),
    "not_there": ("当时不在", "was not there"),
}
HEADERS: Sequence[Header] = (
    Header("rank", "名次", "Rank", "count"),
    Header("name", "名称", "Name", width=24),
    Header("number", "编号", "Number"),
    Header("organisation_name", "党组织", "Organisation", width=24),
    Header("percent", "得分率", "Per cent", "share"),
    Header("stars", "星级", "Stars", "count"),
    Header("reckoned", "计算星级", "Stars as worked out", "count"),
    Header("tied", "并列数", "Sharing the rank", "count"),
    Header("skipped", "未考核原因", "Why not rated", width=16),
    Header("version", "结果版本", "Version of the results", "count"),
    Header("taken_at", "数据截至", "As of", "time"),
    Header("known_at", "统计时间", "Known at", "time"),
)


class RoundResults(Figures, frozen=True, kw_only=True, tag="round_results"):
    """The results of those whom the reader leads or organises, in one version, the newest if none is named."""

    round: UUID
    version: int | None = None

    name: ClassVar[str] = "round_results"
    words: ClassVar[Words] = ("考核结果", "round-results")

    async def told(self, conn: asyncpg.Connection, about: About, ring: KeyRing) -> Told:
        """How many rows it has is known when it is made. Raises NotFound and NotAllowed."""
        found = await rounds.organised(conn, about.reader, self.round)
        computation = await round_results.ready(conn, found.round, self.version)
        facts = {"round": str(self.round), "version": computation.version}
        return Told(facts, None, (f"{found.round.name}-{self.words[0]}",) * 2)

    async def figures(self, conn: asyncpg.Connection, about: About) -> Few:
        """Raises NotFound and NotAllowed."""
        found = await rounds.organised(conn, about.reader, self.round)
        computation = await round_results.ready(conn, found.round, self.version)
        times = {"taken_at": computation.taken_at, "known_at": computation.known_at, "version": computation.version}
        rows: list[dict[str, object]] = []
        cursor, version = None, computation.version
        while True:
            page = await round_results.page(
                conn, about.reader, self.round, version=version, limit=AT_ONCE, cursor=cursor
            )
            rows += [_row(one, about.language) | times for one in page.items]
            cursor = page.next
            if cursor is None:
                return Few(headers=HEADERS, rows=rows, areas=[])


def _row(one: ResultItem, language: str) -> dict[str, object]:
    cells: dict[str, object] = {name: getattr(one, name) for name in ResultItem.__struct_fields__}
    return cells | {
        "percent": None if one.percent is None else float(one.percent) / 100,
        "skipped": SKIPPED[one.skipped][language == "en"] if one.skipped else None,
    }
