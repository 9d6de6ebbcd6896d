"""Showing what is sealed: for a purpose, to those who have something to ask, and never without a trace."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.counting import issue_lists
from surveys.counting.issue_lists import Item
from surveys.counting.issue_query import Filters, Moment, seen
from surveys.history import Actor, Kind, occurrence, text_row
from surveys.issues import workflow
from surveys.issues.standings import standings
from surveys.issues.workflow import Standing
from surveys.people.people import Reader
from surveys.privacy import contacts
from surveys.privacy.contacts import Contact
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NoContact, NotAllowed, NotFound, TextUnusable

MOST_FOUND = 200  # issues that one number can lead to


class Found(Struct, frozen=True):
    """The issues of a resident, newest first."""

    items: list[Item]


# What the reader is to an issue depends on these.
STANDS = """
select s.id, s.owner, s.reporter, s.community, c.street, s.department, s.agent
from seen s left join community c on c.district = $1 and c.code = s.community
where {}
"""

LOOKED_UP = """
s.id in (select subject from sealed_field where district = $1 and look_up = ${0}) order by s.reported_at desc, s.id desc
limit ${1}
"""


async def reveal(
    conn: Connection, ring: KeyRing, reader: Reader, issue: UUID, purpose: str, zone: ZoneInfo, now: datetime
) -> Contact:
    """A contact in plain text, for a purpose that the history keeps.

    Raises NotFound, NotAllowed, TextUnusable, NoContact, and what KeyRing.open raises."""
    stands = await _standings(conn, reader, issue, zone, now)
    if stands is None:
        raise NotFound
    if not workflow.REVEALING & stands:
        raise NotAllowed
    refuse_blank(purpose)
    kept = (await contacts.of_issues(conn, reader.district, [issue]))[issue]
    if not kept.fields:
        raise NoContact
    contact = kept.plain(ring)
    await tell(
        conn,
        district=reader.district,
        kind="reveal",
        event="shown",
        actor=Actor("member", str(reader.member)),
        about=issue,
        facts={"fields": sorted(kept.fields)},
        purpose=purpose,
        now=now,
    )
    return contact


async def search(
    conn: Connection, ring: KeyRing, reader: Reader, phone: str, zone: ZoneInfo, now: datetime
) -> list[Item]:
    """The issues that this phone number was left with, of those whose contact the reader may see, newest first.

    The history keeps that a number was looked for and what it led to, never the number. Raises NotAllowed,
    PhoneUnusable."""
    reader.require("member", "community_worker", "dispatcher", "department_handler", "administrator")
    contacts.check_phone(phone, "phone")
    query = await seen(conn, reader, Filters(), zone, Moment(now))
    first = len(query.parameters) + 1
    found = await conn.fetch(
        f"{query.text}{STANDS.format(LOOKED_UP.format(first, first + 1))}",
        *query.parameters,
        ring.look_up(phone),
        MOST_FOUND,
    )
    within = [row["id"] for row in found if (workflow.REVEALING | {"reporter"}) & _of_row(reader, row)]
    event = occurrence(
        district=reader.district,
        kind="reveal",
        event="searched",
        actor=Actor("member", str(reader.member)),
        now=now,
        facts={"issues": [str(issue) for issue in within]},
    )
    await history.append(conn, [event], [])
    return await issue_lists.of_ids(conn, reader, within, zone, now)


def refuse_blank(purpose: str) -> None:
    """Raises TextUnusable for a purpose that says nothing."""
    if not purpose.strip():
        raise TextUnusable("purpose")


async def tell(
    conn: Connection,
    *,
    district: int,
    kind: Kind,
    event: str,
    actor: Actor,
    purpose: str,
    now: datetime,
    facts: Mapping[str, object],
    about: UUID | None = None,
) -> UUID:
    """Write an event with the purpose that somebody gave, which it names by its digest; returns the event's id."""
    id_ = uuid4()
    text, digest = text_row(district, id_, 1, {"reason": purpose.strip()}, now)
    row = occurrence(
        district=district,
        id=id_,
        kind=kind,
        event=event,
        actor=actor,
        now=now,
        about=about,
        facts={**facts, "reason_digest": digest},
    )
    await history.append(conn, [row], [text])
    return id_


async def _standings(
    conn: Connection, reader: Reader, issue: UUID, zone: ZoneInfo, now: datetime
) -> frozenset[Standing] | None:
    query = await seen(conn, reader, Filters(), zone, Moment(now))
    row = await conn.fetchrow(
        f"{query.text}{STANDS.format(f's.id = ${len(query.parameters) + 1}')}", *query.parameters, issue
    )
    return _of_row(reader, row) if row else None


def _of_row(reader: Reader, row: Any) -> frozenset[Standing]:
    return standings(
        reader,
        owner=row["owner"],
        reporter=row["reporter"],
        community=row["community"],
        street=row["street"],
        department=row["department"],
        agent=row["agent"],
    )
