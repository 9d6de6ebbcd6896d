"""The results of a round as they are read: all of them by rank, and one with how every point came about.

Who is rated sees their own, the first result in the step of appeals and the final one once it is published; who leads
or organises them sees theirs. Nobody sees by name what peers and the people gave, nor the average of fewer than must be
there to count."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import cursors
from surveys.assessments import (
    appeals,
    facts,
    instruments,
    ratings,
    results,
    round_progress,
    round_standing,
    rounds,
    score_reasons,
    scoring,
)
from surveys.assessments.appeals import Appeal
from surveys.assessments.facts import Pair
from surveys.assessments.instruments import FACTS, FactCode, Instrument
from surveys.assessments.round_progress import ComputationState
from surveys.assessments.round_standing import Standing
from surveys.assessments.round_steps import StepClosed
from surveys.assessments.rounds import Round
from surveys.assessments.score_reasons import ItemReason
from surveys.assessments.scoring import Decided
from surveys.people.people import Reader
from surveys.refusals import NotFound


class ResultItem(Struct, frozen=True, kw_only=True):
    """What somebody reached; `stars` as they were decided above, where they were, `reckoned` as they were worked out.
    Who was not rated has a reason instead."""

    subject: UUID
    name: str
    number: str | None  # of a member
    organisation: UUID
    organisation_name: str
    skipped: str | None
    percent: Decimal | None
    rank: int | None
    tied: int
    stars: int | None
    reckoned: int | None
    by_quota: bool


class ResultPage(Struct, frozen=True, kw_only=True):
    """A part of the results of a version, the best first; `total` counts all parts."""

    version: int
    kind: str
    items: list[ResultItem]
    next: str | None
    total: int | None = None


class DecisionItem(Struct, frozen=True, kw_only=True):
    """What was decided above on somebody's stars."""

    stars: int
    before: int | None
    decided_at: datetime
    decided_by: str
    reason: str


class FactItem(Struct, frozen=True, kw_only=True):
    """A fact: how many, and of how many where it is a share; with what is needed to open its list."""

    code: FactCode
    count: int | None
    of: int | None


class SubjectResult(Struct, frozen=True, kw_only=True):
    """The result of one subject with how it came about."""

    round: Round
    instrument: Instrument
    result: ResultItem
    other_organisation: UUID | None  # where a member who moved was else the longest
    other_leader: str | None  # who organises it
    computation: ComputationState
    versions: list[ComputationState]
    rated: int  # how many have a result
    headings: dict[str, Decimal | None]  # per cent by their codes
    reasons: tuple[ItemReason, ...]
    facts: list[FactItem]
    campaign: str | None
    appealed: dict[str, Decimal]  # points that items have by upheld appeals
    appeals: list[Appeal]
    decisions: list[DecisionItem]
    own: bool  # the reader is who is rated, or speaks for it
    may_appeal: bool
    may_decide: bool


class _Cursor(Struct, frozen=True, array_like=True):
    rank: int
    subject: UUID
    version: int


_ITEM = f"""
select s.subject, s.organisation, s.other, s.skipped, r.percent, r.rank, coalesce(r.tied, 0) as tied,
  r.stars as reckoned, coalesce(r.by_quota, false) as by_quota, coalesce(d.stars, r.stars) as stars,
  o.name as organisation_name, m.number,
  coalesce({ratings.NAMED.format(kind="q.subject_kind", district="$1", subject="s.subject")}, '') as name
from round_subject s
join rating_round q on q.district = $1 and q.id = s.round
join organisation o on o.district = $1 and o.id = s.organisation
left join member m on m.district = $1 and m.id = s.subject and q.subject_kind = 'member'
left join round_result r on r.district = $1 and r.round = s.round and r.version = $3 and r.subject = s.subject
left join lateral (
  select stars from round_decision d where d.district = $1 and d.round = s.round and d.subject = s.subject
  order by number desc limit 1) d on true
where s.district = $1 and s.round = $2
"""
LAST = 2_147_483_647  # the place of who has no rank
PAGE = f"""
{_ITEM} and ($4::uuid[] is null or s.organisation = any($4))
  and ($5::int is null or (coalesce(r.rank, {LAST}), s.subject) > ($5, $6))
order by coalesce(r.rank, {LAST}), s.subject limit $7
"""
TOTAL = """
select count(*) from round_subject
where district = $1 and round = $2 and ($3::uuid[] is null or organisation = any($3))
"""
ONE = f"{_ITEM} and s.subject = $4"


