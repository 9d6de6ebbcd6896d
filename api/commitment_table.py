"""Public commitments as a table: what was promised, what became of it, and what three say of it."""

from collections.abc import Sequence
from typing import ClassVar

import asyncpg

from api.export_columns import Header
from api.export_tables import About, Selected, Told, Words
from surveys import selections
from surveys.assessments import commitment_rows
from surveys.assessments.commitments import Filters
from surveys.privacy.sealing import KeyRing
from surveys.selections import Selection

HEADERS: Sequence[Header] = (
    Header("text", "承诺内容", "What is promised", width=48),
    Header("organisation_name", "党组织", "Organisation", width=24),
    Header("member_name", "党员", "Member"),
    Header("commitment_outcome", "结果", "Outcome"),
    Header("late", "是否超期", "Late", "flag"),
    Header("due_on", "完成期限", "By the end of"),
    Header("done_on", "完成日期", "Done on"),
    Header("how", "完成情况", "How it was kept", width=48),
    Header("commitment_aim", "承诺对象", "For whom", width=20),
    Header("places", "社区和街道", "Communities and streets", width=24, many=True),
    Header("doors", "走访对象数", "Doors", "count"),
    Header("proposed_at", "提出时间", "Proposed at", "time"),
    Header("approved_at", "审核时间", "Approved at", "time"),
    Header("withdrawn_at", "撤回时间", "Withdrawn at", "time"),
    Header("withdrawal", "撤回原因", "Why it was withdrawn", width=36),
    Header("self_kept", "自评：兑现", "Oneself: kept", "flag"),
    Header("self_stars", "自评：分", "Oneself: of five", "count"),
    Header("leader_kept", "领导点评：兑现", "A leader: kept", "flag"),
    Header("leader_stars", "领导点评：分", "A leader: of five", "count"),
    Header("people_kept", "群众评价：兑现（户）", "The people: kept", "count"),
    Header("people_not_kept", "群众评价：未兑现（户）", "The people: not kept", "count"),
    Header("people_stars", "群众评价：平均分", "The people: mean of five", "number"),
    Header("id", "标识", "Id", width=38),
)


class Commitments(Selected, frozen=True, tag="commitments"):
    """Commitments under the list's filters."""

    filters: Filters

    name: ClassVar[str] = "commitments"
    words: ClassVar[Words] = ("公开承诺", "commitments")
    headers: ClassVar[Sequence[Header]] = HEADERS

    async def told(self, conn: asyncpg.Connection, about: About, ring: KeyRing) -> Told:
        """Raises InvalidFilter, UnknownOrganisation and NotAllowed."""
        count = await commitment_rows.count(conn, about.reader, self.filters, about.zone, about.now)
        return Told(await selections.told(conn, about.reader.district, self.filters), count)

    async def selection(self, conn: asyncpg.Connection, about: About) -> Selection:
        """The question for its rows."""
        return await commitment_rows.selection(conn, about.reader, self.filters, about.zone, about.now)
