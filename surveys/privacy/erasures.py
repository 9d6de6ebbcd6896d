"""Forgetting: what was sealed is wiped and what was written is emptied, while rows, counts and digests stay.

Every erasure has an entry of ids and times, by which it is done again on a backup from before it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.attachments import attachments
from surveys.history import Actor, Row, occurrence, text_row

# Somebody asked, the rule of this kind, or a volunteer ended what was kept on them.
Reason = Literal["request", "contacts", "withdrawn_visits", "volunteer"]


class Erasure(Struct, frozen=True, kw_only=True):
    """What is to be forgotten, by the ids of the subjects: the sealed fields of some, all texts of others, and with the
    texts the photos and files."""

    id: UUID
    district: int
    reason: Reason
    erased_at: datetime
    sealed: tuple[UUID, ...] = ()
    texts: tuple[UUID, ...] = ()


class Wiped(Struct, frozen=True, kw_only=True):
    """How many fields, texts and photos there were to forget."""

    sealed_fields: int
    texts: int
    photos: int = 0


def planned(
    district: int, reason: Reason, now: datetime, *, sealed: Sequence[UUID] = (), texts: Sequence[UUID] = ()
) -> Erasure:
    """An erasure that is still to be done."""
    return Erasure(
        id=uuid4(),
        district=district,
        reason=reason,
        erased_at=now,
        sealed=tuple(sorted(set(sealed))),
        texts=tuple(sorted(set(texts))),
    )


WIPE_FIELDS = """
with wiped as (
  update sealed_field set sealed = null, look_up = null, erased_at = $3
  where district = $1 and subject = any($2) and erased_at is null returning 1
) select count(*) from wiped
"""
WIPE_TEXTS = """
with wiped as (
  update text_version set body = null, bigrams = null, salt = null, erased_at = $3
  where district = $1 and subject = any($2) and erased_at is null returning 1
) select count(*) from wiped
"""


async def carry_out(
    conn: Connection, erasure: Erasure, actor: Actor, facts: Row | None = None, purpose: str | None = None
) -> Wiped:
    """Forget, and write into the history what was forgotten: ids and counts."""
    wiped = await _wipe(conn, erasure)
    texts = []
    told = {**_facts(erasure, wiped), **(facts or {})}
    if purpose:
        text, told["reason_digest"] = text_row(
            erasure.district, erasure.id, 1, {"reason": purpose.strip()}, erasure.erased_at
        )
        texts.append(text)
    await history.append(conn, [_event(erasure, "erased", actor, erasure.erased_at, told)], texts)
    return wiped


async def _wipe(conn: Connection, erasure: Erasure) -> Wiped:
    at = (erasure.district, erasure.erased_at)
    return Wiped(
        sealed_fields=await conn.fetchval(WIPE_FIELDS, at[0], erasure.sealed, at[1]) if erasure.sealed else 0,
        texts=await conn.fetchval(WIPE_TEXTS, at[0], erasure.texts, at[1]) if erasure.texts else 0,
        photos=await attachments.forget(conn, at[0], erasure.texts, at[1]) if erasure.texts else 0,
    )


def _facts(erasure: Erasure, wiped: Wiped) -> Row:
    return {
        "reason": erasure.reason,
        "sealed": erasure.sealed,
        "texts": erasure.texts,
        "wiped": msgspec.structs.asdict(wiped),
    }


def _event(erasure: Erasure, event: str, actor: Actor, now: datetime, facts: Row) -> Row:
    return occurrence(
        district=erasure.district, id=erasure.id, kind="erasure", event=event, actor=actor, now=now, facts=facts
    )


KNOWN = "select exists (select from history where district = $1 and id = $2)"


async def replay(conn: Connection, entries: Sequence[Erasure], now: datetime) -> int:
    """Do erasures again on a database that was put back to before them; returns how many it did not know."""
    again = 0
    for erasure in entries:
        wiped = await _wipe(conn, erasure)
        if await conn.fetchval(KNOWN, erasure.district, erasure.id):
            continue
        event = _event(erasure, "replayed", Actor("program", "restore"), now, _facts(erasure, wiped))
        await history.append(conn, [event], [])
        again += 1
    return again
