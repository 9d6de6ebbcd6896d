-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- Categories are the district's own data; one that is no longer used is retired, never deleted.
create table category (
  district   integer not null,
  code       text    not null,
  name       text    not null,
  parent     text,
  channel    text    not null,
  department text,
  retired_at timestamptz,
  constraint category_pkey primary key (district, code),
  constraint category_parent_fkey foreign key (district, parent) references category,
  constraint category_department_fkey foreign key (district, department) references department,
  constraint category_channel_known check (channel in ('on_the_spot', 'joint_review', 'green_channel', 'agent'))
);
create index category_by_parent on category (district, parent);

-- A limit that changes is a new version; what was filed under an old one keeps it.
create table category_limit (
  district   integer     not null,
  category   text        not null,
  urgency    text        not null,
  version    integer     not null,
  hours      integer     not null,
  valid_from timestamptz not null,
  constraint category_limit_pkey primary key (district, category, urgency, version),
  constraint category_limit_category_fkey foreign key (district, category) references category,
  constraint category_limit_urgency_known check (urgency in ('normal', 'urgent', 'emergency')),
  constraint category_limit_positive check (hours > 0)
);

create table campaign (
  district  integer     not null,
  id        text        not null,
  name      text        not null,
  starts_at timestamptz not null,
  ends_at   timestamptz not null,
  constraint campaign_pkey primary key (district, id),
  constraint campaign_district_fkey foreign key (district) references district,
  constraint campaign_ends_after_start check (ends_at > starts_at)
);

-- Issue numbers are handed out in blocks, each reserved in a short transaction of its own.
create table number_series (
  district integer not null,
  series   text    not null,
  next     bigint  not null,
  constraint number_series_pkey primary key (district, series),
  constraint number_series_district_fkey foreign key (district) references district
);

-- Every text that a person wrote, by the thing it belongs to. Erasing empties the body, the words and the
-- salt: the digest in the history can then never be matched against a guess. The thing has the district's foreign key
-- for its texts and its history: they are most of all rows, and would lock the one row of their district for each.
create table text_version (
  district    integer     not null,
  subject     uuid        not null,
  version     integer     not null,
  body        jsonb,
  bigrams     text[],
  salt        bytea,
  digest      bytea       not null,
  recorded_at timestamptz not null,
  erased_at   timestamptz,
  constraint text_version_pkey primary key (district, subject, version),
  constraint text_version_erased_is_empty check (
    (erased_at is null) = (body is not null and salt is not null) and (erased_at is null or bigrams is null))
);
-- New texts wait in a short list before they enter the index: a long one would make somebody's filing wait while it is
-- emptied.
create index text_version_by_bigram on text_version using gin (bigrams) with (gin_pending_list_limit = 512)
  where bigrams is not null;

create table visit (
  district         integer     not null,
  id               uuid        not null,
  version          integer     not null,
  digest           bytea       not null,  -- SHA-256 of the draft as decoded, without defaults
  member           uuid        not null,
  organisation     uuid        not null,  -- the member's on the day
  companions       uuid[]      not null,
  campaign         text,
  premises         uuid,
  premises_kind    text        not null,
  outcome          text        not null,
  contact_card     text,
  started_at       timestamptz not null,  -- corrected by the phone's clock skew
  ended_at         timestamptz not null,
  device_started_at timestamptz not null, -- as the phone said
  device_ended_at  timestamptz not null,
  clock_skew_s     double precision not null,
  position_lon     double precision,      -- as it came, in its own system
  position_lat     double precision,
  accuracy_m       double precision,
  position_system  text,
  position_source  text,
  lon              double precision,      -- WGS-84
  lat              double precision,
  community        text,
  certainty        text        not null,
  boundary_version integer,
  text_version     integer     not null,
  recorded_at      timestamptz not null,
  withdrawn_at     timestamptz,
  constraint visit_pkey primary key (district, id),
  constraint visit_member_fkey foreign key (district, member) references member,
  constraint visit_organisation_fkey foreign key (district, organisation) references organisation,
  constraint visit_campaign_fkey foreign key (district, campaign) references campaign,
  constraint visit_community_fkey foreign key (district, community) references community,
  constraint visit_boundary_version_fkey foreign key (district, boundary_version) references boundary_version,
  constraint visit_premises_kind_known check (premises_kind in ('shop', 'enterprise', 'household')),
  constraint visit_outcome_known check (outcome in ('met', 'not_home', 'declined', 'closed')),
  constraint visit_certainty_known check (certainty in ('inside', 'near_line', 'outside', 'unplaced')),
  constraint visit_ends_after_start check (ended_at >= started_at),
  constraint visit_position_whole check (
    num_nulls(position_lon, position_lat, position_system, lon, lat) in (0, 5))
);
create index visit_newest on visit (district, started_at desc, id desc);
create index visit_by_member on visit (district, member, started_at desc);
create index visit_by_community on visit (district, community, started_at desc);

-- What was filed although something about it was not in order: filed all the same, and queued at the desk.
create table visit_flag (
  district    integer     not null,
  visit       uuid        not null,
  flag        text        not null,
  recorded_at timestamptz not null,
  settled_at  timestamptz,
  constraint visit_flag_pkey primary key (district, visit, flag),
  constraint visit_flag_visit_fkey foreign key (district, visit) references visit
);
create index visit_flag_unsettled on visit_flag (district, recorded_at) where settled_at is null;

