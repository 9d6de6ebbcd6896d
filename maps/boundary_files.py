"""Files of polygons as they come: GeoJSON, Shapefile or GeoPackage, in any known system, brought to WGS-84.

What the rows mean is not known here; see boundaries.
"""

import codecs
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyogrio
import pyproj
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from maps import coordinates
from maps.coordinates import SYSTEMS

# A Shapefile's texts are bytes in an encoding that it may not tell, or tell wrongly. This one keeps every byte.
_BYTES_AS_TEXT = "ISO-8859-1"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: its number in the file from 1, why, and the value that is at fault."""

    row: int
    reason: str
    value: str | None = None


class UnusableBoundaries(Exception):
    """A file, or rows of it, from which no boundaries can be made; `code` says why."""

    def __init__(self, code: str, facts: Mapping[str, object], rows: Sequence[BadRow] = ()) -> None:
        super().__init__(code, facts, rows)
        self.code = code
        self.facts = facts
        self.rows = rows


@dataclass(frozen=True, slots=True)
class Features:
    """The rows of one layer: each field's values, and geometries in WGS-84 degrees (None where a row has none)."""

    fields: Mapping[str, list[str]]
    geometries: npt.NDArray[np.object_]
    system: str

    def __len__(self) -> int:
        return len(self.geometries)


def read_features(path: Path, *, layer: str | None = None, system: str | None = None) -> Features:
    """Read one layer of polygons, flat and in WGS-84.

    `system` says what the degrees are when the file does not know (a Shapefile without .prj) or cannot (no file has
    a word for GCJ-02 and BD-09). Raises UnusableBoundaries for a file that cannot be read, has several layers, or
    does not tell its system.
    """
    if system is not None and system not in SYSTEMS:
        raise UnusableBoundaries("unknown_system", {"system": system, "known": SYSTEMS})
    told, fields, shapes = _read(path, layer)
    known = _reference_system(told, system, path)
    geometries = _to_wgs84(shapely.from_wkb(shapes, on_invalid="fix"), known, system)
    return Features(fields, geometries, system or known.name)


def _read(path: Path, layer: str | None) -> tuple[str | None, dict[str, list[str]], npt.NDArray[np.object_]]:
    is_shapefile = path.suffix.lower() == ".shp"
    try:
        with warnings.catch_warnings(action="ignore"):  # GDAL closes open rings and warns; what stays wrong is listed
            meta, _, shapes, columns = pyogrio.raw.read(
                path,
                layer=layer or _only_layer(path),
                encoding=_BYTES_AS_TEXT if is_shapefile else None,
                force_2d=True,
                datetime_as_string=True,
            )
    except (DataSourceError, DataLayerError, UnicodeDecodeError) as cause:
        raise UnusableBoundaries("file_unreadable", {"file": path.name, "cause": str(cause)}) from cause
    fields = {str(name): _texts(column) for name, column in zip(meta["fields"], columns, strict=True)}
    return meta["crs"], _decoded(fields, path) if is_shapefile else fields, shapes


def _only_layer(path: Path) -> str | None:
    layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None and "Point" not in kind]
    if len(layers) > 1:
        raise UnusableBoundaries("several_layers", {"file": path.name, "layers": layers})
    return layers[0] if layers else None


def _texts(column: npt.NDArray[np.generic]) -> list[str]:
    """A column as trimmed texts: nothing as "", and a whole number without the point that spreadsheets give it."""
    return [_text(value) for value in column.tolist()]


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _decoded(fields: Mapping[str, list[str]], path: Path) -> dict[str, list[str]]:
    """A Shapefile's texts in the encoding its .cpg tells, where that fits; else in UTF-8, where that fits; else in
    GB18030, which reads GBK and GB2312 too."""
    told = path.with_suffix(".cpg")
    candidates = [_codec(told.read_text("ascii", "ignore"))] if told.exists() else []
    for encoding in filter(None, [*candidates, "utf-8"]):
        try:
            return _in_encoding(fields, encoding)
        except UnicodeDecodeError:
            continue
    try:
        return _in_encoding(fields, "gb18030")
    except UnicodeDecodeError as cause:
        raise UnusableBoundaries("encoding_unknown", {"file": path.name}) from cause


def _codec(told: str) -> str | None:
    """Python's name for what a .cpg tells: "UTF-8", "GBK", "936", "CP936", "OEM 936"; None for what it has none."""
    name = told.strip().lower().removeprefix("oem").removeprefix("ansi").strip()
    for spelling in (name, f"cp{name}"):
        try:
            return codecs.lookup(spelling).name
        except LookupError:
            continue
    return None


def _in_encoding(fields: Mapping[str, list[str]], encoding: str) -> dict[str, list[str]]:
    """Field names hold ten bytes, which may cut a character in two; values must be whole."""
    return {
        name.encode(_BYTES_AS_TEXT).decode(encoding, "ignore"): [
            value.encode(_BYTES_AS_TEXT).decode(encoding) for value in values
        ]
        for name, values in fields.items()
    }


def _reference_system(told: str | None, system: str | None, path: Path) -> pyproj.CRS:
    if told is None and system is None:
        raise UnusableBoundaries("system_missing", {"file": path.name, "known": SYSTEMS})
    try:
        return pyproj.CRS.from_user_input(told or "EPSG:4326")
    except pyproj.exceptions.CRSError as cause:
        raise UnusableBoundaries("unknown_system", {"system": told, "known": SYSTEMS}) from cause


def _to_wgs84(geometries: npt.NDArray[np.object_], known: pyproj.CRS, system: str | None) -> npt.NDArray[np.object_]:
    """Bring geometries to WGS-84 degrees: out of their projection first, and then out of the system that was said.

    A system that was said outranks the file's geographic one: data labelled WGS-84 are often GCJ-02.
    """
    if known.is_projected or system is None:
        try:
            projection = pyproj.Transformer.from_crs(known, "EPSG:4326", always_xy=True)
        except pyproj.exceptions.ProjError as cause:
            raise UnusableBoundaries("unknown_system", {"system": known.name, "known": SYSTEMS}) from cause
        geometries = shapely.transform(geometries, projection.transform, interleaved=False)
    if system is not None:
        shift = partial(coordinates.to_wgs84, system=system)
        geometries = shapely.transform(geometries, shift, interleaved=False)
    return geometries
