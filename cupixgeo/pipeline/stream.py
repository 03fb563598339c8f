"""Pass two of a merge: points from the inputs to the output, in constant memory.

Two ways, chosen for each input and named in the report:

*layers*: where input and output are LAZ of one layered record layout, coordinates are the only
layers of a chunk that are decoded, moved and encoded; the rest is copied. Chunks are independent,
so all cores work on them.

*records*: everything else. Blocks of whole records are decoded, transformed and encoded side by
side.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from cupixgeo.atomic import output_error
from cupixgeo.cloud.schema import PointBlock
from cupixgeo.errors import CancelledError, OutputError
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.las.records import RecordConverter
from cupixgeo.formats.las.writer import ChunkPlan, LasWriter
from cupixgeo.geodesy.interpolant import Interpolant, fit_interpolant
from cupixgeo.pipeline.plan import MergePlan, PlannedInput, points_of
from cupixgeo.pipeline.selection import OUTSIDE
from cupixgeo.pipeline.sieve import Sieve
from cupixgeo.pipeline.stamp import naming_the_source
from cupixgeo.progress import Progress, ProgressFn

if TYPE_CHECKING:
    from cupixgeo.formats.copc.writer import CopcWriter
    from cupixgeo.pipeline.journal import Interrupted, MergeJournal

FloatArray = npt.NDArray[np.float64]
T = TypeVar("T")

FEWEST_TO_INTERPOLATE = 5_000
"""Points below which fitting an interpolant costs more than calling PROJ."""

FEWEST_TO_RECODE = 500_000
"""Points below which loading the compiled layer coder costs more than it saves."""

RECODABLE = frozenset({6, 7, 8})
"""Point formats whose chunks are layered, less those that point to waveform data."""


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
        ``"layers"`` or ``"records"``; ``"skipped"`` where no point was wanted.
    points : int
        Written so far.
    removed : Counter
        Points left out so far, by rule.
    low, high : ndarray, shape (3,), float64
        Box of the written points, output CRS.
    quantisation_m, interpolation_m : float
        Worst rounding, and verified interpolation error [m].
    seconds : float
        Time spent [s].
    """

    method: str = "records"
    points: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    low: FloatArray = field(default_factory=lambda: np.full(3, np.inf))
    high: FloatArray = field(default_factory=lambda: np.full(3, -np.inf))
    quantisation_m: float = 0.0
    interpolation_m: float = 0.0
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
    recode = [_can_recode(plan, planned) for planned in plan.inputs]
    points = sum(p.info.point_count for p, can in zip(plan.inputs, recode, strict=True) if can)
    by_layers = points >= FEWEST_TO_RECODE and settings.sieve is None
    chunks = _chunk_plan(plan, recode) if by_layers else None
    journal = settings.journal
    found = None if journal is None else journal.begin(plan, settings, chunks)
    tallies = [] if found is None else list(found.tallies)
    done = len(tallies)
    with ExitStack() as stack:
        writer = _open_writer(plan, partial, settings, chunks, found)
        stack.enter_context(writer)
        watch = _Watch(plan, settings)
        if done:
            _go_on(plan, writer, settings, done, watch)
        for number, (planned, can) in enumerate(zip(plan.inputs, recode, strict=True), start=1):
            if number <= done:
                continue
            started = time.perf_counter()
            tally = Tally("layers" if by_layers and can else "records")
            tallies.append(tally)
            if planned.skipped:
                tally.method = "skipped"
                tally.removed[OUTSIDE] = planned.info.point_count
                watch.advance(planned.info.point_count, planned.source.label)
            elif planned.info.point_count:
                source_id = number if settings.source_ids else None
                fitted = fit(plan, planned, settings.tolerance_m)
                if fitted is not None:
                    tally.interpolation_m = float((fitted.error * plan.grid.metres).max())
                reading = planned.stamp.reading(planned.info.path, planned.source.label)
                with reading, points_of(planned):
                    if tally.method == "layers":
                        assert isinstance(writer, LasWriter)
                        _write_layers(plan, planned, writer, fitted, (tally, source_id, watch))
                    else:
                        transform = _RecordTransform(
                            plan, planned, fitted, tally, source_id, settings.sieve
                        )
                        _write_records(planned, writer, transform, settings.block_points, watch)
            tally.seconds = time.perf_counter() - started
            if journal is not None:
                assert isinstance(writer, LasWriter)
                journal.finished(tallies, writer)
        bounds = writer.bounds
    return tallies, bounds


