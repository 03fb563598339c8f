"""Polynomials in place of PROJ, over one box, with a verified error.

Over the box of one cloud the whole chain (placement, datum shift, projection) is smooth, so one
polynomial of low degree reproduces it to far less than a tenth of a millimetre. It is fitted at
Chebyshev nodes and accepted only if it agrees with the chain itself at points it has not seen.
Where it does not (a box too large, an edge between cells of a grid, the antimeridian) the box is
halved in plan, again and again, as long as that pays; in the cells where nothing holds, the chain
is called for every point.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cupixgeo.errors import OperationError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]
Chain = Callable[[FloatArray], FloatArray]

DEGREES = (1, 2, 3, 4)
"""Total degrees tried, cheapest first."""

SAFETY = 20.0
"""A degree is good enough when its verified error is this many times below the tolerance."""

LAST_SAFETY = 2.0
"""What the highest degree must still reach, or the interpolant is declined."""

DEEPEST = 5
"""Times a box is halved in both directions at most: into 32 by 32 cells."""

BLOCK = 4096
"""Points evaluated at a time, so that the powers stay in the processor's cache."""

SMALLEST_HALF_EXTENT = 1e-3
"""Half extent given to a flat box [source units]; keeps the normalised coordinates finite."""

NONE = -1
"""In place of a polynomial's number: the chain is called."""


@dataclass(frozen=True)
class Polynomial:
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

    def apply(self, xyz: FloatArray, out: FloatArray) -> None:
        """Fill `out`, shape (3, n), from points inside the box, shape (n, 3), float64."""
        middle, half = self.normalisation
        powers = np.empty((self.coefficients.shape[1], BLOCK))
        for start in range(0, len(xyz), BLOCK):
            part = xyz[start : start + BLOCK]
            u = (part.T - middle[:, None]) / half[:, None]
            v = _monomials(u, self.degree, powers[:, : len(part)])
            np.add(self.coefficients @ v, self.origin[:, None], out=out[:, start : start + BLOCK])

    def after(self, matrix: FloatArray, low: FloatArray, high: FloatArray) -> Polynomial:
        """Work a placement into it, exactly: an affine map leaves the degree as it is.

        Parameters
        ----------
        matrix : ndarray, shape (4, 4), float64
            Placement that leads to this polynomial's source coordinates.
        low, high : ndarray, shape (3,), float64
            The box in front of it, which it leads into the box of this one.
        """
        middle, half = _normalisation(low, high)
        placed = (_fit_nodes() * half + middle) @ matrix[:3, :3].T + matrix[:3, 3]
        own_middle, own_half = self.normalisation
        values = _monomials(((placed - own_middle) / own_half).T, self.degree)
        solve, _ = _bases(self.degree)
        coefficients = self.coefficients @ (values @ solve.T)
        return Polynomial(low, high, self.degree, self.origin, coefficients, self.error)

    def lowered(self, tolerance: FloatArray) -> Polynomial:
        """Leave out the highest terms where that is as good: their sum is no more anywhere in it.

        Parameters
        ----------
        tolerance : ndarray, shape (3,), float64
            As of the fit, target units.
        """
        sizes = np.abs(self.coefficients)
        for degree in range(1, self.degree):
            kept = len(factors(degree)) + 1
            error = self.error + sizes[:, kept:].sum(axis=1)
            if np.all(error * SAFETY <= tolerance):
                fewer = np.ascontiguousarray(self.coefficients[:, :kept])
                return Polynomial(self.low, self.high, degree, self.origin, fewer, error)
        return self


