"""Stored integers to stored integers in one compiled pass: scale, interpolate, round, check.

The arithmetic is that of `Interpolant.apply` and `OutputGrid.quantise`, point by point in the
processor's cache. Points are moved where they stand, whatever records they are in. Must not know
files.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cupixgeo.compiling import compiled
from cupixgeo.formats.las.machine import load_signed, store32
from cupixgeo.geodesy.interpolant import NONE, Interpolant, factors
from cupixgeo.pipeline.grid import OutputGrid
from cupixgeo.pipeline.steps import Moved

FloatArray = npt.NDArray[np.float64]

BLOCK = 256
LOWEST, HIGHEST = -2147483648.0, 2147483647.0
"""What a stored integer can be."""

NOWHERE = 1 << 40
"""In place of infinity in the box of no points."""

HAIR = 1e-3
"""Of a step: what the box of a header may be off by rounding."""

LOW, HIGH, WORST = 0, 1, 2
"""Rows of the figures: lowest and highest step, and worst rounding error in steps, by axis."""


@compiled
def _load(address, stride, count, steps):
    """Copy the steps of some points to (3, count)."""
    for j in range(count):
        steps[0, j] = load_signed(address, 0)
        steps[1, j] = load_signed(address, 4)
        steps[2, j] = load_signed(address, 8)
        address += stride


@compiled
def _cell(cells, to_cell, x, y):
    """Find the number of the polynomial for a place in plan, given as steps."""
    nx, ny = cells.shape
    i = min(max(int(x * to_cell[0, 0] + to_cell[1, 0]), 0), nx - 1)
    j = min(max(int(y * to_cell[0, 1] + to_cell[1, 1]), 0), ny - 1)
    return cells[i, j]


@compiled
def _evaluate(steps, count, number, polynomials, products, out_scales, powers, values):
    """Fill values (3, count) with places on the output grid, not rounded yet."""
    coefficients, scales, shifts, starts = polynomials
    u, v = powers
    for k in range(3):
        for j in range(count):
            u[k, j] = steps[k, j] * scales[number, k] + shifts[number, k]
    for t in range(len(products)):
        lower, axis = products[t, 0], products[t, 1]
        for j in range(count):
            v[t + 1, j] = v[lower, j] * u[axis, j]
    for k in range(3):
        for j in range(count):
            values[k, j] = coefficients[number, k, 0]
        for t in range(1, len(products) + 1):
            c = coefficients[number, k, t]
            for j in range(count):
                values[k, j] += c * v[t, j]
        for j in range(count):
            values[k, j] = (values[k, j] + starts[number, k]) / out_scales[k]


@compiled
def _round(values, count, address, stride, figures):
    """Round and store; False, and nothing stored, where a step does not fit."""
    found = np.empty((3, 3))
    for k in range(3):
        low, high, worst = figures[LOW, k], figures[HIGH, k], figures[WORST, k]
        for j in range(count):
            step = np.rint(values[k, j])
            low = min(low, step)
            high = max(high, step)
            worst = max(worst, abs(step - values[k, j]))
            values[k, j] = step
        if not (low >= LOWEST and high <= HIGHEST):
            return False
        found[LOW, k], found[HIGH, k], found[WORST, k] = low, high, worst
    figures[:, :] = found
    for j in range(count):
        for k in range(3):
            store32(address, 4 * k, np.int64(values[k, j]))
        address += stride
    return True


@compiled
def _move(address, stride, total, box, cells, to_cell, polynomials, products, out_scales, left):
    """Move points where they stand; return figures, and how many of them were left as they are.

    Their X, Y and Z are three 32-bit integers at `address` and every `stride` bytes after it.
    `box` (2, 3) holds the lowest and highest steps the polynomials cover, `cells` (nx, ny) their
    numbers and `to_cell` (2, 2) factor and term from steps to cells. Normalised coordinate = step
    * scales + shifts; monomial t + 1 = monomial products[t, 0] times coordinate products[t, 1];
    starts are the polynomials' origins less the output offset. `left` (total,) takes the indices
    of points no polynomial holds for or that do not fit the output.
    """
    figures = np.zeros((3, 3))
    figures[LOW, :], figures[HIGH, :] = np.inf, -np.inf
    steps = np.empty((3, BLOCK), np.int32)
    values = np.empty((3, BLOCK))
    powers = np.empty((3, BLOCK)), np.ones((len(products) + 1, BLOCK))
    skipped = 0
    for first in range(0, total, BLOCK):
        count = min(BLOCK, total - first)
        at = address + first * stride
        _load(at, stride, count, steps)
        inside = True
        lowest = np.empty(3, np.int32)
        highest = np.empty(3, np.int32)
        for k in range(3):
            lowest[k] = steps[k, :count].min()
            highest[k] = steps[k, :count].max()
            inside &= lowest[k] >= box[0, k] and highest[k] <= box[1, k]
        number = _cell(cells, to_cell, lowest[0], lowest[1])
        if inside and number != NONE and number == _cell(cells, to_cell, highest[0], highest[1]):
            _evaluate(steps, count, number, polynomials, products, out_scales, powers, values)
            if _round(values, count, at, stride, figures):
                continue
        for j in range(count):
            one = steps[:, j : j + 1]
            number = _cell(cells, to_cell, one[0, 0], one[1, 0])
            done = number != NONE
            for k in range(3):
                done = done and one[k, 0] >= box[0, k] and one[k, 0] <= box[1, k]
            if done:
                _evaluate(one, 1, number, polynomials, products, out_scales, powers, values)
                done = _round(values, 1, at + j * stride, stride, figures)
            if not done:
                left[skipped] = first + j
                skipped += 1
    return figures, skipped


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
        polynomials = interpolant.polynomials
        self._metres = np.array(grid.scales) * np.array(grid.metres)
        self._out_scales = np.array(grid.scales)
        self._products = np.array(factors(max(p.degree for p in polynomials)), np.int64)
        coefficients = np.zeros((len(polynomials), 3, len(self._products) + 1))
        for number, polynomial in enumerate(polynomials):
            coefficients[number, :, : polynomial.coefficients.shape[1]] = polynomial.coefficients
        middles, halves = np.stack([p.normalisation for p in polynomials], axis=1)
        starts = np.array([p.origin for p in polynomials]) - np.array(grid.offsets)
        self._polynomials = coefficients, scales / halves, (offsets - middles) / halves, starts
        edges = (np.stack([interpolant.low, interpolant.high]) - offsets) / scales
        low, high = np.ceil(edges.min(axis=0) - HAIR), np.floor(edges.max(axis=0) + HAIR)
        self._box = np.clip([low, high], LOWEST, HIGHEST).astype(np.int64)
        self._cells = interpolant.cells
        per_unit = np.array(self._cells.shape) / (interpolant.high - interpolant.low)[:2]
        terms = (offsets - interpolant.low)[:2] * per_unit
        self._to_cell = np.nan_to_num(np.stack([scales[:2] * per_unit, terms]), posinf=0.0)

    def __call__(self, steps: npt.NDArray[np.int32]) -> tuple[Moved, npt.NDArray[np.int64]]:
        """Move points where they stand: shape (n, 3), int32, the three of a point side by side.

        Returns
        -------
        Moved
            Of the points that were.
        ndarray, shape (m,), int64
            Indices of the points that were not: no polynomial holds for them, or they do not fit
            the output grid.
        """
        left = np.empty(len(steps), np.int64)
        figures, skipped = _move(
            steps.ctypes.data,
            steps.strides[0],
            len(steps),
            self._box,
            self._cells,
            self._to_cell,
            self._polynomials,
            self._products,
            self._out_scales,
            left,
        )
        low, high = figures[:2].clip(-NOWHERE, NOWHERE).astype(np.int64)
        return Moved(low, high, float((figures[WORST] * self._metres).max())), left[:skipped]
