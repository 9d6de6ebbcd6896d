-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- Briefs that are to be made, of a whole district or of one place, and how far that has come. Their figures are as known
-- at `asked_at`, however long the making takes and how often it is broken off.
create table report_making (
  district   integer     not null,
  id         uuid        not null,
  period     text        not null,  -- 2026-11 or 2026-W48
  scope_kind text,                  -- null: the district, its streets and its communities
  scope      text,
  asked_by   uuid,                  -- null: the schedule
  asked_at   timestamptz not null,
  anew       boolean     not null,  -- as a further version of what is there
  state      text        not null,
  wanted     integer,
  made       integer     not null,
  problem    text,                  -- the code of why it failed,
  facts      jsonb,                 -- and what there is to say about it
  ended_at   timestamptz,
  constraint report_making_pkey primary key (district, id),
  constraint report_making_district_fkey foreign key (district) references district,
  constraint report_making_asked_by_fkey foreign key (district, asked_by) references member,
  constraint report_making_state_known check (state in ('waiting', 'making', 'done', 'failed', 'cancelled')),
  constraint report_making_ended check ((ended_at is not null) = (state in ('done', 'failed', 'cancelled'))),
  constraint report_making_scope_whole check (
    num_nulls(scope_kind, scope) <> 1 and scope_kind in ('district', 'street', 'community'))
);
create unique index report_making_scheduled_once on report_making (district, period)
  where asked_by is null and scope_kind is null;
create index report_making_open on report_making (district, asked_at) where state in ('waiting', 'making');
create index report_making_newest on report_making (district, asked_at desc);

-- A brief: its figures as they were made, never changed. They name issues by id and the version of their texts, so that
-- what is forgotten there is forgotten here.
create table report (
  district   integer     not null,
  id         uuid        not null,
  period     text        not null,
  first_day  date        not null,
  scope_kind text        not null,
  scope      text        not null,  -- its code
  version    integer     not null,
  making     uuid        not null,
  at         timestamptz not null,
  known_at   timestamptz not null,
  made_at    timestamptz not null,
  made_by    uuid,
  figures    text        not null,  -- JSON, in the very bytes that the digest is of
  digest     bytea       not null,
  constraint report_pkey primary key (district, id),
  constraint report_once unique (district, period, scope_kind, scope, version),
  constraint report_making_fkey foreign key (district, making) references report_making,
  constraint report_made_by_fkey foreign key (district, made_by) references member,
  constraint report_scope_kind_known check (scope_kind in ('district', 'street', 'community')),
  constraint report_version_counts check (version >= 1),
  constraint report_is_digested check (octet_length(digest) = 32)
);
create index report_by_scope on report (district, scope_kind, scope, first_day desc, version desc);
create index report_by_making on report (district, making);

-- The Word templates that a district has adapted, the newest of which is used.
create table report_template (
  district    integer     not null,
  language    text        not null,
  version     integer     not null,
  content     bytea       not null,
  sha256      bytea       not null,
  uploaded_by uuid        not null,
  uploaded_at timestamptz not null,
  constraint report_template_pkey primary key (district, language, version),
  constraint report_template_district_fkey foreign key (district) references district,
  constraint report_template_uploaded_by_fkey foreign key (district, uploaded_by) references member,
  constraint report_template_language_known check (language in ('zh', 'en')),
  constraint report_template_is_a_digest check (octet_length(sha256) = 32)
);

grant select, insert, update on report_making to zoufang_app;
grant select, insert on report, report_template to zoufang_app;

-- migrate:down
drop table report_template, report, report_making;
