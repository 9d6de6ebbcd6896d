-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- Where the queue's tables lie. They are PgQueuer's own: `zoufang migrate` makes and keeps them as the installed
-- library wants them (api/job_queue.py).
create schema queue;
grant usage on schema queue to zoufang_app;

-- Somebody asked for a job that keeps failing to be tried again.
alter table job_run drop constraint job_run_outcome_known;
alter table job_run add constraint job_run_outcome_known check (outcome in ('done', 'failed', 'asked'));

-- migrate:down
delete from job_run where outcome = 'asked';
alter table job_run drop constraint job_run_outcome_known;
alter table job_run add constraint job_run_outcome_known check (outcome in ('done', 'failed'));
drop schema queue cascade;
