-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- A ballot: each of its candidates is judged by several groups of voters. Nothing here, nor in the history, has a row
-- for a single vote.
create table ballot (
  district     integer     not null,
  id           uuid        not null,
  version      integer     not null,
  organisation uuid        not null,  -- which holds it
  opens_at     timestamptz not null,
  closes_at    timestamptz not null,
  text_version integer     not null,  -- its title, and what groups, options and matters are called
  made_by      uuid        not null,
  made_at      timestamptz not null,
  cancelled_at timestamptz,
  counted_at   timestamptz,
  published_at timestamptz,
  result       jsonb,
  recorded_at  timestamptz not null,
  constraint ballot_pkey primary key (district, id),
  constraint ballot_organisation_fkey foreign key (district, organisation) references organisation,
  constraint ballot_made_by_fkey foreign key (district, made_by) references member,
  constraint ballot_forward check (closes_at >= opens_at),
  constraint ballot_counted_after_it_closed check (counted_at >= closes_at),
  constraint ballot_result_is_counted check ((result is null) = (counted_at is null)),
  constraint ballot_published_after_counting check (published_at >= counted_at),
  constraint ballot_cancelled_is_not_counted check (cancelled_at is null or counted_at is null)
);
create index ballot_newest on ballot (district, closes_at desc, id desc);
create index ballot_by_organisation on ballot (district, organisation);

-- What is judged, in the order of the slip: an organisation, a member, or a matter that the ballot's texts name.
create table ballot_candidate (
  district     integer  not null,
  ballot       uuid     not null,
  place        smallint not null,
  organisation uuid,
  member       uuid,
  constraint ballot_candidate_pkey primary key (district, ballot, place),
  constraint ballot_candidate_ballot_fkey foreign key (district, ballot) references ballot,
  constraint ballot_candidate_organisation_fkey foreign key (district, organisation) references organisation,
  constraint ballot_candidate_member_fkey foreign key (district, member) references member,
  constraint ballot_candidate_is_one_thing check (num_nonnulls(organisation, member) <= 1)
);
create index ballot_candidate_by_member on ballot_candidate (district, member) where member is not null;
create index ballot_candidate_by_organisation on ballot_candidate (district, organisation)
  where organisation is not null;

-- What can be said of each; one without points is counted, and not in the mean.
create table ballot_option (
  district integer  not null,
  ballot   uuid     not null,
  place    smallint not null,
  points   numeric(5, 2),
  constraint ballot_option_pkey primary key (district, ballot, place),
  constraint ballot_option_ballot_fkey foreign key (district, ballot) references ballot,
  constraint ballot_option_points_of_hundred check (points between 0 and 100)
);

-- The groups that vote, how much each weighs in per cent, and whether by slips or by the members on its roll.
create table ballot_group (
  district integer  not null,
  ballot   uuid     not null,
  code     text     not null,
  weight   smallint not null,
  way      text     not null,
  constraint ballot_group_pkey primary key (district, ballot, code),
  constraint ballot_group_ballot_fkey foreign key (district, ballot) references ballot,
  constraint ballot_group_code_known check (code ~ '^[A-F]$'),
  constraint ballot_group_weight_in_per_cent check (weight between 1 and 100),
  constraint ballot_group_way_known check (way in ('slips', 'roll'))
);

-- The roll: who votes in a group, or is to be handed a slip. It says nothing of who has.
create table ballot_voter (
  district integer not null,
  ballot   uuid    not null,
  code     text    not null,
  place    integer not null,  -- from 0, in no order that means anything
  member   uuid    not null,
  constraint ballot_voter_pkey primary key (district, ballot, code, place),
  constraint ballot_voter_once unique (district, ballot, member),
  constraint ballot_voter_group_fkey foreign key (district, ballot, code) references ballot_group,
  constraint ballot_voter_member_fkey foreign key (district, member) references member
);
create index ballot_voter_by_member on ballot_voter (district, member);

-- Voting slips: the SHA-256 of each code, written in the order of the digests and never changed afterwards.
create table ballot_slip (
  district integer not null,
  digest   bytea   not null,
  ballot   uuid    not null,
  code     text    not null,
  place    integer not null,  -- from 0, in the order of the digests of its printing
  constraint ballot_slip_pkey primary key (district, digest),
  constraint ballot_slip_place unique (district, ballot, code, place),
  constraint ballot_slip_group_fkey foreign key (district, ballot, code) references ballot_group,
  constraint ballot_slip_is_a_digest check (octet_length(digest) = 32)
);

-- Who of the roll has voted or was handed a slip, and which slips were used: one row for a group, rewritten whole by
-- each vote, so that no mark has a time, an order or a transaction of its own.
create table ballot_turnout (
  district integer     not null,
  ballot   uuid        not null,
  code     text        not null,
  marks    bit varying not null,  -- by the voters' places
  used     bit varying not null,  -- by the slips' places
  constraint ballot_turnout_pkey primary key (district, ballot, code),
  constraint ballot_turnout_group_fkey foreign key (district, ballot, code) references ballot_group
);

-- The box of a group: the sums of all votes, sealed until they are counted and rewritten whole by each vote. Counted,
-- it holds them in the open; one with fewer votes than are told is emptied instead.
create table ballot_box (
  district integer not null,
  ballot   uuid    not null,
  code     text    not null,
  sealed   bytea,
  counts   integer[],          -- the options of the first candidate, then of the next
  salt     bytea,              -- with which the history's digest of the counts was made
  constraint ballot_box_pkey primary key (district, ballot, code),
  constraint ballot_box_group_fkey foreign key (district, ballot, code) references ballot_group,
  constraint ballot_box_sealed_or_counted check (sealed is null or counts is null),
  constraint ballot_box_counted_with_salt check ((counts is null) = (salt is null))
);

grant select, insert, update on ballot, ballot_turnout, ballot_box to zoufang_app;
grant select, insert on ballot_candidate, ballot_option, ballot_group, ballot_voter to zoufang_app;
grant select, insert, delete on ballot_slip to zoufang_app;

-- migrate:down
drop table ballot_box, ballot_turnout, ballot_slip, ballot_voter, ballot_group, ballot_option, ballot_candidate, ballot;
