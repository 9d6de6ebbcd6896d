"""Many rows at once, as the text that PostgreSQL's COPY reads: a third less work for it than a set that is parsed out
of JSON, and as little for us, because whole columns are put into words at a time."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from asyncpg import Connection

Row: TypeAlias = Mapping[str, object]
Words: TypeAlias = Callable[[Sequence[Any]], Iterable[str]]  # a whole column, as COPY reads its values

_ENCODER = msgspec.json.Encoder()
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def numbers(column: Sequence[int]) -> Iterable[str]:
    """Whole numbers, never null."""
    return map(str, column)


def numbers_or_null(column: Sequence[int | None]) -> Iterable[str]:
    """Whole numbers, or null."""
    return (r"\N" if value is None else str(value) for value in column)


def plain(column: Sequence[object]) -> Iterable[str]:
    """Ids, and moments or the word for no end, never null: all of them in one go, ten times as fast as one by one."""
    return msgspec.json.encode(column).decode()[2:-2].split('","')


def moments(column: Sequence[datetime | None]) -> Iterable[str]:
    """Moments, or null."""
    return (r"\N" if value is None else value.isoformat() for value in column)


def texts(column: Sequence[str | None]) -> Iterable[str]:
    """Texts, or null."""
    return map(_text, column)


def jsons(column: Sequence[object]) -> Iterable[str]:
    """Anything, as JSON; never a line break within."""
    return _ENCODER.encode_lines(column).decode().replace("\\", r"\\").split("\n")[:-1]


def text_arrays(column: Sequence[Sequence[str] | None]) -> Iterable[str]:
    """Lists of texts without control characters, or null: what JSON puts between brackets, PostgreSQL reads as well."""
    return (
        r"\N" if value is None else f"{{{_ENCODER.encode(value).decode()[1:-1]}}}".replace("\\", r"\\")
        for value in column
    )


def floats_or_null(column: Sequence[float | None]) -> Iterable[str]:
    """Numbers with a fraction, or null."""
    return (r"\N" if value is None else repr(value) for value in column)


def byteas(column: Sequence[str | None]) -> Iterable[str]:
    """Bytes as history.bytea writes them, or null."""
    return (r"\N" if value is None else "\\" + value for value in column)


@lru_cache(maxsize=10_000)  # codes and states come again and again
def _text(value: str | None) -> str:
    return r"\N" if value is None else value.translate(_ESCAPED)


def lines(rows: Sequence[Row], columns: Mapping[str, Words]) -> bytes:
    """Rows as lines, column by column as `columns` says."""
    worded = [words([row[name] for row in rows]) for name, words in columns.items()]
    return "".join(f"{line}\n" for line in map("\t".join, zip(*worded, strict=True))).encode()


async def copy(conn: Connection, table: str, rows: Sequence[Row], columns: Mapping[str, Words]) -> None:
    """Add rows to a table; `columns` says which it is told, and in which words."""
    if not rows:
        return
    await conn.copy_to_table(table, source=io.BytesIO(lines(rows, columns)), columns=list(columns))
