-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- Limits count in working hours, working days or calendar time, and there is one for the first contact as well.
alter table category_limit rename column hours to amount;
alter table category_limit
  add unit            text    not null default 'calendar_hours',
  add response_amount integer not null default 24,
  add response_unit   text    not null default 'calendar_hours',
  add channel         text;  -- proposed at this urgency; null: the category's own
update category_limit set response_amount = least(amount, response_amount);
alter table category_limit
  alter unit drop default, alter response_amount drop default, alter response_unit drop default,
  add constraint category_limit_units_known check (
    unit in ('working_hours', 'working_days', 'calendar_hours')
    and response_unit in ('working_hours', 'working_days', 'calendar_hours')),
  add constraint category_limit_response_positive check (response_amount > 0),
  add constraint category_limit_channel_known check (
    channel in ('on_the_spot', 'joint_review', 'green_channel', 'agent'));

-- What handling an issue to the end is made of: its clock, whose hands it is in, what is asked of whom, and what the
-- rates are counted from.
alter table issue rename column limit_hours to limit_amount;
alter table issue
  add limit_unit       text        not null default 'calendar_hours',
  add extension        integer     not null default 0,  -- granted so far, in the limit's unit
  add calendar_version integer     not null default 0,  -- of the holidays by which the due time was reckoned
  add due_provisional  boolean     not null default false,
  add response_due_at  timestamptz,
  add paused_at        timestamptz,
  add held_since       timestamptz,                     -- when the owner or the department that has it got it
  add offered_to       uuid,                            -- who is asked to take it on
  add asked            text,                            -- what waits for a dispatcher's judgement
  add asked_by         uuid,
  add asked_amount     integer,
  add leader           uuid,                            -- who follows it throughout, on the green channel
  add agent            uuid,                            -- who goes to the door
  add appointment_at   timestamptz,
  add merged_into      uuid,
  add card             text,                            -- through which a resident reported it
  add first_contact_at timestamptz,
  add resolved_at      timestamptz,
  add answer           text,
  add satisfaction     smallint,
  add resolutions      smallint    not null default 0,
  add bounces          smallint    not null default 0,
  add reopens          smallint    not null default 0,
  add pauses           smallint    not null default 0;

-- What has happened already says what the new columns would hold.
update issue i set
  response_due_at = i.clock_started_at + least(i.limit_amount, 24) * interval '1 hour',
  held_since = coalesce((
    select max(h.happened_at) from history h
    where h.district = i.district and h.thing = i.id and h.event in ('report', 'accept', 'assign', 'hand_on')),
    i.reported_at),
  first_contact_at = (
    select min(h.happened_at) from history h
    where h.district = i.district and h.thing = i.id and h.event in ('accept', 'assign', 'start', 'resolve', 'reject')),
  resolved_at = case when i.state in ('resolved', 'closed') then (
    select max(h.happened_at) from history h
    where h.district = i.district and h.thing = i.id and h.event = 'resolve') end,
  resolutions = (
    select count(*) from history h where h.district = i.district and h.thing = i.id and h.event = 'resolve'),
  reopens = (
    select count(*) from history h where h.district = i.district and h.thing = i.id and h.event = 'reopen');

alter table issue
  alter limit_unit drop default, alter response_due_at set not null, alter held_since set not null,
  add constraint issue_limit_unit_known check (limit_unit in ('working_hours', 'working_days', 'calendar_hours')),
  add constraint issue_paused_when_it_is check ((state = 'paused') = (paused_at is not null)),
  add constraint issue_asked_known check (asked in ('return', 'pause', 'extend')),
  add constraint issue_asked_by_somebody check ((asked is null) = (asked_by is null)),
  add constraint issue_merged_into_another check ((state = 'merged') = (merged_into is not null) and merged_into <> id),
  add constraint issue_answer_known check (answer in ('solved', 'not_solved', 'not_answered')),
  add constraint issue_satisfaction_known check (satisfaction between 1 and 5),
  add constraint issue_offered_to_fkey foreign key (district, offered_to) references member,
  add constraint issue_leader_fkey foreign key (district, leader) references member,
  add constraint issue_agent_fkey foreign key (district, agent) references member,
  add constraint issue_merged_into_fkey foreign key (district, merged_into) references issue;
create index issue_by_offer on issue (district, offered_to) where offered_to is not null;
create index issue_by_leader on issue (district, leader, reported_at desc, id desc) where leader is not null;
create index issue_by_agent on issue (district, agent) where agent is not null;
create index issue_by_survivor on issue (district, merged_into) where merged_into is not null;
create index issue_by_card on issue (district, card) where card is not null;
create index issue_asked on issue (district, asked) where asked is not null;
drop index issue_in_view;
create index issue_in_view on issue (district, cell) include (state, due_at, paused_at, community);

alter table issue_spans
  add channel          text,
  add paused_at        timestamptz,
  add leader           uuid,
  add response_due_at  timestamptz,
  add first_contact_at timestamptz,
  add resolved_at      timestamptz,
  add answer           text,
  add satisfaction     smallint,
  add resolutions      smallint not null default 0,
  add bounces          smallint not null default 0,
  add reopens          smallint not null default 0,
  add pauses           smallint not null default 0;
update issue_spans s set
  channel = i.channel,
  response_due_at = i.response_due_at,
  first_contact_at = case when i.first_contact_at <= s.valid_from then i.first_contact_at end,
  resolved_at = case when s.state in ('resolved', 'closed') then (
    select max(h.happened_at) from history h
    where h.district = s.district and h.thing = s.issue and h.version <= s.version and h.event = 'resolve') end,
  resolutions = (
    select count(*) from history h
    where h.district = s.district and h.thing = s.issue and h.version <= s.version and h.event = 'resolve'),
  reopens = (
    select count(*) from history h
    where h.district = s.district and h.thing = s.issue and h.version <= s.version and h.event = 'reopen')
from issue i where i.district = s.district and i.id = s.issue;
alter table issue_spans alter channel set not null, alter response_due_at set not null;

-- migrate:down
alter table issue_spans
  drop column channel, drop column paused_at, drop column leader, drop column response_due_at,
  drop column first_contact_at, drop column resolved_at, drop column answer, drop column satisfaction,
  drop column resolutions, drop column bounces, drop column reopens, drop column pauses;
drop index issue_in_view, issue_asked, issue_by_card, issue_by_survivor, issue_by_agent, issue_by_leader, issue_by_offer;
alter table issue
  drop column limit_unit, drop column extension, drop column calendar_version, drop column due_provisional,
  drop column response_due_at, drop column paused_at, drop column held_since, drop column offered_to,
  drop column asked, drop column asked_by, drop column asked_amount, drop column leader, drop column agent,
  drop column appointment_at, drop column merged_into, drop column card, drop column first_contact_at,
  drop column resolved_at, drop column answer, drop column satisfaction, drop column resolutions,
  drop column bounces, drop column reopens, drop column pauses;
alter table issue rename column limit_amount to limit_hours;
create index issue_in_view on issue (district, cell) include (state, due_at, community);
alter table category_limit
  drop column unit, drop column response_amount, drop column response_unit, drop column channel;
alter table category_limit rename column amount to hours;
