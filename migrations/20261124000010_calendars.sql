-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- Holidays are a country's, the same for all its districts: small tables without a district, which a distributed
-- database keeps a copy of everywhere. A version holds the whole of the years that it changes; nothing is rewritten.
create table holiday_calendar (
  calendar    text        not null,
  version     integer     not null,
  source      text        not null,
  digest      bytea       not null,  -- SHA-256 of the version before and of what this one changes
  recorded_at timestamptz not null,
  constraint holiday_calendar_pkey primary key (calendar, version),
  constraint holiday_calendar_is_a_digest check (octet_length(digest) = 32)
);

-- A year that is not published holds what is expected of it.
create table holiday_year (
  calendar  text    not null,
  version   integer not null,
  year      integer not null,
  published boolean not null,
  constraint holiday_year_pkey primary key (calendar, version, year),
  constraint holiday_year_calendar_fkey foreign key (calendar, version) references holiday_calendar
);

create table holiday (
  calendar text    not null,
  version  integer not null,
  year     integer not null,
  day      date    not null,
  kind     text    not null,
  name     text    not null,
  constraint holiday_pkey primary key (calendar, version, day),
  constraint holiday_year_fkey foreign key (calendar, version, year) references holiday_year,
  constraint holiday_of_its_year check (extract(year from day) = year),
  constraint holiday_kind_known check (kind in ('holiday', 'working_day'))
);

-- A district's own office hours, from a day on; without any, the usual ones hold.
create table office_hours (
  district    integer     not null,
  version     integer     not null,
  valid_from  date        not null,
  week        jsonb       not null,  -- for each day from Monday to Sunday, the openings as ["09:00:00", "12:00:00"]
  digest      bytea       not null,  -- SHA-256 of the version before and of this one
  recorded_at timestamptz not null,
  constraint office_hours_pkey primary key (district, version),
  constraint office_hours_district_fkey foreign key (district) references district,
  constraint office_hours_of_seven_days check (jsonb_array_length(week) = 7),
  constraint office_hours_is_a_digest check (octet_length(digest) = 32)
);

-- Whose due time is counted anew when a year is published.
create index issue_provisional on issue (district, id) where due_provisional;

grant select, insert on holiday_calendar, holiday_year, holiday, office_hours to zoufang_app;

-- migrate:down
drop index issue_provisional;
drop table office_hours, holiday, holiday_year, holiday_calendar;
