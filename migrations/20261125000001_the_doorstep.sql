-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- A campaign says what is visited, where, by whom, how often, with which questionnaire and which promise.
alter table campaign
  add version    integer     not null default 1,
  add kinds      text[]      not null default '{shop,enterprise,household}',
  add every      text        not null default 'once',  -- how often each door is visited
  add promise    text        not null default '',
  add created_at timestamptz,
  add created_by uuid,
  add closed_at  timestamptz;
alter table campaign
  add constraint campaign_kinds_known check (kinds <@ array['shop', 'enterprise', 'household'] and kinds <> '{}'),
  add constraint campaign_every_known check (every in ('once', 'month', 'quarter', 'year')),
  add constraint campaign_created_by_fkey foreign key (district, created_by) references member;

-- Where it is: communities and streets; none means the whole district.
create table campaign_area (
  district integer not null,
  campaign text    not null,
  kind     text    not null,
  code     text    not null,
  constraint campaign_area_pkey primary key (district, campaign, kind, code),
  constraint campaign_area_campaign_fkey foreign key (district, campaign) references campaign,
  constraint campaign_area_kind_known check (kind in ('community', 'street'))
);

-- By whom: organisations with all below them; none means all.
create table campaign_organisation (
  district     integer not null,
  campaign     text    not null,
  organisation uuid    not null,
  constraint campaign_organisation_pkey primary key (district, campaign, organisation),
  constraint campaign_organisation_campaign_fkey foreign key (district, campaign) references campaign,
  constraint campaign_organisation_organisation_fkey foreign key (district, organisation) references organisation
);

-- Questionnaires: a version that was published never changes, so that its answers stay readable.
create table questionnaire (
  district   integer     not null,
  id         text        not null,  -- the form_id of the XLSForm
  kind       text,                  -- of the premises that it is meant for; null: any
  current    text,                  -- the version that is filled in now; null: none, it is no longer given out
  created_at timestamptz not null,
  constraint questionnaire_pkey primary key (district, id),
  constraint questionnaire_district_fkey foreign key (district) references district,
  constraint questionnaire_kind_known check (kind in ('shop', 'enterprise', 'household'))
);

create table questionnaire_version (
  district      integer     not null,
  questionnaire text        not null,
  version       text        not null,
  title         jsonb       not null,  -- by language
  digest        bytea       not null,  -- SHA-256 of the file as it came
  source        bytea       not null,  -- the XLSForm as it came
  source_name   text        not null,
  xform         text        not null,  -- the questionnaire alone, as our own client fills it in
  visit_xform   text        not null,  -- the whole visit form with the questionnaire in it, for ODK Collect
  fields        jsonb       not null,  -- its questions in order: path, type, labels by language, choices
  published_at  timestamptz not null,
  published_by  uuid,
  constraint questionnaire_version_pkey primary key (district, questionnaire, version),
  constraint questionnaire_version_questionnaire_fkey foreign key (district, questionnaire) references questionnaire,
  constraint questionnaire_version_published_by_fkey foreign key (district, published_by) references member
);
alter table questionnaire
  add constraint questionnaire_current_fkey foreign key (district, id, current) references questionnaire_version;

create table campaign_questionnaire (
  district      integer not null,
  campaign      text    not null,
  kind          text    not null,
  questionnaire text    not null,
  constraint campaign_questionnaire_pkey primary key (district, campaign, kind),
  constraint campaign_questionnaire_campaign_fkey foreign key (district, campaign) references campaign,
  constraint campaign_questionnaire_questionnaire_fkey foreign key (district, questionnaire) references questionnaire,
  constraint campaign_questionnaire_kind_known check (kind in ('shop', 'enterprise', 'household'))
);

