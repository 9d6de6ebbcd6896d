-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- An instrument is known by its id and version as they stand in its file.
alter table rating_round alter instrument type text, alter instrument_version type text;
alter table rating_round add constraint rating_round_instrument_fkey
  foreign key (district, instrument, instrument_version) references instrument;

-- The result of one subject in ten-thousandths of a per cent, and all from which it can be worked out again: how many of
-- self, people, peers and leaders said something of each item, the sums of their points in ten-thousandths, and what
-- each fact counted and of how many.
drop table round_result;
create table round_result (
  district  integer    not null,
  round     uuid       not null,
  version   integer    not null,
  subject   uuid       not null,
  percent   integer,               -- null where nothing could be rated
  headings  integer[]  not null,
  items     integer[]  not null,
  counts    smallint[] not null,  -- of each group one after another, by item
  sums      integer[]  not null,
  facts     bigint[]   not null,  -- numerator and denominator of each, in the order of their codes
  appealed  jsonb      not null,  -- points in ten-thousandths that items have by upheld appeals
  rank      integer,
  tied      integer    not null default 0,
  stars     smallint,
  by_quota  boolean    not null default false,
  constraint round_result_pkey primary key (district, round, version, subject),
  constraint round_result_computation_fkey foreign key (district, round, version) references round_computation
);
create index round_result_by_rank on round_result (district, round, version, rank, subject);

alter table round_computation add reckoned uuid;  -- the last subject that was
grant select, insert, update on round_result to zoufang_app;

-- migrate:down
alter table round_computation drop column reckoned;
drop table round_result;
create table round_result (
  district integer not null, round uuid not null, version integer not null, subject uuid not null,
  constraint round_result_pkey primary key (district, round, version, subject));
alter table rating_round drop constraint rating_round_instrument_fkey;
alter table rating_round alter instrument type uuid using null::uuid, alter instrument_version type integer using 0;
