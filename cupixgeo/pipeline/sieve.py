"""Points of a merge through its selection, block by block, with a count of what was left out.

Works on stored integers and finished records, so that what is kept is decided by what a reader of
the output will see. The sets of cubes and of points met are shared by all sources: blocks have to
come in the order of the output.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import MergeError
from cupixgeo.formats.extent import Area
from cupixgeo.formats.las.records import RecordLayout
from cupixgeo.geodesy.crs import crs_label
from cupixgeo.pipeline.grid import INT32, OutputGrid
from cupixgeo.pipeline.selection import (
    DUPLICATE,
    OTHER_CLASS,
    OTHER_RETURN,
    OUTSIDE,
    THINNED,
    ReturnLike,
    Selection,
)

if TYPE_CHECKING:
    from pyproj import CRS

    from cupixgeo.cloud.voxels import VoxelSet
    from cupixgeo.pipeline.duplicates import PointSet

BoolArray = npt.NDArray[np.bool_]

HAIR = 1e-6
"""Of a step: how far beyond an edge a stored coordinate still counts as standing on it."""

DIGITS_BELOW_STEP = 2
"""Decimals of a stored coordinate that mean something, beyond those of the step."""

NEAR_STEPS = 2.0
"""Steps around the area within which points are looked at after rounding."""


class Sieve:
    """A selection at work; one for each output.

    Parameters
    ----------
    selection : Selection
        What to keep.
    grid : OutputGrid
        Of the output.
    layout : RecordLayout
        Of the records handed in.
    crs : pyproj.CRS
        Output CRS.

    Raises
    ------
    MergeError
        A spacing in metres means nothing in the output CRS, or is finer than its grid.
    """

    def __init__(
        self, selection: Selection, grid: OutputGrid, layout: RecordLayout, crs: CRS
    ) -> None:
        self._area = selection.area
        self._scales, self._offsets = np.array(grid.scales), np.array(grid.offsets)
        if self._area is not None:
            self._limits = _step_limits(self._area, grid)
            margin = NEAR_STEPS * self._scales
            self._near = self._area.low - margin, self._area.high + margin
        extended = layout.point_format >= 6
        self._classes = None
        if selection.classes is not None:
            field, mask = ("classification", 255) if extended else ("raw_classification", 31)
            wanted = np.isin(np.arange(256) & mask, selection.classes)
            self._classes = field, wanted
        self._returns = None
        if selection.returns is not None:
            self._returns = _wanted_returns(selection.returns, extended=extended)
        self._voxels = _voxels(selection.spacing_m, grid, crs)
        # Equal points share a cube, so thinning leaves no duplicates to look for.
        self._met = _met() if selection.drop_duplicates and self._voxels is None else None

    def near(self, xyz: FloatArray) -> BoolArray | None:
        """Say which points may be in the area, before they are rounded; None is all.

        Points far outside need not fit the grid. Safe for several threads.

        Parameters
        ----------
        xyz : ndarray, shape (n, 3), float64 [output CRS units]
        """
        if self._area is None:
            return None
        low, high = self._near
        far = np.zeros(len(xyz), np.bool_)
        for axis in range(3):
            values = xyz[:, axis]
            far |= (values < low[axis]) | (values > high[axis])
        return None if not far.any() else ~far

    def take(self, records: npt.NDArray[Any], removed: Counter[str]) -> npt.NDArray[Any]:
        """Give the records that are kept.

        Parameters
        ----------
        records : ndarray, shape (n,), structured
            In the output's layout, X, Y and Z filled.
        removed : Counter
            Told how many points each rule left out.

        Returns
        -------
        ndarray, shape (m,), structured
            `records` itself where all are kept.

        Raises
        ------
        CloudError, MergeError
            Thinning or comparing points needs more memory than is allowed.
        """
        keep = np.ones(len(records), np.bool_)
        left = len(records)
        for rule, narrow in (
            (OUTSIDE, self._inside),
            (OTHER_CLASS, self._of_class),
            (OTHER_RETURN, self._of_return),
            (DUPLICATE, self._not_met),
            (THINNED, self._first_of_cube),
        ):
            if left:
                keep = narrow(records, keep)
                now = int(np.count_nonzero(keep))
                removed[rule] += left - now
                left = now
        return records if left == len(records) else records[keep]

    def remember(self, records: npt.NDArray[Any]) -> None:
        """Take records for kept that an earlier run has written already."""
        self._first_of_cube(records, self._not_met(records, np.ones(len(records), np.bool_)))

    def _inside(self, records: npt.NDArray[Any], keep: BoolArray) -> BoolArray:
        if self._area is None:
            return keep
        low, high = self._limits
        axes = range(3) if self._area.is_box else range(2, 3)
        for axis in axes:
            steps = records["XYZ"[axis]]
            keep = keep & (steps >= low[axis]) & (steps < high[axis])
        if not self._area.is_box:
            x, y = (
                records["XYZ"[axis]] * self._scales[axis] + self._offsets[axis] for axis in (0, 1)
            )
            keep = keep & self._area.contains(x, y)
        return keep

    def _of_class(self, records: npt.NDArray[Any], keep: BoolArray) -> BoolArray:
        if self._classes is None:
            return keep
        field, wanted = self._classes
        kept: BoolArray = keep & wanted[records[field]]
        return kept

    def _of_return(self, records: npt.NDArray[Any], keep: BoolArray) -> BoolArray:
        if self._returns is None:
            return keep
        kept: BoolArray = keep & self._returns[records["bit_fields"]]
        return kept

    def _not_met(self, records: npt.NDArray[Any], keep: BoolArray) -> BoolArray:
        return keep if self._met is None else self._met.claim(records, keep)

    def _first_of_cube(self, records: npt.NDArray[Any], keep: BoolArray) -> BoolArray:
        if self._voxels is None:
            return keep
        x, y, z = (np.ascontiguousarray(records[name]) for name in "XYZ")
        return self._voxels.claim(x, y, z, keep)


def _step_limits(area: Area, grid: OutputGrid) -> tuple[list[int], list[int]]:
    """First stored integer in the area's box, and the first behind it, on each axis."""
    low, high = (
        [
            _first_step(float(value), scale, offset)
            for value, scale, offset in zip(corner, grid.scales, grid.offsets, strict=True)
        ]
        for corner in (area.low, area.high)
    )
    return low, high


