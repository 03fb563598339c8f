"""Pass one of a merge: everything that can be decided from headers.

Opens each input, joins its frame to the output CRS, transforms its box, and fixes one record
layout and one coordinate grid for all. Whatever cannot work is refused here, before a byte of
output is written.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import laspy
import numpy as np
import numpy.typing as npt
from pyproj import CRS

from cupixgeo.atomic import check_output
from cupixgeo.cloud.schema import CloudInfo, PointReader
from cupixgeo.cloud.source import Source
from cupixgeo.errors import FormatError, MergeError
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.las.records import LayoutPlan, plan_layout
from cupixgeo.formats.registry import open_reader
from cupixgeo.geodesy.chain import Chain, plan_chain
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label, frame_name, same_crs, suggest_utm
from cupixgeo.geodesy.operation import plan_operation
from cupixgeo.pipeline.grid import FLOAT_STEP_M, OutputGrid, metres_per_unit, plan_grid
from cupixgeo.progress import Progress, ProgressFn

FloatArray = npt.NDArray[np.float64]
SourceLike = Source | str | os.PathLike[str]

LARGEST_SOURCE_ID = 65_535
"""`point_source_id` has 16 bits."""


@dataclass(frozen=True)
class PlannedInput:
    """One input, opened and joined to the output CRS.

    Parameters
    ----------
    source : Source
        As given.
    reader : PointReader
        Open.
    chain : Chain
        From the file's frame to the output CRS.
    low, high : ndarray, shape (3,), float64
        Box of the points in the file's frame; empty inputs have NaN.
    """

    source: Source
    reader: PointReader
    chain: Chain
    low: FloatArray
    high: FloatArray

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
    notes : tuple of str
        Choices made on the user's behalf.
    """

    to: Path
    crs: CRS
    inputs: tuple[PlannedInput, ...]
    layout: LayoutPlan
    grid: OutputGrid
    notes: tuple[str, ...]

    @property
    def compressed(self) -> bool:
        """LAZ rather than LAS."""
        return self.to.suffix.lower() == ".laz"

    @property
    def point_count(self) -> int:
        """Points to read."""
        return sum(planned.info.point_count for planned in self.inputs)


def as_source(value: SourceLike) -> Source:
    """Take a path for a `Source` without placement."""
    return value if isinstance(value, Source) else Source(value)


def plan_merge(
    sources: Sequence[SourceLike],
    to: str | os.PathLike[str],
    stack: ExitStack,
    *,
    crs: CrsLike | None = None,
    scale: float | Sequence[float] | None = None,
    assume: Sequence[str] = (),
    progress: ProgressFn | None = None,
) -> MergePlan:
    """Plan a merge from headers alone.

    Parameters
    ----------
    sources : sequence of Source or path
        The inputs.
    to : path
        Output, ``.laz`` or ``.las``.
    stack : ExitStack
        Closes the opened inputs.
    crs : CrsLike or None
        Output CRS; None keeps the inputs' common CRS.
    scale : float, sequence of 3 float or None
        Stored-integer step, CRS units; None is never coarser than the finest input.
    assume : sequence of str
        Declared assumptions, see `plan_operation`.
    progress : callable or None
        Told of files being fetched.

    Raises
    ------
    MergeError
        No input, no point, the output is an input, or the inputs have no common CRS.
    FormatError
        The output's format is not one that can be written.
    OutputError
        The output's folder does not exist.
    FrameError, OperationError, CrsError
        An input cannot be brought to the output CRS.
    """
    output = Path(to)
    _check_format(output)
    check_output(output)
    given = [as_source(value) for value in sources]
    if not given:
        raise MergeError("nothing to merge: the list of sources is empty.")
    readers = _open_all(given, output, stack, progress)
    notes: list[str] = []
    target = as_crs(crs) if crs is not None else _common_target(given, readers, notes)
    inputs = tuple(
        _planned(source, reader, target, assume)
        for source, reader in zip(given, readers, strict=True)
    )
    if not any(planned.info.point_count for planned in inputs):
        raise MergeError(f"nothing to merge: none of the {len(inputs)} inputs holds a point.")
    layout = plan_layout([p.info for p in inputs], [p.las_format for p in inputs])
    low, high = _joint_box(inputs)
    steps = [_step_m(planned) for planned in inputs]
    grid = plan_grid(target, low, high, steps_m=steps, scale=scale)
    if grid.metres[0] * grid.scales[0] > min(steps) * 1.001:
        notes.append(
            f"scale {grid.scales[0]:g} is coarser than the finest input "
            f"({min(steps):g} m): it was asked for"
        )
    return MergePlan(output, target, inputs, layout, grid, tuple(notes))


def _check_format(to: Path) -> None:
    name = to.name.lower()
    if name.endswith(".copc.laz"):
        raise FormatError(
            f"{to}: COPC files can be read but not written yet, and a plain LAZ file must not "
            "carry that name. Give a name ending in .laz."
        )
    if to.suffix.lower() not in {".laz", ".las"}:
        raise FormatError(
            f"{to}: a merge writes LAS or LAZ, not {to.suffix or 'a file without extension'!r}. "
            "Give a name ending in .laz or .las."
        )


def _open_all(
    sources: list[Source], to: Path, stack: ExitStack, progress: ProgressFn | None
) -> list[PointReader]:
    readers = []
    for number, source in enumerate(sources, start=1):
        path = source.local_path(progress)
        if to.exists() and path.exists() and os.path.samefile(path, to):
            raise MergeError(
                f"the output {to} is one of the inputs ({source.label}). Choose another output."
            )
        crs = source.crs
        reader = stack.enter_context(open_reader(path, crs=None if crs is None else as_crs(crs)))
        readers.append(_in_declared_frame(source, reader, path, stack))
        if progress is not None:
            progress(Progress("open", number, len(sources), "files", source.label))
    return readers


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
    source: Source, reader: PointReader, target: CRS, assume: Sequence[str]
) -> PlannedInput:
    low = high = np.full(3, np.nan)
    box = None
    if reader.info.point_count:
        low, high = box = reader.bounds()
    chain = plan_chain(
        reader.info.crs, target, transform=source.transform, assume=tuple(assume), box=box
    )
    return PlannedInput(source, reader, chain, low, high)


def _joint_box(inputs: Sequence[PlannedInput]) -> tuple[FloatArray, FloatArray]:
    """Box of all inputs in the output CRS, from the transformed surfaces of their boxes."""
    boxes = [p.chain.apply(_box_samples(p.low, p.high)) for p in inputs if p.info.point_count]
    everything = np.concatenate(boxes)
    return everything.min(axis=0), everything.max(axis=0)


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
