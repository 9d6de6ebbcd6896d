-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- Files that submissions from ODK Collect name: they come in the same request or in later ones, and what is in them is
-- known only then.
create table submitted_media (
  district     integer     not null,
  visit        uuid        not null,
  name         text        not null,
  subject_kind text        not null,  -- what the file belongs to
  subject      uuid        not null,
  awaited_at   timestamptz not null,
  sha256       bytea,                 -- of what came first under this name
  refused      text,                  -- why that could not be kept, if so
  received_at  timestamptz,
  constraint submitted_media_pkey primary key (district, visit, name),
  constraint submitted_media_visit_fkey foreign key (district, visit) references visit,
  constraint submitted_media_subject_kind_known check (subject_kind in ('issue', 'visit')),
  constraint submitted_media_is_a_digest check (octet_length(sha256) = 32),
  constraint submitted_media_received_whole check ((received_at is null) = (sha256 is null)),
  constraint submitted_media_refused_came check (refused is null or received_at is not null)
);
grant select, insert, update on submitted_media to zoufang_app;

-- migrate:down
drop table submitted_media;