async def page(
    conn: Connection,
    reader: Reader,
    round_: UUID,
    *,
    version: int | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> ResultPage:
    """A part of the results of those whom the reader leads or organises, of the newest version if none is asked for.

    Raises NotAllowed, NotFound where there is none yet, and InvalidCursor."""
    organised = await rounds.organised(conn, reader, round_)
    after = cursors.read(cursor, _Cursor) if cursor else None
    computation = await ready(conn, organised.round, after.version if after else version)
    about = (reader.district, round_, computation.version, organised.standing.organisations)
    rows = await conn.fetch(PAGE, *about, after and after.rank, after and after.subject, limit + 1)
    items = [_item(row) for row in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    following = _Cursor(last.rank or LAST, last.subject, computation.version) if last else None
    total = await conn.fetchval(TOTAL, reader.district, round_, organised.standing.organisations)
    return ResultPage(
        version=computation.version,
        kind=computation.kind,
        items=items,
        next=cursors.write(following) if following else None,
        total=total,
    )


async def ready(conn: Connection, found: Round, version: int | None, *, all_of_them: bool = True) -> ComputationState:
    """The newest version of the results, or one that is asked for; else only of those that who is rated sees.

    Raises NotFound where it is not ready."""
    for one in reversed(await round_progress.computations(conn, found.district, found.id)):
        if one.ready_at is not None and version in (None, one.version) and (all_of_them or told(found, one)):
            return one
    raise NotFound


def _item(row: Any) -> ResultItem:
    columns = {name: row[name] for name in ResultItem.__struct_fields__ if name != "percent"}
    return ResultItem(**columns, percent=percent(row["percent"]))


def percent(ten_thousandths: int | None) -> Decimal | None:
    """Per cent as they are shown, to two digits."""
    return None if ten_thousandths is None else Decimal(ten_thousandths // 100).scaleb(-2)


# --- one of them

KEPT = """
select headings, counts, sums, facts, appealed from round_result
where district = $1 and round = $2 and version = $3 and subject = $4
"""
RATED = "select count(*) from round_result where district = $1 and round = $2 and version = $3 and percent is not null"
DECISIONS = """
select d.stars, d.before, d.decided_at, m.name as decided_by, coalesce(t.body->>'reason', '') as reason
from round_decision d
join member m on m.district = $1 and m.id = d.decided_by
left join text_version t on t.district = $1 and t.subject = d.id and t.version = 1
where d.district = $1 and d.round = $2 and d.subject = $3 order by d.number
"""
OTHER_LEADER = """
select m.name from member_role r join member m on m.district = $1 and m.id = r.member and m.closed_at is null
where r.district = $1 and r.role = 'organiser' and r.scope_kind = 'organisation' and r.scope = $2::uuid::text
order by m.number limit 1
"""
CAMPAIGN = """
select facts->>'campaign' from history
where district = $1 and kind = 'round' and event = 'results' and facts->>'about' = $2::uuid::text
  and facts ? 'campaign' and facts->>'computation' = '1' limit 1
"""


async def of_subject(
    conn: Connection, reader: Reader, round_: UUID, subject: UUID, now: datetime, *, version: int | None = None
) -> SubjectResult:
    """How the result of one subject came about. Raises NotFound for what this reader may not see, or not yet."""
    found = await rounds.one(conn, reader.district, round_)
    standing = await round_standing.of_reader(conn, reader)
    own = await appeals.speaks_for(conn, found, subject, reader.member)
    rated = await conn.fetchrow(ratings.SUBJECT, reader.district, round_, subject)
    reaches = rated is not None and standing.reaches(rated["organisation"])
    if not (reaches or own):
        raise NotFound
    computation = await ready(conn, found, version, all_of_them=reaches)
    row = await conn.fetchrow(ONE, reader.district, round_, computation.version, subject)
    if row is None:
        raise NotFound
    kept = await conn.fetchrow(KEPT, reader.district, round_, computation.version, subject)
    if kept is None:
        raise NotFound
    instrument = await instruments.of_version(conn, found.district, found.instrument, found.instrument_version)
    known, appealed = list(kept["facts"]), kept["appealed"]
    may_decide = await _may_decide(conn, standing, found, subject, row["organisation"], now)
    other = row["other"]
    return SubjectResult(
        round=found,
        instrument=instrument,
        result=_item(row),
        other_organisation=other,
        other_leader=await conn.fetchval(OTHER_LEADER, found.district, other) if other else None,
        computation=computation,
        versions=[
            one
            for one in await round_progress.computations(conn, found.district, found.id)
            if one.ready_at and (reaches or told(found, one))
        ],
        rated=await conn.fetchval(RATED, found.district, round_, computation.version),
        headings={
            heading.code: percent(share) for heading, share in zip(instrument.headings, kept["headings"], strict=True)
        },
        reasons=reasons(instrument, kept["counts"], kept["sums"], known, appealed),
        facts=[_fact(code, facts.pair(known, code)) for code in FACTS if facts.pair(known, code)[0] is not None],
        campaign=await conn.fetchval(CAMPAIGN, found.district, round_),
        appealed={code: Decimal(points).scaleb(-4).normalize() + 0 for code, points in appealed.items()},
        appeals=await appeals.of_round(conn, found, subject=subject),
        decisions=[DecisionItem(**one) for one in await conn.fetch(DECISIONS, found.district, round_, subject)],
        own=own,
        may_appeal=own and found.cancelled_at is None and now < found.appeals_until,
        may_decide=may_decide,
    )


def told(found: Round, computation: ComputationState) -> bool:
    """Whether who is rated sees a version: the first result as it comes, the final one once it is published."""
    return computation.kind == "first" or found.published_at is not None


def _fact(code: FactCode, counted: Pair) -> FactItem:
    return FactItem(code=code, count=counted[0], of=counted[1])


async def _may_decide(
    conn: Connection, standing: Standing, found: Round, subject: UUID, organisation: UUID, now: datetime
) -> bool:
    if not standing.decides or not standing.reaches(organisation):
        return False
    try:
        await appeals.refuse_who_rated(conn, standing, found, subject)
        appeals.refuse_decided(found, now)
    except (appeals.RatedItThemselves, StepClosed):
        return False
    return True


def reasons(
    instrument: Instrument, counts: list[int], sums: list[int], known: list[int | None], appealed: Decided
) -> tuple[ItemReason, ...]:
    """How the points of every item came about, worked out again from what was kept; without the averages of peers and
    people where fewer rated than must be there to count."""
    plan, values = scoring.plan(instrument), facts.values(known)
    result = scoring.score_tallies(plan, results.tallies(counts, sums), values, appealed)
    return tuple(_anonymous(reason) for reason in score_reasons.reasons(plan, result, values, appealed))


def _anonymous(reason: ItemReason) -> ItemReason:
    groups = tuple(
        msgspec.structs.replace(group, average=None)
        if group.group in ("peers", "people") and group.count < max(group.least, 2)
        else group
        for group in reason.groups
    )
    return msgspec.structs.replace(reason, groups=groups)
