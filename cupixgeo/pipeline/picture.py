"""Pictures of a top view: shaded relief, colours by height, density.

Knows how numbers become colours and colours become a small file. Must not know what page, map or
notebook shows them.
"""

from __future__ import annotations

import base64
import io
from typing import Literal

import numpy as np

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.pipeline.raster import Image, Mask, TopView, close_gaps, neighbours

COLORMAPS: dict[str, tuple[str, ...]] = {
    # matplotlib's viridis and Crameri's batlow (both perceptually uniform), nine and ten samples
    "density": (
        "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30",
        "#fde725",
    ),
    "height": (
        "#011959", "#103f60", "#1c5a62", "#3c6d56", "#687b3e", "#9d892b", "#d29343", "#f8a17b",
        "#fdb7bc", "#faccfa",
    ),
}  # fmt: skip
"""Colours from the lowest to the highest value, evenly spaced."""


def picture(
    view: TopView,
    *,
    by: Literal["best", "colour", "height"] = "best",
    heights: tuple[float, float] | None = None,
) -> Image:
    """Draw a top view with shaded relief; small gaps are closed, the rest is transparent.

    Parameters
    ----------
    view : TopView
        What to draw.
    by : {"best", "colour", "height"}
        The points' own colours, or heights from `height_range`; ``"best"`` takes the colours
        where there are any.
    heights : tuple of 2 float or None
        Heights the colours run between, CRS units, to compare pictures; `height_range` otherwise.

    Returns
    -------
    Image
        Shape (rows, columns, 4), uint8 RGBA.
    """
    relief, seen = close_gaps(view.height, view.seen)
    light = hillshade(relief, seen, view)
    if by == "height" or view.colour is None:
        low, high = heights or height_range(view)
        base = colours((relief - low) / max(high - low, 1e-9), "height").astype(np.float64)
        light = 0.40 + 0.60 * light
    else:
        bands = (close_gaps(view.colour[..., i], view.seen)[0] for i in range(3))
        base = np.stack(list(bands), axis=-1)
        light = 0.70 + 0.30 * light
    return _rgba(base * light[..., None], seen)


def density_picture(values: FloatArray) -> Image:
    """Draw densities in the colours of ``COLORMAPS["density"]``.

    Parameters
    ----------
    values : ndarray, shape (rows, columns), float64 [1/m²]
        As returned by `density`.

    Returns
    -------
    Image
        Shape (rows, columns, 4), uint8 RGBA; transparent where there are no points.
    """
    low, high = density_range(values)
    scaled = (np.nan_to_num(values) - low) / max(high - low, 1e-9)
    return _rgba(colours(scaled, "density").astype(np.float64), np.isfinite(values))


def height_range(view: TopView) -> tuple[float, float]:
    """Heights the colours run between, CRS units: all but the extreme half per cents."""
    low, high = np.nanpercentile(view.height, (0.5, 99.5))
    return float(low), float(high)


def density_range(values: FloatArray) -> tuple[float, float]:
    """Densities the colours run between [1/m²]: from zero to all but the highest per cent.

    Parameters
    ----------
    values : ndarray, shape (rows, columns), float64 [1/m²]
        As returned by `density`.
    """
    return 0.0, float(np.nanpercentile(values, 99))


def hillshade(heights: FloatArray, seen: Mask, view: TopView) -> FloatArray:
    """Light from the north-west at 45°, 1.0 for level ground.

    Parameters
    ----------
    heights : ndarray, shape (rows, columns), float64, CRS units
        Heights, any value where not `seen`.
    seen : ndarray, shape (rows, columns), bool
        Where there is ground.
    view : TopView
        Gives the pixel size and the units.

    Returns
    -------
    ndarray, shape (rows, columns), float64
        Between 0 and about 1.4.
    """
    total, number = neighbours(heights, seen)
    smooth = (total + np.where(seen, heights, 0.0)) / np.maximum(number + seen, 1)
    dx = view.pixel[0] * view.metres[0] / view.metres[2]
    dy = view.pixel[1] * view.metres[1] / view.metres[2]
    east = _slope(smooth, seen, axis=1) / dx
    north = -_slope(smooth, seen, axis=0) / dy
    facing = (east - north) * np.sqrt(0.5)
    light = (1.0 + facing) / np.sqrt(1.0 + east**2 + north**2)
    lit: FloatArray = np.maximum(light, 0.0)
    return lit


def _slope(heights: FloatArray, seen: Mask, *, axis: int) -> FloatArray:
    """Change of height per pixel, from the neighbours that are there; 0 where there are none."""
    h, s = np.moveaxis(heights, axis, 0), np.moveaxis(seen, axis, 0)
    slope = np.zeros(h.shape)
    if len(h) > 1:
        step = np.where(s[1:] & s[:-1], np.diff(h, axis=0), 0.0)
        both = (s[1:] & s[:-1]).astype(np.float64)
        number = np.zeros(h.shape)
        slope[1:] += step
        slope[:-1] += step
        number[1:] += both
        number[:-1] += both
        slope /= np.maximum(number, 1.0)
    return np.moveaxis(slope, 0, axis)


def colours(fraction: FloatArray, name: str) -> Image:
    """Colours of a colormap, linear between its samples.

    Parameters
    ----------
    fraction : ndarray, shape (...), float64
        0 for the first colour, 1 for the last; clipped.
    name : str
        Key of `COLORMAPS`.

    Returns
    -------
    ndarray, shape (..., 3), uint8
    """
    stops = COLORMAPS[name]
    samples = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in stops], np.float64)
    place = np.clip(fraction, 0.0, 1.0) * (len(stops) - 1)
    bands = [np.interp(place, np.arange(len(stops)), samples[:, band]) for band in range(3)]
    return np.stack(bands, axis=-1).round().astype(np.uint8)


def _rgba(rgb: FloatArray, seen: Mask) -> Image:
    image = np.zeros((*seen.shape, 4), np.uint8)
    image[..., :3] = np.where(seen[..., None], np.clip(rgb, 0, 255), 0).astype(np.uint8)
    image[..., 3] = np.where(seen, 255, 0)
    return image


def encode(image: Image, kind: Literal["webp", "png"] = "webp") -> bytes:
    """Compress a picture, transparency kept: WebP (small) or PNG (exact)."""
    import PIL.Image

    file = io.BytesIO()
    if kind == "webp":
        PIL.Image.fromarray(image).save(file, "WEBP", quality=92, method=4)
    else:
        PIL.Image.fromarray(image).save(file, "PNG", optimize=True)
    return file.getvalue()


def data_address(image: Image, kind: Literal["webp", "png"] = "webp") -> str:
    """Return a picture as a ``data:`` address, for pages that load nothing."""
    return f"data:image/{kind};base64,{base64.b64encode(encode(image, kind)).decode('ascii')}"
