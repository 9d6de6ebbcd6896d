"""The drawing of areas and the page around it: compact, whole, and deaf to what texts say."""

import json
import re
from typing import Any

import numpy as np
import pytest
import shapely

from maps import base_maps, coordinates, issue_map
from maps.issue_map import UNITS, Area, Assets, Drawing

ASSETS = Assets(
    leaflet="/static/leaflet.js", script="/static/map.js", styles="/static/map.css", icon="/static/icon.svg"
)
HOSTILE = "</script><script>alert(1)</script>{{ 7 * 7 }}{% raw %}${alert(2)}`&amp;"
STREETS = [("01", "东街"), ("02", "西街")]


def grid(columns: int, rows: int, vertices: int, larger: bool = True) -> list[Area]:
    """Areas side by side whose shared lines waver, each with about so many vertices."""
    rng = np.random.default_rng(11)
    steps = max(1, vertices // 4)
    along = np.linspace(0, 1, steps + 1)

    def waver(start: np.ndarray, end: np.ndarray) -> np.ndarray:
        aside = np.clip(np.cumsum(rng.normal(0, 0.004, steps + 1)), -0.3 * along, 0.3 * along)
        aside = np.clip(aside, -0.3 * (1 - along), 0.3 * (1 - along))
        across = np.array([start[1] - end[1], end[0] - start[0]])
        return np.asarray(start + (end - start) * along[:, None] + across * aside[:, None])

    corner = [[np.array([113.4 + 0.01 * x, 34.6 + 0.008 * y]) for y in range(rows + 1)] for x in range(columns + 1)]
    flat = {(x, y): waver(corner[x][y], corner[x + 1][y]) for x in range(columns) for y in range(rows + 1)}
    upright = {(x, y): waver(corner[x][y], corner[x][y + 1]) for x in range(columns + 1) for y in range(rows)}

    def ring(x: int, y: int) -> np.ndarray:
        parts = [flat[x, y][:-1], upright[x + 1, y][:-1], flat[x, y + 1][::-1][:-1], upright[x, y][::-1]]
        return np.concatenate(parts)

    return [
        Area(
            f"{x:03d}{y:03d}",
            f"第{x * rows + y}社区",
            STREETS[2 * x // columns] if larger else None,
            shapely.Polygon(ring(x, y)),
        )
        for x in range(columns)
        for y in range(rows)
    ]


def shapes(drawing: Drawing) -> list[Any]:
    """What a browser makes of the drawing."""
    west, south = drawing.origin

    def unpacked(steps: list[int]) -> np.ndarray:
        return np.asarray((np.cumsum(np.array(steps).reshape(-1, 2), axis=0) + np.array([west, south])) / UNITS)

    return [
        shapely.union_all([shapely.Polygon(unpacked(part[0]), [unpacked(hole) for hole in part[1:]]) for part in parts])
        for parts in drawing.areas
    ]


def rendered(drawing: Drawing, base_map: str = "none", key: str | None = None, **data: object) -> str:
    return issue_map.page(
        drawing,
        title=HOSTILE,
        language="zh-CN",
        base_map=base_maps.chosen(base_map, key),
        assets=ASSETS,
        nonce="n0nce",
        data=data,
    )


def test_a_drawing_without_need_to_simplify_is_exact_to_the_metre() -> None:
    areas = grid(4, 3, 40)
    for area, shown in zip(areas, shapes(issue_map.draw(areas)), strict=True):
        assert shapely.hausdorff_distance(area.geometry, shown) < 1e-5


def test_six_hundred_detailed_communities_stay_below_the_limit_and_leave_no_gaps() -> None:
    areas = grid(30, 20, 1300)
    assert shapely.coverage_is_valid(np.array([area.geometry for area in areas]))
    drawing = issue_map.draw(areas)
    assert issue_map.drawing_bytes(drawing) <= issue_map.BUDGET
    assert len(rendered(drawing).encode()) < 300_000
    assert (
        sum(len(ring) // 2 for parts in drawing.areas for part in parts for ring in part) > 12_000
    )  # not crude either
    shown = np.array(shapes(drawing))
    assert shapely.is_valid(shown).all()
    assert shapely.coverage_is_valid(shown)
    original = shapely.union_all([area.geometry for area in areas])
    assert shapely.union_all(shown).symmetric_difference(original).area / original.area < 0.01


def test_overlapping_areas_are_drawn_one_by_one() -> None:
    areas = [
        Area("1", "甲", None, shapely.Point(113.6, 34.7).buffer(0.01, quad_segs=2000)),
        Area("2", "乙", None, shapely.Point(113.61, 34.7).buffer(0.01, quad_segs=2000)),
    ]
    drawing = issue_map.draw(areas, budget=2_000)
    assert issue_map.drawing_bytes(drawing) <= 2_000
    for area, shown in zip(areas, shapes(drawing), strict=True):
        assert shown.symmetric_difference(area.geometry).area / area.geometry.area < 0.1


def test_holes_and_several_parts_are_kept() -> None:
    ring = shapely.box(113.60, 34.70, 113.63, 34.73).difference(shapely.box(113.61, 34.71, 113.62, 34.72))
    island = shapely.box(113.65, 34.70, 113.66, 34.71)
    drawing = issue_map.draw([Area("1", "甲", None, shapely.union_all([ring, island]))])
    assert shapely.equals_exact(shapely.normalize(shapes(drawing)[0]), shapely.normalize(ring.union(island)), 1e-9)


def test_borders_are_where_larger_places_meet_and_around_all() -> None:
    drawing = issue_map.draw(grid(4, 2, 4))
    assert [label.name for label in drawing.larger] == ["东街", "西街"]
    west, south = drawing.origin
    lines = shapely.multilinestrings(
        [shapely.linestrings(np.cumsum(np.array(line).reshape(-1, 2), axis=0)) for line in drawing.borders]
    )
    middle = shapely.LineString(
        [((113.42 * UNITS) - west, 34.6 * UNITS - south), (113.42 * UNITS - west, 34.616 * UNITS - south)]
    )
    outline = shapely.box(0, 0, *drawing.size).exterior
    assert lines.buffer(2).covers(middle)
    assert lines.buffer(2).covers(outline)
    assert lines.length == pytest.approx(middle.length + outline.length, abs=20)


def test_labels_stand_inside_their_areas() -> None:
    areas = grid(3, 3, 60)
    drawing = issue_map.draw(areas)
    west, south = drawing.origin
    for area, label in zip(areas, drawing.labels, strict=True):
        at = shapely.Point((west + label.x) / UNITS, (south + label.y) / UNITS)
        assert label.name == area.name
        assert area.geometry.contains(at)
        assert 0 < label.room <= 500


def test_a_base_map_in_another_system_moves_the_lines() -> None:
    area = Area("1", "甲", None, shapely.box(113.60, 34.70, 113.61, 34.71))
    lon, lat = coordinates.from_wgs84(113.60, 34.70, "gcj02")
    west, south, *_ = shapes(issue_map.draw([area], "gcj02"))[0].bounds
    assert west == pytest.approx(lon, abs=2e-5)
    assert south == pytest.approx(lat, abs=2e-5)
    assert abs(west - 113.60) > 0.004


def test_a_district_without_boundaries_has_a_page() -> None:
    assert "L.map" in rendered(issue_map.draw([]))


def test_nothing_is_fetched_from_elsewhere() -> None:
    html = rendered(issue_map.draw(grid(2, 2, 8)))
    assert not re.search(r'(?:src|href)\s*=\s*"?\s*(?:https?:)?//', html)
    assert "http" not in html.replace("http-equiv", "")


def test_every_inline_script_carries_the_nonce_and_no_style_is_inline() -> None:
    html = rendered(issue_map.draw(grid(2, 2, 8)), "osm")
    inline = [tag for tag in re.findall(r"<script[^>]*>", html) if "src=" not in tag and "application/json" not in tag]
    assert inline == ['<script nonce="n0nce">']
    assert "<style" not in html
    assert "style=" not in html


def test_texts_reach_the_page_as_data_and_nothing_else() -> None:
    area = Area(HOSTILE, HOSTILE, (HOSTILE, HOSTILE), shapely.box(113.60, 34.70, 113.61, 34.71))
    html = rendered(issue_map.draw([area]), district=HOSTILE)
    assert "alert(1)</script>" not in html
    before, block, after = re.split(r'(<script type="application/json" id="data">.*?</script>)', html, flags=re.DOTALL)
    assert "alert" not in before.replace("&lt;/script&gt;&lt;script&gt;alert(1)", "").replace("${alert(2)}", "")
    assert "alert" not in after
    data = json.loads(block.removeprefix('<script type="application/json" id="data">').removesuffix("</script>"))
    assert data["district"] == HOSTILE
    assert data["areas"][0][:2] == [HOSTILE, HOSTILE]
    assert data["larger"][0][:2] == [HOSTILE, HOSTILE]


def test_a_base_map_brings_its_tiles_with_the_key() -> None:
    html = rendered(issue_map.draw([]), "tianditu", "a{{key}}&b")
    assert html.count("L.tileLayer") == 2
    assert "tk=a%7B%7Bkey%7D%7D%26b" in html.replace("\\u0026", "&")
    assert base_maps.chosen("tianditu", "k").hosts() == [f"https://t{s}.tianditu.gov.cn" for s in range(8)]
    assert base_maps.chosen("osm", None).hosts() == ["https://tile.openstreetmap.org"]
    assert base_maps.chosen("none", None).hosts() == []


def test_a_base_map_that_needs_a_key_says_so() -> None:
    with pytest.raises(base_maps.KeyMissing):
        base_maps.chosen("tianditu", None)
