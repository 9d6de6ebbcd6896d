-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- What a door's state in a campaign is derived from, without reading the visits themselves.
create index visit_coverage on visit (district, campaign, premises, started_at, id) include (outcome)
  where withdrawn_at is null and campaign is not null and premises is not null;

-- Sums kept so that a district is told in a moment; surveys/coverage_sums.py makes them of the visits, the register and
-- the assignments, which stay the truth. A community's sums of a round are whole, and count as long as no mark says that
-- something under them has changed since.
create table coverage_part (
  district  integer not null,
  campaign  text    not null,
  round     integer not null,
  community text    not null,  -- '': of the doors in none
  begins    timestamptz not null,  -- the round as it was then reckoned: sums of another are not used
  ends      timestamptz not null,
  time_zone text    not null,
  constraint coverage_part_pkey primary key (district, campaign, round, community),
  constraint coverage_part_campaign_fkey foreign key (district, campaign) references campaign
);

create table coverage_sum (
  district     integer not null,
  campaign     text    not null,
  round        integer not null,
  part         text    not null,  -- the community, as coverage_part has it
  community    text,
  kind         text    not null,
  organisation uuid,
  member       uuid,
  doors        integer not null,
  visited      integer not null,
  met          integer not null,
  not_home     integer not null,
  declined     integer not null,
  closed       integer not null,
  twice        integer not null,
  three_tries  integer not null,
  unheld       integer not null,
  unassigned   integer not null,
  constraint coverage_sum_part_fkey foreign key (district, campaign, round, part) references coverage_part
    on delete cascade
);
create index coverage_sum_by_part on coverage_sum (district, campaign, round, part);

-- The same by the day on which a door was first visited; `met` by the day on which somebody was first met.
create table coverage_day_sum (
  district     integer not null,
  campaign     text    not null,
  round        integer not null,
  part         text    not null,
  community    text,
  kind         text    not null,
  day          date    not null,
  doors        integer not null,
  visited      integer not null,
  met          integer not null,
  not_home     integer not null,
  declined     integer not null,
  closed       integer not null,
  twice        integer not null,
  three_tries  integer not null,
  unheld       integer not null,
  unassigned   integer not null,
  constraint coverage_day_sum_part_fkey foreign key (district, campaign, round, part) references coverage_part
    on delete cascade
);
create index coverage_day_sum_by_part on coverage_day_sum (district, campaign, round, part);

-- What has changed since the sums were made: a door, or all doors of a community; in one campaign, or in all. Marks are
-- only added by those who change something, so that none of them waits for another.
create table coverage_mark (
  district  integer not null,
  campaign  text,
  community text,
  premises  uuid
);
create index coverage_mark_by_campaign on coverage_mark (district, campaign);

create function mark_visited() returns trigger language plpgsql as $$
begin
  insert into coverage_mark (district, campaign, premises)
  select distinct district, campaign, premises from now_so where campaign is not null and premises is not null;
  return null;
end $$;

create function mark_revisited() returns trigger language plpgsql as $$
begin
  insert into coverage_mark (district, campaign, premises)
  select distinct e.district, e.campaign, e.premises
  from was_so w join now_so n on n.district = w.district and n.id = w.id,
    lateral (values (w.district, w.campaign, w.premises), (n.district, n.campaign, n.premises)) e(district, campaign, premises)
  where (w.campaign, w.premises, w.outcome, w.started_at, w.withdrawn_at)
    is distinct from (n.campaign, n.premises, n.outcome, n.started_at, n.withdrawn_at)
    and e.campaign is not null and e.premises is not null;
  return null;
end $$;

create trigger coverage_of_new after insert on visit
  referencing new table as now_so for each statement execute function mark_visited();
create trigger coverage_of_changed after update on visit
  referencing old table as was_so new table as now_so for each statement execute function mark_revisited();

create function mark_registered() returns trigger language plpgsql as $$
begin
  insert into coverage_mark (district, community)
  select distinct district, coalesce(community, '') from now_so where state <> 'proposed';
  return null;
end $$;

create function mark_reregistered() returns trigger language plpgsql as $$
begin
  insert into coverage_mark (district, community, premises)
  select distinct e.district, e.community, e.premises
  from was_so w join now_so n on n.district = w.district and n.id = w.id,
    lateral (values (w.district, coalesce(w.community, ''), null::uuid), (n.district, coalesce(n.community, ''), null),
      (w.district, null, w.merged_into), (n.district, null, n.merged_into)) e(district, community, premises)
  where (w.kind, w.state, w.community, w.merged_into) is distinct from (n.kind, n.state, n.community, n.merged_into)
    and num_nonnulls(e.community, e.premises) > 0;
  return null;
end $$;

create trigger coverage_of_new after insert on premises
  referencing new table as now_so for each statement execute function mark_registered();
create trigger coverage_of_changed after update on premises
  referencing old table as was_so new table as now_so for each statement execute function mark_reregistered();

create function mark_assigned() returns trigger language plpgsql as $$
begin
  insert into coverage_mark (district, campaign, community)
  select distinct a.district, a.campaign, coalesce(p.community, '')
  from now_so a join premises p on p.district = a.district and p.id = a.premises;
  return null;
end $$;

create function mark_reassigned() returns trigger language plpgsql as $$
begin
  insert into coverage_mark (district, campaign, community)
  select distinct n.district, n.campaign, coalesce(p.community, '')
  from was_so w join now_so n on n.district = w.district and n.campaign = w.campaign and n.premises = w.premises
  join premises p on p.district = n.district and p.id = n.premises
  where (w.organisation, w.member) is distinct from (n.organisation, n.member);
  return null;
end $$;

create trigger coverage_of_new after insert on assignment
  referencing new table as now_so for each statement execute function mark_assigned();
create trigger coverage_of_changed after update on assignment
  referencing old table as was_so new table as now_so for each statement execute function mark_reassigned();
create trigger coverage_of_removed after delete on assignment
  referencing old table as now_so for each statement execute function mark_assigned();

grant select, insert, delete on coverage_part, coverage_sum, coverage_day_sum, coverage_mark to zoufang_app;

-- migrate:down
drop trigger coverage_of_removed on assignment;
drop trigger coverage_of_changed on assignment;
drop trigger coverage_of_new on assignment;
drop function mark_reassigned;
drop function mark_assigned;
drop trigger coverage_of_changed on premises;
drop trigger coverage_of_new on premises;
drop function mark_reregistered;
drop function mark_registered;
drop trigger coverage_of_changed on visit;
drop trigger coverage_of_new on visit;
drop function mark_revisited;
drop function mark_visited;
drop table coverage_mark;
drop table coverage_day_sum;
drop table coverage_sum;
drop table coverage_part;
drop index visit_coverage;
