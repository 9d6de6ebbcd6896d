"""A statement as a file: CSV and XLSX, written as all lists of the house are."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from litestar.params import FromPath

from api import exports, time_statement_table
from api.export_tables import About
from api.exports import CSV, XLSX, Format, file_route
from api.time_statement_table import TimeStatement, moments
from api.volunteering.time_bank import BANK, STATEMENT, AsOf, KnownAt
from surveys.people import people
from surveys.people.people import District


async def csv(conn: asyncpg.Connection, district: District, account: UUID, language: str, now: datetime) -> bytes:
    """The whole statement of an account as CSV."""
    few = await time_statement_table.lines(
        conn, district.district, account, *moments(None, None, district, now), language
    )
    about = About(reader=people.of_whole_district(district.district), district=district, language=language, now=now)
    return exports.written(few, CSV, about, None)


def _statement(account: FromPath[UUID], as_of: AsOf = None, known_at: KnownAt = None) -> TimeStatement:
    return TimeStatement(account=account, as_of=as_of, known_at=known_at)


def _route(format: Format) -> Any:  # noqa: A002 - the field's word
    return file_route(
        f"{BANK}/accounts/{{account:uuid}}/statement",
        format,
        name="time_statement",
        what="Statement of an account",
        table=_statement,
        known=STATEMENT,
        refuses=(404,),
    )


ROUTES = [_route(format_) for format_ in (CSV, XLSX)]
