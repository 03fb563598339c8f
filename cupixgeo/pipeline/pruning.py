"""Which cells of a COPC input can hold points of the wanted area: the others are not read.

Must not know how points are read.
"""

from __future__ import annotations

import itertools
from contextlib import closing

import numpy as np

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.formats.copc.cells import CellTable
from cupixgeo.formats.copc.reader import CopcReader
from cupixgeo.formats.extent import Area
from cupixgeo.formats.part import Kept, piece_ends
from cupixgeo.geodesy.chain import Chain
from cupixgeo.pipeline.inputs import PlannedInput

BULGE = 0.02
"""Of its edge: how far a cell may reach beyond its transformed corners."""

CORNERS = np.array(list(itertools.product((0.0, 1.0), repeat=3)))


def kept_cells(planned: PlannedInput, area: Area) -> Kept | None:
    """Choose the cells of a COPC input to read; None where all are needed.

    Parameters
    ----------
    planned : PlannedInput
        The input.
    area : Area
        In the output CRS.

    Raises
    ------
    CorruptFileError
        Its octree contradicts the file.
    """
    with closing(CopcReader(planned.info.path, crs=planned.info.crs)) as reader:
        cells = reader.cells
    touched = area.touches(*_placed(cells, planned.chain))
    if touched.all():
        return None
    ends = piece_ends(planned.reader)
    counts = np.zeros(len(ends) - 1, np.int64)
    chosen = cells.chunk[touched]
    counts[chosen] = np.diff(ends)[chosen]
    return Kept(ends, counts, {})


def _placed(cells: CellTable, chain: Chain) -> tuple[FloatArray, FloatArray]:
    """Boxes of the cells in the output CRS: lowest and highest corners, shape (n, 3)."""
    corners = cells.low[:, None] + CORNERS * (cells.high - cells.low)[:, None]
    placed = chain.apply(corners.reshape(-1, 3)).reshape(corners.shape)
    low, high = placed.min(axis=1), placed.max(axis=1)
    bulge = BULGE * (high - low)
    return low - bulge, high + bulge
