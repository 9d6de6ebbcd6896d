"""The time bank at the desk: `/volunteering/time`, and the account of one person with its statement."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Template

from api import shell, texts
from api.auth import Clock
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from api.time_statement_table import KINDS, RELATIONS, moments, other_side
from api.volunteering.time_bank import STATEMENT, AsOf, KnownAt
from surveys.people.people import District, Reader
from surveys.volunteering import (
    help_lists,
    time_accounts,
    time_decisions,
    time_rules,
    time_statements,
    time_sums,
    volunteers,
)
from surveys.volunteering.time_accounts import Account
from surveys.volunteering.time_statements import StatementLine

STATES: Mapping[str, str] = {
    "open": texts.marked("Nobody has taken it on"),
    "taken": texts.marked("A volunteer took it on"),
    "held": texts.marked("Waits for a person"),
    "booked": texts.marked("Done, minutes booked"),
    "refused": texts.marked("Not booked"),
    "cancelled": texts.marked("Cancelled"),
    "lapsed": texts.marked("Nobody took it on in time"),
}


def words(language: str) -> dict[str, Any]:
    """What templates of the time bank call things."""
    english = language == "en"
    return {
        "kinds": {name: told[english] for name, told in KINDS.items()},
        "relations": {name: told[english] for name, told in RELATIONS.items()},
        "help_states": STATES,
        "new_id": uuid4,
    }


async def named(conn: asyncpg.Connection, district: int, *ids: UUID | None) -> dict[UUID, str]:
    """What to call volunteers."""
    return await volunteers.named(conn, district, {id_ for id_ in ids if id_ is not None}, public=False)


@get("/volunteering/time", include_in_schema=False)
async def bank_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    cursor: FromQuery[str | None] = None,
) -> Template:
    """What waits for a person, help that is under way, accounts, the rules, and that the ledger comes to nothing."""
    refuse_unfit(request, {"cursor", "lang"})
    now, number = clock(), reader.district
    around = shell.context(request, reader, district, here="volunteering")
    accounts = await time_accounts.listed(conn, reader, now, cursor=cursor)
    held = await time_decisions.waiting(conn, reader, now)
    waiting = await help_lists.waiting(conn, reader)
    ids = [
        *(account.volunteer for account in accounts.items),
        *(claim.volunteer for claim in held.items),
        *(asked.volunteer for asked in waiting.items),
    ]
    context = {
        **around,
        **words(around["language"]),
        "now": now,
        "accounts": accounts,
        "held": held,
        "waiting": waiting,
        "own": await time_accounts.own(conn, reader),
        "names": await named(conn, number, *ids, *(one.helper for one in waiting.items)),
        "rules": await time_rules.in_force(conn, number, now),
        "newest_rules": next((one.version for one in await time_rules.versions(conn, number)), 0),
        "sums": await time_sums.check(conn, number),
        "may_set": "administrator" in reader.roles(),
    }
    return Template("volunteering/time.html", context=context, headers=dict(NOT_KEPT))


@get("/volunteering/time/accounts/{account:uuid}", include_in_schema=False)
async def account_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    account: FromPath[UUID],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    cursor: FromQuery[str | None] = None,
) -> Template:
    """An account with its statement, as of any day; where it may be corrected, by a form at each line."""
    refuse_unfit(request, {*STATEMENT, "cursor", "lang"})
    now = clock()
    found = await time_accounts.seen(conn, reader, account, now)
    before, known = moments(as_of, known_at, district, now)
    statement = await time_statements.page(conn, reader.district, account, before, known, cursor=cursor)
    around = shell.context(request, reader, district, here="volunteering")
    own = await time_accounts.own(conn, reader) == found.volunteer
    context = {
        **around,
        **words(around["language"]),
        "account": found,
        "own": own,
        "statement": statement,
        "as_of": as_of,
        "known_at": known_at,
        "lines": await told(conn, reader.district, statement.items, around["language"]),
        "names": await named(conn, reader.district, found.volunteer),
        "family": await _family(conn, reader, found, now) if found.kind == "volunteer" else [],
    }
    return Template("volunteering/time_account.html", context=context, headers=dict(NOT_KEPT))


async def _family(conn: asyncpg.Connection, reader: Reader, found: Account, now: Any) -> list[Account]:
    accounts = await time_accounts.of_volunteer(conn, reader.district, found.volunteer, now)
    return [one for one in accounts if one.id != found.id]


async def told(
    conn: asyncpg.Connection, district: int, lines: Sequence[StatementLine], language: str
) -> list[tuple[StatementLine, str]]:
    """Lines of a statement with what to call the other side."""
    who = await named(conn, district, *(line.other_volunteer for line in lines))
    return [(line, other_side(_as_row(line), who, language == "en")) for line in lines]


def _as_row(line: StatementLine) -> Mapping[str, Any]:
    return {name: getattr(line, name) for name in line.__struct_fields__}


ROUTES = [bank_page, account_page]
