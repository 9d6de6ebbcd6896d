"""One row of a list of doors, read: the door that it tells of, or every reason why it makes no sense."""

import re
from collections.abc import Mapping
from hashlib import sha256

from msgspec import Struct

from maps import coordinates
from maps.boundaries import displayed
from maps.coordinates import SYSTEMS, InvalidPosition, System
from surveys.issues.placing import Position
from surveys.ledgers.ledger_rows import LARGEST_ACCURACY_M, NOWHERE, LedgerRow, Reason, Rejected
from surveys.premises.premises import PremisesKind
from surveys.premises.premises_mapping import KIND_WORDS, Columns, Field, PremisesMapping, names_residents

LONGEST_CODE = 100
LONGEST_NAME = 200
LONGEST_ADDRESS = 500


class Entry(Struct, frozen=True, kw_only=True):
    """A door as a list tells of it; the community is the one named there, if any."""

    row: int
    cells: Mapping[str, object]
    kind: PremisesKind
    name: str
    address: str
    code: str | None = None
    community: str | None = None
    position: Position | None = None


class _Reading:
    """A row while it is read: collects reasons instead of stopping at the first."""

    def __init__(self, row: LedgerRow) -> None:
        self.row = row
        self.reasons: list[Reason] = [Reason(row.fault)] if row.fault else []

    def refuse(self, code: str, column: str | None, **facts: object) -> None:
        self.reasons.append(Reason(code, column, facts))


class Interpreter:
    """Reads rows by their columns, with the communities of a district; remembers the codes that it met."""

    def __init__(self, mapping: PremisesMapping, columns: Columns, communities: Mapping[str, str]) -> None:
        self.columns = columns
        self.named_after_residents = 0  # rows of households whose name was left out
        self._defaults = mapping.defaults
        self._column = columns.of
        self._kinds = {word.strip().casefold(): kind for word, kind in {**KIND_WORDS, **mapping.kinds.words}.items()}
        told = {word.strip().casefold(): code for word, code in mapping.communities.codes.items()}
        self._communities = {**communities, **told}
        self._rows: dict[str, tuple[int, bytes]] = {}  # where each code stood first, and what its door was

    def read(self, row: LedgerRow) -> Entry | Rejected:
        """The door of a row; or why it is refused, with every reason."""
        reading = _Reading(row)
        kind = self._kind(reading)
        name, address = self._texts(reading, kind)
        code = self._code(reading, kind, name, address)
        community = self._community(reading)
        position = self._position(reading)
        if reading.reasons:
            return Rejected(row.number, tuple(reading.reasons), row.cells)
        return Entry(
            row=row.number,
            cells=row.cells,
            kind=kind,
            name=name,
            address=address,
            code=code or None,
            community=community,
            position=position,
        )

    def _text(self, reading: _Reading, field: Field, most: int) -> str:
        """A cell with its spaces made one each. What no text has is refused before it is looked at any closer."""
        column = self._column.get(field)
        text = reading.row.text(column) if column else ""
        if len(text) > most * 4:
            reading.refuse("text_too_long", column, most=most)
            return ""
        text = " ".join(text.split())
        if len(text) > most:
            reading.refuse("text_too_long", column, most=most)
        if not text.isprintable():
            reading.refuse("text_unusable", column)
        return text

    def _texts(self, reading: _Reading, kind: PremisesKind) -> tuple[str, str]:
        """Name and address. A door without a name goes by its address; a household's is never its resident's."""
        name = self._text(reading, "name", LONGEST_NAME)
        address = self._text(reading, "address", LONGEST_ADDRESS)
        column = self._column.get("name")
        if kind == "household" and name and column and names_residents(column):
            self.named_after_residents += 1
            name = ""
        if not name and kind == "household":
            name = address[-LONGEST_NAME:]
        if not name and not any(reason.column == column for reason in reading.reasons):
            reading.refuse("missing", self._column.get("address") if kind == "household" else column)
        return name, address

    def _code(self, reading: _Reading, kind: PremisesKind, name: str, address: str) -> str:
        code = self._text(reading, "code", LONGEST_CODE)
        if code:
            door = sha256("\0".join((kind, name, address)).encode()).digest()
            first, same = self._rows.setdefault(code, (reading.row.number, door))
            if first != reading.row.number and same != door:
                reading.refuse("code_repeated", self._column.get("code"), row=first)
        return code

    def _kind(self, reading: _Reading) -> PremisesKind:
        column = self._column.get("kind")
        given = reading.row.text(column) if column else ""
        kind = self._kinds.get(given.casefold()) if given else self._defaults.kind
        if kind is None:
            reading.refuse("unknown_kind" if given else "kind_missing", column, given=given)
            return "shop"
        return kind

    def _community(self, reading: _Reading) -> str | None:
        column = self._column.get("community")
        given = reading.row.text(column) if column else ""
        if not given:
            return None
        code = self._communities.get(given.casefold()) or self._communities.get(displayed(given[:200]).casefold())
        if code is None:
            reading.refuse("unknown_community", column, given=given)
        return code

    def _position(self, reading: _Reading) -> Position | None:
        """The position, unless there is none, or the one that stands for none."""
        lon_column, lat_column = self._column.get("lon"), self._column.get("lat")
        lon, lat = self._number(reading, lon_column), self._number(reading, lat_column)
        if lon is None or lat is None:
            missing = lon_column if lon is None else lat_column
            if (lon is None) != (lat is None) and missing and not reading.row.text(missing):
                reading.refuse("position_incomplete", missing)
            return None
        if (lon, lat) == NOWHERE:
            return None
        try:
            coordinates.check(lon, lat)
        except InvalidPosition as cause:
            reading.refuse(
                cause.code, lat_column if cause.facts.get("field") == "lat" else lon_column, lon=lon, lat=lat
            )
            return None
        accuracy = self._number(reading, self._column.get("accuracy_m"))
        if accuracy is not None and not 0 <= accuracy <= LARGEST_ACCURACY_M:
            reading.refuse("accuracy_out_of_range", self._column.get("accuracy_m"), given=accuracy)
            return None
        system = self._system(reading)
        return Position(lon=lon, lat=lat, accuracy_m=accuracy, system=system, source=self._defaults.position_source)

    def _number(self, reading: _Reading, column: str | None) -> float | None:
        cell = reading.row.cells.get(column, "") if column else ""
        if cell == "" or cell is None:
            return None
        try:
            return float(cell)  # type: ignore[arg-type]  # a cell that is no number is what is asked for here
        except (TypeError, ValueError):
            if str(cell).strip():
                reading.refuse("not_a_number", column, given=str(cell))
            return None

    def _system(self, reading: _Reading) -> System:
        column = self._column.get("system")
        given = reading.row.text(column) if column else ""
        told = re.sub(r"[\s_-]", "", given).lower()
        known = next((system for system in SYSTEMS if told == system), None)
        if given and known is None:
            reading.refuse("unknown_system", column, given=given)
        return known or self._defaults.system
