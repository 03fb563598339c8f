"""A point cloud seen from above: per pixel the highest point, its colour, and how many there are.

Knows how to read a cloud of any size into one raster of bounded size. Must not know colours of
maps, pictures or pages.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pyproj import CRS

from cupixgeo.cloud.schema import CloudInfo, FloatArray, PointReader
from cupixgeo.errors import EmptyCloudError
from cupixgeo.geodesy.units import metres_per_unit
from cupixgeo.progress import Progress, ProgressFn

Image = npt.NDArray[np.uint8]
"""Picture, shape (rows, columns, 4), uint8 RGBA, first row in the north."""

Mask = npt.NDArray[np.bool_]

POINTS_PER_PIXEL = 2.0
"""Points a pixel gets, averaged over the cloud's box, where the raster's size is free.

A site fills a third to a half of its box, so a covered pixel gets four to six; fewer look like
speckle.
"""

POINTS_PER_CELL = 40.0
"""Points a cell of the density grid holds on average: a scatter of 16 % by chance alone."""

MAX_PIXELS = 1200
"""Longest side of a raster, unless told."""

MIN_PIXELS = 64


@dataclass(frozen=True, eq=False)
class TopView:
    """A cloud from above, as a raster. Rows run from north to south.

    Parameters
    ----------
    crs : pyproj.CRS
        CRS of the cloud.
    west, north : float
        Outer corner of the first pixel, CRS units.
    pixel : tuple of 2 float
        Width and height of a pixel, CRS units.
    height : ndarray, shape (rows, columns), float64
        z of the highest point, CRS units; NaN where there is none.
    colour : ndarray, shape (rows, columns, 3), uint8, or None
        Colour of that point; None where the cloud has no colours.
    count : ndarray, shape (rows, columns), int64
        Points in the pixel.
    metres : tuple of 3 float
        Length of one CRS unit along x, y and z [m].
    """

    crs: CRS
    west: float
    north: float
    pixel: tuple[float, float]
    height: FloatArray
    colour: Image | None
    count: npt.NDArray[np.int64]
    metres: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.count.shape
        return rows, columns

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north edges, CRS units."""
        rows, columns = self.shape
        south = self.north - rows * self.pixel[1]
        return self.west, south, self.west + columns * self.pixel[0], self.north

    @property
    def seen(self) -> Mask:
        """Pixels that hold at least one point, shape (rows, columns)."""
        seen: Mask = self.count > 0
        return seen

    @property
    def pixel_area_m2(self) -> float:
        """Area of a pixel [m²]."""
        return self.pixel[0] * self.metres[0] * self.pixel[1] * self.metres[1]

    @property
    def covered_m2(self) -> float:
        """Area of the pixels that hold points, small gaps closed [m²]."""
        return float(np.count_nonzero(close_gaps(self.height, self.seen)[1])) * self.pixel_area_m2


def read_top_view(
    path: str | os.PathLike[str],
    *,
    max_pixels: int = MAX_PIXELS,
    points_per_pixel: float = POINTS_PER_PIXEL,
    progress: ProgressFn | None = None,
) -> TopView:
    """Read a point-cloud file of any size into a top view.

    Parameters
    ----------
    path : path
        Any format `open_reader` knows.
    max_pixels : int
        Longest side of the raster.
    points_per_pixel : float
        Points a pixel should hold on average; sets the pixel size of smaller clouds.
    progress : callable or None
        Told after each block.

    Returns
    -------
    TopView
        Memory used depends on `max_pixels`, not on the file.

    Raises
    ------
    EmptyCloudError
        The file holds no points.
    CloudError
        The file cannot be read.
    """
    from cupixgeo.formats.registry import open_reader

    with open_reader(path) as reader:
        return top_view(
            reader, max_pixels=max_pixels, points_per_pixel=points_per_pixel, progress=progress
        )


def top_view(
    reader: PointReader,
    *,
    max_pixels: int = MAX_PIXELS,
    points_per_pixel: float = POINTS_PER_PIXEL,
    progress: ProgressFn | None = None,
) -> TopView:
    """Read an open cloud into a top view; see `read_top_view`.

    Raises
    ------
    EmptyCloudError
        The cloud holds no points.
    """
    info = reader.info
    if info.point_count == 0:
        raise EmptyCloudError(f"{info.path} holds no points, so there is nothing to picture.")
    bounds = reader.bounds()
    raster = _Raster(info.crs, bounds, _pixel_m(info, bounds, max_pixels, points_per_pixel))
    names = ("red", "green", "blue")
    coloured = set(names) <= set(info.attribute_names)
    done = 0
    for block in reader.blocks(columns=names if coloured else ()):
        rgb = np.stack([block.column(name) for name in names], axis=1) if coloured else None
        raster.add(block.xyz, rgb)
        done += len(block)
        if progress is not None:
            progress(Progress("picture", done, info.point_count, "points", info.path.name))
    return raster.view()


def _pixel_m(
    info: CloudInfo, bounds: FloatArray, max_pixels: int, points_per_pixel: float
) -> float:
    metres = metres_per_unit(info.crs, bounds.mean(axis=0))
    size = (bounds[1] - bounds[0])[:2] * metres[:2]
    longest = max(float(size.max()), 1e-3)
    area = longest * max(float(size.min()), longest / max_pixels)
    wanted = float(np.sqrt(area * points_per_pixel / info.point_count))
    return float(np.clip(wanted, longest / max_pixels, longest / MIN_PIXELS))


