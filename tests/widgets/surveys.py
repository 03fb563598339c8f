"""Made surveys with known answers: coordinates of UTM size, colours, classes."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from cupixgeo.cloud.spatial_ref import with_crs

FIELD_DEG = 45.0

CORNER = (576_600.0, 5_188_000.0, 160.0)


def survey(count=5_000, *, seed=0, side=100.0, crs=32615):
    """A rolling meadow with a tower, in scan order; float64 coordinates with many digits."""
    rng = np.random.default_rng(seed)
    x, y = rng.random(count) * side, np.sort(rng.random(count)) * side
    z = 3 * np.sin(x / 15) * np.cos(y / 11) + rng.normal(0, 0.02, count)
    tower = np.hypot(x - 0.7 * side, y - 0.6 * side) < 0.06 * side
    z = np.where(tower, rng.random(count) * 20, z)
    green = np.where(tower, 40_000, 30_000 + 8 * 256 * np.sin(x)).astype(np.uint16)
    variables = {
        "red": np.where(tower, 60_000, 20_000 + rng.integers(0, 9_000, count)).astype(np.uint16),
        "green": green,
        "blue": rng.integers(8_000, 20_000, count).astype(np.uint16),
        "classification": np.where(tower, 6, 2).astype(np.uint8),
        "intensity": (green // 30).astype(np.uint16),
        "quality": rng.random(count),
    }
    coords = {axis: v + c for axis, v, c in zip("xyz", (x, y, z), CORNER, strict=True)}
    return with_crs(
        xr.Dataset(
            {name: ("point", values) for name, values in variables.items()},
            {axis: ("point", values) for axis, values in coords.items()},
        ),
        crs,
    )


def xyz_of(dataset):
    return np.stack([dataset[axis].to_numpy() for axis in "xyz"], axis=1)


def on_screen(xyz, viewpoint, width, height_px):
    """Where points are on the canvas [pixel], by a pinhole camera of its own."""
    azimuth, elevation = (math.radians(viewpoint[k]) for k in ("azimuth_deg", "elevation_deg"))
    sa, ca, se, ce = math.sin(azimuth), math.cos(azimuth), math.sin(elevation), math.cos(elevation)
    look, right, up = np.array([[sa * ce, ca * ce, -se], [ca, -sa, 0], [sa * se, ca * se, ce]])
    eye = np.array(viewpoint["target"]) - viewpoint["distance_m"] * look
    away = np.asarray(xyz) - eye
    per_pixel = 2 * math.tan(math.radians(FIELD_DEG / 2)) / height_px
    depth = away @ look
    x = width / 2 + away @ right / depth / per_pixel
    y = height_px / 2 - away @ up / depth / per_pixel
    return np.stack([x, y], axis=-1), depth
