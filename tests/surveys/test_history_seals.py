"""Seals over the history: whatever the owner of the database does behind the program's back is found and named."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import database
from surveys import history, history_seals
from surveys.history import Actor
from surveys.history_seals import Broken, EpochNotBegun, Sealed, Verification, first_difference
from surveys.privacy import erasures
from tests import doors, drafts
from tests.conftest import DISTRICT, MEMBER, NOW, WORKER, Client, Server, founded

pytestmark = pytest.mark.anyio

ACTOR = Actor("program", "tests")


async def happen(conn: asyncpg.Connection, count: int = 1, reason: str | None = None) -> list[UUID]:
    """Things that happened, in one transaction."""
    rows = [
        history.occurrence(district=DISTRICT, kind="access", event=f"knock_{n}", actor=ACTOR, now=NOW)
        for n in range(count)
    ]
    texts = []
    for row in rows if reason else []:
        text, digest = history.text_row(DISTRICT, row["id"], 1, {"reason": reason}, NOW)  # type: ignore[arg-type]
        row["facts"] = {"reason_digest": digest}
        texts.append(text)
    await history.append(conn, rows, texts)
    return [row["id"] for row in rows]  # type: ignore[misc]


# Whether some transaction, of whatever database of the server, has not ended that is as old as what was last written.
UNFINISHED = """
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint <= max(written_in) from history where district = $1
"""


async def seal(conn: asyncpg.Connection, most: int = history_seals.ROWS_AT_A_TURN) -> Sealed:
    """Seal once all that was written is finished: the server's own housekeeping may be under way beside it."""
    async with asyncio.timeout(30):
        while await conn.fetchval(UNFINISHED, DISTRICT):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
    return await seal_what_is_finished(conn, most)


async def seal_what_is_finished(conn: asyncpg.Connection, most: int = history_seals.ROWS_AT_A_TURN) -> Sealed:
    async with conn.transaction():
        return await history_seals.seal(conn, DISTRICT, NOW, most)


async def verified(conn: asyncpg.Connection, known_head: str | None = None) -> Verification:
    return await history_seals.verify(conn, DISTRICT, known_head=known_head)


async def broken(conn: asyncpg.Connection, known_head: str | None = None) -> Broken:
    found = (await verified(conn, known_head)).broken
    assert found is not None
    return found