-- A card belongs to the door at which it was first left.
create table card_binding (
  district integer     not null,
  card     text        not null,
  visit    uuid        not null,
  bound_at timestamptz not null,
  constraint card_binding_pkey primary key (district, card),
  constraint card_binding_visit_fkey foreign key (district, visit) references visit
);

create table issue (
  district         integer     not null,
  id               uuid        not null,
  number           bigint      not null,
  version          integer     not null,
  source           text        not null,
  source_id        text,
  visit            uuid,
  reporter         uuid,
  reported_at      timestamptz not null,
  category         text        not null,
  urgency          text        not null,
  channel          text        not null,
  state            text        not null,
  owner            uuid        not null,
  department       text,
  clock_started_at timestamptz not null,
  limit_version    integer     not null,
  limit_hours      integer     not null,
  due_at           timestamptz not null,
  position_lon     double precision,
  position_lat     double precision,
  accuracy_m       double precision,
  position_system  text,
  position_source  text,
  lon              double precision,
  lat              double precision,
  cell             bigint,                -- Morton code of lon, lat
  community        text,
  certainty        text        not null,
  boundary_version integer,
  text_version     integer     not null,
  recorded_at      timestamptz not null,
  constraint issue_pkey primary key (district, id),
  constraint issue_number_unique unique (district, number),
  constraint issue_visit_fkey foreign key (district, visit) references visit,
  constraint issue_reporter_fkey foreign key (district, reporter) references member,
  constraint issue_owner_fkey foreign key (district, owner) references member,
  constraint issue_department_fkey foreign key (district, department) references department,
  constraint issue_category_fkey foreign key (district, category) references category,
  constraint issue_community_fkey foreign key (district, community) references community,
  constraint issue_boundary_version_fkey foreign key (district, boundary_version) references boundary_version,
  constraint issue_source_known check (source in ('visit', 'card', 'ledger')),
  constraint issue_urgency_known check (urgency in ('normal', 'urgent', 'emergency')),
  constraint issue_channel_known check (channel in ('on_the_spot', 'joint_review', 'green_channel', 'agent')),
  constraint issue_certainty_known check (certainty in ('inside', 'near_line', 'outside', 'unplaced')),
  constraint issue_state_known check (state in
    ('reported', 'accepted', 'assigned', 'in_progress', 'paused', 'resolved', 'closed', 'rejected', 'merged')),
  constraint issue_position_whole check (
    num_nulls(position_lon, position_lat, position_system, lon, lat, cell) in (0, 6))
);
create unique index issue_source_unique on issue (district, source, source_id) where source_id is not null;
create index issue_newest on issue (district, reported_at desc, id desc);
create index issue_by_community on issue (district, community, reported_at desc, id desc);
create index issue_by_owner on issue (district, owner, reported_at desc, id desc);
create index issue_by_reporter on issue (district, reporter, reported_at desc, id desc) where reporter is not null;
create index issue_by_visit on issue (district, visit) where visit is not null;
create index issue_in_view on issue (district, cell) include (state, due_at, community);

-- The photos that a phone has promised, by the hash it sent.
create table issue_photo (
  district    integer not null,
  issue       uuid    not null,
  sha256      bytea   not null,
  bytes       bigint  not null,
  received_at timestamptz,
  constraint issue_photo_pkey primary key (district, issue, sha256),
  constraint issue_photo_issue_fkey foreign key (district, issue) references issue,
  constraint issue_photo_is_a_digest check (octet_length(sha256) = 32)
);

-- What an issue was, and from when to when; answers every question about the past.
create table issue_spans (
  district        integer     not null,
  issue           uuid        not null,
  version         integer     not null,
  valid_from      timestamptz not null,
  valid_to        timestamptz not null default 'infinity',
  recorded_at     timestamptz not null,
  end_recorded_at timestamptz not null default 'infinity',  -- when we learned that it had ended
  state           text        not null,
  owner           uuid        not null,
  department      text,
  community       text,
  category        text        not null,
  urgency         text        not null,
  due_at          timestamptz not null,
  constraint issue_spans_pkey primary key (district, issue, version),
  constraint issue_spans_issue_fkey foreign key (district, issue) references issue,
  constraint issue_spans_forward check (valid_to >= valid_from)
);

-- Append-only by permission: the role that runs may SELECT and INSERT, and nothing else.
create table history (
  district    integer     not null,
  id          uuid        not null,
  kind        text        not null,  -- of the thing: visit, issue, ...
  thing       uuid        not null,
  version     integer     not null,
  event       text        not null,
  actor_kind  text        not null,
  actor       text        not null,
  happened_at timestamptz not null,
  recorded_at timestamptz not null,
  request     bytea,                 -- SHA-256 of what was asked, so that a retry is known
  facts       jsonb       not null,  -- ids, codes, states, times and digests; never a text
  constraint history_pkey primary key (district, id),
  constraint history_one_event_per_version unique (district, thing, version),
  constraint history_actor_kind_known check (actor_kind in ('member', 'resident', 'job', 'import', 'program')),
  constraint history_recorded_after check (recorded_at >= happened_at)
);

grant select, insert, update on
  category, category_limit, campaign, number_series, text_version, visit, visit_flag, issue, issue_photo, issue_spans
  to zoufang_app;
grant select, insert on card_binding, history to zoufang_app;

-- migrate:down
drop table history, issue_spans, issue_photo, issue, card_binding, visit_flag, visit, text_version cascade;
drop table number_series, campaign, category_limit, category cascade;
