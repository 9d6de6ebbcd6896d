"""Members as a list of the district's gives them, taken over together: who is new joins, who is known is brought up to
date, who is missing leaves if that is asked; a second time changes nothing.

It is one transaction, and each kind of row one statement, or COPY where there are many."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid4

import msgspec
from asyncpg import Connection, Record
from msgspec import Struct

from surveys import copying, history
from surveys.copying import Words
from surveys.history import Actor, Row, bytea
from surveys.issues import handing_on
from surveys.ledgers.ledger_rows import Reason, Rejected
from surveys.people import member_changes, organisations, roles
from surveys.people.member_changes import MemberRow, event, named, sealed_phone, told
from surveys.people.organisations import Area, Path
from surveys.people.people import Grant, Role
from surveys.people.roles import MEMBERSHIP, SCOPES, Places
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotFound, UnknownScope

ACTOR = Actor("import", "members")
AT_ONCE = 2_000  # events of one COPY


class Entry(Struct, frozen=True, kw_only=True):
    """A row of a list: what is None, it does not say, and that stays as it is."""

    row: int
    cells: Mapping[str, object]
    path: Path
    number: str
    name: str
    phone: str | None = None
    roles: tuple[Role, ...] | None = None
    scopes: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()


class Columns(Struct, frozen=True, kw_only=True):
    """What the list calls its columns, so that a reason can name them."""

    phone: str | None = None
    roles: str | None = None
    scopes: str | None = None
    areas: str | None = None


class Counts(Struct, kw_only=True):
    """What became of a list; those below `new` overlap with none but `transferred` with `changed`."""

    organisations: int = 0
    areas: int = 0
    new: int = 0
    changed: int = 0
    transferred: int = 0
    returned: int = 0
    unchanged: int = 0
    closed: int = 0
    handed_on: int = 0
    rejected: int = 0


class MoreMissing(Exception):
    """More members are missing from the list than was agreed to; `count` says how many. Nothing was changed."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


class _Present(Struct, frozen=True, kw_only=True):
    """A member as they stand."""

    row: MemberRow
    grants: frozenset[Grant]


# The phones are needed as hashes only; the sealed ones stay where they are unless they change.
MEMBERS = """
select id, version, number, name, organisation, joined_at, closed_at, phone, phone_look_up from member
where district = $1
"""
GRANTS = "select member, role, scope_kind, scope from member_role where district = $1"

MISSING = "select count(*) from member where district = $1 and closed_at is null and number <> all($2)"
OPEN = "select count(*) from member where district = $1 and closed_at is null"


async def missing(conn: Connection, district: int, numbers: Sequence[str]) -> tuple[int, int]:
    """How many members who have not left a list does not have, and how many there are in all."""
    return await conn.fetchval(MISSING, district, numbers), await conn.fetchval(OPEN, district)


