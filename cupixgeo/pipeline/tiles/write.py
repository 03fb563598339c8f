"""One tile: the points of its square from every piece that has some, whole or not at all.

Must not know who runs it, nor what other tiles there are.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from cupixgeo.errors import MergeError
from cupixgeo.formats.copc.writer import CopcWriter
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.las.records import RecordConverter
from cupixgeo.pipeline.merge_report import as_bounds
from cupixgeo.pipeline.sieve import Sieve
from cupixgeo.pipeline.tiles.figures import Figures
from cupixgeo.pipeline.tiles.folder import TileFolder
from cupixgeo.pipeline.tiles.lattice import grid_around
from cupixgeo.pipeline.tiles.pieces import PieceMover, PlacedPiece, open_unchanged, read_pieces
from cupixgeo.pipeline.tiles.report import TileReport, TileShare
from cupixgeo.pipeline.tiles.runner import check_cancelled
from cupixgeo.pipeline.tiles.store import open_store
from cupixgeo.pipeline.tiles.values import TileJob, TilePart, TilePlan, TileSource


def write_tile(
    job: TileJob,
    tile: TilePlan,
    sources: Sequence[TileSource],
    *,
    read_ahead: int = 1,
    cancel: threading.Event | None = None,
) -> TileReport:
    """Write one tile, unless it is finished already; it gets its name when it is whole.

    Parameters
    ----------
    job : TileJob
        What all tiles have in common.
    tile : TilePlan
        What to write.
    sources : sequence of TileSource
        Those of its parts, in their order.
    read_ahead : int
        Points to decode at a time; 1 is piece by piece, on one core.
    cancel : threading.Event or None
        Stops it.

    Raises
    ------
    CupixGeoError
        A source cannot be read or has changed, or the tile cannot be written.
    """
    folder = TileFolder(open_store(job.to))
    done = folder.done(tile.name)
    if done is not None:
        return done
    started = time.perf_counter()
    work = _TileWork(job, tile, read_ahead, cancel)
    try:
        with folder.store.output(tile.name) as partial:
            with work.open_writer(partial) as writer:
                for part, source in zip(tile.parts, sources, strict=True):
                    work.add(writer, part, source)
                if not work.figures.points:
                    raise _NoPointsError
            size = partial.stat().st_size
    except _NoPointsError:
        folder.store.remove(tile.name)
        size = 0
    report = work.report(size, time.perf_counter() - started)
    folder.note(report)
    return report


class _NoPointsError(Exception):
    """The selection left nothing of a tile."""


class _TileWork:
    """One tile being written."""

    def __init__(
        self, job: TileJob, tile: TilePlan, read_ahead: int, cancel: threading.Event | None
    ) -> None:
        self._job, self._tile = job, tile
        self._read_ahead, self._cancel = read_ahead, cancel
        self._placed = grid_around(job.grid, tile.low, tile.high)
        self._low, self._stop = job.lattice.span((tile.column, tile.row))
        self._sieve = None
        if job.selection is not None:
            self._sieve = Sieve(job.selection, self._placed.grid, job.layout, job.crs)
        self.figures = Figures(self._placed.grid)
        self._read = 0
        self._shares: list[TileShare] = []

    def open_writer(self, path: Path) -> CopcWriter:
        job, tile, grid = self._job, self._tile, self._placed.grid
        return CopcWriter(
            path,
            job.layout,
            crs=job.crs,
            scales=grid.scales,
            offsets=grid.offsets,
            low=tile.low * grid.scales + job.grid.offsets,
            high=tile.high * grid.scales + job.grid.offsets,
            point_count=tile.points,
            gps_standard_time=job.gps_standard_time,
            cancel=self._cancel,
        )

    def add(self, writer: CopcWriter, part: TilePart, source: TileSource) -> None:
        """Write the points of one source."""
        started = time.perf_counter()
        mover, share = PieceMover(self._job, source), Figures(self._placed.grid)
        found, error_m, removed = 0, 0.0, Counter[str]()
        with open_unchanged(source) as reader:
            las_format = reader.point_format if isinstance(reader, LasReader) else None
            convert = RecordConverter(self._job.layout, reader.info, las_format)
            for _, block in read_pieces(reader, part.pieces, self._read_ahead):
                check_cancelled(self._cancel)
                moved = mover(block)
                records = self._choose(moved, convert(block))
                self._read += len(block)
                found += len(records)
                error_m = max(error_m, moved.error_m)
                if self._job.source_ids:
                    records["point_source_id"] = source.number
                if self._sieve is not None:
                    records = self._sieve.take(records, removed)
                if len(records):
                    share.add(records)
                    writer.write(records)
        if found != part.points:
            raise MergeError(
                f"{source.label}: {found:,} of its points are in {self._tile.name}, but "
                f"{part.points:,} were announced. If it is COPC, its octree does not tell where "
                "its points are: convert it to LAZ. Else the machines do not compute alike: use "
                "machines of one kind."
            )
        self.figures.join(share)
        self._shares.append(
            TileShare(
                number=source.number,
                points=share.points,
                removed=dict(removed),
                bounds=as_bounds(share.bounds) if share.points else None,
                quantisation_error_m=error_m,
                seconds=time.perf_counter() - started,
            )
        )

    def _choose(self, moved: PlacedPiece, records: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Give the records that are in this tile, on its grid, in memory of their own."""
        steps = moved.steps
        (west, south), (east, north) = self._low.tolist(), self._stop.tolist()
        x, y = steps[:, 0], steps[:, 1]
        inside = (x >= west) & (x < east) & (y >= south) & (y < north)
        if moved.near is not None:
            records = records[moved.near]
        records = records[inside]
        for axis, name in enumerate("XYZ"):
            records[name] = steps[inside, axis] - self._placed.shift[axis]
        return records

    def report(self, size: int, seconds: float) -> TileReport:
        figures, tile = self.figures, self._tile
        return TileReport(
            name=tile.name,
            column=tile.column,
            row=tile.row,
            points=figures.points,
            points_read=self._read,
            bounds=as_bounds(figures.bounds) if figures.points else None,
            offsets=self._placed.grid.offsets,
            bytes=size,
            sources=tuple(self._shares),
            gps_time=figures.gps_time,
            statistics=figures.to_dict() if figures.points else {},
            seconds=seconds,
        )
