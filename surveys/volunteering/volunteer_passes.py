"""The personal link of a volunteer who cannot sign in: made by who looks after them, shown once, one at a time.

What opens their page is the token in the link, 128 random bits, of which only the SHA-256 is kept."""

import secrets
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.contact_cards.contact_cards import TOKEN_BYTES, token_digest
from surveys.history import Actor, Row, event_row, request_digest
from surveys.people.people import Reader
from surveys.refusals import Conflict, NotFound
from surveys.volunteering import repeats, volunteer_changes


class HasAnAccount(Conflict):
    """The volunteer is a member, who signs in."""

    code: ClassVar[str] = "has_an_account"


class PassDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request for a new link; the one before opens nothing from then on."""

    id: UUID


class NewPass(Struct, frozen=True, kw_only=True):
    """A link that was just made; its token can be read this once."""

    id: UUID
    token: str


class PassRevocation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request that a volunteer's link opens nothing any more."""

    id: UUID


class PassRevoked(Struct, frozen=True, kw_only=True):
    """When the last link of a volunteer ended."""

    volunteer: UUID
    revoked_at: datetime


class Opened(Struct, frozen=True, kw_only=True):
    """The volunteer whose link was shown, and the link."""

    district: int
    id: UUID
    volunteer: UUID


REVOKE = """
update volunteer_pass set revoked_at = $3 where district = $1 and volunteer = $2 and revoked_at is null returning id
"""
MAKE = """
insert into volunteer_pass (district, id, volunteer, digest, made_at, made_by) values ($1, $2, $3, $4, $5, $6)
"""


async def make(conn: Connection, reader: Reader, volunteer: UUID, asked: PassDraft, now: datetime) -> NewPass:
    """Make a link for a volunteer whom the caller has made sure this reader looks after; it ends the one before.

    The same request again makes another: what was shown once cannot be shown again. Raises NotFound, VolunteerEnded,
    HasAnAccount or IdTaken."""
    row = await volunteer_changes.locked(conn, reader.district, volunteer)
    if row["member"] is not None:
        raise HasAnAccount
    actor = Actor("member", str(reader.member))
    await repeats.asked_before(conn, reader.district, asked.id, asked, actor)
    again = await conn.fetchval(MADE, reader.district, asked.id)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    digest = token_digest(reader.district, token)
    if again is not None:
        if again != volunteer:
            raise NotFound
        await conn.execute(RENEW, reader.district, asked.id, digest)
        return NewPass(id=asked.id, token=token)
    await conn.execute(REVOKE, reader.district, volunteer, now)
    await conn.execute(MAKE, reader.district, asked.id, volunteer, digest, now, reader.member)
    await history.append(conn, [_event(reader.district, asked.id, "make_pass", volunteer, asked, actor, now)], [])
    return NewPass(id=asked.id, token=token)


MADE = "select volunteer from volunteer_pass where district = $1 and id = $2"
RENEW = "update volunteer_pass set digest = $3 where district = $1 and id = $2"


async def revoke(
    conn: Connection, district: int, volunteer: UUID, asked: PassRevocation, actor: Actor, now: datetime
) -> PassRevoked:
    """End the link of a volunteer; the same request again gets its first answer. Raises NotFound, VolunteerEnded, or
    IdTaken; NotFound as well where there is no link."""
    if first := await repeats.asked_before(conn, district, asked.id, asked, actor):
        return PassRevoked(volunteer=volunteer, revoked_at=first["recorded_at"])
    await volunteer_changes.locked(conn, district, volunteer)
    if await conn.fetchval(REVOKE, district, volunteer, now) is None:
        raise NotFound
    await history.append(conn, [_event(district, asked.id, "revoke_pass", volunteer, asked, actor, now)], [])
    return PassRevoked(volunteer=volunteer, revoked_at=now)


def _event(
    district: int, id_: UUID, what: str, volunteer: UUID, asked: PassDraft | PassRevocation, actor: Actor, now: datetime
) -> Row:
    """An event that stands for itself: a link is no new version of its volunteer."""
    return event_row(
        district=district,
        id=id_,
        kind="volunteer",
        thing=id_,
        version=1,
        event=what,
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts={"about": str(volunteer)},
        request=request_digest(asked),
    )


OF_TOKEN = """
select p.id, p.volunteer from volunteer_pass p where p.district = $1 and p.digest = $2 and p.revoked_at is null
"""
STILL_HOLDS = "select id, volunteer from volunteer_pass where district = $1 and id = $2 and revoked_at is null"


async def of_token(conn: Connection, district: int, token: str) -> Opened | None:
    """The link that a token belongs to; None for none that holds."""
    row = await conn.fetchrow(OF_TOKEN, district, token_digest(district, token))
    return Opened(district=district, id=row["id"], volunteer=row["volunteer"]) if row else None


async def still_holds(conn: Connection, district: int, id_: UUID) -> Opened | None:
    """The link that a browser has shown before; None when it was ended since."""
    row = await conn.fetchrow(STILL_HOLDS, district, id_)
    return Opened(district=district, id=row["id"], volunteer=row["volunteer"]) if row else None