class Import(Struct, kw_only=True):
    """An import under way. `close_missing` is how many may be closed at most because the list, whose `numbers` are all
    that it names, does not have them; None closes nobody."""

    district: int
    ring: KeyRing
    now: datetime
    columns: Columns = Columns()
    reject: Callable[[Rejected], None] = lambda rejected: None
    progress: Callable[[int], None] = lambda rows: None  # of rows that were checked
    written: Callable[[int, int], None] = lambda rows, of: None
    close_missing: int | None = None
    numbers: frozenset[str] = frozenset()
    counts: Counts = msgspec.field(default_factory=Counts)

    async def run(self, conn: Connection, entries: Sequence[Entry]) -> Counts:
        """Take a list over. Raises NotFound when there is no such district, MoreMissing, DispatcherNeeded and
        AdministratorNeeded; run it in a transaction, which is then to be undone."""
        if await conn.fetchval(organisations.LOCK, self.district) is None:
            raise NotFound("district", given=self.district)
        made = await organisations.make(conn, self.district, {entry.path for entry in entries}, ACTOR, self.now)
        self.counts.organisations = len(made.new)
        known = await roles.places(conn, self.district)
        entries = await self._with_areas(conn, entries, made.ids, known)
        present = await self._present(conn)
        changes = list(self._changes(entries, present, made.ids, known))
        if self.close_missing is not None:
            changes += self._leavers(present)
        await self._write(conn, changes)
        return self.counts

    # --- what the list says, against what there is

    async def _present(self, conn: Connection) -> dict[str, _Present]:
        held: dict[UUID, set[Grant]] = defaultdict(set)
        for row in await conn.fetch(GRANTS, self.district):
            held[row["member"]].add(Grant(row["role"], row["scope_kind"], row["scope"]))
        return {
            row["number"]: _Present(row=self._row(row), grants=frozenset(held[row["id"]]))
            for row in await conn.fetch(MEMBERS, self.district)
        }

    def _row(self, row: Record) -> MemberRow:
        phones = {name: bytea(row[name]) if row[name] is not None else None for name in ("phone", "phone_look_up")}
        return MemberRow(**{**dict(row), **phones, "district": self.district})

    def _changes(
        self, entries: Sequence[Entry], present: Mapping[str, _Present], ids: Mapping[Path, UUID], known: Places
    ) -> Iterator["_Change"]:
        phones = self._phones(entries, present)
        for done, entry in enumerate(entries, start=1):
            if done % 1_000 == 0:
                self.progress(done)
            before = present.get(entry.number)
            reasons: list[Reason] = []
            grants = self._grants(entry, before, ids[entry.path], known, reasons)
            look_up = self._look_up(entry)
            if look_up is not None and phones[look_up] != entry.number:
                reasons.append(Reason("phone_taken", self.columns.phone))
            if reasons:
                self._refuse(entry, *reasons)
                continue
            yield _Change.of(self, entry, before, ids[entry.path], grants)
        self.progress(len(entries))

    def _refuse(self, entry: Entry, *reasons: Reason) -> None:
        self.counts.rejected += 1
        self.reject(Rejected(entry.row, reasons, entry.cells))

    def _look_up(self, entry: Entry) -> str | None:
        return bytea(self.ring.look_up(entry.phone)) if entry.phone else None

    def _phones(self, entries: Sequence[Entry], present: Mapping[str, _Present]) -> dict[str, str]:
        """Whose each phone is once the list is taken over: of two who name it, the first's; else whose it is now."""
        wanted: dict[str, str] = {}
        for entry in entries:
            if (look_up := self._look_up(entry)) is not None:
                wanted.setdefault(look_up, entry.number)
        given_up = {entry.number for entry in entries if entry.phone}
        if self.close_missing is not None:
            given_up |= present.keys() - self.numbers
        kept = {
            one.row.phone_look_up: number
            for number, one in present.items()
            if one.row.phone_look_up and one.row.closed_at is None and number not in given_up
        }
        return wanted | kept

    def _grants(
        self, entry: Entry, before: _Present | None, organisation: UUID, known: Places, reasons: list[Reason]
    ) -> frozenset[Grant]:
        """What the member holds from now on: what the list says if it says anything, else what they hold."""
        if entry.roles is None:
            if entry.scopes:
                reasons.append(Reason("scope_without_role", self.columns.scopes))
            kept = before.grants if before and before.row.closed_at is None else frozenset()
            return kept or frozenset({MEMBERSHIP})
        grants = {MEMBERSHIP}
        unused = set(entry.scopes)
        for role in entry.roles:
            found = self._of_role(role, entry.scopes, organisation, known)
            if not found:
                reasons.append(Reason("scope_missing", self.columns.scopes or self.columns.roles, {"role": role}))
            grants |= found.keys()
            unused -= set(found.values())
        reasons += [Reason("scope_unknown", self.columns.scopes, {"given": scope}) for scope in sorted(unused)]
        return frozenset(grants)

    def _of_role(self, role: Role, scopes: Sequence[str], organisation: UUID, known: Places) -> dict[Grant, str | None]:
        """The grants of a role in each of the scopes that fit it; a dispatcher of the whole district is never meant by
        leaving the scope out."""
        if SCOPES[role] in (("own",), ("district",)):
            named_ = next((scope for scope in scopes if _fits(known, role, scope)), None)
            return {known.grant(role, ""): named_}
        fitting = {grant: scope for scope in scopes if (grant := _fits(known, role, scope))}
        if not fitting and role == "organiser":
            return {Grant("organiser", "organisation", str(organisation)): None}
        return dict(fitting)

    async def _with_areas(
        self, conn: Connection, entries: Sequence[Entry], ids: Mapping[Path, UUID], known: Places
    ) -> list[Entry]:
        """Write what organisations answer for; a row with an area that there is not is refused."""
        wanted: dict[UUID, set[Area]] = defaultdict(set)
        kept: list[Entry] = []
        for entry in entries:
            found = {text: _area(known, text) for text in entry.areas}
            unknown = [text for text, area in found.items() if area is None]
            if unknown:
                self._refuse(entry, *(Reason("area_unknown", self.columns.areas, {"given": text}) for text in unknown))
                continue
            kept.append(entry)
            if found:
                wanted[ids[entry.path]] |= {area for area in found.values() if area}
        self.counts.areas = await organisations.answer_for(conn, self.district, wanted, ACTOR, self.now)
        return kept

    def _leavers(self, present: Mapping[str, _Present]) -> list["_Change"]:
        gone = [one for number, one in present.items() if one.row.closed_at is None and number not in self.numbers]
        if len(gone) > (self.close_missing or 0):
            raise MoreMissing(len(gone))
        return [_Change.leaving(one, self.now) for one in gone]

    # --- writing

    async def _write(self, conn: Connection, changes: Sequence["_Change"]) -> None:
        joining = [one for one in changes if one.event == "join"]
        leaving = [one.row.id for one in changes if one.event == "close"]
        changed = [one for one in changes if one.event not in (None, "join")]
        self._count(changes)
        count = len(joining) + len(changed)
        self.written(0, count)
        rephoned = [one.row.id for one in changed if one.rephoned]
        await conn.execute(FORGET_PHONES, self.district, [*rephoned, *leaving])
        await copying.copy(conn, "member", [msgspec.structs.asdict(one.row) for one in joining], NEW_MEMBERS)
        await conn.execute(member_changes.UPDATE, self.district, [one.row for one in changed])
        await self._write_grants(conn, joining, changed)
        await member_changes.end_access(conn, self.district, leaving, self.now)
        every = [*joining, *changed]
        for start in range(0, count, AT_ONCE):
            await self._tell(conn, every[start : start + AT_ONCE])
            self.written(min(start + AT_ONCE, count), count)
        handed = await handing_on.hand_on(conn, self.district, dict.fromkeys(leaving), ACTOR, self.now)
        self.counts.handed_on = handed.total

    def _count(self, changes: Sequence["_Change"]) -> None:
        self.counts.new = sum(one.event == "join" for one in changes)
        self.counts.closed = sum(one.event == "close" for one in changes)
        self.counts.returned = sum(one.event == "return" for one in changes)
        self.counts.transferred = sum(one.event == "transfer" for one in changes)
        self.counts.changed = sum(one.event in ("update", "transfer", "give") for one in changes)
        self.counts.unchanged = sum(one.event is None for one in changes)

    async def _write_grants(self, conn: Connection, joining: Sequence["_Change"], changed: Sequence["_Change"]) -> None:
        """Offices are given before others are taken, so that there is a dispatcher and an administrator throughout."""
        held = [
            {"district": self.district, "member": one.row.id, **msgspec.structs.asdict(grant)}
            for one in joining
            for grant in one.granted
        ]
        await copying.copy(conn, "member_role", held, ROLES)
        await member_changes.give(
            conn, self.district, [(one.row.id, grant) for one in changed for grant in one.granted]
        )
        taken = [(one.row.id, grant) for one in changed for grant in one.taken]
        leaving = {one.row.id for one in changed if one.event == "close"}
        await member_changes.refuse_indispensable(
            conn,
            self.district,
            dispatchers=leaving
            | {id_ for id_, one in taken if (one.role, one.scope_kind) == ("dispatcher", "district")},
            administrators=leaving | {id_ for id_, one in taken if one.role == "administrator"},
        )
        await member_changes.take(conn, self.district, taken)

    async def _tell(self, conn: Connection, changes: Sequence["_Change"]) -> None:
        """The events and the names that they tell of."""
        events: list[Row] = []
        texts: list[Row] = []
        for one in changes:
            facts = dict(one.facts)
            if one.renamed:
                text, naming = named(one.row, self.now)
                texts.append(text)
                facts |= naming
            events.append(event(one.row, one.event or "update", ACTOR, self.now, facts))
        await copying.copy(conn, "text_version", texts, TEXTS)
        await copying.copy(conn, "history", events, history.COLUMNS)


