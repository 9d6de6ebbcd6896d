-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- By what points are counted, from a month on: published once, and never edited.
create table points_rules (
  district     integer     not null,
  version      integer     not null,
  id           uuid        not null,
  valid_from   date        not null,  -- the first day of a month of the district
  body         jsonb       not null,
  published_at timestamptz not null,
  published_by uuid        not null,
  constraint points_rules_pkey primary key (district, version),
  constraint points_rules_id_unique unique (district, id),
  constraint points_rules_district_fkey foreign key (district) references district,
  constraint points_rules_published_by_fkey foreign key (district, published_by) references member,
  constraint points_rules_from_a_month_on check (extract(day from valid_from) = 1)
);

-- The points of a month as they were published; what is learned later makes a further version, and both can be read.
create table points_board (
  district     integer     not null,
  id           uuid        not null,
  month        date        not null,
  version      integer     not null,
  rules        integer     not null,
  as_of        date        not null,  -- the day at whose end they were counted, by when things took place
  known_at     timestamptz not null,  -- and as was known then
  deeds        integer     not null,
  minutes      bigint      not null,
  helped       bigint      not null,
  published_at timestamptz not null,
  published_by uuid        not null,
  constraint points_board_pkey primary key (district, id),
  constraint points_board_one_version unique (district, month, version),
  constraint points_board_rules_fkey foreign key (district, rules) references points_rules,
  constraint points_board_published_by_fkey foreign key (district, published_by) references member,
  constraint points_board_of_a_month check (extract(day from month) = 1 and as_of >= month),
  constraint points_board_of_what_was_known check (known_at <= published_at)
);

-- Who stands on it where; by number, and by name for as long as they like that.
create table points_board_row (
  district  integer not null,
  board     uuid    not null,
  volunteer uuid    not null,
  place     integer not null,  -- shared by those who have as many points
  points    bigint  not null,  -- in hundredths
  deeds     integer not null,
  minutes   bigint  not null,
  helped    bigint  not null,
  constraint points_board_row_pkey primary key (district, board, volunteer),
  constraint points_board_row_board_fkey foreign key (district, board) references points_board,
  constraint points_board_row_volunteer_fkey foreign key (district, volunteer) references volunteer,
  constraint points_board_row_has_points check (points > 0 and place > 0)
);
create index points_board_row_by_place on points_board_row (district, board, place, volunteer);
create index points_board_row_by_volunteer on points_board_row (district, volunteer);

-- Whom others may take as an example: proposed by one person, approved by another, shown until taken off.
create table model (
  district     integer     not null,
  id           uuid        not null,
  version      integer     not null,
  state        text        not null,
  month        date        not null,
  team         uuid,
  volunteer    uuid,
  member       uuid,
  organisation uuid,
  text_version integer     not null,  -- what they did
  proposed_at  timestamptz not null,
  proposed_by  uuid        not null,
  decided_at   timestamptz,
  decided_by   uuid,
  recorded_at  timestamptz not null,
  constraint model_pkey primary key (district, id),
  constraint model_district_fkey foreign key (district) references district,
  constraint model_team_fkey foreign key (district, team) references volunteer_team,
  constraint model_volunteer_fkey foreign key (district, volunteer) references volunteer,
  constraint model_member_fkey foreign key (district, member) references member,
  constraint model_organisation_fkey foreign key (district, organisation) references organisation,
  constraint model_proposed_by_fkey foreign key (district, proposed_by) references member,
  constraint model_decided_by_fkey foreign key (district, decided_by) references member,
  constraint model_state_known check (state in ('proposed', 'approved', 'declined', 'taken_off')),
  constraint model_of_a_month check (extract(day from month) = 1),
  constraint model_is_one_thing check (num_nonnulls(team, volunteer, member, organisation) = 1),
  constraint model_decided check ((state = 'proposed') = (decided_by is null)
    and (decided_by is null) = (decided_at is null)),
  constraint model_approved_by_another check (decided_by <> proposed_by or state <> 'approved')
);
create index model_shown on model (district, month desc, id desc) where state = 'approved';
create index model_waiting on model (district, proposed_at) where state = 'proposed';

grant select, insert on points_rules, points_board, points_board_row to zoufang_app;
grant select, insert, update on model to zoufang_app;

-- migrate:down
drop table model, points_board_row, points_board, points_rules;
