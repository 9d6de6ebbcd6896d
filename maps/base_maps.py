"""The base maps that an installation can choose from: where their tiles are, and in which system they are drawn."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from msgspec import Struct, structs

from maps.coordinates import System

_OSM_CREDIT = '© <a href="https://www.openstreetmap.org/copyright" rel="noreferrer">OpenStreetMap</a>'
_TIANDITU = (
    "https://t{s}.tianditu.gov.cn/%s_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=%s&STYLE=default"
    "&TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk={key}"
)


class KeyMissing(Exception):
    """This base map is served only to those who have a key."""


class BaseMap(Struct, frozen=True, kw_only=True):
    """Tile layers, lowest first; `{s}` stands for one of the subdomains' letters, `{key}` for the customer's key.

    `system` is what the tiles are drawn in: positions must be shifted to it before they are shown on top.
    """

    layers: tuple[str, ...] = ()
    subdomains: str = ""
    system: System = "wgs84"
    credit: str = ""
    max_zoom: int = 19

    def hosts(self) -> list[str]:
        """Every origin that tiles come from, for the page's content security policy."""
        origins = [match[0] for layer in self.layers if (match := re.match(r"https://[^/]+", layer))]
        return sorted({origin.replace("{s}", letter) for origin in origins for letter in self.subdomains or " "})


CATALOGUE: Mapping[str, BaseMap] = {
    "none": BaseMap(),
    "osm": BaseMap(layers=("https://tile.openstreetmap.org/{z}/{x}/{y}.png",), credit=_OSM_CREDIT),
    "tianditu": BaseMap(
        layers=(_TIANDITU % ("vec", "vec"), _TIANDITU % ("cva", "cva")),
        subdomains="01234567",
        system="cgcs2000",
        credit="天地图",
        max_zoom=18,
    ),
    "amap": BaseMap(
        layers=("https://webrd0{s}.is.autonavi.com/appmaptile?lang=zh_cn&size=1&scale=1&style=8&x={x}&y={y}&z={z}",),
        subdomains="1234",
        system="gcj02",
        credit="高德地图",
        max_zoom=18,
    ),
}


def chosen(name: str, key: str | None) -> BaseMap:
    """Return the base map of this name with the key in its addresses; raises KeyMissing where it needs one."""
    base_map = CATALOGUE[name]
    if key is None and any("{key}" in layer for layer in base_map.layers):
        raise KeyMissing(name)
    layers = tuple(layer.replace("{key}", quote(key or "", safe="")) for layer in base_map.layers)
    return structs.replace(base_map, layers=layers)
