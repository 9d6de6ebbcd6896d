"""Answers as they leave the program: of all visits within the reader's reach, each with the version it answers."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters, Reach
from surveys.premises.premises import PremisesKind
from surveys.visits import visit_query

READ_AHEAD = 500  # rows that are fetched at a time


class Answered(Struct, frozen=True, kw_only=True):
    """A visit on which a questionnaire was filled in; answers that were forgotten are none."""

    started_at: datetime
    member: str  # their number
    member_name: str
    organisation_name: str
    premises_kind: PremisesKind
    premises_name: str | None
    premises_address: str | None
    community: str | None
    community_name: str | None
    campaign: str | None
    version: str
    unfit: bool
    id: UUID
    values: dict[str, Any]


ROWS = """
select v.started_at, m.number as member, m.name as member_name, o.name as organisation_name, v.premises_kind,
       t.body->>'premises_name' as premises_name, t.body->>'premises_address' as premises_address,
       v.community, c.name as community_name, v.campaign, v.questionnaire_version as version,
       exists (select from visit_flag f where f.district = $1 and f.visit = v.id and f.flag = 'answers_unfit') as unfit,
       v.id, t.body->>'answers' as answers
from visit v
join member m on m.district = $1 and m.id = v.member
join organisation o on o.district = $1 and o.id = v.organisation
left join community c on c.district = $1 and c.code = v.community
left join text_version t on t.district = $1 and t.subject = v.id and t.version = v.text_version
"""


async def rows(conn: Connection, reader: Reader, questionnaire: str, now: datetime) -> AsyncIterator[Answered]:
    """The answers, newest first, a few hundred of them in memory at a time.

    A transaction must be open. Raises NotAllowed for whoever reads no visits."""
    where, parameter = _where(await scopes.reach(conn, reader), questionnaire, now)
    text = f"{ROWS}{where} {visit_query.NEWEST}"
    async for row in conn.cursor(text, *parameter.values, prefetch=READ_AHEAD):
        told = dict(row)
        answers = told.pop("answers")
        yield Answered(**told, values=msgspec.json.decode(answers)["values"] if answers else {})


def _where(reach: Reach, questionnaire: str, now: datetime) -> tuple[str, Parameters]:
    reached, parameter = visit_query.within(reach)
    asked = f"v.questionnaire = {parameter(questionnaire)} and v.withdrawn_at is null"
    return f"where v.district = $1 and {reached} and {asked} and v.recorded_at <= {parameter(now)}", parameter
