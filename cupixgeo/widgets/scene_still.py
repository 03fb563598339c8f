"""A still picture of a scene, for pages that run nothing: what the front end shows, without it.

The same camera, colours and shading of edges as ``frontend/src``, over a sample of the points.
Must not know widgets.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.cloud.spatial_ref import AXES
from cupixgeo.widgets.points import Frame, PointSource
from cupixgeo.widgets.points_paint import Paint, brightest, colours

SIZE = (560, 300)
"""Width and height [pixel]."""

SAMPLE_POINTS = 400_000
"""Points drawn: two and a half a pixel."""

MANY_POINTS = 150_000
"""Points from which on they are drawn two pixels wide, else three."""

FIELD_DEG = 45.0
FILLED = 0.92
AZIMUTH_DEG, ELEVATION_DEG = 30.0, 38.0
"""The usual view, as in ``orbit.js``."""

SHADES = 128
"""Colours of the file: a picture of points is noise, and noise is large."""

_STRENGTH, _DARKEST, _STEP = 22.0, 1.7, 0.05

Rgb = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Eye:
    """A pinhole camera.

    Parameters
    ----------
    at : ndarray, shape (3,), float64 [m], in the scene
    look, right, up : ndarray, shape (3,), float64
        Unit vectors.
    """

    at: FloatArray
    look: FloatArray
    right: FloatArray
    up: FloatArray

    @classmethod
    def of(cls, viewpoint: Mapping[str, Any], box: FloatArray) -> Eye:
        """Make the camera of a viewpoint; of an empty one that which sees a whole box.

        Parameters
        ----------
        viewpoint : mapping
            As the front end tells it: ``target``, ``distance`` [m], ``azimuth``, ``elevation``
            [deg].
        box : ndarray, shape (2, 3), float64 [m], in the scene
        """
        azimuth = math.radians(viewpoint.get("azimuth", AZIMUTH_DEG))
        elevation = math.radians(viewpoint.get("elevation", ELEVATION_DEG))
        sa, ca, se, ce = (f(a) for a in (azimuth, elevation) for f in (math.sin, math.cos))
        look, right = np.array([sa * ce, ca * ce, -se]), np.array([ca, -sa, 0.0])
        up = np.array([sa * se, ca * se, ce])
        if viewpoint:
            at = np.array(viewpoint["target"]) - float(viewpoint["distance"]) * look
            return cls(at, look, right, up)
        corners = np.array(np.meshgrid(*(box - box.mean(axis=0)).T)).reshape(3, -1).T
        depth = corners @ look
        distance, across = 0.05, np.zeros(3)
        tangent = math.tan(math.radians(FIELD_DEG) / 2) * FILLED
        fits = [(right, tangent * SIZE[0] / SIZE[1]), (up, tangent)]
        for axis, t in fits:
            v = corners @ axis
            apart = (v[:, None] - v) / (2 * t) - (depth[:, None] + depth) / 2
            distance = max(distance, float(apart.max()))
        for axis, t in fits:
            v, reach = corners @ axis, (distance + depth) * t
            across = across + axis * ((v - reach).max() + (v + reach).min()) / 2
        return cls(box.mean(axis=0) + across - distance * look, look, right, up)

    def project(self, xyz: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Columns, rows [pixel] and depths [m] of points, shape (n,) each.

        Parameters
        ----------
        xyz : ndarray, shape (n, 3), float64 [m], in the scene
        """
        away = xyz - self.at
        depth = away @ self.look
        scale = SIZE[1] / (2 * math.tan(math.radians(FIELD_DEG) / 2)) / np.maximum(depth, 1e-6)
        column = SIZE[0] / 2 + away @ self.right * scale
        return column, SIZE[1] / 2 - away @ self.up * scale, depth


