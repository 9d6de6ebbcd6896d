"""An issue's history as its page tells it: what was done, by whom, when, and why."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from api import history_words, texts
from api.desk import words
from api.texts import marked
from surveys.counting.issue_lists import Detail
from surveys.history import Entry
from surveys.issues.workflow import Group, State, group

JUST_NOW = timedelta(minutes=1)


class Line(Struct, frozen=True, kw_only=True):
    """One event in words; `told` is what it led to, `group` the mark that stands before it."""

    version: int
    event: str
    told: str
    who: str
    at: datetime
    group: Group
    reason: str | None
    despite: str | None
    photos: tuple[str, ...]


def lines(detail: Detail, departments: Mapping[str, str], zone: Any, language: str) -> list[Line]:
    """The events of an issue, the newest first."""
    return [_line(entry, detail, departments, zone, language) for entry in reversed(detail.history)]


def since(lines: Iterable[Line], version: int) -> list[Line]:
    """What was done after a version, in its order."""
    return [line for line in reversed(list(lines)) if line.version > version]


def ago(at: datetime, now: datetime, language: str) -> str:
    """How long ago something was done, in the words of two people at once."""
    say, passed = texts.of(language).gettext, now - at
    if passed < JUST_NOW:
        return say(marked("just now"))
    minutes = passed // JUST_NOW
    if minutes < 60:
        return say(marked("%(minutes)s min ago")) % {"minutes": minutes}
    if minutes < 24 * 60:
        return say(marked("%(hours)s h ago")) % {"hours": minutes // 60}
    return say(marked("%(days)s d ago")) % {"days": minutes // (24 * 60)}


def evidence(detail: Detail) -> dict[str, Entry]:
    """The event with which each photo came, for those that did not come with the report."""
    return {sha256: entry for entry in detail.history for sha256 in _photos(entry) if entry.event != "report"}


def _photos(entry: Entry) -> tuple[str, ...]:
    found = entry.facts.get("evidence")
    return tuple(str(one) for one in found) if isinstance(found, list) else ()


def _line(entry: Entry, detail: Detail, departments: Mapping[str, str], zone: Any, language: str) -> Line:
    kind = "escalation" if entry.event == "escalate" else "issue"
    state = entry.facts.get("state")
    return Line(
        version=entry.version,
        event=history_words.event_in_words(kind, entry.event, language),
        told=_told(entry, detail, departments, zone, language),
        who=_who(entry, detail, language),
        at=entry.happened_at,
        group=group(_state(state), overdue=False) if state else "other",
        reason=entry.reason,
        despite=entry.despite,
        photos=_photos(entry),
    )


def _state(state: object) -> State:
    known: State = state  # type: ignore[assignment]  # the history keeps states as they are called
    return known


def _who(entry: Entry, detail: Detail, language: str) -> str:
    if entry.actor.kind == "member":
        return detail.names.get(entry.actor.id, "")
    if entry.actor.kind == "job":
        return history_words.in_words(history_words.JOBS, entry.actor.id, language)
    return history_words.in_words(history_words.ACTORS, entry.actor.kind, language)


def _told(entry: Entry, detail: Detail, departments: Mapping[str, str], zone: Any, language: str) -> str:
    """To whom an issue went, or what was said of it, where the event tells."""
    say, facts = texts.of(language).gettext, entry.facts
    member = {name: detail.names.get(str(facts.get(name)), "") for name in ("owner", "offered_to", "leader", "agent")}
    match entry.event:
        case "hand_on" | "report" | "accept" | "reopen":
            return say(marked("owner: %(name)s")) % {"name": member["owner"]} if member["owner"] else ""
        case "assign" if facts.get("offered_to"):
            return say(marked("offered to %(name)s")) % {"name": member["offered_to"]}
        case "assign" if facts.get("department"):
            code = str(facts["department"])
            return say(marked("to %(name)s")) % {"name": departments.get(code, code)}
        case "change_channel" if facts.get("channel"):
            return words.word("channel", str(facts["channel"]), language)
        case "follow":
            return member["leader"]
        case "appoint":
            return say(marked("to %(name)s")) % {"name": member["agent"]}
        case "opine":
            code = str(facts.get("opinion_of"))
            told = next((say(text) for one, text in words.OPINIONS.items() if one == facts.get("opinion")), "")
            return f"{departments.get(code, code)} · {told}"
        case "meet" if facts.get("held_at"):
            return texts.moment(datetime.fromisoformat(str(facts["held_at"])), language, zone)
        case "answer":
            solved = marked("solved") if facts.get("answer") == "solved" else marked("not solved")
            return say(marked("%(solved)s, %(satisfaction)s of 5")) % {
                "solved": say(solved),
                "satisfaction": facts.get("satisfaction") or 0,
            }
        case _:
            return ""
