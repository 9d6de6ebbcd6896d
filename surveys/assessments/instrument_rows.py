"""The rows of a spreadsheet made into an instrument, with everything that is wrong told at once; pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec

from surveys.assessments.instrument_cells import LONGEST_NAME, PARTS, Row, known
from surveys.assessments.instrument_faults import Fault, InstrumentUnusable
from surveys.assessments.instrument_sheets import (
    COLUMNS,
    FACT_WORDS,
    GROUP_WORDS,
    SETTINGS,
    SHEETS,
    SUBJECTS,
    UNRATED_WORDS,
    Cells,
    Sheets,
    plain,
)
from surveys.assessments.instruments import (
    LARGEST_MAXIMUM,
    MOST_HEADINGS,
    MOST_ITEMS,
    Group,
    Heading,
    Instrument,
    Item,
    RaterGroup,
    Rules,
    Star,
    Step,
)

SMALLEST = Decimal("0.0001")
CENT = Decimal("0.01")
WHOLE = Decimal(1)
HUNDRED = Decimal(100)
MOST_STARS = Decimal(5)
MOST_RATERS = Decimal(1_000)


def read(sheets: Sheets) -> Instrument:
    """The instrument that the sheets say. Raises InstrumentUnusable with all that is wrong."""
    faults: list[Fault] = []
    _structure(sheets, faults)
    if faults:
        raise InstrumentUnusable(faults)
    headings = _headings(_rows(sheets, "headings", faults), faults)
    groups = _groups(_rows(sheets, "groups", faults), faults)
    items = _items(_rows(sheets, "items", faults), headings, groups, faults)
    stars = _stars(_rows(sheets, "stars", faults), faults)
    settings = _settings(_rows(sheets, "settings", faults), faults)
    _sums(headings, items, faults)
    _tie_breakers(settings, headings, faults)
    instrument = _instrument(settings, headings, items, groups, stars, faults)
    if faults:
        raise InstrumentUnusable(sorted(faults, key=_place))
    return instrument


def _place(fault: Fault) -> tuple[int, int]:
    return list(SHEETS).index(fault.sheet), fault.row or 0


def _structure(sheets: Sheets, faults: list[Fault]) -> None:
    """What is missing as a whole."""
    for name, chinese in SHEETS.items():
        if name not in sheets:
            faults.append(Fault(reason="sheet_missing", sheet=name, facts={"value": f"{name} / {chinese}"}))
            continue
        for column, (called, needed) in COLUMNS[name].items():
            if needed and column not in sheets[name].columns:
                lacking = {"value": f"{column} / {called}"}
                faults.append(Fault(reason="column_missing", sheet=name, row=1, column=column, facts=lacking))
    for name, most in (("items", MOST_ITEMS), ("headings", MOST_HEADINGS)):
        if name in sheets and len(sheets[name].rows) > most:
            facts = {"count": len(sheets[name].rows), "most": most}
            faults.append(Fault(reason="too_many_rows", sheet=name, facts=facts))


def _rows(sheets: Sheets, name: str, faults: list[Fault]) -> list[Row]:
    rows = [Row(name, number, cells, faults) for number, cells in sheets[name].rows.items()]
    if not rows:
        faults.append(Fault(reason="sheet_empty", sheet=name))
    return rows


def _once(row: Row, column: str, value: str, seen: dict[str, int]) -> None:
    """Tell of a value that stands in an earlier row already."""
    if value and value in seen:
        row.fault("repeated", column, value=value[:40], other=seen[value])
    seen.setdefault(value, row.number)


def _headings(rows: Sequence[Row], faults: list[Fault]) -> dict[str, tuple[Heading, Row]]:
    found: dict[str, tuple[Heading, Row]] = {}
    seen: dict[str, int] = {}
    whole = True
    for row in rows:
        code = row.code("code")
        _once(row, "code", code, seen)
        weight = row.number_in("weight", SMALLEST, HUNDRED)
        whole = whole and weight is not None
        name = row.text("name", longest=LONGEST_NAME)
        english = row.text("name::en", longest=LONGEST_NAME, needed=False)
        found.setdefault(code, (Heading(code=code, name=name, english=english, weight=weight or WHOLE), row))
    if rows and whole:
        _hundred("headings", [heading.weight for heading, _ in found.values()], faults)
    return found


def _hundred(sheet: str, weights: Sequence[Decimal], faults: list[Fault]) -> None:
    total = sum(weights, Decimal(0))
    if total != HUNDRED:
        faults.append(Fault(reason="weights_not_100", sheet=sheet, column="weight", facts={"value": plain(total)}))


def _groups(rows: Sequence[Row], faults: list[Fault]) -> dict[Group, RaterGroup]:
    found: dict[Group, RaterGroup] = {}
    seen: dict[str, int] = {}
    whole = True
    for row in rows:
        group = row.choice("group", GROUP_WORDS)
        weight = row.number_in("weight", SMALLEST, HUNDRED)
        least = row.number_in("least", WHOLE, MOST_RATERS, finest=WHOLE)
        whole = whole and weight is not None and group is not None
        if group:
            _once(row, "group", group, seen)
            found.setdefault(group, RaterGroup(weight or WHOLE, int(least or 1)))
    if rows and whole:
        _hundred("groups", [group.weight for group in found.values()], faults)
    return found


def _items(
    rows: Sequence[Row],
    headings: Mapping[str, tuple[Heading, Row]],
    groups: Mapping[Group, RaterGroup],
    faults: list[Fault],
) -> list[Item]:
    seen: dict[str, int] = {}
    found = []
    for row in rows:
        item = _item(row, groups)
        _once(row, "code", item.code, seen)
        if item.heading and item.heading not in headings:
            row.fault("heading_unknown", "heading", value=item.heading[:40])
        found.append(item)
    used = {item.heading for item in found}
    for code, (_, row) in headings.items():
        if found and code and code not in used:
            row.fault("heading_without_items", "code", value=code[:40])
    order = {code: place for place, code in enumerate(headings)}
    return sorted(found, key=lambda item: order.get(item.heading, 0))


def _item(row: Row, groups: Mapping[Group, RaterGroup]) -> Item:
    raters = row.choices("raters", GROUP_WORDS)
    for group in raters:
        if groups and group not in groups:
            row.fault("group_without_row", "raters", value=f"{group}/{GROUP_WORDS[group]}")
    fact = row.choice("fact", FACT_WORDS) if row.raw("fact") else None
    if not raters and not row.raw("raters") and not row.raw("fact"):
        row.fault("nobody_rates", "raters")
    weight = row.number_in("weight", SMALLEST, HUNDRED)
    maximum = row.number_in("maximum", CENT, LARGEST_MAXIMUM, finest=CENT)
    item = Item(
        code=row.code("code"),
        heading=row.raw("heading"),
        text=row.text("text"),
        english=row.text("text::en", needed=False),
        maximum=maximum or WHOLE,
        weight=weight if weight is not None else Decimal(0),
        raters=tuple(group for group in GROUP_WORDS if group in raters),
        fact=fact,
        evidence=row.yes("evidence"),
    )
    if not item.heading:
        row.fault("value_missing", "heading")
    return _with_fact(row, item) if fact else _without_fact(row, item)


def _without_fact(row: Row, item: Item) -> Item:
    for column in ("fact_points", "fact_share"):
        if row.raw(column) and not row.raw("fact"):
            row.fault("without_fact", column)
    return item


def _with_fact(row: Row, item: Item) -> Item:
    """The item with how its fact gives points, and how much of it."""
    share: Decimal | None = HUNDRED
    if item.raters:
        share = row.number_in("fact_share", SMALLEST, HUNDRED - SMALLEST)
    elif row.raw("fact_share"):
        share = row.number_in("fact_share", HUNDRED, HUNDRED)
    written = row.raw("fact_points")
    bounds: tuple[Decimal, Decimal] | None = None
    steps: tuple[Step, ...] = ()
    if not written:
        row.fault("value_missing", "fact_points")
    elif ".." in written:
        bounds = row.bounds("fact_points")
    else:
        steps = row.steps("fact_points")
    return msgspec.structs.replace(
        item,
        fact_share=share or HUNDRED,
        fact_steps=steps,
        fact_from=bounds[0] if bounds else None,
        fact_to=bounds[1] if bounds else None,
    )


def _sums(headings: Mapping[str, tuple[Heading, Row]], items: Sequence[Item], faults: list[Fault]) -> None:
    """The weights of a heading's items are its own; those of all items then are a hundred."""
    if not items or any(not item.weight for item in items):
        return
    for heading, row in headings.values():
        total = sum((item.weight for item in items if item.heading == heading.code), Decimal(0))
        if total and row.raw("weight") and total != heading.weight:
            row.fault("heading_weight", "weight", value=plain(total), given=row.raw("weight"))
    _hundred("items", [item.weight for item in items], faults)


