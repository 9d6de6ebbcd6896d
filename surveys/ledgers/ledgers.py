"""Ledgers of other programs, taken over: each report once, with its own dates, its whole life and its place.

A ledger is read in chunks. `Ledger.prepare` reads and places one without the database, `add_words` and `write` put it
in, so that the next chunk can be prepared while PostgreSQL is busy with this one. Each chunk is committed by itself,
and a row that is there already is never written again: an import that was cut off goes on when it is started again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import shake_256
from typing import Any
from uuid import UUID, uuid5

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.clock import calendars, deadlines
from surveys.clock.clock import Calendar
from surveys.history import Actor, event_row
from surveys.issues import categories, issues, placing, workflow
from surveys.issues.categories import CategoryDraft, Limit, in_hours
from surveys.issues.issues import IssueRow, NewIssue, Step
from surveys.issues.placing import Atlas, Placed, ToPlace
from surveys.issues.workflow import Move
from surveys.ledgers.ledger_mapping import LedgerMapping, UnusableMapping
from surveys.ledgers.ledger_rows import Interpreter, LedgerRow, Reason, Rejected, Report, Words, hours_of
from surveys.people import people
from surveys.people.people import District, Handler
from surveys.privacy import contacts
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotFound

__all__ = [
    "Chunk",
    "Counts",
    "Known",
    "Ledger",
    "add_words",
    "compare",
    "known",
    "missing_columns",
    "refuse_unknown_codes",
    "tell",
    "write",
]

_NAMESPACE = UUID("5f0c8a52-3d1b-5b0e-8f43-7f2f0a8d9c11")  # of the ids of ledgers and of what they report


class Known(Struct, frozen=True):
    """What the district has when an import starts, and who answers for a new issue in each community."""

    district: District
    words: Words
    calendar: Calendar
    handlers: Mapping[str | None, Handler]


TOLD: frozenset[Move] = frozenset({"resolve", "reject"})  # the moves of which the ledger's outcome tells

COMMUNITIES = "select code, name from community where district = $1"
DEPARTMENTS = "select code, name from department where district = $1"


async def known(conn: Connection, district: int, now: datetime) -> Known:
    """What a ledger's words can mean in a district. Raises NotFound when there is no such district."""
    found = await people.district(conn, district)
    if found is None:
        raise NotFound("district", given=district)
    in_force = await categories.in_force(conn, district, now)
    communities = {row["code"]: row["name"] for row in await conn.fetch(COMMUNITIES, district)}
    departments = {row["code"]: row["name"] for row in await conn.fetch(DEPARTMENTS, district)}
    words = Words(
        categories=in_force,
        category_codes=_by_word({code: category.name for code, category in in_force.items()}),
        departments=_by_word(departments),
        communities=_by_word(communities),
    )
    calendar = await calendars.in_force(conn, district, now)
    return Known(found, words, calendar, await people.first_handlers(conn, district, [None, *communities], now))


def _by_word(names: Mapping[str, str]) -> dict[str, str]:
    """Codes by themselves and by names that only one has; a code outranks a name."""
    count = Counter(name.casefold() for name in names.values())
    by_name = {name.casefold(): code for code, name in names.items() if count[name.casefold()] == 1}
    return by_name | {code.casefold(): code for code in names}


def missing_columns(mapping: LedgerMapping, columns: Sequence[str]) -> list[str]:
    """The columns that a mapping names and a file does not have."""
    return [column for column in mapping.all_columns() if column not in columns]


def refuse_unknown_codes(mapping: LedgerMapping, known: Known) -> None:
    """Raises UnusableMapping when the mapping leads to categories, departments or communities that there are not."""
    default = [mapping.categories.default] if mapping.categories.default else []
    named = {
        "categories": ([*mapping.categories.codes.values(), *default], set(known.words.categories)),
        "departments": ([*mapping.departments.codes.values()], set(known.words.departments.values())),
        "communities": ([*mapping.communities.codes.values()], set(known.words.communities.values())),
    }
    for key, (codes, there) in named.items():
        unknown = sorted(set(codes) - there)
        if unknown:
            raise UnusableMapping("unknown_codes", key=key, codes=", ".join(unknown))


