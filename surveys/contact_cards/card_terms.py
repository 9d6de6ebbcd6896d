"""What a district prints on its cards and says to who holds one: the letters of their numbers, the promise, and the
hotlines. A hotline is a number that the district or an organisation has set for this; never a member's own."""

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor
from surveys.privacy import contacts
from surveys.refusals import Invalid, PhoneUnusable, TextTooLong, TextUnusable

SERIES = "FW"  # 服务

MOST_LINES = 6
LONGEST_LINE = 40  # characters; what the back of a card has room for

PROMISE = (
    "首办负责：谁接到您的事，谁负责到底。",
    "限时办理：每件事都有期限，扫码看得到。",
    "办完回访：办完请您评价，不满意就再办。",
    "替您保密：姓名电话只用来办您的事。",
)
PROMISE_IN_ENGLISH = (
    "One person answers for your problem until it is solved.",
    "Every problem has a time limit, which you can see here.",
    "When it is done we ask you; if you are not satisfied, we start again.",
    "Your name and phone are used for nothing else.",
)

_PHONE = re.compile(r"[0-9+() -]{3,30}")


class SeriesUnusable(Invalid):
    """Letters that cannot stand in front of a card's number."""

    code = "series_unusable"


class Terms(Struct, frozen=True, kw_only=True):
    """What a district's cards say; `promise` is None where it has said nothing of its own."""

    series: str = SERIES
    promise: str | None = None
    hotline: str | None = None

    def lines(self, language: str = "zh") -> tuple[str, ...]:
        """The promise, line by line; the district's own is in its own words, whoever reads it."""
        if self.promise is not None:
            return tuple(self.promise.splitlines())
        return PROMISE_IN_ENGLISH if language == "en" else PROMISE


TERMS = "select series, promise, hotline from card_terms where district = $1"


async def of_district(conn: Connection, district: int) -> Terms:
    """What the district has set, or what the program says."""
    row = await conn.fetchrow(TERMS, district)
    return Terms(**row) if row else Terms()


# The phone of the organisation, else of the next one above it that has one.
NEAREST_HOTLINE = """
with recursive above as (
  select id, parent, 0 as steps from organisation where district = $1 and id = $2
  union all
  select o.id, o.parent, a.steps + 1 from organisation o join above a on o.id = a.parent where o.district = $1
)
select p.hotline from above a join organisation_hotline p on p.district = $1 and p.organisation = a.id
order by a.steps limit 1
"""


async def hotline(conn: Connection, district: int, organisation: UUID) -> str | None:
    """The hotline for cards of an organisation: its own, that of the nearest above it, or the district's."""
    nearest: str | None = await conn.fetchval(NEAREST_HOTLINE, district, organisation)
    return nearest or (await of_district(conn, district)).hotline


class TermsChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a district's cards are to say from now on; what is left out stays."""

    series: Annotated[str, Meta(max_length=20)] | None = None
    promise: Annotated[str, Meta(max_length=1_000)] | None = None  # blank: the program's own again
    hotline: Annotated[str, Meta(max_length=40)] | None = None  # blank: none


SET = """
insert into card_terms (district, series, promise, hotline) values ($1, $2, $3, $4)
on conflict (district) do update set series = excluded.series, promise = excluded.promise, hotline = excluded.hotline
"""


async def change(conn: Connection, district: int, asked: TermsChange, actor: Actor, now: datetime) -> Terms:
    """Change what the district's cards say. Raises SeriesUnusable, PhoneUnusable, TextUnusable or TextTooLong."""
    before = await of_district(conn, district)
    terms = Terms(
        series=before.series if asked.series is None else _series(asked.series),
        promise=before.promise if asked.promise is None else _promise(asked.promise),
        hotline=before.hotline if asked.hotline is None else _hotline(asked.hotline),
    )
    await conn.execute(SET, district, terms.series, terms.promise, terms.hotline)
    said = {"promise": terms.promise, "hotline": terms.hotline}
    await _tell(conn, district, {"series": terms.series}, said, actor, now)
    return terms


class HotlineChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hotline of an organisation from now on; blank: that of the next one above it."""

    organisation: UUID
    hotline: Annotated[str, Meta(max_length=40)]


SET_HOTLINE = """
insert into organisation_hotline (district, organisation, hotline) values ($1, $2, $3)
on conflict (district, organisation) do update set hotline = excluded.hotline
"""
DROP_HOTLINE = "delete from organisation_hotline where district = $1 and organisation = $2"


async def change_hotline(conn: Connection, district: int, asked: HotlineChange, actor: Actor, now: datetime) -> None:
    """Change the hotline of an organisation, which the caller may look after. Raises PhoneUnusable."""
    number = _hotline(asked.hotline)
    if number is None:
        await conn.execute(DROP_HOTLINE, district, asked.organisation)
    else:
        await conn.execute(SET_HOTLINE, district, asked.organisation, number)
    await _tell(conn, district, {"organisation": asked.organisation}, {"hotline": number}, actor, now)


async def _tell(
    conn: Connection,
    district: int,
    facts: dict[str, object],
    said: dict[str, str | None],
    actor: Actor,
    now: datetime,
) -> None:
    """The history has letters and ids, and the digest of what is said in words."""
    event_id = uuid4()
    text, digest = history.text_row(district, event_id, 1, said, now)
    told = history.occurrence(
        district=district,
        kind="card",
        event="terms",
        actor=actor,
        now=now,
        facts=facts | {"text_digest": digest},
        id=event_id,
    )
    await history.append(conn, [told], [text])


def _series(text: str) -> str:
    series = text.strip().upper()
    if not re.fullmatch("[A-Z]{1,4}", series):
        raise SeriesUnusable("series")
    return series


def _promise(text: str) -> str | None:
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if not all(line.isprintable() for line in lines):
        raise TextUnusable("promise")
    if len(lines) > MOST_LINES or any(len(line) > LONGEST_LINE for line in lines):
        raise TextTooLong("promise", lines=MOST_LINES, characters=LONGEST_LINE)
    return "\n".join(lines) or None


def _hotline(text: str) -> str | None:
    number = text.strip()
    if not number:
        return None
    contacts.check_phone(number, "hotline")
    if not _PHONE.fullmatch(number):
        raise PhoneUnusable("hotline", least=contacts.DIGITS[0], most=contacts.DIGITS[-1])
    return number
