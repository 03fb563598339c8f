"""Part of a file as a file of its own: the points in an area, one in each cube of a lattice.

How many points there are is not known before they were looked at, so this takes a pass over the
coordinates of every piece (a compressed chunk, an octree cell) that may hold some. What was found
is kept as a bit for each point of the pieces that are kept in part, and read by from then on.

Knows that LAZ files come in chunks. Must not know what a chunk is an octree cell of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.schema import BLOCK_POINTS, PointBlock, PointReader
from cupixgeo.formats.derived import DerivedReader
from cupixgeo.formats.extent import Area
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.refusals import corrupt

if TYPE_CHECKING:
    from cupixgeo.cloud.voxels import VoxelSet

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Kept:
    """Which points of a file are kept.

    Parameters
    ----------
    ends : ndarray, shape (pieces + 1,), int64
        First point of each piece in the file, and the file's point count.
    counts : ndarray, shape (pieces,), int64
        Points kept of each.
    bits : mapping of int to bytes
        A bit for each point of the pieces that are kept in part, as `numpy.packbits` makes them.
    """

    ends: IntArray
    counts: IntArray
    bits: Mapping[int, bytes] = field(repr=False)

    @property
    def first_points(self) -> IntArray:
        """Index of each piece's first kept point, and their count: shape (pieces + 1,), int64."""
        return np.concatenate([[0], np.cumsum(self.counts)])

    def mask(self, piece: int) -> BoolArray:
        """Say which points of a piece are kept."""
        size = int(self.ends[piece + 1] - self.ends[piece])
        packed = self.bits.get(piece)
        if packed is None:
            return np.full(size, self.counts[piece] > 0)
        return np.unpackbits(np.frombuffer(packed, np.uint8), count=size).view(np.bool_)


class PartReader(DerivedReader):
    """The kept points of an open file, as a file of its own.

    Parameters
    ----------
    reader : PointReader
        The file; closed with the part.
    area : Area
        What the points were chosen by.
    kept : Kept
        Which they are; see `find_kept`.
    """

    def __init__(self, reader: PointReader, area: Area, kept: Kept) -> None:
        self._reader = reader
        self._area = area
        self.kept = kept
        if reader.info.point_count != kept.ends[-1]:
            raise corrupt(
                reader.info.path,
                f"it has {reader.info.point_count:,} points, {int(kept.ends[-1]):,} when it was "
                "opened first",
                "Open it again.",
            )
        count = int(kept.counts.sum())
        super().__init__(replace(reader.info, point_count=count, chunk_size=None))

    def between(
        self, start: int, end: int, size: int, columns: Sequence[str] | None
    ) -> Iterator[PointBlock]:
        """Yield kept points `start` to `end` in file order, at most `size` at a time.

        Raises
        ------
        CorruptFileError
            The points are damaged, or not in the cells they are listed in.
        """
        kept, first_points = self.kept, self.kept.first_points
        first = int(np.searchsorted(first_points, start, "right")) - 1
        last = int(np.searchsorted(first_points, end, "left"))
        wanted = [piece for piece in range(first, last) if start < end and kept.counts[piece]]
        for run in piece_runs(wanted, kept.ends):
            at = int(first_points[run[0]])
            masks = np.concatenate([kept.mask(piece) for piece in run])
            low, high = int(kept.ends[run[0]]), int(kept.ends[run[-1] + 1])
            for block in self._reader.blocks(size, start=low, stop=high, columns=columns):
                mask, masks = masks[: len(block)], masks[len(block) :]
                chosen = np.flatnonzero(mask)
                chosen = chosen[max(0, start - at) : max(0, end - at)]
                at += int(mask.sum())
                if len(chosen):
                    part = block if len(chosen) == len(block) else block.select(chosen)
                    self._check(part)
                    yield part

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _check(self, block: PointBlock) -> None:
        if self._area.is_everywhere:
            return
        if not self._area.contains(*block.xyz.T).all():
            raise corrupt(self.info.path, "points of an octree cell lie outside that cell")


def piece_ends(reader: PointReader) -> IntArray:
    """First point of each piece of a file, and the point count: shape (pieces + 1,), int64.

    A piece is a compressed chunk, or a run of points of a file that has none.
    """
    if isinstance(reader, LasReader) and reader.facts.is_compressed and reader.chunks_are_small:
        table = reader.facts.chunks
        assert table is not None
        return table.first_points
    count = reader.info.point_count
    return np.append(np.arange(0, count, BLOCK_POINTS), count)


def find_kept(
    reader: PointReader,
    area: Area,
    *,
    voxels: VoxelSet | None = None,
    covered: BoolArray | None = None,
) -> Kept:
    """Look at a file's coordinates and choose its points.

    Parameters
    ----------
    reader : PointReader
        The file.
    area : Area
        Where points are wanted; those whose coordinates are not finite are nowhere.
    voxels : VoxelSet or None
        Keep the first point in each of its cubes.
    covered : ndarray, shape (pieces,), bool, or None
        Pieces all of whose points are known to be in the area: they are not looked at.

    Returns
    -------
    Kept

    Raises
    ------
    CorruptFileError
        The points are damaged.
    CloudError
        There are more cubes than fit the memory.
    """
    ends = piece_ends(reader)
    sizes = np.diff(ends)
    counts = np.zeros(len(sizes), np.int64) if covered is None else np.where(covered, sizes, 0)
    open_ones = range(len(sizes)) if covered is None else np.flatnonzero(~covered).tolist()
    bits: dict[int, bytes] = {}
    for run in piece_runs(list(open_ones), ends):
        start, stop = int(ends[run[0]]), int(ends[run[-1] + 1])
        masks = []
        for block in reader.blocks(start=start, stop=stop, columns=()):
            x, y, z = np.ascontiguousarray(block.xyz.T)
            mask = area.contains(x, y, z)
            masks.append(mask if voxels is None else voxels.claim(x, y, z, mask))
        found = np.concatenate(masks)
        for piece in run:
            mask = found[ends[piece] - start : ends[piece + 1] - start]
            counts[piece] = np.count_nonzero(mask)
            if 0 < counts[piece] < len(mask):
                bits[piece] = np.packbits(mask).tobytes()
    return Kept(ends, counts, bits)


def piece_runs(pieces: list[int], ends: IntArray, most: int = BLOCK_POINTS) -> Iterator[list[int]]:
    """Yield neighbouring pieces, as many as have at most so many points, at least one.

    Parameters
    ----------
    pieces : list of int
        In file order.
    ends : ndarray, shape (all pieces + 1,), int64
        As `piece_ends` gives them.
    most : int
        Points of a run.
    """
    run: list[int] = []
    for piece in pieces:
        if run and (piece != run[-1] + 1 or ends[piece + 1] - ends[run[0]] > most):
            yield run
            run = []
        run.append(piece)
    if run:
        yield run
