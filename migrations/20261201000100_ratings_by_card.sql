-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- What the people concerned said is found by the card that said it, for whom it is handed out to and forgotten for.
create index commitment_rating_by_card on commitment_rating (district, rater) where rated_by = 'people';

-- migrate:down
drop index commitment_rating_by_card;