class Chunk(Struct, frozen=True, kw_only=True):
    """Some rows of a ledger, read and placed: what they report, where, and those that are refused."""

    rows: int
    reports: Sequence[tuple[Report, Placed]]
    rejected: Sequence[Rejected]
    new_categories: Mapping[str, str]  # names by code
    new_departments: Mapping[str, str]


class Counts(Struct):
    """What became of a ledger's rows; those below `rejected` are parts of those that were filed."""

    rows: int = 0
    filed: int = 0
    already_there: int = 0
    changed_since: int = 0
    rejected: int = 0
    without_position: int = 0
    outside: int = 0
    undated: int = 0

    def add(self, other: "Counts") -> None:
        """Count another chunk's rows in."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Ledger:
    """An import under way: its mapping, and what it has met so far. `prepare` must see the rows in their order."""

    def __init__(
        self, mapping: LedgerMapping, known: Known, atlas: Atlas, now: datetime, ring: KeyRing | None = None
    ) -> None:
        """Raises UnusableMapping when the mapping tells of contacts and there is no ring to seal them with."""
        if mapping.tells_contacts and ring is None:
            raise UnusableMapping("keys_missing")
        self.mapping = mapping
        self.ring = ring
        self.known = known
        self.district = known.district.district
        self.actor = Actor("import", mapping.name)
        self._atlas = atlas
        self._interpreter = Interpreter(mapping, known.words, known.district.zone, now)

    def prepare(self, rows: Sequence[LedgerRow]) -> Chunk:
        """Read and place rows; touches neither the database nor anything that `write` uses."""
        read = [self._interpreter.read(row) for row in rows]
        reports = [one for one in read if isinstance(one, Report)]
        rejected = [one for one in read if isinstance(one, Rejected)]
        placed = self._placed(reports)
        swapped = self._swapped(reports, placed)
        cells = {row.number: row.cells for row in rows} if swapped else {}
        rejected += [Rejected(number, (reason,), cells[number]) for number, reason in swapped.items()]
        kept = [pair for pair in zip(reports, placed, strict=True) if pair[0].number not in swapped]
        return Chunk(
            rows=len(rows),
            reports=kept,
            rejected=sorted(rejected, key=lambda one: one.number),
            new_categories=_taken(self._interpreter.made_categories, {report.category for report, _ in kept}),
            new_departments=_taken(self._interpreter.made_departments, {report.department for report, _ in kept}),
        )

    def _placed(self, reports: Sequence[Report]) -> list[Placed]:
        wanted = [ToPlace(report.position, report.community, report.reported_at) for report in reports]
        return placing.place(self._atlas, self.district, wanted)

    def _swapped(self, reports: Sequence[Report], placed: Sequence[Placed]) -> dict[int, Reason]:
        """Positions that are outside of the district, and inside of it when longitude and latitude are exchanged."""
        suspect = [
            (report, msgspec.structs.replace(position, lon=position.lat, lat=position.lon))
            for report, place in zip(reports, placed, strict=True)
            if place.certainty == "outside" and (position := report.position) and abs(position.lon) <= 90
        ]
        wanted = [ToPlace(position, None, report.reported_at) for report, position in suspect]
        exchanged = placing.place(self._atlas, self.district, wanted)
        return {
            report.number: Reason(
                "longitude_latitude_swapped", self.mapping.column("lat"), {"lon": position.lat, "lat": position.lon}
            )
            for (report, position), place in zip(suspect, exchanged, strict=True)
            if place.community is not None
        }


def _taken(made: dict[str, str], used: set[str] | set[str | None]) -> dict[str, str]:
    """Those of the made codes that are used for the first time."""
    return {code: made.pop(code) for code in sorted(code for code in used if code in made)}


ADD_DEPARTMENTS = """
insert into department (district, code, name) select $1, code, name from unnest($2::text[], $3::text[]) as d(code, name)
on conflict (district, code) do nothing
"""


async def add_words(conn: Connection, ledger: Ledger, chunk: Chunk, now: datetime) -> None:
    """Make the categories and departments that a chunk is the first to name, as the mapping told to; in a transaction
    of its own, so that chunks that are written side by side never wait for one another's."""
    if not chunk.new_categories and not chunk.new_departments:
        return
    defaults = categories.Defaults(channel=ledger.mapping.defaults.channel, limits=in_hours(hours_of(ledger.mapping)))
    drafts = [
        CategoryDraft(row=number, code=code, name=name)
        for number, (code, name) in enumerate(chunk.new_categories.items(), start=1)
    ]
    async with conn.transaction():
        if chunk.new_departments:
            names = chunk.new_departments
            await conn.execute(ADD_DEPARTMENTS, ledger.district, list(names.keys()), list(names.values()))
        if drafts:
            await categories.store(conn, ledger.district, drafts, now, defaults=defaults)


