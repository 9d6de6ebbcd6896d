"""What a city app asks and sends by GeoReport v2, read out of addresses and forms."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request

from api.json_bodies import UnknownField, WrongMediaType
from surveys.counting.issue_query import YEARS
from surveys.intake.app_reports import AppReport
from surveys.intake.app_requests import MOST, Asked
from surveys.issues.placing import Position
from surveys.privacy.contacts import Contact
from surveys.refusals import InvalidFilter, Missing, TextTooLong, TextUnusable, WrongValue

FORM = "application/x-www-form-urlencoded"
LONGEST_SPAN = timedelta(days=90)
LONGEST_TEXT = 2_000  # characters, of a description with its address
TIME = "2026-11-23T09:30:00+08:00"
URGENCY = "attribute[urgency]"
LENGTHS = {
    "service_code": 20,
    "description": LONGEST_TEXT,
    "address_string": 300,
    "address_id": 20,
    "first_name": 50,
    "last_name": 50,
    "phone": 40,
    "external_id": 100,
}
# What the standard names beside, and is read over: nothing of it is kept.
NOT_KEPT = frozenset({"email", "device_id", "account_id", "media_url"})
OF_A_REPORT = frozenset(
    {*LENGTHS, *NOT_KEPT, "lat", "long", "api_key", "jurisdiction_id", URGENCY, "attribute[urgency][]"}
)
OF_A_LIST = frozenset(
    {"jurisdiction_id", "service_request_id", "service_code", "start_date", "end_date", "status", "page", "page_size"}
)
_NUMBER = re.compile(r"[0-9]{1,18}")


async def form(request: Request[Any, Any, Any]) -> Mapping[str, str]:
    """The fields of a form that was sent. Raises WrongMediaType, UnknownField, WrongValue or TextUnusable."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind != FORM and body:
        raise WrongMediaType("Content-Type", expected=FORM)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise WrongValue(None, expected=f"{FORM}, UTF-8") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name not in OF_A_REPORT:
            raise UnknownField(name[:100])
        if name in fields:
            raise WrongValue(name, expected="1")
        if "\x00" in value:
            raise TextUnusable(name)
        fields[name] = value.strip()
    return fields


def report(fields: Mapping[str, str], fallback: str) -> AppReport:
    """The report that a form holds; what has no words of its own is called by its category, the `fallback`.

    Raises Invalid, naming the field."""
    for name, most in LENGTHS.items():
        if len(fields.get(name, "")) > most:
            raise TextTooLong(name)
    urgency = fields.get(URGENCY, "") or fields.get("attribute[urgency][]", "")
    if urgency not in ("", "normal", "urgent"):
        raise WrongValue(URGENCY, expected="normal | urgent")
    text = fields.get("description", "") or fallback
    if address := fields.get("address_string", ""):
        text = f"{text}\n{address}"
    return AppReport(
        category=fields["service_code"],
        text=text,
        urgent=urgency == "urgent",
        position=_position(fields),
        community=fields.get("address_id") or None,
        contact=_contact(fields),
        external_id=fields.get("external_id") or None,
    )


def service_code(fields: Mapping[str, str]) -> str:
    """The category that is reported in. Raises Missing."""
    if not fields.get("service_code"):
        raise Missing("service_code")
    return fields["service_code"]


def _position(fields: Mapping[str, str]) -> Position | None:
    given = [fields.get(name, "") for name in ("lat", "long")]
    if not any(given):
        if not fields.get("address_string") and not fields.get("address_id"):
            raise Missing("lat")
        return None
    for name, value in zip(("lat", "long"), given, strict=True):
        if not value:
            raise Missing(name)
    try:
        lat, lon = map(float, given)
    except ValueError:
        raise WrongValue("lat", expected="34.7058") from None
    return Position(lon=lon, lat=lat, system="wgs84", source="map")


def _contact(fields: Mapping[str, str]) -> Contact | None:
    first, last = fields.get("first_name", ""), fields.get("last_name", "")
    name = f"{first} {last}".strip() if (first + last).isascii() else last + first
    contact = Contact(name=name, phone=fields.get("phone", ""))
    return None if contact.blank else contact


def listed(query: Mapping[str, str], now: datetime) -> Asked:
    """Which requests are asked for: by their numbers, or of 90 days at most, the last unless it is said which.

    Raises InvalidFilter."""
    for name, value in query.items():
        if name not in OF_A_LIST:
            raise UnknownField(name[:100])
        if "\x00" in value:
            raise InvalidFilter(name, expected="no U+0000")
    numbers = _parts(query, "service_request_id")
    if not all(_NUMBER.fullmatch(number) for number in numbers) or len(numbers) > MOST:
        raise InvalidFilter("service_request_id", expected="10001,10002")
    since, until = _span(_moment(query, "start_date"), _moment(query, "end_date"), now)
    size = _count(query, "page_size", MOST, MOST)
    states = set(_parts(query, "status"))
    if states - {"open", "closed"}:
        raise InvalidFilter("status", expected="open | closed")
    return Asked(
        numbers=[int(number) for number in numbers],
        categories=_parts(query, "service_code"),
        since=since,
        until=until,
        open=None if len(states) != 1 else states == {"open"},
        limit=size,
        skip=(_count(query, "page", 1, 10_000) - 1) * size,
    )


def _parts(query: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in query.get(name, "").split(",") if part.strip()]


def _count(query: Mapping[str, str], name: str, usual: int, most: int) -> int:
    text = query.get(name, str(usual))
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= most:
        raise InvalidFilter(name, expected=f"1 … {most}")
    return int(text)


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    if name not in query:
        return None
    try:
        moment = datetime.fromisoformat(query[name].replace(" ", "+"))
    except ValueError:
        raise InvalidFilter(name, expected=TIME) from None
    if moment.tzinfo is None or moment.year not in YEARS:
        raise InvalidFilter(name, expected=TIME)
    return moment


def _span(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    if since is None:
        until = until or now
        return until - LONGEST_SPAN, until
    until = until or since + LONGEST_SPAN
    if until < since or until - since > LONGEST_SPAN:
        raise InvalidFilter("start_date", expected="≤ 90 d")
    return since, until
