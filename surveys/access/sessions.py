"""Tokens, browser sessions, and browsers that are known: secrets of 256 random bits that name their district and are
kept as SHA-256 only."""

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.history import Actor
from surveys.people.people import Grant, Reader
from surveys.refusals import NotFound, NotSignedIn

Kind = Literal["token", "session", "browser", "app"]

_SECRET = re.compile(r"z(?P<kind>[fsba])_(?P<district>[0-9]{1,9})_[A-Za-z0-9_-]{43}")
_LETTERS: dict[Kind, str] = {"token": "f", "session": "s", "browser": "b", "app": "a"}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}


class Credential(Struct, frozen=True):
    """What a presented secret says of itself: its district and its digest."""

    kind: Kind
    district: int
    digest: bytes


def mint(kind: Kind, district: int) -> str:
    """A new secret; it is shown once and never kept."""
    return f"z{_LETTERS[kind]}_{district}_{secrets.token_urlsafe(32)}"


def credential(secret: str) -> Credential:
    """Read a secret's district and digest. Raises NotSignedIn when it is not one of ours."""
    match = _SECRET.fullmatch(secret)
    if match is None or int(match["district"]) > 2_147_483_647:
        raise NotSignedIn
    return Credential(_KINDS[match["kind"]], int(match["district"]), hashlib.sha256(secret.encode()).digest())


def browser(secret: str) -> Credential | None:
    """The credential of a browser that may be known; None when the secret is nothing of the kind."""
    try:
        presented = credential(secret)
    except NotSignedIn:
        return None
    return presented if presented.kind == "browser" else None


def csrf_token(session_secret: str) -> str:
    """The token that a page sends back with every unsafe request; whoever lacks the session cannot make it."""
    return hashlib.sha256(b"csrf:" + session_secret.encode()).hexdigest()


ISSUE_TOKEN = """
insert into access_token (district, digest, id, member, label, device, second_factor_at, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def issue_token(
    conn: Connection, district: int, member: UUID, label: str, now: datetime, expires_at: datetime | None = None
) -> str:
    """Make a token for a member and return it, the only time that it can be read."""
    secret = mint("token", district)
    digest = credential(secret).digest
    await conn.execute(ISSUE_TOKEN, district, digest, uuid4(), member, label, None, None, now, expires_at)
    return secret


class NewDevice(Struct, frozen=True):
    """A phone's new token, the only time that it can be read."""

    id: UUID
    token: str
    expires_at: datetime


async def add_device(
    conn: Connection, district: int, member: UUID, device: str, lifetime: timedelta, now: datetime, *, proven: bool
) -> NewDevice:
    """Make a token for a member's phone; `proven` says that a second factor was given for it."""
    secret, id_, expires_at = mint("token", district), uuid4(), now + lifetime
    factor_at = now if proven else None
    digest = credential(secret).digest
    await conn.execute(ISSUE_TOKEN, district, digest, id_, member, "device", device, factor_at, now, expires_at)
    await _tell(conn, district, member, "device_added", now, {"token": id_})
    return NewDevice(id_, secret, expires_at)


REVOKE_TOKENS = "update access_token set revoked_at = $3 where district = $1 and label = $2 and revoked_at is null"


async def revoke_tokens(conn: Connection, district: int, label: str, now: datetime) -> None:
    """End every token of this label, and with it the sessions opened by it."""
    await conn.execute(REVOKE_TOKENS, district, label, now)


_GRANTS = """
       array(select (r.role, r.scope_kind, r.scope) from member_role r
              where r.district = $1 and r.member = m.id order by r.role, r.scope_kind, r.scope) as grants
"""

# The persons behind tokens that still hold.
BY_TOKEN = f"""
select t.digest, m.id, m.name, m.organisation, t.last_used_at as seen_at, t.device is null as of_program,
       t.second_factor_at is not null as proven, false as has_second_factor, {_GRANTS}
from access_token t
join member m on m.district = t.district and m.id = t.member
where t.district = $1 and t.digest = any($2) and t.revoked_at is null and (t.expires_at is null or t.expires_at > $3)
  and m.closed_at is null
"""

