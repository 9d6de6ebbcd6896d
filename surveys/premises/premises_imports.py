"""Doors as a list of the district's gives them, put on the register: who is new comes on it, who is known stays as they
are, and a second time changes nothing.

A door is known by its code, else by kind, name and address as written alike, within its community or at its very
position. It is one transaction: `take` some rows, again and again, then `finish`."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import copying, history
from surveys.copying import Words
from surveys.history import Actor, Row, bytea, text_row
from surveys.issues import placing
from surveys.issues.placing import Atlas, Placed, ToPlace
from surveys.ledgers.ledger_rows import Reason, Rejected
from surveys.people import people
from surveys.premises import premises, premises_likeness
from surveys.premises.premises import PremisesRow, PremisesState
from surveys.premises.premises_likeness import Door, Pair
from surveys.premises.premises_rows import Entry
from surveys.refusals import NotFound

Finding = Literal[
    "double_in_list",  # the same door stands in an earlier row
    "differs",  # the register has it by its code, and says something else of it
    "gone",  # the register says that it is no longer there
    "other_community",  # its position lies in another community than the list names
    "near_double",  # it may be the same as another, which a person has to say
]


class Note(Struct, frozen=True, kw_only=True):
    """What a list's reader should look at: a row, and the row or the door on the register that it has to do with."""

    finding: Finding
    row: int
    name: str
    address: str
    other_row: int | None = None
    other: UUID | None = None
    other_code: str | None = None
    other_name: str | None = None
    other_address: str | None = None
    community: str | None = None  # in which its position lies
    score: float | None = None
    distance_m: int | None = None


class Counts(Struct, kw_only=True):
    """What became of a list's rows; those below `new` are parts of the new, and those below `known` of the known."""

    rows: int = 0
    new: int = 0
    unplaced: int = 0  # without a position
    nowhere: int = 0  # in no community
    known: int = 0
    differing: int = 0
    gone: int = 0
    doubles: int = 0  # within the list
    near_doubles: int = 0  # pairs
    other_community: int = 0
    rejected: int = 0


class _Known(Struct, frozen=True):
    """A door on the register, as far as it is compared with a row."""

    id: UUID
    code: str | None
    alike: str
    community: str | None
    state: PremisesState
    position: tuple[float | None, float | None]


class _Earlier(Struct, frozen=True):
    """A row that was met before."""

    row: int
    code: str | None


LOCK = "select pg_advisory_xact_lock(hashtextextended('premises ' || $1::int, 0))"
COMMUNITIES = "select code, name from community where district = $1"

# The doors that rows may be: of one of these codes, or written alike. One that was merged is what it was merged into.
KNOWN = """
select coalesce(s.id, p.id) as id, p.code, p.alike, p.community, coalesce(s.state, p.state) as state,
       p.position_lon, p.position_lat
from premises p left join premises s on s.district = $1 and s.id = p.merged_into
where p.district = $1 and (p.code = any($2::text[]) or p.alike = any($3::bytea[]))
"""


async def communities(conn: Connection, district: int) -> dict[str, str]:
    """The codes of a district's communities by whatever a list may call them: the code, or a name that only one has.
    Raises NotFound when there is no such district."""
    if await people.district(conn, district) is None:
        raise NotFound("district", given=district)
    names = {row["code"]: row["name"] for row in await conn.fetch(COMMUNITIES, district)}
    count = Counter(name.casefold() for name in names.values())
    by_name = {name.casefold(): code for code, name in names.items() if count[name.casefold()] == 1}
    return by_name | {code.casefold(): code for code in names}