def _first_step(value: float, scale: float, offset: float) -> int:
    """Least integer whose coordinate is `value` or more; coordinates as decimals, not as sums."""
    steps = (value - offset) / scale
    if not INT32.min < steps <= INT32.max:
        return INT32.min if steps < 0 else INT32.max + 1
    first = math.ceil(steps - HAIR)
    digits = DIGITS_BELOW_STEP - math.floor(math.log10(scale))
    return first if round(first * scale + offset, digits) >= value else first + 1


def _wanted_returns(returns: tuple[ReturnLike, ...], *, extended: bool) -> BoolArray:
    """Whether to keep a point, by the byte its return numbers are in: shape (256,)."""
    byte = np.arange(256)
    number, of = (byte & 15, byte >> 4) if extended else (byte & 7, (byte >> 3) & 7)
    wanted = np.isin(number, [r for r in returns if isinstance(r, int)])
    if "first" in returns:
        wanted |= number == 1
    if "last" in returns:
        wanted |= number >= of
    if "single" in returns:
        wanted |= of == 1
    return wanted


def _voxels(spacing_m: float | None, grid: OutputGrid, crs: CRS) -> VoxelSet | None:
    if spacing_m is None:
        return None
    if crs.is_geographic:
        raise MergeError(
            f"{crs_label(crs)} is in degrees, so spacing_m= means nothing in it. Choose a "
            "projected output CRS: crs=..."
        )
    edges = spacing_m / np.array(grid.metres)
    if (edges < np.array(grid.scales)).any():
        raise MergeError(
            f"spacing_m={spacing_m:g} is finer than the step of stored coordinates, "
            f"{max(np.array(grid.scales) * grid.metres):g} m: nothing would be thinned. Give more."
        )
    from cupixgeo.cloud.voxels import VoxelSet

    return VoxelSet(edges.tolist(), scales=grid.scales, offsets=grid.offsets)


def _met() -> PointSet:
    from cupixgeo.pipeline.duplicates import PointSet

    return PointSet()
