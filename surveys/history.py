"""Append-only events: who did what to which thing, when it took effect and when we learned of it.

Facts hold ids, codes, states, times and digests, never a text; texts live in text_version rows that facts
name by version and salted digest.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import add
from typing import Literal
from uuid import UUID, uuid4

import msgspec
from asyncpg import Connection, Record
from msgspec import Struct

from surveys import copying
from surveys.copying import Words

Kind = Literal[
    "visit",
    "issue",
    "campaign",
    "premises",  # a door on the register
    "questionnaire",
    "boundary_version",
    "category",
    "calendar",  # office hours and holidays
    "district",
    "organisation",
    "member",
    "ledger",
    "card",  # a contact card
    "access",  # signing in and out, and failing to; codes, devices, second factors
    "reveal",  # a sealed field was shown to somebody
    "export",  # data left the program as a file
    "attachment",  # a photo or file of an issue or visit has come
    "erasure",  # something was forgotten, by request or by rule
    "installation",  # keys, backups, jobs
    "escalation",  # an issue past its limit went up a level
    "report",  # a brief was made, or cases chosen for it
    "volunteer",
    "team",  # of volunteers
    "service",  # announced, booked, held
    "time",  # a transaction of the time bank
    "points",  # rules of points, and boards that were published
    "commitment",
    "instrument",  # a scorecard's items and weights
    "round",  # of ratings by an instrument
    "ballot",  # that it was held; never who voted what
]
ActorKind = Literal["member", "resident", "job", "import", "program"]


Row = dict[str, object]  # columns by their names


class Actor(Struct, frozen=True):
    """Who did it: a member's id, or the name of the job, import or program."""

    kind: ActorKind
    id: str


def event_row(
    *,
    district: int,
    id: UUID,  # noqa: A002 - the column's name
    kind: Kind,
    thing: UUID,
    version: int,
    event: str,
    actor: Actor,
    happened_at: datetime,
    recorded_at: datetime,
    facts: Mapping[str, object],
    request: bytes | None = None,
) -> Row:
    """An event as a row of `history`; `request` is the digest of what was asked, where a retry must be known again."""
    return {
        "district": district,
        "id": id,
        "kind": kind,
        "thing": thing,
        "version": version,
        "event": event,
        "actor_kind": actor.kind,
        "actor": actor.id,
        "happened_at": min(happened_at, recorded_at),
        "recorded_at": recorded_at,
        "request": bytea(request) if request else None,
        "facts": facts,
    }


def occurrence(
    *,
    district: int,
    kind: Kind,
    event: str,
    actor: Actor,
    now: datetime,
    about: UUID | None = None,
    facts: Mapping[str, object] | None = None,
    id: UUID | None = None,  # noqa: A002 - the column's name
) -> Row:
    """An event that stands for itself instead of being a version of a thing, as a sign-in does; `about` is the thing
    that it concerns (a member who signed in, an issue whose contact was shown), by which the auditor finds it."""
    own = id or uuid4()
    return event_row(
        district=district,
        id=own,
        kind=kind,
        thing=own,
        version=1,
        event=event,
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts={**(facts or {}), **({"about": str(about)} if about else {})},
    )


def text_row(
    district: int, subject: UUID, version: int, body: Mapping[str, str | None], now: datetime, *, findable: bool = False
) -> tuple[Row, str]:
    """The texts of a thing as a row of `text_version`, and the digest by which its event names them.

    Empty texts are left out. The salt keeps a digest from being matched against a guess. Only a findable text can
    be searched for."""
    written = {name: text for name, text in body.items() if text}
    salt = secrets.token_bytes(16)
    digest = text_digest(written, salt)
    row: Row = {
        "district": district,
        "subject": subject,
        "version": version,
        "body": written,
        "bigrams": bigrams(" ".join(written.values())) if findable else None,
        "salt": bytea(salt),
        "digest": bytea(digest),
        "recorded_at": now,
    }
    return row, digest.hex()


def text_digest(body: Mapping[str, str], salt: bytes) -> bytes:
    """SHA-256 over the salt and the texts in the order of their names."""
    return hashlib.sha256(salt + msgspec.json.encode(body, order="sorted")).digest()


def bigrams(text: str) -> list[str]:
    """The pairs of neighbouring characters of a text, by which two Chinese characters suffice to find it."""
    folded = " ".join(text.casefold().split())
    return sorted(set(map(add, folded, folded[1:])))


def bytea(value: bytes) -> str:
    """Bytes as PostgreSQL reads them out of JSON."""
    return "\\x" + value.hex()


def request_digest(request: object) -> bytes:
    """SHA-256 of a decoded request; fields at their default are left out, so that a field that a later version
    of the program adds does not make an old retry look new."""
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).digest()


