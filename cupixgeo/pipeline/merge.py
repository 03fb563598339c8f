"""Many clouds into one file: planned from headers, then streamed in constant memory.

Pass one is `plan_merge`, pass two `stream`. The output is written beside its final name and renamed
when it is whole; a failure, a cancellation and Ctrl-C leave nothing behind.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from cupixgeo.atomic import atomic_output
from cupixgeo.cloud.schema import BLOCK_POINTS, FloatArray
from cupixgeo.collector import heap_set_aside
from cupixgeo.errors import MergeError
from cupixgeo.formats.extent import AreaLike
from cupixgeo.geodesy.assumptions import read_assumptions
from cupixgeo.geodesy.crs import CrsLike
from cupixgeo.pipeline.inputs import SourceLike
from cupixgeo.pipeline.journal import forget_unfinished, resumable_output
from cupixgeo.pipeline.merge_report import check_something_is_left, merge_report
from cupixgeo.pipeline.plan import LARGEST_SOURCE_ID, MergePlan, output_format, plan_merge
from cupixgeo.pipeline.report import MergeReport
from cupixgeo.pipeline.selection import ClassLike, ReturnLike, read_selection
from cupixgeo.pipeline.sieve import Sieve
from cupixgeo.pipeline.stream import StreamSettings, Tally, stream
from cupixgeo.progress import ProgressFn

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
    assume: str | Iterable[str] = (),
    bounds: AreaLike | None = None,
    classes: ClassLike | Iterable[ClassLike] | None = None,
    returns: ReturnLike | Iterable[ReturnLike] | None = None,
    spacing_m: float | None = None,
    drop_duplicates: bool = False,
    resume: bool = False,
    tile_m: float | None = None,
    client: Any = None,
    block_points: int = BLOCK_POINTS,
    progress: ProgressFn | None = None,
    cancel: threading.Event | None = None,
) -> MergeReport:
    """Merge point clouds into one LAS, LAZ or COPC file in one CRS.

    Parameters
    ----------
    sources : sequence of Source, path or str
        The inputs, in the order their points should have in the output: files, or the http(s)
        addresses of LAS, LAZ, COPC and VPC, which are read by range requests.
    to : path
        Output, ``.laz``, ``.las`` or ``.copc.laz``; replaced only when the new file is whole. COPC
        holds the points in another order, and needs room beside it for all of them, uncompressed.
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
    assume : str or iterable of str
        Declared assumptions where PROJ has no operation to be trusted; see `plan_operation`.
    bounds : 4 numbers; array_like, shape (2, 2), (2, 3) or (n, 2); mapping; or None
        Keep points in this box or polygon, in the output CRS [CRS units]; see `read_area`. A
        box holds all its edges, a polygon those in the west and south. Sources that lie outside
        by their headers are not decoded, nor cells of COPC sources that do.
    classes : int, str, iterable of them, or None
        Keep points of these classes: codes, or names of the LAS specification (``"ground"``).
        A source without classification is an error.
    returns : int, str, iterable of them, or None
        Keep these returns: numbers, ``"first"`` (number 1), ``"last"`` or ``"single"``. A source
        without return numbers is an error.
    spacing_m : float or None
        Keep one point in each cube of this edge [m]: the first, so that sources named first win.
        The cubes start at the CRS's origin.
    drop_duplicates : bool
        Keep the first of the points that have the same stored coordinates and, where the point
        format has them, the same GPS time, return number and scanner channel. PROJ is called for
        every point then, so that the same point is rounded alike in every source.
    resume : bool
        Keep what is finished when the merge is interrupted, even by a power cut, and go on from
        there when called again with the same arguments; the output is the same, byte for byte. For
        LAS and LAZ; tiles always go on. What is kept are two hidden files beside the output.
    tile_m : float or None
        Make COPC tiles of this edge [m] in place of one file, with a catalogue of them; `to` is
        a folder then. See `cupixgeo.pipeline.tiles`.
    client : distributed.Client or None
        Dask cluster that makes the tiles; None makes them here.
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
        No input, no point, the output is an input, the inputs have no common CRS, or no point is
        left of them.
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
    SourceChangedError
        An input changed meanwhile.
    ServiceError, TransferError
        The server of an input does not give it, or not in parts.

    Examples
    --------
    >>> import cupixgeo as cx
    >>> report = cx.merge(["a.laz", "b.laz"], "site.laz", crs=32650)  # doctest: +SKIP
    >>> report.points_kept  # doctest: +SKIP
    2000000
    """
    started = time.perf_counter()
    _check_numbers(sources, source_ids=source_ids, block_points=block_points)
    selection = read_selection(
        bounds=bounds,
        classes=classes,
        returns=returns,
        spacing_m=spacing_m,
        drop_duplicates=drop_duplicates,
    )
    tolerance = None if exact or drop_duplicates else tolerance_m
    if tile_m is not None:
        from cupixgeo.pipeline.tiles.merge import merge_tiles
        from cupixgeo.pipeline.tiles.plan import TileOptions

        declared = tuple(sorted(read_assumptions(assume)))
        options = TileOptions(tile_m, crs, scale, declared, tolerance, source_ids, selection)
        return merge_tiles(sources, to, options, client=client, progress=progress, cancel=cancel)
    if client is not None:
        raise MergeError("client= makes tiles on a cluster. Give tile_m= as well, like 250.")
    if resume and output_format(Path(to)) == "COPC":
        raise MergeError(
            f"resume=True cannot go on with a COPC file ({to}). Write .laz, or tiles with tile_m=."
        )
    with ExitStack() as stack:
        stack.enter_context(heap_set_aside())
        plan = plan_merge(
            sources,
            to,
            stack,
            crs=crs,
            scale=scale,
            assume=assume,
            selection=selection,
            progress=progress,
        )
        settings = StreamSettings(
            tolerance,
            source_ids,
            block_points,
            progress,
            cancel,
            None
            if selection is None
            else Sieve(selection, plan.grid, plan.layout.layout, plan.crs),
        )
        plan, tallies, box = _write(plan, settings, resume=resume)
        return merge_report(
            plan,
            tallies,
            box,
            source_ids=source_ids,
            bytes_out=plan.to.stat().st_size,
            seconds=time.perf_counter() - started,
        )


def _check_numbers(sources: Sequence[SourceLike], *, source_ids: bool, block_points: int) -> None:
    if block_points < 1:
        raise MergeError(f"block_points={block_points} must be at least 1.")
    if source_ids and len(sources) > LARGEST_SOURCE_ID:
        raise MergeError(
            f"source_ids=True numbers at most {LARGEST_SOURCE_ID} sources; there are "
            f"{len(sources)}. Leave it out, or merge in parts."
        )


def _write(
    plan: MergePlan, settings: StreamSettings, *, resume: bool
) -> tuple[MergePlan, list[Tally], FloatArray]:
    """Stream to the output, whole or not at all; return the plan with what is to be noted."""
    if resume:
        with resumable_output(plan.to) as (unfinished, journal):
            tallies, box = stream(plan, unfinished, replace(settings, journal=journal))
            check_something_is_left(plan, tallies)
        return replace(plan, notes=(*plan.notes, *journal.notes)), tallies, box
    with atomic_output(plan.to) as partial:
        tallies, box = stream(plan, partial, settings)
        check_something_is_left(plan, tallies)
    forget_unfinished(plan.to)
    return plan, tallies, box
