-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- Most visits are made alone, and cost this index nothing.
create index visit_by_companion on visit using gin (companions) where companions <> '{}';

-- What a door in an area is called by is compared with the premises of visits and issues.
alter table organisation_area add constraint organisation_area_premises_is_an_id check (
  kind <> 'premises' or code ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$');

-- migrate:down
alter table organisation_area drop constraint organisation_area_premises_is_an_id;
drop index visit_by_companion;
