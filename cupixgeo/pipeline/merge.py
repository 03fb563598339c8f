"""Many clouds into one file: planned from headers, then streamed in constant memory.

Pass one is `plan_merge`, pass two `stream`. The output is written beside its final name and renamed
when it is whole; a failure, a cancellation and Ctrl-C leave nothing behind.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import pyproj

from cupixgeo.atomic import atomic_output
from cupixgeo.cloud.schema import BLOCK_POINTS
from cupixgeo.errors import MergeError
from cupixgeo.geodesy.crs import CrsLike, crs_label
from cupixgeo.pipeline.plan import (
    LARGEST_SOURCE_ID,
    MergePlan,
    PlannedInput,
    SourceLike,
    plan_merge,
)
from cupixgeo.pipeline.report import MergeReport, SourceReport
from cupixgeo.pipeline.stream import StreamSettings, Tally, stream
from cupixgeo.progress import ProgressFn
from cupixgeo.version import __version__

FloatArray = npt.NDArray[np.float64]

TOLERANCE_M = 1e-4
"""[m] largest interpolation error allowed; a tenth of the output scale where that is smaller."""


def merge(  # noqa: PLR0913  the public contract; everything after `to` is a named option
    sources: Sequence[SourceLike],
    to: str | os.PathLike[str],
    *,
    crs: CrsLike | None = None,
    scale: float | Sequence[float] | None = None,
    exact: bool = False,
    tolerance_m: float = TOLERANCE_M,
    source_ids: bool = False,
    assume: Sequence[str] = (),
    block_points: int = BLOCK_POINTS,
    progress: ProgressFn | None = None,
    cancel: threading.Event | None = None,
) -> MergeReport:
    """Merge point clouds into one LAS or LAZ file in one CRS.

    Parameters
    ----------
    sources : sequence of Source or path
        The inputs, in the order their points should have in the output.
    to : path
        Output, ``.laz`` or ``.las``; replaced only when the new file is whole.
    crs : CrsLike or None
        Output CRS. None keeps the CRS the inputs share, or takes the site's UTM zone where they
        share only a georeference.
    scale : float, sequence of 3 float or None
        Step of the stored integers, output CRS units. None is never coarser than the finest input.
    exact : bool
        Call PROJ for every point instead of a verified interpolant.
    tolerance_m : float
        Largest interpolation error allowed [m]; a tenth of the output scale where that is smaller.
    source_ids : bool
        Set ``point_source_id`` to the number of the source, from 1.
    assume : sequence of str
        Declared assumptions where PROJ has no operation to be trusted; see `plan_operation`.
    block_points : int
        Points held at a time by each of the three stages.
    progress : callable or None
        Called with `Progress` from the calling thread.
    cancel : threading.Event or None
        Set it to stop; `CancelledError` is raised and nothing is left behind.

    Returns
    -------
    MergeReport
        What was merged, how, and how well.

    Raises
    ------
    MergeError
        No input, no point, the output is an input, or the inputs have no common CRS.
    GridOverflowError
        Coordinates do not fit the output's scale.
    FormatError, CorruptFileError
        An input cannot be read, or the output's format cannot be written.
    FrameError, CrsError, OperationError
        An input cannot be brought to the output CRS.
    OutputError
        The output cannot be written; `DiskFullError` when no room is left.
    CancelledError
        `cancel` was set.

    Examples
    --------
    >>> import cupixgeo as cx
    >>> report = cx.merge(["a.laz", "b.laz"], "site.laz", crs=32650)  # doctest: +SKIP
    >>> report.points_kept  # doctest: +SKIP
    2000000
    """
    started = time.perf_counter()
    if block_points < 1:
        raise MergeError(f"block_points={block_points} must be at least 1.")
    with ExitStack() as stack:
        plan = plan_merge(
            sources, to, stack, crs=crs, scale=scale, assume=assume, progress=progress
        )
        if source_ids and len(plan.inputs) > LARGEST_SOURCE_ID:
            raise MergeError(
                f"source_ids=True numbers at most {LARGEST_SOURCE_ID} sources; there are "
                f"{len(plan.inputs)}. Leave it out, or merge in parts."
            )
        settings = StreamSettings(
            None if exact else tolerance_m, source_ids, block_points, progress, cancel
        )
        with atomic_output(plan.to) as partial:
            tallies, bounds = stream(plan, partial, settings)
        return _report(plan, tallies, bounds, source_ids, time.perf_counter() - started)


def _report(
    plan: MergePlan,
    tallies: list[Tally],
    bounds: FloatArray,
    source_ids: bool,
    seconds: float,
) -> MergeReport:
    accuracies = [p.chain.accuracy_m for p in plan.inputs]
    known = [a for a in accuracies if a is not None]
    assumptions: dict[str, None] = {}
    for planned in plan.inputs:
        assumptions |= dict.fromkeys(planned.chain.assumptions)
    converted = dict(plan.layout.converted)
    if source_ids:
        converted["point_source_id"] = "set to the number of the source, from 1"
    return MergeReport(
        path=str(plan.to),
        format="LAZ" if plan.compressed else "LAS",
        version="1.4",
        point_format=plan.layout.layout.point_format,
        points_in=plan.point_count,
        points_kept=sum(tally.points for tally in tallies),
        bounds=_box(bounds),
        crs=crs_label(plan.crs),
        crs_wkt=plan.crs.to_wkt(),
        scales=plan.grid.scales,
        offsets=plan.grid.offsets,
        quantisation_error_m=max(tally.quantisation_m for tally in tallies),
        interpolation_error_m=max(tally.interpolation_m for tally in tallies),
        accuracy_m=max(known) if len(known) == len(accuracies) else None,
        assumptions=tuple(assumptions),
        notes=(*plan.notes, *_gps_notes(plan)),
        attributes_kept=plan.layout.kept,
        attributes_converted=converted,
        attributes_dropped=plan.layout.dropped,
        bytes_in=sum(p.info.size_bytes for p in plan.inputs),
        bytes_out=plan.to.stat().st_size,
        seconds=seconds,
        sources=tuple(map(_source_report, plan.inputs, tallies)),
        software=_software(),
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )


def _source_report(planned: PlannedInput, tally: Tally) -> SourceReport:
    info = planned.info
    return SourceReport(
        name=planned.source.label,
        path=str(info.path),
        format=info.format,
        point_format=info.point_format,
        method=tally.method,
        points_in=info.point_count,
        points_kept=tally.points,
        bytes=info.size_bytes,
        crs=f"{crs_label(info.crs)}, {info.crs_source}",
        operation=planned.chain.to_dict(),
        bounds=_box(np.stack([tally.low, tally.high])) if tally.points else None,
        interpolation_error_m=tally.interpolation_m,
        seconds=tally.seconds,
        provenance=dict(planned.source.provenance),
    )


def _gps_notes(plan: MergePlan) -> list[str]:
    kinds = {p.info.metadata.get("gps_time") for p in plan.inputs} - {None}
    if len(kinds) < 2:
        return []
    return ["some inputs give GPS time as week seconds, some as standard time: values are as read"]


def _box(bounds: FloatArray) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    low, high = ((float(x), float(y), float(z)) for x, y, z in bounds)
    return low, high


def _software() -> Mapping[str, str]:
    return {
        "cupixgeo": __version__,
        "PROJ": pyproj.proj_version_str,
        "pyproj": pyproj.__version__,
        "lazrs": version("lazrs"),
    }
