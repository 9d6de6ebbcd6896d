-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- Pairs of issues that are likely the same thing, each once, the smaller id first; with why, and what became of it.
create table twin_proposal (
  district    integer     not null,
  issue       uuid        not null,
  twin        uuid        not null,
  score       real        not null,
  why         jsonb       not null,  -- distances, codes and figures; never a text
  state       text        not null,
  proposed_at timestamptz not null,
  decided_at  timestamptz,
  decided_by  uuid,
  constraint twin_proposal_pkey primary key (district, issue, twin),
  constraint twin_proposal_issue_fkey foreign key (district, issue) references issue,
  constraint twin_proposal_twin_fkey foreign key (district, twin) references issue,
  constraint twin_proposal_decided_by_fkey foreign key (district, decided_by) references member,
  constraint twin_proposal_each_pair_once check (issue < twin),
  constraint twin_proposal_state_known check (state in ('proposed', 'dismissed', 'merged')),
  constraint twin_proposal_decided check (
    (state = 'proposed') = (decided_at is null) and (decided_at is null) = (decided_by is null))
);
create index twin_proposal_by_twin on twin_proposal (district, twin);
grant select, insert, update on twin_proposal to zoufang_app;

-- The first row of the history, in the order in which rows are sealed, that was not gone through for new issues yet.
create table twin_search (
  district   integer  not null,
  epoch      smallint not null,
  written_in bigint   not null,
  id         uuid     not null,
  constraint twin_search_pkey primary key (district),
  constraint twin_search_district_fkey foreign key (district) references district
);
grant select, insert, update on twin_search to zoufang_app;

-- What was filed before this is not gone through: its twins are found where somebody looks at it.
insert into twin_search
select d.district, e.writing, pg_current_xact_id()::text::bigint, '00000000-0000-0000-0000-000000000000'
from district d, (
  select (regexp_match(pg_get_expr(d.adbin, d.adrelid), '\d+'))[1]::int as writing
  from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
  where d.adrelid = 'history'::regclass and a.attname = 'epoch') e;

-- migrate:down
drop table twin_search, twin_proposal;
