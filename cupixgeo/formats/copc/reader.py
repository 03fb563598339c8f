"""Reading part of a COPC file: an area of it, or a coarser version of it.

A COPC file is a LAZ file whose chunks are the cells of an octree, each level adding points between
those of the level above; read whole, it needs no more than `LasReader`. Knows the octree. Must not
know how points are decoded.

Source: COPC specification 1.0 (copc.io), sections 3 (info VLR) and 4 (hierarchy VLR).
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import xarray as xr

from cupixgeo.cloud.dataset import to_dataset
from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import CloudError, FormatError
from cupixgeo.formats.extent import BoxLike, box_of_points, read_box
from cupixgeo.formats.las.check import record_data
from cupixgeo.formats.las.chunks import ChunkTable
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.refusals import corrupt
from cupixgeo.geodesy.crs import CrsLike, as_crs

INFO = struct.Struct("<5d2Q")
ENTRY = struct.Struct("<4iQ2i")
DEEPEST_LEVEL = 31
"""Cell numbers are 32-bit integers, so an octree has no more levels."""


@dataclass(frozen=True)
class OctreeInfo:
    """The octree of a COPC file.

    Parameters
    ----------
    low : tuple of 3 float
        Lowest corner of the root cell [CRS units].
    size : float
        Edge of the root cell [CRS units].
    spacing : float
        Distance between points of the root cell; halved at each level [CRS units].
    page_start, page_bytes : int
        First hierarchy page [byte].
    """

    low: tuple[float, float, float]
    size: float
    spacing: float
    page_start: int
    page_bytes: int


class CopcReader(LasReader):
    """Part of a COPC file, as an open file of its own.

    Parameters
    ----------
    path : path
        A COPC file.
    crs : CrsLike or None
        CRS of its coordinates, overriding what the file states.
    bounds : 4 numbers or array_like, shape (2, 2) or (2, 3) [CRS units], or None
        West, south, east, north; or the lowest and the highest corner. Whole octree cells are
        read, so that points outside come along.
    spacing : float or None
        Distance between points that is fine enough [CRS units]; None is every point.

    Raises
    ------
    FormatError
        It is a LAS file, but not COPC.
    CorruptFileError
        The octree contradicts the file.
    CloudError
        `bounds` or `spacing` make no sense, or the file cannot be read.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        crs: CrsLike | None = None,
        bounds: BoxLike | None = None,
        spacing: float | None = None,
    ) -> None:
        super().__init__(path, crs=crs)
        try:
            self.octree = self._read_info()
            chunks = self._select(read_box(bounds), self._deepest(spacing))
        except BaseException:
            self.close()
            raise
        table = self.facts.chunks
        assert table is not None
        part = ChunkTable(table.points[chunks], table.starts[chunks], table.sizes[chunks], None)
        count = int(part.points.sum())
        self.facts = replace(self.facts, chunks=part, point_count=count)
        self.info = replace(self.info, point_count=count)

    def bounds(self) -> FloatArray:
        """Smallest box of the selected points: shape (2, 3), float64 [CRS units]. Reads them.

        Raises
        ------
        EmptyCloudError
            None are selected.
        """
        return box_of_points(self)

    def _read_info(self) -> OctreeInfo:
        record = next(self.facts.find("copc", 1), None)
        data = b"" if record is None else record_data(self._file, record)
        if len(data) < INFO.size:
            raise FormatError(
                f"{self.path} is {self.info.format} but not COPC, so parts of it cannot be read "
                "alone. Open it whole and use .cloud.crop or .cloud.thin."
            )
        x, y, z, half, spacing, start, size = INFO.unpack_from(data)
        if not all(map(math.isfinite, (x, y, z, half, spacing))) or half <= 0 or spacing <= 0:
            raise corrupt(self.path, "its COPC record describes an octree without size")
        return OctreeInfo((x - half, y - half, z - half), 2 * half, spacing, start, size)

    def _deepest(self, spacing: float | None) -> int:
        if spacing is None:
            return DEEPEST_LEVEL
        if not spacing > 0:
            raise CloudError(f"spacing={spacing} must be more than 0.")
        return max(0, math.ceil(math.log2(self.octree.spacing / spacing)))

    def _select(self, box: FloatArray, deepest: int) -> npt.NDArray[np.int64]:
        """Chunks of the cells that touch the box, in file order."""
        table = self.facts.chunks
        assert table is not None
        chunk_at = {int(start): chunk for chunk, start in enumerate(table.starts)}
        low = np.array(self.octree.low)
        chosen = []
        for (level, *cell), start, points in self._cells():
            if level > deepest or points == 0:
                continue
            edge = self.octree.size / 2.0**level
            corner = low + np.array(cell) * edge
            if (corner > box[1]).any() or (corner + edge < box[0]).any():
                continue
            chunk = chunk_at.get(start)
            if chunk is None or table.points[chunk] != points:
                raise corrupt(
                    self.path, f"its octree has a cell at byte {start:,} that is not a chunk"
                )
            chosen.append(chunk)
        return np.array(sorted(chosen), np.int64)

    def _cells(self) -> Iterator[tuple[tuple[int, ...], int, int]]:
        """Key, first byte and points of every cell, from all hierarchy pages."""
        pages = [(self.octree.page_start, self.octree.page_bytes)]
        seen = set()
        while pages:
            start, size = pages.pop()
            if start in seen or size < 0 or start + size > self.facts.size_bytes:
                raise corrupt(
                    self.path, f"its octree has a page of {size:,} bytes at byte {start:,}"
                )
            seen.add(start)
            self._file.seek(start)
            data = self._file.read(size - size % ENTRY.size)
            for level, x, y, z, at, length, points in ENTRY.iter_unpack(data):
                if points == -1:
                    pages.append((at, length))
                elif not 0 <= level <= DEEPEST_LEVEL or points < 0:
                    raise corrupt(self.path, f"its octree has a cell of {points:,} points")
                else:
                    yield (level, x, y, z), at, points


def open_copc(
    path: str | os.PathLike[str],
    *,
    bounds: BoxLike | None = None,
    spacing: float | None = None,
    crs: CrsLike | None = None,
) -> xr.Dataset:
    """Open part of a COPC file as a dataset that reads its points when they are needed.

    Parameters
    ----------
    path : path
        A COPC file.
    bounds : 4 numbers or array_like, shape (2, 2) or (2, 3) [CRS units], or None
        West, south, east, north; or the lowest and the highest corner. Whole octree cells are
        read; cut exactly with ``.cloud.crop``.
    spacing : float or None
        Distance between points that is fine enough [CRS units]; None is every point.
    crs : CrsLike or None
        CRS of its coordinates, overriding what the file states.

    Returns
    -------
    xarray.Dataset
        As `open_cloud` returns it.

    Raises
    ------
    CloudError
        As `CopcReader`.
    """
    given = None if crs is None else as_crs(crs)
    source = os.path.abspath(os.fspath(path))
    dataset = to_dataset(partial(CopcReader, source, crs=given, bounds=bounds, spacing=spacing))
    dataset.encoding["source"] = source
    return dataset
