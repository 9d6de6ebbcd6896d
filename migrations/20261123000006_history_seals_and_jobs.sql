-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- What jobs did, and when; the program forgets it after a while.
create table job_run (
  district   integer     not null,
  id         uuid        not null,
  job        text        not null,
  started_at timestamptz not null,
  ended_at   timestamptz not null,
  outcome    text        not null,
  facts      jsonb       not null,  -- counts and codes; never a text
  constraint job_run_pkey primary key (district, id),
  constraint job_run_district_fkey foreign key (district) references district,
  constraint job_run_outcome_known check (outcome in ('done', 'failed'))
);
create index job_run_newest on job_run (district, job, started_at desc);
grant select, insert, delete on job_run to zoufang_app;

-- migrate:down
drop table job_run;
