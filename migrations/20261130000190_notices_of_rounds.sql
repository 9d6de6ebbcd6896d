-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- Members are told of rounds in which they are missing, too; each notice is about one thing.
alter table notice add column round uuid;
alter table notice drop constraint notice_about_one;
alter table notice add constraint notice_about_one check (num_nonnulls(issue, service, round) = 1) not valid;
alter table notice validate constraint notice_about_one;

-- migrate:down
delete from notice where round is not null;
alter table notice drop constraint notice_about_one;
alter table notice add constraint notice_about_one check (num_nonnulls(issue, service) = 1);
alter table notice drop column round;
