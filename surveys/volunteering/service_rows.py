"""A service as it is kept: its row, the lock under which it changes, and how a change is written with its history."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from maps.coordinates import System
from surveys import history
from surveys.history import Actor, Row, event_row, text_row
from surveys.issues.placing import Certainty, Source
from surveys.refusals import IdTaken, NotFound

ServiceKind = Literal[
    "policy", "arts", "wellbeing", "technology", "jobs", "environment", "safety", "learning", "neighbours", "other"
]
ServiceState = Literal["announced", "cancelled", "reported", "confirmed"]


class ServiceRow(Struct, frozen=True, kw_only=True):
    """A row of the table `service`, column by column; persons are counted by their bookings."""

    district: int
    id: UUID
    version: int
    team: UUID
    kind: ServiceKind
    state: ServiceState
    starts_at: datetime
    ends_at: datetime
    places: int
    waiting_places: int
    booked: int = 0
    waiting: int = 0
    bookings: int = 0
    position_lon: float | None = None
    position_lat: float | None = None
    accuracy_m: float | None = None
    position_system: System | None = None
    position_source: Source | None = None
    lon: float | None = None
    lat: float | None = None
    cell: int | None = None
    community: str | None = None
    certainty: Certainty
    boundary_version: int | None = None
    text_version: int
    announced_by: UUID
    announced_at: datetime
    reminded_at: datetime | None = None
    cancelled_at: datetime | None = None
    helped: int | None = None
    reported_by: UUID | None = None
    reported_at: datetime | None = None
    confirmed_by: UUID | None = None
    confirmed_at: datetime | None = None
    recorded_at: datetime

    @property
    def free(self) -> int:
        """How many more can have a place; none while somebody waits for one."""
        return 0 if self.waiting else self.places - self.booked


ROW = ", ".join(ServiceRow.__struct_fields__)
LOCK = f"select {ROW} from service where district = $1 and id = $2 for no key update"


async def lock(conn: Connection, district: int, service: UUID) -> ServiceRow:
    """A service, until the transaction ends: who books, cancels or changes it comes one after another. Raises
    NotFound."""
    found = await conn.fetchrow(LOCK, district, service)
    if found is None:
        raise NotFound
    return ServiceRow(**found)


INSERT = f"insert into service ({ROW}) select {ROW} from json_populate_record(null::service, $1)"
UPDATE = f"""
update service set ({ROW}) = (select {ROW} from json_populate_record(null::service, $1))
where district = $2 and id = $3
"""


class ServiceChange(Struct, frozen=True, kw_only=True):
    """What becomes of a service: its row after it, and the event that tells of it. Its texts are told where they
    change; the reason is a text of the event itself."""

    id: UUID
    before: ServiceRow | None  # None for one that is new
    after: ServiceRow
    event: str
    actor: Actor
    facts: Mapping[str, object] = {}
    texts: Mapping[str, str | None] | None = None
    reason: str | None = None
    request: bytes | None = None


async def write(conn: Connection, change: ServiceChange, now: datetime) -> ServiceRow:
    """Write a service as it is after a change, with its next version, its texts and its history."""
    before, after = change.before, change.after
    after = msgspec.structs.replace(after, version=before.version + 1 if before else 1)
    texts: list[Row] = []
    facts = _changed(before, after) | dict(change.facts)
    if change.texts is not None:
        number = before.text_version + 1 if before else 1
        after = msgspec.structs.replace(after, text_version=number)
        text, digest = text_row(after.district, after.id, number, change.texts, now)
        texts.append(text)
        facts |= {"text_version": number, "text_digest": digest}
    if change.reason:
        text, digest = text_row(after.district, change.id, 1, {"reason": change.reason}, now)
        texts.append(text)
        facts["reason_digest"] = digest
    if before is None:
        await conn.execute(INSERT, after)
    else:
        await conn.execute(UPDATE, after, after.district, after.id)
    await history.append(conn, [_event(change, after, facts, now)], texts)
    return after


UNTOLD = frozenset({"district", "id", "version", "text_version", "recorded_at", "booked", "waiting", "bookings"})


def _changed(before: ServiceRow | None, after: ServiceRow) -> Row:
    """The columns that are no longer what they were; of a new service, those that hold something."""
    columns = msgspec.structs.asdict(after)
    was = msgspec.structs.asdict(before) if before else {}
    return {name: value for name, value in columns.items() if name not in UNTOLD and value != was.get(name)}


def _event(change: ServiceChange, after: ServiceRow, facts: Row, now: datetime) -> Row:
    return event_row(
        district=after.district,
        id=change.id,
        kind="service",
        thing=after.id,
        version=after.version,
        event=change.event,
        actor=change.actor,
        happened_at=now,
        recorded_at=now,
        facts=facts,
        request=change.request,
    )


TOLD = "select thing, actor_kind, actor, request from history where district = $1 and id = $2"


async def told_before(conn: Connection, district: int, id_: UUID, thing: UUID, actor: Actor, request: bytes) -> bool:
    """Whether this was asked for before, by the same and about the same thing. Raises IdTaken where it was something
    else, or somebody else."""
    row = await conn.fetchrow(TOLD, district, id_)
    if row is None:
        return False
    if (row["thing"], row["actor_kind"], row["actor"], row["request"]) != (thing, actor.kind, actor.id, request):
        raise IdTaken("id")
    return True


async def texts_of(conn: Connection, row: ServiceRow) -> dict[str, str]:
    """What is said of a service: title, about, bring, place; done, and why it was cancelled."""
    return await history.text(conn, row.district, row.id, row.text_version)
