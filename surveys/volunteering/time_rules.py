"""The rules of a district's time bank, as data: each version holds from a moment on, and none is ever changed."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, event_row, request_digest, text_row
from surveys.people.people import Reader
from surveys.refusals import IdTaken, Invalid, StaleVersion, TextUnusable

Rounding = Literal["down", "nearest", "up"]
AccountKind = Literal["volunteer", "relative"]
Lowest = Annotated[int, Meta(ge=-10_000, le=0)]  # minutes


class RoundToUnusable(Invalid):
    """Minutes are rounded to what an hour is made of."""

    code: ClassVar[str] = "round_to_unusable"


class RulesInPast(Invalid):
    """Rules hold from now on or later: what was booked by others stays as it is."""

    code: ClassVar[str] = "time_rules_in_past"


class Rules(Struct, frozen=True, kw_only=True):
    """What holds in a district: in minutes, but for days. `lowest_new` is for a volunteer in the first `new_days` of
    their account; what lasts as long as `longest` goes to a person; what waits for one, or for a helper, is late after
    `hold_days`."""

    version: int = 0  # 0: what the program comes with
    lowest_volunteer: Lowest = 0
    lowest_new: Lowest = 0
    new_days: Annotated[int, Meta(ge=0, le=366)] = 0
    lowest_relative: Lowest = 0
    longest: Annotated[int, Meta(ge=60, le=1440)] = 14 * 60
    round_to: int = 1
    rounding: Rounding = "nearest"
    hold_days: Annotated[int, Meta(ge=1, le=366)] = 7
    valid_from: datetime | None = None

    def lowest(self, kind: AccountKind, opened_at: datetime, at: datetime) -> int:
        """The balance below which an account may not fall, as the trigger on entries reckons it as well."""
        if kind == "relative":
            return self.lowest_relative
        if opened_at + timedelta(days=self.new_days) > at:
            return min(self.lowest_new, self.lowest_volunteer)
        return self.lowest_volunteer

    def minutes(self, starts_at: datetime, ends_at: datetime) -> int:
        """How many minutes are booked for what lasted from when to when."""
        seconds, step = int((ends_at - starts_at).total_seconds()), self.round_to * 60
        if self.rounding == "down":
            return seconds // step * self.round_to
        if self.rounding == "up":
            return -(-seconds // step) * self.round_to
        return (2 * seconds + step) // (2 * step) * self.round_to

    def too_long(self, starts_at: datetime, ends_at: datetime) -> bool:
        """Whether a person is to look at what lasted from when to when."""
        return ends_at - starts_at >= timedelta(minutes=self.longest)


DEFAULT = Rules()
COLUMNS = """version, lowest_volunteer, lowest_new, new_days, lowest_relative, longest, round_to, rounding, hold_days,
  valid_from"""
IN_FORCE = f"""
select {COLUMNS} from time_rules where district = $1 and valid_from <= $2 order by valid_from desc, version desc limit 1
"""
VERSIONS = f"select {COLUMNS} from time_rules where district = $1 order by version desc limit 100"


async def in_force(conn: Connection, district: int, at: datetime) -> Rules:
    """The rules that hold at a moment."""
    row = await conn.fetchrow(IN_FORCE, district, at)
    return Rules(**row) if row else DEFAULT


async def versions(conn: Connection, district: int) -> list[Rules]:
    """All rules that the district has set, newest first."""
    return [Rules(**row) for row in await conn.fetch(VERSIONS, district)]


class RulesDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rules as an administrator sets them, with the reason; they hold from now on, or from a later moment."""

    id: UUID
    expected_version: int
    reason: Annotated[str, Meta(min_length=1, max_length=2_000)]
    lowest_volunteer: Lowest = 0
    lowest_new: Lowest = 0
    new_days: Annotated[int, Meta(ge=0, le=366)] = 0
    lowest_relative: Lowest = 0
    longest: Annotated[int, Meta(ge=60, le=1440)] = 14 * 60
    round_to: int = 1
    rounding: Rounding = "nearest"
    hold_days: Annotated[int, Meta(ge=1, le=366)] = 7
    valid_from: Annotated[datetime, Meta(tz=True)] | None = None


# Whoever sets rules waits for whoever is setting some.
HOLD = "select district from district where district = $1 for no key update"
NEWEST = "select coalesce(max(version), 0) from time_rules where district = $1"
KNOWN = "select thing, request from history where district = $1 and id = $2"
ADD = """
insert into time_rules (district, version, id, valid_from, lowest_volunteer, lowest_new, new_days, lowest_relative,
  longest, round_to, rounding, hold_days, made_by, recorded_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""


async def set_rules(conn: Connection, reader: Reader, draft: RulesDraft, now: datetime) -> Rules:
    """Set rules; the same draft again changes nothing more. Raises NotAllowed for all but administrators,
    RoundToUnusable, RulesInPast, StaleVersion and IdTaken."""
    reader.require("administrator")
    if draft.round_to not in (1, 5, 10, 15, 30, 60):
        raise RoundToUnusable("round_to")
    if not draft.reason.strip() or "\x00" in draft.reason:
        raise TextUnusable("reason")
    await conn.execute(HOLD, reader.district)
    if known := await conn.fetchrow(KNOWN, reader.district, draft.id):
        if known["request"] != request_digest(draft):
            raise IdTaken("id")
        return await in_force(conn, reader.district, max(now, draft.valid_from or now))
    newest: int = await conn.fetchval(NEWEST, reader.district)
    if newest != draft.expected_version:
        raise StaleVersion("expected_version", version=newest)
    if draft.valid_from is not None and draft.valid_from < now - timedelta(minutes=1):
        raise RulesInPast("valid_from")
    return await _write(conn, reader, draft, newest + 1, now)


async def _write(conn: Connection, reader: Reader, draft: RulesDraft, version: int, now: datetime) -> Rules:
    values = {name: getattr(draft, name) for name in Rules.__struct_fields__ if name not in ("version", "valid_from")}
    valid_from = max(draft.valid_from or now, now)
    text, digest = text_row(reader.district, draft.id, 1, {"reason": draft.reason.strip()}, now)
    event = event_row(
        district=reader.district,
        id=draft.id,
        kind="time",
        thing=draft.id,
        version=1,
        event="set_rules",
        actor=Actor("member", str(reader.member)),
        happened_at=now,
        recorded_at=now,
        facts={**values, "rules": version, "valid_from": valid_from, "reason_digest": digest},
        request=request_digest(draft),
    )
    await history.append(conn, [event], [text])
    await conn.execute(
        ADD,
        reader.district,
        version,
        draft.id,
        valid_from,
        *(values[name] for name in msgspec.structs.asdict(DEFAULT) if name in values),
        reader.member,
        now,
    )
    return Rules(version=version, valid_from=valid_from, **values)
