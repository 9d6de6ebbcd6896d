"""What an issue can be about: the district's own list, with channel, department and limits as data."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar, get_args
from uuid import UUID, uuid5

import msgspec
from asyncpg import Connection, Record
from msgspec import UNSET, Struct, UnsetType

from surveys import history
from surveys.clock.clock import Span, Unit
from surveys.history import Actor, event_row
from surveys.refusals import Invalid, NotFound

Urgency = Literal["normal", "urgent", "emergency"]
Channel = Literal["on_the_spot", "joint_review", "green_channel", "agent"]
URGENCIES: tuple[Urgency, ...] = get_args(Urgency)

_NAMESPACE = UUID("5b0c1d52-7a0e-5f43-8c5e-2f7f0a6f1d19")  # of the ids of districts' lists in the history


class Limit(Struct, frozen=True):
    """In how much time an issue is to be solved, and somebody to be heard of, by which version of the rule; and the
    channel that is proposed at this urgency, if it is not the category's own."""

    version: int
    amount: int
    unit: Unit = "calendar_hours"
    response_amount: int = 24
    response_unit: Unit = "calendar_hours"
    channel: Channel | None = None


class Category(Struct, frozen=True, kw_only=True):
    """A category as filing needs it."""

    code: str
    name: str
    channel: Channel
    department: str | None
    retired: bool
    limits: dict[Urgency, Limit]


# The categories with the limits in force at a moment; a group that only gathers others has none and takes no issue.
IN_FORCE = """
select c.code, c.name, c.channel, c.department, coalesce(c.retired_at <= $3, false) as retired, l.limits
from category c
join (
  select category, jsonb_object_agg(urgency, jsonb_build_array(
    version, amount, unit, response_amount, response_unit, channel)) as limits
  from (
    select distinct on (category, urgency) category, urgency, version, amount, unit, response_amount, response_unit,
      channel
    from category_limit
    where district = $1 and ($2::text[] is null or category = any($2)) and valid_from <= $3
    order by category, urgency, version desc
  ) newest
  group by category
) l on l.category = c.code
where c.district = $1 and ($2::text[] is null or c.code = any($2))
"""


async def in_force(
    conn: Connection, district: int, now: datetime, codes: Sequence[str] | None = None
) -> dict[str, Category]:
    """The categories that can hold issues, by code; all of them, or those asked for that exist."""
    return read(await conn.fetch(IN_FORCE, district, None if codes is None else list(set(codes)), now))


def read(rows: Sequence[Record]) -> dict[str, Category]:
    """The categories that rows of IN_FORCE tell."""
    return {
        row["code"]: Category(
            code=row["code"],
            name=row["name"],
            channel=row["channel"],
            department=row["department"],
            retired=row["retired"],
            limits={urgency: Limit(*limit) for urgency, limit in row["limits"].items()},
        )
        for row in rows
    }


class LimitDraft(Struct, frozen=True):
    """A limit as a list gives it; what is left out stays as it is. Of a new limit the first contact has a share."""

    span: Span | UnsetType = UNSET
    response: Span | UnsetType = UNSET
    channel: Channel | UnsetType | None = UNSET


def in_hours(hours: Mapping[Urgency, int]) -> dict[Urgency, LimitDraft]:
    """Limits as lists without units give them: in calendar hours."""
    return {urgency: LimitDraft(Span(amount, "calendar_hours")) for urgency, amount in hours.items()}


class CategoryDraft(Struct, frozen=True, kw_only=True):
    """A category as a list of the district's gives it; what is left out stays as it is, or is the default if new.

    `row` is where the list has it, so that what is wrong with it can be found."""

    row: int
    code: str
    name: str | UnsetType = UNSET
    parent: str | UnsetType | None = UNSET
    channel: Channel | UnsetType = UNSET
    department: str | UnsetType | None = UNSET
    department_name: str | None = None
    limits: Mapping[Urgency, LimitDraft] = {}
    retired: bool | UnsetType = UNSET


class Defaults(Struct, frozen=True, kw_only=True):
    """What a category is given when it is new and its list does not say."""

    channel: Channel = "joint_review"
    limits: Mapping[Urgency, LimitDraft] = msgspec.field(default_factory=lambda: LIMITS)


LIMITS: Mapping[Urgency, LimitDraft] = {
    "normal": LimitDraft(Span(5, "working_days"), Span(1, "working_days")),
    "urgent": LimitDraft(Span(8, "working_hours"), Span(2, "working_hours")),
    "emergency": LimitDraft(Span(4, "calendar_hours"), Span(1, "calendar_hours")),
}
DEFAULTS = Defaults()

# How much of a limit the first contact has at most, where nobody says.
MOST_OF_FIRST_CONTACT: Mapping[Unit, int] = {"working_days": 1, "working_hours": 2, "calendar_hours": 24}


class BadCategory(Struct, frozen=True):
    """A row that cannot be stored: `reason` is a code, `value` what is at fault."""

    row: int
    reason: str
    value: str | None = None


