"""Pins and areas as a folium page that fetches nothing from a foreign host; knows no issue.

Two steps, because the first is slow and the same for everybody: `draw` turns areas of any detail into a compact
drawing of a given size, and `page` puts a drawing into a page. Folium gets geometry and numbers only. Names and every
other text travel in an inert JSON block, and the page's own script sets them as text, never as markup.
"""

import json
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import folium
import numpy as np
import numpy.typing as npt
import shapely
from branca.element import Figure, MacroElement
from folium.template import Template
from msgspec import Struct

from maps.base_maps import BaseMap
from maps.coordinates import System, from_wgs84

UNITS = 100_000  # per degree: five decimals, a metre
BUDGET = 225_000  # bytes that a drawing may take, so that the page stays below 300 KB
FINEST = 2e-5  # degrees: the first tolerance that is tried
COARSER = 1.25
EARTH_KM = 6371.0072  # of a sphere with the earth's surface
SLIVER = 1e-4  # degrees: what parts neighbours by less, in boundaries that do not fit together, is no gap

Ring: TypeAlias = npt.NDArray[np.int64]  # (n, 2) units from the origin, not closed
Encoded: TypeAlias = list[list[list[int]]]  # polygons, their rings, and x, y, then the steps from point to point


class Area(Struct, frozen=True):
    """A place to draw: its code and name, the (code, name) of the larger place it is part of, and its WGS-84 shape."""

    code: str
    name: str
    part_of: tuple[str, str] | None
    geometry: Any


class Label(Struct, frozen=True):
    """Where a place's name may stand, how far it is from there to the nearest line, in units, and its surface."""

    code: str
    name: str
    part_of: str | None
    x: int
    y: int
    room: int
    km2: float


class Drawing(Struct, frozen=True, kw_only=True):
    """Areas as a page carries them: all numbers are units from `origin`, in the system of the base map."""

    origin: tuple[int, int]
    size: tuple[int, int]
    areas: list[Encoded]
    borders: list[list[int]]  # lines between the larger places, and around all
    labels: list[Label]  # one for each area, in the same order
    larger: list[Label]


class Assets(Struct, frozen=True, kw_only=True):
    """Where the page's own scripts and styles are served."""

    leaflet: str
    script: str
    styles: str
    icon: str


def draw(areas: Sequence[Area], system: System = "wgs84", budget: int = BUDGET) -> Drawing:
    """Draw areas with as much detail as the budget of bytes allows, neighbours still sharing their lines.

    Seconds for the largest districts: call it once for each version of the boundaries, not for each page."""
    if not areas:
        return Drawing(origin=(0, 0), size=(0, 0), areas=[], borders=[], labels=[], larger=[])
    shapes = np.array([area.geometry for area in areas])
    surfaces = square_kilometres(shapes)
    if system not in ("wgs84", "cgcs2000"):
        shapes = shapely.transform(shapes, lambda x, y: from_wgs84(x, y, system), interleaved=False)
    coverage = bool(shapely.coverage_is_valid(shapes))
    drawing = (
        _drawn(areas, shapes, surfaces, coverage) if shapely.get_num_coordinates(shapes).sum() * 5 < budget else None
    )
    tolerance = FINEST
    while drawing is None or drawing_bytes(drawing) > budget:
        shapes = _simplified(shapes, tolerance, coverage)
        enough = shapely.get_num_coordinates(shapes).sum() * 5 < budget or tolerance > 1
        drawing = _drawn(areas, shapes, surfaces, coverage) if enough else None
        if tolerance > 1:
            break
        tolerance *= COARSER
    assert drawing is not None  # noqa: S101 - the loop leaves only with one
    return drawing


