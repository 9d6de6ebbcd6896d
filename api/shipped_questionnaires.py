"""The questionnaires that the product brings along: readable sources, published and handed out as any other."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from api import xlsforms
from api.xlsform_files import Sheets, read_source, write_workbook
from surveys.history import Actor
from surveys.questionnaires import questionnaires
from surveys.questionnaires.questionnaires import Form, Published

SOURCES = Path(__file__).parent / "shipped_forms"
NAMES = ("shop", "enterprise", "household")


def sheets(name: str) -> Sheets:
    """The sheets of a form that is shipped."""
    return read_source((SOURCES / f"{name}.md").read_text(encoding="utf-8"))


def workbook(name: str) -> bytes:
    """It as a workbook, to be changed in Excel and brought back under an id of one's own."""
    return write_workbook(sheets(name))


def forms(now: datetime) -> Iterator[Form]:
    """All of them, ready to be published."""
    for name in NAMES:
        yield xlsforms.make(workbook(name), f"{name}.xlsx", now.date())


async def install(
    conn: asyncpg.Connection, district: int, actor: Actor, now: datetime, member: UUID | None = None
) -> list[Published]:
    """Publish those that the district does not have in this version; what was published under it stays."""
    done = []
    for form in await asyncio.to_thread(lambda: list(forms(now))):
        try:
            done.append(await questionnaires.publish(conn, district, form, actor, now, member=member))
        except questionnaires.VersionTaken:  # the district's own form of that id
            continue
    return done
