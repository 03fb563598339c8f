"""Inputs as blocks of records: decoded, moved and encoded, each stage a block behind the other.

The way of everything that cannot go by layers: older point formats, other layouts, other formats,
selections, COPC.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.schema import PointBlock, PointReader
from cupixgeo.formats.las.reader import LasBlock
from cupixgeo.formats.las.records import RecordConverter
from cupixgeo.formats.las.writer import LasWriter
from cupixgeo.formats.slabs import Slabs
from cupixgeo.geodesy.interpolant import Interpolant
from cupixgeo.pipeline.inputs import PlannedInput
from cupixgeo.pipeline.plan import MergePlan
from cupixgeo.pipeline.selection import OUTSIDE
from cupixgeo.pipeline.sieve import Sieve
from cupixgeo.pipeline.stamp import naming_the_source
from cupixgeo.pipeline.steps import Moved, StepMover

if TYPE_CHECKING:
    from cupixgeo.formats.copc.writer import CopcWriter
    from cupixgeo.pipeline.stream import Tally, Watch


NOTHING = Moved(np.zeros(3, np.int64), np.zeros(3, np.int64), 0.0)
"""What became of no points."""


class BlockTransform:
    """Blocks of one input into finished records, with the figures the report wants.

    Parameters
    ----------
    plan : MergePlan
        Of the whole.
    planned : PlannedInput
        The input.
    fitted : Interpolant or None
        In place of its chain.
    tally : Tally
        Its figures.
    source_id : int or None
        New ``point_source_id``.
    sieve : Sieve or None
        Chooses points.
    mover : StepMover or None
        Moves stored integers directly.
    """

    def __init__(
        self,
        plan: MergePlan,
        planned: PlannedInput,
        fitted: Interpolant | None,
        tally: Tally,
        *,
        source_id: int | None,
        sieve: Sieve | None,
        mover: StepMover | None,
    ) -> None:
        self._grid = plan.grid
        self._chain = planned.chain
        self._label = planned.source.label
        self._fitted = fitted
        self._tally = tally
        self._source_id = source_id
        self._sieve = sieve
        self._mover = mover
        self._convert = RecordConverter(plan.layout.layout, planned.info, planned.las_format)

    def blocks(self, reader: PointReader, points: int, slabs: Slabs) -> Iterator[PointBlock]:
        """Read the input, so many points at a time, or by chunks where compiled code can."""
        if self._mover is not None:
            from cupixgeo.formats.las import wholechunks

            if points >= wholechunks.BLOCK_POINTS and wholechunks.has_whole_chunks(reader):
                return wholechunks.chunk_blocks(reader, slabs)
        return reader.blocks(points)

    def __call__(self, block: PointBlock) -> npt.NDArray[Any]:
        """Give the records of the wanted points of a block, X, Y and Z on the output's grid."""
        if self._mover is not None and isinstance(block, LasBlock):
            records, moved = self._by_steps(block, self._mover)
        else:
            records, moved = self._by_coordinates(block)
        if not len(records):
            return records
        if self._source_id is not None:
            records["point_source_id"] = self._source_id
        if self._sieve is not None:
            records = self._sieve.take(records, self._tally.removed)
            if not len(records):
                return records
            box = np.array([(records[name].min(), records[name].max()) for name in "XYZ"], np.int64)
            moved = Moved(box[:, 0], box[:, 1], moved.error_m)
        self._tally.add(len(records), *moved.box(self._grid), moved.error_m)
        return records

    def _by_steps(self, block: LasBlock, mover: StepMover) -> tuple[npt.NDArray[Any], Moved]:
        records = self._convert(block)
        if records is not block.record:
            for name in "XYZ":
                records[name] = block.record[name]
        shape, strides = (len(records), 3), (records.strides[0], 4)
        steps: npt.NDArray[np.int32] = np.ndarray(shape, np.int32, records, 0, strides)
        return records, mover(steps)

    def _by_coordinates(self, block: PointBlock) -> tuple[npt.NDArray[Any], Moved]:
        xyz = block.xyz
        columns = [xyz[:, axis] for axis in range(3)]
        low, high = np.array([c.min() for c in columns]), np.array([c.max() for c in columns])
        if self._fitted is not None and self._fitted.covers(low, high):
            coordinates = self._fitted.apply(xyz)
        else:
            coordinates = self._chain.apply(xyz)
        records = self._convert(block)
        near = None if self._sieve is None else self._sieve.near(coordinates)
        if near is not None:
            self._tally.removed[OUTSIDE] += int(np.count_nonzero(~near))
            records, coordinates = records[near], coordinates[near]
        if not len(records):
            return records, NOTHING
        placed = self._grid.quantise(coordinates, name=self._label)
        for axis, name in enumerate("XYZ"):
            records[name] = placed.steps[:, axis]
        return records, Moved.of(placed)


def write_blocks(
    planned: PlannedInput,
    writer: LasWriter | CopcWriter,
    transform: BlockTransform,
    block_points: int,
    watch: Watch,
    slabs: Slabs,
) -> None:
    """Decode, transform and encode one input, each stage a block behind the one before."""
    threads = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
    with planned.opened() as reader, threads[0] as decoder, threads[1] as encoder:
        writing: Future[None] | None = None
        blocks = naming_the_source(transform.blocks(reader, block_points, slabs), planned.info.path)
        for block in _ahead(decoder, blocks):
            watch.check()
            records = transform(block)
            if writing is not None:
                writing.result()
            writing = encoder.submit(writer.write, records)
            watch.advance(len(block), planned.source.label)
        if writing is not None:
            writing.result()


def _ahead(decoder: ThreadPoolExecutor, blocks: Iterator[PointBlock]) -> Iterator[PointBlock]:
    """Hand out blocks, the next being decoded while one is used."""
    following = decoder.submit(next, blocks, None)
    while (block := following.result()) is not None:
        following = decoder.submit(next, blocks, None)
        if len(block):
            yield block
