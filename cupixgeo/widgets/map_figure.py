"""The map as a still picture, drawn without a browser: for exported notebooks and code hosts.

Knows how layers, marks and a graticule are drawn in web Mercator with Pillow. Must not know
widgets.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.pipeline.figures import decimals, round_step, ticks
from cupixgeo.pipeline.lonlat import mercator_y
from cupixgeo.widgets.map_layers import (
    OUTLINE_FILL,
    Classes,
    Layer,
    Outlines,
    Picture,
    Points,
    class_legend,
    colour_of,
)

WIDTH, HEIGHT = 860, 500
"""Size of the picture [pixel]."""

_PAPER, _INK, _FAINT, _GRID = "#f2f4f6", "#1f2328", "#66707a", "#c9d1d8"
_PICKED, _AREA = "#ffd60a", "#c2185b"
_MARGIN = 34
_SPHERE_M = 6_378_137.0
_COLOURS = 255


@dataclass(frozen=True, eq=False)
class Marks:
    """What is drawn over the layers.

    Parameters
    ----------
    table : str
        Table in which rows are selected.
    rows : frozenset of int
        The selected rows.
    area : ndarray, shape (n, 2), float64 [deg], or None
        Vertices of the area of interest.
    gcps : ndarray, shape (k, 2), float64 [deg]
        Control points.
    gcp_labels : tuple of str
        Their names.
    """

    table: str
    rows: frozenset[int]
    area: FloatArray | None
    gcps: FloatArray
    gcp_labels: tuple[str, ...]


def draw_map(
    layers: Sequence[Layer], marks: Marks, *, hidden: frozenset[str] = frozenset()
) -> bytes | None:
    """Draw a map.

    Parameters
    ----------
    layers : sequence of Layer
        From the lowest to the topmost.
    marks : Marks
        Selection, area and control points.
    hidden : frozenset of str
        Layers that are listed but not drawn.

    Returns
    -------
    bytes or None
        PNG; None where there is nothing with a place.
    """
    shown = [layer for layer in layers if layer.name not in hidden]
    area = np.empty((0, 2)) if marks.area is None else marks.area
    corners = np.concatenate([marks.gcps, area, *(layer.corners for layer in shown)])
    if not len(corners):
        return None
    image = PIL.Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    sheet = _Sheet(image, corners)
    sheet.graticule()
    for layer in shown:
        if isinstance(layer, Picture):
            sheet.picture(layer)
    for layer in shown:
        picked = marks.rows if getattr(layer, "table", None) == marks.table else frozenset()
        if isinstance(layer, Outlines):
            sheet.outlines(layer, colour_of(layer, layers), picked)
        elif isinstance(layer, Points):
            sheet.points(layer, colour_of(layer, layers), picked)
    if len(area):
        sheet.pen.polygon(_pairs(sheet.pixels(area)), outline=_AREA, width=3)
    for (x, y), label in zip(sheet.pixels(marks.gcps).tolist(), marks.gcp_labels, strict=True):
        sheet.control_point(x, y, label)
    sheet.scale_bar()
    sheet.legend(shown, layers)
    file = io.BytesIO()
    image.quantize(_COLOURS, method=PIL.Image.Quantize.FASTOCTREE).save(file, "PNG")
    return file.getvalue()


class _Sheet:
    """A picture, and where longitudes and latitudes lie in it."""

    def __init__(self, image: PIL.Image.Image, corners: FloatArray) -> None:
        self.image = image
        self.pen = PIL.ImageDraw.Draw(image, "RGBA")
        self.font = PIL.ImageFont.load_default(12)
        plane = _plane(corners)
        low, high = plane.min(axis=0), plane.max(axis=0)
        # the legend's place stays free
        room = np.array([WIDTH - 200 - 2 * _MARGIN, HEIGHT - 2 * _MARGIN])
        self.scale = float((room / np.maximum(high - low, 1e-9)).min())
        self.left, self.top = (low + high) / 2 * [1, -1] - (room / 2 + _MARGIN) / self.scale

    def pixels(self, lon_lat: FloatArray) -> FloatArray:
        """Places in the picture, shape (n, 2) [pixel]."""
        at: FloatArray = (_plane(lon_lat) * [1, -1] - [self.left, self.top]) * self.scale
        return at

    def graticule(self) -> None:
        east = math.degrees(self.left + WIDTH / self.scale)
        south, north = (
            math.degrees(math.atan(math.sinh(-self.top - row / self.scale))) for row in (HEIGHT, 0)
        )
        west = math.degrees(self.left)
        places = decimals(min(round_step(east - west, 4), round_step(north - south, 3)))
        for lon in ticks(west, east, 4):
            x = float(self.pixels(np.array([[lon, south]]))[0, 0])
            self.pen.line([(x, 0), (x, HEIGHT)], fill=_GRID)
            self._write(x + 4, HEIGHT - 17, f"{abs(lon):.{places}f}° {'EW'[lon < 0]}")
        for lat in ticks(south, north, 3):
            y = float(self.pixels(np.array([[west, lat]]))[0, 1])
            self.pen.line([(0, y), (WIDTH, y)], fill=_GRID)
            self._write(4, y - 16, f"{abs(lat):.{places}f}° {'NS'[lat < 0]}")

    def picture(self, layer: Picture) -> None:
        (west, south), (east, north) = self.pixels(layer.corners).round().astype(int).tolist()
        image = PIL.Image.fromarray(layer.picture.image)
        scaled = image.resize((max(1, east - west), max(1, south - north)), reducing_gap=2.0)
        self.image.paste(scaled, (west, north), scaled)

    def outlines(self, layer: Outlines, colour: str, picked: frozenset[int]) -> None:
        fill = OUTLINE_FILL if layer.is_filled else 0.0
        for row, ring in enumerate(layer.rings):
            if not len(ring):
                continue
            at = _pairs(self.pixels(ring))
            line = _class_colour(layer.classes, row, colour)
            if row in picked:
                self.pen.polygon(at, fill=_faded(_PICKED, 0.4), outline=_INK, width=3)
            else:
                self.pen.polygon(at, fill=_faded(line, fill), outline=line, width=2)

    def points(self, layer: Points, colour: str, picked: frozenset[int]) -> None:
        radius = 2 if len(layer.lon_lat) > 2000 else 4
        at = self.pixels(layer.lon_lat).tolist()
        rows = [*(row for row in range(len(at)) if row not in picked), *sorted(picked)]
        for row in rows:
            x, y = at[row]
            if math.isfinite(x):
                r = radius + 2 if row in picked else radius
                fill = _PICKED if row in picked else _class_colour(layer.classes, row, colour)
                ring = _INK if row in picked else "#ffffff"
                self.pen.ellipse([x - r, y - r, x + r, y + r], fill=fill, outline=ring)

    def control_point(self, x: float, y: float, label: str) -> None:
        self.pen.ellipse([x - 7, y - 7, x + 7, y + 7], outline="#ffffff", width=4)
        self.pen.ellipse([x - 6, y - 6, x + 6, y + 6], outline=_INK, width=2)
        self.pen.line([(x - 10, y), (x + 10, y)], fill=_INK)
        self.pen.line([(x, y - 10), (x, y + 10)], fill=_INK)
        self._write(x + 11, y - 16, label, _INK)

    def scale_bar(self) -> None:
        latitude = math.atan(math.sinh(-self.top - HEIGHT / 2 / self.scale))
        metre = self.scale / _SPHERE_M / math.cos(latitude)
        length_m = round_step(150 / metre, 1)
        right, y = WIDTH - 16.0, HEIGHT - 26.0
        x = right - length_m * metre
        self.pen.line([(x, y - 5), (x, y), (right, y), (right, y - 5)], fill=_INK, width=2)
        words = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
        self._write(x + 5, y - 17, words, _INK)

    def legend(self, shown: Sequence[Layer], layers: Sequence[Layer]) -> None:
        lines = [line for layer in shown for line in _legend_lines(layer, layers)]
        width, height = 190, 16 + 18 * len(lines)
        left = WIDTH - width - 10
        self.pen.rectangle([left, 10, left + width, 10 + height], fill="#ffffff", outline=_GRID)
        for i, (colour, words) in enumerate(lines):
            y = 18 + 18 * i
            if colour:
                self.pen.rectangle([left + 10, y + 3, left + 20, y + 12], fill=colour)
            self._write(left + 28, y, words, _INK)

    def _write(self, x: float, y: float, words: str, colour: str = _FAINT) -> None:
        self.pen.text((x, y), words, fill=colour, font=self.font)


def _legend_lines(layer: Layer, layers: Sequence[Layer]) -> list[tuple[str, str]]:
    if isinstance(layer, Picture):
        ramp = layer.ramp
        scale = "" if ramp is None else f" {ramp.low}–{ramp.high} {ramp.unit}"
        return [("", layer.name + scale)]
    if layer.classes is None:
        count = len(layer.labels)
        return [(colour_of(layer, layers), f"{layer.name} ({count:,})")]
    kinds = class_legend(layer.classes)
    return [("", layer.name), *((k["colour"], f"{k['name']} ({k['count']:,})") for k in kinds)]


def _plane(lon_lat: FloatArray) -> FloatArray:
    """Web Mercator on the unit sphere, shape (n, 2)."""
    return np.column_stack([np.radians(lon_lat[:, 0]), mercator_y(lon_lat[:, 1])])


def _pairs(at: FloatArray) -> list[tuple[float, float]]:
    return [(x, y) for x, y in at.tolist()]


def _class_colour(classes: Classes | None, row: int, otherwise: str) -> str:
    return otherwise if classes is None else classes.colours[classes.codes[row]]


def _faded(colour: str, opacity: float) -> str:
    return f"{colour}{round(opacity * 255):02x}"
