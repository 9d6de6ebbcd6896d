-- migrate:up
set local lock_timeout = '5s';

-- What was changed since the last vacuum is looked up in the table by whoever counts from an index: a fiftieth of a
-- million may wait, where a fifth would by itself.
alter table issue set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);

-- migrate:down
alter table issue reset (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor);
