"""The points of a LAZ file as blocks that all cores decode, in file order.

Where `LasReader.blocks` waits for lazrs, which holds Python's lock, this does not; a block is
some chunks. Must not know how chunks are coded.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeGuard

import lazrs
import numpy as np
import numpy.typing as npt

from cupixgeo.formats.las.chunks import ChunkTable, check_layers, damaged, decode_chunks
from cupixgeo.formats.las.pointcodec import PointCodec
from cupixgeo.formats.las.reader import EVERYTHING, LasBlock, LasReader
from cupixgeo.formats.las.recode import Workspace
from cupixgeo.formats.slabs import Slabs

Bytes = npt.NDArray[np.uint8]

POINT_FORMATS = (6, 7, 8)
"""What `PointCodec` knows."""

BLOCK_POINTS = 150_000
"""Points a block holds at least, but for the last: memory of that size is cheap to come by."""

AHEAD = 2
"""Chunks under way for each core, so that none waits."""


def has_whole_chunks(reader: object) -> TypeGuard[LasReader]:
    """Whether `chunk_blocks` can read the points of an open file."""
    if not isinstance(reader, LasReader) or reader.facts.point_format not in POINT_FORMATS:
        return False
    return reader.facts.chunks is not None and reader.chunks_are_small


def chunk_blocks(reader: LasReader, slabs: Slabs) -> Iterator[LasBlock]:
    """Yield all points of a file in file order, some chunks at a time.

    Parameters
    ----------
    reader : LasReader
        Open, and such that `has_whole_chunks`.
    slabs : Slabs
        Memory for the records.

    Yields
    ------
    LasBlock
        Its records are nobody else's: they may be changed.

    Raises
    ------
    CorruptFileError
        The compressed points are damaged, or some have gone.
    """
    table = reader.facts.chunks
    assert table is not None
    decode = _Decode(reader)
    dtype, length = np.dtype(reader.point_format.dtype()), reader.facts.record_length
    scales, offsets = np.array(reader.facts.scales), np.array(reader.facts.offsets)
    workers = os.cpu_count() or 1
    under_way: deque[tuple[Bytes, list[Future[None]]]] = deque()

    def finished() -> LasBlock:
        records, parts = under_way[0]
        for part in parts:
            part.result()
        under_way.popleft()
        return LasBlock(records.reshape(-1).view(dtype), reader.point_format, scales, offsets)

    with ThreadPoolExecutor(workers) as pool:
        try:
            for chunks in _groups(table):
                ends = np.cumsum(table.points[chunks.start : chunks.stop]).tolist()
                records = slabs.lend(ends[-1] * length).reshape(-1, length)
                parts = [
                    pool.submit(decode, chunk, records[start:end])
                    for chunk, start, end in zip(chunks, [0, *ends], ends, strict=False)
                ]
                under_way.append((records, parts))
                while sum(len(waiting) for _, waiting in under_way) > AHEAD * workers + len(parts):
                    yield finished()
            while under_way:
                yield finished()
        finally:
            for _, parts in under_way:
                for part in parts:
                    part.cancel()


def _groups(table: ChunkTable) -> Iterator[range]:
    """Consecutive chunks, so many at a time that they make a block."""
    start = points = 0
    for chunk, count in enumerate(table.points.tolist()):
        points += count
        if points >= BLOCK_POINTS:
            yield range(start, chunk + 1)
            start, points = chunk + 1, 0
    if start < len(table):
        yield range(start, len(table))


class _Decode:
    """Decodes chunks of one file, on any thread."""

    def __init__(self, reader: LasReader) -> None:
        self._facts, self._file = reader.facts, reader.file
        facts = self._facts
        self._codec = PointCodec(facts.point_format, facts.record_length, facts.extra_bytes)
        self._thread = threading.local()

    def __call__(self, chunk: int, out: Bytes) -> None:
        """Fill in the records of a chunk, shape (n, record length)."""
        facts = self._facts
        table = facts.chunks
        assert table is not None
        size = int(table.sizes[chunk])
        (data,) = self._file.spans([(int(table.starts[chunk]), size)])
        if len(data) < size:
            raise damaged(facts, range(chunk, chunk + 1), "the file has become shorter")
        check_layers(facts, table, chunk, data)
        work = getattr(self._thread, "work", None)
        if work is None:
            work = self._thread.work = Workspace()
        if not self._codec.decode(np.frombuffer(data, np.uint8), out, work):
            selection = lazrs.DecompressionSelection(EVERYTHING)
            records = decode_chunks(self._file, facts, range(chunk, chunk + 1), selection)
            out[:] = records.reshape(out.shape)
