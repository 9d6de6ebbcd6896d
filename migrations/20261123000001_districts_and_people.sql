-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

create extension if not exists pg_trgm;

-- Two roles: the one that owns and migrates, and the one that runs and owns nothing.
do $$
begin
  if not exists (select from pg_roles where rolname = 'zoufang_app') then
    create role zoufang_app login nosuperuser nocreatedb nocreaterole noinherit;
  end if;
  execute format('grant connect on database %I to zoufang_app', current_database());
end
$$;
revoke create on schema public from public;
grant usage on schema public to zoufang_app;

create table district (
  district   integer     not null,
  code       text        not null,
  name       text        not null,
  time_zone  text        not null,
  calendar   text        not null default 'cn',
  dispatcher uuid        not null,  -- the last in the line of owners: an issue is never without one
  created_at timestamptz not null,
  constraint district_pkey primary key (district),
  constraint district_name_not_blank check (name ~ '\S')
);

create table street (
  district integer not null,
  code     text    not null,
  name     text    not null,
  constraint street_pkey primary key (district, code),
  constraint street_district_fkey foreign key (district) references district
);

create table community (
  district integer not null,
  code     text    not null,
  name     text    not null,
  street   text,
  constraint community_pkey primary key (district, code),
  constraint community_street_fkey foreign key (district, street) references street,
  constraint community_name_not_blank check (name ~ '\S')
);
create index community_by_street on community (district, street);

-- A boundary version is valid from its day until the next version's; it rewrites nothing that came before.
create table boundary_version (
  district    integer     not null,
  version     integer     not null,
  valid_from  timestamptz not null,
  source      text        not null,
  recorded_at timestamptz not null,
  constraint boundary_version_pkey primary key (district, version),
  constraint boundary_version_one_per_moment unique (district, valid_from),
  constraint boundary_version_district_fkey foreign key (district) references district
);

create table community_boundary (
  district  integer not null,
  version   integer not null,
  community text    not null,
  geometry  bytea   not null,  -- WKB, WGS-84, (multi)polygon
  constraint community_boundary_pkey primary key (district, version, community),
  constraint community_boundary_version_fkey foreign key (district, version) references boundary_version,
  constraint community_boundary_community_fkey foreign key (district, community) references community
);

create table organisation (
  district  integer not null,
  id        uuid    not null,
  parent    uuid,
  name      text    not null,
  closed_at timestamptz,
  constraint organisation_pkey primary key (district, id),
  constraint organisation_parent_fkey foreign key (district, parent) references organisation,
  constraint organisation_district_fkey foreign key (district) references district
);
create index organisation_by_parent on organisation (district, parent);

-- A department handles issues; it is not a party organisation.
create table department (
  district integer not null,
  code     text    not null,
  name     text    not null,
  constraint department_pkey primary key (district, code),
  constraint department_district_fkey foreign key (district) references district
);

create table member (
  district     integer     not null,
  id           uuid        not null,
  number       text        not null,
  name         text        not null,
  organisation uuid        not null,
  joined_at    timestamptz not null,
  closed_at    timestamptz,
  constraint member_pkey primary key (district, id),
  constraint member_number_unique unique (district, number),
  constraint member_organisation_fkey foreign key (district, organisation) references organisation
);
create index member_by_organisation on member (district, organisation);

alter table district add constraint district_dispatcher_fkey
  foreign key (district, dispatcher) references member deferrable initially deferred;

-- What a member may do, and where: the scope's kind says what its code names.
create table member_role (
  district   integer not null,
  member     uuid    not null,
  role       text    not null,
  scope_kind text    not null,
  scope      text    not null,
  constraint member_role_pkey primary key (district, member, role, scope_kind, scope),
  constraint member_role_member_fkey foreign key (district, member) references member,
  constraint member_role_known check (
    role in ('member', 'community_worker', 'dispatcher', 'department_handler', 'leader', 'administrator')),
  constraint member_role_scope_known check (
    scope_kind in ('own', 'community', 'street', 'department', 'district')),
  constraint member_role_scope_fits check (
    case role
      when 'member' then scope_kind = 'own'
      when 'community_worker' then scope_kind = 'community'
      when 'department_handler' then scope_kind = 'department'
      when 'dispatcher' then scope_kind in ('street', 'district')
      when 'leader' then scope_kind in ('street', 'district')
      else scope_kind = 'district'
    end)
);
create index member_role_by_scope on member_role (district, role, scope_kind, scope);

-- A token is kept only as its SHA-256; the text it is the digest of names its district.
create table access_token (
  district     integer     not null,
  digest       bytea       not null,
  member       uuid        not null,
  label        text        not null,
  created_at   timestamptz not null,
  expires_at   timestamptz,
  revoked_at   timestamptz,
  constraint access_token_pkey primary key (district, digest),
  constraint access_token_member_fkey foreign key (district, member) references member,
  constraint access_token_is_a_digest check (octet_length(digest) = 32)
);
create index access_token_by_member on access_token (district, member);

-- A browser's session, opened with a token and never outliving it.
create table session (
  district   integer     not null,
  digest     bytea       not null,
  token      bytea       not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at   timestamptz,
  constraint session_pkey primary key (district, digest),
  constraint session_token_fkey foreign key (district, token) references access_token,
  constraint session_is_a_digest check (octet_length(digest) = 32)
);
create index session_by_token on session (district, token);

grant select, insert, update on
  district, street, community, organisation, department, member, access_token, session to zoufang_app;
grant select, insert on boundary_version, community_boundary to zoufang_app;
grant select, insert, delete on member_role to zoufang_app;

-- migrate:down
drop table session, access_token, member_role, community_boundary, boundary_version, community, street, department cascade;
drop table member, organisation, district cascade;
