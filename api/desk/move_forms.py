"""The form of a move as a browser sends it, made into the same draft that programs send."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar.datastructures import FormMultiDict, UploadFile
from msgspec import Struct

from api.json_bodies import decode
from surveys.issues.issues import Photo
from surveys.issues.moves import MoveDraft
from surveys.refusals import WrongValue

CHUNK = 64 * 1024
MOST_FILES = 10

# The fields of `to`: which of them a form has says what it names.
TO = ("to", "to_department", "to_person", "to_leader", "to_issue")
WORDS = ("reason", "channel", "opinion", "despite")
TIMES = ("until", "at")
LISTS = ("departments", "present")
CORRECTED = ("category", "urgency", "title", "description", "community")


class Sent(Struct, frozen=True):
    """A move that was sent, the files that came with it, and what was typed."""

    draft: MoveDraft
    files: Sequence[tuple[Photo, UploadFile]]


async def read(form: FormMultiDict, zone: ZoneInfo) -> Sent:
    """Read a move out of a form. Raises Invalid with the field."""
    files = [(await _promise(file), file) async for file in _files(form)]
    asked: dict[str, Any] = {
        "id": form.get("id"),
        "move": form.get("move"),
        "expected_version": _number(form, "expected_version"),
        "to": next((value for name in TO if (value := said(form, name))), None),
        "amount": _number(form, "amount"),
        "evidence": [photo for photo, _ in files] or None,
        "correction": _correction(form),
        **{name: said(form, name) for name in WORDS},
        **{name: _time(form, name, zone) for name in TIMES},
        **{name: [one for one in form.getall(name, []) if one] or None for name in LISTS},
    }
    told = {name: value for name, value in asked.items() if value is not None}
    return Sent(decode(msgspec.json.encode(told), MoveDraft), files)


def typed(form: FormMultiDict) -> dict[str, Any]:
    """What was written, to be shown again."""
    return {
        name: [one for one in form.getall(name) if isinstance(one, str)] if name in LISTS else str(form[name])
        for name in form
        if isinstance(form[name], str)
    }


def said(form: FormMultiDict, name: str) -> str | None:
    """A text of a form; None for a blank one, or none."""
    value = form.get(name)
    return value if isinstance(value, str) and value.strip() else None


async def _files(form: FormMultiDict) -> Any:
    given = [one for one in form.getall("evidence", []) if isinstance(one, UploadFile) and one.filename]
    if len(given) > MOST_FILES:
        raise WrongValue("evidence", expected=f"≤ {MOST_FILES}")
    for one in given:
        yield one


async def _promise(file: UploadFile) -> Photo:
    """A file by its hash and length, as phones promise theirs."""
    digest, length = hashlib.sha256(), 0
    while chunk := await file.read(CHUNK):
        digest.update(chunk)
        length += len(chunk)
    await file.seek(0)
    return Photo(digest.hexdigest(), max(length, 1))


def _number(form: Mapping[str, Any], name: str) -> int | None:
    value = form.get(name)
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        return int(value)
    except ValueError:
        raise WrongValue(name, expected="int") from None


def _time(form: FormMultiDict, name: str, zone: ZoneInfo) -> str | None:
    """A local time of the district."""
    value = said(form, name)
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=zone).isoformat()
    except ValueError:
        raise WrongValue(name, expected="2026-11-23T18:00") from None


def _correction(form: FormMultiDict) -> dict[str, Any] | None:
    """What differs from what the form was filled with; a place, if one was chosen on the map."""
    found: dict[str, Any] = dict(_changed(form))
    lon, lat = said(form, "lon"), said(form, "lat")
    if lon and lat:
        try:
            found["position"] = {"lon": float(lon), "lat": float(lat), "system": "wgs84", "source": "map"}
        except ValueError:
            raise WrongValue("correction.position", expected="lon, lat") from None
    return found or None


def _changed(form: FormMultiDict) -> Iterator[tuple[str, str]]:
    for name in CORRECTED:
        value, was = form.get(f"correct_{name}"), form.get(f"was_{name}")
        if isinstance(value, str) and isinstance(was, str) and _plain(value) != _plain(was):
            yield name, _plain(value)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