class UnusableCategories(Invalid):
    """A list with rows that cannot be stored, every one of them in `rows`; nothing of the list was."""

    code = "categories_unusable"

    def __init__(self, rows: Sequence[BadCategory]) -> None:
        super().__init__("rows", count=len(rows))
        self.rows = rows


class Stored(Struct, frozen=True, kw_only=True):
    """What a list changed, by the categories' codes; nothing, if it was stored before."""

    new: list[str]
    changed: list[str]
    limits: list[str]
    retired: list[str]


class _Row(Struct, frozen=True, kw_only=True):
    """A row of the table `category`."""

    district: int
    code: str
    name: str
    parent: str | None
    channel: Channel
    department: str | None
    retired_at: datetime | None


class _Present(Struct, frozen=True, kw_only=True):
    """What the district has already."""

    rows: Mapping[str, _Row]
    limits: Mapping[tuple[str, Urgency], Limit]
    departments: Mapping[str, str]


# Two lists at once would give the same version of a limit twice.
LOCK = "select district from district where district = $1 for no key update"

PRESENT = "select district, code, name, parent, channel, department, retired_at from category where district = $1"
PRESENT_LIMITS = """
select distinct on (category, urgency)
  category, urgency, version, amount, unit, response_amount, response_unit, channel
from category_limit
where district = $1 order by category, urgency, version desc
"""
PRESENT_DEPARTMENTS = "select code, name from department where district = $1"

STORE_DEPARTMENTS = """
insert into department (district, code, name) select $1, code, name from unnest($2::text[], $3::text[]) as d(code, name)
on conflict (district, code) do update set name = excluded.name
"""

# Parents come in the same statement as their children: references are checked at its end.
STORE = """
insert into category (district, code, name, parent, channel, department, retired_at)
select district, code, name, parent, channel, department, retired_at from jsonb_populate_recordset(null::category, $1)
on conflict (district, code) do update set name = excluded.name, parent = excluded.parent, channel = excluded.channel,
  department = excluded.department, retired_at = excluded.retired_at
"""

STORE_LIMITS = """
insert into category_limit (district, category, urgency, version, amount, unit, response_amount, response_unit,
                            channel, valid_from)
select $1, category, urgency, version, amount, unit, response_amount, response_unit, channel, $2
from jsonb_populate_recordset(null::category_limit, $3)
"""

IMPORT = Actor("import", "categories")
EARLIER_LISTS = "select count(*) from history where district = $1 and thing = $2"


async def store(
    conn: Connection,
    district: int,
    drafts: Sequence[CategoryDraft],
    now: datetime,
    *,
    defaults: Defaults = DEFAULTS,
    retire_missing: bool = False,
    actor: Actor = IMPORT,
) -> Stored:
    """Bring a district's categories in line with a list; a limit that changes is a new version, valid from now.

    What the list does not have stays, or is retired when `retire_missing` says so. Raises UnusableCategories, and
    NotFound when there is no such district. Run it in a transaction."""
    present = await _present(conn, district)
    _refuse_unusable(drafts, present)
    departments = {
        draft.department: draft.department_name for draft in drafts if draft.department and draft.department_name
    }
    renamed = {code: name for code, name in departments.items() if present.departments.get(code) != name}
    rows = _changed_rows(district, drafts, present, defaults, now)
    if retire_missing:
        rows |= _missing(drafts, present, now)
    limits = list(_changed_limits(drafts, present, defaults))
    stored = Stored(
        new=sorted(rows.keys() - present.rows.keys()),
        changed=sorted(rows.keys() & present.rows.keys()),
        limits=sorted({limit["category"] for limit in limits}),
        retired=sorted(code for code, row in rows.items() if row.retired_at == now),
    )
    if renamed or rows or limits:
        await conn.execute(STORE_DEPARTMENTS, district, list(renamed.keys()), list(renamed.values()))
        await conn.execute(STORE, list(rows.values()))
        await conn.execute(STORE_LIMITS, district, now, limits)
        await _tell(conn, district, stored, sorted(renamed), limits, actor, now)
    return stored


async def _present(conn: Connection, district: int) -> _Present:
    if await conn.fetchval(LOCK, district) is None:
        raise NotFound("district", given=district)
    return _Present(
        rows={row["code"]: _Row(**row) for row in await conn.fetch(PRESENT, district)},
        limits={
            (row["category"], row["urgency"]): Limit(*(row[name] for name in Limit.__struct_fields__))
            for row in await conn.fetch(PRESENT_LIMITS, district)
        },
        departments={row["code"]: row["name"] for row in await conn.fetch(PRESENT_DEPARTMENTS, district)},
    )


