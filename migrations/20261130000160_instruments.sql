-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- A scorecard's items, weights and rules. A version is published once and never changed: what was rated by it stays
-- readable and can be computed again.
create table instrument (
  district     integer     not null,
  id           text        not null,
  version      text        not null,
  subject_kind text        not null,
  name         jsonb       not null,  -- by language
  items        integer     not null,  -- how many
  body         jsonb       not null,  -- headings, items, rater groups, stars and rules, as they were checked
  digest       bytea       not null,  -- of all of it
  published_at timestamptz not null,
  published_by uuid,                  -- nobody where the program brought it along
  constraint instrument_pkey primary key (district, id, version),
  constraint instrument_district_fkey foreign key (district) references district,
  constraint instrument_published_by_fkey foreign key (district, published_by) references member,
  constraint instrument_subject_kind_known check (subject_kind in ('organisation', 'member', 'window')),
  constraint instrument_has_items check (items between 1 and 300)
);

grant select, insert on instrument to zoufang_app;

-- migrate:down
drop table instrument;
