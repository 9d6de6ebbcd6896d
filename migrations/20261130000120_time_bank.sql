-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- The rules of a district's time bank, each version from a moment on; where there is none the program's own hold.
create table time_rules (
  district         integer     not null,
  version          integer     not null,
  id               uuid        not null,  -- of the rules in the history
  valid_from       timestamptz not null,
  lowest_volunteer integer     not null,  -- minutes below which no balance may fall
  lowest_new       integer     not null,  -- of a volunteer in the first days of their account
  new_days         integer     not null,
  lowest_relative  integer     not null,
  longest          integer     not null,  -- minutes; what lasts as long goes to a person
  round_to         integer     not null,  -- minutes
  rounding         text        not null,
  hold_days        integer     not null,  -- how long what waits for a person or a helper may wait
  made_by          uuid        not null,
  recorded_at      timestamptz not null,
  constraint time_rules_pkey primary key (district, version),
  constraint time_rules_id_unique unique (district, id),
  constraint time_rules_district_fkey foreign key (district) references district,
  constraint time_rules_made_by_fkey foreign key (district, made_by) references member,
  constraint time_rules_lowest_not_above_zero check (
    greatest(lowest_volunteer, lowest_new, lowest_relative) <= 0
    and least(lowest_volunteer, lowest_new, lowest_relative) >= -10000),
  constraint time_rules_in_bounds check (
    new_days between 0 and 366 and longest between 60 and 1440 and hold_days between 1 and 366),
  constraint time_rules_rounding_known check (rounding in ('down', 'nearest', 'up') and round_to in (1, 5, 10, 15, 30, 60))
);
create index time_rules_by_time on time_rules (district, valid_from desc, version desc);

-- A person's account, in minutes: of a volunteer, whose id it has, or of a relative whom a volunteer names. Its balance
-- is changed by entries alone, and by nobody by hand. `reserved` is set aside for help that was asked for. What is left
-- may not fall below `lowest`: what the rules allowed when it last changed, or what there was, if that was less.
create table time_account (
  district     integer     not null,
  id           uuid        not null,
  version      integer     not null,
  kind         text        not null,
  volunteer    uuid        not null,  -- whose it is, or who named whose it is
  relation     text,
  text_version integer,               -- a relative's name
  card         text,                  -- the contact card of their door
  balance      integer     not null default 0,
  reserved     integer     not null default 0,
  lowest       integer     not null default 0,
  opened_at    timestamptz not null,
  closed_at    timestamptz,
  recorded_at  timestamptz not null,
  constraint time_account_pkey primary key (district, id),
  constraint time_account_volunteer_fkey foreign key (district, volunteer) references volunteer,
  constraint time_account_card_fkey foreign key (district, card) references contact_card,
  constraint time_account_kind_known check (kind in ('volunteer', 'relative')),
  constraint time_account_of_somebody check (
    (kind = 'volunteer') = (id = volunteer) and (kind = 'relative') = (relation is not null)
    and (kind = 'relative') = (text_version is not null) and (card is null or kind = 'relative')),
  constraint time_account_relation_known check (relation in ('spouse', 'parent', 'child', 'grandparent', 'grandchild',
    'sibling', 'parent_in_law', 'other')),
  constraint time_account_reserved_not_negative check (reserved >= 0),
  constraint time_account_not_below check (balance - reserved >= lowest)
);
create index time_account_by_volunteer on time_account (district, volunteer);

