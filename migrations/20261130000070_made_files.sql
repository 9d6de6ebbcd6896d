-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- Files that somebody asked to have made: what of, for whom, and how far it is. A row goes with its file, when its time
-- is over; the history keeps who asked for what, and who fetched it.
create table made_file (
  district   integer     not null,
  id         uuid        not null,
  member     uuid        not null,
  what       text        not null,  -- the table
  format     text        not null,
  language   text        not null,
  asked      jsonb       not null,  -- the table with its filters, texts that are searched for among them
  reader     jsonb       not null,  -- who asked, with the grants that they held
  reach      jsonb,                 -- what they reached when the file was made
  state      text        not null,
  attempt    uuid,                  -- of the process that makes it; one that was taken over is no longer heard
  rows_done  bigint      not null default 0,
  rows       bigint,                -- as they were counted when it was asked for; where that is known, or it is ready
  bytes      bigint,
  fault      text,                  -- the code of what kept it from being made
  called     text,                  -- what the file is called for people
  asked_at   timestamptz not null,
  ended_at   timestamptz,
  expires_at timestamptz not null,
  constraint made_file_pkey primary key (district, id),
  constraint made_file_member_fkey foreign key (district, member) references member,
  constraint made_file_format_known check (format in ('csv', 'xlsx', 'geojson', 'gpkg')),
  constraint made_file_state_known check (state in ('queued', 'making', 'ready', 'failed', 'cancelled')),
  constraint made_file_ready_whole check (state <> 'ready' or num_nulls(rows, bytes, called, reach) = 0)
);
create index made_file_newest on made_file (district, member, asked_at desc, id desc);
create index made_file_unfinished on made_file (district, member) where state in ('queued', 'making');
create index made_file_expiring on made_file (district, expires_at);

grant select, insert, update, delete on made_file to zoufang_app;

-- migrate:down
drop table made_file;
