-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- What a team announces, holds and reports. Its title, what happens, what to bring, the place in words, what was done
-- and why it was cancelled are texts. Persons are counted here, under its lock: nobody is booked beyond its places.
create table service (
  district         integer     not null,
  id               uuid        not null,
  version          integer     not null,
  team             uuid        not null,
  kind             text        not null,
  state            text        not null,
  starts_at        timestamptz not null,
  ends_at          timestamptz not null,
  places           integer     not null,            -- how many persons can come
  waiting_places   integer     not null,            -- how many more may wait
  booked           integer     not null default 0,  -- persons who have a place
  waiting          integer     not null default 0,  -- persons who wait for one
  bookings         integer     not null default 0,  -- the number of the last one that came in
  position_lon     double precision,
  position_lat     double precision,
  accuracy_m       double precision,
  position_system  text,
  position_source  text,
  lon              double precision,
  lat              double precision,
  cell             bigint,                          -- Morton code of lon, lat
  community        text,
  certainty        text        not null,
  boundary_version integer,
  text_version     integer     not null,
  announced_by     uuid        not null,
  announced_at     timestamptz not null,
  reminded_at      timestamptz,
  cancelled_at     timestamptz,
  helped           integer,                         -- persons, as its report says
  reported_by      uuid,
  reported_at      timestamptz,
  confirmed_by     uuid,
  confirmed_at     timestamptz,
  recorded_at      timestamptz not null,
  constraint service_pkey primary key (district, id),
  constraint service_team_fkey foreign key (district, team) references volunteer_team,
  constraint service_community_fkey foreign key (district, community) references community,
  constraint service_boundary_version_fkey foreign key (district, boundary_version) references boundary_version,
  constraint service_announced_by_fkey foreign key (district, announced_by) references member,
  constraint service_reported_by_fkey foreign key (district, reported_by) references member,
  constraint service_confirmed_by_fkey foreign key (district, confirmed_by) references member,
  constraint service_kind_known check (kind in (
    'policy', 'arts', 'wellbeing', 'technology', 'jobs', 'environment', 'safety', 'learning', 'neighbours', 'other')),
  constraint service_state_known check (state in ('announced', 'cancelled', 'reported', 'confirmed')),
  constraint service_forward check (ends_at > starts_at),
  constraint service_places_some check (places between 1 and 10000 and waiting_places between 0 and 10000),
  constraint service_not_overbooked check (booked between 0 and places),
  constraint service_waiting_bounded check (waiting >= 0),
  constraint service_helped_known check (helped between 0 and 100000),
  constraint service_certainty_known check (certainty in ('inside', 'near_line', 'outside', 'unplaced')),
  constraint service_position_whole check (
    num_nulls(position_lon, position_lat, position_system, lon, lat, cell) in (0, 6)),
  constraint service_cancelled_when_it_is check ((state = 'cancelled') = (cancelled_at is not null)),
  constraint service_reported_whole check (
    num_nonnulls(helped, reported_by, reported_at) = case when state in ('reported', 'confirmed') then 3 else 0 end),
  constraint service_confirmed_whole check (
    num_nonnulls(confirmed_by, confirmed_at) = case when state = 'confirmed' then 2 else 0 end)
);
create index service_by_start on service (district, starts_at, id);
create index service_to_come on service (district, ends_at, id) where state = 'announced';
create index service_by_team on service (district, team, starts_at);
create index service_by_community on service (district, community, starts_at);
create index service_by_confirmation on service (district, confirmed_at) where confirmed_at is not null;

-- Who has a place, or waits for one, in order of arrival: the number counts them within their service. A resident is
-- known by their card or their door and by nothing else; whoever comes to the desk with neither is told the number.
create table booking (
  district     integer     not null,
  id           uuid        not null,
  version      integer     not null,
  service      uuid        not null,
  number       integer     not null,
  state        text        not null,
  persons      smallint    not null,
  via          text        not null,
  card         text,
  premises     uuid,
  member       uuid,                  -- who booked it for them
  booked_at    timestamptz not null,  -- when it came in
  placed_at    timestamptz,           -- since when there are places for it
  cancelled_at timestamptz,
  recorded_at  timestamptz not null,
  constraint booking_pkey primary key (district, id),
  constraint booking_number_unique unique (district, service, number),
  constraint booking_service_fkey foreign key (district, service) references service,
  constraint booking_card_fkey foreign key (district, card) references contact_card,
  constraint booking_premises_fkey foreign key (district, premises) references premises,
  constraint booking_member_fkey foreign key (district, member) references member,
  constraint booking_state_known check (state in ('booked', 'waiting', 'cancelled', 'came', 'missed')),
  constraint booking_via_known check (via in ('card', 'member', 'desk')),
  constraint booking_persons_some check (persons between 1 and 20),
  constraint booking_by_its_card check (via <> 'card' or (card is not null and member is null)),
  constraint booking_by_somebody check (via = 'card' or member is not null),
  constraint booking_for_a_door check (via <> 'member' or num_nonnulls(card, premises) > 0),
  constraint booking_placed_when_it_is check (
    case state when 'waiting' then placed_at is null when 'cancelled' then true else placed_at is not null end),
  constraint booking_cancelled_when_it_is check ((state = 'cancelled') = (cancelled_at is not null))
);
create unique index booking_one_a_card on booking (district, service, card)
  where card is not null and state <> 'cancelled';
create unique index booking_one_a_door on booking (district, service, premises)
  where premises is not null and state <> 'cancelled';
create index booking_waiting on booking (district, service, number) where state = 'waiting';
create index booking_by_card on booking (district, card) where card is not null;
create index booking_by_premises on booking (district, premises) where premises is not null;
create index booking_by_member on booking (district, member) where member is not null;

