"""What moves minutes: they are earned by serving, passed on to one's family, given back, and corrected."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Meta, Struct

from surveys.history import Actor, request_digest
from surveys.people.people import Reader
from surveys.people.scopes import refuse_who_reads_nothing
from surveys.refusals import AlreadyCorrected, Conflict, IdTaken, Invalid, NotAllowed, NotFound, TextUnusable
from surveys.volunteering import time_accounts, time_claims, time_ledger, time_rules
from surveys.volunteering.time_claims import Claim, State
from surveys.volunteering.time_ledger import Line, Locked, Transaction
from surveys.volunteering.time_rules import Rules

Minutes = Annotated[int, Meta(ge=1, le=1440)]


class NotOfTheFamily(Invalid):
    """Minutes are passed on between a volunteer and the relatives whom they named, and to nobody else."""

    code: ClassVar[str] = "not_of_the_family"


class NothingToCorrect(Conflict):
    """A correction takes minutes away, and is not corrected itself."""

    code: ClassVar[str] = "nothing_to_correct"


class Served(Struct, frozen=True, kw_only=True):
    """That a volunteer served in a service, from when to when; the id makes it count once."""

    id: UUID
    volunteer: UUID
    service: UUID
    starts_at: datetime
    ends_at: datetime


class Earned(Struct, frozen=True, kw_only=True):
    """What became of what was served: booked, or held for a person at the desk, who may refuse it."""

    id: UUID
    status: State


async def earn(conn: Connection, district: int, served: Sequence[Served], actor: Actor, now: datetime) -> list[Earned]:
    """Book what was served in confirmed services, each once; what overlaps another service or help of the same
    volunteer, or is too long, is held. Raises IdTaken for an id that is known with other content."""
    if not served:
        return []
    claims = [
        Claim(id=one.id, volunteer=one.volunteer, service=one.service, starts_at=one.starts_at, ends_at=one.ends_at)
        for one in served
    ]
    weighed = await time_claims.record(conn, district, claims, actor, now)
    earned = [earning(one.claim, one.minutes, actor) for one in weighed if one.new and one.state == "booked"]
    await time_ledger.book(conn, district, [one for one in earned if one is not None], now)
    return [Earned(id=one.claim.id, status=one.state) for one in weighed]


def earning(claim: Claim, minutes: int, actor: Actor) -> Transaction | None:
    """The transaction by which a volunteer earns minutes; None for less than the rules round to anything."""
    if minutes == 0:
        return None
    return Transaction(
        id=claim.id,
        kind="earn",
        minutes=minutes,
        lines=(Line(minutes=minutes, account=claim.volunteer), Line(minutes=-minutes, system="issued")),
        happened_at=claim.ends_at,
        request=request_digest(claim),
        actor=actor,
        volunteer=claim.volunteer,
        served=minutes,
        service=claim.service,
    )


# --- passed on, and given back


class PassOn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Minutes from one's own account, or a relative's, to another of the family; to nobody: back to the district."""

    id: UUID
    minutes: Minutes
    from_account: UUID
    to_account: UUID | None = None


async def pass_on(conn: Connection, district: int, volunteer: UUID, draft: PassOn, actor: Actor, now: datetime) -> None:
    """Pass minutes on within a volunteer's family, once. Raises NotOfTheFamily, BalanceTooLow, AccountClosed and
    IdTaken."""
    wanted = {draft.from_account, *([draft.to_account] if draft.to_account else [])}
    if draft.from_account == draft.to_account:
        raise NotOfTheFamily("to_account")
    theirs = await time_accounts.of_family(conn, district, volunteer, wanted)
    for field in ("from_account", "to_account"):
        if getattr(draft, field) in wanted - theirs:
            raise NotOfTheFamily(field)
    await time_ledger.book(conn, district, [passing(draft, actor, now)], now)


def passing(draft: PassOn, actor: Actor, now: datetime) -> Transaction:
    """The transaction by which minutes are passed on."""
    to = (
        Line(minutes=draft.minutes, account=draft.to_account)
        if draft.to_account
        else Line(minutes=draft.minutes, system="given_back")
    )
    return Transaction(
        id=draft.id,
        kind="pass_on" if draft.to_account else "give_back",
        minutes=draft.minutes,
        lines=(Line(minutes=-draft.minutes, account=draft.from_account), to),
        happened_at=now,
        request=request_digest(draft),
        actor=actor,
        event=draft.id,
    )


# --- corrected


class Correction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """That of a transaction only so many minutes are right, and why."""

    id: UUID
    minutes: Annotated[int, Meta(ge=0, le=1440)]
    reason: Annotated[str, Meta(min_length=1, max_length=2_000)]


