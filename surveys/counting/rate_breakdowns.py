"""What the rates are broken down by: how issues are parted, what the parts are called, and which list shows one."""

import calendar
from collections.abc import Callable, Mapping
from datetime import date
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from surveys.counting.issue_query import NONE, Filters

By = Literal["district", "street", "community", "organisation", "department", "category", "channel", "month"]


class Breakdown(Struct, frozen=True):
    """How issues are parted: `column` of the one query; `row`, a part's key, its name and what it is part of, for each
    value of the column, `c.value`, with what `joined` adds; and the filter by which a list shows one part."""

    column: str
    row: str
    joined: str
    narrow: Callable[[Filters, str | None], Filters]


def _whole(filters: Filters, _key: str | None) -> Filters:
    return filters


def _by(name: str) -> Callable[[Filters, str | None], Filters]:
    def narrow(filters: Filters, key: str | None) -> Filters:
        return msgspec.structs.replace(filters, **{name: (key or NONE,)})

    return narrow


def _of_organisation(filters: Filters, key: str | None) -> Filters:
    return msgspec.structs.replace(filters, organisation=(UUID(key) if key else None,))


def in_month(filters: Filters, key: str | None) -> Filters:
    """What of these was reported in a month."""
    year, month = (int(part) for part in (key or "").split("-"))
    first, last = date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])
    return msgspec.structs.replace(
        filters,
        reported_from=max(first, filters.reported_from or first),
        reported_to=min(last, filters.reported_to or last),
    )


BREAKDOWNS: Mapping[By, Breakdown] = {
    "district": Breakdown(
        "null::text", "d.district::text, d.name, null::text", "join district d on d.district = $1", _whole
    ),
    "street": Breakdown(
        "community",
        "s.code, s.name, null::text",
        "left join community m on m.district = $1 and m.code = c.value"
        " left join street s on s.district = $1 and s.code = m.street",
        _by("street"),
    ),
    "community": Breakdown(
        "community",
        "m.code, m.name, m.street",
        "left join community m on m.district = $1 and m.code = c.value",
        _by("community"),
    ),
    "organisation": Breakdown(
        "organisation",
        "o.id::text, o.name, o.parent::text",
        "left join organisation o on o.district = $1 and o.id = c.value",
        _of_organisation,
    ),
    "department": Breakdown(
        "department",
        "d.code, d.name, null::text",
        "left join department d on d.district = $1 and d.code = c.value",
        _by("department"),
    ),
    # counted in the row of its group too, as the filter has it
    "category": Breakdown(
        "category",
        "k.code, k.name, k.parent",
        "join category own on own.district = $1 and own.code = c.value"
        " join category k on k.district = $1 and k.code in (own.code, own.parent)",
        _by("category"),
    ),
    "channel": Breakdown("channel", "c.value, null::text, null::text", "", _by("channel")),
    "month": Breakdown(
        "width_bucket(reported_at, {months})", "lpad(c.value::text, 5, '0'), null::text, null::text", "", in_month
    ),
}

# The columns by whose numbers they are parted there.
COLUMNS: Mapping[By, str | None] = {
    "district": None,
    "street": "community",
    "community": "community",
    "organisation": "organisation",
    "department": "department",
    "category": "category",
    "channel": "channel",
}
