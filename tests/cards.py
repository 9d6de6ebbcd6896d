"""Contact cards for tests, made as the command makes them."""

import asyncpg

from surveys.contact_cards import contact_cards
from surveys.contact_cards.contact_cards import Giver, NewCard
from surveys.history import Actor
from tests.conftest import DISTRICT, NOW, ORGANISATION

SERVICE_NAME = "第一支部"


async def make(conn: asyncpg.Connection, count: int = 1, **changes: object) -> list[NewCard]:
    """So many cards of the district's first branch."""
    giver = Giver(**{"organisation": ORGANISATION, "service_name": SERVICE_NAME} | changes)  # type: ignore[arg-type]
    async with conn.transaction():
        made = await contact_cards.make(conn, DISTRICT, [giver] * count, "EQ", Actor("program", "tests"), NOW)
    return list(made)
