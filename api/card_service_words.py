"""What a card's page says of volunteers' services: what is to come near the door, what its people booked, and how it
was."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from api import card_words, texts
from api.card_words import GROUPS
from surveys.volunteering.booking_lists import MyBooking, NearDoor, OfDoor
from surveys.volunteering.bookings import BookingState

STATES: Mapping[BookingState, str] = {
    "booked": texts.marked("You have a place"),
    "waiting": texts.marked("You are on the waiting list"),
    "cancelled": texts.marked("Booking cancelled"),
    "came": texts.marked("You came"),
    "missed": texts.marked("You did not come"),
}
MARKS: Mapping[BookingState, str] = {
    "booked": "solved",
    "waiting": "reported",
    "cancelled": "other",
    "came": "solved",
    "missed": "other",
}
MOST_PERSONS = 6  # that one chooses from on the page


def context(
    found: OfDoor | None, asked: Mapping[str, str], zone: ZoneInfo, now: datetime, language: str
) -> dict[str, Any]:
    """What the page needs; nothing where there is nothing to say. `asked` are the words of the address, which name
    what was just done."""
    if found is None:
        return {}
    booked = [_booked(one, zone, now, language) for one in found.bookings]
    return {
        "told_of_service": _just_done(booked, asked, language),
        "near": [_near(one, zone, now, language) for one in found.near],
        "booked": booked,
        "most_persons": MOST_PERSONS,
    }


def _when(one: NearDoor | MyBooking, zone: ZoneInfo, now: datetime, language: str) -> str:
    """The day with both times, as people say it."""
    begin, end = one.starts_at.astimezone(zone), one.ends_at.astimezone(zone)
    till = f"{end:%H:%M}" if begin.date() == end.date() else card_words.moment(one.ends_at, zone, now, language)
    return f"{card_words.moment(one.starts_at, zone, now, language)}–{till}"


def _near(one: NearDoor, zone: ZoneInfo, now: datetime, language: str) -> dict[str, Any]:
    return {"service": one, "when": _when(one, zone, now, language), "most": min(MOST_PERSONS, one.places)}


def _booked(one: MyBooking, zone: ZoneInfo, now: datetime, language: str) -> dict[str, Any]:
    say = texts.of(language).gettext
    off = one.stands == "cancelled" and one.state != "cancelled"
    group = "overdue" if off else MARKS[one.state]
    return {
        "booking": one,
        "when": _when(one, zone, now, language),
        "group": group,
        "mark": GROUPS[group],
        "words": say(texts.marked("The service was cancelled")) if off else say(STATES[one.state]),
        "off": off,
        "open": one.open(now),
        "asked": one.asked is not None and one.asked.open(now),
    }


def _just_done(booked: list[dict[str, Any]], asked: Mapping[str, str], language: str) -> dict[str, Any] | None:
    """What is said of what was just booked, cancelled or judged; any other text in the address is nothing."""
    for shown in booked:
        one: MyBooking = shown["booking"]
        if asked.get("booked") == str(one.service) and one.state in ("booked", "waiting"):
            return shown
        if asked.get("cancelled") == str(one.id) and one.state == "cancelled":
            return shown
        if asked.get("judged") == str(one.id) and one.asked is not None and one.asked.state == "answered":
            return shown | {"words": texts.of(language).gettext(texts.marked("Thank you"))}
    return None
