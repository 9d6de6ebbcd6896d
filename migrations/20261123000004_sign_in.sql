-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- A token of a phone has the phone's name; one made on the command line has none. Each is listed, and ended, by its id.
alter table access_token
  add id uuid not null default gen_random_uuid(),
  add device text,
  add second_factor_at timestamptz,
  add last_used_at timestamptz;
alter table access_token add constraint access_token_id_unique unique (district, id);

-- A session is its member's, and needs no token: with a password none is made.
alter table session
  add id uuid not null default gen_random_uuid(),
  add member uuid,
  add kind text not null default 'token',
  add device text,
  add second_factor_at timestamptz,
  add last_seen_at timestamptz;
update session s set member = t.member, last_seen_at = s.created_at
from access_token t where t.district = s.district and t.digest = s.token;
alter table session
  alter member set not null,
  alter kind drop default,
  alter last_seen_at set not null,
  alter token drop not null,
  add constraint session_id_unique unique (district, id),
  add constraint session_member_fkey foreign key (district, member) references member,
  add constraint session_kind_known check (kind in ('token', 'password', 'one_time_code')),
  add constraint session_token_fits check ((kind = 'token') = (token is not null));
create index session_by_member on session (district, member);
create index session_by_end on session (district, expires_at);

create table member_password (
  district   integer     not null,
  member     uuid        not null,
  hash       text        not null,  -- argon2id with its parameters and salt
  changed_at timestamptz not null,
  constraint member_password_pkey primary key (district, member),
  constraint member_password_member_fkey foreign key (district, member) references member
);

-- A code opens the door once; only its SHA-256 is kept.
create table one_time_code (
  district   integer     not null,
  id         uuid        not null,
  digest     bytea       not null,
  member     uuid        not null,
  purpose    text        not null,
  issued_at  timestamptz not null,
  expires_at timestamptz not null,
  used_at    timestamptz,
  revoked_at timestamptz,
  constraint one_time_code_pkey primary key (district, id),
  constraint one_time_code_digest_unique unique (district, digest),
  constraint one_time_code_member_fkey foreign key (district, member) references member,
  constraint one_time_code_purpose_known check (purpose in ('first_access', 'lost_access')),
  constraint one_time_code_is_a_digest check (octet_length(digest) = 32)
);
create index one_time_code_by_member on one_time_code (district, member);
create index one_time_code_by_end on one_time_code (district, expires_at);

-- The secret of an authenticator app; it counts once a first code was given back.
create table second_factor (
  district     integer     not null,
  member       uuid        not null,
  secret       bytea       not null,  -- sealed
  offered_at   timestamptz not null,
  confirmed_at timestamptz,
  last_step    bigint,                -- of 30 s, the last whose code was taken: it is not taken again
  constraint second_factor_pkey primary key (district, member),
  constraint second_factor_member_fkey foreign key (district, member) references member
);

-- Failed sign-ins by keyed hashes of whose account and where from: neither can be read here.
create table sign_in_failure (
  district integer     not null,
  subject  bytea       not null,
  failures integer     not null,
  last_at  timestamptz not null,
  constraint sign_in_failure_pkey primary key (district, subject)
);
create index sign_in_failure_by_time on sign_in_failure (district, last_at);

-- A browser on which somebody has signed in: strangers' failures do not count against it.
create table known_browser (
  district   integer     not null,
  digest     bytea       not null,
  member     uuid        not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  constraint known_browser_pkey primary key (district, digest, member),
  constraint known_browser_member_fkey foreign key (district, member) references member,
  constraint known_browser_is_a_digest check (octet_length(digest) = 32)
);
create index known_browser_by_member on known_browser (district, member);
create index known_browser_by_end on known_browser (district, expires_at);

-- What was done to somebody's account, told to them when they next sign in.
create table account_notice (
  district   integer     not null,
  id         uuid        not null,
  member     uuid        not null,
  notice     text        not null,
  by_member  uuid,
  created_at timestamptz not null,
  seen_at    timestamptz,
  constraint account_notice_pkey primary key (district, id),
  constraint account_notice_member_fkey foreign key (district, member) references member,
  constraint account_notice_by_member_fkey foreign key (district, by_member) references member
);
create index account_notice_by_member on account_notice (district, member, created_at);

grant select, insert, update, delete on
  member_password, one_time_code, second_factor, sign_in_failure, known_browser, account_notice to zoufang_app;
grant delete on session to zoufang_app;

-- migrate:down
revoke delete on session from zoufang_app;
drop table account_notice, known_browser, sign_in_failure, second_factor, one_time_code, member_password;
delete from session where token is null;
drop index session_by_end, session_by_member;
alter table session
  alter token set not null,
  drop constraint session_token_fits, drop constraint session_kind_known,
  drop constraint session_member_fkey, drop constraint session_id_unique,
  drop column last_seen_at, drop column second_factor_at, drop column device, drop column kind, drop column member,
  drop column id;
alter table access_token
  drop constraint access_token_id_unique,
  drop column last_used_at, drop column second_factor_at, drop column device, drop column id;
