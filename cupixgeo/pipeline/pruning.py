"""Which parts of an input can hold points of the wanted area: the others are not read.

Parts are the cells of a COPC file's octree, and the files of a virtual point cloud.

Must not know how points are read.
"""

from __future__ import annotations

import itertools
from contextlib import closing

import numpy as np

from cupixgeo.cloud.schema import BLOCK_POINTS, FloatArray
from cupixgeo.formats.copc.reader import CopcReader
from cupixgeo.formats.extent import Area
from cupixgeo.formats.part import Kept, piece_ends
from cupixgeo.formats.vpc import VirtualReader
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
    with closing(CopcReader(planned.where, crs=planned.info.crs)) as reader:
        cells = reader.cells
    touched = area.touches(*_placed(cells.low, cells.high, planned.chain))
    if touched.all():
        return None
    ends = piece_ends(planned.reader)
    counts = np.zeros(len(ends) - 1, np.int64)
    chosen = cells.chunk[touched]
    counts[chosen] = np.diff(ends)[chosen]
    return Kept(ends, counts, {})


def kept_files(planned: PlannedInput, area: Area) -> Kept | None:
    """Choose the files of a virtual point cloud to read; None where all are needed.

    Parameters
    ----------
    planned : PlannedInput
        The input.
    area : Area
        In the output CRS.
    """
    reader = planned.reader
    assert isinstance(reader, VirtualReader)
    stated = [member.box for member in reader.members]
    boxes = np.array([box if box is not None else np.full((2, 3), np.nan) for box in stated])
    known = np.isfinite(boxes).all(axis=(1, 2))
    touched = ~known
    touched[known] = area.touches(*_placed(boxes[known, 0], boxes[known, 1], planned.chain))
    if touched.all():
        return None
    ends = np.cumsum([0, *(member.points for member in reader.members)])
    # A file may be too large to be looked at as a whole.
    spans = itertools.pairwise(ends.tolist())
    starts = [np.arange(a, b, BLOCK_POINTS, dtype=np.int64) for a, b in spans]
    kept = np.repeat(touched, [len(pieces) for pieces in starts])
    pieces = np.concatenate([*starts, ends[-1:]])
    return Kept(pieces, np.where(kept, np.diff(pieces), 0), {})


def _placed(low: FloatArray, high: FloatArray, chain: Chain) -> tuple[FloatArray, FloatArray]:
    """Boxes, shape (n, 3) and (n, 3), in the output CRS: lowest and highest corners."""
    corners = low[:, None] + CORNERS * (high - low)[:, None]
    placed = chain.apply(corners.reshape(-1, 3)).reshape(corners.shape)
    low, high = placed.min(axis=1), placed.max(axis=1)
    bulge = BULGE * (high - low)
    return low - bulge, high + bulge
