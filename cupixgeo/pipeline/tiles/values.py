"""The values that travel to whoever works on a tile: small, frozen, and the same everywhere.

Must not know files beyond their names.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.formats.las.records import RecordLayout
from cupixgeo.formats.opening import Where
from cupixgeo.geodesy.chain import Chain
from cupixgeo.geodesy.interpolant import Interpolant
from cupixgeo.pipeline.grid import OutputGrid
from cupixgeo.pipeline.selection import Selection
from cupixgeo.pipeline.stamp import Stamp
from cupixgeo.pipeline.tiles.lattice import IntArray, ShiftedGrid, TileLattice


@dataclass(frozen=True)
class TileJob:
    """What all tiles have in common.

    Parameters
    ----------
    to : str
        Where they go; all machines find it under this address.
    crs : pyproj.CRS
        Output CRS.
    layout : RecordLayout
        Of their records.
    grid : OutputGrid
        Of their integers.
    lattice : TileLattice
        Where one ends and the next begins.
    selection : Selection or None
        Points that are wanted; None is all.
    source_ids : bool
        Set ``point_source_id`` to the number of the source.
    gps_standard_time : bool
        What GPS time means.
    """

    to: str
    crs: CRS
    layout: RecordLayout
    grid: OutputGrid
    lattice: TileLattice
    selection: Selection | None
    source_ids: bool
    gps_standard_time: bool


@dataclass(frozen=True, eq=False)
class TileSource:
    """One source, as whoever reads it needs to know it.

    Parameters
    ----------
    number : int
        From 1, in the order of the merge.
    label : str
        What messages call it.
    where : path or str
        The file, or its address; all machines see it under this name.
    chain : Chain
        From the file's frame to the output CRS.
    fitted : Interpolant or None
        In place of the chain, where it covers a piece.
    placed : ShiftedGrid
        Grid its points are rounded to.
    points : int
        Of the file.
    stamp : FileStamp or AddressStamp
        What the file was when it was planned.
    """

    number: int
    label: str
    where: Where = field(repr=False)
    chain: Chain
    fitted: Interpolant | None
    placed: ShiftedGrid
    points: int
    stamp: Stamp


@dataclass(frozen=True, eq=False)
class SourceIndex:
    """Which pieces of a source hold points of which tiles.

    Parameters
    ----------
    piece, column, row, count : ndarray, shape (n,), int64
        A piece, a tile, and how many of the piece's points are in it.
    low, high : ndarray, shape (n, 3), int64
        Box of these points, in integers of the common grid.
    outside : ndarray, shape (1,), int64
        Points outside the wanted area.
    seconds : ndarray, shape (1,), float64 [s]
        Time it took.
    """

    piece: IntArray
    column: IntArray
    row: IntArray
    count: IntArray
    low: IntArray
    high: IntArray
    outside: IntArray
    seconds: FloatArray


@dataclass(frozen=True, eq=False)
class TilePart:
    """The pieces of one source that a tile is made of.

    Parameters
    ----------
    number : int
        Of the source.
    pieces : ndarray, shape (n,), int64
        In file order.
    points : int
        Of the tile in these pieces.
    """

    number: int
    pieces: IntArray
    points: int


@dataclass(frozen=True, eq=False)
class TilePlan:
    """One tile to be written.

    Parameters
    ----------
    name : str
        Of its file.
    column, row : int
        Its number.
    parts : tuple of TilePart
        In the order of the sources.
    low, high : ndarray, shape (3,), int64
        Box of its points, in integers of the common grid.
    """

    name: str
    column: int
    row: int
    parts: tuple[TilePart, ...]
    low: IntArray
    high: IntArray

    @property
    def points(self) -> int:
        """Points it will hold, less those a selection leaves out."""
        return sum(part.points for part in self.parts)
