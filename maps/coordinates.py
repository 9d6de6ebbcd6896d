"""Coordinate systems met in China, in degrees, to and from WGS-84: exact both ways, on numbers and on arrays.

GCJ-02 shifts WGS-84 by up to some 700 m inside a box around China and leaves the rest of the world alone; BD-09 turns
and shifts GCJ-02 once more, everywhere. CGCS2000 differs from WGS-84 by centimetres, less than any position here is
known to, and counts as the same.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, TypeVar, get_args

import numpy as np
import numpy.typing as npt

System = Literal["wgs84", "cgcs2000", "gcj02", "bd09"]
SYSTEMS: tuple[System, ...] = get_args(System)

Array: TypeAlias = npt.NDArray[np.float64]
Pair: TypeAlias = tuple[Array, Array]
Degrees = TypeVar("Degrees", float, Array)
_Conversion: TypeAlias = Callable[[Any, Any], tuple[Any, Any]]

CHINA = (72.004, 0.8293, 137.8347, 55.8271)  # where GCJ-02 is shifted: west, south, east, north

# The Krasovsky ellipsoid of 1940, by which GCJ-02 turns its shift from metres into degrees.
_KRASOVSKY_A = 6378245.0
_KRASOVSKY_E2 = 0.00669342162296594323

_BD_FREQUENCY = math.pi * 3000 / 180
_BD_LON, _BD_LAT = 0.0065, 0.006

_WGS84_A = 6378137.0  # metres; EPSG:3857 takes the earth for a sphere of this radius
_WGS84_E2 = 0.0066943799901413165

# Each step of an inverse brings two digits or more, and from 1 km down to the last bit of a degree there are twelve.
# The count is fixed, so that a position's answer does not depend on which others stand beside it.
_INVERSE_STEPS = 6


class InvalidPosition(Exception):
    """A pair of numbers that is no place on earth; `code` says why, `facts` hold the field and the values."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts


def check(lon: float, lat: float) -> None:
    """Raise InvalidPosition unless the two are a longitude and a latitude; say so when they are swapped."""
    for field, value in (("lon", lon), ("lat", lat)):
        if not math.isfinite(value):
            raise InvalidPosition("not_a_number", field=field)
    if 90 < abs(lat) <= 180 and abs(lon) <= 90:
        raise InvalidPosition("longitude_latitude_swapped", field="lat", lon=lon, lat=lat)
    if abs(lon) > 180:
        raise InvalidPosition("longitude_out_of_range", field="lon", value=lon, limit=180)
    if abs(lat) > 90:
        raise InvalidPosition("latitude_out_of_range", field="lat", value=lat, limit=90)


def to_wgs84(lon: Degrees, lat: Degrees, system: str) -> tuple[Degrees, Degrees]:
    """Return the WGS-84 longitudes and latitudes of positions given in a system.

    Raises InvalidPosition for an unknown system.
    """
    return _conversion(_TO_WGS84, system)(lon, lat)


def from_wgs84(lon: Degrees, lat: Degrees, system: str) -> tuple[Degrees, Degrees]:
    """Return positions given in WGS-84 in another system; raises InvalidPosition for an unknown one."""
    return _conversion(_FROM_WGS84, system)(lon, lat)


