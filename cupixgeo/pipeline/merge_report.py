"""What a merge has done, as a report: from its plan and what was counted on the way.

Must not know how the points were moved or written.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np
import pyproj

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import MergeError
from cupixgeo.geodesy.crs import crs_label
from cupixgeo.pipeline.inputs import PlannedInput
from cupixgeo.pipeline.plan import MergePlan
from cupixgeo.pipeline.report import Bounds, MergeReport, SourceReport
from cupixgeo.pipeline.selection import LEFT_OUT, RULES
from cupixgeo.pipeline.stream import Tally
from cupixgeo.version import __version__


def merge_report(
    plan: MergePlan,
    tallies: Sequence[Tally],
    bounds: FloatArray,
    *,
    source_ids: bool,
    bytes_out: int,
    seconds: float,
) -> MergeReport:
    """Make the report of a merge.

    Parameters
    ----------
    plan : MergePlan
        What was planned.
    tallies : sequence of Tally
        What was counted, one an input.
    bounds : ndarray, shape (2, 3), float64 [output CRS units]
        Box of the written points.
    source_ids : bool
        Whether ``point_source_id`` was set.
    bytes_out : int
        Size of what was written [byte].
    seconds : float
        Wall time [s].
    """
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
        format=plan.format,
        version="1.4",
        point_format=plan.layout.layout.point_format,
        points_in=plan.point_count,
        points_kept=sum(tally.points for tally in tallies),
        bounds=as_bounds(bounds),
        crs=crs_label(plan.crs),
        crs_wkt=plan.crs.to_wkt(),
        scales=plan.grid.scales,
        offsets=plan.grid.offsets,
        quantisation_error_m=max(tally.quantisation_m for tally in tallies),
        interpolation_error_m=max(tally.interpolation_m for tally in tallies),
        accuracy_m=max(known) if len(known) == len(accuracies) else None,
        assumptions=tuple(assumptions),
        notes=(*plan.notes, *_gps_notes(plan), *_exact_notes(plan, tallies)),
        attributes_kept=plan.layout.kept,
        attributes_converted=converted,
        attributes_dropped=plan.layout.dropped,
        bytes_in=sum(p.info.size_bytes for p in plan.inputs),
        bytes_out=bytes_out,
        seconds=seconds,
        sources=tuple(map(_source_report, plan.inputs, tallies)),
        software=_software(),
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        selection={} if plan.selection is None else plan.selection.to_dict(),
        removed=_in_order_of_rules(sum((t.removed for t in tallies), Counter[str]())),
    )


def check_something_is_left(plan: MergePlan, tallies: Sequence[Tally]) -> None:
    """Refuse an output without points.

    Raises
    ------
    MergeError
        Saying which rules left out how many.
    """
    if any(tally.points for tally in tallies):
        return
    removed = sum((tally.removed for tally in tallies), Counter[str]())
    reasons = ", ".join(f"{removed[rule]:,} {LEFT_OUT[rule]}" for rule in RULES if removed[rule])
    raise MergeError(
        f"nothing is left to write: of {plan.point_count:,} points {reasons}. Ask for more."
    )


def _source_report(planned: PlannedInput, tally: Tally) -> SourceReport:
    info = planned.info
    return SourceReport(
        name=planned.source.label,
        path=planned.shown,
        format=info.format,
        point_format=info.point_format,
        method=tally.method,
        points_in=info.point_count,
        points_kept=tally.points,
        bytes=info.size_bytes,
        crs=f"{crs_label(info.crs)}, {info.crs_source}",
        operation=planned.chain.to_dict(),
        bounds=as_bounds(np.stack([tally.low, tally.high])) if tally.points else None,
        interpolation_error_m=tally.interpolation_m,
        seconds=tally.seconds,
        provenance=dict(planned.source.provenance),
        removed=_in_order_of_rules(tally.removed),
    )


def _in_order_of_rules(removed: Mapping[str, int]) -> dict[str, int]:
    return {rule: removed[rule] for rule in RULES if removed.get(rule)}


def _gps_notes(plan: MergePlan) -> list[str]:
    kinds = {p.info.metadata.get("gps_time") for p in plan.inputs} - {None}
    if len(kinds) < 2:
        return []
    return ["some inputs give GPS time as week seconds, some as standard time: values are as read"]


def _exact_notes(plan: MergePlan, tallies: Sequence[Tally]) -> list[str]:
    """Say where an interpolant gave way to PROJ: at an edge between cells of a grid, mostly."""
    both = zip(tallies, plan.inputs, strict=True)
    parts = [(t.exact_share, planned.source.label) for t, planned in both if t.exact_share > 0]
    if not parts:
        return []
    share, label = max(parts)
    others = f", and in less of {len(parts) - 1} other sources" if len(parts) > 1 else ""
    return [
        f"in {share:.1%} of the area of {label}{others} PROJ was called for every point: no "
        "polynomial follows the operation closely enough there"
    ]


def as_bounds(box: FloatArray) -> Bounds:
    """Give a box, shape (2, 3), float64 [CRS units], as reports hold it."""
    low, high = ((float(x), float(y), float(z)) for x, y, z in box)
    return low, high


def _software() -> Mapping[str, str]:
    return {
        "cupixgeo": __version__,
        "PROJ": pyproj.proj_version_str,
        "pyproj": pyproj.__version__,
        "lazrs": version("lazrs"),
    }
