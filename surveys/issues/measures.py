"""What the rates are counted from: what each event does to an issue's measures, said here and nowhere else."""

from datetime import datetime
from typing import Any, Literal, Protocol

from msgspec import Struct

from surveys.issues.workflow import Event, State

Answer = Literal["solved", "not_solved", "not_answered"]

# The first of these by somebody who answers for the issue is its first contact. Corrections, mergers and what the
# program does by itself reach nobody.
RESPONDING: frozenset[Event] = frozenset(
    {
        "accept",
        "appoint",
        "assign",
        "change_channel",
        "extend",
        "meet",
        "opine",
        "pause",
        "reject",
        "resolve",
        "return",
        "start",
    }
)


class Measured(Protocol):
    """What has measures: a row, or the measures by themselves."""

    @property
    def first_contact_at(self) -> datetime | None: ...
    @property
    def resolutions(self) -> int: ...
    @property
    def bounces(self) -> int: ...
    @property
    def reopens(self) -> int: ...
    @property
    def pauses(self) -> int: ...


class Measures(Struct, frozen=True, kw_only=True):
    """The measures of an issue that has just been reported, or of what became of it since."""

    first_contact_at: datetime | None = None
    resolved_at: datetime | None = None  # the last time; None again once it is reopened
    answer: Answer | None = None  # the resident's last, or that the last return visit found none
    satisfaction: int | None = None  # 1 to 5, the resident's last
    resolutions: int = 0
    bounces: int = 0  # returns that were asked for
    reopens: int = 0
    pauses: int = 0


NAMES: tuple[str, ...] = Measures.__struct_fields__


def changes(of: Measured, event: Event, at: datetime, state: State) -> dict[str, Any]:
    """The measures that an event changes, with their new values; `state` is the issue's after it. What a resident
    answers is written by the return visit that asked."""
    changed: dict[str, Any] = {}
    if event in RESPONDING and of.first_contact_at is None:
        changed["first_contact_at"] = at
    match event:
        case "resolve":
            changed |= {"resolved_at": at, "resolutions": of.resolutions + 1}
        case "reopen":
            changed |= {"resolved_at": None, "reopens": of.reopens + 1}
        case "return":
            changed["bounces"] = of.bounces + 1
        case "pause" | "approve" if state == "paused":
            changed["pauses"] = of.pauses + 1
        case _:
            pass
    return changed
