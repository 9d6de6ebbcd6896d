"""One row of a foreign ledger, read by its mapping: what it reports, or every reason why it makes no sense."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from maps import coordinates
from maps.boundaries import displayed
from maps.coordinates import SYSTEMS, InvalidPosition, System
from surveys.history import request_digest
from surveys.issues.categories import URGENCIES, Category, Limit, Urgency
from surveys.issues.placing import Position
from surveys.issues.workflow import Move
from surveys.ledgers.ledger_dates import moment_reader
from surveys.ledgers.ledger_lives import DATE_OF, life, meant, timed
from surveys.ledgers.ledger_mapping import FIELDS, REACHABLE, Field, LedgerMapping, Reachable
from surveys.privacy.contacts import Contact, check_phone
from surveys.privacy.sealing import digits
from surveys.refusals import PhoneUnusable
from surveys.visits.visit_rules import FIRST_DAY

LONGEST_ID = 200
LONGEST_TITLE = 200
LONGEST_NAME = 100
LONGEST_TEXT = 5_000
LARGEST_ACCURACY_M = 1_000_000

NOWHERE = (0.0, 0.0)  # what a ledger's program writes when it knows no position


class LedgerRow(Protocol):
    """A row as it was read from a table: its number as a spreadsheet shows it, and its cells by column."""

    @property
    def number(self) -> int: ...
    @property
    def cells(self) -> Mapping[str, object]: ...
    @property
    def fault(self) -> str | None: ...
    def text(self, column: str) -> str: ...


class Reason(Struct, frozen=True):
    """Why a row is refused: a code, the column, and the facts that its text names."""

    code: str
    column: str | None = None
    facts: Mapping[str, object] = {}


class Rejected(Struct, frozen=True):
    """A row that is not taken over, with every reason and its cells as they came."""

    number: int
    reasons: tuple[Reason, ...]
    cells: Mapping[str, object]


class Report(Struct, frozen=True, kw_only=True):
    """What a row reports, in our words; the community is the one named by hand, and times are those of moves."""

    number: int
    source_id: str
    title: str
    description: str | None
    outcome: str | None
    category: str
    urgency: Urgency
    state: Reachable
    reported_at: datetime
    moves: tuple[tuple[Move, datetime], ...]
    due_at: datetime | None
    community: str | None
    department: str | None
    position: Position | None
    undated: bool  # its state is told, but not since when
    contact: Contact | None = None

    def digest(self) -> bytes:
        """What a later reading of the same row is compared with; without texts, which history never holds."""
        return request_digest(
            (
                self.category,
                self.urgency,
                self.state,
                self.reported_at,
                self.moves,
                self.due_at,
                self.community,
                self.department,
                self.position,
            )
        )


class Words(Struct, frozen=True, kw_only=True):
    """What the district has, by whatever a ledger may call it: codes, and names that only one thing has."""

    categories: dict[str, Category]
    category_codes: dict[str, str]
    departments: dict[str, str]
    communities: dict[str, str]


class _Row:
    """A row while it is read: collects reasons instead of stopping at the first."""

    def __init__(self, row: LedgerRow) -> None:
        self.row = row
        self.reasons: list[Reason] = []

    def refuse(self, code: str, column: str | None = None, **facts: object) -> None:
        self.reasons.append(Reason(code, column, facts))


class Interpreter:
    """Reads rows by a mapping, with the words of a district; remembers the ids that it met."""

    def __init__(self, mapping: LedgerMapping, words: Words, zone: ZoneInfo, now: datetime) -> None:
        self.mapping = mapping
        self.words = words
        self.now = now
        self.made_categories: dict[str, str] = {}  # by code, those that the district has not yet
        self.made_departments: dict[str, str] = {}
        self._seen: dict[str, int] = {}
        self._moment = moment_reader(mapping.dates.formats, zone_of(mapping, zone))
        self._states = {state: state for state in REACHABLE} | _folded(mapping.states)
        self._urgencies = {urgency: urgency for urgency in URGENCIES} | _folded(mapping.urgencies)
        self._ignored = {NOWHERE, *mapping.ignore_positions}
        self._category_words = words.category_codes | _folded(mapping.categories.codes)
        self._department_words = words.departments | _folded(mapping.departments.codes)
        self._community_words = words.communities | _folded(mapping.communities.codes)
        self._column = {field: column for field in FIELDS if (column := mapping.column(field)) is not None}
        self._dated: list[tuple[Move, str]] = [
            (move, self._column[field]) for move, field in DATE_OF.items() if field in self._column
        ]

    def read(self, row: LedgerRow) -> Report | Rejected:
        """What the row reports; or why it is refused, with every reason."""
        reading = _Row(row)
        if row.fault is not None:
            reading.refuse(row.fault)
        source_id = self._source_id(reading)
        title, description, outcome = self._texts(reading)
        urgency = self._urgency(reading)
        category = self._category(reading, urgency)
        reported_at = self._date(reading, "reported_at", required=True)
        due_at = self._date(reading, "due_at", future=True)
        state, moves, undated = self._life(reading, reported_at)
        community, department = self._community(reading), self._department(reading)
        position = self._position(reading)
        contact = self._contact(reading)
        if reported_at and due_at and due_at < reported_at:
            reading.refuse("times_reversed", self._column.get("due_at"), other=self._column.get("reported_at"))
        if reading.reasons or reported_at is None:
            return Rejected(row.number, tuple(reading.reasons), row.cells)
        return Report(
            number=row.number,
            source_id=source_id,
            title=title or self._category_name(category),
            description=description,
            outcome=outcome,
            category=category,
            urgency=urgency,
            state=state,
            reported_at=reported_at,
            moves=moves,
            due_at=due_at,
            community=community,
            department=department,
            position=position,
            undated=undated,
            contact=contact,
        )

    def _source_id(self, reading: _Row) -> str:
        column = self._column.get("id") or ""
        given = reading.row.text(column)
        if not given:
            reading.refuse("id_missing", column)
        elif len(given) > LONGEST_ID:
            reading.refuse("text_too_long", column, most=LONGEST_ID)
        elif "\x00" in given:
            reading.refuse("text_unusable", column)
        elif (first := self._seen.setdefault(given, reading.row.number)) != reading.row.number:
            reading.refuse("duplicate_row", column, row=first)
        return f"{self.mapping.name}:{given}"

    def _texts(self, reading: _Row) -> tuple[str, str | None, str | None]:
        """Title, description and outcome; of a long title the beginning, and all of it before the description."""
        title, description, outcome = (self._text(reading, field) for field in ("title", "description", "outcome"))
        title = " ".join(title.split())
        if len(title) > LONGEST_TITLE:
            description = f"{title}\n{description}".strip()
            title = title[: LONGEST_TITLE - 1] + "…"
        if len(description) > LONGEST_TEXT:
            reading.refuse("text_too_long", self._first_column("description", "title"), most=LONGEST_TEXT)
        if len(outcome) > LONGEST_TEXT:
            reading.refuse("text_too_long", self._first_column("outcome"), most=LONGEST_TEXT)
        return title, description or None, outcome or None

    def _text(self, reading: _Row, field: Field) -> str:
        columns = self.mapping.text_columns(field)
        if not columns:
            return ""
        text = "\n".join(filter(None, (reading.row.text(column) for column in columns)))
        if "\x00" in text:
            reading.refuse("text_unusable", self._first_column(field))
        return text

    def _contact(self, reading: _Row) -> Contact | None:
        """The resident's name and phone; a phone without any digit, as 无, tells none. A refusal never quotes them: it
        stands beside the cells, and in the log of whoever runs the import."""
        name, phone = (self._cell(reading, field) for field in ("contact_name", "contact_phone"))
        if not digits(phone):
            phone = ""
        if len(name) > LONGEST_NAME:
            reading.refuse("text_too_long", self._column.get("contact_name"), most=LONGEST_NAME)
        if "\x00" in name:
            reading.refuse("text_unusable", self._column.get("contact_name"))
        if phone:
            try:
                check_phone(phone, "contact_phone")
            except PhoneUnusable as refusal:
                reading.refuse("phone_unusable", self._column.get("contact_phone"), **refusal.facts)
        return Contact(name=name, phone=phone) if name or phone else None

    def _cell(self, reading: _Row, field: Field) -> str:
        column = self._column.get(field)
        return reading.row.text(column).strip() if column else ""

    def _first_column(self, *fields: Field) -> str | None:
        return next((column for field in fields for column in self.mapping.text_columns(field)), None)

    def _category(self, reading: _Row, urgency: Urgency) -> str:
        code = self._category_code(reading)
        if code in self.words.categories and urgency not in self.words.categories[code].limits:
            reading.refuse("category_without_limit", self._column.get("category"), given=code, urgency=urgency)
        return code

    def _category_code(self, reading: _Row) -> str:
        """The code that the word stands for; a word without one may get its own."""
        column = self._column.get("category")
        given = reading.row.text(column) if column else ""
        code = self._category_words.get(given.casefold())
        if code is not None and code in self.words.categories:
            return code
        rules = self.mapping.categories
        if code is None and rules.create and given and "\x00" not in given:
            return self._create_category(given)
        code = code or rules.default
        if code not in self.words.categories:
            reading.refuse("unknown_category", column, given=code or given)
        return code or ""

    def _create_category(self, given: str) -> str:
        code, defaults = made_code(given), self.mapping.defaults
        if code not in self.words.categories:
            self.made_categories[code] = given[:LONGEST_TITLE]
            self.words.categories[code] = Category(
                code=code,
                name=given[:LONGEST_TITLE],
                channel=defaults.channel,
                department=None,
                retired=False,
                limits={
                    urgency: Limit(1, hours, response_amount=min(hours, 24))
                    for urgency, hours in hours_of(self.mapping).items()
                },
            )
        self._category_words[given.casefold()] = code
        return code

    def _category_name(self, code: str) -> str:
        return self.words.categories[code].name[:LONGEST_TITLE]

    def _urgency(self, reading: _Row) -> Urgency:
        column = self._column.get("urgency")
        given = reading.row.text(column).casefold() if column else ""
        urgency = self._urgencies.get(given) if given else self.mapping.defaults.urgency
        if urgency is None:
            reading.refuse("unknown_urgency", column, given=reading.row.text(column or ""))
            return "normal"
        return urgency

    def _department(self, reading: _Row) -> str | None:
        column = self._column.get("department")
        given = reading.row.text(column) if column else ""
        if not given:
            return None
        code = self._department_words.get(given.casefold())
        if code is None and self.mapping.departments.create and "\x00" not in given:
            code = self._department_words[given.casefold()] = made_code(given)
            self.made_departments[code] = given[:LONGEST_TITLE]
        if code is None:
            reading.refuse("unknown_department", column, given=given)
        return code

    def _community(self, reading: _Row) -> str | None:
        column = self._column.get("community")
        given = reading.row.text(column) if column else ""
        if not given:
            return None
        code = self._community_words.get(given.casefold()) or self._community_words.get(displayed(given).casefold())
        if code is None and not self.mapping.communities.ignore_unknown:
            reading.refuse("unknown_community", column, given=given)
        return code

    def _date(self, reading: _Row, field: Field, *, required: bool = False, future: bool = False) -> datetime | None:
        column = self._column.get(field)
        return self._moment_of(reading, column, required=required, future=future) if column else None

    def _moment_of(
        self, reading: _Row, column: str, *, required: bool = False, future: bool = False
    ) -> datetime | None:
        cell = reading.row.cells.get(column, "")
        if cell == "" or (isinstance(cell, str) and not cell.strip()):
            if required:
                reading.refuse("date_missing", column)
            return None
        try:
            moment = self._moment(cell)
        except (ValueError, OverflowError):
            reading.refuse("date_unreadable", column, given=str(cell))
            return None
        if moment > self.now and not future:
            reading.refuse("time_in_future", column, given=str(cell))
        elif moment < FIRST_DAY:
            reading.refuse("time_before_all", column, given=str(cell))
        return moment

    def _life(
        self, reading: _Row, reported_at: datetime | None
    ) -> tuple[Reachable, tuple[tuple[Move, datetime], ...], bool]:
        """The state, the moves that led to it with their times, and whether its own time had to be guessed."""
        dates: dict[Move, datetime] = {}
        for move, column in self._dated:
            moment = self._moment_of(reading, column)
            if moment is not None:
                dates[move] = moment
        since = self._date(reading, "state_at")
        state = self._state(reading, dates)
        if state is None or reported_at is None:
            return "reported", (), False
        moves = life(state, frozenset(dates))
        last = moves[-1] if moves else None
        if last is not None and last not in dates and since is not None:
            dates[last] = since
        self._refuse_reversed(reading, reported_at, [(move, dates[move]) for move in moves if move in dates])
        return state, tuple(timed(moves, dates, reported_at)), last is not None and last not in dates

    def _state(self, reading: _Row, dates: Mapping[Move, datetime]) -> Reachable | None:
        """The state that is told; in a ledger that tells none, the one that its last date means."""
        column = self._column.get("state")
        if column is None:
            return meant(dates)
        state = self._states.get(reading.row.text(column).casefold())
        if state is None:
            reading.refuse("unknown_state", column, given=reading.row.text(column))
        return state

    def _refuse_reversed(self, reading: _Row, reported_at: datetime, dates: Sequence[tuple[Move, datetime]]) -> None:
        before, before_column = reported_at, self._column.get("reported_at")
        columns = dict(self._dated)
        for move, moment in dates:
            column = columns.get(move) or self._column.get("state_at")
            if moment < before:
                reading.refuse("times_reversed", column, other=before_column)
            before, before_column = moment, column

    def _position(self, reading: _Row) -> Position | None:
        """The position, unless there is none or one of those that stand for none."""
        lon_column, lat_column = self._column.get("lon"), self._column.get("lat")
        if lon_column is None or lat_column is None:
            return None
        lon, lat = self._number(reading, lon_column), self._number(reading, lat_column)
        if lon is None or lat is None:
            missing = lon_column if lon is None else lat_column
            if (lon is None) != (lat is None) and not reading.row.text(missing):
                reading.refuse("position_incomplete", missing)
            return None
        if (lon, lat) in self._ignored:
            return None
        try:
            coordinates.check(lon, lat)
        except InvalidPosition as cause:
            reading.refuse(
                cause.code, lat_column if cause.facts.get("field") == "lat" else lon_column, lon=lon, lat=lat
            )
            return None
        return Position(
            lon=lon,
            lat=lat,
            accuracy_m=self._accuracy(reading),
            system=self._system(reading),
            source=self.mapping.defaults.position_source,
        )

    def _number(self, reading: _Row, column: str) -> float | None:
        cell = reading.row.cells.get(column, "")
        if cell == "":
            return None
        try:
            return float(cell)  # type: ignore[arg-type]  # a cell that is no number is what is asked for here
        except (TypeError, ValueError):
            if str(cell).strip():
                reading.refuse("not_a_number", column, given=str(cell))
            return None

    def _accuracy(self, reading: _Row) -> float | None:
        column = self._column.get("accuracy_m")
        accuracy = self._number(reading, column) if column else None
        if accuracy is not None and not 0 <= accuracy <= LARGEST_ACCURACY_M:
            reading.refuse("accuracy_out_of_range", column, given=accuracy)
            return None
        return accuracy

    def _system(self, reading: _Row) -> System:
        column = self._column.get("system")
        given = reading.row.text(column) if column else ""
        if not given:
            return self.mapping.defaults.system
        told = re.sub(r"[\s_-]", "", given).lower()
        for system in SYSTEMS:
            if told == system:
                return system
        reading.refuse("unknown_system", column, given=given)
        return "wgs84"


def made_code(word: str) -> str:
    """The code of a category or department that a ledger's word becomes; the same for the same word, always."""
    return "x" + sha256(" ".join(word.casefold().split()).encode()).hexdigest()[:10]


def hours_of(mapping: LedgerMapping) -> dict[Urgency, int]:
    """The limits of categories that the mapping creates."""
    return msgspec.to_builtins(mapping.defaults.hours)  # type: ignore[no-any-return]


def zone_of(mapping: LedgerMapping, district: ZoneInfo) -> ZoneInfo:
    """The zone of the ledger's clock."""
    return ZoneInfo(mapping.dates.time_zone) if mapping.dates.time_zone else district


Meaning = TypeVar("Meaning", bound=str)


def _folded(words: Mapping[str, Meaning]) -> dict[str, Meaning]:
    return {word.strip().casefold(): meaning for word, meaning in words.items()}