class Import(Struct, kw_only=True):
    """An import under way."""

    district: int
    atlas: Atlas
    now: datetime
    actor: Actor
    lat_column: str | None = None  # by which a reason names it
    reject: Callable[[Rejected], None] = lambda rejected: None
    note: Callable[[Note], None] = lambda note: None
    compared: Callable[[int, int], None] = lambda communities, of: None
    counts: Counts = msgspec.field(default_factory=Counts)
    _codes: dict[str, int] = {}
    _doors: dict[tuple[str, str | None], _Earlier] = {}
    _rows: dict[UUID, int] = {}  # of the new doors
    _places: set[str | None] = set()  # the communities that they are in

    async def begin(self, conn: Connection) -> None:
        """Wait until no other list is being taken over. What is looked up is looked up by its key, whatever PostgreSQL
        takes the size of a table to be that has just been filled."""
        await conn.execute(LOCK, self.district)
        await conn.execute("set local enable_seqscan = off")

    async def take(self, conn: Connection, entries: Sequence[Entry]) -> None:
        """Put those of these rows on the register that it does not have."""
        placed = self._placed(entries)
        swapped = self._swapped(entries, placed)
        marks = [bytea(premises.alike(entry.kind, entry.name, entry.address)) for entry in entries]
        by_code, by_mark = await self._known(conn, entries, marks)
        new: list[tuple[Entry, Placed, str]] = []
        for entry, place, mark in zip(entries, placed, marks, strict=True):
            if reason := swapped.get(entry.row):
                self.counts.rejected += 1
                self.reject(Rejected(entry.row, (reason,), entry.cells))
            elif not self._met_before(entry, place, mark) and not self._on_register(
                entry, place, mark, by_code, by_mark.get(mark, ())
            ):
                new.append((entry, place, mark))
        self.counts.rows += len(entries)
        await self._write(conn, new)

    async def finish(self, conn: Connection, facts: Mapping[str, object]) -> Counts:
        """Look for doors that may be the same as new ones, and write into the history that the list was taken over,
        unless that changed nothing."""
        for at, community in enumerate(sorted(self._places, key=str), start=1):
            for pair in await self._near(conn, community):
                self.counts.near_doubles += 1
                self.note(_near_double(pair))
            self.compared(at, len(self._places))
        if self.counts.new:
            told = {name: count for name, count in msgspec.structs.asdict(self.counts).items() if count}
            event = history.occurrence(
                district=self.district,
                kind="premises",
                event="import",
                actor=self.actor,
                now=self.now,
                facts={**facts, **told},
            )
            await history.append(conn, [event], [])
        return self.counts

    # --- where they are

    def _placed(self, entries: Sequence[Entry]) -> list[Placed]:
        wanted = [ToPlace(entry.position, entry.community, self.now) for entry in entries]
        return placing.place(self.atlas, self.district, wanted)

    def _swapped(self, entries: Sequence[Entry], placed: Sequence[Placed]) -> dict[int, Reason]:
        """Positions that are outside of the district, and inside of it when longitude and latitude are exchanged."""
        suspect = [
            (entry.row, msgspec.structs.replace(position, lon=position.lat, lat=position.lon))
            for entry, place in zip(entries, placed, strict=True)
            if place.certainty == "outside" and (position := entry.position) and abs(position.lon) <= 90
        ]
        exchanged = placing.place(self.atlas, self.district, [ToPlace(one, None, self.now) for _, one in suspect])
        return {
            row: Reason("longitude_latitude_swapped", self.lat_column, {"lon": position.lat, "lat": position.lon})
            for (row, position), place in zip(suspect, exchanged, strict=True)
            if place.community is not None
        }

    # --- which they are

    def _met_before(self, entry: Entry, place: Placed, mark: str) -> bool:
        """Whether an earlier row is the same door; two that bear different codes never are."""
        first = self._codes.setdefault(entry.code, entry.row) if entry.code else entry.row
        earlier = self._doors.setdefault((mark, place.community), _Earlier(entry.row, entry.code))
        if first == entry.row and (earlier.row == entry.row or _differ(entry.code, earlier.code)):
            return False
        self.counts.doubles += 1
        row = first if first != entry.row else earlier.row
        self.note(Note(finding="double_in_list", row=entry.row, name=entry.name, address=entry.address, other_row=row))
        return True

    async def _known(
        self, conn: Connection, entries: Sequence[Entry], marks: Sequence[str]
    ) -> tuple[dict[str, _Known], dict[str, list[_Known]]]:
        codes = [entry.code for entry in entries if entry.code]
        rows = await conn.fetch(KNOWN, self.district, codes, [bytes.fromhex(mark[2:]) for mark in marks])
        by_code: dict[str, _Known] = {}
        by_mark: dict[str, list[_Known]] = {}
        for row in rows:
            position = row["position_lon"], row["position_lat"]
            one = _Known(row["id"], row["code"], bytea(row["alike"]), row["community"], row["state"], position)
            if one.code:
                by_code[one.code] = one
            by_mark.setdefault(one.alike, []).append(one)
        return by_code, by_mark

    def _on_register(
        self,
        entry: Entry,
        place: Placed,
        mark: str,
        by_code: Mapping[str, _Known],
        alike: Iterable[_Known],
    ) -> bool:
        """Whether the register has a row's door, by its code, or written alike in the same community or place."""
        position = place.position_lon, place.position_lat
        found = by_code.get(entry.code or "") or next(
            (
                one
                for one in alike
                if not _differ(entry.code, one.code)
                and (one.community == place.community or (one.position == position and None not in position))
            ),
            None,
        )
        if found is None:
            return False
        self.counts.known += 1
        if found.state == "gone":
            self.counts.gone += 1
            self._tell_known("gone", entry, found)
        if found.alike != mark or (place.community and found.community != place.community):
            self.counts.differing += 1
            self._tell_known("differs", entry, found)
        return True

    def _tell_known(self, finding: Finding, entry: Entry, found: _Known) -> None:
        self.note(
            Note(
                finding=finding,
                row=entry.row,
                name=entry.name,
                address=entry.address,
                other=found.id,
                other_code=found.code,
            )
        )

    # --- writing

    async def _write(self, conn: Connection, new: Sequence[tuple[Entry, Placed, str]]) -> None:
        rows: list[Row] = []
        texts: list[Row] = []
        for entry, place, mark in new:
            row = PremisesRow(
                district=self.district,
                id=uuid4(),
                kind=entry.kind,
                code=entry.code,
                state="confirmed",
                source="import",
                alike=mark,
                recorded_at=self.now,
                **msgspec.structs.asdict(place),
            )
            rows.append(msgspec.structs.asdict(row))
            text, _ = text_row(
                self.district, row.id, 1, {"name": entry.name, "address": entry.address}, self.now, findable=True
            )
            texts.append(text)
            self._rows[row.id] = entry.row
            self._places.add(place.community)
            self._count(entry, place)
        await copying.copy(conn, "premises", rows, COLUMNS)
        await copying.copy(conn, "text_version", texts, TEXTS)

    def _count(self, entry: Entry, place: Placed) -> None:
        self.counts.new += 1
        self.counts.unplaced += place.certainty == "unplaced"
        self.counts.nowhere += place.community is None
        if entry.community and entry.community != place.community:
            self.counts.other_community += 1
            self.note(
                Note(
                    finding="other_community",
                    row=entry.row,
                    name=entry.name,
                    address=entry.address,
                    community=place.community,
                )
            )

    # --- what may be the same

    async def _near(self, conn: Connection, community: str | None) -> list[Pair]:
        if community is None:
            rows = await conn.fetch(OF_NONE, self.district)
        else:
            rows = await conn.fetch(OF_COMMUNITY, self.district, community)
        return list(premises_likeness.pairs([_door(row, self._rows.get(row["id"])) for row in rows]))


