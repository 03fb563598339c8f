"""Stored integers to stored integers in one compiled pass: scale, interpolate, round, check.

The arithmetic is that of `Interpolant.apply` and `OutputGrid.quantise`, point by point in the
processor's cache. Must not know files.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from cupixgeo.geodesy.interpolant import Interpolant, exponents
from cupixgeo.pipeline.grid import GridPoints, OutputGrid

FloatArray = npt.NDArray[np.float64]

BLOCK = 256
LOWEST, HIGHEST = -2147483648.0, 2147483647.0


@nb.njit(nogil=True, cache=True, error_model="numpy")
def _move(steps, scales, shifts, lower, axes, coefficients, start, out_scales, out, figures):
    """Fill out (3, n) from steps (3, n); figures (3, 3): lowest, highest step and worst error.

    Normalised coordinate = step * scales + shifts; monomial t = monomial lower[t] times coordinate
    axes[t]; `start` is the result's origin less the output offset. Returns False where a step does
    not fit 32 bits.
    """
    terms = len(lower)
    u = np.empty((3, BLOCK))
    v = np.empty((terms, BLOCK))
    v[0, :] = 1.0
    w = np.empty(BLOCK)
    fits = True
    for first in range(0, steps.shape[1], BLOCK):
        count = min(BLOCK, steps.shape[1] - first)
        for k in range(3):
            for j in range(count):
                u[k, j] = steps[k, first + j] * scales[k] + shifts[k]
        for t in range(1, terms):
            a, b = lower[t], axes[t]
            for j in range(count):
                v[t, j] = v[a, j] * u[b, j]
        for k in range(3):
            for j in range(count):
                w[j] = coefficients[k, 0]
            for t in range(1, terms):
                c = coefficients[k, t]
                for j in range(count):
                    w[j] += c * v[t, j]
            low, high, worst = figures[k, 0], figures[k, 1], figures[k, 2]
            for j in range(count):
                value = (w[j] + start[k]) / out_scales[k]
                step = np.rint(value)
                error = abs(step - value)
                low = min(low, step)
                high = max(high, step)
                worst = max(worst, error)
                out[k, first + j] = np.int32(step)
            figures[k, 0], figures[k, 1], figures[k, 2] = low, high, worst
            fits = fits and low >= LOWEST and high <= HIGHEST
    return fits


class FusedMap:
    """An interpolant between two integer grids.

    Parameters
    ----------
    interpolant : Interpolant
        From the input's frame to the output CRS.
    scales, offsets : ndarray, shape (3,), float64 [input CRS units]
        The input's grid.
    grid : OutputGrid
        The output's.
    """

    def __init__(
        self, interpolant: Interpolant, scales: FloatArray, offsets: FloatArray, grid: OutputGrid
    ) -> None:
        middle, half = interpolant.normalisation
        self._grid = grid
        self._out_scales = np.array(grid.scales)
        self._out_offsets = np.array(grid.offsets)
        self._scales, self._shifts = scales / half, (offsets - middle) / half
        self._coefficients = interpolant.coefficients
        self._start = interpolant.origin - self._out_offsets
        terms = exponents(interpolant.degree)
        place = {term: row for row, term in enumerate(terms)}
        self._axes = np.zeros(len(terms), np.int64)
        self._lower = np.zeros(len(terms), np.int64)
        for row, term in enumerate(terms[1:], start=1):
            axis = next(i for i, power in enumerate(term) if power)
            self._axes[row] = axis
            self._lower[row] = place[tuple(p - (i == axis) for i, p in enumerate(term))]

    def __call__(self, steps: npt.NDArray[np.int32]) -> GridPoints | None:
        """Map stored integers, shape (3, n), int32; None where one does not fit the output grid."""
        out = np.empty(steps.shape, np.int32)
        figures = np.tile([np.inf, -np.inf, 0.0], (3, 1))
        fits = _move(
            steps,
            self._scales,
            self._shifts,
            self._lower,
            self._axes,
            self._coefficients,
            self._start,
            self._out_scales,
            out,
            figures,
        )
        if not fits:
            return None
        low = figures[:, 0] * self._out_scales + self._out_offsets
        high = figures[:, 1] * self._out_scales + self._out_offsets
        worst = float((figures[:, 2] * self._out_scales * np.array(self._grid.metres)).max())
        return GridPoints(out.T, low, high, worst)
