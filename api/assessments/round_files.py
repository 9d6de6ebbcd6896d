"""The results of a round as files."""

from typing import Annotated, Any
from uuid import UUID

from litestar.params import FromPath, QueryParameter

from api.exports import CSV, XLSX, Format, file_route
from api.round_tables import RoundResults


def _results(
    round: FromPath[UUID],  # noqa: A002
    version: Annotated[int | None, QueryParameter(ge=1, le=10_000)] = None,
) -> RoundResults:
    return RoundResults(round=round, version=version)


def _route(format: Format) -> Any:  # noqa: A002 - the field's word
    return file_route(
        "/api/assessments/rounds/{round:uuid}/results",
        format,
        name="round_results",
        what="Results of a round",
        table=_results,
        known=("version",),
        refuses=(404,),
    )


ROUTES = [_route(format_) for format_ in (CSV, XLSX)]
