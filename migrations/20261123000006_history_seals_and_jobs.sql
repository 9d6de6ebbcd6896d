-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- Which transaction wrote a row, so that what is finished can be sealed as a set to which nothing can be added, and
-- the epoch of the transactions' numbers: they start over in a restored database. The program cannot set either.
alter table history
  add written_in bigint not null default (pg_current_xact_id()::text::bigint),
  add epoch smallint not null default 1;
revoke insert on history from zoufang_app;
grant insert (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, request, facts)
  on history to zoufang_app;
create index history_written on history using brin (district, epoch, written_in) with (autosummarize = on);

-- What the auditor asks for. Visits and issues come by the thousand: only what is asked about all events, and about
-- all that a person did, has an index over them too.
create index history_newest on history (district, recorded_at desc, id desc);
create index history_by_actor on history (district, actor, recorded_at desc, id desc);
create index history_about on history (district, (facts->>'about'), recorded_at desc, id desc)
  where (facts->>'about') is not null;
create index history_by_kind on history (district, kind, recorded_at desc, id desc)
  where kind not in ('visit', 'issue');
create index history_by_event on history (district, event, recorded_at desc, id desc)
  where event not in ('file', 'report');

-- A seal holds, of each row in its range, the id, the thing and the digest, in the rows' order, and the digest of all
-- this and of the seal before it. Ranges follow one another without a gap: from one (written_in, id) up to the next.
create table history_seal (
  district     integer     not null,
  number       integer     not null,
  epoch        smallint    not null,
  from_written bigint      not null,
  from_id      uuid        not null,
  to_written   bigint      not null,  -- not in it
  to_id        uuid        not null,
  entries      bytea       not null,  -- 64 bytes a row: id, thing, SHA-256 of the row
  previous     bytea       not null,
  digest       bytea       not null,
  sealed_at    timestamptz not null,
  constraint history_seal_pkey primary key (district, number),
  constraint history_seal_district_fkey foreign key (district) references district,
  constraint history_seal_whole_entries check (octet_length(entries) % 64 = 0),
  constraint history_seal_are_digests check (octet_length(previous) = 32 and octet_length(digest) = 32),
  constraint history_seal_forward check ((to_written, to_id) > (from_written, from_id))
);
alter table history_seal alter entries set storage external;  -- nothing of it can be made smaller
grant select, insert on history_seal to zoufang_app;

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
drop table job_run, history_seal;
drop index history_by_event, history_by_kind, history_about, history_by_actor, history_newest, history_written;
revoke insert (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, request, facts)
  on history from zoufang_app;
alter table history drop column epoch, drop column written_in;
grant insert on history to zoufang_app;
