"""The rows of a table that leaves the program: the question for all that a list counts, in the order of the list, for
whoever reads it out, and in whatever form."""

from collections.abc import Mapping
from typing import Any

import msgspec
from asyncpg import Connection
from msgspec import Struct

NONE = "none"


class Selection(Struct, frozen=True):
    """A question with its parameters; its columns are named as the table's are."""

    text: str
    parameters: tuple[Any, ...]

    async def fetch(self, conn: Connection) -> list[Any]:
        """All rows at once, for few of them."""
        rows: list[Any] = await conn.fetch(self.text, *self.parameters)
        return rows


# Of the codes that somebody asked for, those that the district has.
KNOWN = """
select 'community' as name, code from community where district = $1 and code = any($2::text[])
union all select 'street', code from street where district = $1 and code = any($3::text[])
union all select 'campaign', id from campaign where district = $1 and id = any($4::text[])
order by 1, 2
"""
CODES = ("community", "street", "campaign")


async def told(conn: Connection, district: int, filters: Struct) -> Mapping[str, object]:
    """Filters as the history may keep them: ids, codes, words of ours and days, and never a text. A code that the
    district does not have is left out, for it may be any text."""
    facts: dict[str, Any] = msgspec.to_builtins(filters)
    facts.pop("text", None)
    asked = {name: _listed(facts.pop(name, None)) for name in CODES}
    for row in await conn.fetch(KNOWN, district, *asked.values()):
        facts.setdefault(row["name"], []).append(row["code"])
    for name, codes in asked.items():
        if NONE in codes:
            facts.setdefault(name, []).append(NONE)
    return facts


def _listed(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)
