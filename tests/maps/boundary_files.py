"""Files of boundaries as people send them, written for a test."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

Rows = Sequence[tuple[Mapping[str, str | None], BaseGeometry | None]]

HUAIHE = shapely.box(113.60, 34.70, 113.61, 34.71)
XINGHUA = shapely.box(113.61, 34.70, 113.62, 34.71)
BOW_TIE = shapely.Polygon([(113.62, 34.70), (113.63, 34.71), (113.63, 34.70), (113.62, 34.71), (113.62, 34.70)])
ON_A_LINE = shapely.Polygon([(113.60, 34.70), (113.61, 34.71), (113.62, 34.72), (113.60, 34.70)])

TWO: Rows = [
    ({"code": "410103001001", "name": "淮河社区", "street": "淮河路街道"}, HUAIHE),
    ({"code": "410103001003", "name": "兴华街社区", "street": "淮河路街道"}, XINGHUA),
]
TWO_IN_CHINESE: Rows = [({"社区代码": row["code"], "社区名称": row["name"]}, shape) for row, shape in TWO]


def geojson(path: Path, rows: Rows) -> Path:
    features = [
        {"type": "Feature", "properties": dict(fields), "geometry": shape and json.loads(shapely.to_geojson(shape))}
        for fields, shape in rows
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def shapefile(path: Path, rows: Rows, *, encoding: str = "GB18030", cpg: str | None = None, prj: bool = True) -> Path:
    """A Shapefile in an encoding; `cpg` is what its .cpg tells, None for no such file."""
    _write(path, rows, driver="ESRI Shapefile", crs="EPSG:4490", encoding=encoding)
    path.with_suffix(".cpg").unlink(missing_ok=True)
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg)
    if not prj:
        path.with_suffix(".prj").unlink()
    return path


def geopackage(path: Path, rows: Rows, *, crs: str, layer: str = "communities") -> Path:
    """A GeoPackage in a system, to which the rows are brought from WGS-84."""
    to = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    moved = [(fields, shapely.transform(shape, to.transform, interleaved=False)) for fields, shape in rows]
    _write(path, moved, driver="GPKG", crs=crs, layer=layer, append=path.exists())
    return path


def _write(path: Path, rows: Rows, **options: object) -> None:
    names = list(rows[0][0])
    columns = [np.array([fields[name] for fields, _ in rows], dtype=object) for name in names]
    shapes = np.array([shapely.to_wkb(shape) for _, shape in rows], dtype=object)
    pyogrio.raw.write(path, shapes, columns, names, geometry_type="Polygon", **options)
