"""The rates, and the coverage of a campaign, as tables: a row for each part, with the two times it was taken at."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import asyncpg

from api.export_columns import WORDS, Header
from api.export_tables import About, Few, Figures, Told, Words
from surveys import selections
from surveys.counting import issue_query, issue_rows, rates
from surveys.counting.rate_terms import Rate
from surveys.coverage import coverage, coverage_query
from surveys.coverage.coverage_terms import Figure
from surveys.privacy.sealing import KeyRing

# What the share of a rate is of what: the rate, its numerator, and its denominator.
RATES: Mapping[Rate, Words] = {
    "response": ("响应率", "Response rate"),
    "resolution": ("解决率", "Resolution rate"),
    "satisfaction": ("满意率", "Satisfaction rate"),
    "on_time": ("按时办结率", "Solved in time"),
    "bounce": ("回退率", "Given back"),
    "redo": ("重办率", "Done again"),
    "pause": ("挂账率", "Paused"),
    "reopen": ("重开率", "Opened again"),
    "own_word": ("仅自报办结", "By our own word alone"),
    "not_answered": ("未回访到", "Not answered"),
}
PART: Sequence[Header] = (
    Header("key", "代码", "Code"),
    Header("name", "名称", "Name", width=24),
    Header("part_of", "上级", "Part of"),
)
TIMES: Sequence[Header] = (
    Header("as_of", "数据截至", "As of", "time"),
    Header("known_at", "统计时间", "Known at", "time"),
)
HOURS: Sequence[Header] = (
    Header("hours_median", "办结时长中位数（小时）", "Median hours to solve", "number"),
    Header("hours_p90", "办结时长九成位数（小时）", "90 % solved within hours", "number"),
    Header("hours_count", "办结件数", "Solved issues timed", "count"),
)
NOWHERE: Words = ("（无）", "(none)")  # what a part is called that belongs to nothing
INDEX = Header("index", "综合指数", "Index", "number")


def _of_rate(rate: Rate, words: Words) -> Sequence[Header]:
    zh, en = words
    return (
        Header(f"{rate}_rate", zh, en, "share"),
        Header(f"{rate}_numerator", f"{zh}·分子", f"{en}: of these", "count"),
        Header(f"{rate}_denominator", f"{zh}·分母", f"{en}: counted", "count"),
    )


class Rates(Figures, frozen=True, kw_only=True, tag="rates"):
    """The rates under the list's filters, broken down."""

    filters: issue_query.Filters
    by: rates.By = "district"
    hours: bool = True

    name: ClassVar[str] = "rates"
    words: ClassVar[Words] = ("三率", "rates")

    async def told(self, conn: asyncpg.Connection, about: About, ring: KeyRing) -> Told:
        """How many rows it has is known when it is made."""
        facts = dict(await issue_rows.told(conn, about.reader.district, self.filters))
        veiled = {} if self.filters.text is None else {"text_digest": ring.veil(self.filters.text).hex()}
        return Told({**facts, **veiled, "by": self.by}, None)

    async def figures(self, conn: asyncpg.Connection, about: About) -> Few:
        """Raises InvalidFilter and NotAllowed."""
        found = await rates.by(conn, about.reader, self.filters, self.by, about.zone, about.now, hours=self.hours)
        headers = [*PART]
        for rate, words in RATES.items():
            headers += _of_rate(rate, words)
        times = {"as_of": found.at, "known_at": found.known_at}
        return Few(
            headers=[*headers, INDEX, *(HOURS if self.hours else ()), *TIMES],
            rows=[self._row(row, about.language) | times for row in found.rows],
            areas=[row.key for row in found.rows] if self.by == "community" else [],
        )

    def _row(self, row: rates.Row, language: str) -> dict[str, object]:
        name = row.name if row.key else NOWHERE[language == "en"]
        if self.by == "channel" and row.key:
            name = WORDS["channel"][row.key][language == "en"]
        cells: dict[str, object] = {"key": row.key, "name": name, "part_of": row.part_of, "index": row.index}
        for rate, share in row.shares.items():
            cells[f"{rate}_rate"] = share.rate
            cells[f"{rate}_numerator"] = share.numerator
            cells[f"{rate}_denominator"] = share.denominator
        hours = row.hours or rates.Hours(median=None, p90=None, count=0)
        return cells | {"hours_median": hours.median, "hours_p90": hours.p90, "hours_count": hours.count}


COUNTS: Mapping[Figure, Words] = {
    "doors": ("应走访数", "Doors"),
    "visited": ("已走访数", "Visited"),
    "met": ("见到数", "Met"),
    "not_yet": ("未走访数", "Not yet"),
    "not_home": ("无人数", "Nobody at home"),
    "declined": ("婉拒数", "Declined"),
    "closed": ("关门数", "Closed"),
    "twice": ("走访两次以上", "Visited twice"),
    "three_tries": ("三次未见", "Three tries in vain"),
    "unheld": ("未分到人", "Held by nobody"),
    "unassigned": ("未分配", "Not assigned"),
}
COVERED: Sequence[Header] = (
    *PART,
    Header("visited_rate", "走访率", "Visited rate", "share"),
    Header("met_rate", "见面率", "Met rate", "share"),
    *(Header(figure, zh, en, "count") for figure, (zh, en) in COUNTS.items()),
    Header("round", "轮次", "Round", "count"),
    Header("until", "走访截至", "Visits begun before", "time"),
    Header("known_at", "统计时间", "Known at", "time"),
)


class Coverage(Figures, frozen=True, kw_only=True, tag="coverage"):
    """The coverage of a campaign in a round, broken down."""

    campaign: str
    filters: coverage_query.Filters
    by: coverage.By = "community"

    name: ClassVar[str] = "coverage"
    words: ClassVar[Words] = ("走访覆盖", "coverage")

    async def told(self, conn: asyncpg.Connection, about: About, ring: KeyRing) -> Told:
        """How many rows it has is known when it is made. Raises NotFound."""
        asked = await self._asked(conn, about)
        facts = await selections.told(conn, about.reader.district, self.filters)
        return Told(
            {**facts, "campaign": self.campaign, "by": self.by}, None, (f"{asked.campaign.name}-{self.words[0]}",) * 2
        )

    async def figures(self, conn: asyncpg.Connection, about: About) -> Few:
        """Raises InvalidFilter, NotFound and NotAllowed."""
        asked = await self._asked(conn, about)
        found = await coverage.by(conn, asked, self.by)
        taken = {"round": asked.round.number, "until": asked.ends, "known_at": about.now}
        return Few(
            headers=COVERED,
            rows=[self._row(row, about.language) | taken for row in found.rows],
            areas=[row.key for row in found.rows] if self.by == "community" else [],
        )

    def _row(self, row: coverage.Row, language: str) -> dict[str, object]:
        name = row.name if row.key else NOWHERE[language == "en"]
        if self.by == "kind" and row.key:
            name = WORDS["premises_kind"][row.key][language == "en"]
        doors = row.counts["doors"]
        shares = {f"{figure}_rate": row.counts[figure] / doors if doors else None for figure in ("visited", "met")}
        counts: dict[str, object] = {figure: row.counts[figure] for figure in COUNTS}
        return {"key": row.key, "name": name, "part_of": row.part_of, **shares, **counts}

    async def _asked(self, conn: asyncpg.Connection, about: About) -> coverage_query.Asked:
        return await coverage_query.asked(conn, about.reader, self.campaign, self.filters, about.zone, about.now)