# The persons behind browsers' sessions. A session that a token opened ends with its token; one that a password opened
# ends also when nothing was asked by it for too long.
BY_SESSION = f"""
select s.digest, m.id, m.name, m.organisation, s.last_seen_at as seen_at, false as of_program,
       s.second_factor_at is not null as proven,
       exists (select from second_factor f
                where f.district = $1 and f.member = m.id and f.confirmed_at is not null) as has_second_factor,
       {_GRANTS}
from session s
join member m on m.district = s.district and m.id = s.member
left join access_token t on t.district = s.district and t.digest = s.token
where s.district = $1 and s.digest = any($2) and s.ended_at is null and s.expires_at > $3
  and case when s.kind = 'token' then t.revoked_at is null and (t.expires_at is null or t.expires_at > $3)
      else s.last_seen_at > $4 end
  and m.closed_at is null
"""

NEVER_IDLE = timedelta(days=36_500)


class Signed(Struct, frozen=True, kw_only=True):
    """The person behind a credential, and what it took to get it."""

    reader: Reader
    seen_at: datetime | None  # the last time that it was presented, to the minute
    of_program: bool  # a token made on the command line, which no second factor can be asked of
    proven: bool  # a second factor was given
    has_second_factor: bool  # and has therefore to be given, on a page


async def signed(
    conn: Connection, presented: Iterable[Credential], now: datetime, idle: timedelta = NEVER_IDLE
) -> dict[Credential, Signed]:
    """The persons who present these credentials; those that do not hold are left out."""
    found: dict[Credential, Signed] = {}
    presented = list(presented)
    for kind, district in {(one.kind, one.district) for one in presented}:
        digests = list({one.digest for one in presented if (one.kind, one.district) == (kind, district)})
        rows = (
            await conn.fetch(BY_TOKEN, district, digests, now)
            if kind == "token"
            else await conn.fetch(BY_SESSION, district, digests, now, now - idle)
        )
        for row in rows:
            found[Credential(kind, district, row["digest"])] = Signed(
                reader=Reader(
                    district=district,
                    member=row["id"],
                    name=row["name"],
                    organisation=row["organisation"],
                    grants=tuple(Grant(*grant) for grant in row["grants"]),
                ),
                seen_at=row["seen_at"],
                of_program=row["of_program"],
                proven=row["proven"],
                has_second_factor=row["has_second_factor"],
            )
    return found


async def readers(conn: Connection, presented: Sequence[Credential], now: datetime) -> dict[Credential, Reader]:
    """The readers who present these credentials; those that do not hold are left out."""
    return {credential: one.reader for credential, one in (await signed(conn, presented, now)).items()}


async def reader(conn: Connection, presented: Credential, now: datetime) -> Reader:
    """The person who presents this credential. Raises NotSignedIn when it does not hold."""
    found = await readers(conn, [presented], now)
    if presented not in found:
        raise NotSignedIn
    return found[presented]


# A row that somebody else holds is passed over: it will be seen again.
SEE_TOKENS = """
update access_token set last_used_at = $3 where district = $1 and digest in (
  select digest from access_token where district = $1 and digest = any($2) and last_used_at is distinct from $3
  order by digest
  for no key update skip locked)
"""
SEE_SESSIONS = """
update session set last_seen_at = $3 where district = $1 and digest in (
  select digest from session where district = $1 and digest = any($2) and ended_at is null and last_seen_at < $3
  order by digest
  for no key update skip locked)
"""


async def see(conn: Connection, presented: Sequence[Credential], now: datetime) -> None:
    """Note that these credentials were presented."""
    for kind, district in {(one.kind, one.district) for one in presented}:
        digests = [one.digest for one in presented if (one.kind, one.district) == (kind, district)]
        await conn.execute(SEE_TOKENS if kind == "token" else SEE_SESSIONS, district, digests, now)


