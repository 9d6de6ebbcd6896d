"""Half a million doors and a million visits of one campaign, made by a few set-based statements.

Every community has as many doors, held by eight members of its own; some are held by nobody. Visits fall on doors by
chance, so that some have many and some none. They are written by the role that owns the tables."""

import time
from datetime import UTC, datetime, timedelta

import asyncpg

from tests.bench import coverage, district, many_issues
from tests.bench.district import DISTRICT

CAMPAIGN = "bench"
DAYS = 100
HOLDERS = 8  # of a community

ORGANISATIONS = many_issues.ORGANISATIONS
CAMPAIGNS = """
insert into campaign (district, id, name, starts_at, ends_at, version, kinds, every, promise)
values ($1, $2, '万名党员大走访', $3, $4, 1, '{shop,enterprise,household}', 'once', '')
"""
PLACES = "create temporary table place as select row_number() over (order by code) - 1 as at, code from community"
DOORS = """
insert into premises (district, id, version, kind, state, source, alike, position_lon, position_lat, accuracy_m,
  position_system, position_source, lon, lat, cell, community, certainty, boundary_version, text_version, recorded_at)
select $1, md5('door' || d.at)::uuid, 1,
  case when d.at % 10 < 2 then 'shop' when d.at % 10 = 2 then 'enterprise' else 'household' end,
  'confirmed', 'import', decode(md5(d.at::text), 'hex'), lon, lat, 10, 'wgs84', 'map', lon, lat, d.at, p.code, 'inside',
  1, 1, $2
from generate_series(1, $3::int) d(at) join place p on p.at = d.at % $4::int,
  lateral (select $5::float8 + (p.at % $7 + d.at % 997 / 997.0) * $8::float8 as lon,
                  $6::float8 + (p.at / $7 + d.at % 991 / 991.0) * $8::float8 as lat) position
"""
NUMBERED = """
create temporary table door as
select row_number() over (order by p.id) - 1 as at, p.id, p.kind, p.community, c.at as place,
  lpad(to_hex($1::int + 1 + (c.at * $2 + hashint8(('x' || left(md5(p.id::text), 8))::bit(32)::int) % $2 + $2)
    % 4999)::text, 32, '0')::uuid as member,
  lpad(to_hex($3::int + c.at % $4)::text, 32, '0')::uuid as organisation
from premises p join place c on c.code = p.community
"""
ASSIGNMENTS = """
insert into assignment (district, campaign, premises, organisation, member, place, means, assigned_at)
select $1, $2, id, organisation, case when at % 25 > 0 then member end, at % 100, 'area', $3 from door where at % 20 > 0
"""
VISITS = """
insert into visit (district, id, version, digest, member, organisation, companions, campaign, premises, premises_kind,
  outcome, started_at, ended_at, device_started_at, device_ended_at, clock_skew_s, community, certainty, text_version,
  recorded_at, via)
select $1, ('01900000' || substr(md5('visit' || v.at), 9))::uuid, 1, decode(md5(v.at::text), 'hex'), d.member,
  d.organisation, '{}', $2, d.id, d.kind,
  (array['met', 'met', 'met', 'not_home', 'not_home', 'declined', 'closed'])[1 + v.at % 7], t, t + interval '5 minutes',
  t, t, 0, d.community, 'inside', 1, t, 'phone'
from (select at, $3::timestamptz + at * ($4::interval / $5::int) as t, (hashint8(at)::bigint & 2147483647) % $6 as door
      from generate_series(1, $5::int) at) v
join door d on d.at = v.door
"""


async def write(dsn: str, doors: int, visits: int) -> float:
    """Write so many doors and visits into a database that has the bench's district, as its owner; returns the seconds
    it took."""
    started = time.perf_counter()
    conn = await asyncpg.connect(dsn)
    now = datetime.now(UTC)
    begins, communities = now - timedelta(days=DAYS), coverage.COLUMNS * coverage.ROWS
    first = many_issues.FIRST_ORGANISATION
    await conn.execute("set session_replication_role = replica")  # every reference holds, as the rows are made
    await conn.execute(ORGANISATIONS, DISTRICT, first, many_issues.ORGANISATIONS_OF)
    await conn.execute(CAMPAIGNS, DISTRICT, CAMPAIGN, begins - timedelta(days=1), now + timedelta(days=30))
    await conn.execute(PLACES)
    corner = (coverage.WEST, coverage.SOUTH, coverage.COLUMNS, coverage.SIDE)
    await conn.execute(DOORS, DISTRICT, begins, doors, communities, *corner)
    await conn.execute(NUMBERED, district.FIRST_MEMBER, HOLDERS, first, many_issues.ORGANISATIONS_OF)
    await conn.execute(ASSIGNMENTS, DISTRICT, CAMPAIGN, begins)
    await conn.execute("create index on door (at)")
    await conn.execute(VISITS, DISTRICT, CAMPAIGN, begins, timedelta(days=DAYS), visits, doors)
    await conn.execute("vacuum analyze")
    await conn.close()
    return time.perf_counter() - started