@pytest.fixture
async def owner(owner_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Whoever owns the database, and can do with it whatever they like."""
    conn = await database.connect(owner_dsn)
    yield conn
    await conn.close()


@pytest.fixture
def small_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_seals, "ROWS_IN_A_SEAL", 3)


@pytest.fixture
async def events(conn: asyncpg.Connection, small_seals: None) -> list[UUID]:
    """Ten events with a text each, sealed in four seals: nine in rows of three, of two transactions, and the rest."""
    await seal(conn)  # what was there before
    first, second = await happen(conn, 5, reason="为什么"), await happen(conn, 5, reason="为什么")
    done = await seal(conn)
    assert (done.seals, done.rows) == (4, 10)
    whole = await verified(conn)
    assert (whole.broken, whole.unsealed, whole.head) == (None, 0, done.head)
    return [*sorted(first), *sorted(second)]


async def test_nothing_new_makes_no_seal_and_an_empty_chain_verifies(conn: asyncpg.Connection) -> None:
    before = await verified(conn)
    assert (before.broken, before.seals, before.head) == (None, 0, None)
    first = await seal(conn)
    assert first.seals == 1
    assert await seal(conn) == Sealed(seals=0, rows=0, head=first.head)
    await happen(conn)
    after = await verified(conn)
    assert (after.broken, after.seals, after.rows, after.unsealed) == (None, 1, first.rows, 1)
    second = await seal(conn)
    assert (second.rows, second.head != first.head) == (1, True)
    assert (await verified(conn, first.head)).broken is None
    assert (await verified(conn, second.head)).broken is None


async def test_many_rows_are_sealed_over_several_turns(conn: asyncpg.Connection, small_seals: None) -> None:
    await seal(conn)
    ids = await happen(conn, 20)
    turns = [await seal(conn, most=7) for _ in range(4)]
    assert [(turn.seals, turn.rows) for turn in turns] == [(3, 7), (3, 7), (2, 6), (0, 0)]
    whole = await verified(conn)
    assert (whole.broken, whole.unsealed) == (None, 0)
    sealed = await conn.fetch("select entries from history_seal order by number")
    entries = b"".join(row["entries"] for row in sealed)
    found = [UUID(bytes=entries[at : at + 16]) for at in range(0, len(entries), history_seals.ENTRY_BYTES)]
    assert found[-20:] == sorted(ids)


TAMPERINGS = {
    "facts": ("update history set facts = facts || '{\"more\": 1}' where id = $1", "changed"),
    "the actor": ("update history set actor = 'somebody' where id = $1", "changed"),
    "what kind of actor": ("update history set actor_kind = 'job' where id = $1", "changed"),
    "when it took effect": ("update history set happened_at = happened_at - interval '1 us' where id = $1", "changed"),
    "when it was recorded": ("update history set recorded_at = 'infinity' where id = $1", "changed"),
    "what was asked": ("update history set request = '\\x00' where id = $1", "changed"),
    "the event": ("update history set event = 'other' where id = $1", "changed"),
    "the kind": ("update history set kind = 'issue' where id = $1", "changed"),
    "the version": ("update history set version = 2 where id = $1", "changed"),
    "the thing": ("update history set thing = gen_random_uuid() where id = $1", "changed"),
    "who wrote it": ("update history set written_in = 9223372036854775806 where id = $1", "missing"),
    "in which epoch": ("update history set epoch = 7 where id = $1", "missing"),
    "its district": ("update history set district = 7 where id = $1", "missing"),
    "taken away": ("delete from history where id = $1", "missing"),
}


@pytest.mark.parametrize(("statement", "what"), TAMPERINGS.values(), ids=TAMPERINGS.keys())
@pytest.mark.parametrize("which", [0, 4, 9])
async def test_a_record_that_was_tampered_with_is_named(
    conn: asyncpg.Connection, owner: asyncpg.Connection, events: list[UUID], statement: str, what: str, which: int
) -> None:
    thing = await conn.fetchval("select thing from history where id = $1", events[which])
    assert await owner.execute(statement, events[which]) in ("UPDATE 1", "DELETE 1")
    found = await broken(conn)
    assert (found.what, found.id, found.seal) == (what, events[which], 2 + which // 3)
    if "thing" not in statement:
        assert found.thing == thing, "even of one that is gone"


async def test_of_several_the_first_is_named(
    conn: asyncpg.Connection, owner: asyncpg.Connection, events: list[UUID]
) -> None:
    await owner.execute("update history set actor = 'x' where id = any($1)", [events[7], events[4]])
    await owner.execute("delete from history where id = $1", events[5])
    assert (await broken(conn)).id == events[4]


ADDED = """
insert into history (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, facts,
                     written_in, epoch)
select district, $2, kind, gen_random_uuid(), 1, 'forged', actor_kind, actor, happened_at, recorded_at, facts,
       {}, epoch from history where id = $1
"""


@pytest.mark.parametrize("written", ["written_in", "written_in - 1", "0"])
async def test_a_record_that_was_slipped_in_is_named(
    conn: asyncpg.Connection, owner: asyncpg.Connection, events: list[UUID], written: str
) -> None:
    forged = uuid4()
    await owner.execute(ADDED.format(written), events[3], forged)
    found = await broken(conn)
    assert (found.what, found.id, found.event) == ("added", forged, "forged")


async def test_a_record_that_claims_to_come_from_the_future_is_named(
    conn: asyncpg.Connection, owner: asyncpg.Connection, events: list[UUID]
) -> None:
    forged = uuid4()
    await owner.execute(ADDED.format("written_in + 1000000"), events[3], forged)
    assert ((await broken(conn)).what, (await broken(conn)).id) == ("added", forged)
    await owner.execute("update history set written_in = 1, epoch = 9 where id = $1", forged)
    assert ((await broken(conn)).what, (await broken(conn)).id) == ("added", forged)


async def test_a_chain_without_one_of_its_links_is_named(
    conn: asyncpg.Connection, owner: asyncpg.Connection, events: list[UUID]
) -> None:
    whole = await verified(conn)
    async with owner.transaction():
        await owner.execute("delete from history_seal where number = 3")
        assert await broken(owner) == Broken(what="out_of_chain", seal=3, recorded_at=NOW)
        await owner.execute("update history_seal set number = number - 1 where number > 3")
        assert (await broken(owner)).seal == 3
    await owner.execute("delete from history_seal")
    assert (await broken(conn, whole.head)).what == "head_unknown", "nothing in the database tells that it was sealed"
    assert (await verified(conn)).unsealed == whole.rows


async def test_a_seal_that_was_written_anew_is_named_by_the_next(
    conn: asyncpg.Connection, owner: asyncpg.Connection, events: list[UUID]
) -> None:
    head = (await verified(conn)).head
    await owner.execute("update history set actor = 'somebody' where id = $1", events[0])
    entries = await owner.fetch(history_seals.ALL_ROWS, DISTRICT)
    (row,) = await owner.fetch("select * from history_seal where number = 2")
    at = next(n for n, one in enumerate(entries) if one["entry"][:16] == events[0].bytes)
    forged = b"".join(one["entry"] for one in entries[at : at + 3])
    await owner.execute("update history_seal set entries = $1 where number = 2", forged)
    assert await broken(conn) == Broken(what="out_of_chain", seal=2, recorded_at=NOW), "its own digest tells"
    digest = history_seals.seal_digest(history_seals.Seal(**{**row, "entries": forged}))
    await owner.execute("update history_seal set digest = $1 where number = 2", digest)
    assert (await broken(conn)).seal == 3, "the next one's tells"
    for column, by in (("from_written", -1), ("to_written", 1), ("epoch", 1)):
        async with owner.transaction():
            await owner.execute(f"update history_seal set {column} = {column} + {by} where number = 2")
            assert await broken(owner) == Broken(what="out_of_chain", seal=2, recorded_at=NOW)
            await owner.execute(f"update history_seal set {column} = {column} - {by} where number = 2")
    # Whoever writes the whole rest of the chain anew is told by a head that stands elsewhere.
    await owner.execute("delete from history_seal where number > 1")
    await seal(conn)
    assert (await verified(conn)).broken is None
    assert (await broken(conn, head)).what == "head_unknown"


async def test_a_text_that_was_changed_or_taken_away_is_named(
    conn: asyncpg.Connection, owner: asyncpg.Connection, events: list[UUID]
) -> None:
    at = "district = 410103 and subject = $1"
    for statement, what in (
        ('update text_version set body = \'{"reason": "另一个"}\' where ' + at, "text_changed"),
        ("update text_version set salt = '\\x01' where " + at, "text_changed"),
        ("update text_version set digest = sha256('x') where " + at, "text_changed"),
        ("update text_version set version = 2 where " + at, "text_missing"),
        ("delete from text_version where " + at, "text_missing"),
    ):
        async with owner.transaction():
            await owner.execute("savepoint before")
            await owner.execute(statement, events[6])
            found = await broken(owner)
            assert (found.what, found.id, found.event) == (what, events[6], found.event), statement
            await owner.execute("rollback to savepoint before")
    salt = b"salt of mine"
    await owner.execute(
        "update text_version set body = $2, salt = $3, digest = $4 where " + at,
        events[6],
        {"reason": "另一个"},
        salt,
        history.text_digest({"reason": "另一个"}, salt),
    )
    assert ((await broken(conn)).what, (await broken(conn)).id) == ("text_changed", events[6]), "its event tells"


async def test_what_was_erased_still_verifies_and_what_only_vanished_does_not(
    conn: asyncpg.Connection, owner: asyncpg.Connection, events: list[UUID]
) -> None:
    erasure = erasures.planned(DISTRICT, "request", NOW, texts=[events[6]])
    async with conn.transaction():
        await erasures.carry_out(conn, erasure, ACTOR)
    assert (await verified(conn)).broken is None
    await owner.execute(
        "update text_version set body = null, bigrams = null, salt = null, erased_at = $2 where subject = $1",
        events[7],
        NOW,
    )
    assert ((await broken(conn)).what, (await broken(conn)).id) == ("text_missing", events[7])


async def test_the_program_s_own_history_verifies_with_its_texts(shared: Client, shared_dsn: str) -> None:
    draft = drafts.visit(note="有人在家", issues=[drafts.issue(), drafts.issue(title="漏水")])
    await doors.file(shared, MEMBER, draft)
    await doors.move(shared, WORKER, draft["issues"][0]["id"], drafts.move("accept", 1, reason="收到"))
    conn = await database.connect(shared_dsn)
    try:
        await seal(conn)
        found = await verified(conn)
        assert (found.broken, found.unsealed) == (None, 0)
        assert found.rows >= 5
        assert found.texts >= 4
    finally:
        await conn.close()


async def test_the_program_cannot_say_in_which_transaction_it_writes(conn: asyncpg.Connection) -> None:
    for column in ("written_in", "epoch"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(
                f"insert into history (district, id, kind, thing, version, event, actor_kind, actor, happened_at,"
                f" recorded_at, facts, {column}) values (1, $1, 'access', $1, 1, 'x', 'program', 'x', $2, $2, '{{}}',"
                " 1)",
                uuid4(),
                NOW,
            )


async def test_a_transaction_that_is_open_across_a_seal_is_sealed_after_it(dsn: str, conn: asyncpg.Connection) -> None:
    await seal(conn)
    slow = await database.connect(dsn)
    long = slow.transaction()
    await long.start()
    early = await happen(slow)
    later = await happen(conn)  # in a later transaction, which ends earlier
    assert (await seal_what_is_finished(conn)).rows == 0, "nothing may be added behind a seal"
    late = await happen(slow)
    await long.commit()
    assert (await seal(conn)).rows == len([*early, *later, *late])
    assert (await verified(conn)).broken is None
    await slow.close()


async def test_a_transaction_that_is_given_up_holds_up_nothing(dsn: str, conn: asyncpg.Connection) -> None:
    await seal(conn)
    other = await database.connect(dsn)
    given_up = other.transaction()
    await given_up.start()
    await happen(other)
    await happen(conn)
    await given_up.rollback()
    await other.close()
    assert (await seal(conn)).rows == 1


async def test_a_restored_database_goes_on_in_a_new_epoch(
    conn: asyncpg.Connection, owner: asyncpg.Connection, events: list[UUID]
) -> None:
    left = await happen(conn, 4)
    before = await verified(conn)
    assert await history_seals.begin_epoch(owner) == 2
    new = await happen(conn, 2)
    await owner.execute("update history set written_in = 5 where id = any($1)", new)  # a new server counts from anew
    done = await seal(conn)
    assert done.rows == len(left) + len(new)
    after = await verified(conn, before.head)
    assert (after.broken, after.unsealed) == (None, 0)
    assert (await seal(conn)).seals == 0
    forged = uuid4()
    await owner.execute(ADDED.format("9223372036854775806"), left[0], forged)
    assert ((await broken(conn)).what, (await broken(conn)).id) == ("added", forged), "an epoch that is over is closed"


async def test_two_epochs_without_anything_between_them(conn: asyncpg.Connection, owner: asyncpg.Connection) -> None:
    await history_seals.begin_epoch(owner)
    await history_seals.begin_epoch(owner)
    await happen(conn)
    await seal(conn)
    assert (await verified(conn)).broken is None
    assert await conn.fetchval("select max(epoch) from history_seal") == 3


async def test_numbers_that_start_over_without_an_epoch_are_refused(
    conn: asyncpg.Connection, owner: asyncpg.Connection, events: list[UUID]
) -> None:
    await owner.execute("update history_seal set to_written = 1000000000000 where number = 5")
    await happen(conn)
    with pytest.raises(EpochNotBegun):
        await seal(conn)


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "commit", "give_up", "seal", "seal_little"]), st.integers(0, 2)), max_size=30
)


class Writers:
    """Three writers, each with a transaction that may be open."""

    def __init__(self, conns: list[asyncpg.Connection]) -> None:
        self.conns = conns
        self.open: dict[int, tuple[asyncpg.transaction.Transaction, list[UUID]]] = {}
        self.committed: set[UUID] = set()

    async def write(self, who: int) -> None:
        if who not in self.open:
            transaction = self.conns[who].transaction()
            await transaction.start()
            self.open[who] = transaction, []
        self.open[who][1].extend(await happen(self.conns[who]))

    async def end(self, who: int, commit: bool) -> None:
        if who in self.open:
            transaction, ids = self.open.pop(who)
            await (transaction.commit() if commit else transaction.rollback())
            self.committed |= set(ids) if commit else set()


@pytest.fixture(scope="module")
async def writers(server: Server, template: str) -> AsyncIterator[list[asyncpg.Connection]]:
    async with founded(server, template) as dsn:
        conns = [await database.connect(dsn) for _ in range(4)]
        yield conns
        for one in conns:
            await one.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
async def test_however_writers_and_sealing_interleave_every_row_is_sealed_once(
    writers: list[asyncpg.Connection], steps: list[Step]
) -> None:
    sealer = writers[3]
    three = Writers(writers[:3])
    before = {row["id"] for row in await sealer.fetch("select id from history")}
    for step, who in steps:
        match step:
            case "write":
                await three.write(who)
            case "commit" | "give_up":
                await three.end(who, step == "commit")
            case _:
                await seal_what_is_finished(sealer, 2 if step == "seal_little" else 1_000)
                assert (await verified(sealer)).broken is None
    for who in range(3):
        await three.end(who, commit=True)
    await seal(sealer)
    found = await verified(sealer)
    assert (found.broken, found.unsealed) == (None, 0)
    sealed = b"".join(row["entries"] for row in await sealer.fetch("select entries from history_seal"))
    ids = [UUID(bytes=sealed[at : at + 16]) for at in range(0, len(sealed), history_seals.ENTRY_BYTES)]
    assert len(ids) == len(set(ids)) == found.rows
    assert set(ids) == before | three.committed


@given(st.integers(1, 20))
def test_the_first_difference_is_found(count: int) -> None:
    sealed = [uuid4().bytes + bytes(48) for _ in range(count)]
    assert first_difference(sealed, sealed[:-1]) == ("missing", sealed[-1])
    assert first_difference(sealed[:-1], sealed) == ("added", sealed[-1])
    changed = [*sealed[:-1], sealed[-1][:63] + b"x"]
    assert first_difference(sealed, changed) == ("changed", sealed[-1])
