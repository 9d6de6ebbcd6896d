-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- A contact card: its number is public; the secret is the token in its QR code, of which only the SHA-256 is kept.
create table contact_card (
  district     integer     not null,
  number       text        not null,
  id           uuid        not null,  -- of the card in the history
  version      integer     not null,
  digest       bytea       not null,
  organisation uuid        not null,
  member       uuid,                  -- who gives it out, if not their organisation as such
  service_name text        not null,  -- as it is printed
  made_at      timestamptz not null,
  revoked_at   timestamptz,
  constraint contact_card_pkey primary key (district, number),
  constraint contact_card_id_unique unique (district, id),
  constraint contact_card_token_unique unique (district, digest),
  constraint contact_card_organisation_fkey foreign key (district, organisation) references organisation,
  constraint contact_card_member_fkey foreign key (district, member) references member,
  constraint contact_card_is_a_digest check (octet_length(digest) = 32),
  constraint contact_card_has_a_name check (service_name ~ '\S')
);
create index contact_card_by_organisation on contact_card (district, organisation, number);

-- What a district prints on its cards; where it has said nothing, what the program says.
create table card_terms (
  district integer not null,
  series   text    not null,  -- the letters in front of each number
  promise  text,
  hotline  text,              -- for who holds a card; never a member's own number
  constraint card_terms_pkey primary key (district),
  constraint card_terms_district_fkey foreign key (district) references district,
  constraint card_terms_series_known check (series ~ '^[A-Z]{1,4}$')
);

-- The hotline of an organisation, and of those below it that have none of their own.
create table organisation_hotline (
  district     integer not null,
  organisation uuid    not null,
  hotline      text    not null,
  constraint organisation_hotline_pkey primary key (district, organisation),
  constraint organisation_hotline_organisation_fkey foreign key (district, organisation) references organisation
);

-- A card whose visit was withdrawn can be left at a door again: that is its next round.
alter table card_binding add round integer not null default 1;
alter table card_binding drop constraint card_binding_pkey, add constraint card_binding_pkey
  primary key (district, card, round);

grant select, insert, update on contact_card, card_terms to zoufang_app;
grant select, insert, update, delete on organisation_hotline to zoufang_app;

-- migrate:down
delete from card_binding where round > 1;
alter table card_binding drop constraint card_binding_pkey, drop column round, add constraint card_binding_pkey
  primary key (district, card);
drop table organisation_hotline, card_terms, contact_card;
