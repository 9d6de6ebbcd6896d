-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- What an organisation, or one of its members, promises in public: a text, until when, and for whom. What is overdue,
-- kept, late or broken follows from the times and the ratings, and stands nowhere.
create table commitment (
  district         integer     not null,
  id               uuid        not null,
  version          integer     not null,
  organisation     uuid        not null,
  member           uuid,                  -- who promises, if not the organisation as such
  state            text        not null,
  aim              text        not null,  -- for whom: named doors, communities, or everybody in the organisation's area
  due_at           timestamptz not null,
  text_version     integer     not null,  -- what is promised, and once it is done, how
  made_by          uuid        not null,
  proposed_at      timestamptz not null,
  approved_at      timestamptz,           -- since when it stands in public
  done_at          timestamptz,           -- when it was kept, as it was reported
  done_recorded_at timestamptz,           -- when that was reported
  done_by          uuid,
  withdrawn_at     timestamptz,
  withdrawal       uuid,                  -- the event that says why
  recorded_at      timestamptz not null,
  constraint commitment_pkey primary key (district, id),
  constraint commitment_organisation_fkey foreign key (district, organisation) references organisation,
  constraint commitment_member_fkey foreign key (district, member) references member,
  constraint commitment_made_by_fkey foreign key (district, made_by) references member,
  constraint commitment_done_by_fkey foreign key (district, done_by) references member,
  constraint commitment_state_known check (state in ('proposed', 'returned', 'standing', 'done', 'withdrawn')),
  constraint commitment_aim_known check (aim in ('doors', 'communities', 'area')),
  constraint commitment_times_fit_the_state check (
    (approved_at is not null or state in ('proposed', 'returned', 'withdrawn'))
    and (approved_at is null or state in ('standing', 'done', 'withdrawn'))
    and (state = 'done') = (done_at is not null)
    and (state = 'withdrawn') = (withdrawn_at is not null)),
  constraint commitment_done_is_told_whole check (num_nonnulls(done_at, done_recorded_at, done_by) in (0, 3)),
  constraint commitment_withdrawn_with_a_reason check ((withdrawn_at is null) = (withdrawal is null)),
  constraint commitment_done_after_it_stood check (done_at >= approved_at and done_recorded_at >= done_at)
);
create index commitment_by_organisation on commitment (district, organisation, proposed_at desc);
create index commitment_by_member on commitment (district, member) where member is not null;
create index commitment_newest on commitment (district, proposed_at desc, id desc);
create index commitment_in_public on commitment (district, due_at) where approved_at is not null;

-- The doors, communities and streets to whom it was promised, as the organisation's area was then.
create table commitment_audience (
  district   integer not null,
  commitment uuid    not null,
  kind       text    not null,
  code       text    not null,
  constraint commitment_audience_pkey primary key (district, commitment, kind, code),
  constraint commitment_audience_commitment_fkey foreign key (district, commitment) references commitment,
  constraint commitment_audience_kind_known check (kind in ('premises', 'community', 'street', 'district')),
  constraint commitment_audience_premises_is_an_id check (kind <> 'premises' or code ~
    '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')
);
create index commitment_audience_by_code on commitment_audience (district, kind, code);

-- Whether it was kept and how well, by oneself, a leader and the people concerned; who thinks better of it rates again,
-- and the newest of each holds.
create table commitment_rating (
  district    integer     not null,
  commitment  uuid        not null,
  id          uuid        not null,  -- the event that says why
  rated_by    text        not null,
  rater       text        not null,  -- a member's id, or the number of a door's card
  kept        boolean     not null,
  stars       smallint    not null,
  rated_at    timestamptz not null,
  recorded_at timestamptz not null,
  constraint commitment_rating_pkey primary key (district, commitment, id),
  constraint commitment_rating_commitment_fkey foreign key (district, commitment) references commitment,
  constraint commitment_rating_rated_by_known check (rated_by in ('self', 'leader', 'people')),
  constraint commitment_rating_of_five check (stars between 1 and 5)
);
create index commitment_rating_by_rater on commitment_rating (district, commitment, rated_by, rater, rated_at desc);

-- Photos and files that prove it, as those of issues and visits.
create table commitment_photo (
  district    integer not null,
  commitment  uuid    not null,
  sha256      bytea   not null,
  bytes       bigint  not null,
  received_at timestamptz,
  stored      bytea,
  taken_at    timestamptz,
  lon         double precision,
  lat         double precision,
  erased_at   timestamptz,
  constraint commitment_photo_pkey primary key (district, commitment, sha256),
  constraint commitment_photo_commitment_fkey foreign key (district, commitment) references commitment,
  constraint commitment_photo_stored_fkey foreign key (district, stored) references attachment,
  constraint commitment_photo_is_a_digest check (octet_length(sha256) = 32),
  constraint commitment_photo_erased_is_empty check (
    erased_at is null or num_nonnulls(stored, taken_at, lon, lat) = 0)
);
create index commitment_photo_by_stored on commitment_photo (district, stored) where stored is not null;

grant select, insert, update on commitment, commitment_photo to zoufang_app;
grant select, insert on commitment_rating to zoufang_app;
grant select, insert, delete on commitment_audience to zoufang_app;

-- migrate:down
drop table commitment_photo, commitment_rating, commitment_audience, commitment;
