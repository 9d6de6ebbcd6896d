"""By what points are counted: rules as versioned data, each valid from a month on, published once and never edited.

Amounts are written as decimals with at most two places and counted as whole hundredths, so that nothing is ever
rounded but where points.md says so."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection, Record
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, occurrence, request_digest
from surveys.people.people import Reader
from surveys.refusals import Invalid, InvalidFilter, NotFound
from surveys.reports import report_periods
from surveys.volunteering import repeats
from surveys.volunteering.service_rows import ServiceKind

Amount = Annotated[str, Meta(max_length=20, description="A decimal with at most two places, as 1.5", examples=["1.5"])]
KINDS: tuple[ServiceKind, ...] = get_args(ServiceKind)

MOST = 100_000  # hundredths: what a rule may give, or leave of a deed
MOST_A_MONTH = 10_000_000
MOST_TIMES = 1_000  # hundredths: nothing counts more than ten times
LONGEST = 1_440  # minutes for which points are given: a day
MOST_PEOPLE = 1_000
ONE = 100  # in hundredths
STARS = ("one", "two", "three", "four", "five")


class AmountUnusable(Invalid):
    """No number of points or times, or one outside what a rule may say; `facts` hold the bounds."""

    code: ClassVar[str] = "amount_unusable"


class DividesByZero(Invalid):
    """Points for each 0 minutes or people, or by an average of no answers."""

    code: ClassVar[str] = "rule_divides_by_zero"


class KindUnknown(Invalid):
    """No kind of service; `facts` name those that there are."""

    code: ClassVar[str] = "service_kind_unknown"


class LessForMore(Invalid):
    """A better answer would give less than a worse one."""

    code: ClassVar[str] = "less_for_more"


class NothingCounts(Invalid):
    """Rules by which nobody could ever have a point."""

    code: ClassVar[str] = "nothing_counts"


class ValidTooEarly(Invalid):
    """A month that has passed is not counted by new rules; `facts` hold the earliest."""

    code: ClassVar[str] = "rules_too_early"


class TimeRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """So many points for so many minutes; of one day at most `day_cap`."""

    points: Amount
    per_minutes: int = 60
    day_cap: Amount | None = None


class EffectRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """So many points for so many people helped; of one service at most `cap`."""

    points: Amount
    per_people: int = 1
    cap: Amount | None = None


class SatisfactionRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """By the average of what those who came answered, rounded to whole stars: a bonus of points, or a factor. It
    changes nothing where fewer than `least_answers` answered, or the way is `none`."""

    way: Literal["bonus", "factor", "none"]
    least_answers: int = 3
    one: Amount
    two: Amount
    three: Amount
    four: Amount
    five: Amount


class Rules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What points are given for; a kind of service that is not named counts once."""

    time: TimeRule | None = None
    effect: EffectRule | None = None
    satisfaction: SatisfactionRule | None = None
    kinds: Annotated[dict[str, Amount], Meta(max_length=50)] = {}
    month_cap: Amount | None = None


class RulesDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rules as they are published, from a month on, written as 2026-12."""

    id: UUID
    valid_from: Annotated[str, Meta(max_length=10)]
    rules: Rules


class RulesVersion(Struct, frozen=True, kw_only=True):
    """Rules as they were published."""

    version: int
    valid_from: date
    rules: Rules
    published_at: datetime
    published_by: str


# What a district is proposed that has none yet.
PROPOSED = Rules(
    time=TimeRule(points="1", per_minutes=60, day_cap="8"),
    effect=EffectRule(points="0.1", per_people=1, cap="3"),
    satisfaction=SatisfactionRule(way="factor", one="0.5", two="0.8", three="1", four="1.1", five="1.2"),
    month_cap="100",
)


# --- amounts

_AMOUNT = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,2}))?", re.ASCII)


def hundredths(text: str, field: str, least: int = 0, most: int = MOST) -> int:
    """An amount in whole hundredths. Raises AmountUnusable."""
    found = _AMOUNT.fullmatch(text.strip())
    amount = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found else -1
    if not least <= amount <= most:
        raise AmountUnusable(field, least=written(least), most=written(most))
    return amount


def written(amount: int) -> str:
    """Hundredths as they are written: 12.5, and -0.25 of what was taken off."""
    whole, rest = divmod(abs(amount), 100)
    text = f"{whole}.{rest:02}".rstrip("0").rstrip(".")
    return f"-{text}" if amount < 0 else text


class Numbers(Struct, frozen=True, kw_only=True):
    """Rules as whole numbers, in hundredths, as the one question takes them; a cap of None caps nothing."""

    time_points: int = 0
    per_minutes: int = 60
    day_cap: int | None = None
    effect_points: int = 0
    per_people: int = 1
    effect_cap: int | None = None
    way: str = ""
    least_answers: int = 1
    stars: tuple[int, ...] = (0, 0, 0, 0, 0)
    kinds: Mapping[str, int] = {}
    month_cap: int | None = None


def numbers(rules: Rules) -> Numbers:
    """Rules made ready to be counted by. Raises AmountUnusable, DividesByZero, KindUnknown, LessForMore or
    NothingCounts, each with the field that is wrong."""
    found: dict[str, Any] = dict(_time(rules.time)) | dict(_effect(rules.effect))
    found |= dict(_satisfaction(rules.satisfaction))
    made = Numbers(**found, kinds=dict(_kinds(rules.kinds)), month_cap=_cap(rules.month_cap, "month_cap", MOST_A_MONTH))
    bonus = made.way == "bonus" and any(made.stars)
    if not (made.time_points or made.effect_points or bonus):
        raise NothingCounts("rules")
    return made


def _time(rule: TimeRule | None) -> Iterator[tuple[str, object]]:
    if rule is None:
        return
    yield "time_points", hundredths(rule.points, "rules.time.points")
    yield "per_minutes", _divisor(rule.per_minutes, "rules.time.per_minutes", LONGEST)
    yield "day_cap", _cap(rule.day_cap, "time.day_cap")


def _effect(rule: EffectRule | None) -> Iterator[tuple[str, object]]:
    if rule is None:
        return
    yield "effect_points", hundredths(rule.points, "rules.effect.points")
    yield "per_people", _divisor(rule.per_people, "rules.effect.per_people", MOST_PEOPLE)
    yield "effect_cap", _cap(rule.cap, "effect.cap")


def _satisfaction(rule: SatisfactionRule | None) -> Iterator[tuple[str, object]]:
    if rule is None or rule.way == "none":
        return
    most = MOST if rule.way == "bonus" else MOST_TIMES
    amounts = [hundredths(getattr(rule, star), f"rules.satisfaction.{star}", most=most) for star in STARS]
    for star, worse, better in zip(STARS[1:], amounts, amounts[1:], strict=False):
        if better < worse:
            raise LessForMore(f"rules.satisfaction.{star}")
    yield "way", rule.way
    yield "least_answers", _divisor(rule.least_answers, "rules.satisfaction.least_answers", MOST_PEOPLE)
    yield "stars", tuple(amounts)


def _kinds(weights: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    for kind, weight in weights.items():
        if kind not in KINDS:
            raise KindUnknown(f"rules.kinds.{kind[:40]}", expected=" | ".join(KINDS))
        yield kind, hundredths(weight, f"rules.kinds.{kind}", most=MOST_TIMES)


def _cap(amount: str | None, name: str, most: int = MOST) -> int | None:
    return None if amount is None else hundredths(amount, f"rules.{name}", least=1, most=most)


def _divisor(number: int, field: str, most: int) -> int:
    if number == 0:
        raise DividesByZero(field)
    if not 1 <= number <= most:
        raise AmountUnusable(field, least=1, most=most)
    return number


# --- versions


def month(text: str, field: str = "month") -> date:
    """The first day of a month that is written as 2026-12. Raises Invalid."""
    try:
        period = report_periods.named(text)
    except InvalidFilter:
        period = None
    if period is None or period.kind != "month":
        raise InvalidFilter(field, expected="2026-12")
    return period.first


VERSIONS = """
select r.version, r.valid_from, r.body, r.published_at, m.name as published_by
from points_rules r join member m on m.district = r.district and m.id = r.published_by
where r.district = $1
"""
IN_FORCE = f"""
{VERSIONS} and r.valid_from <= $2 and r.published_at <= $3 order by r.valid_from desc, r.version desc limit 1
"""
NUMBERED = f"{VERSIONS} and r.version = $2"
ALL = f"{VERSIONS} order by r.version desc"


async def in_force(conn: Connection, district: int, month: date, known_at: datetime) -> RulesVersion | None:
    """The rules by which a month is counted, of those that were published by then: the newest that hold from it or an
    earlier one on."""
    row = await conn.fetchrow(IN_FORCE, district, month, known_at)
    return _version(row) if row else None


async def numbered(conn: Connection, district: int, version: int) -> RulesVersion | None:
    """The rules of a version."""
    row = await conn.fetchrow(NUMBERED, district, version)
    return _version(row) if row else None


async def versions(conn: Connection, district: int) -> list[RulesVersion]:
    """All that were published, the newest first."""
    return [_version(row) for row in await conn.fetch(ALL, district)]


def _version(row: Record) -> RulesVersion:
    return RulesVersion(
        version=row["version"],
        valid_from=row["valid_from"],
        rules=msgspec.convert(row["body"], Rules),
        published_at=row["published_at"],
        published_by=row["published_by"],
    )


# Two that came at once would have the same version: the second waits here.
LOCK = "select district from district where district = $1 for no key update"
NEWEST = "select coalesce(max(version), 0) from points_rules where district = $1"
PUBLISH = """
insert into points_rules (district, version, id, valid_from, body, published_at, published_by)
values ($1, $2, $3, $4, $5, $6, $7)
"""


async def publish(conn: Connection, reader: Reader, draft: RulesDraft, zone: ZoneInfo, now: datetime) -> RulesVersion:
    """Publish rules; the same draft again gets its first answer. The first ever hold from any month on, later ones from
    the month that is under way at the earliest.

    Raises NotAllowed, ValidTooEarly, IdTaken and what `numbers` raises."""
    reader.require("administrator")
    first, actor = month(draft.valid_from, "valid_from"), Actor("member", str(reader.member))
    numbers(draft.rules)
    await conn.execute(LOCK, reader.district)
    if known := await repeats.asked_before(conn, reader.district, draft.id, draft, actor, draft.id):
        return await _of_version(conn, reader.district, known["facts"]["version"])
    newest: int = await conn.fetchval(NEWEST, reader.district)
    earliest = now.astimezone(zone).date().replace(day=1)
    if newest and first < earliest:
        raise ValidTooEarly("valid_from", earliest=f"{earliest:%Y-%m}")
    body = msgspec.to_builtins(draft.rules)
    await conn.execute(PUBLISH, reader.district, newest + 1, draft.id, first, body, now, reader.member)
    event = occurrence(
        district=reader.district,
        kind="points",
        event="publish_rules",
        actor=actor,
        now=now,
        id=draft.id,
        facts={"version": newest + 1, "valid_from": f"{first:%Y-%m}"},
    )
    await history.append(conn, [{**event, "request": history.bytea(request_digest(draft))}], [])
    return await _of_version(conn, reader.district, newest + 1)


async def _of_version(conn: Connection, district: int, version: int) -> RulesVersion:
    found = await numbered(conn, district, version)
    if found is None:
        raise NotFound
    return found
