"""Public commitments as files, by the filters of their list."""

from collections.abc import Mapping
from typing import Any

from litestar.di import NamedDependency, Provide

from api.assessments import commitments
from api.assessments.commitments import PATH
from api.commitment_table import Commitments
from api.exports import CSV, XLSX, Format, file_route
from surveys.assessments.commitments import Filters

ASKED: Mapping[str, Provide] = {"asked": Provide(commitments.asked, sync_to_thread=False)}


def _commitments(asked: NamedDependency[Filters]) -> Commitments:
    return Commitments(asked)


def _route(format: Format) -> Any:  # noqa: A002 - the field's word
    return file_route(
        PATH,
        format,
        name="commitments",
        what="Public commitments",
        table=_commitments,
        known=commitments.FILTERS,
        dependencies=ASKED,
    )


ROUTES = [_route(format_) for format_ in (CSV, XLSX)]
