"""`zoufang import communities`: the district's communities and the lines between them, as a new version."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import click

from api.cli.database import with_connection
from api.cli.progress import bars
from api.settings import Settings
from maps import boundaries
from maps.boundaries import BadRow, Reading, UnusableBoundaries
from maps.coordinates import SYSTEMS
from surveys.people import people

# What can be wrong with a file; the facts of the refusal fill the braces.
FAULTS: Mapping[str, str] = {
    "file_unreadable": "The file cannot be read 无法读取: {cause}",
    "several_layers": "There are several layers; choose with --layer 有多个图层，请用 --layer 指定: {layers}",
    "encoding_unknown": "The texts are in no encoding we know; add a .cpg 文字编码不明，请补 .cpg 文件",
    "system_missing": "The file tells no coordinate system; give --system 缺少坐标系，请用 --system 指定: {known}",
    "unknown_system": "The coordinate system is not known 坐标系不明: {system}",
    "field_not_found": "No field for the {wanted}; give --{wanted}-field 找不到字段，请指定。Fields 字段: {fields}",
    "unknown_field": "There is no field 没有这个字段: {field}. Fields 字段: {fields}",
    "no_rows": "The file has no rows 文件没有数据",
    "rows_unusable": "{count} faults, nothing was changed 有错误，未作改动",
    "unknown_district": "There is no district {district}. 没有这个区。",
    "valid_from_taken": "Version {version} is valid from that moment already 已有版本自该时刻生效: {valid_from}",
}
ROW_FAULTS: Mapping[str, str] = {
    "code_missing": "has no code 缺编码",
    "code_repeated": "has a code that another row has 编码重复: {value}",
    "name_missing": "has no name 缺名称: {value}",
    "geometry_missing": "has no polygon 缺图形",
    "not_a_polygon": "is no polygon 不是面",
    "no_area": "covers no ground, as points on a line do 面积为零，各点在一条线上",
    "out_of_range": "lies beyond the earth; is --system right? 坐标超出范围，坐标系是否正确？",
}
STEPS: Mapping[str, str] = {"read": "Reading 读取", "repair": "Checking 检查", "compare": "Comparing 比对"}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--district", type=int, required=True, help="Number of the district whose communities they are.")
@click.option("--code-field", help="Field of the code; guessed if not given.")
@click.option("--name-field", help="Field of the name; guessed if not given.")
@click.option("--street-field", help="Field of the street's code or name; guessed if not given.")
@click.option("--layer", help="Layer of a GeoPackage that has several.")
@click.option(
    "--system", type=click.Choice(SYSTEMS), help="What the coordinates are, if the file does not tell or errs."
)
@click.option(
    "--valid-from",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Day from which the lines are valid, in the district's time zone; from now on if not given.",
)
@click.pass_obj
def communities(
    settings: Settings,
    file: Path,
    district: int,
    code_field: str | None,
    name_field: str | None,
    street_field: str | None,
    layer: str | None,
    system: str | None,
    valid_from: datetime | None,
) -> None:
    """Bring in communities and their boundaries from GeoJSON, Shapefile or GeoPackage, as a new version.

    Polygons that are not valid are repaired, and overlaps are listed: in one, the smaller code counts. Records keep
    the community that they were placed in.
    """
    try:
        with bars() as report:
            reading = boundaries.read(
                file,
                code_field=code_field,
                name_field=name_field,
                street_field=street_field,
                layer=layer,
                system=system,
                progress=lambda step, done, of: report(STEPS[step], done, of),
            )
        for line in told(reading):
            click.echo(line)
        version = with_connection(settings, lambda conn: _store(conn, district, reading, valid_from, file.name))
    except UnusableBoundaries as refusal:
        raise click.ClickException(reasons(file, refusal)) from None
    click.echo(f"Version 版本 {version}: {len(reading.areas)} communities 个社区")


async def _store(conn: asyncpg.Connection, district: int, reading: Reading, day: datetime | None, source: str) -> int:
    now = datetime.now(UTC)
    found = await people.district(conn, district)
    begins = day.replace(tzinfo=found.zone) if day and found else None
    return await boundaries.store(conn, district, reading.areas, valid_from=begins, source=source, now=now)


def told(reading: Reading) -> Iterator[str]:
    """What was read, from which fields, what was repaired, and what overlaps."""
    fields = reading.fields
    streets = " / ".join(dict.fromkeys(filter(None, (fields.street, fields.street_name)))) or "-"
    yield f"{len(reading.areas)} communities 个社区, {reading.system}"
    yield f"Fields 字段: code 编码 = {fields.code}, name 名称 = {fields.name}, street 街道 = {streets}"
    yield f"Repaired 已修复: {len(reading.repaired)}"
    for repair in reading.repaired:
        yield f"  row 第 {repair.row} 行 {repair.code}: {repair.fault}"
    yield f"Overlaps 重叠: {len(reading.overlaps)}"
    for overlap in reading.overlaps:
        yield f"  {overlap.one} – {overlap.other}: {overlap.area_m2:,.0f} m²"


def reasons(file: Path, refusal: UnusableBoundaries) -> str:
    """Why nothing was imported, row by row where rows are at fault."""
    facts = {
        name: ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        for name, value in refusal.facts.items()
    }
    lines = [_row_fault(bad) for bad in refusal.rows]
    return "\n".join([f"{file.name}: {FAULTS[refusal.code].format_map(facts)}", *lines])


def _row_fault(bad: BadRow) -> str:
    return f"  row 第 {bad.row} 行 {ROW_FAULTS[bad.reason].format(value=bad.value)}"
