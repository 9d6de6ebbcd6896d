-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- Other programs that report for residents: each by a key of its own, in its own part of the district, so many a day.
create table integration (
  district    integer     not null,
  id          uuid        not null,
  name        text        not null,
  digest      bytea       not null,  -- SHA-256 of its key
  scope_kind  text        not null,
  scope       text        not null,
  sees        text        not null,
  daily_limit integer     not null,
  made_at     timestamptz not null,
  made_by     uuid        not null,
  key_made_at timestamptz not null,
  revoked_at  timestamptz,
  constraint integration_pkey primary key (district, id),
  constraint integration_digest_unique unique (district, digest),
  constraint integration_district_fkey foreign key (district) references district,
  constraint integration_made_by_fkey foreign key (district, made_by) references member,
  constraint integration_scope_kind_known check (scope_kind in ('district', 'street', 'community')),
  constraint integration_sees_known check (sees in ('own', 'scope')),
  constraint integration_daily_limit_positive check (daily_limit > 0)
);
grant select, insert, update on integration to zoufang_app;

-- What a city app reported, and which it was.
alter table issue add column integration uuid;
alter table issue add constraint issue_integration_fkey foreign key (district, integration) references integration;
create index issue_by_integration on issue (district, integration, reported_at desc, id desc)
  where integration is not null;
alter table issue drop constraint issue_source_known;
alter table issue add constraint issue_source_known check (source in ('visit', 'card', 'ledger', 'app')) not valid;
alter table issue validate constraint issue_source_known;

-- migrate:down
alter table issue drop constraint issue_source_known;
alter table issue drop constraint issue_integration_fkey;
alter table issue drop column integration;
alter table issue add constraint issue_source_known check (source in ('visit', 'card', 'ledger')) not valid;
drop table integration;
