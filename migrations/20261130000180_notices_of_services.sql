-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- Members are told of services as well as of issues; each notice is about one of them.
alter table notice add column service uuid;
alter table notice alter column issue drop not null;
alter table notice add constraint notice_about_one check (num_nonnulls(issue, service) = 1) not valid;
alter table notice validate constraint notice_about_one;

-- What is to be reminded of, by when it begins.
create index service_to_remind on service (district, starts_at, id) where state = 'announced' and reminded_at is null;

-- migrate:down
drop index service_to_remind;
delete from notice where service is not null;
alter table notice drop constraint notice_about_one;
alter table notice alter column issue set not null;
alter table notice drop column service;
