"""The history as a table: who did what to whom or what, in words."""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

import asyncpg
import msgspec

from api import history_words
from api.export_columns import Header, Row
from api.export_tables import About, Read, Told, Words
from api.history_words import event_in_words, in_words
from surveys import audit
from surveys.audit import Asked
from surveys.privacy.sealing import KeyRing

HEADERS: Sequence[Header] = (
    Header("recorded_at", "时间", "Time", "time"),
    Header("kind", "类别", "Kind"),
    Header("event", "事件", "Event"),
    Header("actor", "操作人", "Done by"),
    Header("actor_name", "操作人姓名", "Name of who did it"),
    Header("subject", "对象编号", "Number of whom or what"),
    Header("subject_name", "对象名称", "Name of whom or what"),
    Header("happened_at", "生效时间", "Took effect", "time"),
    Header("subject_id", "对象标识", "Id of whom or what"),
    Header("version", "版本", "Version", "number"),
    Header("facts", "详情", "Facts"),
    Header("id", "记录标识", "Id of the record"),
)


class History(Read, frozen=True, tag="history"):
    """The history under the list's filters."""

    asked: Asked

    name: ClassVar[str] = "history"
    words: ClassVar[Words] = ("历史记录", "history")

    async def told(self, conn: asyncpg.Connection, about: About, ring: KeyRing) -> Told:
        """Raises NotAllowed."""
        count = await audit.count(conn, about.reader, self.asked, about.zone, about.now)
        return Told(await audit.filters_told(conn, about.reader, self.asked), count)

    async def columns(self, conn: asyncpg.Connection, about: About) -> Sequence[Header]:
        """Always the same."""
        return HEADERS

    async def rows(self, conn: asyncpg.Connection, about: About, headers: Sequence[Header]) -> AsyncIterator[Row]:
        """The events, the newest first."""
        async for event in audit.rows(conn, about.reader, self.asked, about.zone, about.now):
            yield _row(event, about.language)


def _row(event: audit.Told, language: str) -> Row:
    subject = event.subject
    return {
        "recorded_at": event.recorded_at,
        "kind": in_words(history_words.KINDS, event.kind, language),
        "event": event_in_words(event.kind, event.event, language),
        "actor": event.actor.number or in_words(history_words.ACTORS, event.actor.kind, language),
        "actor_name": event.actor.name or event.actor.id,
        "subject": subject.number if subject else None,
        "subject_name": subject.name if subject else None,
        "happened_at": event.happened_at,
        "subject_id": subject.id if subject else None,
        "version": event.version,
        "facts": msgspec.json.encode(event.facts, order="sorted").decode(),
        "id": event.id,
    }
