-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- Who might visit which door, as the program proposes it: looked at, changed, and then taken or dropped. It holds
-- nothing that is not said elsewhere; what came of it is told by the history and by the assignments.
create table proposal (
  district     integer     not null,
  id           uuid        not null,
  campaign     text        not null,
  version      integer     not null,
  state        text        not null,
  way          text        not null,
  again        boolean     not null,  -- of all doors, and not only of those that nobody has
  asked_by     uuid        not null,
  asked_at     timestamptz not null,
  beat_at      timestamptz not null,  -- when whoever works at it was last heard of
  done         real        not null,  -- from 0 to 1
  plain_metres real,                  -- how far all would walk if neighbours were simply counted off
  constraint proposal_pkey primary key (district, id),
  constraint proposal_campaign_fkey foreign key (district, campaign) references campaign,
  constraint proposal_asked_by_fkey foreign key (district, asked_by) references member,
  constraint proposal_way_known check (way in ('area', 'route')),
  constraint proposal_state_known check (state in ('under_way', 'ready', 'failed', 'accepted'))
);
create index proposal_by_asker on proposal (district, asked_by, campaign);

create table proposal_door (
  district     integer not null,
  proposal     uuid    not null,
  premises     uuid    not null,
  organisation uuid    not null,
  member       uuid,
  place        integer not null,
  constraint proposal_door_pkey primary key (district, proposal, premises),
  constraint proposal_door_proposal_fkey foreign key (district, proposal) references proposal on delete cascade,
  constraint proposal_door_premises_fkey foreign key (district, premises) references premises,
  constraint proposal_door_organisation_fkey foreign key (district, organisation) references organisation,
  constraint proposal_door_member_fkey foreign key (district, member) references member
);
create index proposal_door_by_member on proposal_door (district, proposal, member, place);

grant select, insert, update, delete on proposal, proposal_door to zoufang_app;

-- migrate:down
drop table proposal_door;
drop table proposal;
