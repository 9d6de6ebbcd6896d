-- migrate:up
set local lock_timeout = '5s';
set local statement_timeout = '600s';

-- The departments whose opinions a joint review asks for, beside the one that leads it.
alter table issue add consulted text[];
alter table issue_spans add consulted text[];
create index issue_by_consulted on issue using gin (consulted) where consulted is not null;
-- And of what it works on, beside which it is asked about the others.
create index issue_by_department on issue (district, department) where department is not null;

-- What each of them says, and until when it is to be said; the words stand in the history, under `event`.
create table joint_review (
  district        integer     not null,
  issue           uuid        not null,
  department      text        not null,
  asked_at        timestamptz not null,
  due_at          timestamptz not null,
  due_provisional boolean     not null,
  said            text,  -- by the department, and nobody else
  said_at         timestamptz,
  said_by         uuid,
  event           uuid,
  constraint joint_review_pkey primary key (district, issue, department),
  constraint joint_review_issue_fkey foreign key (district, issue) references issue,
  constraint joint_review_department_fkey foreign key (district, department) references department,
  constraint joint_review_member_fkey foreign key (district, said_by) references member,
  constraint joint_review_known check (said in ('agree', 'object', 'not_concerned')),
  constraint joint_review_whole check (
    num_nonnulls(said, said_at, said_by, event) in (0, 4))
);
grant select, insert, update on joint_review to zoufang_app;

alter table handling_rule
  add review_amount integer not null default 3,
  add review_unit   text    not null default 'working_days',
  add constraint handling_rule_review_amount_positive check (review_amount > 0),
  add constraint handling_rule_review_unit_known check (
    review_unit in ('working_hours', 'working_days', 'calendar_hours'));

-- migrate:down
alter table handling_rule drop column review_amount, drop column review_unit;
drop table joint_review;
drop index issue_by_department, issue_by_consulted;
alter table issue_spans drop column consulted;
alter table issue drop column consulted;
