"""What the desk calls things: queues, moves, and how much time is left."""

from collections.abc import Mapping
from datetime import timedelta

from api import texts
from api.export_columns import WORDS
from api.texts import marked
from surveys.clock.clock import Unit
from surveys.desk.boards import Left, QueueName
from surveys.issues.issues import Asked
from surveys.issues.moves import Opinion
from surveys.issues.workflow import Move

QUEUES: Mapping[QueueName, str] = {
    "mine": marked("Mine"),
    "department": marked("My department's"),
    "new": marked("To be accepted"),
    "due_today": marked("Due today"),
    "overdue": marked("Overdue"),
    "judge": marked("To be judged"),
    "returned": marked("Came back to me"),
    "waiting": marked("Waiting for others"),
    "offered": marked("Offered to me"),
    "follow": marked("Followed by me"),
    "visit": marked("To visit"),
}
MEANINGS: Mapping[QueueName, str] = {
    "mine": marked("What you answer for and what is not finished"),
    "department": marked("What your department works on"),
    "new": marked("What nobody has taken on yet"),
    "due_today": marked("What ends today and is not late yet"),
    "overdue": marked("What is past its limit"),
    "judge": marked("Somebody asks to give back, to pause or for more time"),
    "returned": marked("Given back or reopened, and not started again"),
    "waiting": marked("With a department, offered to somebody, asked to be judged, or paused"),
    "offered": marked("You are asked to take these on"),
    "follow": marked("What you follow as a leader"),
    "visit": marked("Where you are to go for somebody"),
}
NOTHING: Mapping[QueueName, str] = {
    "mine": marked("Nothing to do: you answer for no unfinished issue."),
    "department": marked("Nothing to do: your department has no unfinished issue."),
    "new": marked("Nothing waits to be accepted."),
    "due_today": marked("Nothing is due today any more."),
    "overdue": marked("Nothing is overdue. Well done."),
    "judge": marked("Nobody waits for your judgement."),
    "returned": marked("Nothing has come back to you."),
    "waiting": marked("Nothing of yours waits for others."),
    "offered": marked("Nobody asks you to take anything on."),
    "follow": marked("You follow no unfinished issue."),
    "visit": marked("You are to go to nobody."),
}

MOVES: Mapping[Move, str] = {
    "accept": marked("Take on"),
    "assign": marked("Assign"),
    "decline": marked("Decline"),
    "start": marked("Start"),
    "resolve": marked("Resolve"),
    "close": marked("Close the case"),
    "reject": marked("Reject"),
    "reopen": marked("Reopen"),
    "correct": marked("Correct"),
    "return": marked("Give back"),
    "pause": marked("Pause"),
    "resume": marked("Resume"),
    "extend": marked("Extend"),
    "approve": marked("Grant the request"),
    "refuse": marked("Refuse the request"),
    "merge": marked("Merge"),
    "unmerge": marked("Take apart"),
    "change_channel": marked("Change the channel"),
    "follow": marked("Let a leader follow"),
    "appoint": marked("Appoint an agent"),
    "opine": marked("Give an opinion"),
    "meet": marked("Record a meeting"),
}
BULK: Mapping[str, str] = {
    "accept": marked("Take on"),
    "assign": marked("Assign to a department"),
    "offer": marked("Ask somebody to take it on"),
    "merge": marked("Merge"),
}
# What was done, as it is told right after it.
DONE: Mapping[Move, str] = {
    "accept": marked("Accepted."),
    "assign": marked("Assigned."),
    "decline": marked("Declined."),
    "start": marked("Started."),
    "resolve": marked("Resolved."),
    "close": marked("Closed."),
    "reject": marked("Rejected."),
    "reopen": marked("Reopened."),
    "correct": marked("Corrected."),
    "return": marked("Asked to be given back; a dispatcher judges it."),
    "pause": marked("A pause is asked for or has begun."),
    "resume": marked("Resumed."),
    "extend": marked("More time is asked for or was given."),
    "approve": marked("Granted."),
    "refuse": marked("Refused."),
    "merge": marked("Merged."),
    "unmerge": marked("Taken apart."),
    "change_channel": marked("The channel was changed."),
    "follow": marked("A leader follows it."),
    "appoint": marked("The agent is appointed."),
    "opine": marked("The opinion was given."),
    "meet": marked("The meeting is on record."),
}
ASKED: Mapping[Asked, str] = {
    "return": marked("asked to be given back"),
    "pause": marked("a pause is asked for"),
    "extend": marked("more time is asked for"),
}
UNITS: Mapping[Unit, str] = {
    "working_hours": marked("working hours"),
    "working_days": marked("working days"),
    "calendar_hours": marked("hours"),
}
OPINIONS: Mapping[Opinion, str] = {
    "agree": marked("Agrees"),
    "object": marked("Objects"),
    "not_concerned": marked("Not concerned"),
}


def word(kind: str, code: str, language: str) -> str:
    """What people call a state, an urgency or another code of an issue."""
    words = WORDS[kind].get(code)
    return words[language == "en"] if words else code


def time_left(left: Left, language: str) -> str:
    """How much time is left, or how late it is: in days of work where it is more than one."""
    say = texts.of(language).gettext
    time = stretch(abs(left.time), left.day, language)
    if left.late:
        return say(marked("late by %(time)s")) % {"time": time}
    return (say(marked("paused, %(time)s left")) if left.standing else say(marked("%(time)s left"))) % {"time": time}


def stretch(time: timedelta, day: timedelta, language: str) -> str:
    """A stretch of time in days of a length and hours; below a day in hours and minutes."""
    days, rest = divmod(time, day)
    if not days:
        return texts.working_time(rest, language)
    say, hours = texts.of(language).gettext, rest // timedelta(hours=1)
    if not hours:
        return say(marked("%(days)s d")) % {"days": texts.number(days, language)}
    return say(marked("%(days)s d %(hours)s h")) % {"days": texts.number(days, language), "hours": hours}
