-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- What volunteers of a district can do, as the district calls it.
create table skill (
  district    integer     not null,
  id          uuid        not null,
  name        text        not null,
  recorded_at timestamptz not null,
  constraint skill_pkey primary key (district, id),
  constraint skill_district_fkey foreign key (district) references district,
  constraint skill_name_unique unique (district, name),
  constraint skill_name_short check (char_length(name) between 1 and 40)
);

create table volunteer_skill (
  district  integer not null,
  volunteer uuid    not null,
  skill     uuid    not null,
  constraint volunteer_skill_pkey primary key (district, volunteer, skill),
  constraint volunteer_skill_volunteer_fkey foreign key (district, volunteer) references volunteer,
  constraint volunteer_skill_skill_fkey foreign key (district, skill) references skill
);
create index volunteer_skill_by_skill on volunteer_skill (district, skill);

-- The hours of a week that a volunteer offers, in minutes of the day in the district's time zone; Monday is 1.
create table volunteer_hours (
  district  integer  not null,
  volunteer uuid     not null,
  weekday   smallint not null,
  starts    smallint not null,
  ends      smallint not null,
  constraint volunteer_hours_pkey primary key (district, volunteer, weekday, starts),
  constraint volunteer_hours_volunteer_fkey foreign key (district, volunteer) references volunteer,
  constraint volunteer_hours_weekday_known check (weekday between 1 and 7),
  constraint volunteer_hours_forward check (0 <= starts and starts < ends and ends <= 1440)
);
create index volunteer_hours_by_weekday on volunteer_hours (district, weekday, volunteer);

-- The personal link of a volunteer who cannot sign in: of its token only the SHA-256 is kept.
create table volunteer_pass (
  district   integer     not null,
  id         uuid        not null,
  volunteer  uuid        not null,
  digest     bytea       not null,
  made_at    timestamptz not null,
  made_by    uuid,
  revoked_at timestamptz,
  constraint volunteer_pass_pkey primary key (district, id),
  constraint volunteer_pass_digest_unique unique (district, digest),
  constraint volunteer_pass_volunteer_fkey foreign key (district, volunteer) references volunteer,
  constraint volunteer_pass_made_by_fkey foreign key (district, made_by) references member
);
create unique index volunteer_pass_once on volunteer_pass (district, volunteer) where revoked_at is null;

-- When we learned that somebody left, so that a past day can be asked for as it was known then.
alter table team_volunteer add column left_recorded_at timestamptz;
alter table team_volunteer add constraint team_volunteer_left_was_learned
  check ((left_at is null) = (left_recorded_at is null)) not valid;
alter table team_volunteer validate constraint team_volunteer_left_was_learned;
create index volunteer_by_community on volunteer (district, community) where community is not null;

-- The phone of a volunteer is sealed as a resident's is.
alter table sealed_field drop constraint sealed_field_known;
alter table sealed_field add constraint sealed_field_known
  check (field in ('contact_name', 'contact_phone', 'volunteer_phone')) not valid;
alter table sealed_field validate constraint sealed_field_known;

grant select, insert on skill to zoufang_app;
grant select, insert, delete on volunteer_skill, volunteer_hours to zoufang_app;
grant select, insert, update on volunteer_pass to zoufang_app;

-- migrate:down
delete from sealed_field where field = 'volunteer_phone';
alter table sealed_field drop constraint sealed_field_known;
alter table sealed_field add constraint sealed_field_known check (field in ('contact_name', 'contact_phone')) not valid;
alter table sealed_field validate constraint sealed_field_known;
drop index volunteer_by_community;
alter table team_volunteer drop constraint team_volunteer_left_was_learned;
alter table team_volunteer drop column left_recorded_at;
drop table volunteer_pass, volunteer_hours, volunteer_skill, skill;
