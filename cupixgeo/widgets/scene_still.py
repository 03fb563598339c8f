"""A still picture of a scene from above, for pages that run nothing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.cloud.spatial_ref import AXES, POINT, with_crs
from cupixgeo.pipeline.dataset_reader import DatasetReader
from cupixgeo.pipeline.picture import encode, picture
from cupixgeo.pipeline.raster import top_view
from cupixgeo.widgets.points import Frame, PointSource
from cupixgeo.widgets.points_paint import RGB, Paint, brightest, colours

PIXELS = 420
"""Longest side of the picture."""

POINTS_PER_PIXEL = 3.0


def still_picture(
    sources: Iterable[PointSource], frame: Frame, paint: Paint, clip: FloatArray | None
) -> bytes | None:
    """Draw a sample of the clouds from above, in the colours of the scene.

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

    Returns
    -------
    bytes or None
        PNG; None where there is no point to draw.
    """
    parts = []
    for index, source in enumerate(sources):
        needs = [name for name in paint.needs if name in source.variables]
        columns = source.sample([*AXES, *needs])
        xyz = np.stack([columns[axis] for axis in AXES], axis=1)
        shift = 8 if paint.kind == "rgb" and needs and brightest(columns) > 255 else 0
        rgb = colours(paint, columns, cloud=index, shift=shift)
        if clip is not None:
            inside = ((xyz >= clip[0]) & (xyz <= clip[1])).all(axis=1)
            xyz, rgb = xyz[inside], rgb[inside]
        parts.append((xyz, rgb))
    if not any(len(xyz) for xyz, _ in parts):
        return None
    xyz, rgb = (np.concatenate(both) for both in zip(*parts, strict=True))
    coords = {axis: (POINT, xyz[:, i]) for i, axis in enumerate(AXES)}
    # black would be taken for a cloud without colours
    bands = {name: (POINT, np.maximum(rgb[:, i], 1)) for i, name in enumerate(RGB)}
    drawn = with_crs(xr.Dataset(bands, coords), frame.crs)
    view = top_view(DatasetReader(drawn), max_pixels=PIXELS, points_per_pixel=POINTS_PER_PIXEL)
    return encode(picture(view, by="colour"), "png")