def still_picture(
    sources: Iterable[PointSource], frame: Frame, paint: Paint, clip: FloatArray | None, eye: Eye
) -> bytes | None:
    """Draw a sample of the clouds in the colours of the scene.

    Parameters
    ----------
    sources : iterable of PointSource
        The clouds that are switched on.
    frame : Frame
        Their frame.
    paint : Paint
        What they are coloured by.
    clip : ndarray, shape (2, 3), float64 [CRS units], or None
        Clipping box.
    eye : Eye
        Where the picture is taken from.

    Returns
    -------
    bytes or None
        PNG; None where there is no point to draw.
    """
    shown = list(sources)
    parts = []
    for index, source in enumerate(shown):
        needs = [name for name in paint.needs if name in source.variables]
        columns = source.sample([*AXES, *needs], SAMPLE_POINTS // len(shown))
        xyz = np.stack([columns[axis] for axis in AXES], axis=1)
        shift = 8 if paint.kind == "rgb" and needs and brightest(columns) > 255 else 0
        rgb = colours(paint, columns, cloud=index, shift=shift)
        if clip is not None:
            inside = ((xyz >= clip[0]) & (xyz <= clip[1])).all(axis=1)
            xyz, rgb = xyz[inside], rgb[inside]
        parts.append((frame.to_scene(xyz), rgb))
    if not any(len(xyz) for xyz, _ in parts):
        return None
    xyz, rgb = (np.concatenate(both) for both in zip(*parts, strict=True))
    depth, image = _drawn(eye, xyz, rgb)
    return _png(image * _shading(depth)[..., None], np.isfinite(depth))


def _drawn(eye: Eye, xyz: FloatArray, rgb: Rgb) -> tuple[FloatArray, Rgb]:
    """Depth and colour of the nearest point of each pixel; few points are drawn wider."""
    column, row, away = eye.project(xyz)
    seen = (away > 0) & (column > -2) & (column < SIZE[0] + 2) & (row > -2) & (row < SIZE[1] + 2)
    order = np.flatnonzero(seen)[np.argsort(-away[seen])]  # the nearest is drawn last
    i, j = row[order].astype(np.int64), column[order].astype(np.int64)
    depth = np.full((SIZE[1] + 8, SIZE[0] + 8), np.inf)
    image = np.zeros((*depth.shape, 3), np.uint8)
    place = (i + 3) * depth.shape[1] + j + 3
    wide = range(2 if len(order) > MANY_POINTS else 3)
    # each pixel of a point in turn: a far point may not come over a near one of another turn
    for offset in (r * depth.shape[1] + c for r in wide for c in wide):
        at = place + offset
        one = np.full(depth.size, -1, np.int64)
        one[at] = order
        new = np.flatnonzero(one >= 0)
        nearer = new[away[one[new]] < depth.ravel()[new]]
        depth.ravel()[nearer] = away[one[nearer]]
        image.reshape(-1, 3)[nearer] = rgb[one[nearer]]
    inner = (slice(3, 3 + SIZE[1]), slice(3, 3 + SIZE[0]))
    return depth[inner], image[inner]


def _shading(depth: FloatArray) -> FloatArray:
    """Brightness of each pixel: darker, the nearer its neighbours are."""
    log = np.pad(np.log2(depth), 1, constant_values=np.inf)
    rows, columns = depth.shape
    own = log[1:-1, 1:-1]
    dark = np.zeros(depth.shape)
    with np.errstate(invalid="ignore"):
        for i in range(3):
            for j in range(3):
                step = own - log[i : i + rows, j : j + columns]
                dark += np.where(step > 0, np.minimum(step, _STEP), 0.0)
    return np.exp(-np.minimum(dark * _STRENGTH, _DARKEST))


def _png(rgb: FloatArray, seen: npt.NDArray[np.bool_]) -> bytes:
    import PIL.Image

    image = np.zeros((*seen.shape, 4), np.uint8)
    image[..., :3] = rgb
    image[..., 3] = np.where(seen, 255, 0)
    file = io.BytesIO()
    # back from a palette, whose transparency not every program understands
    few = PIL.Image.fromarray(image).quantize(SHADES).convert("RGBA")
    few.save(file, "PNG", optimize=True)
    return file.getvalue()
