"""Answers to a questionnaire as files, wide and long, through the machinery of all exports: its own connection, few at
a time, and a line in the history before the first byte."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Literal

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from api import answer_columns, problem_details
from api.documented_problems import REFUSES
from api.export_columns import AnswerRow
from api.exports import CSV, XLSX, Download, Exports, Format, Language, Table, Told, document
from api.issues import refuse_unfit
from api.json_bodies import TooMany
from api.limits import TAKES_ITS_TIME
from surveys import questionnaire_answers, questionnaires
from surveys.people import District, Reader
from surveys.questionnaire_fields import Field, said, together

Shape = Literal["wide", "long"]


class Answers(Table):
    """Answers to all versions of a questionnaire, under the questions of all of them."""

    def __init__(self, reader: Reader, language: str, questionnaire: str, shape: Shape) -> None:
        super().__init__(reader, language)
        self.name = f"answers-{questionnaire}" if shape == "wide" else f"answers-{questionnaire}-long"
        self.words = ("问卷答案", "answers")
        self._questionnaire = questionnaire
        self._shape = shape
        self._fields: list[Field] = []

    async def told(self, conn: asyncpg.Connection, district: District, now: datetime) -> Told:
        """Look through the answers once: how many rows they make, and how many columns their repeats need."""
        versions = await questionnaires.stored(conn, self.reader, self._questionnaire)
        self._fields = together([version.fields for version in versions])
        self.words = (said(versions[0].title, "zh"), said(versions[0].title, "en"))
        count = 0
        most: dict[str, int] = {}
        async for row in questionnaire_answers.rows(conn, self.reader, self._questionnaire, now):
            answer_columns.entries(self._fields, row.values, most)
            count += 1 if self._shape == "wide" else sum(1 for _ in answer_columns.long(row, self._fields, "en"))
        wide = self._shape == "wide"
        self.headers = answer_columns.wide_headers(self._fields, most) if wide else tuple(answer_columns.LONG)
        if len(self.headers) > answer_columns.MOST_COLUMNS:
            raise TooMany(None, most=answer_columns.MOST_COLUMNS)
        return Told({"questionnaire": self._questionnaire}, count)

    async def rows(self, conn: asyncpg.Connection, district: District, now: datetime) -> AsyncIterator[AnswerRow]:
        async for row in questionnaire_answers.rows(conn, self.reader, self._questionnaire, now):
            if self._shape == "wide":
                yield answer_columns.wide(row, self._fields, self.headers, self.language)
            else:
                for one in answer_columns.long(row, self._fields, self.language):
                    yield one


def _route(shape: Shape, format: Format) -> Any:  # noqa: A002 - the field's word
    called = "answers" if shape == "wide" else "answers-long"
    each = "a column for each question" if shape == "wide" else "a row for each answer"

    @get(
        f"/api/questionnaires/{{questionnaire:str}}/{called}.{format.extension}",
        responses=document(format),
        summary=f"Answers as {format.extension.upper()}, with {each}",
        opt={TAKES_ITS_TIME: True, REFUSES: (404,)},
        name=f"answers_{shape}_{format.extension}",
        operation_id=f"ExportAnswers{shape.title()}{format.extension.title()}",
    )
    async def handler(
        request: Request[Reader, Any, Any],
        reader: NamedDependency[Reader],
        exports: NamedDependency[Exports],
        questionnaire: FromPath[str],
        lang: Language = None,
    ) -> Download:
        """The answers of all visits that the reader sees, to every version, as a file."""
        refuse_unfit(request, ("lang",))
        return Download(exports, Answers(reader, problem_details.language(request), questionnaire, shape), format)

    return handler


ROUTES = [_route("wide", CSV), _route("wide", XLSX), _route("long", CSV), _route("long", XLSX)]
