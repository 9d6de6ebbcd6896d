"""Answers to all versions of a questionnaire as a table, under the questions of all of them."""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar, Literal

import asyncpg

from api import answer_columns
from api.export_columns import Header, Row
from api.export_tables import About, Read, Told, Words
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing
from surveys.questionnaires import questionnaire_answers, questionnaires
from surveys.questionnaires.questionnaire_fields import Field, said, together

Shape = Literal["wide", "long"]


class Answers(Read, frozen=True, tag="answers"):
    """Answers, wide with a column for each question, or long with a row for each answer."""

    questionnaire: str
    shape: Shape = "wide"

    words: ClassVar[Words] = ("问卷答案", "answers")

    @property
    def name(self) -> str:  # type: ignore[override]
        """With the questionnaire's own."""
        return f"answers-{self.questionnaire}" + ("-long" if self.shape == "long" else "")

    async def told(self, conn: asyncpg.Connection, about: About, ring: KeyRing) -> Told:
        """How many rows it has is known when it is made."""
        newest = (await questionnaires.stored(conn, about.reader, self.questionnaire))[0]
        called = said(newest.title, "zh") or self.questionnaire, said(newest.title, "en") or self.questionnaire
        return Told({"questionnaire": self.questionnaire}, None, called)

    async def columns(self, conn: asyncpg.Connection, about: About) -> Sequence[Header]:
        """Look through the answers for how many columns their repeats need."""
        if self.shape == "long":
            return answer_columns.LONG
        fields = await self._fields(conn, about.reader)
        most: dict[str, int] = {}
        if any(field.type == "repeat" for field in fields):
            async for row in questionnaire_answers.rows(conn, about.reader, self.questionnaire, about.now):
                answer_columns.entries(fields, row.values, most)
        return answer_columns.wide_headers(fields, most)

    async def rows(self, conn: asyncpg.Connection, about: About, headers: Sequence[Header]) -> AsyncIterator[Row]:
        """The answers, those of the newest visits first."""
        fields = await self._fields(conn, about.reader)
        async for row in questionnaire_answers.rows(conn, about.reader, self.questionnaire, about.now):
            if self.shape == "wide":
                yield answer_columns.wide(row, fields, headers, about.language)
            else:
                for one in answer_columns.long(row, fields, about.language):
                    yield one

    async def _fields(self, conn: asyncpg.Connection, reader: Reader) -> list[Field]:
        versions = await questionnaires.stored(conn, reader, self.questionnaire)
        return together([version.fields for version in versions])
