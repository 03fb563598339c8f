"""Which tile a point belongs to, decided on stored integers and exact.

Tiles are squares whose edges lie at whole multiples of their size in the output CRS. A tile holds
its western and southern edge, not its eastern and northern one, and the question is asked of the
integer that is stored: every point is in one tile, whoever asks, whatever the unit. Must not know
files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from cupixgeo.pipeline.grid import INT32, OutputGrid

IntArray = npt.NDArray[np.int64]

OFFSET_STRIDE = 100
"""Offsets differ by whole multiples of this [CRS units], so that round coordinates stay round."""


@dataclass(frozen=True)
class TileLattice:
    """Lines of a square lattice, between the integers of a coordinate grid.

    Numbers are taken as written in decimals, so that 0.001 is a thousandth and no line is off by a
    rounding error.

    Parameters
    ----------
    tile_m : float
        Edge of a tile [m].
    unit_m : float
        Length of one unit of the CRS [m].
    scales, offsets : tuple of 2 float
        The grid of x and y: coordinate = integer × scale + offset [CRS units].
    """

    tile_m: float
    unit_m: float
    scales: tuple[float, float]
    offsets: tuple[float, float]

    @property
    def _size(self) -> Fraction:
        return _exact(self.tile_m) / _exact(self.unit_m)

    def coordinate(self, line: int) -> float:
        """Where a line is [CRS units]; the same on both axes."""
        return float(line * self._size)

    def first_step(self, axis: int, line: int) -> int:
        """Lowest integer that is not below a line."""
        return math.ceil(
            (line * self._size - _exact(self.offsets[axis])) / _exact(self.scales[axis])
        )

    def line_below(self, axis: int, step: int) -> int:
        """Highest line that is not above an integer: the number of its tile."""
        coordinate = step * _exact(self.scales[axis]) + _exact(self.offsets[axis])
        return math.floor(coordinate / self._size)

    def tiles_of(self, axis: int, steps: npt.NDArray[np.integer[Any]]) -> IntArray:
        """Find the number of each point's tile on one axis.

        Parameters
        ----------
        axis : int
            0 for x, 1 for y.
        steps : ndarray, shape (n,), int32 or int64
            Integers on the grid, at least one.

        Returns
        -------
        ndarray, shape (n,), int64
        """
        first = self.line_below(axis, int(steps.min()))
        last = self.line_below(axis, int(steps.max()))
        if first == last:
            return np.full(len(steps), first, np.int64)
        lines = [self.first_step(axis, line) for line in range(first + 1, last + 1)]
        return first + np.searchsorted(np.array(lines, np.int64), steps, side="right")

    def span(self, tile: tuple[int, int]) -> tuple[IntArray, IntArray]:
        """Integers a tile holds: lowest, and the first beyond, each shape (2,), int64."""
        low = [self.first_step(axis, tile[axis]) for axis in (0, 1)]
        stop = [self.first_step(axis, tile[axis] + 1) for axis in (0, 1)]
        return np.array(low, np.int64), np.array(stop, np.int64)


@dataclass(frozen=True)
class ShiftedGrid:
    """The common grid, counted from another integer where 32 bits do not reach so far.

    Parameters
    ----------
    grid : OutputGrid
        Same scale; its offset is the common one moved by whole steps.
    shift : tuple of 3 int
        Integer on the common grid = integer on `grid` + shift.
    """

    grid: OutputGrid
    shift: tuple[int, int, int]


def grid_around(common: OutputGrid, low: IntArray, high: IntArray) -> ShiftedGrid:
    """Give the common grid where a box fits it, else one about the middle of the box.

    Parameters
    ----------
    common : OutputGrid
        Decides the scale, and where the integers are.
    low, high : ndarray, shape (3,), int64
        Corners of the box, in integers of the common grid.
    """
    shift, offsets = [0, 0, 0], list(common.offsets)
    for axis in range(3):
        if INT32.min <= low[axis] and high[axis] <= INT32.max:
            continue
        scale = _exact(common.scales[axis])
        stride = max(1, round(OFFSET_STRIDE / scale))
        shift[axis] = round((int(low[axis]) + int(high[axis])) / (2 * stride)) * stride
        offsets[axis] = float(_exact(common.offsets[axis]) + shift[axis] * scale)
    x, y, z = offsets
    return ShiftedGrid(
        OutputGrid(common.scales, (x, y, z), common.metres), (shift[0], shift[1], shift[2])
    )


def _exact(value: float) -> Fraction:
    return Fraction(repr(float(value)))
