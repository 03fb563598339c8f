"""Reading part of a COPC file: an area of it, a coarser version of it, or cell by cell.

A COPC file is a LAZ file whose chunks are the cells of an octree, each level adding points between
those of the level above; read whole, it needs no more than `LasReader`. Must not know how points
are decoded.

Source: COPC specification 1.0 (copc.io).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pyproj import CRS

from cupixgeo.cloud.schema import CloudInfo, FloatArray
from cupixgeo.errors import CloudError
from cupixgeo.formats.copc.cells import (
    DEEPEST_LEVEL,
    CellTable,
    OctreeInfo,
    read_cells,
    read_octree,
)
from cupixgeo.formats.extent import AreaLike, box_of_points, read_area
from cupixgeo.formats.las.chunks import ChunkTable
from cupixgeo.formats.las.reader import LasBlock, LasReader, header_box
from cupixgeo.formats.opening import OpenFile, Where
from cupixgeo.geodesy.crs import CrsLike

HAIR = 1e-9
"""Of a level: what rounding may add to a spacing that was computed from metres."""


class CopcReader(LasReader):
    """The cells of a COPC file that touch an area, down to a level, as a file of their own.

    Parameters
    ----------
    path : path, str or OpenFile
        A COPC file, its http(s) address, or the file opened.
    crs : CrsLike or None
        CRS of its coordinates, overriding what the file states.
    bounds : AreaLike or None
        A box or polygon in the file's CRS [CRS units]; see `read_area`. Cells are read as a
        whole, so that points outside come along: `cupixgeo.open` leaves those out.
    spacing : float or None
        Distance between points that is fine enough [CRS units]; None is every point.

    Attributes
    ----------
    octree : OctreeInfo
    cells : CellTable
        The cells that are read, in the order of their points.

    Raises
    ------
    FormatError
        It is a LAS file, but not COPC.
    CorruptFileError
        The octree contradicts the file.
    CloudError
        `bounds` or `spacing` make no sense, or the file cannot be read.
    ServiceError, TransferError
        The server does not give it.
    """

    def __init__(
        self,
        path: Where | OpenFile,
        *,
        crs: CrsLike | None = None,
        bounds: AreaLike | None = None,
        spacing: float | None = None,
    ) -> None:
        super().__init__(path, crs=crs)
        try:
            area = read_area(bounds)
            self.octree: OctreeInfo = read_octree(self._open, self.facts)
            self.cells: CellTable = read_cells(
                self._open,
                self.facts,
                self.octree,
                area=area,
                deepest=self._deepest(spacing),
            )
        except BaseException:
            self.close()
            raise
        table, chunks = self.facts.chunks, self.cells.chunk
        assert table is not None
        part = ChunkTable(table.points[chunks], table.starts[chunks], table.sizes[chunks], None)
        count = int(part.points.sum())
        self.facts = replace(self.facts, chunks=part, point_count=count)
        self.info = replace(self.info, point_count=count)

    def bounds(self) -> FloatArray:
        """Smallest box of the selected points: shape (2, 3), float64 [CRS units]. Reads them.

        Raises
        ------
        EmptyCloudError
            None are selected.
        """
        return box_of_points(self)

    def _deepest(self, spacing: float | None) -> int:
        if spacing is None:
            return DEEPEST_LEVEL
        if not spacing > 0:
            raise CloudError(f"a spacing of {spacing} must be more than 0.")
        finer = self.octree.spacing / spacing
        if not 1.0 < finer < 2.0**DEEPEST_LEVEL:
            return 0 if finer <= 1.0 else DEEPEST_LEVEL
        return math.ceil(math.log2(finer) - HAIR)


class CopcNodes:
    """A COPC file whose cells are read one by one, from any thread.

    Parameters
    ----------
    path : path or str
        A COPC file, or its http(s) address.
    crs : CrsLike or None
        CRS of its coordinates, overriding what the file states.

    Raises
    ------
    CloudError, ServiceError, TransferError
        As `CopcReader`.
    """

    def __init__(self, path: Where, *, crs: CrsLike | None = None) -> None:
        self._reader = CopcReader(path, crs=crs)
        self._rows = {tuple(key): row for row, key in enumerate(self.nodes.key.tolist())}

    @property
    def info(self) -> CloudInfo:
        """What the header says."""
        return self._reader.info

    @property
    def crs(self) -> CRS:
        """CRS of the coordinates, x before y."""
        return self.info.crs

    @property
    def octree(self) -> OctreeInfo:
        """Corner, edge and spacing of the root cell [CRS units]."""
        return self._reader.octree

    @property
    def box(self) -> FloatArray:
        """Box of all points as the header states it: shape (2, 3), float64 [CRS units]."""
        return header_box(self._reader.facts)

    @property
    def nodes(self) -> CellTable:
        """All cells that hold points, in the order of the file.

        ``key`` (n, 4), ``points`` (n,), ``low`` and ``high`` (n, 3) [CRS units]. A cell without
        points is not listed, even if there are points below it.
        """
        return self._reader.cells

    def read(self, key: Sequence[int], columns: Sequence[str] | None = None) -> LasBlock:
        """Read the points of one cell, without those of the cells above and below.

        Parameters
        ----------
        key : 4 int
            Level, x, y and z; one of `nodes`.
        columns : sequence of str or None
            Attributes that will be looked at, ``()`` for coordinates alone; None is everything.

        Returns
        -------
        LasBlock
            Coordinates in `crs`.

        Raises
        ------
        CloudError
            There is no such cell, or no such attribute.
        CorruptFileError
            Its points are damaged.
        ServiceError, TransferError
            The server does not give them.
        """
        row = self._rows.get(tuple(int(number) for number in np.asarray(key).tolist()))
        if row is None:
            raise CloudError(
                f"{self.info.path} has no points in cell {tuple(key)}. Take a key of nodes."
            )
        return self._reader.chunk(row, columns=columns)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> CopcNodes:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