def square_kilometres(shapes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the surface of each WGS-84 shape, by the cylindrical equal-area projection of a sphere (Lambert): right to
    three parts in a thousand."""
    flat = shapely.transform(
        shapes, lambda x, y: (np.radians(x) * EARTH_KM, np.sin(np.radians(y)) * EARTH_KM), interleaved=False
    )
    return np.asarray(shapely.area(flat), dtype=np.float64)


def drawing_bytes(drawing: Drawing) -> int:
    """Return how much of the page the geometry takes."""
    return len(_compact([drawing.areas, drawing.borders]))


def page(
    drawing: Drawing,
    *,
    title: str,
    language: str,
    base_map: BaseMap,
    assets: Assets,
    nonce: str,
    data: Mapping[str, object],
) -> str:
    """Render the page; `data` is handed to the page's script as it is, beside the names of the areas."""
    issue_map = IssueMap(drawing, base_map, assets)
    for layer in base_map.layers:
        tiles = folium.TileLayer(
            layer,
            attr=base_map.credit,
            subdomains=base_map.subdomains or "abc",
            max_native_zoom=base_map.max_zoom,
            max_zoom=20,
        )
        tiles.add_to(issue_map)
    Areas(drawing).add_to(issue_map)
    whole = Page(title=title, language=language, nonce=nonce, assets=assets, data={**data, **_names(drawing)})
    issue_map.add_to(whole)
    return str(whole.render())


def file(
    drawing: Drawing, *, title: str, language: str, styles: str, scripts: Sequence[str], data: Mapping[str, object]
) -> str:
    """Render a page that has all it needs with it and asks nobody for anything, so that it opens from a stick: the text
    of its styles and of its scripts, Leaflet's first. Its own policy holds it to that. Raises ValueError for what would
    end a script or a style before its end."""
    for text in (styles, *scripts):
        if "<!--" in text or "</script" in text.lower() or "</style" in text.lower():
            raise ValueError("a script or a style holds what would end it")
    library, *own = scripts
    issue_map = IssueMap(drawing, BaseMap(), None)
    Areas(drawing).add_to(issue_map)
    nonce = secrets.token_urlsafe(18)
    whole = File(
        title=title,
        language=language,
        nonce=nonce,
        styles=styles,
        library=library,
        own=own,
        data={**data, **_names(drawing)},
    )
    issue_map.add_to(whole)
    return str(whole.render())


class Page(Figure):
    """A figure whose scripts carry the nonce of this one response.

    Every text stands in this template as a value. Whatever an element of branca's renders is read as a template once
    more, so no text may come from there.
    """

    _template = Template(
        '<!DOCTYPE html>\n<html lang="{{ this.language|e }}">\n<head>\n'
        '<meta charset="utf-8">\n<title>{{ this.title|e }}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">\n'
        '<meta name="color-scheme" content="light">\n'
        '<link rel="icon" href="{{ this.assets.icon|e }}" type="image/svg+xml">\n'
        "{{ this.header.render(**kwargs) }}"
        "\n</head>\n<body>\n{{ this.html.render(**kwargs) }}\n"
        '<script type="application/json" id="data">{{ this.data }}</script>\n'
        '<script nonce="{{ this.nonce|e }}">\n{{ this.script.render(**kwargs) }}\n</script>\n'
        '<script type="module" src="{{ this.assets.script|e }}"></script>\n'
        "</body>\n</html>\n"
    )

    def __init__(self, *, title: str, language: str, nonce: str, assets: Assets, data: Mapping[str, object]) -> None:
        super().__init__(title=title)
        self.language = language
        self.nonce = nonce
        self.assets = assets
        self.data = _inert(data)
        self.header._children.clear()  # the character set stands in the template


class File(Figure):
    """A figure in one file: what it shows and what it runs stand in it, and its policy lets in nothing else."""

    _template = Template(
        '<!DOCTYPE html>\n<html lang="{{ this.language|e }}">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="{{ this.policy|e }}">\n'
        "<title>{{ this.title|e }}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">\n'
        '<meta name="color-scheme" content="light">\n'
        '<style nonce="{{ this.nonce|e }}">{{ this.styles }}</style>\n'
        "</head>\n<body>\n{{ this.html.render(**kwargs) }}\n"
        '<script type="application/json" id="data">{{ this.data }}</script>\n'
        '<script nonce="{{ this.nonce|e }}">{{ this.library }}</script>\n'
        '<script nonce="{{ this.nonce|e }}">\n{{ this.script.render(**kwargs) }}\n</script>\n'
        '{% for script in this.own %}<script nonce="{{ this.nonce|e }}">{{ script }}</script>\n{% endfor %}'
        "</body>\n</html>\n"
    )

    def __init__(
        self,
        *,
        title: str,
        language: str,
        nonce: str,
        styles: str,
        library: str,
        own: Sequence[str],
        data: Mapping[str, object],
    ) -> None:
        super().__init__(title=title)
        self.language = language
        self.nonce = nonce
        self.styles = styles
        self.library = library
        self.own = own
        self.data = _inert(data)
        self.policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:;"
            " base-uri 'none'; form-action 'none'"
        )


