-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- Who found a door on the way reaches it, and an index follows that.
create index premises_by_finder on premises (district, found_by) where found_by is not null;

-- migrate:down
drop index premises_by_finder;
