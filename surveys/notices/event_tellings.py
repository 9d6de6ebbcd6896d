"""Whom an event of an issue is told to, and as what; pure, but for the question who holds which role."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.issues.merging import Part
from surveys.notices.escalations import Tree
from surveys.notices.notices import NoticeKind, Telling


class Happened(Struct, frozen=True, kw_only=True):
    """An event as it is told: of an issue, or of an escalation about one, which is no version of it. `member` is who
    did it, if it was one."""

    id: UUID
    issue: UUID
    version: int | None
    event: str
    member: UUID | None
    happened_at: datetime
    facts: Mapping[str, Any]


class Around(Struct, frozen=True, kw_only=True):
    """What an issue was from the event on, and before it."""

    reporter: UUID | None
    owner: UUID
    department: str | None
    urgency: str
    leader: UUID | None
    community: str | None
    street: str | None
    organisation: UUID  # the owner's
    owner_before: UUID | None
    department_before: str | None
    asker: UUID | None  # who last asked to return, pause or extend
    asked: str | None
    parts: Sequence[Part] = ()  # what was merged into it, told of what is solved


class Holders(Struct, frozen=True):
    """Who handles for a department, and who works in a community."""

    handlers: Mapping[str, Sequence[UUID]]
    workers: Mapping[str, Sequence[UUID]]


HOLDERS = """
select r.role, r.scope, r.member from member_role r
join member m on m.district = r.district and m.id = r.member and m.closed_at is null
where r.district = $1 and r.role in ('department_handler', 'community_worker') order by m.number
"""


async def holders(conn: Connection, district: int) -> Holders:
    """Who holds these roles now."""
    found: dict[str, dict[str, list[UUID]]] = {"department_handler": {}, "community_worker": {}}
    for row in await conn.fetch(HOLDERS, district):
        found[row["role"]].setdefault(row["scope"], []).append(row["member"])
    return Holders(found["department_handler"], found["community_worker"])


def of(happened: Happened, around: Around, tree: Tree, holding: Holders) -> list[Telling]:
    """Everything that an event is told as, each member once for each kind; nobody is told what they did themselves."""
    told = dict.fromkeys((happened.issue, *one) for one in _told(happened, around, tree, holding))
    if happened.event == "resolve":  # whoever reported it as another issue is told of that one, which they can read
        told |= dict.fromkeys((part.issue, part.reporter, "resolved") for part in around.parts)
    return [
        Telling(
            member=member,
            kind=kind,
            issue=issue,
            cause=happened.id,
            happened_at=happened.happened_at,
            urgent=around.urgency == "emergency",
            level=happened.facts.get("level") if kind == "overdue" else None,
        )
        for issue, member, kind in told
        if member != happened.member
    ]


Told = Iterator[tuple[UUID, NoticeKind]]


def _told(happened: Happened, around: Around, tree: Tree, holding: Holders) -> Told:
    for department in _asked_for_opinion(happened.facts):
        yield from ((member, "opinion_wanted") for member in holding.handlers.get(department, ()))
    match happened.event:
        case "report":
            yield around.owner, "offered"
        case "assign" | "hand_on":
            yield from _passed_on(happened, around, holding)
        case "return" | "pause" | "extend" | "approve" | "refuse":
            yield from _judged(happened, around, tree)
        case "escalate":
            yield from ((UUID(member), "overdue") for member in happened.facts["told"])
        case _:
            yield from _ended(happened, around, tree, holding)
    if around.leader is not None:
        yield around.leader, "green_channel"


def _judged(happened: Happened, around: Around, tree: Tree) -> Told:
    """A request that waits for a dispatcher, or what became of one."""
    if happened.event in ("return", "pause", "extend"):
        if happened.facts.get("asked"):
            yield from ((member, "request") for member in tree.streets.get(around.street or "") or tree.dispatchers)
    elif around.asker is not None:
        granted = happened.event == "approve"
        yield around.asker, "granted" if granted else "refused"
        if granted and around.asked == "return":
            yield around.owner, "returned"


def _ended(happened: Happened, around: Around, tree: Tree, holding: Holders) -> Told:
    """What is solved, asked about, taken up again, or one with another."""
    reporter = [around.reporter] if around.reporter else []
    match happened.event:
        case "resolve":
            yield from ((member, "resolved") for member in reporter)
        case "invite":
            asking = reporter if around.reporter != around.owner else []  # who solved it does not ask about it
            yield from ((member, "invited") for member in asking or holding.workers.get(around.community or "", ()))
        case "reopen":
            above = tree.told(1, around.owner, around.organisation, around.street)
            yield from ((member, "reopened") for member in (around.owner, *above))
        case "merge" | "absorb":
            yield from ((member, "merged") for member in (around.owner, *reporter))
        case _:
            pass


def _passed_on(happened: Happened, around: Around, holding: Holders) -> Told:
    offered = happened.facts.get("offered_to")
    passed_to_member = bool(offered) or around.owner != around.owner_before
    if offered:
        yield UUID(offered), "offered"
    if around.owner != around.owner_before:
        yield around.owner, "handed_on" if happened.event == "hand_on" else "offered"
    # A department may have been named by the category before anybody assigned it.
    if around.department and (around.department != around.department_before or not passed_to_member):
        for member in holding.handlers.get(around.department, ()):
            yield member, "department_assigned"


def _asked_for_opinion(facts: Mapping[str, Any]) -> Sequence[str]:
    """The departments of a joint review that an event asks."""
    asked = facts.get("asked_departments", ())
    return [one for one in asked if isinstance(one, str)] if isinstance(asked, list | tuple) else []
