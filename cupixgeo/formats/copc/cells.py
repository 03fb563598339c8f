"""The octree of a COPC file as its records describe it, held against the file.

Knows the info record and the hierarchy pages. Must not know how points are decoded.

Source: COPC specification 1.0 (copc.io), sections 3 (info VLR) and 4 (hierarchy VLR).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import FormatError
from cupixgeo.formats.copc.hierarchy import INFO
from cupixgeo.formats.extent import Area, read_area
from cupixgeo.formats.las.check import LasHeaderFacts, record_data
from cupixgeo.formats.opening import OpenFile, Span
from cupixgeo.formats.polygon import LARGEST
from cupixgeo.formats.refusals import corrupt

IntArray = npt.NDArray[np.int64]

ENTRY = np.dtype([("key", "<i4", 4), ("start", "<u8"), ("size", "<i4"), ("points", "<i4")])
"""An entry of a hierarchy page; -1 points: it leads to another page."""

DEEPEST_LEVEL = 31
"""Cell numbers are 32-bit integers, so an octree has no more levels."""


@dataclass(frozen=True)
class OctreeInfo:
    """The octree of a COPC file.

    Parameters
    ----------
    low : tuple of 3 float
        Lowest corner of the root cell [CRS units].
    size : float
        Edge of the root cell [CRS units].
    spacing : float
        Distance between points of the root cell; halved at each level [CRS units].
    page_start, page_bytes : int
        First hierarchy page [byte].
    """

    low: tuple[float, float, float]
    size: float
    spacing: float
    page_start: int
    page_bytes: int

    def boxes(self, keys: IntArray) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest corners of cells.

        Parameters
        ----------
        keys : ndarray, shape (n, 4), int64
            Level, x, y and z.

        Returns
        -------
        low, high : ndarray, shape (n, 3), float64 [CRS units]
        """
        edge = self.size / 2.0 ** keys[:, :1]
        low = np.array(self.low) + keys[:, 1:] * edge
        return low, low + edge


@dataclass(frozen=True, eq=False)
class CellTable:
    """Cells that hold points, in the order of the file.

    Parameters
    ----------
    key : ndarray, shape (n, 4), int64
        Level, x, y and z.
    points, chunk : ndarray, shape (n,), int64
        Points in the cell itself, and which chunk of the file they are.
    low, high : ndarray, shape (n, 3), float64 [CRS units]
        Corners of the cell.
    """

    key: IntArray
    points: IntArray
    chunk: IntArray
    low: FloatArray
    high: FloatArray

    def __len__(self) -> int:
        return len(self.key)


def read_octree(file: OpenFile, facts: LasHeaderFacts) -> OctreeInfo:
    """Read the COPC record.

    Raises
    ------
    FormatError
        There is none.
    CorruptFileError
        It describes no octree.
    """
    record = next(facts.find("copc", 1), None)
    data = b"" if record is None else record_data(file.stream, record)
    if len(data) < INFO.size:
        kind = "LAZ" if facts.is_compressed else "LAS"
        raise FormatError(
            f"{facts.path} is {kind} but not COPC: it has no octree to read parts of it by. Open "
            "it with cupixgeo.open, which takes bounds= and spacing_m= for other files too."
        )
    x, y, z, half, spacing, start, size = INFO.unpack_from(data)[:7]
    if not (
        all(abs(value) <= LARGEST for value in (x, y, z, half, spacing)) and half > 0 < spacing
    ):
        raise corrupt(facts.path, "its COPC record describes an octree without size")
    return OctreeInfo((x - half, y - half, z - half), 2 * half, spacing, start, size)


