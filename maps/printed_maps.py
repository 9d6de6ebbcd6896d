"""Areas as a picture for printed pages: an SVG of ours, shaded by a number, with names, figures and a legend, made
without a browser; knows no issue."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from math import cos, radians

import numpy as np
import shapely
from msgspec import Struct

from maps import issue_map
from maps.issue_map import UNITS, Area, Drawing, Encoded, Label

WIDTH = 640.0  # of the picture, in its own units: a quarter of a millimetre on the page
MOST_HEIGHT = 440.0
MARGIN = 6.0
LEGEND = 26.0  # below the map
FINEST = 800  # parts of the longer side: a fifth of a millimetre
BUDGET = 90_000  # bytes of geometry
SHADES = ("#f7f1e4", "#efe1c8", "#e3cba4", "#d3b07f", "#bd9160")  # those of the issue map, from few to many
INK, SOFT, LINE = "#2c2621", "#665c52", "#8a7a68"
NAME_SIZE, FIGURE_SIZE, LARGER_SIZE = 9.0, 8.5, 12.0
MOST_NAMED = 40  # areas that carry their own names; of more, only the larger places are named
LEAST_SHARE = 0.75  # of a text's half width that the widest circle in an area must hold


class Shaded(Struct, frozen=True):
    """What an area shows: the number that shades it, and the figures that are written in it."""

    value: int
    figures: str


def classes(values: Sequence[int]) -> list[tuple[int, int]]:
    """From how many to how many each shade stands for: nothing by itself, the rest in up to four steps of one width."""
    most = max(values, default=0)
    if most == 0:
        return [(0, 0)]
    steps = min(len(SHADES) - 1, most)
    bounds = [round(most * step / steps) for step in range(steps + 1)]
    return [(0, 0), *((low + 1, high) for low, high in pairwise(bounds))]


def svg(areas: Sequence[Area], shaded: Mapping[str, Shaded], font: str) -> str:
    """The picture; an area that nothing is said of stays white. Empty where there is nothing to draw."""
    drawing = issue_map.draw(_coarse(areas), budget=BUDGET)
    if not drawing.areas or 0 in drawing.size:
        return ""
    return _Picture(drawing, shaded, font).svg()


def _coarse(areas: Sequence[Area]) -> list[Area]:
    """The areas without what nobody sees on a page: drawing them then takes no longer for the most detailed ones."""
    if not areas:
        return []
    shapes = np.array([area.geometry for area in areas])
    west, south, east, north = shapely.total_bounds(shapes)
    coarse = shapely.coverage_simplify(shapes, max(east - west, north - south) / FINEST)
    drawn = [shape if not shape.is_empty else area.geometry for area, shape in zip(areas, coarse, strict=True)]
    return [Area(area.code, area.name, area.part_of, shape) for area, shape in zip(areas, drawn, strict=True)]


Box = tuple[float, float, float, float]  # left, top, right, bottom


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


class _Picture:
    """The picture of a drawing."""

    def __init__(self, drawing: Drawing, shaded: Mapping[str, Shaded], font: str) -> None:
        self.drawing, self.shaded, self.font = drawing, shaded, font
        width, height = drawing.size
        self.squeeze = cos(radians((drawing.origin[1] + height / 2) / UNITS))  # a degree of longitude is shorter
        inner = WIDTH - 2 * MARGIN
        self.scale = min(inner / (width * self.squeeze), (MOST_HEIGHT - 2 * MARGIN) / height)
        self.left = (WIDTH - width * self.squeeze * self.scale) / 2
        self.height = height * self.scale + 2 * MARGIN
        self.classes = classes([one.value for one in shaded.values()])

    def svg(self) -> str:
        whole = self.height + LEGEND
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {whole:.1f}" width="{WIDTH:g}">',
            f'<g font-family="{escape(self.font)}">',
            f'<rect width="{WIDTH:g}" height="{whole:.1f}" fill="#ffffff"/>',
            *self._areas(),
            *self._borders(),
            *self._labels(),
            *self._legend(),
            "</g></svg>",
        ]
        return "\n".join(parts)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        """Units from the corner below to the left, as points of the picture."""
        _, height = self.drawing.size
        return self.left + x * self.squeeze * self.scale, MARGIN + (height - y) * self.scale

    def _areas(self) -> list[str]:
        labels = self.drawing.labels
        return [
            f'<path d="{self._outline(encoded)}" fill="{self._shade(label.code)}" fill-rule="evenodd"'
            f' stroke="{LINE}" stroke-width="0.5"/>'
            for label, encoded in zip(labels, self.drawing.areas, strict=True)
        ]

    def _outline(self, encoded: Encoded) -> str:
        return "".join(f"M{self._line(ring)}Z" for rings in encoded for ring in rings)

    def _line(self, steps: Sequence[int]) -> str:
        x = y = 0
        points = []
        for at in range(0, len(steps), 2):
            x, y = x + steps[at], y + steps[at + 1]
            points.append("{:.1f},{:.1f}".format(*self._at(x, y)))
        return " ".join(points)

    def _borders(self) -> list[str]:
        return [
            f'<path d="M{self._line(line)}" fill="none" stroke="{SOFT}" stroke-width="1.4"/>'
            for line in self.drawing.borders
        ]

    def _shade(self, code: str) -> str:
        one = self.shaded.get(code)
        if one is None:
            return "#ffffff"
        return SHADES[next(at for at, (_, high) in enumerate(self.classes) if one.value <= high)]

    def _labels(self) -> list[str]:
        if len(self.drawing.labels) <= MOST_NAMED:
            return [text for label in self.drawing.labels for text in self._of_area(label)]
        return self._of_larger()

    def _of_larger(self) -> list[str]:
        """The names of the larger places: where there is most room first, smaller where it is close, and none where it
        would lie on another."""
        written: list[str] = []
        boxes: list[Box] = []
        for label in sorted(self.drawing.larger, key=lambda one: (-one.room, one.code)):
            x, y = self._at(label.x, label.y)
            for size in (LARGER_SIZE, LARGER_SIZE * 0.8):
                half = len(label.name) * size / 2
                box = (x - half, y - size * 0.9, x + half, y + size * 0.2)
                if not any(_overlap(box, other) for other in boxes):
                    boxes.append(box)
                    written += self._text(x, y, label.name, size, bold=True)
                    break
        return written

    def _of_area(self, label: Label) -> list[str]:
        one = self.shaded.get(label.code)
        room = label.room * self.scale
        x, y = self._at(label.x, label.y)
        if len(label.name) * NAME_SIZE / 2 * LEAST_SHARE <= room:
            name = self._text(x, y - 1, label.name, NAME_SIZE)
            return name + (self._text(x, y + FIGURE_SIZE, one.figures, FIGURE_SIZE, bold=True) if one else [])
        return self._text(x, y + 3, one.figures, FIGURE_SIZE, bold=True) if one else []

    def _text(
        self, x: float, y: float, text: str, size: float, *, bold: bool = False, anchor: str = "middle"
    ) -> list[str]:
        """A text with a pale edge, so that it can be read on every shade."""
        weight = ' font-weight="700"' if bold else ""
        at = f'x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}"{weight}'
        edge = (
            f'<text {at} fill="#ffffff" stroke="#ffffff" stroke-width="2.4" stroke-opacity="0.85">{escape(text)}</text>'
        )
        return [edge, f'<text {at} fill="{INK}">{escape(text)}</text>']

    def _legend(self) -> list[str]:
        parts = []
        x, y = MARGIN, self.height + 8
        for shade, (low, high) in zip(SHADES, self.classes, strict=False):
            said = str(low) if low == high else f"{low}–{high}"
            parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="18" height="10" fill="{shade}" stroke="{LINE}"'
                         ' stroke-width="0.5"/>')  # fmt: skip
            parts += self._text(x + 22, y + 8.5, said, FIGURE_SIZE, anchor="start")
            x += 22 + 6 * len(said) + 22
        return parts
