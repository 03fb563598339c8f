"""A polynomial in place of PROJ, over one box, with a verified error.

Over the box of one cloud the whole chain (placement, datum shift, projection) is smooth, so one
polynomial of low degree reproduces it to far less than a tenth of a millimetre. It is fitted at
Chebyshev nodes and accepted only if it agrees with the chain itself at points it has not seen.
Where it does not (a kink of a grid, the antimeridian, a box too large) there is no interpolant and
the caller uses the chain for every point.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

DEGREES = (1, 2, 3, 4)
"""Total degrees tried, cheapest first."""

SAFETY = 20.0
"""A degree is good enough when its verified error is this many times below the tolerance."""

LAST_SAFETY = 2.0
"""What the highest degree must still reach, or the interpolant is declined."""

BLOCK = 4096
"""Points evaluated at a time, so that the powers stay in the processor's cache."""

SMALLEST_HALF_EXTENT = 1e-3
"""Half extent given to a flat box [source units]; keeps the normalised coordinates finite."""


@dataclass(frozen=True)
class Interpolant:
    """A polynomial from a box in source coordinates to target coordinates.

    Parameters
    ----------
    low, high : ndarray, shape (3,), float64
        The box it is valid in, source units.
    degree : int
        Total degree.
    origin : ndarray, shape (3,), float64
        Target coordinates of the box's centre; results are computed relative to it.
    coefficients : ndarray, shape (3, terms), float64
        In the order of `exponents`, on coordinates normalised to [-1, 1].
    error : ndarray, shape (3,), float64
        Worst difference from the chain at the held-out points, target units.
    """

    low: FloatArray
    high: FloatArray
    degree: int
    origin: FloatArray
    coefficients: FloatArray
    error: FloatArray

    @property
    def normalisation(self) -> tuple[FloatArray, FloatArray]:
        """Middle and half extent of the box, each shape (3,): they map it to [-1, 1]."""
        return _normalisation(self.low, self.high)

    def covers(self, low: FloatArray, high: FloatArray) -> bool:
        """Whether the box from `low` to `high` (each shape (3,)) lies inside this one."""
        return bool(np.all(low >= self.low) and np.all(high <= self.high))

    def apply(self, xyz: FloatArray) -> FloatArray:
        """Target coordinates of points inside the box.

        Parameters
        ----------
        xyz : ndarray, shape (n, 3), float64
            Source coordinates.

        Returns
        -------
        ndarray, shape (n, 3), float64, each column contiguous
        """
        middle, half = self.normalisation
        out = np.empty((3, len(xyz)))
        powers = np.empty((self.coefficients.shape[1], BLOCK))
        for start in range(0, len(xyz), BLOCK):
            part = xyz[start : start + BLOCK]
            u = (part.T - middle[:, None]) / half[:, None]
            v = _monomials(u, self.degree, powers[:, : len(part)])
            np.add(self.coefficients @ v, self.origin[:, None], out=out[:, start : start + BLOCK])
        return out.T


def exponents(degree: int) -> list[tuple[int, ...]]:
    """Exponents of all monomials in three variables up to a total degree, lowest first."""
    powers = itertools.product(range(degree + 1), repeat=3)
    return sorted((p for p in powers if sum(p) <= degree), key=lambda p: (sum(p), p))


def fit_interpolant(
    chain: Callable[[FloatArray], FloatArray],
    low: FloatArray,
    high: FloatArray,
    *,
    tolerance: FloatArray,
) -> Interpolant | None:
    """Fit the cheapest polynomial that agrees with a chain over a box.

    Parameters
    ----------
    chain : callable
        Maps source to target coordinates, shape (n, 3) to (n, 3), float64.
    low, high : ndarray, shape (3,), float64
        The box, source units.
    tolerance : ndarray, shape (3,), float64
        Largest error allowed on each axis, target units.

    Returns
    -------
    Interpolant or None
        None where no degree reaches the tolerance: use the chain itself.
    """
    middle, half = _normalisation(low, high)
    seen = _fit_nodes(DEGREES[-1])
    unseen = _check_points()
    exact = chain(np.concatenate([seen, unseen, np.zeros((1, 3))]) * half + middle)
    if not np.isfinite(exact).all():
        return None
    origin = exact[-1]
    wanted_seen, wanted_unseen = exact[: len(seen)] - origin, exact[len(seen) : -1] - origin
    for degree in DEGREES:
        basis = _monomials(seen.T, degree)
        coefficients = np.linalg.lstsq(basis.T, wanted_seen, rcond=None)[0].T
        found = (coefficients @ _monomials(unseen.T, degree)).T
        error = np.abs(found - wanted_unseen).max(axis=0)
        safety = LAST_SAFETY if degree == DEGREES[-1] else SAFETY
        if np.all(error * safety <= tolerance):
            return Interpolant(
                np.asarray(low, np.float64),
                np.asarray(high, np.float64),
                degree,
                origin,
                np.ascontiguousarray(coefficients),
                error,
            )
    return None


def _normalisation(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    return (low + high) / 2, np.maximum((high - low) / 2, SMALLEST_HALF_EXTENT)


def _fit_nodes(degree: int) -> FloatArray:
    """Chebyshev nodes over the cube, enough for `degree` in each direction."""
    count = degree + 2
    nodes = np.cos((2 * np.arange(count) + 1) * np.pi / (2 * count))
    return np.array(list(itertools.product(nodes, repeat=3)))


def _check_points() -> FloatArray:
    """Points the fit has not seen: a regular grid with the corners, and a scatter between."""
    plan = np.linspace(-1.0, 1.0, 9)
    grid = np.array(list(itertools.product(plan, plan, np.linspace(-1.0, 1.0, 5))))
    scatter = np.random.default_rng(20).uniform(-1.0, 1.0, (512, 3))
    return np.concatenate([grid, scatter])


def _monomials(u: FloatArray, degree: int, out: FloatArray | None = None) -> FloatArray:
    """All monomials of normalised coordinates u, shape (3, n): shape (terms, n).

    Each is the product of a lower one and a coordinate, so a term costs one multiplication.
    """
    terms = exponents(degree)
    place = {term: row for row, term in enumerate(terms)}
    values = np.empty((len(terms), u.shape[1])) if out is None else out
    values[0] = 1.0
    for row, term in enumerate(terms[1:], start=1):
        axis = next(i for i, power in enumerate(term) if power)
        lower = tuple(p - (i == axis) for i, p in enumerate(term))
        np.multiply(values[place[lower]], u[axis], out=values[row])
    return values