def _stars(rows: Sequence[Row], faults: list[Fault]) -> tuple[Star, ...]:
    found: list[tuple[Star, Row]] = []
    for row in rows:
        stars = row.number_in("stars", WHOLE, MOST_STARS, finest=WHOLE)
        least = row.number_in("least", Decimal(0), HUNDRED, finest=CENT)
        most = row.number_in("at_most", CENT, HUNDRED, needed=False, finest=CENT)
        if stars is not None and least is not None:
            found.append((Star(int(stars), least, most), row))
    for (upper, _), (lower, row) in pairwise(found):
        if lower.stars >= upper.stars:
            row.fault("not_falling", "stars", value=str(lower.stars), above=str(upper.stars))
        elif lower.least >= upper.least:
            row.fault("not_falling", "least", value=plain(lower.least), above=plain(upper.least))
    return tuple(star for star, _ in found)


def _settings(rows: Sequence[Row], faults: list[Fault]) -> dict[str, Row]:
    """The rows of the settings by what they set, each with its value in the column `value`."""
    found: dict[str, Row] = {}
    chinese = {called: name for name, called in SETTINGS.items()}
    for row in rows:
        given = row.raw("setting")
        name = given if given in SETTINGS else chinese.get(given, "")
        if not name:
            row.fault("word_unknown", "setting", value=given[:40], known=known(SETTINGS))
        elif name in found:
            row.fault("repeated", "setting", value=given[:40], other=found[name].number)
        else:
            found[name] = row
    for name in ("id", "version", "name", "subject"):
        if rows and name not in found:
            facts = {"value": f"{name} / {SETTINGS[name]}"}
            faults.append(Fault(reason="setting_missing", sheet="settings", facts=facts))
    return found