-- What moved minutes, and never changes. It is corrected by another one, once.
create table time_transaction (
  district    integer     not null,
  id          uuid        not null,
  kind        text        not null,
  minutes     integer     not null,
  lines       smallint    not null,  -- how many entries it has
  volunteer   uuid,                  -- who served
  served      integer     not null,  -- how many minutes more it says that they served; fewer, if it corrects
  service     uuid,
  help        uuid,                  -- the help that was asked for
  corrects    uuid,
  happened_at timestamptz not null,  -- of a correction: when what it corrects happened
  recorded_at timestamptz not null,
  request     bytea       not null,  -- SHA-256 of what was asked, so that a retry is known
  constraint time_transaction_pkey primary key (district, id),
  constraint time_transaction_district_fkey foreign key (district) references district,
  constraint time_transaction_volunteer_fkey foreign key (district, volunteer) references volunteer,
  constraint time_transaction_corrects_fkey foreign key (district, corrects) references time_transaction,
  constraint time_transaction_corrected_once unique (district, corrects),
  constraint time_transaction_kind_known check (kind in ('earn', 'spend', 'pass_on', 'give_back', 'correct')),
  constraint time_transaction_corrects_one check ((kind = 'correct') = (corrects is not null)),
  constraint time_transaction_of_time check (minutes > 0 and lines >= 2),
  constraint time_transaction_served_by_somebody check ((volunteer is null) = (served = 0)),
  constraint time_transaction_recorded_after check (recorded_at >= happened_at)
);
create index time_transaction_served on time_transaction (district, happened_at)
  include (volunteer, served, recorded_at) where volunteer is not null;
create index time_transaction_by_service on time_transaction (district, service) where service is not null;

-- Both sides of a transaction: on the account of a person, or on one of the district, which has no balance that all
-- would wait for: it is what its entries sum to.
create table time_entry (
  district    integer     not null,
  transaction uuid        not null,
  line        smallint    not null,
  account     uuid,
  system      text,
  minutes     integer     not null,
  happened_at timestamptz not null,
  recorded_at timestamptz not null,
  constraint time_entry_pkey primary key (district, transaction, line),
  constraint time_entry_transaction_fkey foreign key (district, transaction) references time_transaction,
  constraint time_entry_account_fkey foreign key (district, account) references time_account,
  constraint time_entry_of_one_account check (num_nonnulls(account, system) = 1),
  constraint time_entry_system_known check (system in ('issued', 'given_back', 'carried')),
  constraint time_entry_moves_something check (minutes <> 0)
);
create unique index time_entry_by_account on time_entry (district, account, happened_at, recorded_at, transaction)
  include (minutes) where account is not null;
create index time_entry_by_system on time_entry (district, system) include (minutes) where system is not null;

-- The entries of a transaction come together and sum to zero, or not at all; they change the balances of their accounts,
-- which nobody else can. It runs as the owner, for the role that runs the program may not touch a balance.
create function book_time_entries() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if exists (
    select from (
      select e.district, e.transaction, sum(e.minutes) as minutes, count(*) as lines, max(e.line) as last, min(e.line) as first
      from added e group by e.district, e.transaction
    ) s
    join time_transaction t on t.district = s.district and t.id = s.transaction
    where s.minutes <> 0 or s.lines <> t.lines or s.last <> t.lines or s.first <> 1
  ) then
    raise exception 'the entries of a transaction sum to zero and come together'
      using errcode = 'check_violation', constraint = 'time_entry_sums_to_zero', table = 'time_entry';
  end if;
  update time_account a
  set balance = a.balance + d.minutes,
      lowest = least(
        case when a.kind = 'relative' then coalesce(r.lowest_relative, 0)
             when a.opened_at + make_interval(days => r.new_days) > d.at then least(r.lowest_new, r.lowest_volunteer)
             else coalesce(r.lowest_volunteer, 0) end,
        a.balance - a.reserved)
  from (
    select e.district, e.account, sum(e.minutes)::integer as minutes, max(e.recorded_at) as at
    from added e where e.account is not null group by e.district, e.account
  ) d
  left join lateral (
    select n.lowest_volunteer, n.lowest_new, n.new_days, n.lowest_relative from time_rules n
    where n.district = d.district and n.valid_from <= d.at order by n.valid_from desc, n.version desc limit 1
  ) r on true
  where a.district = d.district and a.id = d.account;
  return null;
end $$;
revoke execute on function book_time_entries() from public;

create trigger time_entries_are_booked after insert on time_entry
  referencing new table as added for each statement execute function book_time_entries();

