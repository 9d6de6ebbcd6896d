"""What volunteers do in the time bank by themselves, by session or personal link: name relatives, pass minutes on, ask
for help, take it on, and say that it was given."""

from typing import Any
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Response
from msgspec import Struct

from api import erasure_journal, problem_details
from api.auth import PUBLIC, Clock
from api.documented_problems import REFUSES
from api.exports import CSV, disposition
from api.json_bodies import JsonBody
from api.limits import few_pages
from api.settings import Settings
from api.sign_in import NOT_KEPT
from api.volunteering import passes, time_files
from surveys.people import people
from surveys.refusals import NotFound
from surveys.volunteering import help_done, help_requests, help_taking, relatives, time_accounts, time_bank
from surveys.volunteering.help_done import Saying
from surveys.volunteering.help_requests import HelpDraft, HelpState
from surveys.volunteering.help_taking import Leaving, Taking
from surveys.volunteering.relatives import Forgetting, RelativeDraft
from surveys.volunteering.time_bank import PassOn

OWN = "/volunteering/me/time"
HELP = f"{OWN}/help/{{help_request:uuid}}"
Anybody = Request[Any, Any, Any]


class Done(Struct, frozen=True):
    """What was done, by its id."""

    id: UUID


def _post(path: str, body: Any, status: int, summary: str, *refuses: int) -> post:
    return post(
        path,
        dto=JsonBody[body],
        return_dto=None,
        status_code=status,
        opt={PUBLIC: True, REFUSES: (404, *refuses)},
        guards=[few_pages],
        summary=summary,
    )


@_post(f"{OWN}/relatives", RelativeDraft, 201, "Name a relative", 409)
async def name_relative(
    request: Anybody,
    data: JSONBody[RelativeDraft],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
) -> Done:
    """Name a member of one's family, to whom minutes can be passed on. A retry gets its first answer."""
    now = clock()
    me = await passes.me(request, conn, now)
    return Done(await relatives.name_one(conn, me.district, me.volunteer, data, me.actor(), now))


@_post(f"{OWN}/relatives/{{account:uuid}}/forgetting", Forgetting, 204, "Forget a relative", 409)
async def forget_relative(
    request: Anybody,
    data: JSONBody[Forgetting],
    conn: NamedDependency[asyncpg.Connection],
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
    account: FromPath[UUID],
) -> None:
    """Forget a relative's name and what they asked for; their minutes come back to who named them."""
    now = clock()
    me = await passes.me(request, conn, now)
    erasure = await relatives.planned(conn, me.district, me.volunteer, account, now)
    await relatives.forget(conn, erasure, me.volunteer, account, data, me.actor(), now)
    erasure_journal.append(settings, erasure)


@_post(f"{OWN}/passing-on", PassOn, 201, "Pass minutes on", 409)
async def pass_on(
    request: Anybody,
    data: JSONBody[PassOn],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
) -> Done:
    """Pass minutes on within one's family, or give them back to the district. A retry gets its first answer."""
    now = clock()
    me = await passes.me(request, conn, now)
    await time_bank.pass_on(conn, me.district, me.volunteer, data, me.actor(), now)
    return Done(data.id)


@_post(f"{OWN}/help", HelpDraft, 201, "Ask for help", 409)
async def ask_for_help(
    request: Anybody,
    data: JSONBody[HelpDraft],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
) -> HelpState:
    """Ask for help with one's own minutes or a relative's; they are set aside. A retry gets its first answer."""
    now = clock()
    me = await passes.me(request, conn, now)
    return await help_requests.ask(conn, me.district, me.volunteer, data, me.actor(), now)


@_post(f"{HELP}/taking", Taking, 200, "Take help on", 403, 409)
async def take(
    request: Anybody,
    data: JSONBody[Taking],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
    help_request: FromPath[UUID],
) -> HelpState:
    """Take on help that others ask for, for a team that one is in. A retry gets its first answer."""
    now = clock()
    me = await passes.me(request, conn, now)
    return await help_taking.take(conn, me.district, me.volunteer, help_request, data, me.actor(), now)


@_post(f"{HELP}/giving-back", Leaving, 200, "Give help back", 409)
async def give_back(
    request: Anybody,
    data: JSONBody[Leaving],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
    help_request: FromPath[UUID],
) -> HelpState:
    """Give help back that one took on, so that somebody else may. A retry gets its first answer."""
    now = clock()
    me = await passes.me(request, conn, now)
    return await help_taking.give_back(conn, me.district, me.volunteer, help_request, data, me.actor(), now)


@_post(f"{HELP}/cancellation", Leaving, 200, "Cancel help that one asked for", 409)
async def cancel(
    request: Anybody,
    data: JSONBody[Leaving],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
    help_request: FromPath[UUID],
) -> HelpState:
    """Cancel what one asked for; its minutes are free again. A retry gets its first answer."""
    now = clock()
    me = await passes.me(request, conn, now)
    return await help_taking.cancel(conn, me.district, me.volunteer, help_request, data, me.actor(), now)


@_post(f"{HELP}/saying", Saying, 200, "Say that help was given", 409)
async def say(
    request: Anybody,
    data: JSONBody[Saying],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
    help_request: FromPath[UUID],
) -> HelpState:
    """Say from when to when help was given, as who gave or who got it; once both say the same, the minutes go to who
    helped. A retry gets its first answer."""
    now = clock()
    me = await passes.me(request, conn, now)
    return await help_done.say(conn, me.district, me.volunteer, help_request, data, me.actor(), now)


@get(f"{OWN}/{{account:uuid}}/statement.csv", opt={PUBLIC: True}, guards=[few_pages], include_in_schema=False)
async def own_statement(
    request: Anybody,
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
    account: FromPath[UUID],
) -> Response[bytes]:
    """One's own statement, or a relative's, as a file."""
    now = clock()
    me = await passes.me(request, conn, now)
    if account not in await time_accounts.of_family(conn, me.district, me.volunteer, [account]):
        raise NotFound
    district = await people.district(conn, me.district)
    if district is None:
        raise NotFound
    content = await time_files.csv(conn, district, account, problem_details.language(request), now)
    headers = {"content-disposition": disposition("statement.csv", "时间银行对账单.csv"), **NOT_KEPT}
    return Response(content, media_type=f"{CSV.media_type}; charset=utf-8", headers=headers)


ROUTES = [name_relative, forget_relative, pass_on, ask_for_help, take, give_back, cancel, say, own_statement]
