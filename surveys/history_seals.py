"""Seals over the history: a chain of digests from which anybody can tell whether a record was changed, added or taken
away since it was sealed.

A row knows the transaction that wrote it. What is sealed is never cut off by the clock but where no running transaction
can add anything any more; an import that takes an hour is sealed after it has ended, and never slips in behind."""

import hashlib
from collections.abc import AsyncIterable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.history import text_digest

ROWS_IN_A_SEAL = 10_000
ROWS_AT_A_TURN = 50 * ROWS_IN_A_SEAL  # some five seconds
TOGETHER = 2_000  # rows that are fetched at a time

ID, THING, DIGEST = slice(0, 16), slice(16, 32), slice(32, 64)
ENTRY_BYTES = 64
NIL = UUID(int=0)
FIRST = bytes(32)  # what the first seal follows
END = 2**63 - 1  # behind the last transaction of an epoch that is over

Report = Callable[[str, int, int], None]
Key = tuple[int, int, bytes]  # epoch, transaction, id: the order of all rows


class EpochNotBegun(Exception):
    """The database's transaction numbers have started over, as those of a restored one do, without a new epoch."""


class Seal(Struct, frozen=True, kw_only=True):
    """One link of the chain: the rows of a district from one key up to, and without, another."""

    district: int
    number: int
    epoch: int
    from_written: int
    from_id: UUID
    to_written: int
    to_id: UUID
    entries: bytes
    previous: bytes
    digest: bytes
    sealed_at: datetime

    @property
    def rows(self) -> int:
        """How many rows it covers."""
        return len(self.entries) // ENTRY_BYTES

    @property
    def start(self) -> Key:
        """The first key that it covers."""
        return self.epoch, self.from_written, self.from_id.bytes

    @property
    def end(self) -> Key:
        """The first key behind it."""
        return self.epoch, self.to_written, self.to_id.bytes


