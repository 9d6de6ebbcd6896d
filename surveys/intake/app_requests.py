"""Where the reports of a city app stand: open or closed, and no more of it than a resident reads on their card's page.

An app sees what it filed itself; where the district lets it see its whole scope, it sees of others' only what they are
about, in which community and where they stand: no text, no place, nobody's name."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Connection, Record
from msgspec import Struct

from surveys.contact_cards.card_doors import DoorIssue
from surveys.intake.integrations import App
from surveys.issues import merging
from surveys.issues.placing import Point
from surveys.issues.workflow import OPEN, State
from surveys.people.scopes import Parameters

MOST = 1_000  # in one answer


class Asked(Struct, frozen=True, kw_only=True):
    """Which requests: those with these numbers or, without any, of these categories in this time."""

    numbers: Sequence[int] = ()
    categories: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    open: bool | None = None
    limit: int = MOST
    skip: int = 0


class Standing(Struct, frozen=True, kw_only=True):
    """Where something stands."""

    state: State
    due_at: datetime
    due_provisional: bool
    paused_at: datetime | None
    resolved_at: datetime | None
    department: str | None
    updated_at: datetime


class Request(Struct, frozen=True, kw_only=True):
    """A report; `text`, `title` and `place` are told to who filed it. One that was merged stands where its survivor
    does."""

    id: UUID
    number: str
    own: bool
    category: str
    category_name: str
    reported_at: datetime
    title: str | None
    text: str | None
    place: Point | None
    community: str | None
    community_name: str | None
    merged: bool
    standing: Standing

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        return self.standing.state in OPEN

    def as_on_a_card(self) -> DoorIssue:
        """What a card's page would say it from."""
        stands = self.standing
        return DoorIssue(
            id=self.id,
            number=self.number,
            title=self.title,
            reported_at=self.reported_at,
            merged=self.merged,
            state=stands.state,
            due_at=stands.due_at,
            due_provisional=stands.due_provisional,
            paused_at=stands.paused_at,
            resolved_at=stands.resolved_at,
            department=stands.department,
            owner="",
            asked=None,
        )


STANDS = """
select i.id, i.state, i.due_at, i.due_provisional, i.paused_at, i.resolved_at, d.name as department,
       coalesce(s.valid_from, i.reported_at) as updated_at
from issue i
left join issue_spans s on s.district = i.district and s.issue = i.id and s.version = i.version
left join department d on d.district = i.district and d.code = i.department
where i.district = $1 and i.id = any($2)
"""
FOUND = """
select i.id, i.number::text, i.integration is not distinct from {app} as own, i.category, k.name as category_name,
       i.reported_at, i.lon, i.lat, i.community, c.name as community_name, i.merged_into is not null as merged,
       t.body->>'title' as title, t.body->>'description' as description
from issue i
join category k on k.district = $1 and k.code = i.category
left join community c on c.district = $1 and c.code = i.community
left join text_version t on t.district = $1 and t.subject = i.id and t.version = i.text_version
where i.district = $1 and {conditions}
order by i.reported_at desc, i.id desc limit {limit} offset {skip}
"""


async def requests(conn: Connection, app: App, asked: Asked) -> list[Request]:
    """The requests that this app may see, newest first; a merged one is looked at where it led to, so that a part may
    hold fewer than its limit when it is asked for what is open or closed."""
    parameter = Parameters(app.district)
    conditions = " and ".join(_conditions(app, asked, parameter))
    query = FOUND.format(
        app=f"{parameter(app.id)}::uuid",
        conditions=conditions,
        limit=parameter(asked.limit),
        skip=parameter(asked.skip),
    )
    rows = await conn.fetch(query, *parameter.values)
    survivors = await merging.survivors(conn, app.district, [row["id"] for row in rows])
    stands = {
        row["id"]: msgspec.convert({name: value for name, value in row.items() if name != "id"}, Standing)
        for row in await conn.fetch(STANDS, app.district, list(set(survivors.values())))
    }
    found = [_request(row, stands[survivors[row["id"]]]) for row in rows]
    return [one for one in found if asked.open is None or one.open == asked.open]


def _conditions(app: App, asked: Asked, parameter: Parameters) -> list[str]:
    conditions = []
    if app.sees == "own":
        conditions.append(f"i.integration = {parameter(app.id)}")
    elif app.communities is not None:
        reached = f"i.community = any({parameter(list(app.communities))}::text[])"
        conditions.append(f"({reached} or i.integration = {parameter(app.id)})")
    if asked.numbers:
        return [*conditions, f"i.number = any({parameter(list(asked.numbers))}::bigint[])"]
    if asked.categories:
        conditions.append(f"i.category = any({parameter(list(asked.categories))}::text[])")
    if asked.since is not None:
        conditions.append(f"i.reported_at >= {parameter(asked.since)}")
    if asked.until is not None:
        conditions.append(f"i.reported_at <= {parameter(asked.until)}")
    if asked.open is not None:
        states = sorted(OPEN) if asked.open else ["resolved", "closed", "rejected"]
        conditions.append(f"i.state = any({parameter([*states, 'merged'])}::text[])")
    return conditions or ["true"]


def _request(row: Record, standing: Standing) -> Request:
    own: bool = row["own"]
    return Request(
        id=row["id"],
        number=row["number"],
        own=own,
        category=row["category"],
        category_name=row["category_name"],
        reported_at=row["reported_at"],
        title=row["title"] if own else None,
        text=(row["description"] or row["title"]) if own else None,
        place=Point(row["lon"], row["lat"]) if own and row["lon"] is not None else None,
        community=row["community"],
        community_name=row["community_name"],
        merged=row["merged"],
        standing=standing,
    )


OF_TOKEN = "select number::text from issue where district = $1 and integration = $2 and id = $3"


async def number(conn: Connection, app: App, id_: UUID) -> str | None:
    """The number of a report that this app filed."""
    found: str | None = await conn.fetchval(OF_TOKEN, app.district, app.id, id_)
    return found
