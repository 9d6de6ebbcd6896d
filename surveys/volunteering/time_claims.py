"""What was served, as it is said: booked at once, or held for a person because another one of the same volunteer
overlaps it, or because it is too long for one person."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.history import Actor, Row, event_row, request_digest
from surveys.refusals import IdTaken
from surveys.volunteering import time_rules
from surveys.volunteering.time_rules import Rules

State = Literal["booked", "held", "refused"]
Why = Literal["overlap", "long"]


class Claim(Struct, frozen=True, kw_only=True):
    """What somebody says that a volunteer served: in a service, or by help that was asked for."""

    id: UUID
    volunteer: UUID
    starts_at: datetime
    ends_at: datetime
    service: UUID | None = None
    help: UUID | None = None


class Weighed(Struct, frozen=True, kw_only=True):
    """A claim that was looked at; `other` is the claim that it overlaps. `new` says whether it was not there before."""

    claim: Claim
    minutes: int
    state: State
    why: Why | None = None
    other: UUID | None = None
    new: bool = True


KNOWN = """
select id, volunteer, starts_at, ends_at, service, help, minutes, state, why, other from time_claim
where district = $1 and id = any($2::uuid[])
"""
# Nothing that one person does at a stretch lasts a month; it bounds how far back is looked.
# The volunteers' accounts are locked, so that of two claims that come together the later sees the earlier.
OPEN = """
insert into time_account (district, id, version, kind, volunteer, opened_at, recorded_at)
select $1, v, 1, 'volunteer', v, $3, $3 from unnest($2::uuid[]) v order by v
on conflict (district, id) do nothing
"""
LOCK = "select id from time_account where district = $1 and id = any($2::uuid[]) order by id for no key update"
OVERLAPPING = """
select distinct on (g.id) g.id, c.id as other
from unnest($2::uuid[], $3::uuid[], $4::timestamptz[], $5::timestamptz[]) g(id, volunteer, starts_at, ends_at)
join time_claim c on c.district = $1 and c.volunteer = g.volunteer and c.state <> 'refused'
  and c.starts_at < g.ends_at and c.ends_at > g.starts_at and c.starts_at > g.starts_at - interval '31 days'
order by g.id, c.starts_at, c.id
"""
ADD = """
insert into time_claim (district, id, version, volunteer, service, help, starts_at, ends_at, minutes, state, why, other,
                        recorded_at)
select district, id, version, volunteer, service, help, starts_at, ends_at, minutes, state, why, other, recorded_at
from json_populate_recordset(null::time_claim, $1)
"""


async def record(
    conn: Connection, district: int, claims: Sequence[Claim], actor: Actor, now: datetime
) -> list[Weighed]:
    """Write claims in their order, each volunteer's account being opened if there is none, and locked. A claim that is
    known stays as it is. Raises IdTaken for one that is known with other content."""
    await open_accounts(conn, district, {claim.volunteer for claim in claims}, now)
    await conn.execute(LOCK, district, list({claim.volunteer for claim in claims}))
    known = await _known(conn, district, claims)
    fresh = [claim for claim in claims if claim.id not in known]
    others = await _overlapping(conn, district, fresh)
    rules = await time_rules.in_force(conn, district, now)
    weighed = {claim.id: _weighed(claim, others.get(claim.id), rules) for claim in fresh}
    new = list(weighed.values())
    if new:
        await conn.execute(ADD, [_row(district, one, now) for one in new])
        held = [_held(district, one, actor, now) for one in new if one.state == "held"]
        if held:
            await history.append(conn, held, [])
    return [known.get(claim.id) or weighed[claim.id] for claim in claims]


async def open_accounts(conn: Connection, district: int, volunteers: Iterable[UUID], now: datetime) -> None:
    """Open an account for each of these volunteers who has none."""
    await conn.execute(OPEN, district, list(set(volunteers)), now)


async def _known(conn: Connection, district: int, claims: Sequence[Claim]) -> dict[UUID, Weighed]:
    rows = await conn.fetch(KNOWN, district, [claim.id for claim in claims])
    known = {}
    for row in rows:
        values = dict(row)
        as_weighed = {name: values.pop(name) for name in ("minutes", "state", "why", "other")}
        known[row["id"]] = Weighed(claim=Claim(**values), new=False, **as_weighed)
    if any(claim.id in known and known[claim.id].claim != claim for claim in claims):
        raise IdTaken("id")
    return known


async def _overlapping(conn: Connection, district: int, claims: Sequence[Claim]) -> dict[UUID, UUID]:
    """The claim that each overlaps: one that there is, or one that comes before it here."""
    if not claims:
        return {}
    columns = ([getattr(claim, name) for claim in claims] for name in ("id", "volunteer", "starts_at", "ends_at"))
    found = {row["id"]: row["other"] for row in await conn.fetch(OVERLAPPING, district, *columns)}
    before: dict[UUID, list[Claim]] = {}
    for claim in claims:
        theirs = before.setdefault(claim.volunteer, [])
        for other in theirs:
            if other.starts_at < claim.ends_at and other.ends_at > claim.starts_at:
                found.setdefault(claim.id, other.id)
        theirs.append(claim)
    return found


def _weighed(claim: Claim, other: UUID | None, rules: Rules) -> Weighed:
    minutes = rules.minutes(claim.starts_at, claim.ends_at)
    if rules.too_long(claim.starts_at, claim.ends_at):
        return Weighed(claim=claim, minutes=minutes, state="held", why="long", other=other)
    if other is not None:
        return Weighed(claim=claim, minutes=minutes, state="held", why="overlap", other=other)
    return Weighed(claim=claim, minutes=minutes, state="booked")


def _row(district: int, one: Weighed, now: datetime) -> Row:
    return {
        **msgspec.structs.asdict(one.claim),
        "district": district,
        "version": 1,
        "minutes": one.minutes,
        "state": one.state,
        "why": one.why,
        "other": one.other,
        "recorded_at": now,
    }


def _held(district: int, one: Weighed, actor: Actor, now: datetime) -> Row:
    facts: Mapping[str, object] = {
        "volunteer": one.claim.volunteer,
        "service": one.claim.service,
        "help": one.claim.help,
        "minutes": one.minutes,
        "why": one.why,
        "other": one.other,
    }
    return event_row(
        district=district,
        id=uuid5(one.claim.id, "hold"),
        kind="time",
        thing=one.claim.id,
        version=1,
        event="hold",
        actor=actor,
        happened_at=one.claim.ends_at,
        recorded_at=now,
        facts={name: value for name, value in facts.items() if value is not None},
        request=request_digest(one.claim),
    )