@dataclass(frozen=True)
class Interpolant:
    """Polynomials side by side over a box in source coordinates.

    Parameters
    ----------
    chain : callable
        What they stand for, shape (n, 3) to (n, 3), float64; called where none of them holds.
    low, high : ndarray, shape (3,), float64
        The box, source units.
    cells : ndarray, shape (nx, ny), int32
        Equal parts of the box in plan: number of the polynomial that holds in it, or `NONE`.
    polynomials : tuple of Polynomial
        At least one.
    """

    chain: Chain
    low: FloatArray
    high: FloatArray
    cells: IntArray
    polynomials: tuple[Polynomial, ...]

    @classmethod
    def of(cls, chain: Chain, polynomial: Polynomial) -> Interpolant:
        """Take one polynomial for its whole box."""
        cells = np.zeros((1, 1), np.int32)
        return cls(chain, polynomial.low, polynomial.high, cells, (polynomial,))

    @property
    def error(self) -> FloatArray:
        """Worst difference from the chain at the held-out points of all cells: shape (3,)."""
        worst: FloatArray = np.max([p.error for p in self.polynomials], axis=0)
        return worst

    @property
    def share(self) -> float:
        """Part of the box's plan in which polynomials hold, from 0 to 1."""
        return float(np.mean(self.cells != NONE))

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
        out = np.empty((3, len(xyz)))
        if self.cells.size == 1:
            self.polynomials[0].apply(xyz, out)
            return out.T
        number = self._number_of(xyz)
        for wanted in np.unique(number).tolist():
            inside = np.flatnonzero(number == wanted)
            part = np.empty((3, len(inside)))
            if wanted == NONE:
                part[...] = self.chain(xyz[inside]).T
            else:
                self.polynomials[wanted].apply(xyz[inside], part)
            out[:, inside] = part
        return out.T

    def _number_of(self, xyz: FloatArray) -> IntArray:
        """Polynomial that holds for each point, shape (n,), int32."""
        places = []
        for axis, count in enumerate(self.cells.shape):
            size = max((self.high[axis] - self.low[axis]) / count, np.finfo(float).tiny)
            place = ((xyz[:, axis] - self.low[axis]) / size).astype(np.int64)
            places.append(place.clip(0, count - 1))
        found: IntArray = self.cells[places[0], places[1]]
        return found


def exponents(degree: int) -> list[tuple[int, ...]]:
    """Exponents of all monomials in three variables up to a total degree, lowest first."""
    powers = itertools.product(range(degree + 1), repeat=3)
    return sorted((p for p in powers if sum(p) <= degree), key=lambda p: (sum(p), p))


