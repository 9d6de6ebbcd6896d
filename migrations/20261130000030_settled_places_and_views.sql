-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- A place that is not certain waits at the desk until a person has said what it is to count for: since when they have.
alter table issue add place_settled_at timestamptz;
alter table visit add place_settled_at timestamptz;
alter table premises add place_settled_at timestamptz;

-- What waits, newest first. What has no position and a community was named by hand when it came.
create index issue_uncertain on issue (district, reported_at desc, id desc) include (community, certainty)
  where place_settled_at is null and state not in ('rejected', 'merged')
    and (certainty in ('near_line', 'outside') or (certainty = 'unplaced' and community is null));
create index visit_uncertain on visit (district, started_at desc, id desc) include (community, certainty)
  where place_settled_at is null and withdrawn_at is null
    and (certainty in ('near_line', 'outside') or (certainty = 'unplaced' and community is null));
create index premises_uncertain on premises (district, recorded_at desc, id desc) include (community, certainty)
  where place_settled_at is null and state in ('proposed', 'confirmed')
    and (certainty in ('near_line', 'outside') or (certainty = 'unplaced' and community is null));

create index visit_by_card on visit (district, contact_card) where contact_card is not null;

-- A list that somebody opens again: its address, under a name of theirs, for themselves or for those they work with.
create table saved_view (
  district   integer     not null,
  id         uuid        not null,
  member     uuid        not null,  -- whose it is
  name       text        not null,
  address    text        not null,  -- the path of a page with its filters
  shared     text        not null,
  scope      text        not null,  -- an organisation's id or a role; nothing for one's own
  place      integer     not null,  -- among its owner's
  version    integer     not null,
  changed_at timestamptz not null,
  constraint saved_view_pkey primary key (district, id),
  constraint saved_view_member_fkey foreign key (district, member) references member,
  constraint saved_view_one_name unique (district, member, name),
  constraint saved_view_shared_known check (shared in ('nobody', 'organisation', 'role')),
  constraint saved_view_scope_fits check ((shared = 'nobody') = (scope = '')),
  constraint saved_view_name_short check (char_length(name) between 1 and 60),
  constraint saved_view_address_short check (char_length(address) between 1 and 2000)
);
create index saved_view_shared on saved_view (district, shared, scope) where shared <> 'nobody';
grant select, insert, update, delete on saved_view to zoufang_app;

-- migrate:down
drop table saved_view;
drop index visit_by_card, premises_uncertain, visit_uncertain, issue_uncertain;
alter table premises drop column place_settled_at;
alter table visit drop column place_settled_at;
alter table issue drop column place_settled_at;
