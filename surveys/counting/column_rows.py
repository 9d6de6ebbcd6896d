"""How rows of issues and of their spans come out of PostgreSQL to be kept as columns: every field of a fixed width, so
that a million of them are read as one array; by COPY when they are many, or in one value beside a snapshot."""

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from surveys.counting import rate_terms
from surveys.issues.categories import Channel, Urgency
from surveys.issues.issues import Asked, Origin
from surveys.issues.placing import Certainty
from surveys.issues.workflow import STATES

Array: TypeAlias = npt.NDArray[np.generic]
Wire = Literal["uuid", "int8", "int4", "int2", "float8", "timestamptz"]

URGENCIES, CHANNELS, ASKED = get_args(Urgency), get_args(Channel), get_args(Asked)
CERTAINTIES, ORIGINS = get_args(Certainty), get_args(Origin)

# Who somebody is to an issue; all have one numbering.
PERSONS = ("owner", "offered_to", "leader", "agent", "reporter")

NIL = "'00000000-0000-0000-0000-000000000000'"
NEVER = np.iinfo(np.int64).max  # PostgreSQL's infinity, as its binary format has it
BYTES: dict[Wire, int] = {"uuid": 16, "int8": 8, "int4": 4, "int2": 2, "float8": 8, "timestamptz": 8}
FORMATS: dict[Wire, str] = {
    "uuid": ">u8",  # twice
    "int8": ">i8",
    "int4": ">i4",
    "int2": ">i2",
    "float8": ">f8",
    "timestamptz": ">i8",  # microseconds since 2000
}


class Field(Struct, frozen=True):
    """A field as it is asked for: its name, the expression, and how it travels."""

    name: str
    expression: str
    wire: Wire


def _person(name: str) -> Field:
    return Field(name, f"coalesce({name}, {NIL})", "uuid")


def _word(name: str, known: Sequence[str]) -> Field:
    listed = ", ".join(f"'{one}'" for one in known)
    return Field(name, f"coalesce(array_position(array[{listed}], {name}), 0)::int2", "int2")


def _code(name: str) -> Field:
    return Field(name, f"coalesce(hashtextextended({name}, 0), 0)", "int8")


# What an issue is at a moment, as its row and each of its spans say.
STANDING = (
    _word("state", STATES),
    _word("urgency", URGENCIES),
    _word("channel", CHANNELS),
    _word("asked", ASKED),
    _person("owner"),
    _person("offered_to"),
    _person("leader"),
    _person("agent"),
    _code("community"),
    _code("department"),
    _code("category"),
    Field("consulted", "coalesce(hash_array_extended(consulted, 0), 0)", "int8"),
    Field("due_at", "due_at", "timestamptz"),
    Field("paused_at", "coalesce(paused_at, 'infinity')", "timestamptz"),
    Field("response_due_at", "response_due_at", "timestamptz"),
    Field("resolved_at", "coalesce(resolved_at, 'infinity')", "timestamptz"),
)
# What it is once and for all, but for corrections, which hold for its past as well.
ISSUE = (
    Field("id", "id", "uuid"),
    Field("number", "number", "int8"),
    Field("cell", "coalesce(cell, -1)", "int8"),
    Field("lon", "coalesce(lon, 0)", "float8"),
    Field("lat", "coalesce(lat, 0)", "float8"),
    Field("reported_at", "reported_at", "timestamptz"),
    _person("reporter"),
    _person("organisation"),
    _person("premises"),
    _word("certainty", CERTAINTIES),
    _word("source", ORIGINS),
    Field("provisional", "due_provisional::int::int2", "int2"),
    Field("text_version", "text_version", "int4"),
    Field("outcome", "outcome", "int4"),
    *STANDING,
)
SPAN = (
    Field("id", "issue", "uuid"),
    Field("valid_from", "valid_from", "timestamptz"),
    Field("valid_to", "valid_to", "timestamptz"),
    Field("recorded_at", "recorded_at", "timestamptz"),
    Field("end_recorded_at", "end_recorded_at", "timestamptz"),
    Field("outcome", rate_terms.OUTCOME, "int4"),
    *STANDING,
)


def listed(fields: Sequence[Field]) -> str:
    """The fields as COPY writes them."""
    return ", ".join(f"({one.expression})" for one in fields)


def sent(fields: Sequence[Field]) -> str:
    """The fields as one value of bytes, so that few rows come beside what else is asked."""
    return " || ".join(f"{_sender(one.wire)}({one.expression})" for one in fields)


def _sender(wire: Wire) -> str:
    return "timestamptz_send" if wire == "timestamptz" else f"{wire}{'_send' if wire == 'uuid' else 'send'}"


def _layout(fields: Sequence[Field], before_row: int, before_field: int) -> np.dtype[np.void]:
    names, formats, offsets = [], [], []
    at = before_row
    for one in fields:
        at += before_field
        parts = [f"{one.name}.high", f"{one.name}.low"] if one.wire == "uuid" else [one.name]
        for part in parts:
            names.append(part)
            formats.append(FORMATS[one.wire])
            offsets.append(at)
            at += BYTES[one.wire] // len(parts)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": at})


SIGNATURE = 19  # bytes before the first row of a binary COPY


class Layout:
    """How many rows of some fields lie behind one another: as COPY has them, each with the number of its fields and
    each of these with its length, or as `sent` has them, with nothing between."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = fields
        self.copied = _layout(fields, 2, 4)
        self.sent = _layout(fields, 0, 0)

    def of_copy(self, written: bytes | bytearray) -> npt.NDArray[np.void]:
        """Whole rows out of a COPY, without its signature."""
        return np.frombuffer(written, self.copied, count=len(written) // self.copied.itemsize)

    def of_value(self, written: bytes | None) -> npt.NDArray[np.void]:
        """The rows of a value."""
        return np.frombuffer(written or b"", self.sent)


def key(rows: npt.NDArray[np.void], name: str) -> npt.NDArray[np.uint64]:
    """A UUID in 64 bits: two different ones have the same once in 10^19."""
    return mixed(rows[f"{name}.high"].astype(np.uint64), rows[f"{name}.low"].astype(np.uint64))


def mixed(high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Both halves of UUIDs in one number; of the nil UUID 0."""
    return (high * np.uint64(0x9E3779B97F4A7C15)) ^ low


ISSUES, SPANS = Layout(ISSUE), Layout(SPAN)