def fit_interpolant(
    chain: Chain,
    low: FloatArray,
    high: FloatArray,
    *,
    tolerance: FloatArray,
    trials: int = 1,
) -> Interpolant | None:
    """Fit the cheapest polynomials that agree with a chain over a box.

    Parameters
    ----------
    chain : callable
        Maps source to target coordinates, shape (n, 3) to (n, 3), float64.
    low, high : ndarray, shape (3,), float64
        The box, source units.
    tolerance : ndarray, shape (3,), float64
        Largest error allowed on each axis, target units.
    trials : int
        Cells that may be tried, the box itself being the first.

    Returns
    -------
    Interpolant or None
        None where no polynomial reaches the tolerance in any cell tried: use the chain itself.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    found: list[tuple[int, int, int, Polynomial]] = []
    waiting = deque([(0, 0, 0)])
    for _ in range(trials):
        if not waiting:
            break
        depth, i, j = waiting.popleft()
        cell_low, cell_high = _cell(low, high, depth, i, j)
        polynomial = fit_polynomial(chain, cell_low, cell_high, tolerance=tolerance)
        if polynomial is not None:
            found.append((depth, i, j, polynomial))
        elif depth < DEEPEST:
            halves = itertools.product((2 * i, 2 * i + 1), (2 * j, 2 * j + 1))
            waiting.extend((depth + 1, a, b) for a, b in halves)
    if not found:
        return None
    deepest = max(depth for depth, *_ in found)
    cells = np.full((1 << deepest, 1 << deepest), NONE, np.int32)
    for number, (depth, i, j, _) in enumerate(found):
        width = 1 << (deepest - depth)
        cells[i * width : (i + 1) * width, j * width : (j + 1) * width] = number
    return Interpolant(chain, low, high, cells, tuple(p for *_, p in found))


def _cell(
    low: FloatArray, high: FloatArray, depth: int, i: int, j: int
) -> tuple[FloatArray, FloatArray]:
    """Box of one of the parts that a box is cut into in plan."""
    size = (high - low) / [1 << depth, 1 << depth, 1]
    return low + size * [i, j, 0], low + size * [i + 1, j + 1, 1]


def fit_polynomial(
    chain: Chain, low: FloatArray, high: FloatArray, *, tolerance: FloatArray
) -> Polynomial | None:
    """Fit the lowest polynomial that agrees with a chain over a box, or none; as an interpolant."""
    middle, half = _normalisation(low, high)
    seen, unseen = _fit_nodes(), _check_points()
    try:
        exact = chain(np.concatenate([seen, unseen, np.zeros((1, 3))]) * half + middle)
    except OperationError:  # a part of the box lies outside its domain
        return None
    if not np.isfinite(exact).all():
        return None
    origin = exact[-1]
    wanted_seen, wanted_unseen = exact[: len(seen)] - origin, exact[len(seen) : -1] - origin
    for degree in DEGREES:
        solve, check = _bases(degree)
        coefficients = (solve @ wanted_seen).T
        error = np.abs((coefficients @ check).T - wanted_unseen).max(axis=0)
        safety = LAST_SAFETY if degree == DEGREES[-1] else SAFETY
        if np.all(error * safety <= tolerance):
            return Polynomial(low, high, degree, origin, np.ascontiguousarray(coefficients), error)
    return None


def _normalisation(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    return (low + high) / 2, np.maximum((high - low) / 2, SMALLEST_HALF_EXTENT)


@lru_cache(maxsize=1)
def _fit_nodes() -> FloatArray:
    """Chebyshev nodes over the cube, enough for the highest degree in each direction."""
    count = DEGREES[-1] + 2
    nodes = np.cos((2 * np.arange(count) + 1) * np.pi / (2 * count))
    return np.array(list(itertools.product(nodes, repeat=3)))


@lru_cache(maxsize=1)
def _check_points() -> FloatArray:
    """Points the fit has not seen: a regular grid with the corners, and a scatter between."""
    plan = np.linspace(-1.0, 1.0, 9)
    grid = np.array(list(itertools.product(plan, plan, np.linspace(-1.0, 1.0, 5))))
    scatter = np.random.default_rng(20).uniform(-1.0, 1.0, (512, 3))
    return np.concatenate([grid, scatter])


@lru_cache(maxsize=len(DEGREES))
def _bases(degree: int) -> tuple[FloatArray, FloatArray]:
    """Give what makes coefficients of values at the fit's nodes, and monomials at the others."""
    solve = np.linalg.pinv(_monomials(_fit_nodes().T, degree).T)
    return np.asarray(solve, np.float64), _monomials(_check_points().T, degree)


@lru_cache(maxsize=len(DEGREES))
def factors(degree: int) -> tuple[tuple[int, int], ...]:
    """Of each monomial after the first: the lower one and the coordinate it is the product of."""
    terms = exponents(degree)
    place = {term: row for row, term in enumerate(terms)}
    found = []
    for term in terms[1:]:
        axis = next(i for i, power in enumerate(term) if power)
        found.append((place[tuple(p - (i == axis) for i, p in enumerate(term))], axis))
    return tuple(found)


def _monomials(u: FloatArray, degree: int, out: FloatArray | None = None) -> FloatArray:
    """All monomials of normalised coordinates u, shape (3, n): shape (terms, n).

    Each is the product of a lower one and a coordinate, so a term costs one multiplication.
    """
    products = factors(degree)
    values = np.empty((len(products) + 1, u.shape[1])) if out is None else out
    values[0] = 1.0
    for row, (lower, axis) in enumerate(products, start=1):
        np.multiply(values[lower], u[axis], out=values[row])
    return values
