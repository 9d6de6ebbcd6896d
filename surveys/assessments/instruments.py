"""Instruments: a scorecard's headings, items, rater groups, stars and rules, published in versions that never
change."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args
from uuid import UUID, uuid5

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.history import Actor, event_row
from surveys.people.people import READING, Reader
from surveys.refusals import Conflict, NotAllowed, NotFound

_NAMESPACE = UUID("0b6c1f4e-92a7-5b0e-8f53-6a1d4c7e2b90")

SubjectKind = Literal["organisation", "member", "window"]
Group = Literal["self", "people", "peers", "leaders"]
FactCode = Literal["visits", "coverage", "on_time_rate", "satisfaction", "hours_served"]
Unrated = Literal["leave_out", "zero"]
Status = Literal["published", "unchanged"]

GROUPS: tuple[Group, ...] = get_args(Group)
FACTS: tuple[FactCode, ...] = get_args(FactCode)
PERCENT_FACTS: frozenset[FactCode] = frozenset({"coverage", "on_time_rate", "satisfaction"})

MOST_ITEMS = 300
MOST_HEADINGS = 20
LARGEST_MAXIMUM = Decimal(1000)


class VersionTaken(Conflict):
    """Another instrument was published under this version; a published version never changes."""

    code = "instrument_version_taken"


class Heading(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A heading; its weight, in per cent of the whole, is the sum of the weights of its items."""

    code: str
    name: str
    english: str = ""
    weight: Decimal


class Step(Struct, frozen=True):
    """From this value of a fact on, this many per cent of the item's points."""

    least: Decimal
    percent: Decimal


