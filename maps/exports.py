"""Boundaries, points and tables in forms that other programs read."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import pyogrio.raw
import shapely
import xlsxwriter
from msgspec import Struct

from maps import coordinates
from maps.boundaries import Area, BoundaryVersion, Geometries

_DECIMALS = 7  # of a degree: a centimetre


def geojson(version: BoundaryVersion, tolerance_m: float = 0.0) -> bytes:
    """Return a version's areas as a GeoJSON FeatureCollection, in WGS-84, with lines simplified within a tolerance.

    Neighbours keep one line between them. `version`, `valid_from` and `source` stand beside the features.
    """
    shapes = shapely.transform(_simplified(version.areas, tolerance_m), lambda vertices: np.round(vertices, _DECIMALS))
    return msgspec.json.encode(
        {
            "type": "FeatureCollection",
            "version": version.version,
            "valid_from": version.valid_from,
            "source": version.source,
            "features": [
                _feature(area, shape)
                for area, shape in zip(version.areas, shapely.to_geojson(shapes).tolist(), strict=True)
            ],
        }
    )


def _feature(area: Area, shape: str) -> dict[str, object]:
    return {
        "type": "Feature",
        "id": area.code,
        "properties": {
            "code": area.code,
            "name": area.name,
            "street": area.street,
            "street_name": area.street_name,
        },
        "geometry": msgspec.Raw(shape.encode()),
    }


def _simplified(areas: Sequence[Area], tolerance_m: float) -> Geometries:
    """The areas' polygons with fewer vertices: as one coverage where they are one, else each on its own."""
    polygons = np.array([area.geometry for area in areas], dtype=object)
    if not tolerance_m or not areas:
        return polygons
    _, south, _, north = shapely.total_bounds(polygons)
    metres = np.array(coordinates.metres_per_degree((south + north) / 2))
    flat = shapely.transform(polygons, lambda vertices: vertices * metres)
    if shapely.coverage_is_valid(flat):
        flat = shapely.coverage_simplify(flat, tolerance_m)
    else:
        flat = shapely.simplify(flat, tolerance_m)
    back: Geometries = shapely.transform(flat, lambda vertices: vertices / metres)
    return back


Cell: TypeAlias = str | int | float | bool | datetime | None
Kind = Literal["text", "number", "time", "flag"]

TIME = "%Y-%m-%d %H:%M:%S"
LAYER = "issues"
MOST_SHEET_ROWS = 1_048_576  # of a worksheet, its header among them
LONGEST_CELL = 32_767  # characters of a worksheet's cell

# A spreadsheet takes a cell that begins like this for a formula; the wide ones it does in a Chinese locale.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Column(Struct, frozen=True):
    """A column of a table: its name for programs, its header for people, and what its cells hold."""

    name: str
    header: str
    kind: Kind = "text"


def csv_lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Rows as CSV in UTF-8. A text that a spreadsheet would take for a formula gets an apostrophe before it; times are
    written as they stand, without their zone."""
    lines = io.StringIO()
    csv.writer(lines).writerows([_csv_cell(cell) for cell in row] for row in rows)
    return lines.getvalue().encode()


def _csv_cell(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
    if isinstance(cell, datetime):
        return cell.strftime(TIME)
    return cell


def point_feature(id_: str, lon: float | None, lat: float | None, properties: Mapping[str, object]) -> bytes:
    """A GeoJSON feature; without a place its geometry is null."""
    geometry = None if lon is None or lat is None else {"type": "Point", "coordinates": (lon, lat)}
    return msgspec.json.encode({"type": "Feature", "id": id_, "geometry": geometry, "properties": properties})


def write_workbook(
    path: Path, sheet: str, columns: Sequence[Column], parts: Iterable[Sequence[Sequence[Cell]]]
) -> None:
    """Write a table as XLSX, one row in memory at a time; times come as ISO 8601 without a zone. No text becomes a
    formula, a link or a number."""
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "tmpdir": str(path.parent),
    }
    with xlsxwriter.Workbook(path, options) as book:
        page = book.add_worksheet(sheet)
        page.freeze_panes(1, 0)
        head = book.add_format({"bold": True, "bottom": 1})
        at = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        for place, column in enumerate(columns):
            page.set_column(place, place, 18)
            page.write_string(0, place, column.header, head)
        for number, row in enumerate(chain.from_iterable(parts), start=1):
            for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
                if isinstance(cell, str) and column.kind == "time":
                    page.write_datetime(number, place, datetime.fromisoformat(cell), at)
                elif isinstance(cell, str):
                    page.write_string(number, place, cell[:LONGEST_CELL])
                elif cell is not None:
                    page.write(number, place, cell)


def write_geopackage(path: Path, columns: Sequence[Column], parts: Iterable[Sequence[Sequence[Cell]]]) -> None:
    """Write a table as the points of a GeoPackage, in WGS-84, a part at a time; its columns `lon` and `lat` become the
    points, and a row without a place has none."""
    names = [column.name for column in columns]
    lon, lat = names.index("lon"), names.index("lat")
    fields = [place for place in range(len(columns)) if place not in (lon, lat)]
    begun = False
    for part in chain(parts, [[]]):
        if begun and not part:
            continue
        points = [None if row[lon] is None else shapely.Point(row[lon], row[lat]) for row in part]
        pyogrio.raw.write(
            path,
            geometry=shapely.to_wkb(np.array(points, dtype=object)),
            field_data=[
                np.array([row[place] for row in part], dtype=bool if columns[place].kind == "flag" else object)
                for place in fields
            ],
            fields=[names[place] for place in fields],
            layer=LAYER,
            driver="GPKG",
            geometry_type="Point",
            crs="EPSG:4326",
            append=begun,
        )
        begun = True
