"""Interpolants for the inputs of a plan.

Where one low polynomial follows the operation over the whole site, it is fitted once and each
input's placement is worked into it: that costs no call of PROJ. Otherwise each input gets an
interpolant of its own, over its own box.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cupixgeo.geodesy.interpolant import (
    Interpolant,
    Polynomial,
    fit_interpolant,
    fit_polynomial,
)
from cupixgeo.geodesy.operation import Operation
from cupixgeo.pipeline.grid import OutputGrid
from cupixgeo.pipeline.inputs import PlannedInput

FloatArray = npt.NDArray[np.float64]

FEWEST_TO_INTERPOLATE = 5_000
"""Points below which fitting an interpolant costs more than calling PROJ."""

POINTS_PER_TRIAL = 20_000
"""Points of an input for each cell that may be tried: a trial costs a thousand points of PROJ."""

HIGHEST_SHARED_DEGREE = 2
"""Beyond it, a smaller box is worth a fit of its own: each point pays for every term."""


class Fitting:
    """Fits interpolants when they are asked for; not for two threads at once.

    Parameters
    ----------
    inputs : sequence of PlannedInput
        All inputs of the plan.
    grid : OutputGrid
        The output's.
    tolerance_m : float or None
        Largest interpolation error [m]; None fits nothing.
    """

    def __init__(
        self, inputs: Sequence[PlannedInput], grid: OutputGrid, tolerance_m: float | None
    ) -> None:
        self._inputs = [planned for planned in inputs if planned.info.point_count]
        self._shared: dict[tuple[object, ...], Polynomial | None] = {}
        self._tolerance: FloatArray | None = None
        if tolerance_m is not None:
            metres, scales = np.array(grid.metres), np.array(grid.scales)
            self._tolerance = np.minimum(tolerance_m / metres, scales / 10)

    def __call__(self, planned: PlannedInput) -> Interpolant | None:
        """Give what stands for an input's chain over its box; None where that is PROJ itself."""
        points = planned.info.point_count
        if self._tolerance is None or points < FEWEST_TO_INTERPOLATE:
            return None
        chain, low, high = planned.chain.apply, planned.low, planned.high
        shared = self._of_site(planned.chain.operation, self._tolerance)
        if shared is not None:
            placed = shared.after(_placement(planned), low, high)
            return Interpolant.of(chain, placed.lowered(self._tolerance))
        trials = max(points // POINTS_PER_TRIAL, 1)
        return fit_interpolant(chain, low, high, tolerance=self._tolerance, trials=trials)

    def _of_site(self, operation: Operation, tolerance: FloatArray) -> Polynomial | None:
        """Polynomial of an operation over all inputs it is for, where that is worth it.

        Not for operations with grids: a kink must not hide between the points of a large box.
        """
        what = _arithmetic(operation)
        if what not in self._shared:
            alike = [p for p in self._inputs if _arithmetic(p.chain.operation) == what]
            found = None
            if len(alike) > 1 and operation.is_smooth:
                corners = np.concatenate([_placed_corners(planned) for planned in alike])
                low, high = corners.min(axis=0), corners.max(axis=0)
                found = fit_polynomial(operation.apply, low, high, tolerance=tolerance)
            wanted = found is not None and found.degree <= HIGHEST_SHARED_DEGREE
            self._shared[what] = found if wanted else None
        return self._shared[what]


def _arithmetic(operation: Operation) -> tuple[object, ...]:
    """Tell operations apart by what they do to points."""
    return operation.definition, operation.height_factors


def _placement(planned: PlannedInput) -> FloatArray:
    transform = planned.chain.transform
    return np.eye(4) if transform is None else transform.matrix


def _placed_corners(planned: PlannedInput) -> FloatArray:
    """Corners of an input's box behind its placement, shape (8, 3)."""
    matrix = _placement(planned)
    corners = np.array(list(itertools.product(*np.stack([planned.low, planned.high]).T)))
    placed: FloatArray = corners @ matrix[:3, :3].T + matrix[:3, 3]
    return placed
