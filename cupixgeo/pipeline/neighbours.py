"""Nearest neighbours between point sets, compiled: a k-d tree without a single object.

The tree is the points themselves in another order: the range of a node is halved at its middle,
along the longest side of its box, down to leaves of some points. A search keeps the distance to a
node's half-space as it goes (Arya and Mount), so that it leaves out all that is further than what
it has, or than the farthest that counts. Exact, whatever the density. Must not know clouds.

References
----------
Arya, Mount 1993, "Algorithms for fast vector quantization", DCC '93 (incremental distances).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cupixgeo.compiling import compiled

FloatArray = npt.NDArray[np.float64]

LEAF = 12
"""Points of a leaf at most: fewer make the tree deep, more are all looked at."""

_DEEPEST = 64


@compiled
def _select(points, order, low, high, middle, axis):
    """Put the point that belongs at `middle` there, lower ones before it (Hoare's quickselect)."""
    last = high - 1
    while low < last:
        pivot = points[order[(low + last) // 2], axis]
        i, j = low, last
        while i <= j:
            while points[order[i], axis] < pivot:
                i += 1
            while points[order[j], axis] > pivot:
                j -= 1
            if i <= j:
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if middle <= j:
            last = j
        elif middle >= i:
            low = i
        else:
            return


@compiled
def _build(points, order, axes, cuts):
    """Order the points; node k has the children 2k + 1 and 2k + 2, `axes` and `cuts` its split."""
    stack = np.empty((_DEEPEST, 3), np.int64)
    stack[0, 0], stack[0, 1], stack[0, 2] = 0, 0, len(order)
    filled = 1
    while filled:
        filled -= 1
        node, low, high = stack[filled, 0], stack[filled, 1], stack[filled, 2]
        if node >= len(axes):
            continue
        widest, axis = -1.0, 0
        for k in range(3):
            least, most = np.inf, -np.inf
            for i in range(low, high):
                value = points[order[i], k]
                least, most = min(least, value), max(most, value)
            if most - least > widest:
                widest, axis = most - least, k
        middle = (low + high) // 2
        _select(points, order, low, high, middle, axis)
        axes[node] = axis
        cuts[node] = points[order[middle], axis]
        stack[filled, 0], stack[filled, 1], stack[filled, 2] = 2 * node + 1, low, middle
        filled += 1
        stack[filled, 0], stack[filled, 1], stack[filled, 2] = 2 * node + 2, middle, high
        filled += 1


@compiled
def _search(points, axes, cuts, queries, farthest, out):
    """Fill out (m,) with the squared distance of each query to its nearest point."""
    nodes = np.empty((_DEEPEST, 3), np.int64)
    apart = np.empty((_DEEPEST, 4))
    for q in range(len(queries)):
        x, y, z = queries[q, 0], queries[q, 1], queries[q, 2]
        best = np.inf
        limit = farthest
        nodes[0, 0], nodes[0, 1], nodes[0, 2] = 0, 0, len(points)
        apart[0, :] = 0.0
        filled = 1
        while filled:
            filled -= 1
            distance = apart[filled, 3]
            if distance > limit:
                continue
            node, low, high = nodes[filled, 0], nodes[filled, 1], nodes[filled, 2]
            off0, off1, off2 = apart[filled, 0], apart[filled, 1], apart[filled, 2]
            while node < len(axes):
                axis = axes[node]
                middle = (low + high) // 2
                if axis == 0:
                    off, old = x - cuts[node], off0
                elif axis == 1:
                    off, old = y - cuts[node], off1
                else:
                    off, old = z - cuts[node], off2
                beyond = distance - old * old + off * off
                if beyond <= limit:
                    apart[filled, 0], apart[filled, 1], apart[filled, 2] = off0, off1, off2
                    apart[filled, axis] = off
                    apart[filled, 3] = beyond
                    nodes[filled, 0] = 2 * node + 2 if off < 0 else 2 * node + 1
                    nodes[filled, 1] = middle if off < 0 else low
                    nodes[filled, 2] = high if off < 0 else middle
                    filled += 1
                if off < 0:
                    node, high = 2 * node + 1, middle
                else:
                    node, low = 2 * node + 2, middle
            for i in range(low, high):
                dx, dy, dz = points[i, 0] - x, points[i, 1] - y, points[i, 2] - z
                squared = dx * dx + dy * dy + dz * dz
                if squared <= limit:
                    best = limit = squared
        out[q] = best


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Points to whose nearest one distances can be asked for; see `neighbours_of`.

    Parameters
    ----------
    points : ndarray, shape (n, 3), float64
        In the order of the tree.
    axes : ndarray, shape (k,), int8
        Axis each node is split along.
    cuts : ndarray, shape (k,), float64
        Where.
    """

    points: FloatArray
    axes: npt.NDArray[np.int8]
    cuts: FloatArray

    def distances(self, queries: FloatArray, *, farthest: float = np.inf) -> FloatArray:
        """Distance of some places to the nearest of the points.

        Parameters
        ----------
        queries : ndarray, shape (m, 3), float64
            In the unit of the points. Sorted by place they take less time.
        farthest : float
            Points further away than this do not count.

        Returns
        -------
        ndarray, shape (m,), float64
            Infinite where no point is within `farthest`, NaN where a coordinate is not finite.
        """
        out = np.empty(len(queries))
        _search(self.points, self.axes, self.cuts, np.ascontiguousarray(queries), farthest**2, out)
        out[~np.isfinite(queries).all(axis=1)] = np.nan
        return np.sqrt(out)


def neighbours_of(points: FloatArray) -> Neighbours:
    """Make points searchable.

    Parameters
    ----------
    points : ndarray, shape (n, 3), float64
        Any unit, the same on each axis, finite; there may be none. They are copied.
    """
    order = np.arange(len(points))
    depth = max(0, int(np.ceil(np.log2(max(1, len(points)) / LEAF))))
    axes, cuts = np.zeros(2**depth - 1, np.int8), np.zeros(2**depth - 1)
    points = np.ascontiguousarray(points, np.float64)
    _build(points, order, axes, cuts)
    return Neighbours(points[order], axes, cuts)
