"""A hundred thousand issues and more, with their lives and texts, made by a few set-based statements in seconds.

They come from a ledger of a year: most lie close to a few hundred places, as problems do, the rest anywhere; most are
closed. They are written by the role that owns the tables, as far as possible column by column.
"""

import itertools
import time
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import numpy as np

from maps import tiles
from surveys import history
from tests.bench import coverage, district
from tests.bench.district import DISTRICT

DAYS = 365
PLACES = 300  # around which problems gather
SEED = 410103
FIRST_ORGANISATION = 3_000_000
ORGANISATIONS_OF = 586

# How a life goes on: each state with the share of issues that stay in it.
LIFE = {"reported": 0.06, "accepted": 0.04, "assigned": 0.05, "in_progress": 0.07, "resolved": 0.08, "closed": 0.70}

WHERE = ["和平路", "人民巷", "铁路小区", "市场东门", "学校北墙", "河滨步道", "老干所", "公交枢纽", "幸福里", "五一新村"]
WHAT = [
    "垃圾堆放无人清理", "路灯夜间不亮", "下水道井盖松动", "门口占道经营", "消防通道被车辆堵塞", "绿化带枯死需要补种",
    "墙面小广告清理", "雨后路面积水严重", "楼道堆放杂物", "企业贷款手续办理缓慢", "电梯故障长期未修", "油烟直排扰民",
    "施工噪声深夜不停", "护栏破损存在隐患", "公厕异味明显", "宠物粪便无人收拾", "电动车飞线充电", "屋面漏水到楼道",
]  # fmt: skip

POINTS = (
    "create temporary table point (at int, lon float8, lat float8, cell int8, community text, states int, days float8)"
)
TEXTS = "create temporary table words (at int, body jsonb, bigrams text[])"

ORGANISATIONS = """
insert into organisation (district, id, parent, name)
select $1, lpad(to_hex($2::int + at), 32, '0')::uuid, o.id, '支部' || at
from generate_series(0, $3::int - 1) at, (select id from organisation where district = $1 and parent is null limit 1) o
"""

# What the rates are counted from, of an issue that has come to a step of its life: its first contact is the second,
# it is resolved at the fifth, and its resident is asked before the sixth.
MEASURES = {
    "first_contact_at": "case when {step} >= 2 then reported_at + pace end",
    "resolved_at": "case when {step} >= 5 then reported_at + 4 * pace end",
    "answer": "case when {step} = 6 then (array['solved', 'solved', 'solved', 'not_solved', 'not_answered'])"
    "[1 + number % 5] end",
    "satisfaction": "case when {step} = 6 and number % 5 < 4 then 5 - number % 4 end",
    "resolutions": "case when {step} >= 5 then 1 + (number % 13 = 0)::int else 0 end",
    "bounces": "case when {step} >= 3 then (number % 11 = 0)::int else 0 end",
    "reopens": "case when {step} >= 5 then (number % 13 = 0)::int else 0 end",
    "pauses": "case when {step} >= 4 then (number % 17 = 0)::int else 0 end",
}
PACE = "make_interval(hours => 3 + number::int % 40, secs => number % 3600 * 7919 % 3600)"

ISSUES = f"""
insert into issue (district, id, number, version, source, source_id, reported_at, category, urgency, channel, state,
  owner, department, organisation, clock_started_at, limit_version, limit_amount, limit_unit, due_at, response_due_at,
  held_since, position_lon, position_lat, accuracy_m,
  position_system, position_source, lon, lat, cell, community, certainty, boundary_version, text_version, recorded_at,
  {", ".join(MEASURES)})
select $1, ('00000000-0000-4000-8000-' || lpad(to_hex(at), 12, '0'))::uuid, number, states, 'ledger',
  'bench:' || at, reported_at, category, urgency, channel, ($3::text[])[states], owner, 'd' || (1 + at % 9),
  lpad(to_hex($6::int + at % $7::int), 32, '0')::uuid,
  reported_at, 1, hours, 'calendar_hours', reported_at + make_interval(hours => hours),
  reported_at + interval '24 hours',
  reported_at, lon, lat, null, 'wgs84', 'address', lon, lat, cell,
  community, 'inside', 1, 1, $2, {", ".join(text.format(step="states") for text in MEASURES.values())}
from (
  select *, {PACE} as pace from (
  select *, $2::timestamptz - make_interval(secs => days * 86400) as reported_at, 20000000 + at as number,
    ($4::text[])[1 + at % cardinality($4)] as category,
    case when at % 17 = 0 then 'urgent' else 'normal' end as urgency,
    case when at % 17 = 0 then 24 else 72 end as hours,
    (array['on_the_spot', 'joint_review', 'green_channel', 'agent'])[1 + at % 4] as channel,
    lpad(to_hex($5::int + 1 + at % 600), 32, '0')::uuid as owner
  from point) p) paced
"""

