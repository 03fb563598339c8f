"""Pass one of a merge: everything that can be decided from headers.

Opens each input, joins its frame to the output CRS, transforms its box, and fixes one record
layout and one coordinate grid for all. Whatever cannot work is refused here, before a byte of
output is written.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import laspy
import numpy as np
import numpy.typing as npt
from pyproj import CRS

from cupixgeo.atomic import check_output
from cupixgeo.cloud.schema import CloudInfo, PointReader
from cupixgeo.cloud.source import Source
from cupixgeo.errors import FormatError, MergeError, OperationError
from cupixgeo.formats.extent import Area
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.las.records import LayoutPlan, plan_layout
from cupixgeo.formats.registry import open_reader
from cupixgeo.geodesy.chain import Chain, plan_chain
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label, frame_name, same_crs, suggest_utm
from cupixgeo.geodesy.operation import plan_operation
from cupixgeo.geodesy.units import metres_per_unit
from cupixgeo.pipeline.grid import FLOAT_STEP_M, OutputGrid, plan_grid
from cupixgeo.pipeline.selection import Selection
from cupixgeo.pipeline.stamp import FileStamp
from cupixgeo.progress import Progress, ProgressFn

FloatArray = npt.NDArray[np.float64]
SourceLike = Source | str | os.PathLike[str]

OUTPUT_FORMATS = {".copc.laz": "COPC", ".laz": "LAZ", ".las": "LAS"}
"""What is written, by the end of the name."""

LARGEST_SOURCE_ID = 65_535
"""`point_source_id` has 16 bits."""

BULGE = 0.02
"""Of its extent: how far a box may reach beyond its transformed corners and middles."""


@dataclass(frozen=True)
class PlannedInput:
    """One input, opened and joined to the output CRS.

    Parameters
    ----------
    source : Source
        As given.
    reader : PointReader
        Open.
    stamp : FileStamp
        The file as it was when it was opened.
    chain : Chain
        From the file's frame to the output CRS.
    low, high : ndarray, shape (3,), float64
        Box of the points in the file's frame; empty inputs have NaN.
    skipped : bool
        Its box has nothing in common with the wanted area: it is not decoded.
    """

    source: Source
    reader: PointReader
    stamp: FileStamp
    chain: Chain
    low: FloatArray
    high: FloatArray
    skipped: bool = False

    @property
    def info(self) -> CloudInfo:
        """Header facts of the file."""
        return self.reader.info

    @property
    def las_format(self) -> laspy.PointFormat | None:
        """LAS point format, None for a file of another kind."""
        return self.reader.point_format if isinstance(self.reader, LasReader) else None


@dataclass(frozen=True)
class MergePlan:
    """What a merge will do.

    Parameters
    ----------
    to : Path
        Output file.
    crs : pyproj.CRS
        Output CRS.
    inputs : tuple of PlannedInput
        In the order of their points in the output.
    layout : LayoutPlan
        Records to write, and what becomes of each attribute.
    grid : OutputGrid
        Scale and offset.
    box : ndarray, shape (2, 3), float64 [output CRS units]
        Where points are expected, by the inputs' headers and the wanted area.
    notes : tuple of str
        Choices made on the user's behalf.
    selection : Selection or None
        Points that are wanted; None is all.
    """

    to: Path
    crs: CRS
    inputs: tuple[PlannedInput, ...]
    layout: LayoutPlan
    grid: OutputGrid
    box: FloatArray
    notes: tuple[str, ...]
    selection: Selection | None = None

    @property
    def format(self) -> str:
        """``"LAS"``, ``"LAZ"`` or ``"COPC"``."""
        return output_format(self.to)

    @property
    def point_count(self) -> int:
        """Points to read."""
        return sum(planned.info.point_count for planned in self.inputs)


def as_source(value: SourceLike) -> Source:
    """Take a path for a `Source` without placement."""
    return value if isinstance(value, Source) else Source(value)


def plan_merge(  # noqa: PLR0913  named options, most of them those of `merge`
    sources: Sequence[SourceLike],
    to: str | os.PathLike[str],
    stack: ExitStack,
    *,
    crs: CrsLike | None = None,
    scale: float | Sequence[float] | None = None,
    assume: Sequence[str] = (),
    selection: Selection | None = None,
    one_file: bool = True,
    progress: ProgressFn | None = None,
) -> MergePlan:
    """Plan a merge from headers alone.

    Parameters
    ----------
    sources : sequence of Source or path
        The inputs.
    to : path
        Output, ``.laz``, ``.las`` or ``.copc.laz``.
    stack : ExitStack
        Closes the opened inputs.
    crs : CrsLike or None
        Output CRS; None keeps the inputs' common CRS.
    scale : float, sequence of 3 float or None
        Stored-integer step, CRS units; None is never coarser than the finest input.
    assume : sequence of str
        Declared assumptions, see `plan_operation`.
    selection : Selection or None
        Points that are wanted; None is all.
    one_file : bool
        All points have to fit one grid of 32-bit integers.
    progress : callable or None
        Told of files being fetched.

    Raises
    ------
    MergeError
        No input, no point, the output is an input, the inputs have no common CRS, or nothing of
        them is wanted.
    FormatError
        The output's format is not one that can be written.
    OutputError
        The output's folder does not exist.
    FrameError, OperationError, CrsError
        An input cannot be brought to the output CRS.
    """
    output = Path(to)
    output_format(output)
    check_output(output)
    given = [as_source(value) for value in sources]
    if not given:
        raise MergeError("nothing to merge: the list of sources is empty.")
    opened = _open_all(given, output, stack, progress)
    readers = [reader for reader, _ in opened]
    notes: list[str] = []
    target = as_crs(crs) if crs is not None else _common_target(given, readers, notes)
    inputs = tuple(
        _planned(source, reader, stamp, target, assume)
        for source, (reader, stamp) in zip(given, opened, strict=True)
    )
    if not any(planned.info.point_count for planned in inputs):
        raise MergeError(f"nothing to merge: none of the {len(inputs)} inputs holds a point.")
    layout = plan_layout(
        [p.info for p in inputs],
        [p.las_format for p in inputs],
        least_format=least_point_format(output_format(output)),
    )
    if selection is None or not selection.drop_duplicates:
        notes += _listed_twice(inputs)
    inputs, box = _wanted(inputs, target, selection)
    steps = [_step_m(planned) for planned in inputs]
    grid = plan_grid(target, box[0], box[1], steps_m=steps, scale=scale, one_file=one_file)
    if grid.metres[0] * grid.scales[0] > min(steps) * 1.001:
        notes.append(
            f"scale {grid.scales[0]:g} is coarser than the finest input "
            f"({min(steps):g} m): it was asked for"
        )
    return MergePlan(output, target, inputs, layout, grid, box, tuple(notes), selection)


def output_format(to: Path) -> str:
    """Tell what a file of that name is written as: ``"LAS"``, ``"LAZ"`` or ``"COPC"``.

    Raises
    ------
    FormatError
        It has the extension of none of them.
    """
    name = to.name.lower()
    for ending, kind in OUTPUT_FORMATS.items():
        if name.endswith(ending):
            return kind
    raise FormatError(
        f"{to}: a merge writes LAS, LAZ or COPC, not {to.suffix or 'a file without extension'!r}. "
        "Give a name ending in .laz, .las or .copc.laz."
    )


def least_point_format(kind: str) -> int:
    """Lowest LAS point format that an output of that kind may have."""
    return 6 if kind == "COPC" else 0


def _open_all(
    sources: list[Source], to: Path, stack: ExitStack, progress: ProgressFn | None
) -> list[tuple[PointReader, FileStamp]]:
    """Open every source; what it was like before comes with it."""
    opened = []
    for number, source in enumerate(sources, start=1):
        path = source.local_path(progress)
        if to.exists() and path.exists() and os.path.samefile(path, to):
            raise MergeError(
                f"the output {to} is one of the inputs ({source.label}). Choose another output."
            )
        crs = source.crs
        stamp = FileStamp.of(path)
        reader = stack.enter_context(open_reader(path, crs=None if crs is None else as_crs(crs)))
        opened.append((_in_declared_frame(source, reader, path, stack), stamp))
        if progress is not None:
            progress(Progress("open", number, len(sources), "files", source.label))
    return opened


def _in_declared_frame(
    source: Source, reader: PointReader, path: Path, stack: ExitStack
) -> PointReader:
    """Take a file that states no CRS to be in the frame its placement starts from."""
    states_none = (frame_name(reader.info.crs) or "").startswith("file:")
    if source.transform is None or source.crs is not None or not states_none:
        return reader
    return stack.enter_context(open_reader(path, crs=source.transform.source))


def _common_target(sources: list[Source], readers: list[PointReader], notes: list[str]) -> CRS:
    frames = [
        reader.info.crs if source.transform is None else source.transform.target
        for source, reader in zip(sources, readers, strict=True)
    ]
    first = frames[0]
    for source, frame in zip(sources, frames, strict=True):
        if not same_crs(first, frame):
            raise MergeError(
                f"the inputs are in different CRSs: {sources[0].label} in {crs_label(first)}, "
                f"{source.label} in {crs_label(frame)}. Say which the output should have: crs=..."
            )
    if not first.is_geocentric:
        return first
    box = _placed_box(sources[0], readers[0])
    lon, lat, _ = plan_operation(first, as_crs(4979)).apply(box.mean(axis=0)[None])[0]
    target = suggest_utm(float(lon), float(lat))
    notes.append(f"no output CRS was given: {crs_label(target)} was chosen for the site")
    return target


def _placed_box(source: Source, reader: PointReader) -> FloatArray:
    box = reader.bounds()
    return box if source.transform is None else source.transform.apply(box)


def _planned(
    source: Source, reader: PointReader, stamp: FileStamp, target: CRS, assume: Sequence[str]
) -> PlannedInput:
    low = high = np.full(3, np.nan)
    box = None
    if reader.info.point_count:
        low, high = box = reader.bounds()
    chain = plan_chain(
        reader.info.crs, target, transform=source.transform, assume=tuple(assume), box=box
    )
    return PlannedInput(source, reader, stamp, chain, low, high)


def _listed_twice(inputs: Sequence[PlannedInput]) -> list[str]:
    """Say of each file that is listed again, in the same place, that its points are there again."""
    labels: dict[tuple[object, ...], list[str]] = {}
    for planned in inputs:
        transform = planned.source.transform
        matrix = None if transform is None else transform.matrix.tobytes()
        key = (planned.info.path.resolve(), crs_label(planned.info.crs), matrix)
        labels.setdefault(key, []).append(planned.source.label)
    return [
        f"{same[0]} is listed {len(same)} times, in one place: so often its points are in the "
        "output; drop_duplicates=True keeps one of each"
        for same in labels.values()
        if len(same) > 1
    ]


@contextmanager
def points_of(planned: PlannedInput) -> Iterator[None]:
    """Name the input in errors about points that cannot be brought to the output CRS.

    Raises
    ------
    OperationError
        As raised inside, with the input's label.
    """
    try:
        yield
    except OperationError as error:
        raise type(error)(f"{planned.source.label}: {error}") from error


def placed_box(planned: PlannedInput) -> FloatArray:
    """Give the box of an input that is not empty: shape (2, 3), float64 [output CRS units].

    From points on the surface of its own box, so good to the bulge of an edge between them.
    """
    with points_of(planned):
        placed = planned.chain.apply(_box_samples(planned.low, planned.high))
    return np.stack([placed.min(axis=0), placed.max(axis=0)])


def _wanted(
    inputs: tuple[PlannedInput, ...], target: CRS, selection: Selection | None
) -> tuple[tuple[PlannedInput, ...], FloatArray]:
    """Mark the inputs that have no wanted point; give the box of what is left."""
    boxes = [placed_box(p) if p.info.point_count else None for p in inputs]
    full = np.stack([box for box in boxes if box is not None])
    joint = np.stack([full[:, 0].min(axis=0), full[:, 1].max(axis=0)])
    if selection is None:
        return inputs, joint
    for planned in inputs:
        if planned.info.point_count:
            selection.check_attributes(planned.info, planned.source.label)
    area = selection.area
    if area is None:
        return inputs, joint
    marked = tuple(
        replace(planned, skipped=box is not None and not _may_touch(area, box))
        for planned, box in zip(inputs, boxes, strict=True)
    )
    left = [b for p, b in zip(marked, boxes, strict=True) if b is not None and not p.skipped]
    if not left:
        area.check_units(joint, target, "the output")
        raise MergeError(
            f"no source has points in the area from {_shown(area.low)} to {_shown(area.high)}: in "
            f"{crs_label(target)} they lie from {_shown(joint[0])} to {_shown(joint[1])}. Give "
            "bounds= in the output CRS, x before y."
        )
    low = np.maximum(np.min([b[0] for b in left], axis=0), area.low)
    high = np.minimum(np.max([b[1] for b in left], axis=0), area.high)
    return marked, np.stack([low, np.maximum(low, high)])


def _shown(corner: FloatArray) -> str:
    return f"({', '.join(f'{value:.10g}' for value in corner)})"


def _may_touch(area: Area, box: FloatArray) -> bool:
    bulge = BULGE * (box[1] - box[0])
    return bool(area.touches((box[0] - bulge)[None], (box[1] + bulge)[None])[0])


def _box_samples(low: FloatArray, high: FloatArray) -> FloatArray:
    """Regular points over a box, shape (27, 3): edges may bulge between corners."""
    unit = np.array(list(itertools.product((0.0, 0.5, 1.0), repeat=3)))
    samples: FloatArray = low + unit * (high - low)
    return samples


def _step_m(planned: PlannedInput) -> float:
    """Coordinate step of an input after its placement [m]."""
    info = planned.info
    if info.scales is None or not info.point_count:
        return FLOAT_STEP_M
    metres = metres_per_unit(info.crs, (planned.low + planned.high) / 2)
    steps = np.array(info.scales) * np.array(metres)
    transform = planned.source.transform
    return float((steps * (1.0 if transform is None else np.array(transform.scale))).min())
