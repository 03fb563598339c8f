"""Pass one of a merge: everything that can be decided from headers.

Opens each input, joins its frame to the output CRS, transforms its box, and fixes one record
layout and one coordinate grid for all. Whatever cannot work is refused here, before a byte of
output is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyproj import CRS

from cupixgeo.atomic import check_output
from cupixgeo.errors import FormatError, MergeError
from cupixgeo.formats.extent import Area
from cupixgeo.formats.las.records import LayoutPlan, plan_layout
from cupixgeo.geodesy.assumptions import read_assumptions
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label, same_crs, suggest_utm
from cupixgeo.geodesy.operation import plan_operation
from cupixgeo.geodesy.units import metres_per_unit
from cupixgeo.pipeline.grid import FLOAT_STEP_M, OutputGrid, plan_grid
from cupixgeo.pipeline.inputs import (
    OpenedSource,
    PlannedInput,
    SourceLike,
    as_source,
    listed_twice,
    open_sources,
    placed_box,
    plan_input,
)
from cupixgeo.pipeline.selection import Selection
from cupixgeo.progress import ProgressFn

FloatArray = npt.NDArray[np.float64]

OUTPUT_FORMATS = {".copc.laz": "COPC", ".laz": "LAZ", ".las": "LAS"}
"""What is written, by the end of the name."""

LARGEST_SOURCE_ID = 65_535
"""`point_source_id` has 16 bits."""

BULGE = 0.02
"""Of its extent: how far a box may reach beyond its transformed corners and middles."""


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
    def gps_standard_time(self) -> bool:
        """Whether GPS time is standard time: unless all inputs that have one count week seconds."""
        return {p.info.metadata.get("gps_time") for p in self.inputs} - {None} != {"week"}

    @property
    def point_count(self) -> int:
        """Points to read."""
        return sum(planned.info.point_count for planned in self.inputs)


def plan_merge(  # noqa: PLR0913  named options, most of them those of `merge`
    sources: Sequence[SourceLike],
    to: str | os.PathLike[str],
    stack: ExitStack,
    *,
    crs: CrsLike | None = None,
    scale: float | Sequence[float] | None = None,
    assume: str | Iterable[str] = (),
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
    assume : str or iterable of str
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
    opened = open_sources(given, output, stack, progress)
    notes: list[str] = []
    target = as_crs(crs) if crs is not None else _common_target(opened, notes)
    declared = read_assumptions(assume)
    inputs = tuple(plan_input(source, target, declared) for source in opened)
    if not any(planned.info.point_count for planned in inputs):
        raise MergeError(f"nothing to merge: none of the {len(inputs)} inputs holds a point.")
    layout = plan_layout(
        [p.info for p in inputs],
        [p.las_format for p in inputs],
        least_format=least_point_format(output_format(output)),
    )
    if selection is None or not selection.drop_duplicates:
        notes += listed_twice(inputs)
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


def _common_target(opened: Sequence[OpenedSource], notes: list[str]) -> CRS:
    first = opened[0]
    for other in opened:
        if not same_crs(first.frame, other.frame):
            raise MergeError(
                f"the inputs are in different CRSs: {first.source.label} in "
                f"{crs_label(first.frame)}, {other.source.label} in {crs_label(other.frame)}. Say "
                "which the output should have: crs=..."
            )
    if not first.frame.is_geocentric:
        return first.frame
    box = next((placed for placed in map(_before_operation, opened) if placed is not None), None)
    if box is None:
        raise MergeError(f"nothing to merge: none of the {len(opened)} inputs holds a point.")
    lon, lat, _ = plan_operation(first.frame, as_crs(4979)).apply(box.mean(axis=0)[None])[0]
    target = suggest_utm(float(lon), float(lat))
    notes.append(f"no output CRS was given: {crs_label(target)} was chosen for the site")
    return target


def _before_operation(opened: OpenedSource) -> FloatArray | None:
    """Box behind the placement, before the coordinate operation; None for an empty file."""
    transform = opened.source.transform
    if opened.box is None or transform is None:
        return opened.box
    return transform.apply(opened.box)


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
        planned if box is None else _marked(planned, area, box)
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


def _marked(planned: PlannedInput, area: Area, box: FloatArray) -> PlannedInput:
    """Say what of an input need not be read: all of it, cells of its octree, or its files."""
    bulge = BULGE * (box[1] - box[0])
    if not area.touches((box[0] - bulge)[None], (box[1] + bulge)[None])[0]:
        return replace(planned, skipped=True)
    if planned.info.format not in ("COPC", "VPC"):
        return planned
    from cupixgeo.pipeline.pruning import kept_cells, kept_files

    choose = kept_cells if planned.info.format == "COPC" else kept_files
    return replace(planned, kept=choose(planned, area))


def _step_m(planned: PlannedInput) -> float:
    """Coordinate step of an input after its placement [m]."""
    info = planned.info
    if info.scales is None or not info.point_count:
        return FLOAT_STEP_M
    metres = metres_per_unit(info.crs, (planned.low + planned.high) / 2)
    steps = np.array(info.scales) * np.array(metres)
    transform = planned.source.transform
    return float((steps * (1.0 if transform is None else np.array(transform.scale))).min())
