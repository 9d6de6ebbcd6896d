"""A district's categories as the desk shows them: the whole tree, with the limits that hold now and all that held."""

from collections import defaultdict
from datetime import datetime
from typing import Annotated, ClassVar

from asyncpg import Connection
from msgspec import UNSET, Meta, Struct, UnsetType

from surveys.clock.clock import Span, Unit
from surveys.history import Actor
from surveys.issues import categories
from surveys.issues.categories import CategoryDraft, Channel, LimitDraft, Stored, Urgency
from surveys.people.people import READING, Reader
from surveys.refusals import Conflict, Invalid


class CategoryUnusable(Invalid):
    """A category that makes no sense; `reason` says why."""

    code: ClassVar[str] = "category_unusable"


class CategoryExists(Conflict):
    """There is a category of this code already."""

    code: ClassVar[str] = "category_exists"


class LimitVersion(Struct, frozen=True, kw_only=True):
    """A limit as it held from a moment on."""

    urgency: Urgency
    version: int
    amount: int
    unit: Unit
    response_amount: int
    response_unit: Unit
    channel: Channel | None
    valid_from: datetime


class CategoryShown(Struct, frozen=True, kw_only=True):
    """A category; `limits` hold now, `versions` are all that ever held, the newest first."""

    code: str
    name: str
    parent: str | None
    channel: Channel
    department: str | None
    department_name: str | None
    retired_at: datetime | None
    limits: list[LimitVersion]
    versions: list[LimitVersion]


CATEGORIES = """
select c.code, c.name, c.parent, c.channel, c.department, d.name as department_name, c.retired_at
from category c left join department d on d.district = $1 and d.code = c.department
where c.district = $1 order by coalesce(c.parent, c.code), c.parent is not null, c.code
"""
LIMITS = """
select category, urgency, version, amount, unit, response_amount, response_unit, channel, valid_from
from category_limit where district = $1 order by category, urgency, version desc
"""


async def tree(conn: Connection, reader: Reader) -> list[CategoryShown]:
    """All categories of the reader's district, each group before its own. Raises NotAllowed."""
    reader.require(*READING)
    versions: dict[str, list[LimitVersion]] = defaultdict(list)
    for row in await conn.fetch(LIMITS, reader.district):
        columns = dict(row)
        versions[columns.pop("category")].append(LimitVersion(**columns))
    return [
        CategoryShown(**row, limits=_newest(versions[row["code"]]), versions=versions[row["code"]])
        for row in await conn.fetch(CATEGORIES, reader.district)
    ]


def _newest(versions: list[LimitVersion]) -> list[LimitVersion]:
    newest: dict[Urgency, LimitVersion] = {}
    for one in versions:
        newest.setdefault(one.urgency, one)
    return [newest[urgency] for urgency in categories.URGENCIES if urgency in newest]


# --- changing one


class LimitChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a category's issues of an urgency may take, and until when somebody is to be heard of."""

    amount: Annotated[int, Meta(ge=1, le=20_000)]
    unit: Unit
    response_amount: Annotated[int, Meta(ge=1, le=20_000)] | None = None
    response_unit: Unit | None = None


class CategoryChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A category that is new, or what changes of one; what is left out stays. A blank parent or department is none.
    A limit that changes is a new version from now on; what was reported before keeps its own."""

    code: Annotated[str, Meta(min_length=1, max_length=20)]
    new: bool = False
    name: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    parent: Annotated[str, Meta(max_length=20)] | UnsetType = UNSET
    channel: Channel | UnsetType = UNSET
    department: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    limits: dict[Urgency, LimitChange] = {}
    retired: bool | UnsetType = UNSET


KNOWN = "select exists (select from category where district = $1 and code = $2)"


async def change(conn: Connection, reader: Reader, asked: CategoryChange, now: datetime) -> Stored:
    """Add or change one category; the same again changes nothing. Raises NotAllowed, CategoryExists, or
    CategoryUnusable."""
    reader.require("administrator")
    known = await conn.fetchval(KNOWN, reader.district, asked.code)
    if known and asked.new:
        raise CategoryExists("code")
    if not known and not asked.new:
        raise CategoryUnusable("code", reason="code_unknown")
    for field in ("code", "name", "parent", "department"):
        text = getattr(asked, field)
        if text is not UNSET and (not text.isprintable() or text != text.strip()):
            raise CategoryUnusable(field, reason="text_unusable")
    draft = CategoryDraft(
        row=1,
        code=asked.code,
        name=asked.name,
        parent=asked.parent if asked.parent is UNSET else asked.parent or None,
        channel=asked.channel,
        department=asked.department if asked.department is UNSET else asked.department or None,
        limits={urgency: _limit(limit) for urgency, limit in asked.limits.items()},
        retired=asked.retired,
    )
    actor = Actor("member", str(reader.member))
    try:
        return await categories.store(conn, reader.district, [draft], now, actor=actor)
    except categories.UnusableCategories as refusal:
        raise CategoryUnusable(None, reason=refusal.rows[0].reason) from None


def _limit(limit: LimitChange) -> LimitDraft:
    response = (
        UNSET if limit.response_amount is None else Span(limit.response_amount, limit.response_unit or limit.unit)
    )
    return LimitDraft(Span(limit.amount, limit.unit), response)