def seal_digest(seal: Seal) -> bytes:
    """SHA-256 over the seal before, everything that this one says of itself, and its entries."""
    stamp = (seal.sealed_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    said = (
        f"{seal.district}/{seal.number}/{seal.epoch}/{seal.from_written}/{seal.from_id}"
        f"/{seal.to_written}/{seal.to_id}/{stamp}/"
    )
    return hashlib.sha256(seal.previous + said.encode() + seal.entries).digest()


# A row as it is digested, the same in every version of PostgreSQL: an array of its columns as jsonb writes it, with
# moments as microseconds since 1970.
CANONICAL = """jsonb_build_array(district, id, kind, thing, version, event, actor_kind, actor,
  trim_scale(extract(epoch from happened_at) * 1000000), trim_scale(extract(epoch from recorded_at) * 1000000),
  encode(request, 'hex'), facts, epoch, written_in)"""
ENTRY = f"uuid_send(id) || uuid_send(thing) || sha256(convert_to({CANONICAL}::text, 'UTF8'))"

# The epoch that rows are written in, and the first transaction that is not known to have ended: what is written in
# those before it is finished, and nothing can come in among it any more.
WRITING = """(
  select (regexp_match(pg_get_expr(d.adbin, d.adrelid), '\\d+'))[1]::int
  from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
  where d.adrelid = 'history'::regclass and a.attname = 'epoch')"""
UNFINISHED = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

# Where the chain ends.
STATE = f"""
select {WRITING} as writing, {UNFINISHED} as unfinished, s.number, s.epoch, s.to_written, s.to_id, s.digest
from (values (1)) as one left join lateral (
  select * from history_seal where district = $1 order by number desc limit 1) s on true
"""

ROWS = f"""
select written_in, {ENTRY} as entry from history
where district = $1 and epoch = $2 and written_in >= $3 and (written_in, id) >= ($3, $4) and written_in < $5
order by written_in, id limit $6
"""

INSERT_SEAL = """
insert into history_seal (district, number, epoch, from_written, from_id, to_written, to_id, entries, previous, digest,
                          sealed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


class Sealed(Struct, frozen=True, kw_only=True):
    """What sealing did, and the head of the chain: None as long as there is none."""

    seals: int
    rows: int
    head: str | None


class _Chain:
    """The end of a district's chain, to which seals are added."""

    def __init__(self, conn: Connection, district: int, row: Any, now: datetime) -> None:
        self.conn = conn
        self.district = district
        self.now = now
        self.number: int = row["number"] or 0
        self.digest: bytes = row["digest"] or FIRST
        self.epoch: int = row["epoch"] or 1
        self.at: tuple[int, UUID] = (row["to_written"], row["to_id"]) if row["number"] else (0, NIL)
        self.seals = self.rows = 0

    async def add(self, entries: list[bytes], end: tuple[int, UUID]) -> None:
        """Seal these entries, up to this end."""
        (from_written, from_id), (to_written, to_id) = self.at, end
        unsigned = Seal(
            district=self.district,
            number=self.number + 1,
            epoch=self.epoch,
            from_written=from_written,
            from_id=from_id,
            to_written=to_written,
            to_id=to_id,
            entries=b"".join(entries),
            previous=self.digest,
            digest=b"",
            sealed_at=self.now,
        )
        digest = seal_digest(unsigned)
        await self.conn.execute(
            INSERT_SEAL,
            self.district,
            unsigned.number,
            self.epoch,
            from_written,
            from_id,
            to_written,
            to_id,
            unsigned.entries,
            self.digest,
            digest,
            self.now,
        )
        self.number, self.digest, self.at = unsigned.number, digest, end
        self.seals += 1
        self.rows += len(entries)

    def begin(self, epoch: int) -> None:
        """Go on at the first transaction of another epoch."""
        self.epoch, self.at = epoch, (0, NIL)


async def seal(conn: Connection, district: int, now: datetime, most: int = ROWS_AT_A_TURN) -> Sealed:
    """Seal, in the caller's transaction, what finished transactions have written since the last seal, at most this
    many rows; what is left of an epoch that is over is closed first. Raises EpochNotBegun."""
    (row,) = await conn.fetch(STATE, district)
    chain = _Chain(conn, district, row, now)
    writing, unfinished = row["writing"], row["unfinished"]
    while chain.epoch < writing and chain.rows < most:
        if chain.at[0] != END and not await _seal_up_to(chain, END, most, always=True):
            break
        chain.begin(chain.epoch + 1)
    if chain.epoch == writing and chain.rows < most:
        if unfinished < chain.at[0]:
            raise EpochNotBegun
        await _seal_up_to(chain, unfinished, most, always=False)
    return Sealed(seals=chain.seals, rows=chain.rows, head=chain.digest.hex() if chain.number else None)


async def _seal_up_to(chain: _Chain, to: int, most: int, *, always: bool) -> bool:
    """Seal the rows of the chain's epoch up to a transaction, and answer whether all of them are. With `always` the
    range is closed even if it is empty."""
    left = most - chain.rows
    entries: list[bytes] = []
    cursor = chain.conn.cursor(ROWS, chain.district, chain.epoch, *chain.at, to, left + 1, prefetch=TOGETHER)
    async for written_in, entry in cursor:
        if len(entries) in (ROWS_IN_A_SEAL, left):
            left -= len(entries)
            await chain.add(entries, (written_in, UUID(bytes=entry[ID])))
            entries = []
            if not left:
                return False
        entries.append(entry)
    if entries or always:
        await chain.add(entries, (to, NIL))
    return True


async def begin_epoch(owner_conn: Connection) -> int:
    """Have everything from now on written in a new epoch, as the role that owns: a restored database counts its
    transactions anew. What was not sealed of the old one is sealed as a whole at the next sealing."""
    (row,) = await owner_conn.fetch(STATE, 0)
    epoch = int(row["writing"]) + 1
    # A statement that defines something takes no parameters; the number is ours.
    await owner_conn.execute(f"alter table history alter column epoch set default {epoch}")
    return epoch


class Head(Struct, frozen=True, kw_only=True):
    """The last seal of a district's chain: to be written down elsewhere, where whoever changes the database cannot."""

    district: int
    number: int
    digest: str
    sealed_at: datetime


HEAD = """
select district, number, encode(digest, 'hex') as digest, sealed_at from history_seal where district = $1
order by number desc limit 1
"""


async def head(conn: Connection, district: int) -> Head | None:
    """The head of a district's chain, if it has one."""
    row = await conn.fetchrow(HEAD, district)
    return Head(**row) if row else None


What = Literal["missing", "added", "changed", "out_of_chain", "text_missing", "text_changed", "head_unknown"]


class Broken(Struct, frozen=True, kw_only=True):
    """The first record that does not verify: a seal by its number, an event by its id and its thing, as far as what is
    left of it tells."""

    what: What
    seal: int | None = None
    id: UUID | None = None
    thing: UUID | None = None
    kind: str | None = None
    event: str | None = None
    recorded_at: datetime | None = None


class Verification(Struct, frozen=True, kw_only=True):
    """What was found; `broken` is None when everything holds."""

    broken: Broken | None
    seals: int
    rows: int  # that are sealed
    unsealed: int
    texts: int
    head: str | None
    sealed_at: datetime | None


class _Break(Exception):
    def __init__(self, broken: Broken) -> None:
        super().__init__(broken)
        self.broken = broken


SEALS = "select * from history_seal where district = $1 order by number"
ALL_ROWS = f"""
select epoch, written_in, {ENTRY} as entry from history where district = $1 order by epoch, written_in, id
"""
COUNT = """
select (select count(*) from history where district = $1) as rows,
       (select count(*) from text_version where district = $1) as texts
"""
# Behind the last seal: what claims to be written by a transaction, or in an epoch, that has not come yet.
YET_TO_COME = """
select id from history where district = $1 and (epoch > $2 or (epoch = $2
  and written_in >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint)) order by epoch, written_in, id limit 1
"""


async def verify(
    conn: Connection, district: int, *, known_head: str | None = None, report: Report | None = None
) -> Verification:
    """Hold every sealed row to its seal, the seals to one another, and every text to its event; stops at the first that
    does not verify. A head that was written down elsewhere must stand in the chain."""
    found = _Found(conn, district, report, known_head)
    broken = None
    try:
        async with conn.transaction():
            await found.check_seals()
            await found.check_texts()
    except _Break as error:
        broken = error.broken
    return Verification(
        broken=broken,
        seals=found.seals,
        rows=found.rows,
        unsealed=found.unsealed,
        texts=found.texts,
        head=found.head.hex() if found.seals else None,
        sealed_at=found.sealed_at,
    )


class _Found:
    """How far a verification has come."""

    def __init__(self, conn: Connection, district: int, report: Report | None, known_head: str | None) -> None:
        self.conn = conn
        self.district = district
        self.report = report
        self.known_head = known_head
        self.seals = self.rows = self.unsealed = self.texts = 0
        self.head = FIRST
        self.sealed_at: datetime | None = None
        self.all_rows = self.all_texts = 0

    def tell(self, step: str, done: int, of: int) -> None:
        if self.report:
            self.report(step, min(done, of), of)

    async def check_seals(self) -> None:
        (counts,) = await self.conn.fetch(COUNT, self.district)
        self.all_rows, self.all_texts = counts["rows"], counts["texts"]
        (state,) = await self.conn.fetch(STATE, self.district)
        known = self.known_head is None
        last: Seal | None = None
        rows = _Rows(self.conn.cursor(ALL_ROWS, self.district, prefetch=TOGETHER))
        async for record in self.conn.cursor(SEALS, self.district, prefetch=10):
            seal = Seal(**record)
            self._check_link(last, seal)
            await self._check_rows(seal, await rows.before(seal.end))
            last = seal
            self.seals, self.rows = seal.number, self.rows + seal.rows
            self.head, self.sealed_at = seal.digest, seal.sealed_at
            known |= seal.digest.hex() == self.known_head
            self.tell("seals", self.rows, self.all_rows)
        if not known:
            raise _Break(Broken(what="head_unknown"))
        self.unsealed = await rows.rest()
        self.tell("seals", self.all_rows, self.all_rows)
        if early := await self.conn.fetchval(YET_TO_COME, self.district, state["writing"]):
            raise await self._broken("added", early, None)

    def _check_link(self, last: Seal | None, seal: Seal) -> None:
        """Whether a seal follows the one before it; the first that does not is named by the number that it should
        have."""
        number = last.number + 1 if last else 1
        follows = seal.number == number and seal.previous == (last.digest if last else FIRST)
        if not follows or seal_digest(seal) != seal.digest or not _adjoins(last, seal):
            raise _Break(Broken(what="out_of_chain", seal=number, recorded_at=seal.sealed_at))

    async def _check_rows(self, seal: Seal, entries: list[bytes]) -> None:
        if b"".join(entries) != seal.entries:
            sealed = [seal.entries[at : at + ENTRY_BYTES] for at in range(0, len(seal.entries), ENTRY_BYTES)]
            what, entry = first_difference(sealed, entries)
            raise await self._broken(what, UUID(bytes=entry[ID]), seal.number, UUID(bytes=entry[THING]))

    async def _broken(self, what: What, id_: UUID, seal: int | None, thing: UUID | None = None) -> _Break:
        row = await self.conn.fetchrow(EVENT, self.district, id_)
        told = dict(row) if row else {"thing": thing}
        return _Break(Broken(what=what, seal=seal, id=id_, **told))

    async def check_texts(self) -> None:
        async for row in self.conn.cursor(TEXTS, self.district, prefetch=TOGETHER):
            self.texts += 1
            if row["digest"] is None or (row["wiped"] and not row["erased"]):
                raise await self._broken("text_missing", row["id"], None)
            whole = row["wiped"] or text_digest(row["body"], row["salt"]) == row["digest"]
            if not whole or row["digest"].hex() != row["named"]:
                raise await self._broken("text_changed", row["id"], None)
            if self.texts % TOGETHER == 0:
                self.tell("texts", self.texts, self.all_texts)
        self.tell("texts", self.all_texts, self.all_texts)


EVENT = "select thing, kind, event, recorded_at from history where district = $1 and id = $2"

# Each text that an event names, and what is there of it; one that is erased, only if an erasure says so.
TEXTS = """
with erased as (
  select distinct e.subject from history h,
    jsonb_array_elements_text(case jsonb_typeof(h.facts->'texts') when 'array' then h.facts->'texts' end) as e(subject)
  where h.district = $1 and h.kind = 'erasure'
)
select h.id, h.named, t.body, t.salt, t.digest, t.erased_at is not null as wiped, e.subject is not null as erased
from (
  select district, id, thing as subject, facts->>'text_version' as version, facts->>'text_digest' as named
  from history where district = $1 and facts ? 'text_digest'
  union all
  select district, id, id, '1', facts->>'reason_digest'
  from history where district = $1 and facts ? 'reason_digest'
) h
left join text_version t on t.district = $1 and t.subject = h.subject and t.version::text = h.version
left join erased e on t.erased_at is not null and e.subject = t.subject::text
"""


def _adjoins(last: Seal | None, seal: Seal) -> bool:
    """Whether no row can lie between two seals: the second begins where the first ends, or with the next epoch."""
    if last is None:
        return seal.start == (1, 0, NIL.bytes)
    over = last.to_written == END
    return seal.start == ((last.epoch + 1, 0, NIL.bytes) if over else last.end)


def first_difference(sealed: list[bytes], found: list[bytes]) -> tuple[What, bytes]:
    """The first record, in the rows' order, of which the seal says something else than what is there."""
    of_sealed, of_found = ({entry[ID] for entry in entries} for entries in (sealed, found))
    for at, entry in enumerate(sealed):
        there = found[at] if at < len(found) else None
        if there == entry:
            continue
        if there is not None and there[ID] not in of_sealed:
            return "added", there
        return ("changed" if entry[ID] in of_found else "missing"), entry
    return "added", found[len(sealed)]


class _Rows:
    """All rows of a district in their order, handed out seal by seal."""

    def __init__(self, rows: AsyncIterable[Any]) -> None:
        self._rows = aiter(rows)
        self._next: Any = None

    async def before(self, end: Key) -> list[bytes]:
        """The entries of the rows up to a key, from where the last ones ended."""
        entries: list[bytes] = []
        row = self._next or await anext(self._rows, None)
        while row is not None:
            epoch, written_in, entry = row
            if (epoch, written_in, entry[ID]) >= end:
                break
            entries.append(entry)
            row = await anext(self._rows, None)
        self._next = row
        return entries

    async def rest(self) -> int:
        """How many rows come behind the last seal."""
        count = 1 if self._next else 0
        async for _ in self._rows:
            count += 1
        return count