# Events as COPY reads them.
COLUMNS: Mapping[str, Words] = {
    "district": copying.numbers,
    "id": copying.plain,
    "kind": copying.texts,
    "thing": copying.plain,
    "version": copying.numbers,
    "event": copying.texts,
    "actor_kind": copying.texts,
    "actor": copying.texts,
    "happened_at": copying.plain,
    "recorded_at": copying.plain,
    "request": copying.byteas,
    "facts": copying.jsons,
}

# The texts that events name, and the events. They travel as json: to make jsonb of
# what is read once costs half as much again.
INSERT_TEXTS = """
  insert into text_version (district, subject, version, body, bigrams, salt, digest, recorded_at)
  select district, subject, version, body, bigrams, salt, digest, recorded_at
  from json_populate_recordset(null::text_version, $2)
"""
INSERT_EVENTS = """
insert into history (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at,
                     request, facts)
select district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, request, facts
from json_populate_recordset(null::history, $1)
"""
APPEND = f"with texts as ({INSERT_TEXTS}) {INSERT_EVENTS}"


async def append(conn: Connection, events: Sequence[Row], texts: Sequence[Row]) -> None:
    """Write events and their texts in the transaction of what they tell of."""
    await conn.execute(APPEND, events, texts)


TEXT = "select body from text_version where district = $1 and subject = $2 and version = $3"


async def text(conn: Connection, district: int, subject: UUID, version: int) -> dict[str, str]:
    """A version of a thing's texts; none are there once they are erased."""
    return await conn.fetchval(TEXT, district, subject, version) or {}


# What happened to one thing, oldest first, with the texts that its events name. That it went up a level when it was
# late is told where it stood at that version, of which it made no other.
OF_THING = """
select h.id, h.version, h.event, h.actor_kind, h.actor, h.happened_at, h.recorded_at, h.facts, t.body as texts
from history h
left join text_version t
  on t.district = h.district and t.subject = h.id and t.version = 1
where h.district = $1 and h.thing = $2
union all
select h.id, (select max(v.version) from history v
                where v.district = $1 and v.thing = $2 and v.recorded_at <= h.recorded_at),
  h.event, h.actor_kind, h.actor, h.happened_at, h.recorded_at, h.facts, null
from history h
where h.district = $1 and h.kind = 'escalation' and h.facts->>'about' = $2::uuid::text
order by version, recorded_at
"""


class Entry(Struct, frozen=True, kw_only=True):
    """One row of a thing's history as it is read."""

    id: UUID
    version: int
    event: str
    actor: Actor
    happened_at: datetime
    recorded_at: datetime
    facts: dict[str, object]
    reason: str | None = None
    despite: str | None = None  # why, in spite of what spoke against it


async def of_thing(conn: Connection, district: int, thing: UUID) -> list[Entry]:
    """The history of a thing that the caller has made sure the reader may see."""
    return [_entry(row) for row in await conn.fetch(OF_THING, district, thing)]


# Events that stand for themselves, newest first.
ABOUT = """
select h.id, h.version, h.event, h.actor_kind, h.actor, h.happened_at, h.recorded_at, h.facts,
  (select t.body from text_version t where t.district = $1 and t.subject = h.id and t.version = 1) as texts
from history h
where h.district = $1 and h.facts->>'about' = $3::uuid::text and h.kind = $2
order by h.recorded_at desc, h.id desc limit $4
"""


async def about(conn: Connection, district: int, kind: Kind, thing: UUID, limit: int) -> list[Entry]:
    """The newest events of a kind that are about a thing that the caller has made sure the reader may see."""
    return [_entry(row) for row in await conn.fetch(ABOUT, district, kind, thing, limit)]


CHANGES = """
select h.id, h.version, h.event, h.actor_kind, h.actor, h.happened_at, h.recorded_at, h.facts, null::jsonb as texts
from history h
where h.district = $1 and h.kind = $2 and h.event = any($3::text[]) order by h.recorded_at desc, h.id desc limit $4
"""


async def changes(conn: Connection, district: int, kind: Kind, events: Sequence[str], limit: int) -> list[Entry]:
    """The newest events of these names, as of rules that were changed; without texts."""
    return [_entry(row) for row in await conn.fetch(CHANGES, district, kind, list(events), limit)]


def _entry(row: Record) -> Entry:
    return Entry(
        id=row["id"],
        version=row["version"],
        event=row["event"],
        actor=Actor(kind=row["actor_kind"], id=row["actor"]),
        happened_at=row["happened_at"],
        recorded_at=row["recorded_at"],
        facts=row["facts"],
        reason=(row["texts"] or {}).get("reason"),
        despite=(row["texts"] or {}).get("despite"),
    )