def _can_recode(plan: MergePlan, planned: PlannedInput) -> bool:
    """Whether only the coordinate layers of an input need to change."""
    reader = planned.reader
    if plan.format != "LAZ" or not isinstance(reader, LasReader):
        return False
    chunks = reader.facts.chunks
    return (
        reader.facts.point_format in RECODABLE
        and chunks is not None
        and reader.chunks_are_small
        and RecordConverter(plan.layout.layout, planned.info, planned.las_format).same_layout
    )


def _chunk_plan(plan: MergePlan, recode: Sequence[bool]) -> ChunkPlan:
    """One chunk size for the output, where those of the inputs make one."""
    points: list[int] = []
    for planned, can in zip(plan.inputs, recode, strict=True):
        if not planned.info.point_count:
            continue
        table = planned.reader.facts.chunks if isinstance(planned.reader, LasReader) else None
        if not can or table is None:
            return ChunkPlan(None)
        points += table.points.tolist()
    uniform = len(set(points[:-1])) <= 1 and points[-1] <= points[0]
    return ChunkPlan(points[0] if uniform else None)


def _open_writer(
    plan: MergePlan,
    partial: Path,
    settings: StreamSettings,
    chunks: ChunkPlan | None,
    found: Interrupted | None,
) -> LasWriter | CopcWriter:
    kinds = {p.info.metadata.get("gps_time") for p in plan.inputs} - {None}
    standard = kinds != {"week"}
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
    watch: _Watch,
) -> None:
    """Make as if the sources that are finished had been merged by this process."""
    assert isinstance(writer, LasWriter)
    if settings.sieve is not None:
        for records in writer.written():
            settings.sieve.remember(records)
    for planned in plan.inputs[:done]:
        watch.advance(planned.info.point_count, planned.source.label)


class _Watch:
    """Tells the watcher how far the merge is, and stops it when asked."""

    def __init__(self, plan: MergePlan, settings: StreamSettings) -> None:
        self._total = plan.point_count
        self._settings = settings
        self._done = 0

    def check(self) -> None:
        cancel = self._settings.cancel
        if cancel is not None and cancel.is_set():
            raise CancelledError(
                "the merge was cancelled; no output was kept."
                if self._settings.journal is None
                else "the merge was cancelled; called again with resume=True it goes on."
            )

    def advance(self, count: int, label: str) -> None:
        self._done += count
        if self._settings.progress is not None:
            self._settings.progress(Progress("merge", self._done, self._total, "points", label))


def fit(plan: MergePlan, planned: PlannedInput, tolerance_m: float | None) -> Interpolant | None:
    """Interpolant of an input's chain over its box, where one is wanted and holds."""
    few = planned.info.point_count < FEWEST_TO_INTERPOLATE
    if tolerance_m is None or few or not planned.chain.is_smooth:
        return None
    tolerance = np.minimum(
        tolerance_m / np.array(plan.grid.metres), np.array(plan.grid.scales) / 10
    )
    return fit_interpolant(planned.chain.apply, planned.low, planned.high, tolerance=tolerance)


# ------------------------------------------------------------------------------- by records