def to_web_mercator(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    """Return EPSG:3857 metres, x to the east and y to the north, of WGS-84 positions between the poles."""
    return _WGS84_A * np.radians(lon), _WGS84_A * np.arcsinh(np.tan(np.radians(lat)))


def from_web_mercator(x: Degrees, y: Degrees) -> tuple[Degrees, Degrees]:
    """Return the WGS-84 positions of EPSG:3857 metres."""
    return np.degrees(x / _WGS84_A), np.degrees(np.arctan(np.sinh(y / _WGS84_A)))


def metres_per_degree(lat: Degrees) -> tuple[Degrees, Degrees]:
    """Return how many metres a degree of longitude and a degree of latitude are long at a latitude."""
    return _metres_per_degree(lat, _WGS84_A, _WGS84_E2)


def _metres_per_degree(lat: Any, a: float, e2: float) -> tuple[Any, Any]:
    latitude = np.radians(lat)
    flattening = 1 - e2 * np.sin(latitude) ** 2
    east = a / np.sqrt(flattening) * np.cos(latitude)
    north = a * (1 - e2) / flattening**1.5
    return np.radians(east), np.radians(north)


def _conversion(conversions: Mapping[str, _Conversion], system: str) -> _Conversion:
    try:
        return conversions[system]
    except KeyError:
        raise InvalidPosition("unknown_system", field="system", system=system, known=SYSTEMS) from None


def _same(lon: Any, lat: Any) -> tuple[Any, Any]:
    return lon, lat


def _to_gcj02(lon: Any, lat: Any) -> tuple[Any, Any]:
    return _in_china(_shift, lon, lat)


def _from_gcj02(lon: Any, lat: Any) -> tuple[Any, Any]:
    return _in_china(_inverse(_shift), lon, lat)


def _bd09_to_wgs84(lon: Any, lat: Any) -> tuple[Any, Any]:
    return _from_gcj02(*_inverse(_turn)(lon, lat))


def _wgs84_to_bd09(lon: Any, lat: Any) -> tuple[Any, Any]:
    return _turn(*_to_gcj02(lon, lat))


def _in_china(conversion: _Conversion, lon: Any, lat: Any) -> tuple[Any, Any]:
    """Convert what was given inside China's box and keep the rest as it is."""
    west, south, east, north = CHINA
    inside = (west <= lon) & (lon <= east) & (south <= lat) & (lat <= north)
    if not np.any(inside):  # also keeps the shift from latitudes that it has no meaning for
        return lon, lat
    converted = conversion(lon, lat)
    return np.where(inside, converted[0], lon)[()], np.where(inside, converted[1], lat)[()]


def _inverse(conversion: _Conversion) -> _Conversion:
    """The inverse of a conversion that moves each position a little, found by moving back again and again."""

    def inverse(lon: Any, lat: Any) -> tuple[Any, Any]:
        found_lon, found_lat = lon, lat
        for _ in range(_INVERSE_STEPS):
            moved_lon, moved_lat = conversion(found_lon, found_lat)
            found_lon, found_lat = found_lon - (moved_lon - lon), found_lat - (moved_lat - lat)
        return found_lon, found_lat

    return inverse


def _shift(lon: Any, lat: Any) -> tuple[Any, Any]:
    """GCJ-02's shift, by the formula generally known; x and y are degrees from 105° E, 35° N, the waves are metres."""
    x, y = lon - 105.0, lat - 35.0
    xy, root = 0.1 * x * y, np.sqrt(np.abs(x))
    ripple = 20 * _wave(x * 6) + 20 * _wave(x * 2)
    east = 300 + x + 2 * y + 0.1 * x * x + xy + 0.1 * root
    east += (ripple + 20 * _wave(x) + 40 * _wave(x / 3) + 150 * _wave(x / 12) + 300 * _wave(x / 30)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + xy + 0.2 * root
    north += (ripple + 20 * _wave(y) + 40 * _wave(y / 3) + 160 * _wave(y / 12) + 320 * _wave(y / 30)) * 2 / 3
    metres_east, metres_north = _metres_per_degree(lat, _KRASOVSKY_A, _KRASOVSKY_E2)
    return lon + east / metres_east, lat + north / metres_north


def _wave(half_turns: Any) -> Any:
    return np.sin(half_turns * math.pi)


def _turn(lon: Any, lat: Any) -> tuple[Any, Any]:
    """BD-09's turn of GCJ-02, in polar coordinates around 0° N, 0° E, by the formula generally known."""
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_FREQUENCY)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_FREQUENCY)
    return radius * np.cos(angle) + _BD_LON, radius * np.sin(angle) + _BD_LAT


_TO_WGS84: Mapping[str, _Conversion] = {
    "wgs84": _same,
    "cgcs2000": _same,
    "gcj02": _from_gcj02,
    "bd09": _bd09_to_wgs84,
}
_FROM_WGS84: Mapping[str, _Conversion] = {
    "wgs84": _same,
    "cgcs2000": _same,
    "gcj02": _to_gcj02,
    "bd09": _wgs84_to_bd09,
}
