"""The mapping of a foreign ledger: which of its columns, dates and words stand for what, written down in TOML."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias, TypeVar, get_args
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from maps.coordinates import System
from surveys.issues.categories import URGENCIES, Channel, Urgency
from surveys.issues.placing import Source

# What a ledger may tell; each is a column of it, or for texts several whose contents are put together.
Field = Literal[
    "id", "title", "description", "outcome", "category", "urgency", "state", "community", "department",
    "reported_at", "due_at", "accepted_at", "assigned_at", "started_at", "resolved_at", "closed_at", "rejected_at",
    "state_at", "lon", "lat", "accuracy_m", "system", "contact_name", "contact_phone",
]  # fmt: skip
FIELDS: tuple[Field, ...] = get_args(Field)
TEXTS: frozenset[Field] = frozenset({"title", "description", "outcome"})

# The states that the moves of today lead to; a ledger cannot set one that nobody could reach.
Reachable = Literal["reported", "accepted", "assigned", "in_progress", "resolved", "closed", "rejected"]
REACHABLE: tuple[Reachable, ...] = get_args(Reachable)

# Forms in which a date cannot be read in two ways; "iso" reads what Python's datetime.fromisoformat does.
UNAMBIGUOUS = (
    "iso",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日",
)

Words: TypeAlias = Mapping[str, str]


class UnusableMapping(Exception):
    """A mapping file that cannot be followed; `code` says why, and `facts` where."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts: Mapping[str, object] = facts


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where in the file the ledger stands, if that is not to be found out."""

    sheet: str | None = None
    header_row: Annotated[int, Meta(ge=1)] | None = None


class Dates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How dates are written, tried in order, and the zone whose clock they were read off (else the district's)."""

    formats: Annotated[tuple[str, ...], Meta(min_length=1)] = UNAMBIGUOUS
    time_zone: str | None = None


class Categories(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which words are which categories. What is not listed may be a code or a name of the district's; else it becomes
    a category of its own when `create` says so, or goes to `default`."""

    codes: Words = {}
    default: str | None = None
    create: bool = False


class Departments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which words are which departments; as with categories."""

    codes: Words = {}
    create: bool = False


class Communities(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which words are which communities; an unknown one refuses its row, unless it is to be ignored."""

    codes: Words = {}
    ignore_unknown: bool = False


class Hours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of categories that are created."""

    normal: Annotated[int, Meta(gt=0)] = 72
    urgent: Annotated[int, Meta(gt=0)] = 24
    emergency: Annotated[int, Meta(gt=0)] = 4


class Defaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds where the ledger says nothing; `channel` and `hours` are for categories that are created."""

    urgency: Urgency = "normal"
    channel: Channel = "joint_review"
    hours: Hours = Hours()
    system: System = "wgs84"
    position_source: Source = "address"


class LedgerMapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping file, as it is written."""

    name: Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^\s:\x00](?:[^:\x00\n]*[^\s:\x00])?$")]
    columns: dict[Field, str | Annotated[tuple[str, ...], Meta(min_length=1)]]
    table: Table = Table()
    dates: Dates = Dates()
    states: Mapping[str, Reachable] = {}
    urgencies: Mapping[str, Urgency] = {}
    categories: Categories = Categories()
    departments: Departments = Departments()
    communities: Communities = Communities()
    defaults: Defaults = Defaults()
    ignore_positions: tuple[tuple[float, float], ...] = ()

    def column(self, field: Field) -> str | None:
        """The one column that tells a field, or None when the ledger does not tell it."""
        named = self.columns.get(field)
        return named if isinstance(named, str) or named is None else named[0]

    @property
    def tells_contacts(self) -> bool:
        """Whether it names a column of residents' names or phones, which need the key ring."""
        return "contact_name" in self.columns or "contact_phone" in self.columns

    def text_columns(self, field: Field) -> tuple[str, ...]:
        """The columns whose contents make a text."""
        named = self.columns.get(field, ())
        return (named,) if isinstance(named, str) else named

    def all_columns(self) -> list[str]:
        """Every column that is named, once, in the order in which they are."""
        return list(dict.fromkeys(column for field in self.columns for column in self.text_columns(field)))


def read(text: str) -> LedgerMapping:
    """A mapping from the text of its file. Raises UnusableMapping: where the text is no TOML, with its line."""
    mapping = decoded(text, LedgerMapping, _KNOWN)
    _refuse_contradictions(mapping)
    return mapping


Mapped = TypeVar("Mapped", bound=Struct)


def decoded(text: str, kind: type[Mapped], known: Mapping[str, tuple[str, ...]]) -> Mapped:
    """The text of a mapping file as what it is; `known` are the words that may stand under a key. Raises
    UnusableMapping, with the line."""
    try:
        return msgspec.toml.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise UnusableMapping("mapping_unusable", **_place(str(error), text, known)) from None
    except msgspec.DecodeError as error:
        raise UnusableMapping("mapping_unreadable", **_position(str(error))) from None


def _refuse_contradictions(mapping: LedgerMapping) -> None:
    for field in ("id", "reported_at", "category"):
        if field not in mapping.columns and not (field == "category" and mapping.categories.default):
            raise UnusableMapping("field_not_mapped", field=field)
    for field, columns in mapping.columns.items():
        if field not in TEXTS and not isinstance(columns, str):
            raise UnusableMapping("one_column_only", field=field)
    for field, other in (("lon", "lat"), ("lat", "lon")):
        if field in mapping.columns and other not in mapping.columns:
            raise UnusableMapping("field_not_mapped", field=other)
    if mapping.dates.time_zone is not None:
        try:
            ZoneInfo(mapping.dates.time_zone)
        except (KeyError, ValueError, OSError):
            raise UnusableMapping("unknown_time_zone", given=mapping.dates.time_zone) from None


def _position(message: str) -> dict[str, object]:
    """What the TOML reader says, and where: "Invalid value (at line 3, column 7)"."""
    found = re.search(r"\(at (?:line (\d+), column (\d+)|end of document)\)", message)
    cause = message[: found.start()].strip() if found else message
    if found is None or found[1] is None:
        return {"cause": cause, "line": None}
    return {"cause": cause, "line": int(found[1])}


def _place(message: str, text: str, words: Mapping[str, tuple[str, ...]]) -> dict[str, object]:
    """What does not fit, under which key, and the line on which the key stands, where that is plain."""
    cause, _, path = message.partition(" - at ")
    keys = re.findall(r"\.([^.\[\]`]+)", path)
    known = words.get(keys[0] if keys else "", ())
    unknown = re.search(r"unknown field `([^`]+)`", cause)
    if unknown:
        keys.append(unknown[1])
    said = re.search(r"value '([^']*)'", cause)
    sought = [said[1]] if said else []
    for name in [*sought, *reversed(keys)]:
        for number, line in enumerate(text.splitlines(), start=1):
            if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", line.split("#")[0]):
                return {"cause": cause, "key": ".".join(keys), "line": number, "known": known}
    return {"cause": cause, "key": ".".join(keys), "line": None, "known": known}


_KNOWN: Mapping[str, tuple[str, ...]] = {"columns": FIELDS, "states": REACHABLE, "urgencies": URGENCIES}
