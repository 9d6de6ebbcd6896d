"""The time bank over HTTP, for those who look after volunteers: accounts, statements, what waits, rules, and that all
of it comes to nothing."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from api.auth import Clock
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from api.time_statement_table import moments
from surveys.people.people import District, Reader
from surveys.volunteering import (
    help_done,
    help_lists,
    help_requests,
    help_taking,
    standing,
    time_accounts,
    time_bank,
    time_decisions,
    time_rules,
    time_statements,
    time_sums,
)
from surveys.volunteering.help_done import Saying
from surveys.volunteering.help_lists import Waiting
from surveys.volunteering.help_requests import HelpDraft, HelpState
from surveys.volunteering.help_taking import Leaving
from surveys.volunteering.time_accounts import Account, Accounts
from surveys.volunteering.time_bank import Corrected, Correction
from surveys.volunteering.time_decisions import Decided, Decision, Queue
from surveys.volunteering.time_rules import Rules, RulesDraft
from surveys.volunteering.time_statements import Statement
from surveys.volunteering.time_sums import Check

BANK = "/api/volunteering/time"
STATEMENT = frozenset({"as_of", "known_at"})

AsOf = Annotated[date | None, QueryParameter(description="at the end of this day; today if it is left out")]
KnownAt = Annotated[datetime | None, QueryParameter(description="as it was known then; now if it is left out")]
Limit = Annotated[int, QueryParameter(ge=1, le=200)]


@get(f"{BANK}/accounts", summary="List accounts of the time bank")
async def list_accounts(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    text: Annotated[str | None, QueryParameter(description="A part of a name or number")] = None,
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> Accounts:
    """Accounts of volunteers whom the reader looks after, and of their relatives, those with most minutes first."""
    refuse_unfit(request, {"text", "limit", "cursor"})
    return await time_accounts.listed(conn, reader, clock(), text=text, cursor=cursor, limit=limit)


@get(f"{BANK}/accounts/{{account:uuid}}", opt={REFUSES: (404,)}, summary="One account of the time bank")
async def one_account(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    account: FromPath[UUID],
) -> Account:
    """An account that is the reader's, a relative's, or of a volunteer whom they look after."""
    return await time_accounts.seen(conn, reader, account, clock())


@get(f"{BANK}/accounts/{{account:uuid}}/statement", opt={REFUSES: (404,)}, summary="Statement of an account")
async def statement(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    account: FromPath[UUID],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> Statement:
    """What moved on an account, newest first, with the balance after each line: as of any day, as known at any time."""
    refuse_unfit(request, {*STATEMENT, "limit", "cursor"})
    now = clock()
    before, known = moments(as_of, known_at, district, now)
    await time_accounts.seen(conn, reader, account, now)
    return await time_statements.page(conn, reader.district, account, before, known, cursor=cursor, limit=limit)


@post(
    f"{BANK}/transactions/{{transaction:uuid}}/correction",
    dto=JsonBody[Correction],
    return_dto=None,
    status_code=201,
    opt={REFUSES: (403, 404, 409)},
    summary="Correct a transaction",
)
async def correct(
    data: JSONBody[Correction],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    transaction: FromPath[UUID],
) -> Corrected:
    """Take back what was booked too much, once, with a reason: never by who earned it or gave it. What an account
    cannot give back any more is carried by the district. A retry gets its first answer."""
    return await time_bank.correct(conn, reader, transaction, data, clock())


@get(f"{BANK}/held", summary="What waits for a person")
async def list_held(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> Queue:
    """Services and help that overlap others of the same volunteer, or are too long, the longest waiting first."""
    refuse_unfit(request, {"limit", "cursor"})
    return await time_decisions.waiting(conn, reader, clock(), cursor=cursor, limit=limit)


@post(
    f"{BANK}/held/{{claim:uuid}}/decision",
    dto=JsonBody[Decision],
    return_dto=None,
    status_code=200,
    opt={REFUSES: (403, 404, 409)},
    summary="Decide on what waits",
)
async def decide(
    data: JSONBody[Decision],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    claim: FromPath[UUID],
) -> Decided:
    """Book what was held, book a part of it, or refuse it, with a reason: never by who served. A retry gets its first
    answer."""
    return await time_decisions.decide(conn, reader, claim, data, clock())


@get(f"{BANK}/help", summary="Help that is under way")
async def list_help(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Waiting:
    """What was asked for and is not over, of those whom the reader looks after, the soonest first."""
    return await help_lists.waiting(conn, reader)


@post(
    f"{BANK}/help",
    dto=JsonBody[HelpDraft],
    return_dto=None,
    status_code=201,
    opt={REFUSES: (404, 409)},
    summary="Ask for help for somebody",
)
async def ask_for_help(
    data: JSONBody[HelpDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> HelpState:
    """Ask for help at the desk, from the account of somebody whom the reader looks after; its minutes are set aside. A
    retry gets its first answer."""
    return await help_requests.ask_for(conn, reader, data, clock())


@post(
    f"{BANK}/help/{{help_request:uuid}}/cancellation",
    dto=JsonBody[Leaving],
    return_dto=None,
    status_code=200,
    opt={REFUSES: (403, 404, 409)},
    summary="Cancel help for somebody",
)
async def cancel_help(
    data: JSONBody[Leaving],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    help_request: FromPath[UUID],
) -> HelpState:
    """Cancel help with a reason; what was set aside for it is free again. A retry gets its first answer."""
    return await help_taking.cancel_for(conn, reader, help_request, data, clock())


@post(
    f"{BANK}/help/{{help_request:uuid}}/confirmation",
    dto=JsonBody[Saying],
    return_dto=None,
    status_code=200,
    opt={REFUSES: (403, 404, 409)},
    summary="Confirm help for both sides",
)
async def confirm_help(
    data: JSONBody[Saying],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    help_request: FromPath[UUID],
) -> HelpState:
    """Confirm help for both sides, as who looks after the helper's team and is neither of the two. A retry gets its
    first answer."""
    return await help_done.confirm(conn, reader, help_request, data, clock())


class RulesList(Struct, frozen=True):
    """The rules that hold now, and all that the district has set, newest first."""

    now: Rules
    items: list[Rules]


@get(f"{BANK}/rules", summary="Rules of the time bank")
async def list_rules(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], clock: NamedDependency[Clock]
) -> RulesList:
    """The rules that hold, and those before and after them."""
    await standing.of_reader(conn, reader)
    district = reader.district
    return RulesList(await time_rules.in_force(conn, district, clock()), await time_rules.versions(conn, district))


@post(
    f"{BANK}/rules",
    dto=JsonBody[RulesDraft],
    return_dto=None,
    status_code=201,
    opt={REFUSES: (409,)},
    summary="Set rules of the time bank",
)
async def set_rules(
    data: JSONBody[RulesDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Rules:
    """Set rules from now on or a later moment, with a reason; those before them stay as they were. A retry gets its
    first answer."""
    return await time_rules.set_rules(conn, reader, data, clock())


@get(f"{BANK}/check", summary="Reckon the ledger anew")
async def check(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Check:
    """All entries of the district summed anew: their total, and the number of wrong balances, are zero."""
    await standing.of_reader(conn, reader)
    return await time_sums.check(conn, reader.district)


ROUTES = [
    list_accounts,
    one_account,
    statement,
    correct,
    list_held,
    decide,
    list_help,
    ask_for_help,
    cancel_help,
    confirm_help,
    list_rules,
    set_rules,
    check,
]
