"""Which cubes of a lattice are taken: the ground of thinning, over any number of clouds.

The lattice starts at the origin of the CRS, so that the same cubes are used whatever is cropped,
tiled or merged. A cube's number on an axis is ``floor(coordinate / edge + HAIR)``; the hair keeps
points that stand on a face on one side of it, however their coordinate was rounded.

Cubes are kept as bits of bricks of 4 x 4 x 2 of them, 16 bytes a brick: surfaces fill about a dozen
of the 32, so a cube takes two to four bytes. Nothing is hashed away: the result is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.keytable import LARGEST_TABLE_BYTES, KeyTable, find
from cupixgeo.compiling import compiled
from cupixgeo.errors import CloudError

BoolArray = npt.NDArray[np.bool_]

HAIR = 1e-6
"""Of an edge: how far below a face a point still counts as standing on it."""

REACH = float(1 << 32)
"""Cubes on an axis, each way from the first point: what the numbers of bricks have room for."""

LOW_HALF = 0xFFFFFFFF
OUT_OF_ROOM, OUT_OF_REACH = -1, -2


@compiled
def _claim(x, y, z, shifts, inverses, wanted, table, figures):
    """Clear `wanted` where a point's cube is taken already; take it where it is not.

    Cube on an axis = floor((value + shifts[0]) * inverses + HAIR) - shifts[1]. figures: bricks
    used, bricks allowed, first point to look at, cubes taken. Returns 0, or why it stopped at
    figures[2].
    """
    last_first, last_second, slot = np.uint64(0), np.uint64(0), np.uint64(0)
    known = False
    for i in range(figures[2], len(x)):
        if not wanted[i]:
            continue
        a = np.floor((x[i] + shifts[0, 0]) * inverses[0] + HAIR) - shifts[1, 0]
        b = np.floor((y[i] + shifts[0, 1]) * inverses[1] + HAIR) - shifts[1, 1]
        c = np.floor((z[i] + shifts[0, 2]) * inverses[2] + HAIR) - shifts[1, 2]
        if not (abs(a) < REACH and abs(b) < REACH and abs(c) < REACH):
            figures[2] = i
            return OUT_OF_REACH
        u, v, w = np.uint64(a + REACH), np.uint64(b + REACH), np.uint64(c + REACH)
        first = (u >> np.uint64(2)) | (v >> np.uint64(2)) << np.uint64(32)
        second = w >> np.uint64(1)
        inside = u & np.uint64(3) | (v & np.uint64(3)) << np.uint64(2)
        inside |= (w & np.uint64(1)) << np.uint64(4)
        bit = np.uint64(1) << (inside + np.uint64(32))
        if not known or first != last_first or second != last_second:
            slot = find(table, first, second, np.uint64(LOW_HALF))
            if table[slot, 1] == 0:
                if figures[0] == figures[1]:
                    figures[2] = i
                    return OUT_OF_ROOM
                table[slot, 0] = first
                table[slot, 1] = second
                figures[0] += 1
            last_first, last_second, known = first, second, True
        if table[slot, 1] & bit:
            wanted[i] = False
        else:
            table[slot, 1] |= bit
            figures[3] += 1
    return 0


class VoxelSet:
    """The cubes taken so far.

    Parameters
    ----------
    edges : sequence of 3 float
        Length of a cube on each axis, CRS units.
    scales, offsets : sequence of 3 float or None
        Of stored integers, CRS units; None where points come as coordinates.
    limit_bytes : int
        Memory it may take; half as much again while it grows [byte].
    """

    def __init__(
        self,
        edges: Sequence[float],
        *,
        scales: Sequence[float] = (1.0, 1.0, 1.0),
        offsets: Sequence[float] = (0.0, 0.0, 0.0),
        limit_bytes: int = LARGEST_TABLE_BYTES,
    ) -> None:
        steps = _whole_where_close(np.asarray(edges, np.float64) / np.asarray(scales))
        first = _whole_where_close(np.asarray(offsets, np.float64) / np.asarray(scales))
        self._inverses = 1.0 / steps
        self._shifts = np.stack([first, np.floor(first * self._inverses)])
        self._centred = bool(np.any(first))
        self._table = KeyTable(LOW_HALF, limit_bytes=limit_bytes)
        self.voxels = 0

    @property
    def size_bytes(self) -> int:
        """Memory it takes [byte]."""
        return self._table.size_bytes

    def claim(
        self,
        x: npt.NDArray[Any],
        y: npt.NDArray[Any],
        z: npt.NDArray[Any],
        wanted: BoolArray | None = None,
    ) -> BoolArray:
        """Take the cubes these points are in; say which points were the first in theirs.

        Parameters
        ----------
        x, y, z : ndarray, shape (n,), float64 [CRS units], or int32 [steps of the grid]
        wanted : ndarray, shape (n,), bool, or None
            Points to look at; the others take no cube. None is all.

        Returns
        -------
        ndarray, shape (n,), bool

        Raises
        ------
        CloudError
            The cubes need more memory than allowed, or are too small for the points' extent.
        """
        first = np.ones(len(x), np.bool_) if wanted is None else wanted.copy()
        if not self._centred and len(x):
            at = np.array([float(x[0]), float(y[0]), float(z[0])])
            if np.isfinite(at).all():
                self._shifts[1] = np.floor((at + self._shifts[0]) * self._inverses)
                self._centred = True
        figures = np.array([self._table.used, self._table.room, 0, self.voxels], np.int64)
        table = self._table
        while status := _claim(x, y, z, self._shifts, self._inverses, first, table.slots, figures):
            if status == OUT_OF_REACH:
                raise CloudError(
                    "the points are too far apart, or not finite, for so small a spacing. Give a "
                    "larger spacing_m=."
                )
            if not table.grow():
                raise CloudError(
                    f"thinning so finely needs more than {table.size_bytes / 1e9:.1f} GB of "
                    f"memory after {int(figures[3]):,} points kept. Give a larger spacing_m=, or "
                    "work on a part at a time, with bounds= or tile_m=."
                )
            figures[1] = table.room
        table.used, self.voxels = int(figures[0]), int(figures[3])
        return first


def _whole_where_close(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Whole numbers in place of those a rounding error away from one: 0.25 / 0.001 is 250."""
    whole = np.rint(values)
    close = np.abs(values - whole) <= 1e-9 * np.abs(values)
    return np.where(close, whole, values)
