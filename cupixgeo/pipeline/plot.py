"""A point-cloud dataset drawn from above with matplotlib."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import CloudError, MissingExtraError
from cupixgeo.geodesy.crs import crs_label
from cupixgeo.pipeline.dataset_reader import DatasetReader
from cupixgeo.pipeline.picture import COLORMAPS, height_range, picture
from cupixgeo.pipeline.raster import TopView, top_view

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT_PIXELS = 900
"""Longest side of the raster that is drawn [pixel]."""


def plot(dataset: xr.Dataset, by: str = "best", *, ax: Axes | None = None) -> Axes:
    """Draw a cloud from above, shaded.

    Parameters
    ----------
    dataset : xarray.Dataset
        A cloud of any size; it is read block by block.
    by : str
        ``"rgb"`` for the points' colours, ``"z"`` for heights, ``"best"`` for colours where
        there are any and heights otherwise, or the name of an attribute (its value at the
        highest point of each pixel).
    ax : matplotlib.axes.Axes or None
        Where to draw; a new figure unless given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    CloudError
        There is no such attribute, or no colours.
    EmptyCloudError
        There are no points.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError(
            'plotting needs matplotlib, which is not installed: pip install "cupixgeo[plot]"'
        ) from error
    reader = DatasetReader(dataset)
    names = reader.info.attribute_names
    if by not in ("best", "rgb", "z", *names):
        raise CloudError(f"by={by!r} is not 'best', 'rgb', 'z' or one of {', '.join(names)}.")
    view = top_view(reader, max_pixels=PLOT_PIXELS)
    if by == "rgb" and view.colour is None:
        raise CloudError("this cloud has no colours to draw. Use by='z'.")
    if ax is None:
        ax = pyplot.subplots(figsize=(8, 6), layout="constrained")[1]
    _draw(ax, reader, view, by)
    _label(ax, dataset, reader, view)
    return ax


def _draw(ax: Axes, reader: DatasetReader, view: TopView, by: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    west, south, east, north = view.bounds
    place: dict[str, Any] = {"extent": (west, east, south, north), "interpolation": "nearest"}
    if by in ("best", "rgb", "z"):
        as_height = by == "z" or view.colour is None
        ax.imshow(picture(view, by="height" if as_height else "colour"), **place)
        if as_height:
            colours = LinearSegmentedColormap.from_list("height", COLORMAPS["height"])
            scale = ScalarMappable(Normalize(*height_range(view)), colours)
            ax.figure.colorbar(scale, ax=ax, label="z", shrink=0.8)
        return
    colours = LinearSegmentedColormap.from_list("value", COLORMAPS["density"])
    image = ax.imshow(_values_on_top(reader, view, by), cmap=colours, **place)
    ax.figure.colorbar(image, ax=ax, label=by, shrink=0.8)


def _values_on_top(reader: DatasetReader, view: TopView, name: str) -> FloatArray:
    """Value of an attribute at the highest point of each pixel, NaN where there is none."""
    rows, columns = view.shape
    top = view.height.ravel()
    result = np.full(rows * columns, np.nan)
    for block in reader.blocks(columns=(name,)):
        values = block.column(name)
        if values.ndim != 1 or values.dtype.kind not in "iufb":
            raise CloudError(f"{name!r} is not one number a point, so it cannot be drawn.")
        column = np.floor((block.xyz[:, 0] - view.west) / view.pixel[0]).astype(np.int64)
        row = np.floor((view.north - block.xyz[:, 1]) / view.pixel[1]).astype(np.int64)
        pixel = np.clip(row, 0, rows - 1) * columns + np.clip(column, 0, columns - 1)
        highest = np.flatnonzero(block.xyz[:, 2] == top[pixel])
        result[pixel[highest]] = values[highest]
    return result.reshape(rows, columns)


def _label(ax: Axes, dataset: xr.Dataset, reader: DatasetReader, view: TopView) -> None:
    crs = reader.info.crs
    for axis, set_label in (("x", ax.set_xlabel), ("y", ax.set_ylabel)):
        attrs = dataset[axis].attrs
        set_label(f"{attrs.get('long_name', axis)} [{attrs.get('units', '')}]")
    if crs.is_geographic:
        latitude = math.radians((view.bounds[1] + view.bounds[3]) / 2)
        ax.set_aspect(1 / max(math.cos(latitude), 1e-3))
    else:
        ax.set_aspect("equal")
    ax.ticklabel_format(useOffset=False, style="plain")
    ax.tick_params(axis="x", labelrotation=30)
    ax.set_title(f"{reader.info.point_count:,} points, {crs_label(crs)}", fontsize=10)
