"""The stored-integer grid of an output: one scale and offset for all inputs.

LAS stores coordinates as 32-bit integers times a scale plus an offset. The scale is never coarser
than the finest input's, the range is checked before the cast, and an overflow is an error that
says what to change: nothing is clipped or rounded away in silence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyproj import CRS

from cupixgeo.errors import GridOverflowError, MergeError
from cupixgeo.geodesy.units import METRES_PER_DEGREE, metres_per_unit

FloatArray = npt.NDArray[np.float64]

INT32 = np.iinfo(np.int32)
FLOAT_STEP_M = 1e-4
"""[m] step given to inputs that store coordinates as floats: a tenth of a millimetre."""

CACHED_POINTS = 16_384
"""Points rounded at a time, so that the columns stay in the processor's cache."""

DEGREE_OFFSET, LENGTH_OFFSET = 0.01, 100.0
"""Offsets are whole multiples of these, so that round coordinates stay round."""


@dataclass(frozen=True, eq=False)
class GridPoints:
    """Points on an output grid.

    Parameters
    ----------
    steps : ndarray, shape (n, 3), int32
        Stored integers.
    low, high : ndarray, shape (3,), float64
        Their box, output CRS; infinite where there is no point.
    error_m : float
        Worst distance on one axis between a coordinate and its grid value [m].
    """

    steps: npt.NDArray[np.int32]
    low: FloatArray
    high: FloatArray
    error_m: float


@dataclass(frozen=True)
class OutputGrid:
    """Scale and offset of an output file.

    Parameters
    ----------
    scales, offsets : tuple of 3 float
        Output CRS units.
    metres : tuple of 3 float
        Length of one CRS unit on each axis [m].
    """

    scales: tuple[float, float, float]
    offsets: tuple[float, float, float]
    metres: tuple[float, float, float]

    def quantise(self, xyz: FloatArray, *, name: str) -> GridPoints:
        """Nearest grid integers of coordinates, and how far off they are.

        Parameters
        ----------
        xyz : ndarray, shape (n, 3), float64
            Output CRS.
        name : str
            The input, for the message.

        Raises
        ------
        GridOverflowError
            A coordinate is not finite, or does not fit into 32 bits.
        """
        steps = np.empty(xyz.shape, np.int32, order="F")
        low, high, worst = np.full(3, np.inf), np.full(3, -np.inf), 0.0
        for axis in range(3):
            scale, offset = self.scales[axis], self.offsets[axis]
            for start in range(0, len(xyz), CACHED_POINTS):
                values = xyz[start : start + CACHED_POINTS, axis]
                nearest = np.rint((values - offset) / scale)
                least, most = nearest.min(), nearest.max()
                # Written so that NaN fails too.
                if not (least >= INT32.min and most <= INT32.max):
                    self._overflow(axis, xyz, name)
                steps[start : start + CACHED_POINTS, axis] = nearest
                error = np.abs(nearest * scale + offset - values).max()
                worst = max(worst, float(error) * self.metres[axis])
                low[axis] = min(low[axis], least)
                high[axis] = max(high[axis], most)
        scales, offsets = np.array(self.scales), np.array(self.offsets)
        return GridPoints(steps, low * scales + offsets, high * scales + offsets, worst)

    def _overflow(self, axis: int, xyz: FloatArray, name: str) -> None:
        values = xyz[:, axis]
        label = "xyz"[axis]
        if not np.isfinite(values).all():
            raise GridOverflowError(
                f"{name}: {int((~np.isfinite(values)).sum())} of {len(values)} points have no "
                f"finite {label} coordinate in the output CRS. Check the input and its placement."
            )
        raise GridOverflowError(
            f"{name}: {label} from {values.min():.3f} to {values.max():.3f} does not fit 32-bit "
            f"integers at scale {self.scales[axis]:g} and offset {self.offsets[axis]:g}. The "
            "input's header understates its bounds, or a coarser scale= is needed."
        )


def plan_grid(
    crs: CRS,
    low: FloatArray,
    high: FloatArray,
    *,
    steps_m: Sequence[float],
    scale: float | Sequence[float] | None = None,
    one_file: bool = True,
) -> OutputGrid:
    """Choose the scale and offset for a box and the precision of the inputs.

    Parameters
    ----------
    crs : pyproj.CRS
        Output CRS.
    low, high : ndarray, shape (3,), float64
        Box of everything that will be written, output CRS.
    steps_m : sequence of float
        Coordinate step of each input, after its placement [m].
    scale : float, sequence of 3 float or None
        Wanted scale, CRS units; None takes the power of ten at or below the finest input step.
    one_file : bool
        Everything has to fit the grid; False where each file gets an offset of its own.

    Raises
    ------
    MergeError
        `scale` is not positive and finite.
    GridOverflowError
        The box does not fit at that scale.
    """
    metres = metres_per_unit(crs, (low + high) / 2)
    if scale is None:
        finest = min(steps_m, default=FLOAT_STEP_M)
        scales = np.array([_power_of_ten_below(finest / m) for m in metres])
    else:
        scales = np.broadcast_to(np.asarray(scale, np.float64), (3,)).copy()
        if not (np.isfinite(scales).all() and (scales > 0).all()):
            raise MergeError(f"scale={scale!r} is not a positive number. Give metres, like 0.001.")
    round_to = np.where(np.array(metres) > METRES_PER_DEGREE / 100, DEGREE_OFFSET, LENGTH_OFFSET)
    offsets = np.rint((low + high) / 2 / round_to) * round_to
    reach = np.maximum(np.abs(high - offsets), np.abs(low - offsets)) / scales
    if one_file and not (reach <= INT32.max).all():
        axis = int(np.argmin(reach <= INT32.max))
        fitting = 10.0 ** math.ceil(math.log10(float(reach[axis] * scales[axis]) / INT32.max))
        raise GridOverflowError(
            f"the output spans {high[axis] - low[axis]:.3f} units in {'xyz'[axis]}, too much for "
            f"32-bit integers at scale {scales[axis]:g}. Give scale={fitting:g} or coarser, or "
            "merge fewer clouds into one file."
        )
    return OutputGrid(_triple(scales), _triple(offsets), metres)


def _power_of_ten_below(value: float) -> float:
    """Largest power of ten not above `value` (a value a rounding error below one counts as it)."""
    exponent = math.floor(math.log10(value) + 1e-6)
    return float(f"1e{exponent}")


def _triple(values: FloatArray) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
