-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- The board and the pages of cards show what stands, and what was done or withdrawn of late, among all of some years.
create index commitment_standing on commitment (district) where state = 'standing';
create index commitment_done on commitment (district, done_recorded_at) where done_recorded_at is not null;
create index commitment_withdrawn on commitment (district, withdrawn_at) where withdrawn_at is not null;
drop index commitment_in_public;

-- migrate:down
create index commitment_in_public on commitment (district, due_at) where approved_at is not null;
drop index commitment_withdrawn;
drop index commitment_done;
drop index commitment_standing;
