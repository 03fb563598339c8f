"""A source, piece by piece, on its way to the tiles' grid.

A piece is a compressed chunk, or a run of points of a file that has none. Index and tile read the
same pieces and move them by the same arithmetic, so that they agree on every integer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.schema import (
    FloatArray,
    PointBlock,
    PointReader,
)
from cupixgeo.formats.las.reader import LasBlock
from cupixgeo.formats.part import piece_ends, piece_runs
from cupixgeo.formats.registry import open_reader
from cupixgeo.pipeline.inputs import points_of
from cupixgeo.pipeline.selection import Selection
from cupixgeo.pipeline.sieve import Sieve
from cupixgeo.pipeline.stamp import open_again
from cupixgeo.pipeline.steps import StepMover
from cupixgeo.pipeline.tiles.lattice import IntArray
from cupixgeo.pipeline.tiles.values import TileJob, TileSource

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PlacedPiece:
    """Points of a piece on the common grid.

    Parameters
    ----------
    steps : ndarray, shape (m, 3), int32 or int64
        Integers of the common grid.
    near : ndarray, shape (n,), bool, or None
        Which of the piece's points they are; None is all.
    error_m : float
        Worst rounding of a coordinate [m].
    """

    steps: npt.NDArray[np.integer[Any]]
    near: BoolArray | None
    error_m: float


class PieceMover:
    """The way of a source's points to the common grid, the same for index and tile.

    Whole pieces go through it, never parts of one: libraries that compute several points at once
    may round the last ones of an array otherwise than its first.

    Parameters
    ----------
    job : TileJob
        Says which points are wanted.
    source : TileSource
        Says which way they go.
    """

    def __init__(self, job: TileJob, source: TileSource) -> None:
        self._source = source
        self._shift = np.array(source.placed.shift, np.int64)
        self._movers: dict[tuple[float, ...], StepMover] = {}
        self._sieve = None
        if job.selection is not None and job.selection.area is not None:
            area = Selection(area=job.selection.area)
            self._sieve = Sieve(area, source.placed.grid, job.layout, job.crs)

    def __call__(self, block: PointBlock) -> PlacedPiece:
        """Move the points of a piece; those of a LAS block are moved where they stand."""
        # Points outside a wanted area need not fit the grid: coordinates show them.
        if isinstance(block, LasBlock) and self._sieve is None:
            record = block.record
            shape, strides = (len(record), 3), (record.strides[0], 4)
            steps: npt.NDArray[np.int32] = np.ndarray(shape, np.int32, record, 0, strides)
            error_m = self._mover(block)(steps).error_m
            return PlacedPiece(self._shifted(steps), None, error_m)
        return self._by_coordinates(block.xyz)

    def _mover(self, block: LasBlock) -> StepMover:
        """Give the mover of a file's grid; files that are joined may have several."""
        x, y, z = block.scales.tolist()
        scales, (a, b, c) = (x, y, z), block.offsets.tolist()
        key = (x, y, z, a, b, c)
        if key not in self._movers:
            source = self._source
            self._movers[key] = StepMover(
                source.placed.grid,
                source.chain.apply,
                source.fitted,
                scales=scales,
                offsets=(a, b, c),
                label=source.label,
            )
        return self._movers[key]

    def _by_coordinates(self, xyz: FloatArray) -> PlacedPiece:
        source = self._source
        columns = [xyz[:, axis] for axis in range(3)]
        low, high = np.array([c.min() for c in columns]), np.array([c.max() for c in columns])
        if source.fitted is not None and source.fitted.covers(low, high):
            moved = source.fitted.apply(xyz)
        else:
            moved = source.chain.apply(xyz)
        near = None if self._sieve is None else self._sieve.near(moved)
        if near is not None:
            moved = moved[near]
        if not len(moved):
            return PlacedPiece(np.empty((0, 3), np.int32), near, 0.0)
        placed = source.placed.grid.quantise(moved, name=source.label)
        return PlacedPiece(self._shifted(placed.steps), near, placed.error_m)

    def _shifted(self, steps: npt.NDArray[np.int32]) -> npt.NDArray[np.integer[Any]]:
        return steps + self._shift if self._shift.any() else steps


@contextmanager
def open_unchanged(source: TileSource) -> Iterator[PointReader]:
    """Open a source that still is what was planned, and see that it is so to the end.

    Raises
    ------
    SourceChangedError
        It is not.
    CloudError, ServiceError, TransferError
        It cannot be read.
    """
    where, label = source.where, source.label
    stamp = source.stamp.elsewhere(where)
    with (
        stamp.reading(where, label),
        points_of(label),
        open_reader(open_again(where, stamp, label), crs=source.chain.source) as reader,
    ):
        yield reader


def read_pieces(
    reader: PointReader,
    wanted: IntArray | None,
    read_ahead: int,
    columns: Sequence[str] | None = None,
) -> Iterator[tuple[int, PointBlock]]:
    """Yield pieces of a file in their order, all or the wanted ones.

    Parameters
    ----------
    reader : PointReader
        The file.
    wanted : ndarray, shape (n,), int64, or None
        Which pieces; None is all.
    read_ahead : int
        Points of neighbouring pieces to decode at a time; 1 is piece by piece.
    columns : sequence of str or None
        As in `PointReader.blocks`.

    Yields
    ------
    piece : int
    block : PointBlock
        All its points; of files that are joined, those of one file at a time.
    """
    ends = piece_ends(reader)
    numbers = range(len(ends) - 1) if wanted is None else wanted.tolist()
    for run in piece_runs(list(numbers), ends, read_ahead):
        start, stop = int(ends[run[0]]), int(ends[run[-1] + 1])
        for block in reader.blocks(max(1, stop - start), start=start, stop=stop, columns=columns):
            for piece in run:
                first, last = (max(0, int(ends[p]) - start) for p in (piece, piece + 1))
                if first < min(last, len(block)):
                    yield piece, block.select(slice(first, last))
            start += len(block)
