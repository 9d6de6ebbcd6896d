"""Boundaries, points and tables in forms that other programs read."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

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


Cell: TypeAlias = str | int | float | bool | datetime | bytes | None
Kind = Literal["text", "number", "count", "share", "time", "flag", "shape"]  # a share of one; a shape in WKB

TIME = "%Y-%m-%d %H:%M:%S"
MOST_SHEET_ROWS = 1_048_576  # of a worksheet, its header among them
LONGEST_CELL = 32_767  # UTF-16 units of a worksheet's cell
A4 = 9  # as worksheets number paper
FIRST_SERIAL = 61  # a day's number in a worksheet from which on all programs agree: 1 March 1900

# A spreadsheet takes a cell that begins like this for a formula; the wide ones it does in a Chinese locale.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Column(Struct, frozen=True):
    """A column of a table: its name for programs, its header for people, what its cells hold, and how wide it is in a
    worksheet, in characters."""

    name: str
    header: str
    kind: Kind = "text"
    width: int = 14


def csv_lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Rows as CSV in UTF-8. A text that a spreadsheet would take for a formula gets an apostrophe before it; times are
    written as they stand, without their zone."""
    lines = io.StringIO()
    csv.writer(lines).writerows([_csv_cell(cell) for cell in row] for row in rows)
    return lines.getvalue().encode()


def _csv_cell(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
    if isinstance(cell, datetime):
        return cell.strftime(TIME)
    return cell


def point_feature(id_: str, lon: float | None, lat: float | None, properties: Mapping[str, object]) -> bytes:
    """A GeoJSON feature; without a place its geometry is null."""
    geometry = None if lon is None or lat is None else {"type": "Point", "coordinates": (lon, lat)}
    return msgspec.json.encode({"type": "Feature", "id": id_, "geometry": geometry, "properties": properties})


def area_feature(id_: str | None, shape: bytes | None, properties: Mapping[str, object]) -> bytes:
    """A GeoJSON feature of a shape in WKB; without one its geometry is null."""
    geometry = None if shape is None else msgspec.Raw(shapely.to_geojson(shapely.from_wkb(shape)).encode())
    return msgspec.json.encode({"type": "Feature", "id": id_, "geometry": geometry, "properties": properties})


def shapes(version: BoundaryVersion, tolerance_m: float) -> dict[str, bytes]:
    """The shape of each area by its code, in WKB, with lines simplified within a tolerance."""
    found = shapely.to_wkb(_simplified(version.areas, tolerance_m)).tolist()
    return {area.code: shape for area, shape in zip(version.areas, found, strict=True)}


class Workbook:
    """A table written as XLSX, one row in memory at a time. No text becomes a formula, a link or a number; one that is
    longer than a cell can hold ends with `cut`, which may name its `{length}`."""

    def __init__(self, path: Path, sheet: str, columns: Sequence[Column], cut: str = "…") -> None:
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "tmpdir": str(path.parent),
        }
        self._book = xlsxwriter.Workbook(path, options)
        self._page = self._book.add_worksheet(sheet)
        self._page.freeze_panes(1, 0)
        self._page.set_landscape()
        self._page.set_paper(A4)
        self._page.repeat_rows(0)
        self._page.fit_to_pages(1, 0)  # as wide as the paper, and as long as it is
        self._columns, self._rows, self._cut = columns, 0, cut
        self._formats = {
            "time": self._book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
            "share": self._book.add_format({"num_format": "0.0%"}),
        }
        head = self._book.add_format({"bold": True, "bottom": 1, "bg_color": "#EEF2F5", "valign": "vcenter"})
        for place, column in enumerate(columns):
            self._page.set_column(place, place, column.width)
            self._page.write_string(0, place, column.header, head)

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Add rows. A time is the number of its day in a worksheet, or ISO 8601 without a zone."""
        write_text, write_number = self._page.write_string, self._page.write_number
        columns = list(enumerate((column.kind, self._formats.get(column.kind)) for column in self._columns))
        for row in rows:
            self._rows += 1
            for (place, (kind, format_)), cell in zip(columns, row, strict=True):
                if cell is None:
                    continue
                if kind == "time":
                    serial = _serial(cell)
                    if isinstance(serial, str):
                        write_text(self._rows, place, serial)
                    else:
                        write_number(self._rows, place, serial, format_)
                elif isinstance(cell, str):
                    write_text(self._rows, place, cell if len(cell) * 2 <= LONGEST_CELL else self._fitting(cell))
                else:
                    write_number(self._rows, place, cell, format_)

    def _fitting(self, text: str) -> str:
        """The text, or as much of it as a cell can hold and what says so."""
        units = text.encode("utf-16-le", "surrogatepass")
        if len(units) <= 2 * LONGEST_CELL:
            return text
        end = self._cut.format(length=f"{len(text):,}")
        return units[: 2 * (LONGEST_CELL - len(end))].decode("utf-16-le", "ignore") + end

    def close(self) -> None:
        """Finish the file."""
        if self._rows:
            self._page.autofilter(0, 0, self._rows, len(self._columns) - 1)
        self._book.close()


_EPOCH_OF_SHEETS = datetime(1899, 12, 30)  # noqa: DTZ001 - worksheets know no zones


def _serial(cell: Cell) -> float | str:
    """A moment as the number of its day; as a text, where worksheets would disagree about it."""
    if isinstance(cell, int | float):
        told = _EPOCH_OF_SHEETS + timedelta(days=cell)
        return cell if cell >= FIRST_SERIAL else told.strftime(TIME)
    at = datetime.fromisoformat(str(cell))
    serial = (at - _EPOCH_OF_SHEETS) / timedelta(days=1)
    return serial if serial >= FIRST_SERIAL else at.strftime(TIME)


class GeoPackage:
    """A table written as the layer of a GeoPackage, in WGS-84, a part at a time: its columns `lon` and `lat` become
    points, or its column of shapes becomes areas; a row without a place has no geometry."""

    def __init__(self, path: Path, layer: str, columns: Sequence[Column]) -> None:
        self._path, self._layer, self._columns, self._begun = path, layer, columns, False
        names = [column.name for column in columns]
        self._shape = next((place for place, column in enumerate(columns) if column.kind == "shape"), None)
        self._point = (names.index("lon"), names.index("lat")) if self._shape is None else None
        self._fields = [
            place for place in range(len(columns)) if place != self._shape and place not in (self._point or ())
        ]

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Add rows."""
        pyogrio.raw.write(
            self._path,
            geometry=self._geometries(rows),
            field_data=[_values([row[place] for row in rows], self._columns[place].kind) for place in self._fields],
            fields=[self._columns[place].name for place in self._fields],
            layer=self._layer,
            driver="GPKG",
            geometry_type="MultiPolygon" if self._point is None else "Point",
            promote_to_multi=self._point is None,
            crs="EPSG:4326",
            append=self._begun,
        )
        self._begun = True

    def _geometries(self, rows: Sequence[Sequence[Cell]]) -> Any:
        if self._point is None:
            return np.array([row[self._shape or 0] for row in rows], dtype=object)
        lon, lat = self._point
        points = [None if row[lon] is None else shapely.Point(row[lon], row[lat]) for row in rows]
        return shapely.to_wkb(np.array(points, dtype=object))

    def close(self) -> None:
        """Finish the file, which has a layer even when it has no row."""
        if not self._begun:
            self.write([])


def _values(cells: list[Cell], kind: Kind) -> Any:
    if kind == "flag":
        return np.array(cells, dtype=bool)
    if kind == "count":
        return np.array(cells, dtype=np.int64)
    return np.array(cells, dtype=np.float64 if kind in ("number", "share") else object)
