-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- A board goes by due time through all that is not finished, what is paused among it.
drop index issue_running_by_due;
create index issue_running_by_due on issue (district, due_at, id)
  where state in ('reported', 'accepted', 'assigned', 'in_progress', 'paused');

-- migrate:down
set local lock_timeout = '5s';
set local statement_timeout = '600s';

drop index issue_running_by_due;
create index issue_running_by_due on issue (district, due_at, id)
  where state in ('reported', 'accepted', 'assigned', 'in_progress');
