"""What people call the outcomes of commitments, in both languages."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from api import card_words, export_columns
from surveys.assessments.commitment_outcomes import Outcome
from surveys.assessments.commitments import DoorCommitment

Words = tuple[str, str]  # Chinese, English

INSTANT = timedelta(microseconds=1)  # a day is over at the next one's beginning, which is not of that day any more

OUTCOMES: Mapping[str, Words] = export_columns.WORDS["commitment_outcome"]
# By shape as well as by colour, as issues have theirs.
MARKS: Mapping[Outcome, str] = {
    "proposed": "●",
    "returned": "●",
    "standing": "◆",
    "overdue": "▲",
    "waiting": "◆",
    "kept": "✓",
    "broken": "▲",
    "withdrawn": "－",
}
AIMS: Mapping[str, Words] = export_columns.WORDS["commitment_aim"]


class Shown(Struct, frozen=True):
    """A commitment as the page of a door shows it."""

    commitment: DoorCommitment
    mark: str
    words: str
    when: str


def at_door(commitment: DoorCommitment, zone: ZoneInfo, now: datetime, language: str) -> Shown:
    """What is said of a commitment to a door; a day is over at the next one's beginning."""
    english = language == "en"
    words = OUTCOMES[commitment.outcome][english]
    if commitment.done_at is not None and commitment.outcome != "withdrawn":
        day = card_words.day(commitment.done_at - INSTANT, zone, now, language)
        when = f"reported done {day}" if english else f"{day}报告完成"
    else:
        day = due_on(commitment.due_at, zone)
        when = f"by {day}" if english else f"承诺期限 {day}"
    return Shown(commitment, MARKS[commitment.outcome], words, when)


def due_on(due_at: datetime, zone: ZoneInfo) -> str:
    """The day by whose end something is due, as a form has it."""
    return day_of(due_at, zone).isoformat()


def day_of(end: datetime, zone: ZoneInfo) -> date:
    """The day that ends at a moment, or in which it lies."""
    return (end - INSTANT).astimezone(zone).date()
