-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- Who serves in their own time. A member is called what members are called; of somebody else the name is a text that
-- can be forgotten, and the number stays in its place.
create table volunteer (
  district          integer     not null,
  id                uuid        not null,
  version           integer     not null,
  number            text        not null,  -- shown instead of the name where no consent was given
  member            uuid,
  community         text,                  -- where they serve first
  text_version      integer,               -- their name, unless they are a member
  joined_at         timestamptz not null,
  ended_at          timestamptz,           -- when they ended what is kept on them
  name_public_since timestamptz,           -- since when their name may stand on the public board
  recorded_at       timestamptz not null,
  constraint volunteer_pkey primary key (district, id),
  constraint volunteer_district_fkey foreign key (district) references district,
  constraint volunteer_number_unique unique (district, number),
  constraint volunteer_member_unique unique (district, member),
  constraint volunteer_member_fkey foreign key (district, member) references member,
  constraint volunteer_community_fkey foreign key (district, community) references community,
  constraint volunteer_named_once check (member is null or text_version is null),
  constraint volunteer_ended_is_not_public check (ended_at is null or name_public_since is null)
);

-- A team answers to an organisation, and is led by a volunteer who can sign in.
create table volunteer_team (
  district     integer     not null,
  id           uuid        not null,
  version      integer     not null,
  kind         text        not null,
  organisation uuid        not null,
  leader       uuid,
  text_version integer     not null,  -- its name, and what it does
  founded_at   timestamptz not null,
  closed_at    timestamptz,
  recorded_at  timestamptz not null,
  constraint volunteer_team_pkey primary key (district, id),
  constraint volunteer_team_organisation_fkey foreign key (district, organisation) references organisation,
  constraint volunteer_team_leader_fkey foreign key (district, leader) references volunteer,
  constraint volunteer_team_kind_known check (kind in (
    'policy', 'arts', 'wellbeing', 'technology', 'jobs', 'environment', 'safety', 'learning', 'neighbours', 'other'))
);
create index volunteer_team_by_organisation on volunteer_team (district, organisation);
create index volunteer_team_by_leader on volunteer_team (district, leader) where leader is not null;

-- Where a team serves; one without a row serves the whole district.
create table volunteer_team_area (
  district integer not null,
  team     uuid    not null,
  kind     text    not null,
  code     text    not null,
  constraint volunteer_team_area_pkey primary key (district, team, kind, code),
  constraint volunteer_team_area_team_fkey foreign key (district, team) references volunteer_team,
  constraint volunteer_team_area_kind_known check (kind in ('street', 'community'))
);
create index volunteer_team_area_by_code on volunteer_team_area (district, kind, code);

-- Who was in which team from when to when.
create table team_volunteer (
  district    integer     not null,
  team        uuid        not null,
  volunteer   uuid        not null,
  joined_at   timestamptz not null,
  left_at     timestamptz,
  recorded_at timestamptz not null,
  constraint team_volunteer_pkey primary key (district, team, volunteer, joined_at),
  constraint team_volunteer_team_fkey foreign key (district, team) references volunteer_team,
  constraint team_volunteer_volunteer_fkey foreign key (district, volunteer) references volunteer,
  constraint team_volunteer_forward check (left_at >= joined_at)
);
create unique index team_volunteer_once on team_volunteer (district, team, volunteer) where left_at is null;
create index team_volunteer_by_volunteer on team_volunteer (district, volunteer);

grant select, insert, update on volunteer, volunteer_team, team_volunteer to zoufang_app;
grant select, insert, delete on volunteer_team_area to zoufang_app;

-- migrate:down
drop table team_volunteer, volunteer_team_area, volunteer_team, volunteer;
