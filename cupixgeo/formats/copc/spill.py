"""Points kept on disk while there are too many for memory, sorted into octree cells.

One nameless temporary file beside the output, which the system removes with its last user, so that
nothing is left even by a killed process. Knows records and cells. Must not know nodes.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cupixgeo.errors import DiskFullError
from cupixgeo.formats.copc.cube import Cell, Cube, flips
from cupixgeo.formats.copc.octree import cells_of, order_by
from cupixgeo.formats.slabs import Slabs

Records = npt.NDArray[Any]

ROOM = 1.3
"""Disk needed at most, as a multiple of the plain records: they and the compressed output."""


def take(records: Records, order: npt.NDArray[np.int64], slabs: Slabs) -> Records:
    """Copy contiguous records in another order, which must be one: much faster than by index."""
    size = records.dtype.itemsize
    rows = records.view(np.uint8).reshape(-1, size)
    out = slabs.lend(len(order) * size)
    rows.take(order, axis=0, out=out.reshape(-1, size), mode="clip")
    taken: Records = out.view(records.dtype)
    return taken


def check_room(folder: Path, size_bytes: int) -> None:
    """Refuse to begin what the disk has no room for.

    Parameters
    ----------
    folder : Path
        Where points will be kept.
    size_bytes : int
        Of their plain records [byte].

    Raises
    ------
    DiskFullError
        There is too little.
    """
    needed, free = int(size_bytes * ROOM), shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFullError(
            f"writing COPC needs about {needed:,} bytes in {folder} while the points are sorted, "
            f"but only {free:,} are free. Free some space, or choose an output on another disk."
        )


class Spill:
    """Records by cell, on disk.

    Parameters
    ----------
    folder : Path
        Where the temporary file is made.
    dtype : numpy.dtype
        Of a record.
    cube : Cube
        Root of the octree.
    """

    def __init__(self, folder: Path, dtype: np.dtype[Any], cube: Cube) -> None:
        self.cube = cube
        self.points: dict[Cell, int] = {}
        self._dtype = dtype
        self._file: FileIO = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        self._slabs = Slabs()
        self._end = 0
        self._blocks: list[tuple[int, int]] = []
        self._extents: dict[Cell, list[tuple[int, int]]] = {}

    def add(self, records: Records, parent: Cell, levels: int) -> None:
        """Sort records of a cell into the cells so many levels below it.

        Parameters
        ----------
        records : ndarray, shape (n,), of the dtype, contiguous
            To keep. Those outside the cell go to the nearest cell in it.
        parent : Cell
            Where the records are.
        levels : int
            How much finer they are sorted.
        """
        level, size = parent.level + levels, self._dtype.itemsize
        flip = flips(level) & ((1 << 3 * levels) - 1)
        factor, corner = 2.0**level / self.cube.edge, self.cube.corner(parent)
        codes = cells_of(records.ctypes.data, size, len(records), corner, factor, levels, flip)
        order, starts = order_by(codes, 1 << 3 * levels)
        at = self._end
        self._append(take(records, order, self._slabs))
        for code in np.flatnonzero(np.diff(starts)).tolist():
            count = int(starts[code + 1] - starts[code])
            cell = Cell(level, parent.code << 3 * levels | code)
            self._extents.setdefault(cell, []).append((at, count))
            self.points[cell] = self.points.get(cell, 0) + count
            at += count * size

    def _append(self, records: Records) -> None:
        self._blocks.append((self._end, len(records)))
        data = memoryview(records.view(np.uint8).data)
        self._file.seek(self._end)
        self._end += len(data)
        while data:
            data = data[self._file.write(data) :]

    def blocks(self) -> Iterator[Records]:
        """Yield all records, block by block as they were added."""
        yield from self._read(self._blocks)

    def pop(self, cell: Cell) -> Records:
        """Hand out all records of a cell, in the order they were added, and forget it."""
        del self.points[cell]
        extents = self._extents.pop(cell)
        count = sum(count for _, count in extents)
        records = self._slabs.lend(count * self._dtype.itemsize).view(self._dtype)
        at = 0
        for start, count in extents:
            self._fill(records[at : at + count], start)
            at += count
        return records

    def split(self, cell: Cell, levels: int) -> list[Cell]:
        """Sort a cell with too many points into cells below it; return those, in order."""
        del self.points[cell]
        before = set(self.points)
        for part in self._read(self._extents.pop(cell)):
            self.add(part, cell, levels)
        return sorted(set(self.points) - before)

    def _read(self, extents: list[tuple[int, int]]) -> Iterator[Records]:
        for start, count in extents:
            part = self._slabs.lend(count * self._dtype.itemsize).view(self._dtype)
            self._fill(part, start)
            yield part

    def _fill(self, part: Records, start: int) -> None:
        view = memoryview(part.view(np.uint8).data)
        self._file.seek(start)
        while view:
            read = self._file.readinto(view)
            if not read:
                raise OSError(errno.EIO, "points kept on disk have gone")
            view = view[read:]

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()