_OF_PLACE = """
select p.id, p.kind, p.code, p.lon, p.lat, t.body
from premises p
join text_version t on t.district = $1 and t.subject = p.id and t.version = p.text_version
where p.district = $1 and p.state in ('proposed', 'confirmed') and p.community
"""
OF_COMMUNITY = f"{_OF_PLACE} = $2"
OF_NONE = f"{_OF_PLACE} is null"

COLUMNS: Mapping[str, Words] = {
    "district": copying.numbers,
    "id": copying.plain,
    "version": copying.numbers,
    "kind": copying.texts,
    "code": copying.texts,
    "state": copying.texts,
    "source": copying.texts,
    "alike": copying.byteas,
    "position_lon": copying.floats_or_null,
    "position_lat": copying.floats_or_null,
    "accuracy_m": copying.floats_or_null,
    "position_system": copying.texts,
    "position_source": copying.texts,
    "lon": copying.floats_or_null,
    "lat": copying.floats_or_null,
    "cell": copying.numbers_or_null,
    "community": copying.texts,
    "certainty": copying.texts,
    "boundary_version": copying.numbers_or_null,
    "text_version": copying.numbers,
    "recorded_at": copying.plain,
}
TEXTS: Mapping[str, Words] = {
    "district": copying.numbers,
    "subject": copying.plain,
    "version": copying.numbers,
    "body": copying.jsons,
    "bigrams": copying.text_arrays,
    "salt": copying.byteas,
    "digest": copying.byteas,
    "recorded_at": copying.plain,
}


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def _door(row: Any, at: int | None) -> Door:
    return Door(
        id=row["id"],
        kind=row["kind"],
        code=row["code"],
        name=row["body"].get("name", ""),
        address=row["body"].get("address", ""),
        lon=row["lon"],
        lat=row["lat"],
        row=at,
    )


def _near_double(pair: Pair) -> Note:
    return Note(
        finding="near_double",
        row=pair.one.row or 0,
        name=pair.one.name,
        address=pair.one.address,
        other_row=pair.other.row,
        other=pair.other.id,
        other_code=pair.other.code,
        other_name=pair.other.name,
        other_address=pair.other.address,
        score=pair.near.score,
        distance_m=pair.near.distance_m,
    )
