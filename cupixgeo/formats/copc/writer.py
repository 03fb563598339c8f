"""Writing COPC: a LAZ file whose chunks are the nodes of an octree.

Points come in any order and are kept until all are there: in memory while they are few, else on
disk by octree cell. Then the cells are divided into nodes one after the other, and each node is a
chunk. Same points in the same order, same bytes.

Knows the order of work and the file's frame. Must not know where the points come from. The caller
gives a path that may be half-written (see `atomic_output`).

Source: COPC specification 1.0 (copc.io); ASPRS LAS 1.4 R15.
"""

from __future__ import annotations

import os
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import laspy
import lazrs
import numpy as np
import numpy.typing as npt
from pyproj import CRS

from cupixgeo.errors import CancelledError, FormatError
from cupixgeo.formats.copc.cube import Cell
from cupixgeo.formats.copc.hierarchy import INFO, Chunk, build_hierarchy
from cupixgeo.formats.copc.nodes import CellNodes, NodeEncoder, divide
from cupixgeo.formats.copc.octree import VOXEL_LEVELS
from cupixgeo.formats.copc.spill import check_room
from cupixgeo.formats.copc.store import MEMORY_BYTES, PointStore
from cupixgeo.formats.las.records import RecordLayout
from cupixgeo.formats.las.writer import TABLE_UNKNOWN, WRITE_BUFFER, las_header, laszip_record
from cupixgeo.formats.slabs import Slabs
from cupixgeo.progress import Progress, ProgressFn

if TYPE_CHECKING:
    from cupixgeo.formats.las.pointcodec import PointCodec

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Records = npt.NDArray[Any]
T = TypeVar("T")
U = TypeVar("U")

POINT_FORMATS = (6, 7, 8)
"""What a COPC file may hold."""

FEWEST_TO_COMPILE = 500_000
"""Points below which loading compiled code costs more than it saves."""

AHEAD = 3
"""Nodes under way for each core, so that none waits."""

MOST_AHEAD = 32
"""Nodes under way in all: each takes a few megabytes."""

MARGIN_STEPS = 16
"""Grid steps the expected box is widened by: it may be off by a rounding."""


