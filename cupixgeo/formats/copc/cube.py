"""The root cube of an octree on a LAS integer grid, and its cells.

Cells are numbered by a Morton code whose bits are flipped at every other level. In that order the
first point of any cell is the one nearest to a place inside it (a third of its edge from one
corner, at the next level two thirds, which is the same place): so the first points of all voxels
of a size are spread evenly, and the choice at one level is part of the choice at the next. Of a
code's three bits a level, z is the lowest: most surfaces are level rather than steep.

Knows integers and cells. Must not know files.

Source: COPC specification 1.0, VoxelKey; G. Morton, *A computer oriented geodetic data base*, 1966.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

LEAST_EDGE = 32
"""Grid steps in the edge of the smallest cells: more than any surface would need."""

LEAST_ROOT = 128
"""Grid steps in the edge of a root cube, so that a voxel of the root is at least a step."""


ROUNDING = 3
"""Grid steps a cube is longer than its points need, so that its corner can be rounded."""


@dataclass(frozen=True, order=True)
class Cell:
    """A cell of the octree.

    Parameters
    ----------
    level : int
        0 is the root cube.
    code : int
        Number within its level, in the order described above.
    """

    level: int
    code: int

    @property
    def key(self) -> tuple[int, int, int, int]:
        """Level, x, y and z of the cell as COPC counts them."""
        plain = self.code ^ flips(self.level)
        x = y = z = 0
        for bit in range(self.level):
            x |= (plain >> (3 * bit + 2) & 1) << bit
            y |= (plain >> (3 * bit + 1) & 1) << bit
            z |= (plain >> 3 * bit & 1) << bit
        return self.level, x, y, z

    def above(self, level: int) -> Cell:
        """Cell of a level at or above this one's that holds this one."""
        return Cell(level, self.code >> 3 * (self.level - level))

    def holds(self, other: Cell) -> bool:
        """Whether another cell is this one or inside it."""
        return other.level >= self.level and other.above(self.level) == self


ROOT = Cell(0, 0)


def flips(level: int) -> int:
    """Bits to flip in a plain Morton code of a level: all three of every second level."""
    mask = 0
    for depth in range(1, level + 1):
        mask = mask << 3 | (0 if depth % 2 else 7)
    return mask


def common_level(first: Cell, second: Cell) -> int:
    """Deepest level at which two cells lie in the same cell."""
    level = min(first.level, second.level)
    while first.above(level) != second.above(level):
        level -= 1
    return level


@dataclass(frozen=True, eq=False)
class Cube:
    """A cube in CRS units, as a box of stored integers.

    Cell boundaries lie between grid steps, so that no point is on one, whatever a reader computes.

    Parameters
    ----------
    low : ndarray, shape (3,), float64 [grid steps]
        Lowest corner.
    edge : ndarray, shape (3,), float64 [grid steps]
        Edges: of one length in CRS units.
    deepest : int
        Level of the smallest cells.
    """

    low: FloatArray
    edge: FloatArray
    deepest: int

    @classmethod
    def around(
        cls,
        low: npt.NDArray[np.int64],
        high: npt.NDArray[np.int64],
        scales: tuple[float, float, float],
    ) -> Cube:
        """Smallest suitable cube around the middle of a box, from `low` to `high`, int64 (3,)."""
        sizes = np.array(scales)
        longest = float(((high - low + ROUNDING) * sizes).max())
        needed = max(math.ceil(longest / max(scales)), LEAST_ROOT)
        deepest = (needed // LEAST_EDGE).bit_length() - 1
        edge: FloatArray = (-(-needed >> deepest) << deepest) * (max(scales) / sizes)
        return cls(np.floor((low + high) / 2 - edge / 2) - 0.5, edge, deepest)

    def covers(self, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> bool:
        """Whether a box of stored integers, int64 (3,) each, lies in the cube."""
        return bool((low > self.low).all() and (high < self.low + self.edge).all())

    def corner(self, cell: Cell) -> FloatArray:
        """Lowest corner of a cell, shape (3,), float64 [grid steps]."""
        level, *place = cell.key
        corner: FloatArray = self.low + np.array(place) * (self.edge / 2.0**level)
        return corner
