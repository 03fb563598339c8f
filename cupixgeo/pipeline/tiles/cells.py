"""What the octree of a COPC source says of its points' tiles, without decoding one.

A cell that lies in one tile as a whole, wherever its points are, need not be looked at: most do.
If an octree does not tell the truth, the tile finds other counts than were announced.
"""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.formats.copc.reader import CopcReader
from cupixgeo.pipeline.tiles.lattice import IntArray
from cupixgeo.pipeline.tiles.values import TileJob, TileSource

BoolArray = npt.NDArray[np.bool_]

CELLS_AT_ONCE = 4096
"""Cells whose boxes are moved in one go."""

HAIR_STEPS = 2.0
"""Steps by which a cell is widened: rounding of source and output, and interpolation."""

SAMPLES = np.array(list(itertools.product((0.0, 0.5, 1.0), repeat=3)))
CORNERS = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
AT_CORNERS = np.flatnonzero((SAMPLES != 0.5).all(axis=1))
WEIGHTS = np.prod(1 - np.abs(SAMPLES[:, None] - CORNERS[None]), axis=2)
"""Of the corners, in the linear value at each sample: shape (27, 8)."""


@dataclass(frozen=True, eq=False)
class KnownCells:
    """What is known of a COPC source before it is decoded.

    Parameters
    ----------
    rows : ndarray, shape (n, 10), int64
        As an index has them, for the cells that lie in one tile.
    outside : int
        Points of cells that have no wanted point.
    open : ndarray, shape (m,), int64
        Pieces that have to be looked at.
    """

    rows: IntArray
    outside: int
    open: IntArray


def known_cells(job: TileJob, source: TileSource) -> KnownCells | None:
    """Read the octree of a COPC source; None where it does not account for all points."""
    with closing(CopcReader(source.where, crs=source.chain.source)) as reader:
        cells, step = reader.cells, np.abs(reader.facts.scales)
    if int(cells.points.sum()) != source.points:
        return None
    rows, still_open, outside = [np.empty((0, 10), np.int64)], [], 0
    for start in range(0, len(cells), CELLS_AT_ONCE):
        part = slice(start, start + CELLS_AT_ONCE)
        low, high = _moved(job, source, cells.low[part] - step, cells.high[part] + step)
        near, whole = _wanted(job, low, high)
        outside += int(cells.points[part][~near].sum())
        first, last = _steps(job, low, -1), _steps(job, high, 1)
        tile = _tiles(job, first)
        known = near & whole & (tile == _tiles(job, last)).all(axis=1)
        table = np.column_stack([cells.chunk[part], tile, cells.points[part], first, last])
        rows.append(table[known])
        still_open.append(cells.chunk[part][near & ~known])
    return KnownCells(np.concatenate(rows), outside, np.concatenate(still_open))


def _moved(
    job: TileJob, source: TileSource, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Boxes, shape (n, 3) and (n, 3), around cells in the output CRS.

    Between samples a cell may bulge as much as its samples do beyond what is linear.
    """
    samples = low[:, None] + SAMPLES * (high - low)[:, None]
    moved = source.chain.apply(samples.reshape(-1, 3)).reshape(samples.shape)
    bulge = np.abs(moved - WEIGHTS @ moved[:, AT_CORNERS]).max(axis=1)
    reach = 2 * bulge + HAIR_STEPS * np.array(job.grid.scales)
    return moved.min(axis=1) - reach, moved.max(axis=1) + reach


def _wanted(job: TileJob, low: FloatArray, high: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Say which boxes may hold wanted points, and which hold nothing else; shape (n,) each."""
    if job.selection is None or job.selection.area is None:
        everything = np.ones(len(low), np.bool_)
        return everything, everything
    return job.selection.area.touches(low, high), job.selection.area.covers(low, high)


def _steps(job: TileJob, corner: FloatArray, side: int) -> IntArray:
    steps = (corner - job.grid.offsets) / job.grid.scales
    outwards: FloatArray = np.floor(steps) if side < 0 else np.ceil(steps)
    return outwards.astype(np.int64)


def _tiles(job: TileJob, steps: IntArray) -> IntArray:
    """Column and row of integers, shape (n, 3): shape (n, 2)."""
    return np.stack([job.lattice.tiles_of(axis, steps[:, axis]) for axis in (0, 1)], axis=1)
