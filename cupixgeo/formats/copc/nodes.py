"""The points of one octree cell, given to nodes; and nodes compressed.

Knows records and LAZ chunks. Must not know where records are kept or how nodes are listed.
"""

from __future__ import annotations

import io
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lazrs
import numpy as np
import numpy.typing as npt

from cupixgeo.formats.copc.cube import Cell, Cube, flips
from cupixgeo.formats.copc.octree import KEY_LEVELS, make_keys, make_nodes, order_by, sort_keys
from cupixgeo.formats.copc.spill import take
from cupixgeo.formats.copc.store import FEW_POINTS, LEAF_POINTS, CellPoints
from cupixgeo.formats.slabs import Slabs

if TYPE_CHECKING:
    from cupixgeo.formats.las.pointcodec import PointCodec

Records = npt.NDArray[Any]

FINEST = 7
"""Levels keys go on below the smallest cells, which are up to 64 grid steps wide."""


@dataclass(frozen=True, eq=False)
class CellNodes:
    """What has become of the points of a cell.

    Parameters
    ----------
    cell : Cell
        The cell.
    own : list of (Cell, records)
        Nodes at its level and below, from the top down; without points where these all went on.
    above : list of (Cell, records)
        Its contributions to the nodes above it.
    """

    cell: Cell
    own: list[tuple[Cell, Records]]
    above: list[tuple[Cell, Records]]


def divide(points: CellPoints, cube: Cube, slabs: Slabs) -> CellNodes:
    """Give the points of a cell to nodes.

    Parameters
    ----------
    points : CellPoints
        All points of the cell.
    cube : Cube
        Root of the octree.
    slabs : Slabs
        Memory for the records in their new order.
    """
    cell, records = points.cell, points.records
    levels = max(1, min(KEY_LEVELS, cube.deepest + FINEST - cell.level))
    index_bits = max(1, (len(records) - 1).bit_length())
    level = cell.level + levels
    flip = flips(level) & ((1 << 3 * levels) - 1)
    factor, corner, size = 2.0**level / cube.edge, cube.corner(cell), records.dtype.itemsize
    first = records.ctypes.data
    keys = make_keys(first, size, len(records), corner, factor, levels, flip, index_bits)
    keys = sort_keys(keys, index_bits, 3 * levels)
    depth = min(levels, cube.deepest - cell.level) if points.depth >= 0 else points.depth
    node_of, nodes = make_nodes(
        keys, index_bits, levels, cell.level, points.first, depth, LEAF_POINTS, FEW_POINTS
    )
    order, starts = order_by(node_of, len(nodes))
    ordered = take(records, order, slabs)
    own, above = [], []
    for number, (node_level, code) in enumerate(nodes.tolist()):
        part = ordered[starts[number] : starts[number + 1]]
        if number >= cell.level:
            below = node_level - cell.level
            own.append((Cell(node_level, cell.code << 3 * below | code), part))
        elif len(part):
            above.append((cell.above(node_level), part.copy()))  # it will have to wait
    return CellNodes(cell, own, above)


class NodeEncoder:
    """Compresses nodes, each to a LAZ chunk.

    Parameters
    ----------
    laszip : lazrs.LazVlr
        Of the file.
    codec : PointCodec or None
        Of its layout; None, where there are too few points for compiled code, leaves all to lazrs.
    """

    def __init__(self, laszip: lazrs.LazVlr, codec: PointCodec | None) -> None:
        self._laszip = laszip
        self._codec = codec
        self._thread = threading.local()

    def __call__(self, records: Records) -> bytes:
        """Compress the records of a node, not empty, on any thread."""
        if self._codec is not None:
            work = getattr(self._thread, "work", None)
            if work is None:
                from cupixgeo.formats.las.recode import Workspace

                work = self._thread.work = Workspace()
            chunk = self._codec.encode(records.view(np.uint8).reshape(len(records), -1), work)
            if chunk is not None:
                return chunk
        stream = io.BytesIO()
        compressor = lazrs.ParLasZipCompressor(stream, self._laszip)
        compressor.compress_chunks([np.ascontiguousarray(records).view(np.uint8)])
        compressor.done()
        data = stream.getbuffer()
        (end,) = struct.unpack_from("<q", data)
        return bytes(data[struct.calcsize("<q") : end])