def _refuse_unusable(drafts: Sequence[CategoryDraft], present: _Present) -> None:
    """Raises UnusableCategories with every row that repeats another, or names what is not there."""
    seen = Counter(draft.code for draft in drafts)
    known = seen.keys() | present.rows.keys()
    named = {draft.department for draft in drafts if draft.department_name} | present.departments.keys()
    parents = {code: row.parent for code, row in present.rows.items()}
    parents |= {draft.code: draft.parent for draft in drafts if draft.parent is not UNSET}
    bad = []
    for draft in drafts:
        if not draft.name and draft.code not in present.rows:
            bad.append(BadCategory(draft.row, "name_missing", draft.code))
        if seen[draft.code] > 1:
            bad.append(BadCategory(draft.row, "code_repeated", draft.code))
        if draft.parent and draft.parent not in known:
            bad.append(BadCategory(draft.row, "parent_unknown", draft.parent))
        elif draft.parent and _in_circle(draft.code, parents):
            bad.append(BadCategory(draft.row, "parent_in_circle", draft.parent))
        if draft.department and draft.department not in named:
            bad.append(BadCategory(draft.row, "department_unknown", draft.department))
        spans = [span for limit in draft.limits.values() for span in (limit.span, limit.response)]
        bad += [
            BadCategory(draft.row, "limit_not_positive", str(span.amount))
            for span in spans
            if span is not UNSET and span.amount <= 0
        ]
    if bad:
        raise UnusableCategories(bad)


def _in_circle(code: str, parents: Mapping[str, str | None]) -> bool:
    """Whether one comes back to this category by going from parent to parent."""
    at = parents.get(code)
    for _ in parents:
        if at is None or at == code:
            break
        at = parents.get(at)
    return at == code


def _changed_rows(
    district: int, drafts: Sequence[CategoryDraft], present: _Present, defaults: Defaults, now: datetime
) -> dict[str, _Row]:
    changed = {}
    for draft in drafts:
        before = present.rows.get(draft.code)
        row = _row(district, draft, before, defaults, now)
        if row != before:
            changed[draft.code] = row
    return changed


def _row(district: int, draft: CategoryDraft, before: _Row | None, defaults: Defaults, now: datetime) -> _Row:
    retired_at = before.retired_at if before else None
    if draft.retired is not UNSET:
        retired_at = (retired_at or now) if draft.retired else None
    return _Row(
        district=district,
        code=draft.code,
        name=_said(draft.name, before.name if before else ""),
        parent=_said(draft.parent, before.parent if before else None),
        channel=_said(draft.channel, before.channel if before else defaults.channel),
        department=_said(draft.department, before.department if before else None),
        retired_at=retired_at,
    )


Value = TypeVar("Value")


def _said(value: Value | UnsetType, otherwise: Value) -> Value:
    return otherwise if value is UNSET else value


def _missing(drafts: Sequence[CategoryDraft], present: _Present, now: datetime) -> dict[str, _Row]:
    """What the district has, the list has not, and is not retired yet."""
    listed = {draft.code for draft in drafts}
    return {
        code: msgspec.structs.replace(row, retired_at=now)
        for code, row in present.rows.items()
        if code not in listed and row.retired_at is None
    }


def _changed_limits(drafts: Sequence[CategoryDraft], present: _Present, defaults: Defaults) -> Iterator[dict[str, Any]]:
    """The next version of every limit that changes; a group has none, unless the list gives it some."""
    groups = {draft.parent for draft in drafts} | {row.parent for row in present.rows.values()}
    for draft in drafts:
        otherwise = {} if draft.code in groups else defaults.limits
        for urgency in URGENCIES:
            before = present.limits.get((draft.code, urgency))
            told = draft.limits.get(urgency, LimitDraft())
            limit = _limit(before, told, _told(before) if before else otherwise.get(urgency, LimitDraft()))
            if limit is not None and limit != before:
                limit = msgspec.structs.replace(limit, version=before.version + 1 if before else 1)
                yield {"category": draft.code, "urgency": urgency} | msgspec.structs.asdict(limit)


def _told(limit: Limit) -> LimitDraft:
    """A limit as a list would give it."""
    return LimitDraft(Span(limit.amount, limit.unit), Span(limit.response_amount, limit.response_unit), limit.channel)


def _limit(before: Limit | None, told: LimitDraft, otherwise: LimitDraft) -> Limit | None:
    """What a list makes of a limit, or of the default of a new one; None where there is neither."""
    span = _said(told.span, otherwise.span)
    if span is UNSET:
        return None
    share = Span(min(span.amount, MOST_OF_FIRST_CONTACT[span.unit]), span.unit)
    response = _said(told.response, otherwise.response if otherwise.span == span else UNSET)
    response = _said(response, share)
    return Limit(
        before.version if before else 0,
        span.amount,
        span.unit,
        response.amount,
        response.unit,
        _said(_said(told.channel, otherwise.channel), None),
    )


async def _tell(
    conn: Connection,
    district: int,
    stored: Stored,
    departments: Sequence[str],
    limits: Sequence[Mapping[str, Any]],
    actor: Actor,
    now: datetime,
) -> None:
    thing = uuid5(_NAMESPACE, str(district))
    version = await conn.fetchval(EARLIER_LISTS, district, thing) + 1
    event = event_row(
        district=district,
        id=uuid5(thing, str(version)),
        kind="category",
        thing=thing,
        version=version,
        event="imported" if actor.kind == "import" else "changed",
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts=msgspec.structs.asdict(stored) | {"departments": departments, "limits": limits},
    )
    await history.append(conn, [event], [])
