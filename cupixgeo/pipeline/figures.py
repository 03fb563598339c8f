"""Figures of a report as inline SVG: framed maps with grid, scale bar and north arrow; histograms.

Knows geometry and typography of a figure. Colours are classes, styled by the page, so that one
figure serves light and dark schemes and print. Must not know what a merge is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

import numpy as np

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.pipeline.picture import COLORMAPS
from cupixgeo.pipeline.raster import TopView

LONGEST = 1000.0
"""Longest side of a map's frame, SVG units."""

NARROWEST = 460.0
"""Width a figure has at least, for its scale bar and legend, SVG units."""

LETTER = 17.0
"""Width of a digit in the largest type a page sets figures in, SVG units."""

HISTOGRAM_BARS = 48


@dataclass(frozen=True)
class Legend:
    """Colour scale of a map.

    Parameters
    ----------
    colormap : str
        Key of `COLORMAPS`.
    low, high : float
        Values at the ends, in `unit`.
    unit : str
        ``"m"``, ``"points/m²"``.
    """

    colormap: str
    low: float
    high: float
    unit: str


def round_step(span: float, parts: float) -> float:
    """Largest of 1, 2 or 5 times a power of ten that cuts `span` into at least `parts` parts.

    Parameters
    ----------
    span : float
        Any unit, more than 0.
    parts : float
        How many parts are wanted.

    Returns
    -------
    float
        In the unit of `span`.
    """
    raw = span / parts
    magnitude = 10.0 ** math.floor(math.log10(raw))
    return next(m * magnitude for m in (5.0, 2.0, 1.0) if m * magnitude <= raw * (1 + 1e-9))


def ticks(low: float, high: float, parts: float) -> list[float]:
    """Round values between `low` and `high`, in their unit."""
    step = round_step(high - low, parts)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def decimals(step: float) -> int:
    """Decimals it takes to write a multiple of `step`."""
    return max(0, -math.floor(math.log10(step) + 1e-9))


def map_figure(view: TopView, address: str, *, title: str, legend: Legend | None = None) -> str:
    """Frame a picture of a top view as a map.

    Parameters
    ----------
    view : TopView
        Says where the picture is.
    address : str
        The picture as a ``data:`` address.
    title : str
        What it shows, for those who cannot see it.
    legend : Legend or None
        Colour scale to put below the frame.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    west, south, east, north = view.bounds
    across = (east - west) * view.metres[0]
    up = (north - south) * view.metres[1]
    scale = LONGEST / max(across, up)
    width, height = max(across * scale, 1.0), max(up * scale, 1.0)
    left = 44.0 + max(0.0, (NARROWEST - width) / 2)
    top = 12.0
    total = max(width, NARROWEST) + 56.0
    strip = top + height + 46.0
    frame = _Frame(view, left, top, width, height)
    parts = [
        f'<rect class="sheet" x="{left:.1f}" y="{top}" width="{width:.1f}" height="{height:.1f}"/>',
        f'<image x="{left:.1f}" y="{top}" width="{width:.1f}" height="{height:.1f}" '
        f'preserveAspectRatio="none" href="{address}"/>',
        _grid(frame),
        f'<rect class="neat" x="{left:.1f}" y="{top}" width="{width:.1f}" height="{height:.1f}"/>',
        _scale_bar(44.0, strip, across, scale, total),
        _north(total - 30.0, strip + 22.0, view),
    ]
    bottom = strip + 62.0
    if legend is not None:
        parts.append(_colour_bar(44.0, strip + 72.0, total - 56.0, legend))
        bottom += 76.0
    return (
        f'<svg class="map" viewBox="0 0 {total:.0f} {bottom:.0f}" role="img" '
        f'aria-label="{escape(title)}" style="max-width:{total * 1.15:.0f}px">'
        + "".join(parts)
        + "</svg>"
    )


@dataclass(frozen=True)
class _Frame:
    """Where a view's coordinates lie in the figure."""

    view: TopView
    left: float
    top: float
    width: float
    height: float

    def x(self, value: float) -> float:
        west, _, east, _ = self.view.bounds
        return self.left + (value - west) / (east - west) * self.width

    def y(self, value: float) -> float:
        _, south, _, north = self.view.bounds
        return self.top + (north - value) / (north - south) * self.height


def _grid(frame: _Frame) -> str:
    """Ticks with coordinates on the frame, and crosses where they meet."""
    west, south, east, north = frame.view.bounds
    longest = max(frame.width, frame.height)
    step = max(
        round_step(east - west, 5 * frame.width / longest),
        round_step(north - south, 5 * frame.height / longest),
    )
    places = decimals(step)
    xs = np.arange(math.ceil(west / step), east / step) * step
    ys = np.arange(math.ceil(south / step), north / step) * step
    base, edge = frame.top + frame.height, frame.left
    lines = [f"M{frame.x(x):.1f} {base:.1f}v8" for x in xs]
    lines += [f"M{edge:.1f} {frame.y(y):.1f}h-8" for y in ys]
    crosses = [f"M{frame.x(x) - 7:.1f} {frame.y(y):.1f}h14m-7 -7v14" for x in xs for y in ys]
    texts = [
        f'<text x="{frame.x(x):.1f}" y="{base + 30:.1f}" text-anchor="middle">{x:.{places}f}</text>'
        for x in _labelled(xs, places, frame.width / (east - west))
        if frame.left + 50 < frame.x(x) < frame.left + frame.width - 50
    ]
    texts += [
        f'<text transform="translate({edge - 14:.1f} {frame.y(y):.1f}) rotate(-90)" '
        f'text-anchor="middle">{y:.{places}f}</text>'
        for y in _labelled(ys, places, frame.height / (north - south))
        if frame.top + 50 < frame.y(y) < base - 50
    ]
    return (
        f'<path class="tick" d="{"".join(lines)}"/><path class="cross" d="{"".join(crosses)}"/>'
        + "".join(texts)
    )