class CopcWriter:
    """A COPC file being written, one block of records after the other.

    Parameters
    ----------
    path : Path
        File to create; overwritten. Points are kept beside it.
    layout : RecordLayout
        Point format 6, 7 or 8, and extra bytes.
    crs : pyproj.CRS
        Stored as a WKT record.
    scales, offsets : tuple of 3 float
        Stored-integer grid, CRS units.
    low, high : array_like, shape (3,), float64 [CRS units]
        Box the points are expected in. Others are written too, but cost a second sorting.
    point_count : int
        Points expected, for choosing how to work and to see that the disk has room; 0 where that
        is not known.
    gps_standard_time : bool
        GPS time is adjusted standard time rather than GPS week seconds.
    progress : callable or None
        Told of points put into nodes, stage ``"index"``.
    cancel : threading.Event or None
        Set it to stop.

    Raises
    ------
    FormatError
        COPC cannot hold that point format.
    DiskFullError
        The disk has too little room for the points while they are sorted.
    """

    def __init__(  # noqa: PLR0913  what a LAS file needs, and what can be known before
        self,
        path: Path,
        layout: RecordLayout,
        *,
        crs: CRS,
        scales: tuple[float, float, float],
        offsets: tuple[float, float, float],
        low: npt.ArrayLike,
        high: npt.ArrayLike,
        point_count: int,
        gps_standard_time: bool = True,
        progress: ProgressFn | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        if layout.point_format not in POINT_FORMATS:
            raise FormatError(
                f"COPC holds points of format 6, 7 or 8, not {layout.point_format}. Lay the "
                "records out as one of those, or write plain LAZ."
            )
        self._header = las_header(layout, crs, scales, offsets, gps_standard_time=gps_standard_time)
        self._laszip = lazrs.LazVlr.new_for_compression(
            layout.point_format, layout.format.num_extra_bytes, True
        )
        self._progress = progress
        self._cancel = cancel
        self.point_count = 0
        size_bytes = point_count * layout.dtype.itemsize
        if size_bytes > MEMORY_BYTES:
            check_room(path.parent, size_bytes)
        box = np.stack([self._steps(low, -MARGIN_STEPS), self._steps(high, MARGIN_STEPS)])
        self._store = PointStore(path.parent, layout.dtype, scales, box, point_count)
        self._file = path.open("w+b", buffering=WRITE_BUFFER)

    def _steps(self, place: npt.ArrayLike, margin: int) -> IntArray:
        """Grid steps of a corner of the expected box, shape (3,)."""
        header = self._header
        steps = (np.asarray(place, np.float64) - header.offsets) / header.scales + margin
        bounded: IntArray = np.nan_to_num(steps).clip(-(2**31), 2**31).astype(np.int64)
        return bounded

    @property
    def bounds(self) -> FloatArray:
        """Box of the points written so far: shape (2, 3), float64 [CRS units]."""
        box: FloatArray = self._store.box * self._header.scales + self._header.offsets
        return box

    def write(self, records: Records) -> None:
        """Append records, shape (n,), of the layout's dtype, X, Y and Z filled."""
        if not len(records):
            return
        self.point_count += len(records)
        self._store.add(records)

    def close(self) -> None:
        """Put the points into nodes, and write these and everything around them.

        Raises
        ------
        CancelledError
            `cancel` was set.
        """
        if self._file.closed:
            return
        try:
            self._store.finish(self._check)
            self._write_file()
        finally:
            self.abort()

    def abort(self) -> None:
        """Close without finishing; the file is not valid and is the caller's to remove."""
        self._store.close()
        self._file.close()

    def __enter__(self) -> CopcWriter:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _write_file(self) -> None:
        header, file = self._header, self._file
        info = laspy.VLR("copc", 1, "COPC info VLR", bytes(INFO.size))
        header.vlrs.insert(0, info)
        header.vlrs.append(laszip_record(self._laszip))
        header.set_compressed(True)
        header.point_count = self.point_count
        header.number_of_points_by_return = self._store.returns[1:].astype(np.uint64)
        if self.point_count:
            header.mins, header.maxs = self.bounds
        header.write_to(file)
        file.write(TABLE_UNKNOWN)
        nodes = self._write_nodes()
        table_at = file.tell()
        entries = [(chunk.points, chunk.size) for chunk in nodes.values()]
        lazrs.write_chunk_table(file, entries, self._laszip)
        header.start_of_first_evlr, header.number_of_evlrs = file.tell(), 1
        hierarchy = build_hierarchy(nodes, file.tell())
        file.write(hierarchy.data)
        info.record_data = self._info(hierarchy.root_start, hierarchy.root_bytes)
        file.seek(0)
        header.write_to(file, ensure_same_size=True)
        file.write(struct.pack("<q", table_at))

    def _info(self, page_start: int, page_bytes: int) -> bytes:
        cube, header = self._store.cube, self._header
        centre = (cube.low + cube.edge / 2) * header.scales + header.offsets
        half = float(cube.edge[0] * header.scales[0] / 2)
        times = self._store.times
        times = times if times[0] <= times[1] else np.zeros(2)
        return INFO.pack(*centre, half, 2 * half / 2**VOXEL_LEVELS, page_start, page_bytes, *times)

    def _write_nodes(self) -> dict[Cell, Chunk]:
        """Divide, compress and write, each a step ahead of the next, on all cores."""
        chunks: dict[Cell, Chunk] = {}
        encode = NodeEncoder(self._laszip, self._codec())
        cube, slabs = self._store.cube, Slabs()
        workers = os.cpu_count() or 1
        window = min(AHEAD * workers, MOST_AHEAD)
        done = 0
        with ThreadPoolExecutor(workers) as pool, ThreadPoolExecutor(1) as divider:
            cells = self._store.cells(self._check)
            divided = _in_order(divider, lambda points: divide(points, cube, slabs), cells, 1)
            nodes = self._nodes(divided)
            for (cell, records), data in _in_order(
                pool, lambda node: (node, encode(node[1])), nodes, window
            ):
                chunks[cell] = Chunk(self._file.tell(), len(data), len(records))
                self._file.write(data)
                done += len(records)
                if self._progress is not None:
                    self._progress(Progress("index", done, self.point_count))
                self._check()
        return chunks

    @staticmethod
    def _nodes(cells: Iterable[CellNodes]) -> Iterator[tuple[Cell, Records]]:
        """Yield nodes with all their points: those above cells when the cells below are done."""
        pending: defaultdict[Cell, list[Records]] = defaultdict(list)
        for divided in cells:
            complete = (c for c in pending if not c.holds(divided.cell))
            for cell in sorted(complete, reverse=True):
                yield cell, np.concatenate(pending.pop(cell))
            for above, records in divided.above:
                pending[above].append(records)
            yield from (node for node in divided.own if len(node[1]))
        for cell in sorted(pending, reverse=True):
            yield cell, np.concatenate(pending.pop(cell))

    def _codec(self) -> PointCodec | None:
        if self.point_count < FEWEST_TO_COMPILE:
            return None
        from cupixgeo.formats.las.pointcodec import PointCodec

        layout = self._header.point_format
        return PointCodec(layout.id, layout.size, layout.num_extra_bytes)

    def _check(self) -> None:
        if self._cancel is not None and self._cancel.is_set():
            raise CancelledError("writing was cancelled; no output was kept.")


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[T], U], items: Iterable[T], window: int
) -> Iterator[U]:
    """Results of work on items, in their order, with at most `window` waiting."""
    under_way: deque[Future[U]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) > window:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()
