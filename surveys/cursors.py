"""Where a page of a list ended: a text that says nothing to its reader, who sends it back for the next page."""

import base64
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from surveys.refusals import InvalidCursor

Cursor = TypeVar("Cursor", bound=Struct)

YEARS = range(1900, 3000)  # that a moment of ours can lie in; what is made up may lie where no clock goes


def write(cursor: Struct) -> str:
    """A cursor as it is sent."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def read(text: str, kind: type[Cursor]) -> Cursor:
    """A cursor as it was written. Raises InvalidCursor for one that was not."""
    try:
        cursor = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=kind)
    except (ValueError, msgspec.DecodeError):
        raise InvalidCursor("cursor") from None
    moments = [value for value in msgspec.structs.astuple(cursor) if isinstance(value, datetime)]
    if any(moment.tzinfo is None or moment.year not in YEARS for moment in moments):
        raise InvalidCursor("cursor")
    return cursor
