"""Relatives whom a volunteer names, so that minutes can be passed on to them; named for as long as the volunteer likes.

Of a relative the relation is kept, and a name that can be forgotten; with it the account ends, and what was on it goes
back to the volunteer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID, uuid4

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, Row, event_row, request_digest, text_row
from surveys.privacy import erasures
from surveys.privacy.erasures import Erasure
from surveys.refusals import Conflict, Invalid, NotFound, TextUnusable
from surveys.volunteering import help_reserves, repeats, time_claims, time_ledger
from surveys.volunteering.help_taking import HelpNotPossible
from surveys.volunteering.time_accounts import Relation
from surveys.volunteering.time_ledger import Line, Locked, Transaction

MOST = 10  # of one volunteer


class TooManyRelatives(Conflict):
    """A family has an end; `facts` say how many there may be."""

    code: ClassVar[str] = "too_many_relatives"


class UnknownDoorCard(Invalid):
    """No card of this number hangs at a door."""

    code: ClassVar[str] = "unknown_door_card"


class RelativeDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A relative as a volunteer names them; `card` is the number of the contact card at their door."""

    id: UUID
    relation: Relation
    name: Annotated[str, Meta(min_length=1, max_length=40)]
    card: Annotated[str, Meta(min_length=1, max_length=40)] | None = None


class Forgetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a relative is to be forgotten; the id makes it happen once."""

    id: UUID


CARD = "select exists (select from contact_card where district = $1 and number = $2 and revoked_at is null)"
COUNT = """
select count(*) from time_account where district = $1 and volunteer = $2 and kind = 'relative' and closed_at is null
"""
ADD = """
insert into time_account (district, id, version, kind, volunteer, relation, text_version, card, opened_at, recorded_at)
values ($1, $2, 1, 'relative', $3, $4, 1, $5, $6, $6)
"""


async def name_one(
    conn: Connection, district: int, volunteer: UUID, draft: RelativeDraft, actor: Actor, now: datetime
) -> UUID:
    """Name a relative, once, and open their account.

    Raises TextUnusable, UnknownDoorCard, TooManyRelatives and IdTaken."""
    name = " ".join(draft.name.split())
    if not name or not name.isprintable():
        raise TextUnusable("name")
    if await repeats.asked_before(conn, district, draft.id, draft, actor):
        return draft.id
    await time_claims.open_accounts(conn, district, [volunteer], now)
    await time_ledger.lock(conn, district, [volunteer])
    if draft.card is not None and not await conn.fetchval(CARD, district, draft.card):
        raise UnknownDoorCard("card")
    if await conn.fetchval(COUNT, district, volunteer) >= MOST:
        raise TooManyRelatives(None, most=MOST)
    await conn.execute(ADD, district, draft.id, volunteer, draft.relation, draft.card, now)
    text, digest = text_row(district, draft.id, 1, {"name": name}, now)
    facts: Row = {"volunteer": volunteer, "relation": draft.relation, "text_version": 1, "text_digest": digest}
    told = _event(district, draft.id, draft.id, 1, "name_relative", actor, now, facts, request_digest(draft))
    await history.append(conn, [told], [text])
    return draft.id


CLOSE = """
update time_account set closed_at = $3, version = version + 1, card = null where district = $1 and id = $2
returning version
"""


async def planned(conn: Connection, district: int, volunteer: UUID, account: UUID, now: datetime) -> Erasure:
    """What is to be forgotten with a relative: their name, and what help was asked for. Raises NotFound."""
    relatives = await _relatives(conn, district, volunteer)
    if account not in relatives:
        raise NotFound
    texts = await help_reserves.texts_of(conn, district, [account])
    return erasures.planned(district, "request", now, texts=[account, *texts])


async def forget(
    conn: Connection, erasure: Erasure, volunteer: UUID, account: UUID, asked: Forgetting, actor: Actor, now: datetime
) -> None:
    """Forget a relative as it was planned, once: what they asked for is cancelled, and their minutes go to who named
    them. Raises BalanceTooLow where the volunteer cannot bear what is owed, HelpNotPossible while help that they got
    waits for a person, and IdTaken."""
    district = erasure.district
    if await repeats.asked_before(conn, district, asked.id, asked, actor, account):
        return
    await help_reserves.cancel_all(conn, district, [account], actor, now)
    locked = await time_ledger.lock(conn, district, [volunteer, account])
    if locked[account].reserved:
        raise HelpNotPossible(None, state="held")
    await time_ledger.book(conn, district, _home(locked[account], volunteer, actor, now), now)
    await _close(conn, district, account, asked, actor, now)
    await erasures.carry_out(conn, erasure, actor)


def _home(account: Locked, volunteer: UUID, actor: Actor, now: datetime) -> list[Transaction]:
    if account.balance == 0:
        return []
    return [_moved(account, Line(minutes=account.balance, account=volunteer), "pass_on", actor, now)]


def _moved(account: Locked, to: Line, kind: time_ledger.Kind, actor: Actor, now: datetime) -> Transaction:
    id_ = uuid4()
    return Transaction(
        id=id_,
        kind=kind,
        minutes=abs(to.minutes),
        lines=(Line(minutes=-to.minutes, account=account.id), to),
        happened_at=now,
        request=request_digest((id_, to)),
        actor=actor,
    )


async def _close(
    conn: Connection, district: int, account: UUID, asked: Forgetting, actor: Actor, now: datetime
) -> None:
    version: int = await conn.fetchval(CLOSE, district, account, now)
    told = _event(district, asked.id, account, version, "forget_relative", actor, now, {}, request_digest(asked))
    await history.append(conn, [told], [])


RELATIVES = """
select id from time_account where district = $1 and volunteer = $2 and kind = 'relative' and closed_at is null
"""


async def _relatives(conn: Connection, district: int, volunteer: UUID) -> set[UUID]:
    return {row["id"] for row in await conn.fetch(RELATIVES, district, volunteer)}


async def end(conn: Connection, district: int, volunteer: UUID, actor: Actor, now: datetime) -> None:
    """What ends with a volunteer: their family is forgotten, what was asked for is cancelled, and the relatives'
    minutes come back to the district, or are carried by it. The volunteer's own account stays, under their number, and
    so does that of a relative whose help waits for a person."""
    relatives = await _relatives(conn, district, volunteer)
    accounts = sorted({volunteer, *relatives})
    await help_reserves.cancel_all(conn, district, accounts, actor, now)
    locked = await time_ledger.lock(conn, district, accounts)
    theirs = [locked[one] for one in sorted(relatives)]
    returned = [_returned(one, actor, now) for one in theirs if one.balance != one.reserved]
    await time_ledger.book(conn, district, returned, now)
    for one in [account.id for account in theirs if account.reserved == 0]:
        await _close(conn, district, one, Forgetting(id=uuid4()), actor, now)


async def texts_of(conn: Connection, district: int, volunteer: UUID) -> list[UUID]:
    """What is forgotten with a volunteer: the names of their relatives, and what help they all asked for."""
    named = sorted(await _relatives(conn, district, volunteer))
    return [*named, *await help_reserves.texts_of(conn, district, [volunteer, *named])]


def _returned(account: Locked, actor: Actor, now: datetime) -> Transaction:
    left = account.balance - account.reserved
    system: time_ledger.System = "given_back" if left > 0 else "carried"
    return _moved(account, Line(minutes=left, system=system), "give_back", actor, now)


def _event(
    district: int,
    id_: UUID,
    account: UUID,
    version: int,
    what: str,
    actor: Actor,
    now: datetime,
    facts: Mapping[str, object],
    request: bytes,
) -> Row:
    return event_row(
        district=district,
        id=id_,
        kind="time",
        thing=account,
        version=version,
        event=what,
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts=facts,
        request=request,
    )