BY_PRESENTED_TOKEN = """
select t.member, t.expires_at, t.second_factor_at
from access_token t join member m on m.district = t.district and m.id = t.member
where t.district = $1 and t.digest = $2 and t.revoked_at is null and (t.expires_at is null or t.expires_at > $3)
  and m.closed_at is null
"""

OPEN_SESSION = """
insert into session (district, digest, id, member, kind, token, device, second_factor_at, created_at, last_seen_at,
                     expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)
"""

SessionKind = Literal["token", "password", "one_time_code"]


class Session(Struct, frozen=True):
    """A browser's new session: the secret for its cookie, when it ends, and whose it is."""

    secret: str
    expires_at: datetime
    district: int
    member: UUID


async def sign_in(
    conn: Connection, token: str, lifetime: timedelta, now: datetime, device: str | None = None
) -> Session:
    """Exchange a token for a browser's session. Raises NotSignedIn when the token does not hold."""
    presented = credential(token.strip())
    if presented.kind != "token":
        raise NotSignedIn
    row = await conn.fetchrow(BY_PRESENTED_TOKEN, presented.district, presented.digest, now)
    if row is None:
        raise NotSignedIn
    ends = min(now + lifetime, row["expires_at"] or now + lifetime)
    return await _open(
        conn, presented.district, row["member"], "token", ends, now, device, presented.digest, row["second_factor_at"]
    )


async def open_session(
    conn: Connection,
    district: int,
    member: UUID,
    kind: Literal["password", "one_time_code"],
    lifetime: timedelta,
    now: datetime,
    device: str | None = None,
) -> Session:
    """Open a browser's session for a member who has shown who they are."""
    return await _open(conn, district, member, kind, now + lifetime, now, device, None, None)


async def _open(
    conn: Connection,
    district: int,
    member: UUID,
    kind: SessionKind,
    expires_at: datetime,
    now: datetime,
    device: str | None,
    token: bytes | None,
    second_factor_at: datetime | None,
) -> Session:
    secret, id_ = mint("session", district), uuid4()
    digest = credential(secret).digest
    await conn.execute(
        OPEN_SESSION, district, digest, id_, member, kind, token, device, second_factor_at, now, expires_at
    )
    await _tell(conn, district, member, "signed_in", now, {"session": id_, "by": kind})
    return Session(secret, expires_at, district, member)


END_SESSION = """
update session set ended_at = $3 where district = $1 and digest = $2 and ended_at is null returning id, member
"""


async def sign_out(conn: Connection, presented: Credential, now: datetime) -> None:
    """End a browser's session."""
    row = await conn.fetchrow(END_SESSION, presented.district, presented.digest, now)
    if row:
        await _tell(conn, presented.district, row["member"], "signed_out", now, {"session": row["id"]})


PROVE = """
update session set second_factor_at = $3 where district = $1 and digest = $2 and ended_at is null
"""


async def prove(conn: Connection, presented: Credential, now: datetime) -> None:
    """A second factor was given for this session."""
    await conn.execute(PROVE, presented.district, presented.digest, now)


PROVEN = """
select exists (select from session
  where district = $1 and digest = $2 and ended_at is null and expires_at > $3 and second_factor_at is not null)
"""


async def is_proven(conn: Connection, presented: Credential, now: datetime) -> bool:
    """Whether a second factor was given for this session."""
    found: bool = await conn.fetchval(PROVEN, presented.district, presented.digest, now)
    return found


class Device(Struct, frozen=True, kw_only=True):
    """A token that still holds, by the phone it is on; `device` is None for one made on the command line."""

    id: UUID
    device: str | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    this: bool  # it is the one by which the question was asked


DEVICES = """
select id, device, created_at, last_used_at, expires_at, digest = $3 as this
from access_token
where district = $1 and member = $2 and revoked_at is null and (expires_at is null or expires_at > $4)
order by created_at desc, id
"""


async def devices(conn: Connection, reader: Reader, presented: Credential, now: datetime) -> list[Device]:
    """The reader's own tokens, newest first."""
    rows = await conn.fetch(DEVICES, reader.district, reader.member, presented.digest, now)
    return [Device(**row) for row in rows]


