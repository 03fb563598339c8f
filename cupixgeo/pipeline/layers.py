"""Inputs chunk by chunk: coordinates decoded, moved and encoded on all cores, in order.

Of layered chunks the other layers are copied, of older ones the other symbols are written again.

Loaded only when there are enough points to be worth the compiled code.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from cupixgeo.errors import CloudError
from cupixgeo.formats.las.check import LasHeaderFacts
from cupixgeo.formats.las.chunks import LAYERS, check_layers, damaged
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.las.recode import Bytes, ChunkRecoder, Workspace
from cupixgeo.formats.las.recode_points import PointRecoder
from cupixgeo.formats.las.writer import LasWriter, LazChunk
from cupixgeo.pipeline.inputs import PlannedInput, points_of
from cupixgeo.pipeline.stamp import naming_the_source
from cupixgeo.pipeline.steps import Moved, Mover

if TYPE_CHECKING:
    from cupixgeo.pipeline.stream import Tally, Watch

Result = TypeVar("Result")

CHUNKS_AHEAD = 2
"""Chunks under way for each core: one at work, one waiting."""


@dataclass(frozen=True, eq=False)
class LayerInput:
    """One input as its chunks need it.

    Parameters
    ----------
    number : int
        Its place among the inputs, from 0.
    planned : PlannedInput
        Its reader is a `LasReader` of a compressed file.
    movers : iterator of Mover
        To the output's grid: one for each chunk, taken in file order.
    tally : Tally
        Its figures.
    source_id : int or None
        New ``point_source_id``.
    """

    number: int
    planned: PlannedInput
    movers: Iterator[Mover]
    tally: Tally
    source_id: int | None

    @cached_property
    def label(self) -> str:
        """What messages call the input."""
        return self.planned.source.label

    @property
    def reader(self) -> LasReader:
        """Reader of the input."""
        assert isinstance(self.planned.reader, LasReader)
        return self.planned.reader

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Name the input in errors of what is read of it, or say that it was changed."""
        path = self.planned.info.path
        with self.planned.stamp.explaining(path, self.label), points_of(self.label):
            yield

    def check(self) -> None:
        """See that the file still is what was planned."""
        self.planned.stamp.check(self.planned.info.path, self.label)


def write_layers(
    inputs: Iterable[LayerInput],
    writer: LasWriter,
    watch: Watch,
    finished: Callable[[int], None],
) -> None:
    """Recode the chunks of consecutive inputs on all cores, and write them in order.

    Parameters
    ----------
    inputs : iterable of LayerInput
        Asked for the next when all chunks of the one before are under way.
    writer : LasWriter
        Opened with a `ChunkPlan`.
    watch : Watch
        Told of points written.
    finished : callable
        Told the number of each input of which all points are written.
    """
    workers = os.cpu_count() or 1
    recode = _Recode()
    started = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        results = _in_order(pool, recode, _chunks(inputs), CHUNKS_AHEAD * workers)
        for source, result in results:
            with source.blamed():
                chunk, moved = result.result()
            watch.check()
            writer.write_chunk(chunk)
            count, tally = int(chunk.returns.sum()), source.tally
            tally.add(count, *moved.box(watch.grid), moved.error_m)
            watch.advance(count, source.label)
            now = time.perf_counter()
            tally.seconds += now - started
            started = now
            if tally.points == source.planned.info.point_count:
                source.check()
                finished(source.number)


_Task = tuple[LayerInput, Mover, Bytes, int]
"""An input, what moves one of its chunks, that chunk, and its number."""


class _Recode:
    """Recodes chunks, with one workspace a thread."""

    def __init__(self) -> None:
        self._thread = threading.local()

    def __call__(
        self, source: LayerInput, mover: Mover, data: Bytes, number: int
    ) -> tuple[LazChunk, Moved]:
        """Move one chunk of an input.

        Raises
        ------
        CorruptFileError
            Its points took more bytes than it has, or fewer.
        """
        work = getattr(self._thread, "work", None)
        if work is None:
            work = self._thread.work = Workspace()
        facts = source.reader.facts
        layout = facts.point_format, facts.record_length, facts.extra_bytes
        if facts.point_format in LAYERS:
            layered = ChunkRecoder(*layout)
            chunk = layered.decode(data, work)
            _check(facts, number, whole=chunk.whole)
            moved = mover(chunk.steps)
            encoded = layered.encode(chunk, work, source_id=source.source_id)
            numbers = chunk.returns & np.uint8(15)
        else:
            pointwise = PointRecoder(*layout)
            assert facts.chunks is not None
            points = pointwise.decode(data, int(facts.chunks.points[number]), work)
            _check(facts, number, whole=points.whole)
            moved = mover(points.steps)
            encoded = pointwise.encode(points, work, source_id=source.source_id)
            numbers = points.returns
        low, high = moved.low.astype(np.int32), moved.high.astype(np.int32)
        return LazChunk(encoded, low, high, np.bincount(numbers, minlength=16)), moved


def _check(facts: LasHeaderFacts, number: int, *, whole: bool) -> None:
    if not whole:
        reason = "their bytes do not end where the last point does"
        raise damaged(facts, range(number, number + 1), reason)


def _chunks(inputs: Iterable[LayerInput]) -> Iterator[_Task]:
    """Read the compressed chunks of inputs in file order.

    Raises
    ------
    CorruptFileError
        A chunk contradicts itself or the chunk table.
    """
    for source in inputs:
        with source.blamed():
            for data, number in naming_the_source(_read(source.reader), source.planned.info.path):
                yield source, next(source.movers), data, number


def _read(reader: LasReader) -> Iterator[tuple[Bytes, int]]:
    facts = reader.facts
    table = facts.chunks
    assert table is not None
    with facts.path.open("rb") as file:
        for number, (start, size) in enumerate(zip(table.starts, table.sizes, strict=True)):
            file.seek(int(start))
            data = np.fromfile(file, np.uint8, int(size))
            if len(data) < size:
                raise damaged(facts, range(number, number + 1), "the file has become shorter")
            check_layers(facts, table, number, data.data)
            yield data, number


def _in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[LayerInput, Mover, Bytes, int], Result],
    chunks: Iterable[_Task],
    window: int,
) -> Iterator[tuple[LayerInput, Future[Result]]]:
    """Yield the results of work on chunks, in their order, with at most `window` under way.

    An error met while reading ahead is raised when all that was read before is handed out.
    """
    under_way: deque[tuple[LayerInput, Future[Result]]] = deque()
    failed: CloudError | None = None
    reading = iter(chunks)
    try:
        while True:
            try:
                source, mover, data, number = next(reading)
            except StopIteration:
                break
            except CloudError as error:
                failed = error
                break
            under_way.append((source, pool.submit(work, source, mover, data, number)))
            if len(under_way) >= window:
                yield under_way.popleft()
        while under_way:
            yield under_way.popleft()
    finally:
        for _, future in under_way:
            future.cancel()
    if failed is not None:
        raise failed
