"""Which points of a source belong to which tiles: counted once, from coordinates alone."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.schema import BLOCK_POINTS
from cupixgeo.pipeline.tiles.cells import known_cells
from cupixgeo.pipeline.tiles.folder import TileFolder
from cupixgeo.pipeline.tiles.lattice import IntArray, TileLattice
from cupixgeo.pipeline.tiles.pieces import PieceMover, open_unchanged, read_pieces
from cupixgeo.pipeline.tiles.store import open_store
from cupixgeo.pipeline.tiles.values import SourceIndex, TileJob, TileSource


def index_source(job: TileJob, source: TileSource) -> SourceIndex:
    """Count the points of each piece of a source by tile; a finished index is taken as it is.

    Of a COPC source only the cells that more than one tile may claim are decoded.

    Raises
    ------
    CupixGeoError
        The source cannot be read, has changed, or does not fit the grid.
    """
    folder = TileFolder(open_store(job.to))
    name = f"source_{source.number}"
    earlier = folder.load(name)
    if earlier is not None:
        return SourceIndex(**earlier)
    started = time.perf_counter()
    mover = PieceMover(job, source)
    with open_unchanged(source) as reader:
        known = known_cells(job, source) if reader.info.format == "COPC" else None
        rows = [] if known is None else [known.rows]
        outside = 0 if known is None else known.outside
        wanted = None if known is None else known.open
        for piece, block in read_pieces(reader, wanted, BLOCK_POINTS, columns=()):
            moved = mover(block)
            outside += len(block) - len(moved.steps)
            if len(moved.steps):
                rows.append(_by_tile(job.lattice, piece, moved.steps))
    table = np.concatenate([np.empty((0, 10), np.int64), *rows])
    index = SourceIndex(
        table[:, 0],
        table[:, 1],
        table[:, 2],
        table[:, 3],
        table[:, 4:7],
        table[:, 7:],
        np.array([outside]),
        np.array([time.perf_counter() - started]),
    )
    folder.keep(name, vars(index))
    return index


def _by_tile(lattice: TileLattice, piece: int, steps: npt.NDArray[np.integer[Any]]) -> IntArray:
    """Give a row a tile: piece, column, row, count, low and high corner; shape (tiles, 10)."""
    columns, rows = (lattice.tiles_of(axis, steps[:, axis]) for axis in (0, 1))
    first_column, first_row = int(columns.min()), int(rows.min())
    height = int(rows.max()) - first_row + 1
    keys = (columns - first_column) * height + (rows - first_row)
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    ordered = steps[order]
    table = np.empty((len(found), 10), np.int64)
    table[:, 0] = piece
    table[:, 1], table[:, 2] = first_column + found // height, first_row + found % height
    table[:, 3] = np.diff(np.append(starts, len(steps)))
    table[:, 4:7] = np.minimum.reduceat(ordered, starts)
    table[:, 7:] = np.maximum.reduceat(ordered, starts)
    return table