# Those of a chunk's reports that were taken over before, with the digest of what they told then.
EARLIER = """
select i.source_id, h.request from issue i
join history h on h.district = i.district and h.thing = i.id and h.version = 1
where i.district = $1 and i.source = 'ledger' and i.source_id = any($2)
"""


async def compare(conn: Connection, ledger: Ledger, chunk: Chunk) -> tuple[list[tuple[Report, Placed]], Counts]:
    """The reports of a chunk that are new, and the count of its rows as if those were filed."""
    ids = [report.source_id for report, _ in chunk.reports]
    earlier = {row["source_id"]: row["request"] for row in await conn.fetch(EARLIER, ledger.district, ids)}
    fresh = [pair for pair in chunk.reports if pair[0].source_id not in earlier]
    changed = [
        report
        for report, _ in chunk.reports
        if report.source_id in earlier and earlier[report.source_id] != report.digest()
    ]
    counts = Counts(
        rows=chunk.rows,
        filed=len(fresh),
        already_there=len(chunk.reports) - len(fresh),
        changed_since=len(changed),
        rejected=len(chunk.rejected),
        without_position=sum(place.certainty == "unplaced" for _, place in fresh),
        outside=sum(place.certainty == "outside" for _, place in fresh),
        undated=sum(report.undated for report, _ in fresh),
    )
    return fresh, counts


async def write(conn: Connection, ledger: Ledger, chunk: Chunk, now: datetime) -> Counts:
    """File the reports of a chunk that are not there yet, all or none of them; a row that changed since stays as it
    was filed. Call it outside of a transaction: numbers are reserved in a short one of their own."""
    fresh, counts = await compare(conn, ledger, chunk)
    if not fresh:
        return counts
    numbers = await issues.reserve_numbers(conn, ledger.district, len(fresh))
    found = [_issue(ledger, *pair, number, now) for pair, number in zip(fresh, numbers, strict=True)]
    contacts_of = {issue.row.id: report.contact for issue, (report, _) in zip(found, fresh, strict=True)}
    async with conn.transaction():
        new = await issues.record(conn, found)
        if ledger.ring is not None and ledger.mapping.tells_contacts:
            told = {issue: contact for issue in new if (contact := contacts_of[issue]) is not None}
            await contacts.add(conn, ledger.ring, ledger.district, told, now)
    elsewhere = len(found) - len(new)  # another import of the same ledger was faster
    counts.filed -= elsewhere
    counts.already_there += elsewhere
    return counts