class Item(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is rated: from nought to its maximum by its raters, by a fact, or by both.

    A fact gives points by steps, the highest first, or in proportion from `from_` (nothing) to `to` (all of them).
    `fact_share` is how much of the item the fact decides, in per cent, where there are raters as well."""

    code: str
    heading: str  # its code
    text: str
    english: str = ""
    maximum: Decimal
    weight: Decimal  # in per cent of the whole
    raters: tuple[Group, ...] = ()
    fact: FactCode | None = None
    fact_share: Decimal = Decimal(100)
    fact_steps: tuple[Step, ...] = ()
    fact_from: Decimal | None = None
    fact_to: Decimal | None = None
    evidence: bool = False  # whether who rates it shall say by what


class RaterGroup(Struct, frozen=True):
    """How much a group of raters weighs, in per cent, and how many of them there must be so that they count."""

    weight: Decimal
    least: int


class Star(Struct, frozen=True, omit_defaults=True):
    """From this percentage on, this many stars, for at most `most_percent` of those rated."""

    stars: int
    least: Decimal
    most_percent: Decimal | None = None


class Rules(Struct, frozen=True, omit_defaults=True):
    """What becomes of an item for which nobody counts, which headings part those who are equal, the first first, and
    whether peers and leaders see the self-rating while they rate."""

    unrated: Unrated = "leave_out"
    tie_breakers: tuple[str, ...] = ()
    self_shown: bool = False


class Body(Struct, frozen=True, kw_only=True):
    """What an instrument consists of."""

    headings: tuple[Heading, ...]
    items: tuple[Item, ...]
    groups: dict[Group, RaterGroup]
    stars: tuple[Star, ...]  # the most first
    rules: Rules


class Instrument(Struct, frozen=True, kw_only=True):
    """A version of an instrument, as it was checked; `items` stand in the order in which they are rated."""

    district: int = 0  # until it is published
    id: str
    name: Mapping[str, str]  # by language
    version: str
    subject_kind: SubjectKind
    headings: tuple[Heading, ...]
    items: tuple[Item, ...]
    groups: dict[Group, RaterGroup]
    stars: tuple[Star, ...]
    rules: Rules

    def body(self) -> Body:
        """What is kept as one."""
        return Body(headings=self.headings, items=self.items, groups=self.groups, stars=self.stars, rules=self.rules)

    def digest(self) -> bytes:
        """SHA-256 of all that it says: two files that say the same are the same."""
        return history.request_digest((self.id, self.version, self.subject_kind, self.name, self.body()))


class Published(Struct, frozen=True):
    """What became of an instrument: the version under which it stands, and whether it is new."""

    id: str
    version: str
    status: Status


PUBLISH = """
insert into instrument (district, id, version, subject_kind, name, items, body, digest, published_at, published_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (district, id, version) do nothing
returning true
"""
SAME = "select digest = $4 from instrument where district = $1 and id = $2 and version = $3"
EARLIER = "select count(*) from history where district = $1 and thing = $2"


async def publish(
    conn: Connection, district: int, instrument: Instrument, actor: Actor, now: datetime, *, member: UUID | None = None
) -> Published:
    """Publish an instrument. The same content again changes nothing. Raises VersionTaken when other content has this
    version. Run it in a transaction."""
    digest = instrument.digest()
    values = (instrument.subject_kind, instrument.name, len(instrument.items), instrument.body(), digest, now, member)
    if not await conn.fetchval(PUBLISH, district, instrument.id, instrument.version, *values):
        if not await conn.fetchval(SAME, district, instrument.id, instrument.version, digest):
            raise VersionTaken("version", given=instrument.version)
        return Published(instrument.id, instrument.version, "unchanged")
    thing = thing_of(district, instrument.id)
    version = await conn.fetchval(EARLIER, district, thing) + 1
    row = event_row(
        district=district,
        id=uuid5(thing, str(version)),
        kind="instrument",
        thing=thing,
        version=version,
        event="publish",
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts={"instrument": instrument.id, "version": instrument.version, "digest": digest.hex()},
    )
    await history.append(conn, [row], [])
    return Published(instrument.id, instrument.version, "published")


async def is_published(conn: Connection, district: int, instrument: Instrument) -> bool:
    """Whether it stands as it is. Raises VersionTaken when other content has its version."""
    same = await conn.fetchval(SAME, district, instrument.id, instrument.version, instrument.digest())
    if same is False:
        raise VersionTaken("version", given=instrument.version)
    return same is not None


def thing_of(district: int, instrument: str) -> UUID:
    """The id by which history knows an instrument."""
    return uuid5(_NAMESPACE, f"{district}/{instrument}")


OF_VERSION = """
select district, id, name, version, subject_kind, body from instrument
where district = $1 and id = $2 and version = $3
"""


async def of_version(conn: Connection, district: int, instrument: str, version: str) -> Instrument:
    """An instrument as it was published. Raises NotFound."""
    row = await conn.fetchrow(OF_VERSION, district, instrument, version)
    if row is None:
        raise NotFound("instrument")
    columns = dict(row)
    return msgspec.convert({**columns.pop("body"), **columns}, Instrument)


class Listed(Struct, frozen=True, kw_only=True):
    """A version of an instrument as a list shows it."""

    id: str
    version: str
    name: dict[str, str]
    subject_kind: SubjectKind
    items: int
    published_at: datetime
    published_by: str | None  # their name; null where the program brought it along


EVERY = """
select i.id, i.version, i.name, i.subject_kind, i.items, i.published_at, m.name as published_by
from instrument i left join member m on m.district = $1 and m.id = i.published_by
where i.district = $1
order by i.id, i.published_at desc, i.version desc
"""


async def every(conn: Connection, reader: Reader) -> list[Listed]:
    """The instruments of the district by their ids, the newest version of each first. Raises NotAllowed for whoever
    holds no role that reads."""
    refuse_who_reads_nothing(reader)
    return [msgspec.convert(dict(row), Listed) for row in await conn.fetch(EVERY, reader.district)]


def refuse_who_reads_nothing(reader: Reader) -> None:
    """By what one is rated is known to everybody who works here. Raises NotAllowed for others."""
    if not reader.roles() & READING:
        raise NotAllowed
