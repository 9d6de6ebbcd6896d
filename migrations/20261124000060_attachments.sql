-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- What is kept of photos and files, once for each content, by the SHA-256 of what is stored. The content itself lies
-- in a folder or in S3, under this name.
create table attachment (
  district        integer     not null,
  sha256          bytea       not null,
  kind            text        not null,
  bytes           bigint      not null,
  width           integer,
  height          integer,
  thumbnail_bytes integer,
  received_at     timestamptz not null,
  constraint attachment_pkey primary key (district, sha256),
  constraint attachment_district_fkey foreign key (district) references district,
  constraint attachment_is_a_digest check (octet_length(sha256) = 32),
  constraint attachment_kind_known check (kind in ('photo', 'document')),
  constraint attachment_photo_has_a_thumbnail check (
    num_nonnulls(width, height, thumbnail_bytes) = case kind when 'photo' then 3 else 0 end)
);

-- A photo keeps the hash that the phone sent beside that of what is stored, and where and when it says it was taken: a
-- hint. Erasing empties the row and leaves it, so that what was promised is not asked for again.
alter table issue_photo
  add stored bytea,
  add taken_at timestamptz,
  add lon double precision,
  add lat double precision,
  add erased_at timestamptz,
  add constraint issue_photo_stored_fkey foreign key (district, stored) references attachment,
  add constraint issue_photo_erased_is_empty check (erased_at is null or num_nonnulls(stored, taken_at, lon, lat) = 0);
create index issue_photo_by_stored on issue_photo (district, stored) where stored is not null;

-- The same of a visit: what the member saw at the door, and pictures among the answers.
create table visit_photo (
  district    integer not null,
  visit       uuid    not null,
  sha256      bytea   not null,
  bytes       bigint  not null,
  received_at timestamptz,
  stored      bytea,
  taken_at    timestamptz,
  lon         double precision,
  lat         double precision,
  erased_at   timestamptz,
  constraint visit_photo_pkey primary key (district, visit, sha256),
  constraint visit_photo_visit_fkey foreign key (district, visit) references visit,
  constraint visit_photo_stored_fkey foreign key (district, stored) references attachment,
  constraint visit_photo_is_a_digest check (octet_length(sha256) = 32),
  constraint visit_photo_erased_is_empty check (erased_at is null or num_nonnulls(stored, taken_at, lon, lat) = 0)
);
create index visit_photo_by_stored on visit_photo (district, stored) where stored is not null;

-- A photo on its way, in parts; what has come of it lies in a file of this id.
create table upload (
  district     integer     not null,
  id           uuid        not null,
  subject_kind text        not null,
  subject      uuid        not null,
  sha256       bytea       not null,
  bytes        bigint      not null,
  sender_kind  text        not null,
  sender       text        not null,
  begun_at     timestamptz not null,
  expires_at   timestamptz not null,
  finished_at  timestamptz,
  constraint upload_pkey primary key (district, id),
  constraint upload_district_fkey foreign key (district) references district,
  constraint upload_once unique (district, sender_kind, sender, subject, sha256),
  constraint upload_subject_kind_known check (subject_kind in ('issue', 'visit')),
  constraint upload_is_a_digest check (octet_length(sha256) = 32)
);
create index upload_by_subject on upload (district, subject);
create index upload_expiring on upload (district, expires_at);

-- Contents that nothing names any more, until they have been removed from where they lie.
create table attachment_removal (
  district   integer     not null,
  sha256     bytea       not null,
  decided_at timestamptz not null,
  constraint attachment_removal_pkey primary key (district, sha256),
  constraint attachment_removal_district_fkey foreign key (district) references district
);

grant select, insert, delete on attachment to zoufang_app;
grant select, insert, update on visit_photo to zoufang_app;
grant select, insert, update, delete on upload to zoufang_app;
grant select, insert, update, delete on attachment_removal to zoufang_app;

-- migrate:down
drop table attachment_removal, upload, visit_photo;
drop index issue_photo_by_stored;
alter table issue_photo drop column erased_at, drop column lat, drop column lon, drop column taken_at,
  drop column stored;
drop table attachment;
