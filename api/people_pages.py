"""The pages on which organisers and administrators look after people."""

from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import urlencode
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from api import history_words, shell
from api.auth import Clock
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from surveys.people import member_lists, organisations
from surveys.people.member_lists import State
from surveys.people.people import District, Reader, Role
from surveys.people.roles import SCOPES
from surveys.privacy.sealing import KeyRing
from surveys.refusals import InvalidFilter

AT_ONCE = 50  # members of one page

# In Chinese and English.
ROLES: Mapping[Role, tuple[str, str]] = {
    "member": ("党员", "Member"),
    "organiser": ("组织员", "Organiser"),
    "community_worker": ("社区工作人员", "Community worker"),
    "dispatcher": ("调度员", "Dispatcher"),
    "department_handler": ("部门经办人", "Department handler"),
    "leader": ("领导", "Leader"),
    "administrator": ("管理员", "Administrator"),
    "auditor": ("审计员", "Auditor"),
    "operator": ("运维人员", "System operator"),
}
STATES: Mapping[State, tuple[str, str]] = {
    "active": ("在岗", "Active"),
    "never_signed_in": ("从未登录", "Never signed in"),
    "absent": ("离岗", "Away"),
    "left": ("已离开", "Left"),
}


@get("/people", include_in_schema=False)
async def people_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
) -> Template:
    """Those whom the reader looks after, found by name, number, organisation and state."""
    refuse_unfit(request, ("text", "organisation", "state", "cursor", "lang"))
    said = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    page = await member_lists.page(
        conn,
        ring,
        reader,
        clock(),
        text=said.get("text"),
        organisation=_organisation(said.get("organisation")),
        states=_states(said.get("state")),
        limit=AT_ONCE,
        cursor=said.get("cursor"),
    )
    filters = {name: value for name, value in said.items() if name not in ("cursor", "lang")}
    context = _context(request, reader, district) | {
        "page": page,
        "filters": filters,
        "organisations": await organisations.tree(conn, reader),
        "first": "cursor" not in said,
        "query": urlencode(filters),
    }
    return Template("people.html", context=context, headers=dict(NOT_KEPT))


def _organisation(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise InvalidFilter("organisation", expected="UUID") from None


def _states(text: str | None) -> tuple[State, ...]:
    known: tuple[State, ...] = get_args(State)
    if text is None:
        return ()
    found = tuple(state for state in known if state == text)
    if not found:
        raise InvalidFilter("state", expected=" | ".join(known))
    return found


@get("/people/new", include_in_schema=False)
async def new_person_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
) -> Template:
    """Taking in a member."""
    context = _context(request, reader, district) | {
        "organisations": await organisations.tree(conn, reader),
        "id": uuid4(),
        "own": reader.organisation,
    }
    return Template("person_new.html", context=context, headers=dict(NOT_KEPT))


@get("/people/{member:uuid}", include_in_schema=False)
async def person_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    member: FromPath[UUID],
) -> Template:
    """One member, and what can be done for them."""
    now = clock()
    context = _context(request, reader, district) | {
        "one": await member_lists.one(conn, ring, reader, member, now),
        "organisations": await organisations.tree(conn, reader),
        "new_id": uuid4,
        "now": now,
        "oneself": member == reader.member,
        "event_in_words": history_words.event_in_words,
        "actors": history_words.ACTORS,
    }
    return Template("person.html", context=context, headers=dict(NOT_KEPT))


def _context(request: Request[Reader, Any, Any], reader: Reader, district: District) -> dict[str, Any]:
    reader.require("administrator", "organiser")
    administrator = "administrator" in reader.roles()
    roles = [role for role in ROLES if administrator or role == "organiser"]
    return {
        **shell.context(request, reader, district, here="people"),
        "administrator": administrator,
        "roles": ROLES,
        "giveable": [role for role in roles if role != "member"],
        "scoped": [role for role in ROLES if SCOPES[role] not in (("own",), ("district",))],
        "states": STATES,
    }


ROUTES = [people_page, new_person_page, person_page]