def read_cells(
    file: OpenFile,
    facts: LasHeaderFacts,
    octree: OctreeInfo,
    *,
    area: Area | None = None,
    deepest: int = DEEPEST_LEVEL,
) -> CellTable:
    """Read which cells hold points.

    Parameters
    ----------
    file : OpenFile
        The COPC file.
    facts, octree : LasHeaderFacts, OctreeInfo
        Its header and COPC record.
    area : Area or None
        Leave out cells that cannot hold points of it, and the pages that list only those.
    deepest : int
        Leave out levels below.

    Raises
    ------
    CorruptFileError
        The octree contradicts itself or the file.
    """
    area = area or read_area(None)
    found = [
        _wanted(page, octree, facts, area, deepest)
        for page in _pages(file, facts, octree, area, deepest)
    ]
    entries = np.concatenate(found)
    entries = entries[(entries["points"] > 0)]
    table = facts.chunks
    assert table is not None
    starts = entries["start"].astype(np.int64)
    chunk = np.searchsorted(table.starts, starts)
    known = chunk < len(table)
    known[known] = table.starts[chunk[known]] == starts[known]
    known[known] = table.points[chunk[known]] == entries["points"][known]
    if not known.all():
        at = int(starts[np.argmin(known)])
        raise corrupt(facts.path, f"its octree has a cell at byte {at:,} that is not a chunk")
    order = np.argsort(chunk, kind="stable")
    chunk, key = chunk[order], entries["key"][order].astype(np.int64)
    if (chunk[1:] == chunk[:-1]).any() or len(np.unique(key, axis=0)) != len(key):
        raise corrupt(facts.path, "its octree has a cell twice")
    return CellTable(key, table.points[chunk], chunk, *octree.boxes(key))


def _pages(
    file: OpenFile, facts: LasHeaderFacts, octree: OctreeInfo, area: Area, deepest: int
) -> Iterator[npt.NDArray[np.void]]:
    """Entries of all pages that may list wanted cells, those of a depth fetched at once."""
    wave: list[Span] = [(octree.page_start, octree.page_bytes)]
    seen: set[int] = set()
    room = facts.size_bytes
    while wave:
        for start, size in wave:
            room -= size
            if start in seen or size < 0 or start + size > facts.size_bytes or room < 0:
                raise corrupt(
                    facts.path, f"its octree has a page of {size:,} bytes at byte {start:,}"
                )
            seen.add(start)
        parts = file.spans(wave)
        wave = []
        for data in parts:
            entries = np.frombuffer(data, ENTRY, len(data) // ENTRY.itemsize)
            _check_entries(facts, entries)
            yield entries
            leads = _wanted(entries[entries["points"] == -1], octree, facts, area, deepest)
            wave += zip(leads["start"].tolist(), leads["size"].tolist(), strict=True)


def _check_entries(facts: LasHeaderFacts, entries: npt.NDArray[np.void]) -> None:
    level, cell = entries["key"][:, 0], entries["key"][:, 1:]
    good = (level >= 0) & (level <= DEEPEST_LEVEL) & (entries["points"] >= -1)
    across = 2.0 ** np.clip(level, 0, DEEPEST_LEVEL)[:, None]
    good &= ((cell >= 0) & (cell < across)).all(axis=1)
    good &= (entries["points"] < 1) | (entries["start"] < facts.size_bytes)
    if not good.all():
        bad = entries[np.argmin(good)]
        place = "-".join(map(str, bad["key"].tolist()))
        raise corrupt(facts.path, f"its octree has a cell {place} of {int(bad['points']):,} points")


def _wanted(
    entries: npt.NDArray[np.void],
    octree: OctreeInfo,
    facts: LasHeaderFacts,
    area: Area,
    deepest: int,
) -> npt.NDArray[np.void]:
    """Entries of cells that are not too deep and may hold points of the area.

    A point's place is rounded to the file's grid, so a cell reaches a step beyond its box.
    """
    entries = entries[entries["key"][:, 0] <= deepest]
    if area.is_everywhere or not len(entries):
        return entries
    low, high = octree.boxes(entries["key"].astype(np.int64))
    step = np.abs(facts.scales)
    return entries[area.touches(low - step, high + step)]
