"""Vector tiles: areas are clipped to their tile and stay areas; a tile's cells are those of its positions."""

import mapbox_vector_tile
import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import shape

from maps import tiles, vector_tiles
from maps.boundaries import Area
from maps.vector_tiles import AROUND, EXTENT, Areas, Tile

LON, LAT = 113.6384, 34.7321


def tile_at(lon: float, lat: float, zoom: int) -> Tile:
    """The tile that holds a position, by its cell."""
    bits = f"{int(tiles.cell(lon, lat)) >> 2 * (tiles.LEVELS - zoom):064b}"
    return Tile(zoom, int(bits[1::2], 2), int(bits[0::2], 2))


@given(st.floats(-180, 179.99), st.floats(-85, 85), st.integers(0, 24))
def test_a_position_lies_in_its_tile(lon: float, lat: float, zoom: int) -> None:
    tile = tile_at(lon, lat, zoom)
    low, high = tile.cells()
    assert low <= int(tiles.cell(lon, lat)) <= high
    assert all(0 <= step <= EXTENT for step in tile.place(lon, lat))


def ragged(lon: float, lat: float, radius: float) -> shapely.Polygon:
    """An area of many corners."""
    turn = np.linspace(0, 2 * np.pi, 800, endpoint=False)
    far = radius * (1 + 0.1 * np.sin(40 * turn))
    return shapely.Polygon(np.column_stack([lon + far * np.cos(turn), lat + far * np.sin(turn)]))


def test_areas_are_clipped_and_simplified_and_stay_areas() -> None:
    areas = Areas(
        [Area("1", "一", "s", ragged(LON, LAT, 0.02), "街"), Area("2", "二", None, ragged(LON + 1, LAT, 0.02))]
    )
    sizes = []
    for zoom in (0, 8, 12, 14, 18, 24):
        layer = areas.layer(tile_at(LON, LAT, zoom))
        sizes.append(len(layer))
        layers = mapbox_vector_tile.decode(layer, default_options={"y_coord_down": True})
        found = layers["communities"]["features"] if zoom else []  # smaller than a step of the whole world
        assert {one["properties"]["code"] for one in found} <= {"1", "2"}
        for one in found:
            placed = shape(one["geometry"])
            assert placed.is_valid
            west, north, east, south = placed.bounds
            assert min(west, north) >= -AROUND
            assert max(east, south) <= EXTENT + AROUND
    assert max(sizes) < 8_000
    whole = areas.layer(tile_at(LON, LAT, 24))  # deep inside, the tile is covered
    (inside,) = mapbox_vector_tile.decode(whole)["communities"]["features"]
    assert inside["properties"] == {"code": "1", "name": "一", "street": "s"}
    assert shape(inside["geometry"]).area == (EXTENT + 2 * AROUND) ** 2


def test_what_is_none_is_left_out_of_a_point() -> None:
    tile = tile_at(LON, LAT, 12)
    layer = vector_tiles.points("issues", tile, [(LON, LAT, {"count": 1, "number": "7"}), (LON, LAT, {"issue": None})])
    one, other = mapbox_vector_tile.decode(layer, default_options={"y_coord_down": True})["issues"]["features"]
    assert (one["properties"], other["properties"]) == ({"count": 1, "number": "7"}, {})
    assert tuple(one["geometry"]["coordinates"]) == tile.place(LON, LAT)
