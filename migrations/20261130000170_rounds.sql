-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- A counter where people are served; what it is called is no person's name.
create table service_window (
  district     integer     not null,
  id           uuid        not null,
  name         text        not null,
  organisation uuid        not null,
  member       uuid        not null,  -- who answers for it
  opened_at    timestamptz not null,
  closed_at    timestamptz,
  recorded_at  timestamptz not null,
  constraint service_window_pkey primary key (district, id),
  constraint service_window_organisation_fkey foreign key (district, organisation) references organisation,
  constraint service_window_member_fkey foreign key (district, member) references member,
  constraint service_window_name_not_blank check (name ~ '\S')
);
create unique index service_window_one_name on service_window (district, organisation, name) where closed_at is null;

-- A round of ratings by one version of an instrument, of what was done in a month or quarter. Which of its steps is under
-- way follows from its dates.
create table rating_round (
  district           integer     not null,
  id                 uuid        not null,
  version            integer     not null,
  instrument         uuid        not null,
  instrument_version integer     not null,
  subject_kind       text        not null,
  text_version       integer     not null,  -- its name
  period             text        not null,
  starts_on          date        not null,
  ends_on            date        not null,  -- its last day
  scope_kind         text        not null,
  scope              text        not null,
  peers              integer     not null,  -- how many rate each
  seed               bigint      not null,  -- by which they are drawn
  late_leaders       boolean     not null,  -- whether leaders may rate until the first result
  stars_public       boolean     not null,
  organiser          uuid        not null,  -- who made it
  opens_at           timestamptz not null,
  self_until         timestamptz not null,
  people_until       timestamptz not null,
  peers_until        timestamptz not null,
  leaders_until      timestamptz not null,
  first_at           timestamptz not null,  -- when the first result is worked out
  appeals_until      timestamptz not null,
  decisions_until    timestamptz not null,
  drawn_at           timestamptz,           -- when it was settled who is rated by whom
  cancelled_at       timestamptz,
  published_at       timestamptz,           -- when the final result was
  recorded_at        timestamptz not null,
  constraint rating_round_pkey primary key (district, id),
  constraint rating_round_organiser_fkey foreign key (district, organiser) references member,
  constraint rating_round_subject_kind_known check (subject_kind in ('organisation', 'member', 'window')),
  constraint rating_round_period_known check (period in ('month', 'quarter')),
  constraint rating_round_scope_known check (scope_kind in ('district', 'organisation', 'street', 'community')),
  constraint rating_round_some_peers check (peers between 0 and 20),
  constraint rating_round_period_forward check (ends_on > starts_on),
  constraint rating_round_steps_forward check (
    opens_at < self_until and self_until <= people_until and people_until <= peers_until
    and peers_until <= leaders_until and leaders_until <= first_at and first_at < appeals_until
    and appeals_until <= decisions_until)
);
create index rating_round_newest on rating_round (district, opens_at desc, id desc);

-- Who is rated, by which organisation; or why they are not.
create table round_subject (
  district     integer not null,
  round        uuid    not null,
  subject      uuid    not null,
  organisation uuid    not null,  -- of a member: where they were longest in the period
  other        uuid,              -- of a member who moved: where they were else the longest
  skipped      text,
  constraint round_subject_pkey primary key (district, round, subject),
  constraint round_subject_round_fkey foreign key (district, round) references rating_round,
  constraint round_subject_skipped_known check (skipped in ('joined_late', 'left', 'closed', 'not_there'))
);
create index round_subject_by_organisation on round_subject (district, round, organisation);

-- Who is asked to rate whom, and as what; the people are not in it.
create table round_rater (
  district    integer     not null,
  round       uuid        not null,
  subject     uuid        not null,
  rater_group text        not null,
  rater       uuid        not null,
  reminded_at timestamptz,
  constraint round_rater_pkey primary key (district, round, rater, subject, rater_group),
  constraint round_rater_subject_fkey foreign key (district, round, subject) references round_subject,
  constraint round_rater_group_known check (rater_group in ('self', 'peers', 'leaders'))
);
create index round_rater_by_subject on round_rater (district, round, subject);

-- What one rater gave one subject: points in ten-thousandths in the order of the instrument's items, null where they said
-- nothing. Of the people nobody is named.
create table rating (
  district     integer     not null,
  round        uuid        not null,
  subject      uuid        not null,
  id           uuid        not null,
  rater_group  text        not null,
  rater        uuid,
  way          text        not null,
  version      integer     not null,
  points       integer[]   not null,
  text_version integer,               -- what it rests on
  request      bytea       not null,
  given_at     timestamptz not null,
  recorded_at  timestamptz not null,
  constraint rating_pkey primary key (district, round, subject, id),
  constraint rating_subject_fkey foreign key (district, round, subject) references round_subject,
  constraint rating_once unique (district, round, subject, rater_group, rater),
  constraint rating_group_known check (rater_group in ('self', 'people', 'peers', 'leaders')),
  constraint rating_way_known check (way in ('session', 'code', 'desk')),
  constraint rating_people_unnamed check ((rater_group = 'people') = (rater is null))
);

