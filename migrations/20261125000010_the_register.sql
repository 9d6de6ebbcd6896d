-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- The register is listed newest first; and whose visits count for a door is asked by what was merged into it.
create index premises_newest on premises (district, recorded_at desc, id desc);
create index premises_merged on premises (district, merged_into) where merged_into is not null;

-- migrate:down
drop index premises_merged;
drop index premises_newest;