def _tie_breakers(settings: Mapping[str, Row], headings: Mapping[str, object], faults: list[Fault]) -> None:
    row = settings.get("tie_breakers")
    for code in PARTS.split(row.raw("value")) if row else ():
        if code and code not in headings and row:
            row.fault("heading_unknown", "value", value=code[:40])


def _instrument(
    settings: Mapping[str, Row],
    headings: Mapping[str, tuple[Heading, Row]],
    items: Sequence[Item],
    groups: Mapping[Group, RaterGroup],
    stars: tuple[Star, ...],
    faults: list[Fault],
) -> Instrument:
    """All of it as one; what is missing of the settings was told already."""

    def row(name: str) -> Row:
        return settings.get(name) or Row("settings", 0, Cells(), [])

    english = row("name::en").text("value", longest=LONGEST_NAME, needed=False)
    tie_breakers = [code for code in PARTS.split(row("tie_breakers").raw("value")) if code]
    unrated = row("unrated").choice("value", UNRATED_WORDS, "leave_out")
    return Instrument(
        id=row("id").code("value"),
        version=row("version").code("value"),
        name={"zh": row("name").text("value", longest=LONGEST_NAME)} | ({"en": english} if english else {}),
        subject_kind=row("subject").choice("value", SUBJECTS) or "organisation",
        headings=tuple(heading for heading, _ in headings.values()),
        items=tuple(items),
        groups={group: groups[group] for group in GROUP_WORDS if group in groups},
        stars=stars,
        rules=Rules(unrated or "leave_out", tuple(dict.fromkeys(tie_breakers)), row("self_shown").yes("value")),
    )
