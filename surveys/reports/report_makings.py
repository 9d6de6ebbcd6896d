"""The making of briefs: what is to be made, by the schedule or because somebody asked, how far it has come, and each
one made and kept in a transaction of its own, so that what is broken off goes on where it was."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import ClassVar, Literal
from uuid import UUID, uuid4

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.history import Actor, occurrence
from surveys.people.people import District
from surveys.refusals import Conflict, NotFound
from surveys.reports import report_periods, report_sources, reports
from surveys.reports.report_periods import Period
from surveys.reports.report_sources import Sources
from surveys.reports.reports import Figures, Scope, ScopeKind

State = Literal["waiting", "making", "done", "failed", "cancelled"]
FROM_O_CLOCK = time(6)  # local: what phones bring in the evening is there by then
JOB = Actor("job", "make_reports")


class PeriodNotOver(Conflict):
    """A week or month is told of when it has passed."""

    code: ClassVar[str] = "period_not_over"


class Making(Struct, frozen=True, kw_only=True):
    """Briefs that are to be made, are being made, or were."""

    id: UUID
    period: str
    scope_kind: ScopeKind | None
    scope: str | None
    asked_by: UUID | None
    asked_at: datetime
    anew: bool
    state: State
    wanted: int | None
    made: int
    problem: str | None
    facts: dict[str, object] | None
    ended_at: datetime | None


COLUMNS = ", ".join(Making.__struct_fields__)


# --- asking for them

# There is something to tell of a period when anything was reported or visited by its end.
ANYTHING = """
select exists (select from issue where district = $1 and reported_at < $2)
    or exists (select from visit where district = $1 and started_at < $2)
