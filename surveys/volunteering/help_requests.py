"""Help that is asked for with minutes, by a volunteer for themselves or a relative, or for them at the desk."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, Row, request_digest, text_row
from surveys.people.people import Reader
from surveys.refusals import Invalid, NotFound, TextUnusable, UnknownCommunity
from surveys.volunteering import help_reserves, repeats, time_accounts, time_claims
from surveys.volunteering.help_reserves import event

AHEAD = timedelta(days=366)


class HelpTooSoon(Invalid):
    """Help is wanted from now on, within a year."""

    code: ClassVar[str] = "help_too_soon"


Moment = Annotated[datetime, Meta(tz=True)]
Text = Annotated[str, Meta(min_length=1, max_length=500)]


class HelpDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Help as it is asked for: what, when, for how many minutes, where, and from which account they are given."""

    id: UUID
    account: UUID
    what: Text
    wanted_at: Moment
    minutes: Annotated[int, Meta(ge=1, le=840)]
    where: Annotated[str, Meta(max_length=500)] = ""
    community: Annotated[str, Meta(max_length=100)] | None = None


class HelpState(Struct, frozen=True, kw_only=True):
    """A request after a change."""

    id: UUID
    version: int
    state: help_reserves.State


# --- asked

COMMUNITY = "select exists (select from community where district = $1 and code = $2)"
ADD = """
insert into help_request (district, id, version, account, community, text_version, wanted_at, minutes, reserved, state,
  asked_by, asked_at, request)
values ($1, $2, 1, $3, $4, 1, $5, $6, $6, 'open', $7, $8, $9)
"""


async def ask(
    conn: Connection, district: int, volunteer: UUID, draft: HelpDraft, actor: Actor, now: datetime
) -> HelpState:
    """Ask for help from one's own account or a relative's, once; its minutes are set aside.

    Raises NotFound for an account of others, BalanceTooLow, HelpTooSoon, UnknownCommunity, TextUnusable and IdTaken."""
    if await repeats.asked_before(conn, district, draft.id, draft, actor):
        return await as_it_is(conn, district, draft.id)
    await time_claims.open_accounts(conn, district, [volunteer], now)
    if not await time_accounts.of_family(conn, district, volunteer, [draft.account]):
        raise NotFound("account")
    return await _ask(conn, district, draft, actor, None, now)


async def ask_for(conn: Connection, reader: Reader, draft: HelpDraft, now: datetime) -> HelpState:
    """Ask for help at the desk, for somebody whom the reader looks after. Raises what `ask` raises."""
    actor = Actor("member", str(reader.member))
    if await repeats.asked_before(conn, reader.district, draft.id, draft, actor):
        return await as_it_is(conn, reader.district, draft.id)
    await time_accounts.seen(conn, reader, draft.account, now)
    return await _ask(conn, reader.district, draft, actor, reader.member, now)


async def _ask(
    conn: Connection, district: int, draft: HelpDraft, actor: Actor, asked_by: UUID | None, now: datetime
) -> HelpState:
    texts = {"what": usable(draft.what, "what"), "where": usable(draft.where, "where") if draft.where.strip() else ""}
    if not now - timedelta(minutes=5) <= draft.wanted_at <= now + AHEAD:
        raise HelpTooSoon("wanted_at")
    if draft.community is not None and not await conn.fetchval(COMMUNITY, district, draft.community):
        raise UnknownCommunity("community")
    await help_reserves.reserve(conn, district, draft.account, draft.minutes, now)
    digest = request_digest(draft)
    await conn.execute(
        ADD,
        district,
        draft.id,
        draft.account,
        draft.community,
        draft.wanted_at,
        draft.minutes,
        asked_by,
        now,
        digest,
    )
    text, text_digest = text_row(district, draft.id, 1, texts, now)
    facts: Row = {"account": draft.account, "minutes": draft.minutes, "text_version": 1, "text_digest": text_digest}
    row = await help_reserves.locked(conn, district, draft.id)
    await history.append(conn, [event(district, draft.id, row, "ask_help", actor, now, facts, digest)], [text])
    return HelpState(id=row.id, version=row.version, state=row.state)


def usable(given: str, field: str) -> str:
    """A text without the space around it. Raises TextUnusable."""
    text = given.strip()
    if not text or "\x00" in text:
        raise TextUnusable(field)
    return text


async def as_it_is(conn: Connection, district: int, id_: UUID) -> HelpState:
    """What a request has become."""
    row = await help_reserves.locked(conn, district, id_)
    return HelpState(id=row.id, version=row.version, state=row.state)
