"""Merge into tiles: plan, index the sources, write the tiles, write the catalogue and the report.

Each step is taken up where an earlier call left it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import fields
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from cupixgeo.errors import MergeError
from cupixgeo.pipeline.inputs import SourceLike
from cupixgeo.pipeline.merge_report import check_something_is_left, merge_report
from cupixgeo.pipeline.selection import OUTSIDE
from cupixgeo.pipeline.stac import make_catalogue
from cupixgeo.pipeline.stream import Tally
from cupixgeo.pipeline.tiles.folder import CATALOGUE, TileFolder, is_file_name, tile_name
from cupixgeo.pipeline.tiles.index import index_source
from cupixgeo.pipeline.tiles.lattice import IntArray
from cupixgeo.pipeline.tiles.plan import TileOptions, TilesPlan, plan_tiles
from cupixgeo.pipeline.tiles.report import TiledReport, TileReport
from cupixgeo.pipeline.tiles.runner import KEPT, DaskRunner, HereRunner, Runner
from cupixgeo.pipeline.tiles.store import open_store
from cupixgeo.pipeline.tiles.values import SourceIndex, TilePart, TilePlan
from cupixgeo.pipeline.tiles.write import write_tile
from cupixgeo.progress import Progress, ProgressFn


def merge_tiles(
    sources: Sequence[SourceLike],
    to: str | os.PathLike[str],
    options: TileOptions,
    *,
    client: Any = None,
    progress: ProgressFn | None = None,
    cancel: threading.Event | None = None,
) -> TiledReport:
    """Merge point clouds into tiles of one grid, with a catalogue.

    Parameters
    ----------
    sources : sequence of Source or path
        The inputs.
    to : path or str
        Folder for the tiles, made if it is not there, or an fsspec address like
        ``s3://bucket/tiles``. One that holds tiles of the same call goes
        on from there, any other that is not empty is refused.
    options : TileOptions
        What was asked for.
    client : distributed.Client or None
        Cluster that does the work; None does it here.
    progress : callable or None
        Called with `Progress` from the calling thread.
    cancel : threading.Event or None
        Set it to stop; finished tiles are kept.

    Raises
    ------
    MergeError
        As `merge`; or the folder holds something else.
    CupixGeoError
        As `merge`.
    """
    started = time.perf_counter()
    given = os.fspath(to)
    if is_file_name(given):
        raise MergeError(
            f"with tile_m= the output is a folder, but {given} is named like a file. Give the name "
            "of a folder."
        )
    folder = TileFolder(open_store(given))
    with ExitStack() as stack:
        plan = plan_tiles(sources, folder.store.address, stack, options, progress)
        folder.claim(plan.identity)
        earlier = folder.report()
        if earlier is not None and folder.is_whole(earlier):
            return earlier
        there = {} if earlier is None else folder.still_there(earlier)
        runner: Runner = HereRunner(cancel) if client is None else DaskRunner(client, cancel)
        try:
            folder.sweep()
            with runner:
                work = _Work(plan, runner, progress)
                indexes = work.index()
                tiles = work.write(plan_list(indexes), there)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(f"Stopped. {KEPT}") from error
        finally:
            folder.sweep()
        report = _report(plan, given, indexes, tiles, started)
    catalogue = make_catalogue(
        report, plan.job.layout, gps_standard_time=plan.job.gps_standard_time
    )
    folder.close(report, catalogue)
    return report


class _Work:
    """The two stages of the work, and what is told of them."""

    def __init__(
        self,
        plan: TilesPlan,
        runner: Runner,
        progress: ProgressFn | None,
    ) -> None:
        self._plan, self._runner, self._progress = plan, runner, progress
        self._job = runner.share(plan.job)
        self._sources = {source.number: runner.share(source) for source in plan.sources}

    def index(self) -> dict[int, SourceIndex]:
        """Index every source; the result is by number of the source."""
        found: dict[int, SourceIndex] = {}
        done, total = 0, sum(source.points for source in self._plan.sources)
        jobs = [(self._job, self._sources[source.number]) for source in self._plan.sources]
        names = [f"cupixgeo-index-{source.number}" for source in self._plan.sources]
        with closing(self._runner.run(index_source, jobs, names)) as results:
            for number, index in results:
                source = self._plan.sources[number]
                found[source.number] = index
                done += source.points
                self._tell(Progress("index", done, total, "points", source.label))
        return found

    def write(self, tiles: Sequence[TilePlan], there: Mapping[str, TileReport]) -> list[TileReport]:
        """Write every tile that is not there, by name; the result is in the order of the tiles."""
        written = {tile.name: there[tile.name] for tile in tiles if tile.name in there}
        total = sum(tile.points for tile in tiles)
        done = sum(tile.points for tile in tiles if tile.name in there)
        # The largest first: nobody waits for one that was begun last.
        missing = [tile for tile in tiles if tile.name not in there]
        missing.sort(key=lambda tile: -tile.points)
        work = partial(write_tile, **self._runner.options)
        jobs = [
            (self._job, tile, [self._sources[part.number] for part in tile.parts])
            for tile in missing
        ]
        names = [f"cupixgeo-{tile.name}" for tile in missing]
        with closing(self._runner.run(work, jobs, names)) as results:
            for number, report in results:
                written[report.name] = report
                done += missing[number].points
                self._tell(Progress("merge", done, total, "points", report.name))
        return [written[tile.name] for tile in tiles]

    def _tell(self, progress: Progress) -> None:
        if self._progress is not None:
            self._progress(progress)


def plan_list(indexes: Mapping[int, SourceIndex]) -> list[TilePlan]:
    """Turn the indexes of all sources, by number, into the tiles to write.

    Returns
    -------
    list of TilePlan
        West to east, and south to north in each column; those that hold points.
    """
    numbers = sorted(number for number, index in indexes.items() if len(index.piece))
    if not numbers:
        return []
    found = [indexes[number] for number in numbers]
    source = np.concatenate([np.full(len(i.piece), n) for n, i in zip(numbers, found, strict=True)])
    table = {
        name: np.concatenate([getattr(index, name) for index in found])
        for name in ("column", "row", "piece", "count", "low", "high")
    }
    order = np.lexsort((table["piece"], source, table["row"], table["column"]))
    source, table = source[order], {name: values[order] for name, values in table.items()}
    place = np.stack([table["column"], table["row"]])
    cuts = np.flatnonzero((place[:, 1:] != place[:, :-1]).any(axis=0)) + 1
    edges = [0, *cuts.tolist(), len(source)]
    return [_tile(source[a:b], {k: v[a:b] for k, v in table.items()}) for a, b in pairwise(edges)]


def _tile(source: IntArray, table: Mapping[str, IntArray]) -> TilePlan:
    column, row = int(table["column"][0]), int(table["row"][0])
    numbers, starts = np.unique(source, return_index=True)
    pieces = map(np.unique, np.split(table["piece"], starts[1:]))
    counts = np.add.reduceat(table["count"], starts)
    return TilePlan(
        name=tile_name(column, row),
        column=column,
        row=row,
        parts=tuple(
            TilePart(number, part, count)
            for number, part, count in zip(numbers.tolist(), pieces, counts.tolist(), strict=True)
        ),
        low=table["low"].min(axis=0),
        high=table["high"].max(axis=0),
    )


def _report(
    plan: TilesPlan,
    folder: str,
    indexes: Mapping[int, SourceIndex],
    tiles: Sequence[TileReport],
    started: float,
) -> TiledReport:
    tallies = _tallies(plan, indexes, tiles)
    check_something_is_left(plan.merge, tallies)
    written = tuple(tile for tile in tiles if tile.bounds is not None)
    boxes = np.array([tile.bounds for tile in written])
    report = merge_report(
        plan.merge,
        tallies,
        np.stack([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)]),
        source_ids=plan.job.source_ids,
        bytes_out=sum(tile.bytes for tile in written),
        seconds=time.perf_counter() - started,
    )
    known = {f.name: getattr(report, f.name) for f in fields(report)}
    known |= {"path": f"{folder.rstrip('/')}/{CATALOGUE}"}
    return TiledReport(
        **known,
        tile_m=plan.job.lattice.tile_m,
        folder=folder,
        tiles=written,
        points_read=sum(tile.points_read for tile in tiles),
    )


def _tallies(
    plan: TilesPlan, indexes: Mapping[int, SourceIndex], tiles: Sequence[TileReport]
) -> list[Tally]:
    """Figures of each input, over all tiles; every point is accounted for."""
    tallies = [Tally("skipped" if planned.skipped else "records") for planned in plan.merge.inputs]
    for tally, planned in zip(tallies, plan.merge.inputs, strict=True):
        if planned.skipped:
            tally.removed[OUTSIDE] = planned.info.point_count
    for source in plan.sources:
        tally, index = tallies[source.number - 1], indexes[source.number]
        tally.removed[OUTSIDE] += int(index.outside[0])
        tally.seconds += float(index.seconds[0])
        if source.fitted is not None:
            tally.interpolation_m = float((source.fitted.error * plan.job.grid.metres).max())
    for tile in tiles:
        for share in tile.sources:
            tally = tallies[share.number - 1]
            tally.removed.update(share.removed)
            tally.seconds += share.seconds
            if share.bounds is not None:
                low, high = np.array(share.bounds)
                tally.add(share.points, low, high, share.quantisation_error_m)
    for source in plan.sources:
        tally = tallies[source.number - 1]
        if tally.points + tally.removed.total() != source.points:
            raise MergeError(
                f"{source.label}: of {source.points:,} points {tally.points:,} are in tiles and "
                f"{tally.removed.total():,} were left out on purpose; the rest is nowhere. This "
                "is an error of cupixgeo, please report it."
            )
    return tallies
