-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- An organisation is known by its name below its parent, which is how a spreadsheet names it.
alter table organisation add version integer not null default 0;  -- of its history; 0 before the first event
create unique index organisation_one_name_below_parent on organisation (district, parent, name) nulls not distinct
  where closed_at is null;

-- Where an organisation hung and what it was called, and from when to when: the tree as of any past day.
create table organisation_spans (
  district     integer     not null,
  organisation uuid        not null,
  valid_from   timestamptz not null,
  valid_to     timestamptz not null default 'infinity',
  parent       uuid,
  name         text        not null,
  recorded_at  timestamptz not null,
  constraint organisation_spans_pkey primary key (district, organisation, valid_from),
  constraint organisation_spans_organisation_fkey foreign key (district, organisation) references organisation,
  constraint organisation_spans_forward check (valid_to >= valid_from)
);
insert into organisation_spans (district, organisation, valid_from, valid_to, parent, name, recorded_at)
select o.district, o.id, '-infinity', coalesce(o.closed_at, 'infinity'), o.parent, o.name, d.created_at
from organisation o join district d using (district);

-- The communities, streets and doors that an organisation answers for.
create table organisation_area (
  district     integer not null,
  organisation uuid    not null,
  kind         text    not null,
  code         text    not null,  -- of the community or street, or the id of the premises
  constraint organisation_area_pkey primary key (district, organisation, kind, code),
  constraint organisation_area_organisation_fkey foreign key (district, organisation) references organisation,
  constraint organisation_area_kind_known check (kind in ('community', 'street', 'premises'))
);

alter table member add version integer not null default 0;  -- of its history; 0 before the first event
alter table member add phone bytea;          -- sealed
alter table member add phone_look_up bytea;  -- keyed hash of its digits
create unique index member_phone_unique on member (district, phone_look_up)
  where phone_look_up is not null and closed_at is null;

-- While somebody is away, their deputy answers for what they own.
create table member_absence (
  district     integer     not null,
  id           uuid        not null,
  member       uuid        not null,
  deputy       uuid        not null,
  starts_at    timestamptz not null,
  ends_at      timestamptz not null,
  handed_on_at timestamptz,
  cancelled_at timestamptz,
  recorded_at  timestamptz not null,
  constraint member_absence_pkey primary key (district, id),
  constraint member_absence_member_fkey foreign key (district, member) references member,
  constraint member_absence_deputy_fkey foreign key (district, deputy) references member,
  constraint member_absence_of_another check (deputy <> member),
  constraint member_absence_ends_after_start check (ends_at > starts_at)
);
create index member_absence_by_member on member_absence (district, member, ends_at) where cancelled_at is null;

alter table member_role
  drop constraint member_role_known, drop constraint member_role_scope_known, drop constraint member_role_scope_fits;
alter table member_role
  add constraint member_role_known check (
    role in ('member', 'organiser', 'community_worker', 'dispatcher', 'department_handler', 'leader',
             'administrator', 'auditor', 'operator')),
  add constraint member_role_scope_known check (
    scope_kind in ('own', 'organisation', 'community', 'street', 'department', 'district')),
  add constraint member_role_scope_fits check (
    case role
      when 'member' then scope_kind = 'own'
      when 'organiser' then scope_kind = 'organisation'
      when 'community_worker' then scope_kind = 'community'
      when 'department_handler' then scope_kind = 'department'
      when 'dispatcher' then scope_kind in ('street', 'district')
      when 'leader' then scope_kind in ('street', 'district')
      else scope_kind = 'district'
    end);

-- The reporter's organisation on the day, and the door: an organiser's and a member's reach follow them.
alter table issue add organisation uuid;
alter table issue add premises uuid;
update issue i set organisation = v.organisation, premises = v.premises
from visit v where v.district = i.district and v.id = i.visit;
alter table issue add constraint issue_organisation_fkey
  foreign key (district, organisation) references organisation;
create index issue_by_organisation on issue (district, organisation, reported_at desc, id desc)
  where organisation is not null;
create index issue_by_premises on issue (district, premises) where premises is not null;
create index visit_by_organisation on visit (district, organisation, started_at desc, id desc);
create index visit_by_premises on visit (district, premises) where premises is not null;

grant select, insert, update on organisation_spans, member_absence to zoufang_app;
grant select, insert, delete on organisation_area to zoufang_app;

-- migrate:down
drop index visit_by_premises, visit_by_organisation, issue_by_premises, issue_by_organisation;
alter table issue drop constraint issue_organisation_fkey, drop column premises, drop column organisation;
delete from member_role where role in ('organiser', 'auditor', 'operator');
alter table member_role
  drop constraint member_role_known, drop constraint member_role_scope_known, drop constraint member_role_scope_fits;
alter table member_role
  add constraint member_role_known check (
    role in ('member', 'community_worker', 'dispatcher', 'department_handler', 'leader', 'administrator')),
  add constraint member_role_scope_known check (
    scope_kind in ('own', 'community', 'street', 'department', 'district')),
  add constraint member_role_scope_fits check (
    case role
      when 'member' then scope_kind = 'own'
      when 'community_worker' then scope_kind = 'community'
      when 'department_handler' then scope_kind = 'department'
      when 'dispatcher' then scope_kind in ('street', 'district')
      when 'leader' then scope_kind in ('street', 'district')
      else scope_kind = 'district'
    end);
drop table member_absence, organisation_area, organisation_spans;
drop index member_phone_unique, organisation_one_name_below_parent;
alter table member drop column phone_look_up, drop column phone, drop column version;
alter table organisation drop column version;