-- The register of doors. What a door is called and where it is said to be are texts of a person, in text_version.
create table premises (
  district         integer     not null,
  id               uuid        not null,
  version          integer     not null,
  kind             text        not null,
  code             text,                     -- by which another register knows it
  state            text        not null,     -- proposed: found on the way, and not yet confirmed at the desk
  merged_into      uuid,
  source           text        not null,
  found_by         uuid,
  alike            bytea       not null,     -- digest of kind, name and address as written alike: the same door twice
  position_lon     double precision,
  position_lat     double precision,
  accuracy_m       double precision,
  position_system  text,
  position_source  text,
  lon              double precision,
  lat              double precision,
  cell             bigint,
  community        text,
  certainty        text        not null,
  boundary_version integer,
  text_version     integer     not null,
  recorded_at      timestamptz not null,
  constraint premises_pkey primary key (district, id),
  constraint premises_district_fkey foreign key (district) references district,
  constraint premises_community_fkey foreign key (district, community) references community,
  constraint premises_boundary_version_fkey foreign key (district, boundary_version) references boundary_version,
  constraint premises_found_by_fkey foreign key (district, found_by) references member,
  constraint premises_merged_into_fkey foreign key (district, merged_into) references premises,
  constraint premises_kind_known check (kind in ('shop', 'enterprise', 'household')),
  constraint premises_state_known check (state in ('proposed', 'confirmed', 'gone', 'merged')),
  constraint premises_merged_into_another check ((state = 'merged') = (merged_into is not null) and merged_into <> id),
  constraint premises_source_known check (source in ('import', 'visit', 'desk')),
  constraint premises_certainty_known check (certainty in ('inside', 'near_line', 'outside', 'unplaced')),
  constraint premises_position_whole check (
    num_nulls(position_lon, position_lat, position_system, lon, lat) in (0, 5))
);
create unique index premises_code_unique on premises (district, code) where code is not null;
create index premises_by_community on premises (district, community, id) include (kind, state);
create index premises_by_cell on premises (district, cell) where cell is not null;
create index premises_alike on premises (district, alike);
create index premises_proposed on premises (district, recorded_at, id) where state = 'proposed';

-- Who visits which door in a campaign: an organisation, and of it a member, who takes it at a place of their way.
create table assignment (
  district     integer     not null,
  campaign     text        not null,
  premises     uuid        not null,
  organisation uuid        not null,
  member       uuid,
  place        integer     not null,  -- in the member's walking order, from 1; 0: not ordered
  means        text        not null,
  assigned_at  timestamptz not null,
  assigned_by  uuid,
  constraint assignment_pkey primary key (district, campaign, premises),
  constraint assignment_campaign_fkey foreign key (district, campaign) references campaign,
  constraint assignment_premises_fkey foreign key (district, premises) references premises,
  constraint assignment_organisation_fkey foreign key (district, organisation) references organisation,
  constraint assignment_member_fkey foreign key (district, member) references member,
  constraint assignment_assigned_by_fkey foreign key (district, assigned_by) references member,
  constraint assignment_means_known check (means in ('area', 'hand', 'proposal'))
);
create index assignment_by_member on assignment (district, member, campaign, place) where member is not null;
create index assignment_by_organisation on assignment (district, organisation, campaign);
create index assignment_by_premises on assignment (district, premises);

-- By which way a visit came, and who typed it in when it was not the visitor.
alter table visit
  add via                   text not null default 'phone',
  add entered_by            uuid,
  add questionnaire         text,
  add questionnaire_version text;
alter table visit
  alter via drop default,
  add constraint visit_via_known check (via in ('phone', 'desk', 'paper', 'collect')),
  add constraint visit_entered_by_fkey foreign key (district, entered_by) references member;
create index visit_by_questionnaire on visit (district, questionnaire, started_at desc) where questionnaire is not null;

grant select, insert, update on campaign, questionnaire to zoufang_app;
grant select, insert, update, delete on campaign_area, campaign_organisation, campaign_questionnaire to zoufang_app;
grant select, insert on questionnaire_version to zoufang_app;
grant select, insert, update on premises to zoufang_app;
grant select, insert, update, delete on assignment to zoufang_app;

-- migrate:down
drop index visit_by_questionnaire;
alter table visit drop column questionnaire_version, drop column questionnaire, drop column entered_by, drop column via;
drop table assignment;
drop table premises;
drop table campaign_questionnaire;
alter table questionnaire drop constraint questionnaire_current_fkey;
drop table questionnaire_version;
drop table questionnaire;
drop table campaign_organisation;
drop table campaign_area;
alter table campaign
  drop column closed_at, drop column created_by, drop column created_at, drop column promise, drop column every,
  drop column kinds, drop column version;
