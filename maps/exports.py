"""Boundaries in forms that other programs read."""

from collections.abc import Sequence

import msgspec
import numpy as np
import shapely

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
