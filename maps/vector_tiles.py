"""Tiles of the web mercator square: which cells they hold, and what lies in them as Mapbox vector tiles.

A tile is a protocol buffer of layers, so that layers which are encoded apart make one tile behind one another."""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import mapbox_vector_tile
import numpy as np
import shapely
from msgspec import Struct
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from maps.boundaries import Area
from maps.tiles import LEVELS, NORTHERNMOST, Range, spread

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
DEEPEST = 24
EXTENT = 4096  # of a tile, in whole steps
AROUND = 64  # steps by which areas reach beyond a tile, so that their edges do not show as lines
TOLERANCE = 4  # steps that a simplified line may be off: a quarter of a pixel
KEPT = 2_000  # encoded layers of areas, of some KB each

OPTIONS = {"extents": EXTENT, "y_coord_down": True}


class Tile(Struct, frozen=True):
    """A tile by zoom, column and row; there are 2^zoom of each."""

    z: int
    x: int
    y: int

    def cells(self) -> Range:
        """The range of Morton cells that the tile holds."""
        x, y = spread(np.array([self.x, self.y], np.int64)).tolist()
        prefix = x | y << 1
        bits = 2 * (LEVELS - self.z)
        return prefix << bits, (prefix + 1 << bits) - 1

    def place(self, lon: float, lat: float) -> tuple[int, int]:
        """A position in the tile's steps, y downwards."""
        x, y = _unit(lon, lat)
        return round((x * 2**self.z - self.x) * EXTENT), round((y * 2**self.z - self.y) * EXTENT)


def _unit(lon: Any, lat: Any) -> tuple[Any, Any]:
    """Positions in the mercator square of side 1, y southwards."""
    latitude = np.radians(np.clip(lat, -NORTHERNMOST, NORTHERNMOST))
    return (lon + 180.0) / 360.0, (1.0 - np.arcsinh(np.tan(latitude)) / math.pi) / 2.0


def points(name: str, tile: Tile, places: Sequence[tuple[float, float, Mapping[str, Any]]]) -> bytes:
    """A layer of points in WGS-84, each with what is to be known of it; what is None is left out."""
    features = [
        {
            "geometry": Point(tile.place(lon, lat)),
            "properties": {key: value for key, value in told.items() if value is not None},
        }
        for lon, lat, told in places
    ]
    return _encoded(name, features)


def _encoded(name: str, features: Sequence[Mapping[str, Any]]) -> bytes:
    if not features:
        return b""  # a tile without the layer
    encoded: bytes = mapbox_vector_tile.encode({"name": name, "features": features}, default_options=OPTIONS)
    return encoded


class Areas:
    """The areas of one boundary version as layers of tiles, simplified for each zoom once and kept as they are
    encoded. May be asked from several threads."""

    def __init__(self, areas: Sequence[Area]) -> None:
        self._told = [
            {"code": area.code, "name": area.name, **({"street": area.street} if area.street else {})} for area in areas
        ]
        shapes = np.empty(len(areas), dtype=object)
        shapes[:] = [area.geometry for area in areas]
        self._shapes = shapely.transform(shapes, _unit, interleaved=False)
        self._simplified: dict[tuple[int, int], BaseGeometry] = {}  # by zoom and area
        self._tree = shapely.STRtree(self._shapes)
        self._layers: OrderedDict[Tile, bytes] = OrderedDict()
        self._making = Lock()

    def layer(self, tile: Tile) -> bytes:
        """The layer `communities` of a tile."""
        with self._making:
            if tile not in self._layers:
                self._layers[tile] = _encoded("communities", self._features(tile))
                while len(self._layers) > KEPT:
                    self._layers.popitem(last=False)
            self._layers.move_to_end(tile)
            return self._layers[tile]

    def _features(self, tile: Tile) -> list[dict[str, Any]]:
        step = 1 / (EXTENT << tile.z)
        west, north = tile.x * EXTENT * step, tile.y * EXTENT * step
        box = (
            west - AROUND * step,
            north - AROUND * step,
            west + (EXTENT + AROUND) * step,
            north + (EXTENT + AROUND) * step,
        )
        found = np.sort(self._tree.query(shapely.box(*box)))
        if not len(found):
            return []
        shapes = shapely.clip_by_rect(self._at(tile.z, found.tolist()), *box)
        placed = shapely.transform(shapes, lambda x, y: ((x - west) / step, (y - north) / step), interleaved=False)
        whole = shapely.set_precision(placed, 1)  # whole steps, and still areas
        return [
            {"geometry": shape, "properties": self._told[at]}
            for at, shape in zip(found.tolist(), whole, strict=True)
            if _is_area(shape)
        ]

    def _at(self, zoom: int, areas: Sequence[int]) -> Sequence[BaseGeometry]:
        missing = [at for at in areas if (zoom, at) not in self._simplified]
        made = shapely.simplify(self._shapes[missing], TOLERANCE / (EXTENT << zoom))
        self._simplified |= {(zoom, at): shape for at, shape in zip(missing, made, strict=True)}
        return [self._simplified[zoom, at] for at in areas]


def _is_area(shape: BaseGeometry) -> bool:
    return not shape.is_empty and shape.geom_type in ("Polygon", "MultiPolygon")
