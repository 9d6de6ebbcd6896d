"""My hours: the part of a volunteer's own page that is their time bank."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from asyncpg import Connection

from api.time_statement_table import moments
from api.volunteering.passes import Me
from api.volunteering.time_pages import STATES, named, words
from surveys.people import people
from surveys.refusals import NotFound
from surveys.volunteering import help_lists, time_accounts, time_statements

FEW = 5  # lines of a statement, and requests that are over


async def load(conn: Connection, me: Me, now: datetime) -> Mapping[str, Any]:
    """Balances, the newest lines, what one asked for, what one helps with, and what one could."""
    found = await people.district(conn, me.district)
    if found is None:
        raise NotFound
    accounts = await time_accounts.of_volunteer(conn, me.district, me.volunteer, now)
    statement = await time_statements.page(conn, me.district, me.volunteer, *moments(None, None, found, now), limit=FEW)
    asked = await help_lists.of_family(conn, me.district, [one.id for one in accounts])
    helping = await help_lists.helping(conn, me.district, me.volunteer)
    to_take = await help_lists.to_take(conn, me.district, me.volunteer, now)
    teams = await help_lists.teams_of(conn, me.district, me.volunteer)
    others = [line.other_volunteer for line in statement.items]
    ids = [me.volunteer, *others, *(one.volunteer for one in (*helping, *to_take)), *(one.helper for one in asked)]
    return {
        "mine": next((one for one in accounts if one.kind == "volunteer"), None),
        "relatives": [one for one in accounts if one.kind == "relative"],
        "accounts": accounts,
        "statement": statement,
        "asked": _current(asked),
        "helping": _current(helping),
        "to_take": to_take if teams else [],
        "teams": teams,
        "names": await named(conn, me.district, *ids),
        "help_states": STATES,
        "told": {language: words(language) for language in ("zh", "en")},
    }


def _current(found: list[help_lists.Help]) -> list[help_lists.Help]:
    """What is not over, and the few that ended last."""
    over = [one for one in found if one.state not in ("open", "taken", "held")][:FEW]
    return [one for one in found if one.state in ("open", "taken", "held") or one in over]
