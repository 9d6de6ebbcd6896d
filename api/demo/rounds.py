"""Three rounds of the demo district: of the members of one organisation last month's, over and published, and one that
is under way; and last month's of four service windows, whose stars stand on the public board."""

from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection

from api.assessments import shipped_instruments
from api.demo.people import Population
from api.demo.points import ADMINISTRATOR
from api.demo.words import chances, new_id
from api.demo.workdays import ZONE, midnight
from surveys.assessments import appeals, raters, ratings, results, round_changes, rounds, windows
from surveys.assessments.appeals import AppealDraft, Ruling
from surveys.assessments.instruments import Group, Instrument
from surveys.assessments.ratings import RatingDraft
from surveys.assessments.round_changes import Ending, RoundDraft
from surveys.assessments.rounds import Round
from surveys.assessments.windows import WindowDraft
from surveys.history import Actor
from surveys.people.people import Reader
from surveys.reports import report_periods

INSTRUMENT = "member"
DAYS = {  # after the opening
    "self_until": 3,
    "people_until": 6,
    "peers_until": 7,
    "leaders_until": 9,
    "first_at": 10,
    "appeals_until": 13,
    "decisions_until": 15,
}
CLOSED_BEFORE, OPENED_BEFORE = 17, 2  # days before today
WHO_RATE = {"self": 1.0, "peers": 0.9, "leaders": 0.95}  # of those who were asked
UNDER_WAY = {"self": 0.5, "peers": 0.2, "leaders": 0.0}
PEOPLE = 3  # of the people, on paper, for each
WINDOWS = ("社保医保窗口", "企业开办窗口", "证照综合窗口", "便民服务窗口")
SERVED = 12  # of those who were served at a window, by the code on a slip

# Organisations of some members, each with the one who answers for its window.
AT_WINDOWS = """
select organisation, (array_agg(id order by number))[1] as member from member
where district = $1 and closed_at is null group by organisation having count(*) >= 3 order by organisation limit $2
"""

# The organisation of the member who is shown, if it has no more than a branch; else one with a handful of members.
ORGANISATION = """
select m.organisation from member m where m.district = $1 and m.closed_at is null
group by m.organisation order by (bool_or(m.id = $2) and count(*) between 4 and 60) desc nulls last,
  count(*) between 4 and 12 desc, abs(count(*) - 6), m.organisation
limit 1
"""
ASKED = "select subject, rater_group, rater from round_rater where district = $1 and round = $2 order by 1, 2, 3"


async def load(conn: Connection, district: int, everybody: Population, shown: UUID | None, today: date) -> None:
    """Write the rounds. Run it in the demo's transaction, once it has visits and issues."""
    rng = chances("rounds")
    number = await conn.fetchval(ADMINISTRATOR, district)
    administrator = everybody.reader(district, next(one for one in everybody.members if one.id == number))
    organisation = await conn.fetchval(ORGANISATION, district, shown)
    instrument = shipped_instruments.instrument(INSTRUMENT)
    period = report_periods.latest("month", ZONE, midnight(today) - timedelta(days=CLOSED_BEFORE))
    theirs = {"scope_kind": "organisation", "scope": str(organisation)}
    first = await _make(
        conn, administrator, instrument, f"{period.name} 党员考核", period.name, today, CLOSED_BEFORE, rng, theirs
    )
    await _rate(conn, first, instrument, WHO_RATE, rng, PEOPLE)
    await _appeal(conn, administrator, first, instrument, rng)
    await _publish(conn, administrator, first, rng)
    latest = report_periods.latest("month", ZONE, midnight(today))
    second = await _make(
        conn, administrator, instrument, f"{latest.name} 党员考核", latest.name, today, OPENED_BEFORE, rng, theirs
    )
    await _rate(conn, second, instrument, UNDER_WAY, rng, 0)
    await _rate_windows(conn, administrator, period.name, today)


async def _rate_windows(conn: Connection, reader: Reader, period: str, today: date) -> None:
    """Windows that were opened a year ago, rated by those whom they served."""
    rng = chances("windows")
    opened = midnight(today) - timedelta(days=365)
    staff = await conn.fetch(AT_WINDOWS, reader.district, len(WINDOWS))
    for name, row in zip(WINDOWS, staff, strict=False):
        draft = WindowDraft(id=new_id(rng), name=name, organisation=row["organisation"], member=row["member"])
        await windows.add(conn, reader, draft, opened)
    instrument = shipped_instruments.instrument("window")
    found = await _make(
        conn, reader, instrument, f"{period} 服务窗口评星", period, today, CLOSED_BEFORE, rng, {"stars_public": True}
    )
    await _rate(conn, found, instrument, WHO_RATE, rng, SERVED)
    await raters.turn(conn, found.district, found.first_at)
    await results.work_out(conn, found.district, found.id, new_id(rng), found.first_at)
    await _publish(conn, reader, found, rng)


