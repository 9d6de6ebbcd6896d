"""The instruments that the product brings along: readable sources, published and handed out as any other."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from uuid import UUID

import asyncpg

from api import instrument_files
from surveys.assessments import instruments
from surveys.assessments.instruments import Instrument, Published
from surveys.history import Actor

SOURCES = Path(__file__).parents[1] / "shipped_instruments"
NAMES = ("township", "street", "organisation", "member", "window")


@cache
def instrument(name: str) -> Instrument:
    """An instrument that is shipped."""
    return instrument_files.read_source((SOURCES / f"{name}.md").read_text(encoding="utf-8"))


def every() -> Iterator[Instrument]:
    """All of them, ready to be published."""
    return (instrument(name) for name in NAMES)


async def install(
    conn: asyncpg.Connection, district: int, actor: Actor, now: datetime, member: UUID | None = None
) -> list[Published]:
    """Publish those that the district does not have in this version; what was published under it stays."""
    done = []
    for one in every():
        try:
            done.append(await instruments.publish(conn, district, one, actor, now, member=member))
        except instruments.VersionTaken:  # the district's own instrument of that id
            continue
    return done
