-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- For how many days a resident is asked whether an issue is solved, before silence closes it.
alter table district
  add return_visit_days smallint not null default 7,
  add constraint district_return_visit_days_some check (return_visit_days between 1 and 90);

-- Going back to ask: one for each time that an issue was resolved. What was said each time is in the history; this is
-- the last of it. The reason is the text of the event `event`.
create table return_visit (
  district     integer     not null,
  id           uuid        not null,
  issue        uuid        not null,
  round        smallint    not null,  -- the issue's resolutions when it was asked about
  state        text        not null,
  invited_at   timestamptz not null,
  closes_at    timestamptz not null,
  ended_at     timestamptz,           -- when nobody was asked any more: answered, lapsed or void
  answered_at  timestamptz,           -- the last time
  event        uuid,
  via          text,
  member       uuid,                  -- who asked the resident, if not the resident answered themselves
  visit        uuid,                  -- on which they did
  solved       boolean,
  satisfaction smallint,
  constraint return_visit_pkey primary key (district, id),
  constraint return_visit_one_a_round unique (district, issue, round),
  constraint return_visit_issue_fkey foreign key (district, issue) references issue,
  constraint return_visit_member_fkey foreign key (district, member) references member,
  constraint return_visit_visit_fkey foreign key (district, visit) references visit,
  constraint return_visit_state_known check (state in ('invited', 'answered', 'lapsed', 'void')),
  constraint return_visit_via_known check (via in ('card', 'visit', 'call')),
  constraint return_visit_satisfaction_known check (satisfaction between 1 and 5),
  constraint return_visit_ended_when_it_is check ((state = 'invited') = (ended_at is null)),
  constraint return_visit_answered_whole check (
    num_nulls(answered_at, event, via, solved, satisfaction) = case when state = 'answered' then 0 else 5 end),
  constraint return_visit_asked_by_somebody check ((via in ('visit', 'call')) = (member is not null)),
  constraint return_visit_on_a_visit check (visit is null or via = 'visit')
);
create index return_visit_open on return_visit (district, closes_at, id) where state = 'invited';

-- What has been resolved, for those who are to be asked about it.
create index issue_solved on issue (district, state, resolved_at) where resolved_at is not null;

grant select, insert, update on return_visit to zoufang_app;

-- migrate:down
drop index issue_solved;
drop table return_visit;
alter table district drop column return_visit_days;
