"""Receipts: what the server has of a visit, as it was told the first time; asked again, it says the same."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.issues.placing import Certainty, CommunityName
from surveys.people.people import Handler

Flag = Literal[
    "card_unknown",
    "card_revoked",
    "card_already_bound",  # to another door
    "campaign_ended",
    "campaign_not_begun",
    "campaign_other_kind",
    "door_of_another",  # who has it in this campaign is somebody else
    "door_gone",  # no longer there, or another door by now
    "questionnaire_unknown",  # that version was never published here
    "answers_unfit",  # to a question of another type; they are kept as they came
    "category_retired",
    "outside_district",
]


class IssueReceipt(Struct, frozen=True, kw_only=True):
    """What became of one issue of a visit."""

    id: UUID
    number: str
    community: CommunityName | None
    certainty: Certainty
    owner: Handler
    due_at: datetime


class Receipt(Struct, frozen=True, kw_only=True):
    """What the server has of a visit; the first one is the last word, and a retry gets it again."""

    id: UUID
    status: Literal["filed", "already_filed"]
    received_at: datetime
    community: CommunityName | None
    certainty: Certainty
    flags: list[Flag]
    issues: list[IssueReceipt]


class Filed(Struct, frozen=True, kw_only=True):
    """What stands in the database of a visit: its receipt, and by what it is known again."""

    receipt: Receipt
    member: UUID  # who filed it
    digest: bytes
    missing_photos: list[str]


# Receipts as they were first given: what has moved since does not show, and is looked up in the history.
RECEIPTS = """
select v.id, coalesce(v.entered_by, v.member) as member, v.digest, v.recorded_at,
  coalesce(was.certainty, v.certainty) as certainty,
  case when c.code is not null then jsonb_build_array(c.code, c.name) end as community,
  array(select flag from visit_flag f where f.district = v.district and f.visit = v.id order by flag) as flags,
  coalesce(of_visit.issues, '[]') as issues,
  array(select encode(p.sha256, 'hex') from issue i
    join issue_photo p on p.district = i.district and p.issue = i.id and p.received_at is null and p.erased_at is null
    where i.district = v.district and i.visit = v.id
    union
    select encode(p.sha256, 'hex') from visit_photo p
    where p.district = v.district and p.visit = v.id and p.received_at is null and p.erased_at is null
    order by 1) as missing
from visit v
left join lateral (
  select h.facts->>'community' as community, h.facts->>'certainty' as certainty from history h
  where v.version > 1 and h.district = v.district and h.thing = v.id and h.version = 1
) was on true
left join community c on c.district = v.district
  and c.code = case when v.version > 1 then was.community else v.community end
left join lateral (
  select
    jsonb_agg(jsonb_build_object(
      'id', i.id, 'number', i.number::text, 'due_at', s.due_at,
      'certainty', coalesce((select h.facts->>'certainty' from history h
        where i.version > 1 and h.district = i.district and h.thing = i.id and h.version = 1), i.certainty),
      'community', case when s.community is not null then jsonb_build_object('code', s.community, 'name', ic.name) end,
      'owner', jsonb_build_object('id', s.owner, 'name', m.name)) order by i.number) as issues
  from issue i
  join issue_spans s on s.district = i.district and s.issue = i.id and s.version = 1
  join member m on m.district = s.district and m.id = s.owner
  left join community ic on ic.district = s.district and ic.code = s.community
  where i.district = v.district and i.visit = v.id
) of_visit on true
where v.district = $1 and v.id = any($2)
"""


async def of_visits(conn: Connection, district: int, ids: Sequence[UUID]) -> dict[UUID, Filed]:
    """What the server has of these visits, whoever filed them: the caller heeds `member`."""
    if not ids:
        return {}
    return {
        row["id"]: Filed(
            receipt=Receipt(
                id=row["id"],
                status="already_filed",
                received_at=row["recorded_at"],
                community=CommunityName(*row["community"]) if row["community"] else None,
                certainty=row["certainty"],
                flags=row["flags"],
                issues=msgspec.convert(row["issues"], list[IssueReceipt]),
            ),
            member=row["member"],
            digest=row["digest"],
            missing_photos=row["missing"],
        )
        for row in await conn.fetch(RECEIPTS, district, list(set(ids)))
    }