-- One-time codes by which the people rate; of one that was used only that it was is kept.
create table rating_code (
  district   integer     not null,
  digest     bytea       not null,
  round      uuid        not null,
  subject    uuid        not null,
  used       boolean     not null default false,
  made_at    timestamptz not null,
  constraint rating_code_pkey primary key (district, digest),
  constraint rating_code_subject_fkey foreign key (district, round, subject) references round_subject,
  constraint rating_code_is_a_digest check (octet_length(digest) = 32)
);
create index rating_code_by_subject on rating_code (district, round, subject);

-- A working out of a round's results: the first, the final, and any that followed an appeal; each stays.
create table round_computation (
  district    integer     not null,
  round       uuid        not null,
  version     integer     not null,
  kind        text        not null,
  attempt     uuid,                  -- of the process that works at it; one that was taken over is no longer heard
  done        integer     not null default 0,
  subjects    integer,
  taken_at    timestamptz not null,  -- what was given and done by then counts
  known_at    timestamptz not null,  -- as far as it was known then
  digest      bytea,                 -- over all its results, in the order of the subjects
  ready_at    timestamptz,
  recorded_at timestamptz not null,
  constraint round_computation_pkey primary key (district, round, version),
  constraint round_computation_round_fkey foreign key (district, round) references rating_round,
  constraint round_computation_kind_known check (kind in ('first', 'final')),
  constraint round_computation_ready_whole check (ready_at is null or num_nulls(digest, subjects) = 0)
);

-- The result of one subject; points in ten-thousandths in the order of the instrument's items.
create table round_result (
  district    integer     not null,
  round       uuid        not null,
  version     integer     not null,
  subject     uuid        not null,
  total       integer,               -- ten-thousandths of a per cent; null where nobody's rating counts
  stars       smallint,
  rank        integer,
  points      integer[]   not null,
  means       integer[]   not null,  -- of self, people, peers and leaders, one after another
  raters      integer[]   not null,  -- how many of each of these gave a rating
  facts       bigint[]    not null,  -- what each fact counted and of how many, in the order of their codes
  constraint round_result_pkey primary key (district, round, version, subject),
  constraint round_result_computation_fkey foreign key (district, round, version) references round_computation
);
create index round_result_by_rank on round_result (district, round, version, rank, subject);
alter table round_result alter points set storage main, alter means set storage main;

create table round_appeal (
  district     integer     not null,
  id           uuid        not null,
  version      integer     not null,
  round        uuid        not null,
  subject      uuid        not null,
  item         text        not null,
  state        text        not null,
  points       integer,               -- that the item has from now on, in ten-thousandths
  made_by      uuid        not null,
  made_at      timestamptz not null,
  decided_by   uuid,
  decided_at   timestamptz,
  recorded_at  timestamptz not null,
  constraint round_appeal_pkey primary key (district, id),
  constraint round_appeal_subject_fkey foreign key (district, round, subject) references round_subject,
  constraint round_appeal_once unique (district, round, subject, item),
  constraint round_appeal_state_known check (state in ('open', 'upheld', 'rejected')),
  constraint round_appeal_decided_whole check ((state = 'open') = (decided_by is null)),
  constraint round_appeal_upheld_says_how check ((state = 'upheld') = (points is not null))
);
create index round_appeal_of_round on round_appeal (district, round, subject);

-- What was decided above on the stars of a subject; the latest holds.
create table round_decision (
  district    integer     not null,
  id          uuid        not null,
  round       uuid        not null,
  subject     uuid        not null,
  number      integer     not null,
  stars       smallint    not null,
  before      smallint,              -- as they were worked out
  decided_by  uuid        not null,
  decided_at  timestamptz not null,
  recorded_at timestamptz not null,
  constraint round_decision_pkey primary key (district, id),
  constraint round_decision_subject_fkey foreign key (district, round, subject) references round_subject,
  constraint round_decision_in_order unique (district, round, subject, number),
  constraint round_decision_stars_known check (stars between 0 and 5)
);

grant select, insert, update on
  service_window, rating_round, round_subject, rating, rating_code, round_computation, round_appeal to zoufang_app;
grant select, insert, update, delete on round_rater to zoufang_app;
grant select, insert, delete on round_result to zoufang_app;
grant select, insert on round_decision to zoufang_app;

-- migrate:down
drop table round_decision, round_appeal, round_result, round_computation, rating_code, rating, round_rater, round_subject,
  rating_round, service_window;