-- Who serves, by its id as the time bank knows it; from when to when they did is in the report.
create table service_volunteer (
  district    integer     not null,
  service     uuid        not null,
  volunteer   uuid        not null,
  id          uuid        not null,
  state       text        not null,
  signed_at   timestamptz not null,
  left_at     timestamptz,
  served_from timestamptz,
  served_to   timestamptz,
  recorded_at timestamptz not null,
  constraint service_volunteer_pkey primary key (district, service, volunteer),
  constraint service_volunteer_id_unique unique (district, id),
  constraint service_volunteer_service_fkey foreign key (district, service) references service,
  constraint service_volunteer_volunteer_fkey foreign key (district, volunteer) references volunteer,
  constraint service_volunteer_state_known check (state in ('signed', 'left', 'served', 'missed')),
  constraint service_volunteer_left_when_they_did check ((state = 'left') = (left_at is not null)),
  constraint service_volunteer_served_whole check (
    num_nonnulls(served_from, served_to) = case when state = 'served' then 2 else 0 end),
  constraint service_volunteer_served_forward check (served_to > served_from)
);
create index service_volunteer_by_volunteer on service_volunteer (district, volunteer, service);

-- Asking who came whether it was what they needed: invited when the service's report is confirmed, as an issue's is
-- when it is resolved. The last that was said; the reason is the text of the event `event`.
create table service_return_visit (
  district     integer     not null,
  id           uuid        not null,
  service      uuid        not null,
  booking      uuid        not null,
  state        text        not null,
  invited_at   timestamptz not null,
  closes_at    timestamptz not null,
  ended_at     timestamptz,
  answered_at  timestamptz,
  event        uuid,
  via          text,
  member       uuid,                  -- who asked the resident, if not the resident answered themselves
  visit        uuid,                  -- on which they did
  solved       boolean,               -- whether it was what they needed
  satisfaction smallint,
  constraint service_return_visit_pkey primary key (district, id),
  constraint service_return_visit_one_a_booking unique (district, booking),
  constraint service_return_visit_service_fkey foreign key (district, service) references service,
  constraint service_return_visit_booking_fkey foreign key (district, booking) references booking,
  constraint service_return_visit_member_fkey foreign key (district, member) references member,
  constraint service_return_visit_visit_fkey foreign key (district, visit) references visit,
  constraint service_return_visit_state_known check (state in ('invited', 'answered', 'lapsed', 'void')),
  constraint service_return_visit_via_known check (via in ('card', 'visit', 'call')),
  constraint service_return_visit_satisfaction_known check (satisfaction between 1 and 5),
  constraint service_return_visit_ended_when_it_is check ((state = 'invited') = (ended_at is null)),
  constraint service_return_visit_answered_whole check (
    num_nulls(answered_at, event, via, solved, satisfaction) = case when state = 'answered' then 0 else 5 end),
  constraint service_return_visit_asked_by_somebody check ((via in ('visit', 'call')) = (member is not null)),
  constraint service_return_visit_on_a_visit check (visit is null or via = 'visit')
);
create index service_return_visit_open on service_return_visit (district, closes_at, id) where state = 'invited';
create index service_return_visit_by_service on service_return_visit (district, service);

-- Each answer, so that what was known on a past day can be asked for: the last one of a return visit by then counts.
create table service_answer (
  district     integer     not null,
  id           uuid        not null,  -- of its event
  return_visit uuid        not null,
  service      uuid        not null,
  answered_at  timestamptz not null,
  solved       boolean     not null,
  satisfaction smallint    not null,
  recorded_at  timestamptz not null,
  constraint service_answer_pkey primary key (district, id),
  constraint service_answer_return_visit_fkey foreign key (district, return_visit) references service_return_visit,
  constraint service_answer_service_fkey foreign key (district, service) references service,
  constraint service_answer_satisfaction_known check (satisfaction between 1 and 5)
);
create index service_answer_by_service on service_answer (district, service, return_visit, recorded_at);

-- Photos of a service's report, as those of visits.
create table service_photo (
  district    integer not null,
  service     uuid    not null,
  sha256      bytea   not null,
  bytes       bigint  not null,
  received_at timestamptz,
  stored      bytea,
  taken_at    timestamptz,
  lon         double precision,
  lat         double precision,
  erased_at   timestamptz,
  constraint service_photo_pkey primary key (district, service, sha256),
  constraint service_photo_service_fkey foreign key (district, service) references service,
  constraint service_photo_stored_fkey foreign key (district, stored) references attachment,
  constraint service_photo_is_a_digest check (octet_length(sha256) = 32),
  constraint service_photo_erased_is_empty check (erased_at is null or num_nonnulls(stored, taken_at, lon, lat) = 0)
);
create index service_photo_by_stored on service_photo (district, stored) where stored is not null;

alter table upload drop constraint upload_subject_kind_known;
alter table upload add constraint upload_subject_kind_known
  check (subject_kind in ('issue', 'visit', 'service')) not valid;
alter table upload validate constraint upload_subject_kind_known;

grant select, insert, update on
  service, booking, service_volunteer, service_return_visit, service_photo to zoufang_app;
grant select, insert on service_answer to zoufang_app;

-- migrate:down
delete from upload where subject_kind = 'service';
alter table upload drop constraint upload_subject_kind_known;
alter table upload add constraint upload_subject_kind_known check (subject_kind in ('issue', 'visit')) not valid;
alter table upload validate constraint upload_subject_kind_known;
drop table service_photo, service_answer, service_return_visit, service_volunteer, booking, service;