class IssueMap(folium.Map):
    """Folium's map without the scripts, styles and fonts that it would fetch from elsewhere."""

    _template = Template(
        "{% macro header(this, kwargs) %}{% endmacro %}"
        '{% macro html(this, kwargs) %}<div class="map" id={{ this.get_name()|tojson }}></div>{% endmacro %}'
        "{% macro script(this, kwargs) %}"
        "var {{ this.get_name() }} = L.map({{ this.get_name()|tojson }}, "
        "{center: {{ this.location|tojson }}, ...{{ this.options|tojavascript }} });"
        "{% endmacro %}"
    )

    def __init__(self, drawing: Drawing, base_map: BaseMap, assets: Assets | None) -> None:
        west, south = drawing.origin
        width, height = drawing.size
        super().__init__(
            location=((south + height / 2) / UNITS, (west + width / 2) / UNITS),
            tiles=None,
            zoom_start=12,
            zoom_control=False,
            max_zoom=20,
            maxZoom=20,
            zoomSnap=1 if base_map.layers else 0.25,
        )
        self._id = "issues"
        self.default_js = [("leaflet", assets.leaflet)] if assets else []
        self.default_css = [("styles", assets.styles)] if assets else []


class Areas(MacroElement):
    """The areas and the borders of the larger places, unpacked from units and steps to Leaflet's shapes.

    Each area's place in the drawing is its option `area`; the page's script colours it and listens to it.
    """

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "var {{ this.get_name() }} = (() => {\n"
        "const [west, south] = {{ this.drawing.origin|tojson }};\n"
        "const unpack = (steps) => { let x = west, y = south; const points = [];"
        " for (let at = 0; at < steps.length; at += 2) points.push([(y += steps[at + 1]) / {{ this.units }},"
        " (x += steps[at]) / {{ this.units }}]); return points; };\n"
        "return {\n"
        "areas: {{ this.areas }}.map((polygons, area) => L.polygon(polygons.map((rings) => rings.map(unpack)),"
        " { area, className: 'area', smoothFactor: 0, bubblingMouseEvents: false })),\n"
        "borders: L.polyline({{ this.borders }}.map(unpack),"
        " { className: 'border', interactive: false, smoothFactor: 0 }) };\n"
        "})();"
        "{% endmacro %}"
    )

    def __init__(self, drawing: Drawing) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name, self._id = "drawing", "issues"
        self.drawing = drawing
        self.units = UNITS
        self.areas = _compact(drawing.areas)
        self.borders = _compact(drawing.borders)


def _simplified(shapes: npt.NDArray[Any], tolerance: float, coverage: bool) -> npt.NDArray[Any]:
    if coverage:
        return np.asarray(shapely.coverage_simplify(shapes, tolerance))
    return np.asarray(shapely.simplify(shapes, tolerance, preserve_topology=True))


def _drawn(
    areas: Sequence[Area], shapes: npt.NDArray[Any], surfaces: npt.NDArray[np.float64], coverage: bool
) -> Drawing:
    west, south, east, north = shapely.total_bounds(shapes)
    origin = np.floor(np.array([west, south]) * UNITS).astype(np.int64)
    corner = np.ceil(np.array([east, north]) * UNITS).astype(np.int64)
    rings = [[[_ring(ring, origin) for ring in _rings(part)] for part in shapely.get_parts(shape)] for shape in shapes]
    return Drawing(
        origin=(int(origin[0]), int(origin[1])),
        size=(int(corner[0] - origin[0]), int(corner[1] - origin[1])),
        areas=[[[_steps(ring) for ring in part if len(ring) > 2] for part in parts] for parts in rings],
        borders=_borders([area.part_of for area in areas], rings) if coverage else _outlines(areas, shapes, origin),
        labels=[
            _label(area.code, area.name, area.part_of, shape, origin, km2)
            for area, shape, km2 in zip(areas, shapes, surfaces, strict=True)
        ],
        larger=[
            _label(
                *place,
                None,
                shapely.union_all(shapely.buffer(shapes[within], 0)),
                origin,
                float(surfaces[within].sum()),
            )
            for place, within in _by_larger(areas).items()
        ],
    )


