-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- A window is renamed, so who renames it says which version they saw; opening is the first, closing was the second.
alter table service_window
  add column version integer not null default 1,
  add constraint service_window_version_from_one check (version >= 1);
update service_window set version = 2 where closed_at is not null;

-- migrate:down
alter table service_window drop column version;
