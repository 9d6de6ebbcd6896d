"""The columns of a table as PostgreSQL itself writes them, so that a million rows pass through our hands as they are:
words instead of codes, times of the district's clocks, and no text that a spreadsheet would take for a formula.

The session's time zone must be the district's, as `begin` sets it. A table stands here as `r`."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from api.export_columns import WORDS, YES_NO, Header
from maps.exports import FORMULA_STARTS
from surveys.selections import Selection

_FORMULA = ", ".join(str(ord(start)) for start in FORMULA_STARTS)
_DAY_S, _SERIAL_OF_1970 = 86_400, 25_569  # by the calendar of worksheets


def begin(zone: ZoneInfo, seconds: float) -> str:
    """Begin a transaction that reads out a table: it may take so long, and speaks of times as the district does. It
    ends with its connection: of one that writes into a full pipe PostgreSQL heeds nothing else."""
    return (
        "begin isolation level repeatable read read only;"
        f" set local statement_timeout = '{int(seconds)}s'; set local jit = off; set local work_mem = '32MB';"
        f" set local datestyle = 'ISO, YMD'; set local timezone = {_literal(zone.key)}"
    )


def csv(selection: Selection, headers: Sequence[Header], language: str) -> Selection:
    """The rows as a spreadsheet reads them out of CSV."""
    return _selected(selection, [_told(header, language == "en") for header in headers])


def sheet(selection: Selection, headers: Sequence[Header], language: str) -> Selection:
    """The rows as a worksheet holds them: times as the numbers of their days, and texts as they are."""
    return _selected(selection, [_in_sheet(header, language == "en") for header in headers])


def codes(selection: Selection, headers: Sequence[Header]) -> Selection:
    """The rows as programs read them: codes, and times in RFC 3339 with the district's offset."""
    return _selected(selection, [_coded(header) for header in headers])


def features(selection: Selection, headers: Sequence[Header]) -> Selection:
    """Each row as a GeoJSON feature with a comma before it; without a place its geometry is null."""
    named = ", ".join(
        f'{_coded(header)} as "{header.name}"' for header in headers if header.name not in ("id", "lon", "lat")
    )
    point = """'{"type":"Point","coordinates":[' || r.lon || ',' || r.lat || ']}'"""
    feature = (
        """',{"type":"Feature","id":"' || r.id || '","geometry":'"""
        f""" || case when r.lon is null or r.lat is null then 'null' else {point} end"""
        """ || ',"properties":' || row_to_json(p)::text || '}'"""
    )
    return Selection(
        f"select {feature} from ({selection.text}) r cross join lateral (select {named}) p", selection.parameters
    )


def _selected(selection: Selection, columns: Sequence[str]) -> Selection:
    return Selection(f"select {', '.join(columns)} from ({selection.text}) r", selection.parameters)


def _told(header: Header, english: bool) -> str:
    column = _column(header)
    if header.kind == "time":
        return f"{_second(column)}::timestamp"
    if header.kind != "text" or (header.name in WORDS and not header.many):
        return _in_sheet(header, english)
    text = _in_sheet(header, english)
    return f"case when ascii({text}) in ({_FORMULA}) then '''' || {text} else {text} end"


def _in_sheet(header: Header, english: bool) -> str:
    column = _column(header)
    if header.many:
        return _list(header, ", " if english else "、", english)
    if header.name in WORDS:
        return _word(column, header.name, english)
    if header.kind == "flag":
        no, yes = (_literal(word[english]) for word in YES_NO)
        return f"case {column} when true then {yes} when false then {no} end"
    if header.kind == "time":
        return f"(extract(epoch from {_second(column)}::timestamp)::float8 / {_DAY_S} + {_SERIAL_OF_1970})"
    return f"{column}::text" if header.kind == "text" else column


def _coded(header: Header) -> str:
    column = _column(header)
    if header.many:
        return f"array_to_string({column}, ',')"
    if header.kind == "time":
        return f"to_char({_second(column)}, 'YYYY-MM-DD\"T\"HH24:MI:SSTZH:TZM')"
    return f"{column}::text" if header.kind == "text" else column


def _list(header: Header, between: str, english: bool) -> str:
    column = _column(header)
    if header.name not in WORDS:
        return f"array_to_string({column}, {_literal(between)})"
    one = _word("u.one", header.name, english)
    together = f"string_agg({one}, {_literal(between)} order by u.place)"
    told = f"(select {together} from unnest({column}) with ordinality u(one, place))"
    return f"case when {column} = '{{}}' then '' else {told} end"


def _word(column: str, name: str, english: bool) -> str:
    """A word for each code; one that has none stands for itself."""
    words = " ".join(f"when {_literal(code)} then {_literal(word[english])}" for code, word in WORDS[name].items())
    return f"case {column} {words} else {column} end"


def _second(column: str) -> str:
    return f"date_trunc('second', {column})"


def _column(header: Header) -> str:
    return f'r."{header.name}"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
