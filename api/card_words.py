"""What the resident's page says, in plain words: where an issue stands, until when, and how to say how it went."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from surveys.contact_cards.card_doors import DoorIssue
from surveys.issues.workflow import OPEN, SOLVED, State

Words = tuple[str, str]  # Chinese, English

STATES: Mapping[State, Words] = {
    "reported": ("已登记，等待受理", "Noted; somebody will take it up"),
    "accepted": ("已受理", "Taken up"),
    "assigned": ("已交办", "Handed to who can solve it"),
    "in_progress": ("正在办理", "Being worked on"),
    "paused": ("暂缓办理", "On hold"),
    "resolved": ("已办完", "Done"),
    "closed": ("已办结", "Finished"),
    "rejected": ("未能受理", "Could not be taken up"),
    "merged": ("与同一件事一起办理", "Handled together with the same problem"),
}

# As map and desk have them: one shape and one colour for each group.
GROUPS: Mapping[str, str] = {"reported": "●", "in_hand": "◆", "overdue": "▲", "solved": "✓", "other": "○"}

# Five faces, drawn: the oldest phones have no letters for all of them. Each is its mouth and the words for it.
FACES: Mapping[int, tuple[str, Words]] = {
    1: ("M12 29q8-9 16 0M10 12l7 3M30 12l-7 3", ("很不满意", "Very bad")),
    2: ("M13 28q7-6 14 0", ("不满意", "Bad")),
    3: ("M13 26h14", ("一般", "Fair")),
    4: ("M13 25q7 6 14 0", ("满意", "Good")),
    5: ("M11 23q9 13 18 0z", ("很满意", "Very good")),
}

_WEEKDAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")


class Standing(Struct, frozen=True, kw_only=True):
    """Where an issue stands, as it is read: its group with its mark, and the words for it and for its time."""

    group: str
    mark: str
    words: str
    until: str | None
    late: bool


def standing(issue: DoorIssue, zone: ZoneInfo, now: datetime, language: str) -> Standing:
    """What is said of an issue."""
    late = issue.state in OPEN and issue.due_at < (issue.paused_at or now)
    group = _group(issue.state, late=late)
    return Standing(
        group=group,
        mark=GROUPS[group],
        words=said(STATES[issue.state], language),
        until=_until(issue, zone, now, language, late=late),
        late=late,
    )


def _group(state: State, *, late: bool) -> str:
    if state in SOLVED:
        return "solved"
    if state not in OPEN:
        return "other"
    if late:
        return "overdue"
    return "reported" if state == "reported" else "in_hand"


def _until(issue: DoorIssue, zone: ZoneInfo, now: datetime, language: str, *, late: bool) -> str | None:
    english = language == "en"
    if issue.state in SOLVED and issue.resolved_at is not None:
        at = day(issue.resolved_at, zone, now, language)
        return f"Done {at}" if english else f"{at}办完"
    if issue.state not in OPEN:
        return None
    if issue.paused_at is not None:
        return "The time stands still until work goes on." if english else "暂缓期间不计时，恢复后接着算。"
    at = moment(issue.due_at, zone, now, language)
    if late:
        return f"Was due {at}; we are pressing for it." if english else f"应在{at}前办完，已超期，正在催办。"
    maybe = (" (to be confirmed)" if english else "（暂定）") if issue.due_provisional else ""
    return f"To be done by {at}{maybe}" if english else f"{at}前办完{maybe}"


def moment(at: datetime, zone: ZoneInfo, now: datetime, language: str) -> str:
    """A day and hour as people say it."""
    local = at.astimezone(zone)
    return f"{day(at, zone, now, language)}{', ' if language == 'en' else ' '}{local:%H:%M}"


def day(at: datetime, zone: ZoneInfo, now: datetime, language: str) -> str:
    """A day as people say it: today, tomorrow, a weekday with its date, and the year where it is another."""
    local, today = at.astimezone(zone).date(), now.astimezone(zone).date()
    near: Mapping[timedelta, Words] = {
        timedelta(-1): ("昨天", "yesterday"),
        timedelta(0): ("今天", "today"),
        timedelta(1): ("明天", "tomorrow"),
    }
    if local - today in near:
        return said(near[local - today], language)
    other_year = local.year != today.year
    if language == "en":
        return f"{local:%a} {local.day} {local:%b}" + (f" {local.year}" if other_year else "")
    year = f"{local.year}年" if other_year else ""
    return f"{year}{local.month}月{local.day}日（{_WEEKDAYS[local.weekday()]}）"


def said(words: Words, language: str) -> str:
    """The words of a language."""
    return words[language == "en"]
