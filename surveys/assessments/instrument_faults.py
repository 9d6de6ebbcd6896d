"""What is wrong with an instrument, by sheet, row and column; the words are `api.assessments.instrument_words`'."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from surveys.refusals import Invalid


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong, and where; rows count from 1, as a spreadsheet shows them."""

    reason: str
    sheet: str = ""
    row: int | None = None
    column: str = ""
    facts: Mapping[str, Any] = {}


class InstrumentUnusable(Invalid):
    """An instrument that cannot be published, with all that is wrong with it; nothing of it was stored."""

    code = "instrument_unusable"

    def __init__(self, faults: Sequence[Fault], first: str = "", told: Sequence[object] = ()) -> None:
        super().__init__("file", count=len(faults), first=first or faults[0].reason, faults=list(told))
        self.faults = faults
