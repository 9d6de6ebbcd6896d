-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- What the rates are counted from, said by the row itself and gathered in one index, so that a million issues are
-- counted without being read: the facts of surveys/rate_terms.py, a bit each; from when on an issue is one that should
-- have been resolved; and how long it took.
alter table issue
  add outcome integer not null generated always as (
      case when state <> 'merged' then 1 else 0 end
    | case when first_contact_at <= response_due_at then 2 else 0 end
    | case when answer in ('solved', 'not_solved') then 4 else 0 end
    | case when answer = 'solved' then 8 else 0 end
    | case when satisfaction >= 4 then 16 else 0 end
    | case when answer is not null then 32 else 0 end
    | case when answer = 'not_answered' then 64 else 0 end
    | case when resolved_at is not null then 128 else 0 end
    | case when resolved_at <= due_at then 256 else 0 end
    | case when answer is distinct from 'solved' then 512 else 0 end
    | case when resolutions >= 1 then 1024 else 0 end
    | case when resolutions >= 2 then 2048 else 0 end
    | case when bounces >= 1 then 4096 else 0 end
    | case when reopens >= 1 then 8192 else 0 end
    | case when pauses >= 1 then 16384 else 0 end) stored,
  add due_from timestamptz not null generated always as (
    case when resolved_at is not null then '-infinity'::timestamptz
         when state not in ('reported', 'accepted', 'assigned', 'in_progress', 'paused') then 'infinity'
         when paused_at is null then due_at
         when due_at < paused_at then '-infinity'
         else 'infinity' end) stored,
  add took_s bigint generated always as (extract(epoch from resolved_at - reported_at)::bigint) stored;
create index issue_rates on issue (district, reported_at)
  include (community, category, department, organisation, channel, outcome, response_due_at, due_from, took_s);

-- How much each of the three rates counts in the index made of them; a version holds from its day until the next.
create table rate_weights (
  district     integer     not null,
  version      integer     not null,
  valid_from   timestamptz not null,
  response     integer     not null,
  resolution   integer     not null,
  satisfaction integer     not null,
  constraint rate_weights_pkey primary key (district, version),
  constraint rate_weights_district_fkey foreign key (district) references district,
  constraint rate_weights_sensible check (
    least(response, resolution, satisfaction) >= 0 and greatest(response, resolution, satisfaction) between 1 and 1000)
);
grant select, insert on rate_weights to zoufang_app;

-- migrate:down
drop table rate_weights;
drop index issue_rates;
alter table issue drop column took_s, drop column due_from, drop column outcome;