class _RecordTransform:
    """Blocks of one input into finished records, with the figures the report wants."""

    def __init__(
        self,
        plan: MergePlan,
        planned: PlannedInput,
        fitted: Interpolant | None,
        tally: Tally,
        source_id: int | None,
        sieve: Sieve | None,
    ) -> None:
        self._grid = plan.grid
        self._chain = planned.chain
        self._label = planned.source.label
        self._fitted = fitted
        self._tally = tally
        self._source_id = source_id
        self._sieve = sieve
        self._convert = RecordConverter(plan.layout.layout, planned.info, planned.las_format)

    def __call__(self, block: PointBlock) -> npt.NDArray[Any]:
        xyz = block.xyz
        columns = [xyz[:, axis] for axis in range(3)]
        low, high = np.array([c.min() for c in columns]), np.array([c.max() for c in columns])
        if self._fitted is not None and self._fitted.covers(low, high):
            moved = self._fitted.apply(xyz)
        else:
            moved = self._chain.apply(xyz)
        records = self._convert(block)
        near = None if self._sieve is None else self._sieve.near(moved)
        if near is not None:
            self._tally.removed[OUTSIDE] += int(np.count_nonzero(~near))
            records, moved = records[near], moved[near]
        if not len(records):
            return records
        placed = self._grid.quantise(moved, name=self._label)
        for axis, name in enumerate("XYZ"):
            records[name] = placed.steps[:, axis]
        if self._source_id is not None:
            records["point_source_id"] = self._source_id
        if self._sieve is not None:
            return self._kept(records, placed.error_m, self._sieve)
        self._tally.add(len(records), placed.low, placed.high, placed.error_m)
        return records

    def _kept(self, records: npt.NDArray[Any], error_m: float, sieve: Sieve) -> npt.NDArray[Any]:
        """Give the records the sieve lets through; call it in the order of the output."""
        records = sieve.take(records, self._tally.removed)
        if len(records):
            steps = [(records[name].min(), records[name].max()) for name in "XYZ"]
            low, high = np.array(steps).T * np.array(self._grid.scales) + self._grid.offsets
            self._tally.add(len(records), low, high, error_m)
        return records


def _write_records(
    planned: PlannedInput,
    writer: LasWriter | CopcWriter,
    transform: _RecordTransform,
    block_points: int,
    watch: _Watch,
) -> None:
    """Decode, transform and encode one input, each stage a block behind the one before."""
    with ThreadPoolExecutor(1) as decoder, ThreadPoolExecutor(1) as encoder:
        writing: Future[None] | None = None
        blocks = naming_the_source(planned.reader.blocks(block_points), planned.info.path)
        for block in _ahead(decoder, blocks):
            watch.check()
            records = transform(block)
            if writing is not None:
                writing.result()
            writing = encoder.submit(writer.write, records)
            watch.advance(len(block), planned.source.label)
        if writing is not None:
            writing.result()


def _ahead(decoder: ThreadPoolExecutor, blocks: Iterator[PointBlock]) -> Iterator[PointBlock]:
    """Hand out blocks, the next being decoded while one is used."""
    following = decoder.submit(next, blocks, None)
    while (block := following.result()) is not None:
        following = decoder.submit(next, blocks, None)
        if len(block):
            yield block


# -------------------------------------------------------------------------------- by layers


def _write_layers(
    plan: MergePlan,
    planned: PlannedInput,
    writer: LasWriter,
    fitted: Interpolant | None,
    account: tuple[Tally, int | None, _Watch],
) -> None:
    """Recode the chunks of one input on all cores, and write them in order."""
    from cupixgeo.pipeline.layers import LayerTransform, read_chunks

    tally, source_id, watch = account
    transform = LayerTransform(plan.grid, planned, fitted, source_id)
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        chunks = naming_the_source(read_chunks(planned), planned.info.path)
        for chunk, placed in _in_order(pool, transform, chunks, 2 * workers):
            watch.check()
            writer.write_chunk(chunk)
            tally.add(placed.steps.shape[0], placed.low, placed.high, placed.error_m)
            watch.advance(placed.steps.shape[0], planned.source.label)


def _in_order(
    pool: ThreadPoolExecutor, work: Any, items: Iterable[T], window: int
) -> Iterator[Any]:
    """Results of work on items, in their order, with at most `window` under way."""
    under_way: deque[Future[Any]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) >= window:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()