async def _make(
    conn: Connection, reader: Reader, instrument: Instrument, name: str, period: str, today: date, before: int,
    rng: Random, of: dict[str, Any],
) -> Round:  # fmt: skip
    opens = midnight(today) - timedelta(days=before)
    dates: dict[str, Any] = {name: opens + timedelta(days=days) for name, days in DAYS.items()}
    draft = RoundDraft(
        id=new_id(rng),
        name=name,
        instrument=instrument.id,
        instrument_version=instrument.version,
        period=period,
        late_leaders=True,
        opens_at=opens,
        **dates,
        **of,
    )
    await round_changes.make(conn, reader, draft, opens - timedelta(hours=8))
    await raters.turn(conn, reader.district, opens)
    return await rounds.one(conn, reader.district, draft.id)


async def _rate(
    conn: Connection, found: Round, instrument: Instrument, share: dict[str, float], rng: Random, people: int
) -> None:
    at = found.opens_at + timedelta(hours=10)
    subjects = set()
    for row in await conn.fetch(ASKED, found.district, found.id):
        subjects.add(row["subject"])
        if rng.random() < share[row["rater_group"]]:
            await _give(conn, found, instrument, row["rater_group"], row["subject"], row["rater"], at, rng)
    for subject in sorted(subjects):
        for _ in range(people):
            await _give(conn, found, instrument, "people", subject, None, at, rng)


async def _give(
    conn: Connection, found: Round, instrument: Instrument, group: Group, subject: UUID, rater: UUID | None,
    at: datetime, rng: Random,
) -> None:  # fmt: skip
    usual = 0.8 + rng.random() * 0.18
    points: dict[str, float | None] = {
        item.code: min(float(item.maximum), round(float(item.maximum) * (usual + rng.uniform(-0.1, 0.1)) * 2) / 2)
        for item in instrument.items
        if group in item.raters
    }
    draft = RatingDraft(id=new_id(rng), group=group, points=points, evidence="有台账和照片" if rater else None)
    actor = Actor("member", str(rater)) if rater else Actor("resident", "code")
    await ratings.keep(conn, found, subject, draft, rater, "session" if rater else "code", actor, at)


# Who was rated and spoke for themselves.
RATED = """
select subject from round_subject where district = $1 and round = $2 and skipped is null order by subject limit 1
"""


async def _appeal(conn: Connection, reader: Reader, found: Round, instrument: Instrument, rng: Random) -> None:
    """The first result, and an appeal that was upheld."""
    await raters.turn(conn, found.district, found.first_at)
    await results.work_out(conn, found.district, found.id, new_id(rng), found.first_at)
    subject = await conn.fetchval(RATED, found.district, found.id)
    own = msgspec.structs.replace(reader, member=subject)
    item = next(one for one in instrument.items if one.raters)
    at = found.first_at + timedelta(hours=11)
    appeal = AppealDraft(id=new_id(rng), item=item.code, reason="有两次服务记在了纸质台账上，没有计入。")
    await appeals.make(conn, own, found.id, subject, appeal, at)
    ruling = Ruling(
        id=new_id(rng), expected_version=1, upheld=True, points=float(item.maximum), reason="台账属实，补记。"
    )
    if not await conn.fetchval(appeals.HAS_RATED, found.district, found.id, subject, reader.member):
        await appeals.decide(conn, reader, found.id, appeal.id, ruling, at + timedelta(hours=3))


async def _publish(conn: Connection, reader: Reader, found: Round, rng: Random) -> None:
    """The final result, published."""
    await raters.turn(conn, found.district, found.decisions_until)
    await results.work_out(conn, found.district, found.id, new_id(rng), found.decisions_until)
    version = (await rounds.one(conn, found.district, found.id)).version
    ending = Ending(id=new_id(rng), expected_version=version)
    await round_changes.publish(conn, reader, found.id, ending, found.decisions_until + timedelta(hours=1))
