"""What has words that are searched for: found once by the database's index, kept beside the columns, and completed by
what was written since."""

import asyncio

import numpy as np
import numpy.typing as npt
from asyncpg import Connection

from surveys.counting.column_rows import mixed
from surveys.counting.issue_columns import Columns, State
from surveys.counting.issue_query import searched, written
from surveys.counting.issue_views import Mask

KEPT = 16  # searches of a district

FOUND = np.dtype([("high", ">u8"), ("low", ">u8"), ("version", ">i4")])
SENT = "string_agg(uuid_send(subject) || int4send(version), '')"


class Search:
    """Which rows have some words, as far as it was looked."""

    def __init__(self) -> None:
        self.rows: Mask = np.zeros(0, np.bool_)
        self.asking = asyncio.Lock()


async def having(conn: Connection, columns: Columns, state: State, text: str) -> Mask:
    """Which rows of the columns have a text in the version that stands. Raises InvalidFilter."""
    pairs, pattern = searched(text)
    words = " ".join(text.split())
    search = columns.texts.pop(words, None) or Search()
    columns.texts[words] = search  # the last that was asked for is the last to be dropped
    while len(columns.texts) > KEPT:
        del columns.texts[next(iter(columns.texts))]
    async with search.asking:
        looked = len(search.rows)
        if looked < state.base or not looked:
            asked = f"select {SENT} from text_version where district = $1 and bigrams @> $2 and "
            found = await conn.fetchval(asked + written(text, "$3", "$3"), columns.district, pairs, pattern)
            search.rows = await asyncio.to_thread(_marked, columns, state, 0, search.rows, found)
        elif looked < state.count:
            new = columns.ids(np.arange(looked, state.count))
            asked = f"select {SENT} from text_version where district = $1 and subject = any($2) and "
            found = await conn.fetchval(asked + written(text, "$3", "$3"), columns.district, new, pattern)
            search.rows = _marked(columns, state, looked, search.rows, found)
    return search.rows


def _marked(columns: Columns, state: State, looked: int, before: Mask, written_: bytes | None) -> Mask:
    """The rows that have the words, of which those before `looked` are known."""
    found = np.frombuffer(written_ or b"", FOUND)
    keys = mixed(found["high"].astype(np.uint64), found["low"].astype(np.uint64))
    versions = found["version"].astype(np.int32)
    known = state.issues["text_version"]
    rows = np.zeros(state.count, np.bool_)
    rows[:looked] = before[:looked]
    if looked < state.base:
        at = columns.rows_of(keys)
        there = at >= 0
        rows[at[there][known[at[there]] == versions[there]]] = True
    behind = slice(max(looked, state.base), state.count)
    own = mixed(state.issues["high"][behind], state.issues["low"][behind])
    rows[behind] = np.isin(_pairs(own, known[behind]), _pairs(keys, versions))
    return rows


def _pairs(keys: npt.NDArray[np.uint64], versions: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    """Issues with the versions of their texts, each in one number."""
    return keys ^ (versions.astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93))
