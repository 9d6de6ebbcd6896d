"""The Word templates of briefs that a district has adapted, one after the other for each language; the newest holds."""

import hashlib
from datetime import datetime
from typing import Literal

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.history import Actor, occurrence
from surveys.people.people import Reader

Language = Literal["zh", "en"]


class Template(Struct, frozen=True, kw_only=True):
    """A template that was uploaded, without its content."""

    version: int
    sha256: str
    uploaded_at: datetime
    uploaded_by: str  # their name


VERSIONS = """
select t.version, encode(t.sha256, 'hex') as sha256, t.uploaded_at, m.name as uploaded_by
from report_template t join member m on m.district = t.district and m.id = t.uploaded_by
where t.district = $1 and t.language = $2 order by t.version desc limit 50
"""
CONTENT = """
select content from report_template where district = $1 and language = $2 and ($3::int is null or version = $3)
order by version desc limit 1
"""


async def versions(conn: Connection, district: int, language: Language) -> list[Template]:
    """The versions that there are, the newest first."""
    return [Template(**row) for row in await conn.fetch(VERSIONS, district, language)]


async def content(conn: Connection, district: int, language: Language, version: int | None = None) -> bytes | None:
    """The newest template, or one version; None where there is none, and the one that comes with the program holds."""
    found: bytes | None = await conn.fetchval(CONTENT, district, language, version)
    return found


KEEP = """
insert into report_template (district, language, version, content, sha256, uploaded_by, uploaded_at)
select $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5, $6 from report_template where district = $1 and language = $2
returning version
"""


async def keep(conn: Connection, reader: Reader, language: Language, template: bytes, now: datetime) -> int:
    """Let a template hold from now on; its version. It has been tried. Raises NotAllowed."""
    reader.require("administrator")
    digest = hashlib.sha256(template).digest()
    version: int = await conn.fetchval(KEEP, reader.district, language, template, digest, reader.member, now)
    facts = {"language": language, "version": version, "sha256": digest.hex(), "bytes": len(template)}
    by = Actor("member", str(reader.member))
    event = occurrence(district=reader.district, kind="report", event="template", actor=by, now=now, facts=facts)
    await history.append(conn, [event], [])
    return version