def _issue(ledger: Ledger, report: Report, place: Placed, number: int, now: datetime) -> NewIssue:
    """A report as an issue with its whole life; its clock ran from the day of the report."""
    id_, *step_ids = _ids(ledger.district, report.source_id, 2 + len(report.moves))
    category = ledger.known.words.categories[report.category]
    owner = ledger.known.handlers.get(place.community) or ledger.known.handlers[None]
    department = report.department or category.department
    limit = category.limits[report.urgency]
    steps = _steps(ledger, report, step_ids, owner.id, department)
    row = IssueRow(
        district=ledger.district,
        id=id_,
        number=number,
        version=len(steps),
        source="ledger",
        source_id=report.source_id,
        reported_at=report.reported_at,
        category=report.category,
        urgency=report.urgency,
        channel=limit.channel or category.channel,
        state=report.state,
        owner=owner.id,
        department=department,
        **_deadlines(ledger, limit, report),
        held_since=report.reported_at,
        position_lon=place.position_lon,
        position_lat=place.position_lat,
        accuracy_m=place.accuracy_m,
        position_system=place.position_system,
        position_source=place.position_source,
        lon=place.lon,
        lat=place.lat,
        cell=place.cell,
        community=place.community,
        certainty=place.certainty,
        boundary_version=place.boundary_version,
        text_version=1,
        recorded_at=now,
    )
    return issues.new(row=row, title=report.title, description=report.description, steps=steps)


def _deadlines(ledger: Ledger, limit: Limit, report: Report) -> dict[str, Any]:
    """When a report was due: as the ledger says, or else by our own limit; what a ledger says is never counted anew."""
    columns = deadlines.of_new(ledger.known.calendar, limit, report.reported_at)
    if report.due_at is None:
        return columns
    return columns | {"due_at": report.due_at, "due_provisional": False, "calendar_version": 0}


def _ids(district: int, source_id: str, count: int) -> list[UUID]:
    """The ids of an issue and of its events, the same each time: all out of one digest, since a million are needed."""
    digest = shake_256(b"%b%d:%b" % (_NAMESPACE.bytes, district, source_id.encode())).digest(16 * count)
    return [UUID(bytes=digest[at : at + 16], version=5) for at in range(0, 16 * count, 16)]


def _steps(
    ledger: Ledger, report: Report, ids: Sequence[UUID], owner: UUID, department: str | None
) -> tuple[Step, ...]:
    """The report, and each move with the state it led to; what the ledger says of the outcome goes with the move that
    needs a reason."""
    first = Step(
        id=ids[0],
        event="report",
        actor=ledger.actor,
        happened_at=report.reported_at,
        state="reported",
        owner=owner,
        department=department,
        request=report.digest(),
    )
    moves = (
        Step(
            id=id_,
            event=move,
            actor=ledger.actor,
            happened_at=moment,
            state=workflow.after("reported", move),
            owner=owner,
            department=department,
            reason=report.outcome if move in TOLD else None,
        )
        for id_, (move, moment) in zip(ids[1:], report.moves, strict=True)
    )
    return (first, *moves)


EARLIER_IMPORTS = "select coalesce(max(version), 0) from history where district = $1 and thing = $2"


async def tell(
    conn: Connection, ledger: Ledger, file_digest: bytes, counts: Counts, started_at: datetime, now: datetime
) -> None:
    """Write into the history that a ledger was imported: from which file, and what became of its rows."""
    thing = uuid5(_NAMESPACE, f"{ledger.district}:{ledger.mapping.name}")
    async with conn.transaction():
        version = 1 + await conn.fetchval(EARLIER_IMPORTS, ledger.district, thing)
        event = event_row(
            district=ledger.district,
            id=uuid5(thing, str(version)),
            kind="ledger",
            thing=thing,
            version=version,
            event="imported",
            actor=ledger.actor,
            happened_at=started_at,
            recorded_at=now,
            facts={"file_digest": file_digest.hex()} | msgspec.structs.asdict(counts),
        )
        await history.append(conn, [event], [])
