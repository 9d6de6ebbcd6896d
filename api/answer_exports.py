"""Answers to a questionnaire as files, wide and long, through the machinery of all exports: few at a time, and with a
line in the history before the first byte."""

from typing import Any

from litestar.params import FromPath

from api.answer_tables import Answers, Shape
from api.exports import CSV, XLSX, Format, file_route


def _table(shape: Shape) -> Any:
    def table(questionnaire: FromPath[str]) -> Answers:
        return Answers(questionnaire=questionnaire, shape=shape)

    return table


def _route(shape: Shape, format: Format) -> Any:  # noqa: A002 - the field's word
    called = "answers" if shape == "wide" else "answers-long"
    each = "a column for each question" if shape == "wide" else "a row for each answer"
    return file_route(
        f"/api/questionnaires/{{questionnaire:str}}/{called}",
        format,
        name=f"answers_{shape}",
        what=f"Answers with {each}",
        table=_table(shape),
        known=(),
        refuses=(404,),
    )


ROUTES = [_route("wide", CSV), _route("wide", XLSX), _route("long", CSV), _route("long", XLSX)]
