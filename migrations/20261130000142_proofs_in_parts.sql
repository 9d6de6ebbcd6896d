-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- What proves a commitment comes in parts as well.
alter table upload drop constraint upload_subject_kind_known;
alter table upload add constraint upload_subject_kind_known
  check (subject_kind in ('issue', 'visit', 'service', 'commitment')) not valid;
alter table upload validate constraint upload_subject_kind_known;

-- migrate:down
delete from upload where subject_kind = 'commitment';
alter table upload drop constraint upload_subject_kind_known;
alter table upload add constraint upload_subject_kind_known
  check (subject_kind in ('issue', 'visit', 'service')) not valid;
alter table upload validate constraint upload_subject_kind_known;