def _labelled(values: FloatArray, places: int, scale: float) -> FloatArray:
    """Every value, or every second, ..., so that labels of large type stay apart."""
    if len(values) < 2:
        return values
    room = len(f"{values[-1]:.{places}f}") * LETTER + 1.5 * LETTER
    return values[:: math.ceil(room / ((values[1] - values[0]) * scale))]


def _scale_bar(x: float, y: float, across_m: float, scale: float, total: float) -> str:
    """Four alternating fields of a round length."""
    length_m = round_step(across_m, 4) if across_m * scale > 300 else round_step(300 / scale, 4)
    length = min(length_m * scale, total / 2)
    quarter = length / 4
    fields = "".join(
        f'<rect class="{"ink" if i % 2 == 0 else "paper"}" x="{x + i * quarter:.1f}" '
        f'y="{y + 30:.1f}" width="{quarter:.1f}" height="8"/>'
        for i in range(4)
    )
    value, unit = (length_m / 1000, "km") if length_m >= 1000 else (length_m, "m")
    if length_m < 0.1:
        value, unit = length_m * 1000, "mm"
    return (
        f'<g class="scalebar">{fields}'
        f'<text x="{x:.1f}" y="{y + 22:.1f}">0</text>'
        f'<text x="{x + length:.1f}" y="{y + 22:.1f}" text-anchor="middle">{value:g} {unit}</text>'
        "</g>"
    )


def _north(x: float, y: float, view: TopView) -> str:
    """Arrow up: grid north, or the y axis of a frame that has no north yet."""
    word = "y" if view.crs.is_engineering else "N"
    return (
        f'<g class="north" transform="translate({x:.1f} {y:.1f})">'
        '<path class="ink" d="M0 -22L0 16L-11 24Z"/><path class="paper" d="M0 -22L0 16L11 24Z"/>'
        f'<text x="-18" y="12" text-anchor="end">{word}</text></g>'
    )


def _colour_bar(x: float, y: float, width: float, legend: Legend) -> str:
    stops = COLORMAPS[legend.colormap]
    gradient = "".join(
        f'<stop offset="{i / (len(stops) - 1):.4f}" stop-color="{colour}"/>'
        for i, colour in enumerate(stops)
    )
    span = max(legend.high - legend.low, 1e-9)
    values = ticks(legend.low, legend.low + span, 4)
    places = decimals(values[1] - values[0]) if len(values) > 1 else 1
    marks = "".join(
        f'<text x="{x + (v - legend.low) / span * width:.1f}" y="{y + 42:.1f}" '
        f'text-anchor="{_anchor((v - legend.low) / span)}">{v:.{places}f}</text>'
        for v in values
    )
    name = f"scale-{legend.colormap}"
    return (
        f'<defs><linearGradient id="{name}">{gradient}</linearGradient></defs>'
        f'<rect class="neat" style="fill:url(#{name})" x="{x:.1f}" y="{y:.1f}" '
        f'width="{width:.1f}" height="14"/>{marks}'
    )


def _anchor(fraction: float) -> str:
    return "start" if fraction < 0.03 else "end" if fraction > 0.96 else "middle"


def histogram(values: FloatArray, legend: Legend, *, title: str) -> str:
    """Draw how often values occur, in the colours of a map's legend.

    Parameters
    ----------
    values : ndarray, shape (n,), float64, in `legend.unit`
        Finite.
    legend : Legend
        Colours; values over its high end are drawn in the last bar.
    title : str
        What it shows, for those who cannot see it.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    span = max(legend.high - legend.low, 1e-9)
    clipped = np.clip(values, legend.low, legend.low + span)
    counts, edges = np.histogram(clipped, HISTOGRAM_BARS, (legend.low, legend.low + span))
    share = counts / max(1, counts.sum())
    left, top, width, height = 10.0, 36.0, 1000.0, 170.0
    bar = width / HISTOGRAM_BARS
    stops = COLORMAPS[legend.colormap]
    bars = "".join(
        f'<rect x="{left + i * bar + 1:.1f}" y="{top + height * (1 - s / share.max()):.1f}" '
        f'width="{bar - 2:.1f}" height="{height * s / share.max():.1f}" '
        f'fill="{stops[round(i / (HISTOGRAM_BARS - 1) * (len(stops) - 1))]}">'
        f"<title>{edges[i]:.4g} to {edges[i + 1]:.4g} {escape(legend.unit)}: {s:.1%}</title></rect>"
        for i, s in enumerate(share)
        if s > 0
    )
    median = float(np.median(values))
    at = left + (min(max(median, legend.low), legend.high) - legend.low) / span * width
    marks = "".join(
        f'<text x="{left + (v - legend.low) / span * width:.1f}" y="{top + height + 30:.0f}" '
        f'text-anchor="{_anchor((v - legend.low) / span)}">{v:,g}</text>'
        for v in ticks(legend.low, legend.low + span, 6)
    )
    return (
        f'<svg class="chart" viewBox="0 0 1020 245" role="img" aria-label="{escape(title)}">'
        f'{bars}<path class="tick" d="M{left} {top + height}h{width}"/>{marks}'
        f'<path class="median" d="M{at:.1f} {top - 6}v{height + 6}"/>'
        f'<text class="strong" x="{at:.1f}" y="22" text-anchor="{"start" if at < 510 else "end"}">'
        f"median {median:,.3g} {escape(legend.unit)}</text></svg>"
    )