class OpenSession(Struct, frozen=True, kw_only=True):
    """A browser that is signed in."""

    id: UUID
    kind: SessionKind
    device: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    this: bool  # it is the one by which the question was asked


SESSIONS = """
select s.id, s.kind, s.device, s.created_at, s.last_seen_at, s.expires_at, s.digest = $3 as this
from session s left join access_token t on t.district = s.district and t.digest = s.token
where s.district = $1 and s.member = $2 and s.ended_at is null and s.expires_at > $4
  and case when s.kind = 'token' then t.revoked_at is null and (t.expires_at is null or t.expires_at > $4)
      else s.last_seen_at > $5 end
order by s.last_seen_at desc, s.id
"""


async def open_sessions(
    conn: Connection, reader: Reader, presented: Credential, now: datetime, idle: timedelta = NEVER_IDLE
) -> list[OpenSession]:
    """The browsers on which the reader is signed in, the last used first."""
    rows = await conn.fetch(SESSIONS, reader.district, reader.member, presented.digest, now, now - idle)
    return [OpenSession(**row) for row in rows]


REVOKE = """
update access_token set revoked_at = $4 where district = $1 and member = $2 and id = $3 and revoked_at is null
returning true
"""


async def revoke(conn: Connection, reader: Reader, device: UUID, now: datetime) -> None:
    """End one of the reader's own tokens, and the sessions that it opened. Raises NotFound."""
    if not await conn.fetchval(REVOKE, reader.district, reader.member, device, now):
        raise NotFound
    await _tell(conn, reader.district, reader.member, "device_revoked", now, {"token": device})


END = """
update session set ended_at = $4 where district = $1 and member = $2 and id = $3 and ended_at is null returning true
"""


async def end(conn: Connection, reader: Reader, session: UUID, now: datetime) -> None:
    """End one of the reader's own sessions. Raises NotFound."""
    if not await conn.fetchval(END, reader.district, reader.member, session, now):
        raise NotFound
    await _tell(conn, reader.district, reader.member, "session_ended", now, {"session": session})


# What is left of a member's access, but for the credential that they ask with and, unless it is gone for good, the
# tokens of programs.
END_ALL = """
with ended as (
  update session set ended_at = $3
  where district = $1 and member = $2 and ended_at is null and digest is distinct from $4 returning id
), revoked as (
  update access_token set revoked_at = $3
  where district = $1 and member = $2 and revoked_at is null and digest is distinct from $4
    and digest is distinct from (select token from session where district = $1 and digest = $4)
    and ($5 or device is not null)
  returning id
)
select (select count(*) from ended) as sessions, (select count(*) from revoked) as tokens
"""


async def end_all(
    conn: Connection,
    district: int,
    member: UUID,
    by: Actor,
    now: datetime,
    *,
    kept: Credential | None = None,
    programs_too: bool = False,
) -> None:
    """End a member's sessions and their phones' tokens, but for the one kept; those of programs too, if asked."""
    digest = kept.digest if kept else None
    ended, revoked = await conn.fetchrow(END_ALL, district, member, now, digest, programs_too) or (0, 0)
    if not ended and not revoked:
        return
    facts: dict[str, object] = {"sessions": ended, "tokens": revoked}
    await _tell(conn, district, member, "signed_out_everywhere", now, facts, by)


async def _tell(
    conn: Connection,
    district: int,
    member: UUID,
    event: str,
    now: datetime,
    facts: dict[str, object],
    by: Actor | None = None,
) -> None:
    actor = by or Actor("member", str(member))
    row = history.occurrence(
        district=district, kind="access", event=event, actor=actor, now=now, about=member, facts=facts
    )
    await history.append(conn, [row], [])


FORGET = "delete from session where district = $1 and expires_at < $2"


async def forget(conn: Connection, district: int, before: datetime) -> int:
    """Remove sessions that ended before this; how many there were. What was done stays in the history."""
    return int((await conn.execute(FORGET, district, before)).split()[1])