# For the moment in which they change hands; who leaves keeps theirs, which another may then have as well.
FORGET_PHONES = "update member set phone_look_up = null where district = $1 and id = any($2)"

NEW_MEMBERS: Mapping[str, Words] = {
    "district": copying.numbers,
    "id": copying.plain,
    "version": copying.numbers,
    "number": copying.texts,
    "name": copying.texts,
    "organisation": copying.plain,
    "joined_at": copying.plain,
    "phone": copying.byteas,
    "phone_look_up": copying.byteas,
}
ROLES: Mapping[str, Words] = {
    "district": copying.numbers,
    "member": copying.plain,
    "role": copying.texts,
    "scope_kind": copying.texts,
    "scope": copying.texts,
}
TEXTS: Mapping[str, Words] = {
    "district": copying.numbers,
    "subject": copying.plain,
    "version": copying.numbers,
    "body": copying.jsons,
    "salt": copying.byteas,
    "digest": copying.byteas,
    "recorded_at": copying.plain,
}


class _Change(Struct, frozen=True, kw_only=True):
    """A member as they stand from now on, and what happened; `event` is None where nothing did."""

    row: MemberRow
    event: str | None
    facts: Mapping[str, object] = {}
    granted: Sequence[Grant] = ()
    taken: Sequence[Grant] = ()
    renamed: bool = False
    rephoned: bool = False

    @classmethod
    def of(
        cls, under_way: Import, entry: Entry, before: _Present | None, organisation: UUID, grants: frozenset[Grant]
    ) -> "_Change":
        """What a row of the list changes of a member, who is new if there is none before."""
        row = before.row if before else None
        id_ = row.id if row else uuid4()
        look_up = under_way._look_up(entry)
        rephoned = look_up is not None and (row is None or look_up != row.phone_look_up)
        phone, look_up = (
            sealed_phone(under_way.ring, under_way.district, id_, entry.phone)
            if rephoned
            else (row.phone if row else None, row.phone_look_up if row else None)
        )
        after = MemberRow(
            district=under_way.district,
            id=id_,
            version=row.version + 1 if row else 1,
            number=entry.number,
            name=entry.name,
            organisation=organisation,
            joined_at=row.joined_at if row else under_way.now,
            phone=phone,
            phone_look_up=look_up,
        )
        held = before.grants if before else frozenset()
        facts: dict[str, object] = {}
        if row is None or row.closed_at is not None:
            facts |= {"number": entry.number, "organisation": organisation}
        elif organisation != row.organisation:
            facts |= {"organisation": organisation, "before": row.organisation}
        if row is not None and row.closed_at is not None:
            facts["closed_at"] = None
        if rephoned:
            facts["phone"] = True
        granted, taken = sorted(grants - held, key=_order), sorted(held - grants, key=_order)
        facts |= {"granted": told(granted)} if granted else {}
        facts |= {"taken": told(taken)} if taken else {}
        renamed = row is None or entry.name != row.name
        return cls(
            row=after,
            event=_event(row, organisation, renamed or rephoned, bool(granted or taken)),
            facts=facts,
            granted=granted,
            taken=taken,
            renamed=renamed,
            rephoned=rephoned,
        )

    @classmethod
    def leaving(cls, one: _Present, now: datetime) -> "_Change":
        """A member whom the list does not have."""
        row = msgspec.structs.replace(one.row, version=one.row.version + 1, closed_at=now)
        taken = sorted(one.grants, key=_order)
        return cls(row=row, event="close", facts={"closed_at": now, "taken": told(taken)}, taken=taken)


def _event(row: MemberRow | None, organisation: UUID, updated: bool, regranted: bool) -> str | None:
    if row is None:
        return "join"
    if row.closed_at is not None:
        return "return"
    if row.organisation != organisation:
        return "transfer"
    if updated:
        return "update"
    return "give" if regranted else None


def _order(grant: Grant) -> tuple[str, str, str]:
    return grant.role, grant.scope_kind, grant.scope


def _fits(known: Places, role: Role, scope: str) -> Grant | None:
    try:
        return known.grant(role, scope)
    except UnknownScope:
        return None


def _area(known: Places, text: str) -> Area | None:
    word = text.strip().casefold()
    if code := known.by_kind["community"].get(word):
        return Area("community", code)
    if code := known.by_kind["street"].get(word):
        return Area("street", code)
    return None