# A state lasts some hours more than the one before it; the last one lasts on.
SPANS = f"""
insert into issue_spans (district, issue, version, valid_from, valid_to, recorded_at, end_recorded_at,
  state, owner, department, community, category, urgency, channel, due_at, response_due_at, {", ".join(MEASURES)})
select $1, id, step, least(reported_at + (step - 1) * pace, $2::timestamptz),
  case when step < version then least(reported_at + step * pace, $2) else 'infinity' end, recorded_at,
  case when step < version then recorded_at else 'infinity' end, ($3::text[])[step], owner, department, community,
  category, urgency, channel, due_at, response_due_at,
  {", ".join(text.format(step="step") for text in MEASURES.values())}
from (select district, id, version, number, reported_at, recorded_at, owner, department, community, category, urgency,
        channel, due_at, response_due_at, {PACE} as pace from issue where district = $1) i,
  generate_series(1, version) step
"""

HISTORY = """
insert into history (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, facts)
select district, gen_random_uuid(), 'issue', issue, version, state, 'import', 'bench', valid_from, recorded_at,
  jsonb_build_object('state', state, 'owner', owner)
from issue_spans where district = $1
"""

WORDS = """
insert into text_version (district, subject, version, body, bigrams, salt, digest, recorded_at)
select i.district, i.id, 1, w.body, w.bigrams, '\\x00', sha256('\\x00'), i.recorded_at
from issue i join words w on w.at = i.number % $2 where i.district = $1
"""


async def write(dsn: str, count: int, *, told: bool = True) -> float:
    """Write so many issues into a database that has the bench's district, as its owner; returns the seconds it took.
    Without `told` they have neither texts nor a history, for who measures what reads none."""
    started = time.perf_counter()
    conn = await asyncpg.connect(dsn)
    now = datetime.now(UTC) - timedelta(seconds=1)
    await conn.execute("set session_replication_role = replica")  # every reference holds, as the rows are made
    await conn.execute(ORGANISATIONS, DISTRICT, FIRST_ORGANISATION, ORGANISATIONS_OF)
    await write_issues(conn, count, now)
    if told:
        await _tell(conn)
    await conn.execute("vacuum analyze")
    await conn.close()
    return time.perf_counter() - started


async def write_issues(conn: asyncpg.Connection, count: int, now: datetime) -> None:
    """Write issues with their spans beside organisations that are there."""
    states = list(LIFE)
    await conn.execute(POINTS)
    await conn.copy_records_to_table("point", records=_points(count))
    asked = (DISTRICT, now, states, district.CATEGORIES, district.FIRST_MEMBER, FIRST_ORGANISATION, ORGANISATIONS_OF)
    await conn.execute(ISSUES, *asked)
    await conn.execute(SPANS, DISTRICT, now, states)


async def _tell(conn: asyncpg.Connection) -> None:
    """Write the texts and the history of what is there."""
    texts = await _texts(conn)
    await conn.execute("drop index text_version_by_bigram")
    await conn.execute(HISTORY, DISTRICT)
    await conn.execute(WORDS, DISTRICT, texts)
    await conn.execute("create index text_version_by_bigram on text_version using gin (bigrams)")


def _points(count: int) -> list[tuple[object, ...]]:
    random = np.random.default_rng(SEED)
    place_x, place_y = coverage.points(PLACES, seed=SEED)
    near = random.integers(0, PLACES, count)
    wide = coverage.SIDE / 4
    x, y = place_x[near] + random.normal(0, wide, count), place_y[near] + random.normal(0, wide, count)
    anywhere_x, anywhere_y = coverage.points(count, seed=SEED + 1)
    gathered = (random.random(count) < 0.7) & (x > coverage.WEST) & (x < coverage.EAST)
    gathered &= (y > coverage.SOUTH) & (y < coverage.NORTH)
    x, y = np.where(gathered, x, anywhere_x), np.where(gathered, y, anywhere_y)
    column, row = ((x - coverage.WEST) / coverage.SIDE).astype(int), ((y - coverage.SOUTH) / coverage.SIDE).astype(int)
    codes = [coverage.code(at) for at in (row * coverage.COLUMNS + column).tolist()]
    states = 1 + random.choice(len(LIFE), count, p=list(LIFE.values()))
    days = np.sort(random.random(count) * DAYS)[::-1]  # as they come in: the oldest first
    columns = (x.tolist(), y.tolist(), tiles.cell(x, y).tolist(), codes, states.tolist(), days.tolist())
    return list(zip(range(count), *columns, strict=True))


async def _texts(conn: asyncpg.Connection) -> int:
    """Make the texts, each of which serves many issues, and return how many there are."""
    await conn.execute(TEXTS)
    rows = []
    for at, (where, what, house) in enumerate(itertools.product(WHERE, WHAT, range(1, 11))):
        title = f"{where}{house}号{what}"
        body = {"title": title, "description": f"{title}，附近居民多次反映，影响出行，希望尽快派人查看处理并回访。"}
        rows.append((at, msgspec.json.encode(body).decode(), history.bigrams(" ".join(body.values()))))
    await conn.copy_records_to_table("words", records=rows)
    return len(rows)
