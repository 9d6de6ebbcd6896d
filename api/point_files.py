"""Points as GeoJSON gives them, read as the table that their properties are."""

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import shapely
from msgspec import Struct

from api.tables import Row, Table, UnusableTable

LON, LAT = "geometry/lon", "geometry/lat"  # the columns that a geometry becomes
_LONGEST_BYTES = 1 << 30


class _Feature(Struct):
    type: str
    geometry: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None


class _Collection(Struct):
    type: str
    features: list[_Feature]


def is_geojson(path: Path) -> bool:
    """Whether a file seems to hold JSON, whatever it is called."""
    with path.open("rb") as file:
        return file.read(1024).removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{"


def read_points(path: Path) -> Table:
    """The features of a FeatureCollection as rows, counted from 1. What is no point is taken for one within it. Raises
    UnusableTable."""
    if path.stat().st_size > _LONGEST_BYTES:
        raise UnusableTable("file_unreadable", file=path.name, cause="> 1 GB")
    text = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    try:
        collection = msgspec.json.decode(text, type=_Collection)
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise UnusableTable("text_broken", file=path.name, line=line, encoding="UTF-8") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnusableTable("file_unreadable", file=path.name, cause=f"GeoJSON: {error}") from None
    if collection.type != "FeatureCollection" or not collection.features:
        raise UnusableTable("no_rows", file=path.name)
    names = dict.fromkeys(name for feature in collection.features for name in feature.properties or ())
    columns = [LON, LAT, *names]
    return Table(columns, 0, len(collection.features), "GeoJSON", _rows(collection.features, columns))


def _rows(features: Sequence[_Feature], columns: Sequence[str]) -> Iterator[Row]:
    for number, feature in enumerate(features, start=1):
        lon, lat, fault = _point(feature.geometry)
        told = {name: _cell(value) for name, value in (feature.properties or {}).items()}
        cells = {LON: lon, LAT: lat} | {name: told.get(name, "") for name in columns[2:]}
        yield Row(number, cells, fault)


def _point(geometry: dict[str, Any] | None) -> tuple[Any, Any, str | None]:
    """Longitude and latitude as they stand there, or of a point within what is there."""
    if geometry is None:
        return "", "", None
    coordinates = geometry.get("coordinates")
    if geometry.get("type") == "Point" and isinstance(coordinates, list):
        return (*coordinates[:2], None) if len(coordinates) >= 2 else ("", "", None)
    try:
        within = shapely.from_geojson(msgspec.json.encode(geometry)).representative_point()
        return (within.x, within.y, None) if not within.is_empty else ("", "", None)
    except (shapely.errors.ShapelyError, ValueError, TypeError):
        return "", "", "geometry_unusable"


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return value
    return msgspec.json.encode(value).decode()