-- What somebody says that they served. What another one of theirs overlaps, or what is too long, is held for a person.
create table time_claim (
  district    integer     not null,
  id          uuid        not null,  -- and of the transaction that it becomes
  version     integer     not null,
  volunteer   uuid        not null,
  service     uuid,
  help        uuid,
  starts_at   timestamptz not null,
  ends_at     timestamptz not null,
  minutes     integer     not null,  -- as the rules round it
  state       text        not null,
  why         text,                  -- it is held
  other       uuid,                  -- the claim that was there before
  recorded_at timestamptz not null,
  decided_at  timestamptz,
  decided_by  uuid,
  constraint time_claim_pkey primary key (district, id),
  constraint time_claim_volunteer_fkey foreign key (district, volunteer) references volunteer,
  constraint time_claim_other_fkey foreign key (district, other) references time_claim,
  constraint time_claim_decided_by_fkey foreign key (district, decided_by) references member,
  constraint time_claim_of_one_thing check (num_nonnulls(service, help) = 1),
  constraint time_claim_forward check (ends_at > starts_at and minutes >= 0),
  constraint time_claim_state_known check (state in ('booked', 'held', 'refused')),
  constraint time_claim_why_known check (why in ('overlap', 'long')),
  constraint time_claim_held_for_something check (state = 'booked' or why is not null),
  constraint time_claim_decided_whole check ((decided_at is null) = (decided_by is null))
);
create index time_claim_by_volunteer on time_claim (district, volunteer, starts_at);
create index time_claim_held on time_claim (district, recorded_at, id) where state = 'held';

-- Help that is asked for with minutes, which are set aside for it; what and where are texts.
create table help_request (
  district       integer     not null,
  id             uuid        not null,
  version        integer     not null,
  account        uuid        not null,  -- that gives the minutes
  community      text,
  text_version   integer     not null,
  wanted_at      timestamptz not null,
  minutes        integer     not null,
  reserved       integer     not null,
  state          text        not null,
  team           uuid,                  -- and the volunteer of it who takes it on
  helper         uuid,
  started_at     timestamptz,           -- as it was done, in the words of whoever said so last
  ended_at       timestamptz,
  helper_said_at timestamptz,
  helped_said_at timestamptz,
  claim          uuid,
  asked_by       uuid,                  -- the member at the desk, if it was not they themselves
  asked_at       timestamptz not null,
  closed_at      timestamptz,
  request        bytea       not null,
  constraint help_request_pkey primary key (district, id),
  constraint help_request_account_fkey foreign key (district, account) references time_account,
  constraint help_request_community_fkey foreign key (district, community) references community,
  constraint help_request_team_fkey foreign key (district, team) references volunteer_team,
  constraint help_request_helper_fkey foreign key (district, helper) references volunteer,
  constraint help_request_claim_fkey foreign key (district, claim) references time_claim,
  constraint help_request_asked_by_fkey foreign key (district, asked_by) references member,
  constraint help_request_state_known check (state in ('open', 'taken', 'held', 'booked', 'refused', 'cancelled', 'lapsed')),
  constraint help_request_taken_by_a_team check ((helper is null) = (team is null)),
  constraint help_request_of_time check (minutes between 1 and 1440 and reserved >= 0),
  constraint help_request_frees_what_is_over check (state in ('open', 'taken', 'held') or reserved = 0)
);
create index help_request_by_account on help_request (district, account, asked_at desc, id desc);
create index help_request_by_helper on help_request (district, helper, asked_at desc, id desc) where helper is not null;
create index help_request_waiting on help_request (district, wanted_at, id) where state in ('open', 'taken', 'held');

grant select, insert on time_rules, time_transaction, time_entry to zoufang_app;
grant select on time_account to zoufang_app;
grant insert (district, id, version, kind, volunteer, relation, text_version, card, opened_at, recorded_at)
  on time_account to zoufang_app;
grant update (version, relation, text_version, card, reserved, lowest, closed_at) on time_account to zoufang_app;
grant select, insert, update on time_claim, help_request to zoufang_app;

-- migrate:down
drop table help_request, time_claim, time_entry, time_transaction, time_account, time_rules;
drop function book_time_entries();