class _Raster:
    """A top view while it is being filled."""

    def __init__(self, crs: CRS, bounds: FloatArray, pixel_m: float) -> None:
        self._crs = crs
        self._metres = metres_per_unit(crs, bounds.mean(axis=0))
        self._pixel = pixel_m / np.array(self._metres[:2])
        self._west, self._north = float(bounds[0, 0]), float(bounds[1, 1])
        size = bounds[1, :2] - bounds[0, :2]
        columns, rows = (max(1, int(np.ceil(n))) for n in size / self._pixel)
        self._shape = rows, columns
        self._top = np.full(rows * columns, -np.inf)
        self._count = np.zeros(rows * columns, np.int64)
        self._colour = np.zeros((rows * columns, 3), np.uint16)
        self._brightest = 0

    def add(self, xyz: FloatArray, rgb: npt.NDArray[Any] | None) -> None:
        """Take in one block; points outside the cloud's stated box are left out."""
        rows, columns = self._shape
        column = np.floor((xyz[:, 0] - self._west) / self._pixel[0])
        row = np.floor((self._north - xyz[:, 1]) / self._pixel[1])
        # the stated box is rounded: a point on its edge may lie a hair outside
        inside = (column >= -1) & (column <= columns) & (row >= -1) & (row <= rows)
        inside &= np.isfinite(xyz[:, 2])
        column, row, z = column[inside], row[inside], xyz[inside, 2]
        flat = np.clip(row, 0, rows - 1).astype(np.int64) * columns
        flat += np.clip(column, 0, columns - 1).astype(np.int64)
        np.maximum.at(self._top, flat, z)
        self._count += np.bincount(flat, minlength=rows * columns)
        if rgb is not None and rgb.dtype.kind == "u":
            highest = np.flatnonzero(z == self._top[flat])
            self._colour[flat[highest]] = rgb[inside][highest]
            self._brightest = max(self._brightest, int(rgb.max(initial=0)))

    def view(self) -> TopView:
        """Return what has been taken in."""
        if not self._count.any():
            raise EmptyCloudError(
                "no point lies inside the cloud's own stated bounds. Its header is wrong; "
                "rewrite the file with a tool that computes the bounds."
            )
        rows, columns = self._shape
        colour = None
        if self._brightest > 0:
            # 8-bit colours in the 16-bit fields are common although LAS asks for scaled ones
            eight = self._colour if self._brightest <= 255 else self._colour >> 8
            colour = eight.astype(np.uint8).reshape(rows, columns, 3)
        return TopView(
            crs=self._crs,
            west=self._west,
            north=self._north,
            pixel=(float(self._pixel[0]), float(self._pixel[1])),
            height=np.where(self._count > 0, self._top, np.nan).reshape(rows, columns),
            colour=colour,
            count=self._count.reshape(rows, columns),
            metres=self._metres,
        )


def density(view: TopView) -> FloatArray:
    """Points per square metre, averaged over cells of whole pixels.

    A cell is as large as it takes to hold `POINTS_PER_CELL` points on average, so that the
    figures show the scan and not chance. Area the cloud does not cover is not counted.

    Returns
    -------
    ndarray, shape (rows, columns), float64 [1/m²]
        Equal within a cell; NaN where there are no points.
    """
    rows, columns = view.shape
    covered = close_gaps(view.height, view.seen)[1]
    mean = view.count.sum() / np.count_nonzero(covered)
    side = max(1, int(np.ceil(np.sqrt(POINTS_PER_CELL / mean))))
    points = _cell_sums(view.count, side)
    area = _cell_sums(covered, side) * view.pixel_area_m2
    cells = points / np.maximum(area, view.pixel_area_m2)
    pixels = np.repeat(np.repeat(cells, side, axis=0), side, axis=1)[:rows, :columns]
    return np.where(covered, pixels, np.nan)


def _cell_sums(values: npt.NDArray[Any], side: int) -> FloatArray:
    rows, columns = (-n % side for n in values.shape)
    padded = np.pad(values.astype(np.float64), ((0, rows), (0, columns)))
    cells = padded.reshape(padded.shape[0] // side, side, padded.shape[1] // side, side)
    sums: FloatArray = cells.sum(axis=(1, 3))
    return sums


def neighbours(values: npt.NDArray[Any], seen: Mask) -> tuple[FloatArray, FloatArray]:
    """Sum and number of the eight neighbours that are seen, both of shape (rows, columns)."""
    rows, columns = seen.shape
    filled = np.pad(np.where(seen, values, 0.0), 1)
    there = np.pad(seen, 1).astype(np.float64)
    total, number = np.zeros((rows, columns)), np.zeros((rows, columns))
    for i in range(3):
        for j in range(3):
            if (i, j) != (1, 1):
                total += filled[i : i + rows, j : j + columns]
                number += there[i : i + rows, j : j + columns]
    return total, number


def close_gaps(values: npt.NDArray[Any], seen: Mask) -> tuple[FloatArray, Mask]:
    """Give pixels inside the cloud that happen to hold no point the mean of their neighbours.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
        Any unit.
    seen : ndarray, shape (rows, columns), bool
        Where `values` mean something.

    Returns
    -------
    tuple of two ndarrays, shape (rows, columns)
        The values with the gaps closed (0 where there still are none), and where they are now.
    """
    closed = np.where(seen, values, 0.0)
    for _ in range(2):
        total, number = neighbours(closed, seen)
        gap = ~seen & (number >= 5)
        closed = np.where(gap, total / np.maximum(number, 1.0), closed)
        seen = seen | gap
    return closed, seen
