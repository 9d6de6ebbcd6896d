-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- Before PostgreSQL has looked at what was just drawn, it takes an index that begins as the key does for as good as the
-- key, and goes through a whole round for each row. These begin otherwise, or are not there.
drop index round_subject_by_organisation;
create index round_subject_by_organisation on round_subject (district, organisation, round);
drop index round_result_by_rank;
create index round_rater_by_rater on round_rater (district, rater);

-- migrate:down
drop index round_rater_by_rater;
create index round_result_by_rank on round_result (district, round, version, rank, subject);
drop index round_subject_by_organisation;
create index round_subject_by_organisation on round_subject (district, round, organisation);
