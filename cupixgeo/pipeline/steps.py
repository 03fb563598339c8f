"""Stored integers of one input onto the grid of the output.

By one compiled pass where an interpolant holds, else by coordinates. Must not know files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cupixgeo.geodesy.interpolant import Interpolant
from cupixgeo.pipeline.grid import GridPoints, OutputGrid

if TYPE_CHECKING:
    from cupixgeo.pipeline.kernel import FusedMap

FloatArray = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int32]

CHAIN_POINTS = 65_536
"""Points handed to PROJ at a time: their coordinates take a few megabytes."""


@dataclass(frozen=True, eq=False)
class Moved:
    """What became of some points.

    Parameters
    ----------
    low, high : ndarray, shape (3,), int64
        Box of their stored integers.
    error_m : float
        Worst distance on one axis between a coordinate and its grid value [m].
    """

    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    error_m: float

    @classmethod
    def of(cls, placed: GridPoints) -> Moved:
        """Take the figures of points that were rounded."""
        low, high = placed.steps.min(axis=0), placed.steps.max(axis=0)
        return cls(low.astype(np.int64), high.astype(np.int64), placed.error_m)

    def box(self, grid: OutputGrid) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest coordinates, each shape (3,), float64 [output CRS units]."""
        scales, offsets = np.array(grid.scales), np.array(grid.offsets)
        return self.low * scales + offsets, self.high * scales + offsets

    def joined(self, other: Moved) -> Moved:
        """Join the figures of these points and others."""
        return Moved(
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            max(self.error_m, other.error_m),
        )


Mover = Callable[[Steps], Moved]
"""Turns stored integers, shape (n, 3), of some points into those on the output's grid."""


class StepMover:
    """Points of one input, moved where they stand; for any thread.

    Parameters
    ----------
    grid : OutputGrid
        The output's.
    chain : callable
        From the input's frame to the output CRS, shape (n, 3) to (n, 3), float64.
    fitted : Interpolant or None
        In place of `chain`; None calls it for every point.
    scales, offsets : tuple of 3 float [input CRS units]
        The input's grid.
    label : str
        What messages call the input.
    """

    def __init__(
        self,
        grid: OutputGrid,
        chain: Callable[[FloatArray], FloatArray],
        fitted: Interpolant | None,
        *,
        scales: tuple[float, float, float],
        offsets: tuple[float, float, float],
        label: str,
    ) -> None:
        self._grid, self._chain, self._label = grid, chain, label
        self._scales, self._offsets = np.array(scales), np.array(offsets)
        self._fused: FusedMap | None = None
        if fitted is not None:
            from cupixgeo.pipeline.kernel import FusedMap

            self._fused = FusedMap(fitted, self._scales, self._offsets, grid)

    def __call__(self, steps: Steps) -> Moved:
        """Move points.

        Parameters
        ----------
        steps : ndarray, shape (n, 3), int32, the three of a point side by side
            Stored integers on the input's grid, n > 0; on return on the output's.

        Raises
        ------
        GridOverflowError
            A point does not fit the output grid.
        OperationError
            A point cannot be brought to the output CRS.
        """
        if self._fused is None:
            return self._by_chain(steps, np.arange(len(steps)))
        moved, left = self._fused(steps)
        return moved.joined(self._by_chain(steps, left)) if len(left) else moved

    def _by_chain(self, steps: Steps, which: npt.NDArray[np.int64]) -> Moved:
        parts = []
        for first in range(0, len(which), CHAIN_POINTS):
            part = which[first : first + CHAIN_POINTS]
            xyz = steps[part] * self._scales + self._offsets
            placed = self._grid.quantise(np.asfortranarray(self._chain(xyz)), name=self._label)
            steps[part] = placed.steps
            parts.append(Moved.of(placed))
        return reduce(Moved.joined, parts)
