"""Pass two of a merge: points from the inputs to the output, in constant memory.

Three ways, chosen for each input and named in the report:

*layers*: where input and output are LAZ of one layered record layout (point formats 6 to 10),
coordinates are the only layers of a chunk that are decoded, moved and encoded; the rest is copied.

*points*: where they are LAZ of one older layout (point formats 0 to 3), coordinates are decoded,
moved and encoded, and all other symbols of a chunk are written again as they were. Chunks are
independent either way, so all cores work on them.

*records*: everything else. Blocks of whole records are decoded, transformed and encoded side by
side.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby, repeat, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cupixgeo.atomic import output_error
from cupixgeo.cloud.schema import PointReader
from cupixgeo.collector import collector_paused, heap_set_aside
from cupixgeo.errors import CancelledError, OutputError
from cupixgeo.formats.las.chunks import LAYERS, item_versions
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.las.records import RecordConverter, RecordLayout
from cupixgeo.formats.las.writer import ChunkPlan, LasWriter
from cupixgeo.formats.opening import RemoteFile
from cupixgeo.formats.slabs import Slabs
from cupixgeo.geodesy.interpolant import Interpolant
from cupixgeo.pipeline.blocks import BlockTransform, write_blocks
from cupixgeo.pipeline.fitting import Fitting
from cupixgeo.pipeline.inputs import PlannedInput, points_of
from cupixgeo.pipeline.plan import MergePlan
from cupixgeo.pipeline.selection import OUTSIDE
from cupixgeo.pipeline.sieve import Sieve
from cupixgeo.pipeline.steps import StepMover
from cupixgeo.progress import Progress, ProgressFn

if TYPE_CHECKING:
    from cupixgeo.formats.copc.writer import CopcWriter
    from cupixgeo.pipeline.journal import Interrupted, MergeJournal
    from cupixgeo.pipeline.layers import LayerInput

FloatArray = npt.NDArray[np.float64]

FEWEST_TO_RECODE = 500_000
"""Points below which loading compiled code costs more than it saves."""

RECORDS = "records"
"""Name of the way that is open to all inputs."""


@dataclass(frozen=True)
class StreamSettings:
    """What the streaming pass needs to know besides the plan.

    Parameters
    ----------
    tolerance_m : float or None
        Largest interpolation error [m]; None calls PROJ for every point.
    source_ids : bool
        Set ``point_source_id`` to the number of the source.
    block_points : int
        Points of a block of records.
    progress : callable or None
        Told of points written.
    cancel : threading.Event or None
        Stops the merge.
    sieve : Sieve or None
        Chooses points; None keeps all.
    journal : MergeJournal or None
        Notes what is finished, and knows what was; None keeps no notes.
    """

    tolerance_m: float | None
    source_ids: bool
    block_points: int
    progress: ProgressFn | None
    cancel: threading.Event | None
    sieve: Sieve | None = None
    journal: MergeJournal | None = None


@dataclass
class Tally:
    """Running figures of one input.

    Attributes
    ----------
    method : str
        ``"layers"``, ``"points"`` or ``"records"``; ``"skipped"`` where no point was wanted.
    points : int
        Written so far.
    removed : Counter
        Points left out so far, by rule.
    low, high : ndarray, shape (3,), float64
        Box of the written points, output CRS.
    quantisation_m, interpolation_m : float
        Worst rounding, and verified interpolation error [m].
    exact_share : float
        Part of the input's area in plan, 0 to 1, in which no interpolant holds though one does
        elsewhere.
    seconds : float
        Time spent [s].
    """

    method: str = RECORDS
    points: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    low: FloatArray = field(default_factory=lambda: np.full(3, np.inf))
    high: FloatArray = field(default_factory=lambda: np.full(3, -np.inf))
    quantisation_m: float = 0.0
    interpolation_m: float = 0.0
    exact_share: float = 0.0
    seconds: float = 0.0

    def add(self, count: int, low: FloatArray, high: FloatArray, error_m: float) -> None:
        """Count points that were written."""
        self.points += count
        self.low = np.minimum(self.low, low)
        self.high = np.maximum(self.high, high)
        self.quantisation_m = max(self.quantisation_m, error_m)


def stream(
    plan: MergePlan, partial: Path, settings: StreamSettings
) -> tuple[list[Tally], FloatArray]:
    """Write the planned output; return figures for each input and the joint bounds.

    Parameters
    ----------
    plan : MergePlan
        What to do.
    partial : Path
        Where to write; the caller renames or removes it.
    settings : StreamSettings
        How.
    """
    ways = _ways(plan, settings)
    chunks = None if set(ways) == {RECORDS} else _chunk_plan(plan, ways)
    journal = settings.journal
    found = None if journal is None else journal.begin(plan, settings, chunks)
    done = 0 if found is None else len(found.tallies)
    with ExitStack() as stack:
        writer = _open_writer(plan, partial, settings, chunks, found)
        stack.enter_context(writer)
        watch = Watch(plan, settings)
        work = _Work(plan, settings, writer, watch, ways)
        if found is not None:
            work.tallies[:done] = found.tallies
            _go_on(plan, writer, settings, done, watch)
        for in_blocks, numbers in groupby(range(done, len(ways)), key=lambda n: ways[n] == RECORDS):
            write = work.by_records if in_blocks else work.by_chunks
            write(numbers)
        bounds = writer.bounds
    return work.tallies, bounds


class _Work:
    """The inputs of a merge on their way to its output, with their figures."""

    def __init__(
        self,
        plan: MergePlan,
        settings: StreamSettings,
        writer: LasWriter | CopcWriter,
        watch: Watch,
        ways: Sequence[str],
    ) -> None:
        self._plan, self._settings, self._writer, self._watch = plan, settings, writer, watch
        self._compiled = plan.point_count >= FEWEST_TO_RECODE
        self._fitting = Fitting(plan.inputs, plan.grid, settings.tolerance_m)
        self.tallies = [Tally(way) for way in ways]

    def by_chunks(self, numbers: Iterable[int]) -> None:
        """Write consecutive inputs chunk by chunk, on all cores across their borders."""
        with collector_paused():
            from cupixgeo.pipeline.layers import write_layers

        assert isinstance(self._writer, LasWriter)
        with heap_set_aside():
            write_layers(self._layered(numbers), self._writer, self._watch, self._finished)

    def _layered(self, numbers: Iterable[int]) -> Iterator[LayerInput]:
        """Prepare inputs to be recoded, each when it is asked for."""
        from cupixgeo.pipeline.layers import LayerInput

        for number in numbers:
            planned, tally = self._plan.inputs[number], self.tallies[number]
            if planned.info.point_count:
                mover = self._mover(planned, self._fit(planned, tally))
                yield LayerInput(number, planned, repeat(mover), tally, self._source_id(number))

    def by_records(self, numbers: Iterable[int]) -> None:
        """Write inputs as blocks of records."""
        slabs = Slabs()
        for number in numbers:
            started = time.perf_counter()
            planned, tally = self._plan.inputs[number], self.tallies[number]
            if planned.skipped:
                tally.method = "skipped"
                tally.removed[OUTSIDE] = planned.info.point_count
                self._watch.advance(planned.info.point_count, planned.source.label)
            elif planned.info.point_count:
                transform = self._block_transform(number)
                reading = planned.stamp.reading(planned.where, planned.source.label)
                block_points = self._settings.block_points
                with reading, points_of(planned.source.label):
                    write_blocks(planned, self._writer, transform, block_points, self._watch, slabs)
                if planned.unread:
                    tally.removed[OUTSIDE] += planned.unread
                    self._watch.advance(planned.unread, planned.source.label)
            tally.seconds = time.perf_counter() - started
            self._finished(number)

    def _block_transform(self, number: int) -> BlockTransform:
        planned, tally = self._plan.inputs[number], self.tallies[number]
        fitted = self._fit(planned, tally)
        selection = self._plan.selection
        # Points outside a wanted area need not fit the output's grid: coordinates show them.
        cut = selection is not None and selection.area is not None
        direct = self._compiled and not cut and planned.las_format is not None
        return BlockTransform(
            self._plan,
            planned,
            fitted,
            tally,
            source_id=self._source_id(number),
            sieve=self._settings.sieve,
            mover=self._mover(planned, fitted) if direct else None,
        )

    def _finished(self, number: int) -> None:
        """Note that all inputs up to this one are in the output, and empty ones after it."""
        if self._settings.journal is None:
            return
        assert isinstance(self._writer, LasWriter)
        rest = self._plan.inputs[number + 1 :]
        empty = len(list(takewhile(lambda planned: not planned.info.point_count, rest)))
        self._settings.journal.finished(self.tallies[: number + 1 + empty], self._writer)

    def _source_id(self, number: int) -> int | None:
        return number + 1 if self._settings.source_ids else None

    def _fit(self, planned: PlannedInput, tally: Tally) -> Interpolant | None:
        fitted = self._fitting(planned)
        if fitted is not None:
            tally.interpolation_m = float((fitted.error * self._plan.grid.metres).max())
            tally.exact_share = 1.0 - fitted.share
        return fitted

    def _mover(self, planned: PlannedInput, fitted: Interpolant | None) -> StepMover:
        info = planned.info
        assert info.scales is not None
        assert info.offsets is not None
        return StepMover(
            self._plan.grid,
            planned.chain.apply,
            fitted,
            scales=info.scales,
            offsets=info.offsets,
            label=planned.source.label,
        )


def _ways(plan: MergePlan, settings: StreamSettings) -> list[str]:
    """Choose the way of each input; the compiled ones only where there is enough to do."""
    layout = plan.layout.layout
    ways = [
        way_of(planned.reader, layout) if plan.format == "LAZ" else RECORDS
        for planned in plan.inputs
    ]
    both = zip(plan.inputs, ways, strict=True)
    points = sum(planned.info.point_count for planned, way in both if way != RECORDS)
    if points < FEWEST_TO_RECODE or settings.sieve is not None:
        return [RECORDS] * len(ways)
    return ways


def way_of(reader: PointReader, layout: RecordLayout) -> str:
    """Find out whether only the coordinates in an input's chunks need to change for a LAZ file.

    Parameters
    ----------
    reader : PointReader
        The input.
    layout : RecordLayout
        What is written.
    """
    if not isinstance(reader, LasReader) or reader.facts.chunks is None:
        return RECORDS
    if isinstance(reader.file, RemoteFile):  # parts are fetched ahead block by block
        return RECORDS
    convert = RecordConverter(layout, reader.info, reader.point_format)
    if not reader.chunks_are_small or not convert.differs_in_waveform_only:
        return RECORDS
    versions = item_versions(reader.facts.laszip)
    if reader.facts.point_format in LAYERS:
        return "layers" if versions == {3} else RECORDS
    return "points" if versions == {2} and convert.same_layout else RECORDS


def _chunk_plan(plan: MergePlan, ways: Sequence[str]) -> ChunkPlan:
    """One chunk size for the output, where those of the inputs make one."""
    points: list[int] = []
    for planned, way in zip(plan.inputs, ways, strict=True):
        if not planned.info.point_count:
            continue
        table = planned.reader.facts.chunks if isinstance(planned.reader, LasReader) else None
        if way == RECORDS or table is None:
            return ChunkPlan(None)
        points += table.points.tolist()
    return ChunkPlan.of(points)


def _open_writer(
    plan: MergePlan,
    partial: Path,
    settings: StreamSettings,
    chunks: ChunkPlan | None,
    found: Interrupted | None,
) -> LasWriter | CopcWriter:
    standard = plan.gps_standard_time
    layout, grid = plan.layout.layout, plan.grid
    try:
        if plan.format == "COPC":
            from cupixgeo.formats.copc.writer import CopcWriter

            return CopcWriter(
                partial,
                layout,
                crs=plan.crs,
                scales=grid.scales,
                offsets=grid.offsets,
                low=plan.box[0],
                high=plan.box[1],
                point_count=plan.point_count if plan.selection is None else 0,
                gps_standard_time=standard,
                progress=settings.progress,
                cancel=settings.cancel,
            )
        return LasWriter(
            partial,
            layout,
            crs=plan.crs,
            scales=grid.scales,
            offsets=grid.offsets,
            compressed=plan.format == "LAZ",
            chunks=chunks,
            gps_standard_time=standard,
            state=None if found is None else found.writer,
        )
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise output_error(error, plan.to) from error


def _go_on(
    plan: MergePlan,
    writer: LasWriter | CopcWriter,
    settings: StreamSettings,
    done: int,
    watch: Watch,
) -> None:
    """Make as if the sources that are finished had been merged by this process."""
    assert isinstance(writer, LasWriter)
    if settings.sieve is not None:
        for records in writer.written():
            settings.sieve.remember(records)
    for planned in plan.inputs[:done]:
        watch.advance(planned.info.point_count, planned.source.label)


class Watch:
    """Tells the watcher how far the merge is, and stops it when asked."""

    def __init__(self, plan: MergePlan, settings: StreamSettings) -> None:
        self._total = plan.point_count
        self._settings = settings
        self._done = 0
        self.grid = plan.grid

    def check(self) -> None:
        """Raise `CancelledError` where the merge is to stop."""
        cancel = self._settings.cancel
        if cancel is not None and cancel.is_set():
            raise CancelledError(
                "the merge was cancelled; no output was kept."
                if self._settings.journal is None
                else "the merge was cancelled; called again with resume=True it goes on."
            )

    def advance(self, count: int, label: str) -> None:
        """Tell of points that were dealt with."""
        self._done += count
        if self._settings.progress is not None:
            self._settings.progress(Progress("merge", self._done, self._total, "points", label))
