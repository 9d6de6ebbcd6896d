"""Commitments of the demo district: kept, kept late, broken, overdue, under way, withdrawn, and one to be approved."""

from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID

from asyncpg import Connection

from api.demo.words import chances, new_id
from api.demo.workdays import ZONE, midnight
from surveys.assessments import commitment_moves, commitment_ratings
from surveys.assessments.commitment_ratings import MemberRating
from surveys.assessments.commitment_terms import CommitmentDraft, CommitmentMove, Move
from surveys.people import people
from surveys.people.people import Reader

# What is promised, days ago that it was, days that it has, days after which it was done, what a leader says, and of how
# many stars; the next to last one is withdrawn, and the last one still waits for the branch.
PROMISES = (
    ("每月为辖区独居老人上门理发、测血压一次", 60, 45, 40, True, 5),
    ("三十天内清理三号楼楼道堆物，打通消防通道", 58, 30, 24, True, 5),
    ("为沿街商户代办证照变更，材料齐全当天提交", 55, 40, 38, True, 4),
    ("一个月内补齐背街路灯十二盏", 52, 30, 41, True, 3),
    ("国庆前完成农贸市场门口积水整治", 50, 25, 24, False, 2),
    ("牵头协商小区停车位，两个月内拿出方案", 48, 30, None, None, 1),
    ("每周六上午在社区开办手机课堂", 40, 80, None, None, None),
    ("入冬前为困难户检修取暖设施", 35, 60, None, None, None),
    ("为辖区企业对接银行，帮助三家解决周转资金", 30, 70, 26, None, None),
    ("把楼院健身器材全部检修一遍", 28, 60, None, None, None),
    ("为孤寡老人每周送菜一次", 6, 60, None, None, None),
)
MEMBERS = """
select m.number, a.code as community from member m
join member_role r on r.district = $1 and r.member = m.id and r.role = 'member'
join lateral (
  select code from community where district = $1 order by md5(code || m.number) limit 1
) a on true
where m.district = $1 and m.closed_at is null order by m.number offset 20 limit $2
"""
HOLDS = """
select m.number from member_role r join member m on m.district = r.district and m.id = r.member
where r.district = $1 and r.role = $2 and r.scope_kind = 'district' and m.closed_at is null order by m.number limit 1
"""


async def load(conn: Connection, district: int, today: date) -> None:
    """Let members promise, the branch approve, and a leader say what became of it; nothing is dated today or later."""
    rng = chances("commitments")
    administrator = await holder(conn, district, "administrator")
    leader = await holder(conn, district, "leader")
    rows = await conn.fetch(MEMBERS, district, len(PROMISES))
    for at, (row, promise) in enumerate(zip(rows, PROMISES, strict=False)):
        reader = await people.reader(conn, district, row["number"])
        if reader is not None:
            last = len(PROMISES) - at
            await _live(conn, rng, (reader, administrator, leader), row["community"], promise, today, last)


async def holder(conn: Connection, district: int, role: str) -> Reader:
    """Somebody who holds a role for the whole district."""
    found = await people.reader(conn, district, await conn.fetchval(HOLDS, district, role))
    if found is None:
        raise LookupError(role)
    return found


async def _live(
    conn: Connection,
    rng: Random,
    who: tuple[Reader, Reader, Reader],
    community: str,
    promise: tuple[str, int, int, int | None, bool | None, int | None],
    today: date,
    last: int,
) -> None:
    reader, administrator, leader = who
    text, ago, lasts, done, kept, stars = promise
    made = midnight(today) - timedelta(days=ago) + timedelta(hours=9)
    draft = CommitmentDraft(
        id=new_id(rng),
        text=text,
        due_on=(made + timedelta(days=lasts)).astimezone(ZONE).date(),
        aim="communities",
        communities=(community,),
    )
    await commitment_moves.make(conn, reader, draft, ZONE, made)
    if last == 1:
        return
    await _move(conn, administrator, draft.id, "approve", 1, made + timedelta(hours=5), rng)
    if last == 2:
        reason = "器材已由街道统一更换"
        await _move(conn, reader, draft.id, "withdraw", 2, made + timedelta(days=9), rng, reason=reason)
    rated = made + timedelta(days=lasts + 3)
    if done is not None:
        rated = made + timedelta(days=done, hours=30)
        how = "已按承诺完成，现场核对过。"
        await _move(conn, reader, draft.id, "report_done", 2, made + timedelta(days=done, hours=7), rng, how=how)
        own = MemberRating(id=new_id(rng), rated_by="self", kept=True, stars=5)
        await commitment_ratings.rate(conn, reader, draft.id, own, made + timedelta(days=done, hours=8))
    if stars is not None and rated < midnight(today):
        good = bool(kept)
        reason_ = None if good and stars >= 3 else "群众反映没有解决"
        said = MemberRating(id=new_id(rng), rated_by="leader", kept=good, stars=stars, reason=reason_)
        await commitment_ratings.rate(conn, leader, draft.id, said, rated)


async def _move(
    conn: Connection, reader: Reader, commitment: UUID, move: Move, version: int, at: datetime, rng: Random, **more: str
) -> None:
    asked = CommitmentMove(id=new_id(rng), expected_version=version, move=move, **more)  # type: ignore[arg-type]
    await commitment_moves.move(conn, reader, commitment, asked, ZONE, at)
