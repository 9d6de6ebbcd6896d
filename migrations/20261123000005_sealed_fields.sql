-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- What names a resident, under the key ring: `sealed` begins with the number of its key, and opens only as this field
-- of this subject. Erasing empties the row and leaves it, so that pages can say that something was there. Without a
-- foreign key to the issue, as text_version is: a visit, its issues and what is sealed come in one statement.
create table sealed_field (
  district    integer     not null,
  subject     uuid        not null,
  field       text        not null,
  sealed      bytea,
  look_up     bytea,                -- keyed hash of a phone number's digits
  recorded_at timestamptz not null,
  erased_at   timestamptz,
  constraint sealed_field_pkey primary key (district, subject, field),
  constraint sealed_field_known check (field in ('contact_name', 'contact_phone')),
  constraint sealed_field_erased_is_empty check (
    (erased_at is null) = (sealed is not null) and (erased_at is null or look_up is null)),
  constraint sealed_field_sealed_with_key check (octet_length(sealed) > 32),
  constraint sealed_field_look_up_is_a_digest check (octet_length(look_up) = 32)
);
create index sealed_field_by_look_up on sealed_field (district, look_up) where look_up is not null;
create index sealed_field_by_key on sealed_field (district, substring(sealed from 1 for 4)) where sealed is not null;

-- How long what is kept of people is kept; a kind without a row here follows the program's default.
create table retention_rule (
  district   integer     not null,
  kind       text        not null,
  days       integer     not null,
  enabled    boolean     not null,
  changed_at timestamptz not null,
  constraint retention_rule_pkey primary key (district, kind),
  constraint retention_rule_district_fkey foreign key (district) references district,
  constraint retention_rule_days_sensible check (days between 1 and 36500)
);

grant select, insert, update on sealed_field, retention_rule to zoufang_app;

-- migrate:down
drop table retention_rule, sealed_field;
