"""Tokens and browser sessions: secrets of 256 random bits that name their district and are kept as SHA-256 only."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.people import Grant, Reader
from surveys.refusals import NotSignedIn

_SECRET = re.compile(r"z(?P<kind>[fs])_(?P<district>[0-9]{1,9})_[A-Za-z0-9_-]{43}")


class Credential(Struct, frozen=True):
    """What a presented secret says of itself: its district and its digest."""

    kind: Literal["token", "session"]
    district: int
    digest: bytes


def mint(kind: Literal["token", "session"], district: int) -> str:
    """A new secret; it is shown once and never kept."""
    return f"z{'f' if kind == 'token' else 's'}_{district}_{secrets.token_urlsafe(32)}"


def credential(secret: str) -> Credential:
    """Read a secret's district and digest. Raises NotSignedIn when it is not one of ours."""
    match = _SECRET.fullmatch(secret)
    if match is None or int(match["district"]) > 2_147_483_647:
        raise NotSignedIn
    kind: Literal["token", "session"] = "token" if match["kind"] == "f" else "session"
    return Credential(kind, int(match["district"]), hashlib.sha256(secret.encode()).digest())


def csrf_token(session_secret: str) -> str:
    """The token that a page sends back with every unsafe request; whoever lacks the session cannot make it."""
    return hashlib.sha256(b"csrf:" + session_secret.encode()).hexdigest()


ISSUE_TOKEN = """
insert into access_token (district, digest, member, label, created_at, expires_at) values ($1, $2, $3, $4, $5, $6)
"""


async def issue_token(
    conn: Connection, district: int, member: UUID, label: str, now: datetime, expires_at: datetime | None = None
) -> str:
    """Make a token for a member and return it, the only time that it can be read."""
    secret = mint("token", district)
    await conn.execute(ISSUE_TOKEN, district, credential(secret).digest, member, label, now, expires_at)
    return secret


REVOKE_TOKENS = "update access_token set revoked_at = $3 where district = $1 and label = $2 and revoked_at is null"


async def revoke_tokens(conn: Connection, district: int, label: str, now: datetime) -> None:
    """End every token of this label, and with it the sessions opened by it."""
    await conn.execute(REVOKE_TOKENS, district, label, now)


# The persons behind tokens that still hold.
BY_TOKEN = """
select t.digest, m.id, m.name, m.organisation,
       array(select (r.role, r.scope_kind, r.scope) from member_role r
              where r.district = $1 and r.member = m.id order by r.role, r.scope_kind, r.scope) as grants
from access_token t
join member m on m.district = t.district and m.id = t.member
where t.district = $1 and t.digest = any($2) and t.revoked_at is null and (t.expires_at is null or t.expires_at > $3)
  and m.closed_at is null
"""

# The persons behind browsers' sessions, whose tokens must still hold too.
BY_SESSION = """
select s.digest, m.id, m.name, m.organisation,
       array(select (r.role, r.scope_kind, r.scope) from member_role r
              where r.district = $1 and r.member = m.id order by r.role, r.scope_kind, r.scope) as grants
from session s
join access_token t on t.district = s.district and t.digest = s.token
join member m on m.district = t.district and m.id = t.member
where s.district = $1 and s.digest = any($2) and s.ended_at is null and s.expires_at > $3
  and t.revoked_at is null and (t.expires_at is null or t.expires_at > $3) and m.closed_at is null
"""


async def readers(conn: Connection, presented: Sequence[Credential], now: datetime) -> dict[Credential, Reader]:
    """The persons who present these credentials; those that do not hold are left out."""
    found: dict[Credential, Reader] = {}
    for kind, district in {(one.kind, one.district) for one in presented}:
        digests = {one.digest for one in presented if (one.kind, one.district) == (kind, district)}
        question = BY_TOKEN if kind == "token" else BY_SESSION
        for row in await conn.fetch(question, district, list(digests), now):
            found[Credential(kind, district, row["digest"])] = Reader(
                district=district,
                member=row["id"],
                name=row["name"],
                organisation=row["organisation"],
                grants=tuple(Grant(*grant) for grant in row["grants"]),
            )
    return found


async def reader(conn: Connection, presented: Credential, now: datetime) -> Reader:
    """The person who presents this credential. Raises NotSignedIn when it does not hold."""
    found = await readers(conn, [presented], now)
    if presented not in found:
        raise NotSignedIn
    return found[presented]


OPEN_SESSION = """
insert into session (district, digest, token, created_at, expires_at)
select $1, $2, t.digest, $4, least($5, t.expires_at)
from access_token t join member m on m.district = t.district and m.id = t.member
where t.district = $1 and t.digest = $3 and t.revoked_at is null and (t.expires_at is null or t.expires_at > $4)
  and m.closed_at is null
returning expires_at
"""


class Session(Struct, frozen=True):
    """A browser's new session: the secret for its cookie, and when it ends."""

    secret: str
    expires_at: datetime


async def sign_in(conn: Connection, token: str, lifetime: timedelta, now: datetime) -> Session:
    """Exchange a token for a browser's session. Raises NotSignedIn when the token does not hold."""
    presented = credential(token.strip())
    if presented.kind != "token":
        raise NotSignedIn
    secret = mint("session", presented.district)
    expires_at = await conn.fetchval(
        OPEN_SESSION, presented.district, credential(secret).digest, presented.digest, now, now + lifetime
    )
    if expires_at is None:
        raise NotSignedIn
    return Session(secret, expires_at)


END_SESSION = "update session set ended_at = $3 where district = $1 and digest = $2 and ended_at is null"


async def sign_out(conn: Connection, presented: Credential, now: datetime) -> None:
    """End a browser's session."""
    await conn.execute(END_SESSION, presented.district, presented.digest, now)
