-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- Until when a pause lasts, or is asked for; a job resumes what is due.
alter table issue add pause_until timestamptz;
create index issue_to_resume on issue (district, pause_until) where state = 'paused';

-- Who is asked to take an issue on, what waits for a judgement, and who goes to the door, on past days as well.
alter table issue_spans
  add offered_to uuid,
  add asked      text,
  add agent      uuid;

-- How far a district lets limits be moved; without a row of its own the program's defaults hold.
create table handling_rule (
  district           integer     not null,
  extensions_most    integer     not null,  -- granted for one limit
  extension_percent  integer     not null,  -- of the limit, all extensions together
  longest_pause_days integer     not null,
  recorded_at        timestamptz not null,
  constraint handling_rule_pkey primary key (district),
  constraint handling_rule_district_fkey foreign key (district) references district,
  constraint handling_rule_bounds check (extensions_most >= 0 and extension_percent >= 0 and longest_pause_days > 0)
);
grant select, insert, update on handling_rule to zoufang_app;

-- migrate:down
drop table handling_rule;
alter table issue_spans drop column offered_to, drop column asked, drop column agent;
drop index issue_to_resume;
alter table issue drop column pause_until;
