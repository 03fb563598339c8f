"""Points waiting until all are there, handed out cell by cell: in memory while they are few.

Knows how many points may be held. Must not know nodes or files of any format.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cupixgeo.formats.copc.cube import ROOT, Cell, Cube, common_level
from cupixgeo.formats.copc.octree import VOXEL_LEVELS, survey
from cupixgeo.formats.copc.spill import Spill

IntArray = npt.NDArray[np.int64]
Records = npt.NDArray[Any]

MEMORY_BYTES = 64_000_000
"""Plain records kept in memory; with more, all go to disk."""

CELL_POINTS = 400_000
"""Points wanted in a cell on disk."""

LARGEST_CELL = 800_000
"""Points of a cell that is divided in memory; one with more is sorted into smaller ones first."""

UNKNOWN_POINTS = 100_000_000
"""Points taken to be coming where nobody knows."""

FINEST_SORT = 6
"""Most levels between cells on disk and the root: a quarter of a million cells."""

FINER_SORT = 3
"""Levels between a cell with too many points and those it is sorted into."""

TOO_WIDE = 4.0
"""Times a cube may be wider than its points before these are sorted again in a closer one."""

LEAF_POINTS = 65_536
"""Points of a cell up to which it is not divided: a chunk of some hundred kilobytes."""

FEW_POINTS = 128
"""Points of a cell up to which they stay in the node above: not worth a chunk."""


@dataclass(frozen=True, eq=False)
class CellPoints:
    """All points of a cell.

    Parameters
    ----------
    cell : Cell
        Where they are.
    records : ndarray, shape (n,)
        In the order they came.
    first : int
        Coarsest level of which the cell's first point represents a voxel.
    depth : int
        How far above the cell there is a node that is not divided, negative; 0 where there is none.
    """

    cell: Cell
    records: Records
    first: int
    depth: int


class PointStore:
    """Records in any order in, cells in order out.

    Parameters
    ----------
    folder : Path
        Where points are kept that do not fit into memory.
    dtype : numpy.dtype
        Of a record.
    scales : tuple of 3 float
        Of the stored integers.
    box : ndarray, shape (2, 3), int64 [grid steps]
        Where points are expected.
    expected : int
        How many; 0 where nobody knows.

    Attributes
    ----------
    box : ndarray, shape (2, 3), int64 [grid steps]
        Of the points so far; turned inside out while there is none.
    returns : ndarray, shape (16,), int64
        Points by return number.
    times : ndarray, shape (2,), float64
        Least and greatest GPS time; turned inside out while there is none.
    """

    def __init__(
        self,
        folder: Path,
        dtype: np.dtype[Any],
        scales: tuple[float, float, float],
        box: IntArray,
        expected: int,
    ) -> None:
        self._folder = folder
        self._dtype = dtype
        self._scales = scales
        self._expected_box = box
        self._expected = expected or UNKNOWN_POINTS
        self._points = 0
        self.box = np.repeat([[np.iinfo(np.int64).max], [np.iinfo(np.int64).min]], 3, axis=1)
        self.returns = np.zeros(16, np.int64)
        self.times = np.array([np.inf, -np.inf])
        self._blocks: list[Records] = []
        self._spill: Spill | None = None
        self._levels = 0

    @property
    def cube(self) -> Cube:
        """Root of the octree, once all points are there."""
        if self._spill is not None:
            return self._spill.cube
        low, high = self.box if self._points else np.zeros((2, 3), np.int64)
        return Cube.around(low, high, self._scales)

    def add(self, records: Records) -> None:
        """Take over records, shape (n,); they may be changed afterwards."""
        records = np.ascontiguousarray(records)
        at, times = records.ctypes.data, records["gps_time"]
        survey(at, records.itemsize, times, self.box, self.returns, self.times)
        self._points += len(records)
        if self._spill is not None:
            self._spill.add(records, ROOT, self._levels)
            return
        self._blocks.append(records.copy())
        if self._points * self._dtype.itemsize > MEMORY_BYTES:
            expected = self._expected_box
            box = expected if (expected[0] <= expected[1]).all() else self.box
            self._begin_spill(Cube.around(box[0], box[1], self._scales))
            while self._blocks:
                self._spill_block(self._blocks.pop(0))

    def _begin_spill(self, cube: Cube) -> None:
        points = max(self._expected, self._points)
        wanted = max(1, math.ceil(math.log(points / CELL_POINTS, 4)))
        self._levels = min(wanted, FINEST_SORT, cube.deepest)
        self._spill = Spill(self._folder, self._dtype, cube)

    def _spill_block(self, records: Records) -> None:
        assert self._spill is not None
        self._spill.add(records, ROOT, self._levels)

    def finish(self, check: Callable[[], None]) -> None:
        """Settle the cube; to be called once, when all points are there.

        Parameters
        ----------
        check : callable
            Called between blocks; stops the work by raising.
        """
        spill = self._spill
        if spill is None:
            return
        self._expected = self._points
        close = Cube.around(self.box[0], self.box[1], self._scales)
        fits = spill.cube.covers(self.box[0], self.box[1])
        if fits and spill.cube.edge[0] <= TOO_WIDE * close.edge[0]:
            return
        try:
            self._begin_spill(close)
            for records in spill.blocks():
                check()
                self._spill_block(records)
        finally:
            spill.close()

    def cells(self, check: Callable[[], None]) -> Iterator[CellPoints]:
        """Hand out all points, cell by cell in order; `check` as in `finish`."""
        if self._spill is not None:
            yield from self._spilled(self._spill, check)
        elif self._points:
            records = np.concatenate(self._blocks)
            self._blocks.clear()
            yield CellPoints(ROOT, records, 0, 0)

    def _spilled(self, spill: Spill, check: Callable[[], None]) -> Iterator[CellPoints]:
        waiting = sorted(spill.points, reverse=True)
        totals: defaultdict[Cell, int] = defaultdict(int)
        for cell, points in spill.points.items():
            for level in range(cell.level + 1):
                totals[cell.above(level)] += points
        previous = None
        while waiting:
            check()
            cell = waiting.pop()
            levels = min(FINER_SORT, spill.cube.deepest - cell.level)
            if spill.points[cell] > LARGEST_CELL and levels > 0:
                smaller = spill.split(cell, levels)
                for part in smaller:
                    for level in range(cell.level + 1, part.level + 1):
                        totals[part.above(level)] += spill.points[part]
                waiting += reversed(smaller)
                continue
            first = 0
            if previous is not None:
                first = max(0, common_level(previous, cell) + 1 - VOXEL_LEVELS)
            previous = cell
            yield CellPoints(cell, spill.pop(cell), first, _depth(cell, totals))

    def close(self) -> None:
        """Give memory and disk space back."""
        self._blocks.clear()
        if self._spill is not None:
            self._spill.close()


def _depth(cell: Cell, totals: dict[Cell, int]) -> int:
    """How far a cell is from a node above it that is not divided (negative), else 0."""
    for level in range(cell.level + 1):
        points = totals[cell.above(level)]
        if level and points <= FEW_POINTS:
            return level - 1 - cell.level
        if points <= LEAF_POINTS:
            return level - cell.level
    return 0