def _by_larger(areas: Sequence[Area]) -> dict[tuple[str, str], list[int]]:
    larger: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for at, area in enumerate(areas):
        if area.part_of is not None:
            larger[area.part_of].append(at)
    return larger


def _rings(polygon: Any) -> list[Any]:
    return [polygon.exterior, *polygon.interiors]


def _ring(ring: Any, origin: npt.NDArray[np.int64]) -> Ring:
    """Round to units; leave out the closing point, and those that rounding made equal to the one before."""
    points = np.rint(shapely.get_coordinates(ring) * UNITS).astype(np.int64) - origin
    moved = np.any(np.diff(points, axis=0) != 0, axis=1)
    return np.asarray(points[:-1][moved])


def _steps(points: Ring) -> list[int]:
    first = points[:1]
    return [int(value) for value in np.concatenate([first, np.diff(points, axis=0)]).ravel()]


def _borders(larger: Sequence[tuple[str, str] | None], rings: Sequence[Sequence[Sequence[Ring]]]) -> list[list[int]]:
    """Lines that only one area of the same larger place has: where two such places meet, and around all."""
    owners: defaultdict[tuple[tuple[int, int], tuple[int, int]], set[Any]] = defaultdict(set)
    inner = set()
    for place, parts in zip(larger, rings, strict=True):
        for edge in (edge for part in parts for ring in part for edge in _edges(ring)):
            if place in owners[edge]:
                inner.add(edge)
            owners[edge].add(place)
    lines = [edge for edge in owners if edge not in inner]
    if not lines:
        return []
    merged = shapely.line_merge(shapely.multilinestrings(np.array(lines, dtype=np.float64)))
    return [_steps(shapely.get_coordinates(line).astype(np.int64)) for line in shapely.get_parts(merged)]


def _outlines(areas: Sequence[Area], shapes: npt.NDArray[Any], origin: npt.NDArray[np.int64]) -> list[list[int]]:
    """The same where neighbours overlap or leave slivers between them: these are closed first."""
    places: defaultdict[tuple[str, str] | None, list[Any]] = defaultdict(list)
    for area, shape in zip(areas, shapes, strict=True):
        places[area.part_of].append(shapely.buffer(shape, SLIVER, join_style="mitre"))
    outlines = [
        shapely.simplify(shapely.buffer(shapely.union_all(grown), -SLIVER), SLIVER) for grown in places.values()
    ]
    return [
        _steps(np.rint(shapely.get_coordinates(line) * UNITS).astype(np.int64) - origin)
        for outline in outlines
        for polygon in shapely.get_parts(outline)
        for line in _rings(polygon)
    ]


def _edges(ring: Ring) -> Iterable[tuple[tuple[int, int], tuple[int, int]]]:
    points = [(int(x), int(y)) for x, y in ring]
    for start, end in zip(points, points[1:] + points[:1], strict=True):
        yield (start, end) if start < end else (end, start)


def _label(
    code: str, name: str, part_of: tuple[str, str] | None, shape: Any, origin: npt.NDArray[np.int64], km2: float
) -> Label:
    """Put the label where the largest circle fits; coarse, since nobody measures it."""
    width, height = np.ptp(shapely.bounds(shape).reshape(2, 2), axis=0)
    radius = shapely.maximum_inscribed_circle(shape, tolerance=max(width, height, 1e-6) / 50)
    (x, y), edge = shapely.get_coordinates(radius)
    at = np.rint(np.array([x, y]) * UNITS).astype(np.int64) - origin
    room = int(np.hypot(edge[0] - x, edge[1] - y) * UNITS)
    return Label(code, name, part_of[0] if part_of else None, int(at[0]), int(at[1]), room, round(float(km2), 4))


def _names(drawing: Drawing) -> dict[str, object]:
    larger = {label.code: place for place, label in enumerate(drawing.larger)}
    return {
        "origin": drawing.origin,
        "size": drawing.size,
        "units": UNITS,
        "areas": [
            [label.code, label.name, larger.get(label.part_of or "", -1), label.x, label.y, label.room, label.km2]
            for label in drawing.labels
        ],
        "larger": [[label.code, label.name, label.x, label.y, label.room, label.km2] for label in drawing.larger],
    }


def _inert(data: Mapping[str, object]) -> str:
    """JSON that no parser of HTML can take for anything else."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
