-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- When a district reminds of a limit, and to whom it goes after it; one without a row follows the program's defaults.
create table deadline_rules (
  district    integer     not null,
  reminders   jsonb       not null,
  escalations jsonb       not null,
  changed_at  timestamptz not null,
  constraint deadline_rules_pkey primary key (district),
  constraint deadline_rules_district_fkey foreign key (district) references district
);

-- What has a limit that runs, in the order in which limits end.
create index issue_running_by_due on issue (district, due_at, id)
  where state in ('reported', 'accepted', 'assigned', 'in_progress');

-- Each level once for each limit of an issue: the key is what makes it once. Without a foreign key to the issue, which
-- would lock each issue that is late while somebody wants to move it.
create table escalation (
  district  integer     not null,
  issue     uuid        not null,
  due_at    timestamptz not null,
  level     smallint    not null,
  event     uuid        not null,  -- of the history
  raised_at timestamptz not null,
  constraint escalation_pkey primary key (district, issue, due_at, level)
);
create table reminder (
  district integer     not null,
  issue    uuid        not null,
  due_at   timestamptz not null,
  rule     smallint    not null,
  made_at  timestamptz not null,
  constraint reminder_pkey primary key (district, issue, due_at, rule)
);
grant select, insert on escalation, reminder to zoufang_app;
grant select, insert, update on deadline_rules to zoufang_app;

-- How far somebody has read the history: behind the last row of the last finished transaction, as seals are.
create table history_follower (
  district   integer  not null,
  follower   text     not null,
  epoch      smallint not null,
  written_in bigint   not null,
  id         uuid     not null,
  constraint history_follower_pkey primary key (district, follower),
  constraint history_follower_district_fkey foreign key (district) references district
);
-- What was done before there were notices is not told.
insert into history_follower (district, follower, epoch, written_in, id)
select d.district, 'notices',
       (select (regexp_match(pg_get_expr(a.adbin, a.adrelid), '\d+'))[1]::smallint
          from pg_attrdef a join pg_attribute c on c.attrelid = a.adrelid and c.attnum = a.adnum
         where a.adrelid = 'history'::regclass and c.attname = 'epoch'),
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint, '00000000-0000-0000-0000-000000000000'
from district d;
grant select, insert, update on history_follower to zoufang_app;

-- What a member is told: in the inbox, and by a message where it is to be sent at some time.
create table notice (
  district    integer     not null,
  id          uuid        not null,
  member      uuid        not null,
  kind        text        not null,
  issue       uuid        not null,
  level       smallint,             -- of an escalation
  happened_at timestamptz not null,
  made_at     timestamptz not null,
  send_after  timestamptz,          -- null: the inbox is enough
  queued_at   timestamptz,          -- when it went into a message, or needed none any more
  seen_at     timestamptz,
  constraint notice_pkey primary key (district, id)
);
create index notice_newest on notice (district, member, made_at desc, id desc);
create index notice_unseen on notice (district, member) where seen_at is null;
create index notice_to_send on notice (district, send_after) where send_after is not null and queued_at is null;
create index notice_oldest on notice (district, made_at);

-- How each member wants to be told; who has no row here wants the program's defaults.
create table notice_setting (
  district   integer     not null,
  member     uuid        not null,
  language   text        not null,
  quiet_from time        not null,
  quiet_to   time        not null,
  ways       jsonb       not null,  -- by kind
  changed_at timestamptz not null,
  constraint notice_setting_pkey primary key (district, member),
  constraint notice_setting_member_fkey foreign key (district, member) references member,
  constraint notice_setting_language_known check (language in ('zh', 'en'))
);

-- The ways out of the house: an address of apprise with a place for the member's own.
create table notice_channel (
  district   integer     not null,
  id         uuid        not null,
  name       text        not null,
  scheme     text        not null,
  template   bytea       not null,  -- sealed
  made_at    timestamptz not null,
  closed_at  timestamptz,
  constraint notice_channel_pkey primary key (district, id),
  constraint notice_channel_district_fkey foreign key (district) references district
);
create table notice_address (
  district   integer     not null,
  member     uuid        not null,
  channel    uuid        not null,
  address    bytea       not null,  -- sealed
  changed_at timestamptz not null,
  constraint notice_address_pkey primary key (district, member, channel),
  constraint notice_address_member_fkey foreign key (district, member) references member,
  constraint notice_address_channel_fkey foreign key (district, channel) references notice_channel
);

-- What was sent to whom, when, by which channel, and what became of it: ids and codes, never a text.
create table notice_delivery (
  district integer     not null,
  id       uuid        not null,
  member   uuid        not null,
  channel  uuid        not null,
  notices  uuid[]      not null,
  state    text        not null,
  tries    smallint    not null default 0,
  error    text,
  made_at  timestamptz not null,
  tried_at timestamptz,
  constraint notice_delivery_pkey primary key (district, id),
  constraint notice_delivery_state_known check (state in ('waiting', 'sent', 'parked', 'void'))
);
create index notice_delivery_newest on notice_delivery (district, made_at desc, id desc);

-- Other systems that are told of what happens to issues.
create table webhook (
  district  integer     not null,
  id        uuid        not null,
  url       text        not null,
  events    text[]      not null,
  secret    bytea       not null,  -- sealed
  made_at   timestamptz not null,
  closed_at timestamptz,
  constraint webhook_pkey primary key (district, id),
  constraint webhook_district_fkey foreign key (district) references district,
  constraint webhook_asks_for_something check (cardinality(events) > 0)
);
create table webhook_delivery (
  district integer     not null,
  id       uuid        not null,
  webhook  uuid        not null,
  event    uuid,                 -- of the history; null: only to see whether it arrives
  kind     text        not null,
  state    text        not null,
  tries    smallint    not null default 0,
  status   smallint,             -- of HTTP
  error    text,
  made_at  timestamptz not null,
  tried_at timestamptz,
  constraint webhook_delivery_pkey primary key (district, id),
  constraint webhook_delivery_state_known check (state in ('waiting', 'sent', 'parked', 'void'))
);
create index webhook_delivery_newest on webhook_delivery (district, webhook, made_at desc, id desc);
create index webhook_delivery_oldest on webhook_delivery (district, made_at);

grant select, insert, update, delete on notice, notice_delivery, webhook_delivery, notice_address to zoufang_app;
grant select, insert, update on notice_setting, notice_channel, webhook to zoufang_app;

-- migrate:down
drop table webhook_delivery, webhook, notice_delivery, notice_address, notice_channel, notice_setting, notice;
drop table history_follower, reminder, escalation, deadline_rules;
drop index issue_running_by_due;
