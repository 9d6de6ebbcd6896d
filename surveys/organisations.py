"""The tree of grassroots organisations: found or made by paths, moved, renamed, closed; also as of a past day."""

import re
from collections.abc import Collection
from typing import Annotated, Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta

from surveys.people import Reader
from surveys.refusals import TextUnusable

SEPARATOR = "/"
MOST_LEVELS = 20
LONGEST_NAME = 100  # characters
_SEPARATORS = re.compile(r"\s*[/／>＞]\s*")

Path = tuple[str, ...]  # names, from the top of the tree down
AreaKind = Literal["community", "street", "premises"]
Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]


def path(text: str) -> Path:
    """A path as it is written: 区委/街道党工委/社区党委, with / or > between the names, in either width.

    Raises TextUnusable for one with an empty or unusable name, or with too many."""
    names = tuple(" ".join(part.split()) for part in _SEPARATORS.split(text.strip()))
    if len(names) > MOST_LEVELS or not all(_usable(name) for name in names):
        raise TextUnusable("organisation")
    return names


def _usable(name: str) -> bool:
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and not _SEPARATORS.search(name)


def written(names: Path) -> str:
    """A path as people read it."""
    return SEPARATOR.join(names)


# --- the tree as it is, and as it was

# Every organisation of the district with the names down to it, closed ones too.
TREE = """
with recursive tree as (
  select id, parent, name, closed_at, version, name as path, array[id] as line
  from organisation where district = $1 and parent is null
  union all
  select o.id, o.parent, o.name, o.closed_at, o.version, t.path || '/' || o.name, t.line || o.id
  from organisation o join tree t on o.parent = t.id
  where o.district = $1
)
"""
PATHS = f"{TREE} select id, path from tree"


async def paths(conn: Connection, district: int) -> dict[UUID, str]:
    """What every organisation is called from the top down, closed ones too."""
    return {row["id"]: row["path"] for row in await conn.fetch(PATHS, district)}


BELOW = """
with recursive below as (
  select id from organisation where district = $1 and id = any($2)
  union
  select o.id from organisation o join below b on o.parent = b.id where o.district = $1
)
select id from below
"""


async def below(conn: Connection, district: int, roots: Collection[UUID]) -> set[UUID]:
    """These organisations and all that hang below them."""
    return {row["id"] for row in await conn.fetch(BELOW, district, list(roots))}


async def within(conn: Connection, reader: Reader) -> set[UUID] | None:
    """The organisations whose people this reader looks after; None stands for the whole district.

    Raises NotAllowed for who looks after nobody."""
    reader.require("administrator", "organiser")
    if "administrator" in reader.roles():
        return None
    return await below(conn, reader.district, [UUID(scope) for scope in reader.scopes("organisation")])
