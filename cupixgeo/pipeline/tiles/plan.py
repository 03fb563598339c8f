"""Plan a tiled merge from headers alone: the merge's plan, as values that travel.

Knows what decides the tiles, and says all of it in `TilesPlan.identity`: two calls with the same
identity make the same tiles. Must not know who makes them.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj

from cupixgeo.errors import GridOverflowError, MergeError
from cupixgeo.geodesy.crs import CrsLike, crs_label
from cupixgeo.pipeline.fitting import Fitting
from cupixgeo.pipeline.grid import INT32
from cupixgeo.pipeline.inputs import PlannedInput, SourceLike, placed_box
from cupixgeo.pipeline.plan import MergePlan, plan_merge
from cupixgeo.pipeline.selection import Selection
from cupixgeo.pipeline.tiles.lattice import TileLattice, grid_around
from cupixgeo.pipeline.tiles.values import TileJob, TileSource
from cupixgeo.progress import ProgressFn
from cupixgeo.version import __version__

SAMPLE_TILE = "cupixgeo-any-tile.copc.laz"
"""Tells the planner of merges what kind of file will be written; never made."""

BULGE = 0.05
"""Of its size: how far the points of a source may reach beyond its box in the output CRS."""


@dataclass(frozen=True, eq=False)
class TilesPlan:
    """A tiled merge, planned.

    Parameters
    ----------
    merge : MergePlan
        As for one file; its readers are open.
    job : TileJob
        What all tiles have in common.
    sources : tuple of TileSource
        Those that have points that may be wanted.
    identity : mapping
        Everything that decides the tiles, as JSON can hold it.
    """

    merge: MergePlan
    job: TileJob
    sources: tuple[TileSource, ...]
    identity: dict[str, Any]


@dataclass(frozen=True)
class TileOptions:
    """What was asked for, besides sources and folder; see `merge`.

    Parameters
    ----------
    tile_m : float
        Edge of a tile [m].
    crs, scale, assume
        As in `plan_merge`.
    tolerance_m : float or None
        Largest interpolation error [m]; None calls PROJ for every point.
    source_ids : bool
        Set ``point_source_id`` to the number of the source.
    selection : Selection or None
        Points that are wanted.
    """

    tile_m: float
    crs: CrsLike | None
    scale: float | Sequence[float] | None
    assume: tuple[str, ...]
    tolerance_m: float | None
    source_ids: bool
    selection: Selection | None


def plan_tiles(
    sources: Sequence[SourceLike],
    to: str,
    stack: ExitStack,
    options: TileOptions,
    progress: ProgressFn | None = None,
) -> TilesPlan:
    """Plan a tiled merge.

    Parameters
    ----------
    sources : sequence of Source or path
        The inputs.
    to : str
        Address of where the tiles go.
    stack : ExitStack
        Closes the opened inputs.
    options : TileOptions
        What was asked for.
    progress : callable or None
        Told of files being fetched and opened.

    Raises
    ------
    MergeError
        The output CRS has no squares, or as `plan_merge`.
    GridOverflowError
        A source does not fit the output's scale.
    CupixGeoError
        As `plan_merge`.
    """
    if not (math.isfinite(options.tile_m) and options.tile_m > 0):
        raise MergeError(f"tile_m={options.tile_m} is not a length. Give metres, like 250.")
    plan = plan_merge(
        sources,
        Path(tempfile.gettempdir()) / SAMPLE_TILE,
        stack,
        crs=options.crs,
        scale=options.scale,
        assume=options.assume,
        selection=options.selection,
        one_file=False,
        progress=progress,
    )
    if plan.crs.is_geographic or plan.crs.is_geocentric:
        raise MergeError(
            f"{crs_label(plan.crs)} has no plane coordinates in which tiles could be squares of "
            f"{options.tile_m:g} m. Choose a projected output CRS: crs=..."
        )
    scales, offsets = plan.grid.scales, plan.grid.offsets
    lattice = TileLattice(
        float(options.tile_m),
        plan.grid.metres[0],
        (scales[0], scales[1]),
        (offsets[0], offsets[1]),
    )
    _check_spacing(options)
    job = TileJob(
        to=to,
        crs=plan.crs,
        layout=plan.layout.layout,
        grid=plan.grid,
        lattice=lattice,
        selection=options.selection,
        source_ids=options.source_ids,
        gps_standard_time=plan.gps_standard_time,
    )
    fitting = Fitting(plan.inputs, plan.grid, options.tolerance_m)
    wanted = [
        _source(plan, planned, number, fitting)
        for number, planned in enumerate(plan.inputs, start=1)
        if planned.info.point_count and not planned.skipped
    ]
    return TilesPlan(plan, job, tuple(wanted), _identity(plan, options))


def _check_spacing(options: TileOptions) -> None:
    """Thinning cubes must not be cut by the edge of a tile: each half would keep a point."""
    spacing = None if options.selection is None else options.selection.spacing_m
    if spacing is None:
        return
    cubes = options.tile_m / spacing
    if abs(cubes - round(cubes)) > 1e-9 * cubes:
        whole = options.tile_m / math.ceil(cubes)
        raise MergeError(
            f"tile_m={options.tile_m:g} is not a whole number of spacing_m={spacing:g}, so tile "
            f"edges would cut thinning cubes. Give spacing_m={whole:.6g}, or another tile_m."
        )


def _source(plan: MergePlan, planned: PlannedInput, number: int, fitting: Fitting) -> TileSource:
    grid = plan.grid
    box = placed_box(planned)
    if plan.selection is not None and plan.selection.area is not None:
        area = plan.selection.area
        box = np.stack([np.maximum(box[0], area.low), np.minimum(box[1], area.high)])
    reach = BULGE * np.maximum(box[1] - box[0], 0)
    steps = (box + [-reach, reach] - grid.offsets) / grid.scales
    low, high = (corner.astype(np.int64) for corner in np.rint(steps))
    if (high - low > INT32.max - INT32.min).any():
        raise GridOverflowError(
            f"{planned.source.label} spans {(box[1] - box[0]).max():.3f} units, too much for "
            f"32-bit integers at scale {max(grid.scales):g}. Give a coarser scale=."
        )
    return TileSource(
        number=number,
        label=planned.source.label,
        where=planned.source.address or planned.info.path.resolve(),
        chain=planned.chain,
        fitted=fitting(planned),
        placed=grid_around(grid, low, high),
        points=planned.info.point_count,
        stamp=planned.stamp,
    )


def _identity(plan: MergePlan, options: TileOptions) -> dict[str, Any]:
    layout = plan.layout.layout
    return {
        "software": {"cupixgeo": __version__, "PROJ": pyproj.proj_version_str},
        "tile_m": float(options.tile_m),
        "crs": plan.crs.to_wkt(),
        "scales": list(plan.grid.scales),
        "offsets": list(plan.grid.offsets),
        "point_format": layout.point_format,
        "extra_bytes": [[d.name, str(d.dtype), d.scales, d.offsets] for d in layout.extra],
        "tolerance_m": options.tolerance_m,
        "source_ids": options.source_ids,
        "selection": {} if plan.selection is None else plan.selection.to_dict(),
        "area": _fingerprint(plan.selection),
        "sources": [_identity_of(planned) for planned in plan.inputs],
    }


def _fingerprint(selection: Selection | None) -> str:
    """Short text that tells one area from another; empty without an area."""
    if selection is None or selection.area is None:
        return ""
    area = selection.area
    rings = [ring for polygon in area.polygons for ring in polygon]
    digest = hashlib.sha256()
    for array in (area.low, area.high, *rings):
        digest.update(f"{array.shape}".encode() + np.ascontiguousarray(array, np.float64).tobytes())
    return digest.hexdigest()[:16]


def _identity_of(planned: PlannedInput) -> dict[str, Any]:
    return {
        "name": planned.source.label,
        "path": planned.place,
        "bytes": planned.stamp.size_bytes,
        "time_of_change": planned.stamp.mark,
        "operation": planned.chain.to_dict(),
    }