class Corrected(Struct, frozen=True, kw_only=True):
    """What a correction took back; `carried` is borne by the district, because who had it has spent it."""

    id: UUID
    corrects: UUID
    minutes: int
    carried: int


FIND = """
select t.id, t.kind, t.minutes, t.volunteer, t.service, t.help, t.happened_at, t.request,
  (select n.id from time_transaction n where n.district = t.district and n.corrects = t.id) as corrected_by,
  array(select (e.account, e.system, e.minutes) from time_entry e
        where e.district = t.district and e.transaction = t.id order by e.line) as lines
from time_transaction t where t.district = $1 and t.id = $2
"""
MADE = """
select t.id, t.corrects, t.minutes, t.request,
  coalesce((select sum(-e.minutes) from time_entry e
            where e.district = t.district and e.transaction = t.id and e.system = 'carried'), 0)::int as carried
from time_transaction t where t.district = $1 and t.id = $2
"""


async def correct(conn: Connection, reader: Reader, transaction: UUID, draft: Correction, now: datetime) -> Corrected:
    """Take back what was booked too much, once, by an entry against it that names it and its reason. It takes effect
    when what it corrects did. Where an account would fall below what it may, the district carries the rest.

    Raises NotFound, NotAllowed for who does not look after those concerned, or is one of them, AlreadyCorrected,
    NothingToCorrect, TextUnusable and IdTaken."""
    if not draft.reason.strip() or "\x00" in draft.reason:
        raise TextUnusable("reason")
    refuse_who_reads_nothing(reader)
    row = await conn.fetchrow(FIND, reader.district, transaction)
    if row is None:
        raise NotFound
    accounts = [line[0] for line in row["lines"] if line[0] is not None]
    locked = await time_ledger.lock(conn, reader.district, accounts)
    await _refuse_unfit(conn, reader, {one.volunteer for one in locked.values()})
    if known := await _made(conn, reader, transaction, draft):
        return known
    if row["kind"] == "correct" or draft.minutes >= row["minutes"]:
        raise NothingToCorrect("minutes")
    if row["corrected_by"] is not None:
        raise AlreadyCorrected
    rules = await time_rules.in_force(conn, reader.district, now)
    correction = _counter(row, draft, locked, rules, Actor("member", str(reader.member)), now)
    await time_ledger.book(conn, reader.district, [correction], now)
    made = await _made(conn, reader, transaction, draft)
    if made is None:
        raise AlreadyCorrected
    return made


async def _refuse_unfit(conn: Connection, reader: Reader, volunteers: set[UUID]) -> None:
    """Whoever corrects looks after one of those concerned, and is none of them."""
    if await time_accounts.own(conn, reader) in volunteers:
        raise NotAllowed
    if not await time_accounts.looked_after(conn, reader, volunteers):
        raise NotAllowed


async def _made(conn: Connection, reader: Reader, transaction: UUID, draft: Correction) -> Corrected | None:
    row = await conn.fetchrow(MADE, reader.district, draft.id)
    if row is None:
        return None
    if row["corrects"] != transaction or row["request"] != request_digest(draft):
        raise IdTaken("id")
    return Corrected(id=row["id"], corrects=row["corrects"], minutes=row["minutes"], carried=row["carried"])


def _counter(
    row: Record, draft: Correction, locked: dict[UUID, Locked], rules: Rules, actor: Actor, now: datetime
) -> Transaction:
    less = row["minutes"] - draft.minutes
    lines: list[Line] = []
    for account, system, minutes in row["lines"]:
        back = -less if minutes > 0 else less
        lines += _back(back, locked[account], rules, now) if account else [Line(minutes=back, system=system)]
    return Transaction(
        id=draft.id,
        kind="correct",
        minutes=less,
        lines=tuple(lines),
        happened_at=row["happened_at"],
        request=request_digest(draft),
        actor=actor,
        volunteer=row["volunteer"],
        served=-less if row["volunteer"] else 0,
        service=row["service"],
        help=row["help"],
        corrects=row["id"],
        event=draft.id,
        facts={"stays": draft.minutes},
        reason=draft.reason.strip(),
    )


def _back(minutes: int, account: Locked, rules: Rules, now: datetime) -> list[Line]:
    """What a person's account gets back or gives; what it cannot give is carried, and what it can get no more, because
    it was closed, comes back to the district."""
    if account.closed_at is not None:
        return [Line(minutes=minutes, system="carried" if minutes < 0 else "given_back")]
    if minutes > 0:
        return [Line(minutes=minutes, account=account.id)]
    available = account.balance - account.reserved - rules.lowest(account.kind, account.opened_at, now)
    gives = min(-minutes, max(available, 0))
    lines = [Line(minutes=-gives, account=account.id)] if gives else []
    return lines + ([Line(minutes=minutes + gives, system="carried")] if gives < -minutes else [])
