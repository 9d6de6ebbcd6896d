"""City apps: programs that report for residents, each with a key that is shown once, a part of the district, and a
number of reports a day."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Meta, Struct

from surveys import history
from surveys.access import sessions
from surveys.access.sessions import Credential
from surveys.history import Actor, occurrence
from surveys.people.people import Reader
from surveys.refusals import Conflict, IdTaken, Invalid, NotFound, TextUnusable, UnknownCommunity

ScopeKind = Literal["district", "street", "community"]
Sees = Literal["own", "scope"]  # of requests, when it asks: those that it filed, or where each of its scope stands


class IntegrationRevoked(Conflict):
    """It was revoked, and files no more."""

    code: ClassVar[str] = "integration_revoked"


class UnknownStreet(Invalid):
    """The district has no such street."""

    code: ClassVar[str] = "unknown_street"


class IntegrationDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A city app as it is registered; `scope` is the code of its street or community, and empty for the district."""

    id: UUID
    name: Annotated[str, Meta(min_length=1, max_length=80)]
    scope_kind: ScopeKind = "district"
    scope: Annotated[str, Meta(max_length=20)] = ""
    sees: Sees = "own"
    daily_limit: Annotated[int, Meta(ge=1, le=100_000)] = 200


class Integration(Struct, frozen=True, kw_only=True):
    """A city app as it is read; its key is not among it."""

    id: UUID
    name: str
    scope_kind: ScopeKind
    scope: str
    sees: Sees
    daily_limit: int
    made_at: datetime
    key_made_at: datetime
    revoked_at: datetime | None


class App(Struct, frozen=True, kw_only=True):
    """A city app that has shown its key; `communities` are those of its scope, None for all and outside of all."""

    district: int
    id: UUID
    name: str
    sees: Sees
    daily_limit: int
    communities: tuple[str, ...] | None

    @property
    def actor(self) -> Actor:
        """Who the history says that it was."""
        return Actor("program", f"app:{self.id}")

    def reaches(self, community: str | None) -> bool:
        """Whether this lies in its scope."""
        return self.communities is None or community in self.communities


SHOWN = "id, name, scope_kind, scope, sees, daily_limit, made_at, key_made_at, revoked_at"
REGISTER = f"""
insert into integration (district, id, name, digest, scope_kind, scope, sees, daily_limit, made_at, made_by,
                         key_made_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9) on conflict do nothing returning {SHOWN}
"""
SCOPE_EXISTS = """
select case $2 when 'community' then exists (select from community where district = $1 and code = $3)
               when 'street' then exists (select from street where district = $1 and code = $3)
               else $3 = '' end
"""


async def register(conn: Connection, reader: Reader, draft: IntegrationDraft, now: datetime) -> tuple[Integration, str]:
    """Register a city app; returns it with its key, the only time that it can be read.

    Raises TextUnusable, UnknownCommunity, UnknownStreet or IdTaken."""
    name = " ".join(draft.name.split())
    if not name or not name.isprintable():
        raise TextUnusable("name")
    if not await conn.fetchval(SCOPE_EXISTS, reader.district, draft.scope_kind, draft.scope):
        raise (UnknownCommunity if draft.scope_kind == "community" else UnknownStreet)("scope")
    key = sessions.mint("app", reader.district)
    row = await conn.fetchrow(
        REGISTER,
        reader.district,
        draft.id,
        name,
        sessions.credential(key).digest,
        draft.scope_kind,
        draft.scope,
        draft.sees,
        draft.daily_limit,
        now,
        reader.member,
    )
    if row is None:
        raise IdTaken("id")
    facts = {"scope_kind": draft.scope_kind, "scope": draft.scope, "sees": draft.sees, "daily_limit": draft.daily_limit}
    await _record(conn, reader, "integration_registered", draft.id, facts, now)
    return Integration(**row), key


RENEW = f"""
update integration set digest = $3, key_made_at = $4 where district = $1 and id = $2 and revoked_at is null
returning {SHOWN}
"""
REVOKE = "update integration set revoked_at = $3 where district = $1 and id = $2 and revoked_at is null returning true"
EXISTS = "select exists (select from integration where district = $1 and id = $2)"


async def renew(conn: Connection, reader: Reader, integration: UUID, now: datetime) -> tuple[Integration, str]:
    """Give it another key; the one before opens nothing from now on. Raises NotFound or IntegrationRevoked."""
    key = sessions.mint("app", reader.district)
    row = await conn.fetchrow(RENEW, reader.district, integration, sessions.credential(key).digest, now)
    if row is None:
        raise await _why_not(conn, reader, integration)
    await _record(conn, reader, "integration_key_renewed", integration, {}, now)
    return Integration(**row), key


async def revoke(conn: Connection, reader: Reader, integration: UUID, now: datetime) -> None:
    """Take its key away; what it filed stays. Raises NotFound or IntegrationRevoked."""
    if not await conn.fetchval(REVOKE, reader.district, integration, now):
        raise await _why_not(conn, reader, integration)
    await _record(conn, reader, "integration_revoked", integration, {}, now)


async def _why_not(conn: Connection, reader: Reader, integration: UUID) -> Exception:
    there = await conn.fetchval(EXISTS, reader.district, integration)
    return IntegrationRevoked() if there else NotFound()


async def _record(
    conn: Connection, reader: Reader, event: str, integration: UUID, facts: dict[str, object], now: datetime
) -> None:
    actor = Actor("member", str(reader.member))
    facts = {"integration": integration, **facts}
    row = occurrence(district=reader.district, kind="installation", event=event, actor=actor, now=now, facts=facts)
    await history.append(conn, [row], [])


ALL = f"select {SHOWN} from integration where district = $1 order by made_at desc, id"


async def of_district(conn: Connection, district: int) -> list[Integration]:
    """A district's city apps, newest first, revoked ones among them."""
    return [Integration(**row) for row in await conn.fetch(ALL, district)]


BY_KEY = """
select i.district, i.id, i.name, i.sees, i.daily_limit,
       case i.scope_kind when 'community' then array[i.scope]
                         when 'street' then array(select c.code from community c
                                                   where c.district = $1 and c.street = i.scope order by c.code)
       end as communities
from integration i where i.district = $1 and i.digest = $2 and i.revoked_at is null
"""


async def of_key(conn: Connection, presented: Credential, *, filing: bool = False) -> App | None:
    """The city app that shows this key; None for one that does not hold. One that is `filing` is held until the
    transaction ends, so that its reports of a day are counted one after another."""
    held = " for no key update of i" if filing else ""
    row: Record | None = await conn.fetchrow(BY_KEY + held, presented.district, presented.digest)
    if row is None:
        return None
    communities = tuple(row["communities"]) if row["communities"] is not None else None
    return App(**{**row, "communities": communities})