"""
SCHEDULE = """
insert into report_making (district, id, period, asked_at, anew, state, made)
values ($1, $2, $3, $4, false, 'waiting', 0)
on conflict (district, period) where asked_by is null and scope_kind is null do nothing returning id
"""


async def schedule(conn: Connection, district: District, now: datetime) -> list[UUID]:
    """Put down the last week and the last month that are over, once each, from early in the morning on; those that are
    new."""
    new: list[UUID] = []
    for kind in report_periods.KINDS:
        period = report_periods.latest(kind, district.zone, now)
        ends = period.ends(district.zone)
        if now < datetime.combine(ends.astimezone(district.zone).date(), FROM_O_CLOCK, district.zone):
            continue
        if await conn.fetchval(ANYTHING, district.district, ends):
            new += [row["id"] for row in await conn.fetch(SCHEDULE, district.district, uuid4(), period.name, now)]
    return new


ASK = f"""
insert into report_making (district, id, period, scope_kind, scope, asked_by, asked_at, anew, state, made)
values ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', 0) returning {COLUMNS}
"""


async def ask(
    conn: Connection,
    district: District,
    period: Period,
    scope: Scope | None,
    member: UUID | None,
    now: datetime,
    *,
    anew: bool = False,
) -> Making:
    """Put down the briefs of a period, of one place or of all. Raises PeriodNotOver."""
    refuse_unended(district, period, now)
    where = (scope.kind, scope.code) if scope else (None, None)
    row = await conn.fetchrow(ASK, district.district, uuid4(), period.name, *where, member, now, anew)
    return Making(**dict(row or {}))


def refuse_unended(district: District, period: Period, now: datetime) -> None:
    """Raises PeriodNotOver."""
    if not period.over(district.zone, now):
        raise PeriodNotOver("period", ends=period.ends(district.zone).isoformat())


CANCEL = """
update report_making set state = 'cancelled', ended_at = $3
where district = $1 and id = $2 and state in ('waiting', 'making') returning id
"""


async def cancel(conn: Connection, district: int, making: UUID, now: datetime) -> None:
    """Make no more of them; what is made stays. Raises NotFound for what is not under way."""
    if await conn.fetchval(CANCEL, district, making, now) is None:
        raise NotFound


# --- making them

ONE = f"select {COLUMNS} from report_making where district = $1 and id = $2"


async def one(conn: Connection, district: int, making: UUID) -> Making:
    """A making. Raises NotFound."""
    row = await conn.fetchrow(ONE, district, making)
    if row is None:
        raise NotFound
    return Making(**row)


WAITING = f"""
select {COLUMNS} from report_making where district = $1 and state in ('waiting', 'making') order by asked_at, id
"""


async def waiting(conn: Connection, district: int) -> list[Making]:
    """What is not made yet, the oldest first."""
    return [Making(**row) for row in await conn.fetch(WAITING, district)]


# One that failed is tried again when somebody has it tried.
RESUME = """
update report_making set state = 'making', ended_at = null, problem = null, facts = null
where district = $1 and id = $2 and state in ('waiting', 'making', 'failed') returning id
"""


async def resume(conn: Connection, district: int, making: UUID) -> bool:
    """Begin, or go on; False for what is done or was cancelled."""
    return await conn.fetchval(RESUME, district, making) is not None


BEGIN = """
update report_making set wanted = $3 where district = $1 and id = $2
"""


async def begin(conn: Connection, district: int, making: UUID, wanted: int) -> None:
    """Say how many there will be."""
    await conn.execute(BEGIN, district, making, wanted)


MADE = "select scope_kind, scope from report where district = $1 and making = $2"


async def lacking(conn: Connection, district: int, making: UUID, scopes: Sequence[Scope]) -> list[Scope]:
    """Those of the places whose brief is still to be made."""
    made = {(row["scope_kind"], row["scope"]) for row in await conn.fetch(MADE, district, making)}
    return [scope for scope in scopes if (scope.kind, scope.code) not in made]


# Locked until the end of the transaction, so that one that was cancelled is not gone on with.
GOING_ON = "select true from report_making where district = $1 and id = $2 and state = 'making' for no key update"
VERSION = """
select coalesce(max(version), 0) from report where district = $1 and period = $2 and scope_kind = $3 and scope = $4
"""
COUNT = "update report_making set made = made + 1 where district = $1 and id = $2"


async def make(
    conn: Connection, sources: Sources, making: Making, scope: Scope, now: datetime, by: Actor = JOB
) -> bool:
    """Make the brief of one place and keep it, in the transaction that is open; one that is there already, and was not
    asked for anew, stays the only one. Whether the making goes on."""
    district = sources.district.district
    if not await conn.fetchval(GOING_ON, district, making.id):
        return False
    version = await conn.fetchval(VERSION, district, making.period, scope.kind, scope.code)
    if making.anew or not version:
        figures = await report_sources.brief(conn, sources, scope, version + 1)
        actor = Actor("member", str(making.asked_by)) if making.asked_by else by
        await keep(conn, district, figures, making.id, making.asked_by, actor, now)
    await conn.execute(COUNT, district, making.id)
    return True


KEEP = """
insert into report (district, id, period, first_day, scope_kind, scope, version, making, at, known_at, made_at, made_by,
                    figures, digest)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""


async def keep(
    conn: Connection, district: int, figures: Figures, making: UUID, member: UUID | None, by: Actor, now: datetime
) -> UUID:
    """Keep a brief, and tell the history of it; its id."""
    kept, id_ = reports.written(figures), uuid4()
    digest = reports.digest(kept)
    scope = figures.scope
    about = (figures.period, figures.first, scope.kind, scope.code, figures.version, making)
    times = (figures.at, figures.known_at, now)
    await conn.execute(KEEP, district, id_, *about, *times, member, kept.decode(), digest)
    facts: Mapping[str, object] = {
        "report": str(id_),
        "period": figures.period,
        "scope": f"{scope.kind}:{scope.code}",
        "version": figures.version,
        "known_at": figures.known_at.isoformat(),
        "digest": digest.hex(),
    }
    event = occurrence(
        district=district, kind="report", event="choose" if figures.chosen_by_hand else "make", actor=by, now=now,
        facts=facts,
    )  # fmt: skip
    await history.append(conn, [event], [])
    return id_


END = """
update report_making set state = $3, ended_at = $4, problem = $5, facts = $6
where district = $1 and id = $2 and state in ('waiting', 'making')
"""


async def end(
    conn: Connection,
    district: int,
    making: UUID,
    now: datetime,
    *,
    problem: str | None = None,
    facts: Mapping[str, object] | None = None,
) -> None:
    """Say that all are made, or why they cannot be."""
    state = "failed" if problem else "done"
    await conn.execute(END, district, making, state, now, problem, dict(facts) if facts else None)
