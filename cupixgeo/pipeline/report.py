"""What a merge says of itself, as data.

Everything a reader of the output may want to hold someone to: counts, bounds, the coordinate
operations with their accuracy, the errors of rounding and interpolation, what became of each
attribute, and where the points came from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from cupixgeo.atomic import atomic_output
from cupixgeo.pipeline.selection import LEFT_OUT

Bounds = tuple[tuple[float, float, float], tuple[float, float, float]]
"""((min x, min y, min z), (max x, max y, max z)) in the output CRS."""


@dataclass(frozen=True)
class SourceReport:
    """One input of a merge.

    Parameters
    ----------
    name, path, format : str
        What it is called, where it was read, and as what.
    point_format : int or None
        LAS point record format of the input.
    method : str
        ``"layers"``: only the coordinate layers of its chunks were decoded and encoded, all else
        was copied; ``"points"``: only coordinates were, all other symbols were written again as
        they stood; ``"records"``: whole records were; ``"skipped"``: nothing, its box has no wanted
        point.
    points_in, points_kept : int
        Points of the file, and points written.
    bytes : int
        Size of the input file [byte].
    crs : str
        Label of the frame or CRS the file's coordinates are in, and where that was stated.
    operation : mapping
        `Chain.to_dict`: each step from that frame to the output CRS, accuracy, grids.
    bounds : Bounds or None
        Box of the written points in the output CRS; None for an empty input.
    interpolation_error_m : float
        Worst verified difference between the interpolated and PROJ's exact result [m];
        0.0 where PROJ was called for every point.
    seconds : float
        Time spent on this input [s].
    provenance : mapping
        As given with the `Source`.
    removed : mapping of str to int
        Points left out, by rule: ``"outside"``, ``"class"``, ``"return"``, ``"duplicate"``,
        ``"thinned"``; each point counts once, for the first rule it fails.
    """

    name: str
    path: str
    format: str
    point_format: int | None
    method: str
    points_in: int
    points_kept: int
    bytes: int
    crs: str
    operation: Mapping[str, Any]
    bounds: Bounds | None
    interpolation_error_m: float
    seconds: float
    provenance: Mapping[str, Any] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class MergeReport:
    """What was merged into which file, and how well.

    Parameters
    ----------
    path : str
        The output.
    format, version : str
        ``"LAZ"``, ``"1.4"``.
    point_format : int
        LAS point record format written.
    points_in, points_kept : int
        Over all sources.
    bounds : Bounds
        Of the written points, output CRS.
    crs, crs_wkt : str
        Output CRS as a label and as WKT2.
    scales, offsets : tuple of 3 float
        Stored-integer grid, CRS units.
    quantisation_error_m : float
        Worst rounding of a coordinate to that grid [m], measured.
    interpolation_error_m : float
        Worst verified interpolation error over all sources [m].
    accuracy_m : float or None
        Worst stated accuracy of the coordinate operations [m]; None where PROJ states none.
    assumptions : tuple of str
        What was declared rather than known.
    notes : tuple of str
        Choices made on the user's behalf, and doubts worth knowing.
    attributes_kept, attributes_converted, attributes_dropped : mapping or tuple
        What became of the attributes; converted and dropped ones with the reason.
    bytes_in, bytes_out : int
        File sizes [byte].
    seconds : float
        Wall time [s].
    sources : tuple of SourceReport
        One an input, in the order of the points.
    software : mapping
        Versions of this package, PROJ and the codec.
    created : str
        UTC time, ISO 8601.
    selection : mapping
        What was asked for of the points (`Selection.to_dict`); empty where all were.
    removed : mapping of str to int
        Points left out, by rule, over all sources.
    """

    path: str
    format: str
    version: str
    point_format: int
    points_in: int
    points_kept: int
    bounds: Bounds
    crs: str
    crs_wkt: str
    scales: tuple[float, float, float]
    offsets: tuple[float, float, float]
    quantisation_error_m: float
    interpolation_error_m: float
    accuracy_m: float | None
    assumptions: tuple[str, ...]
    notes: tuple[str, ...]
    attributes_kept: tuple[str, ...]
    attributes_converted: Mapping[str, str]
    attributes_dropped: Mapping[str, str]
    bytes_in: int
    bytes_out: int
    seconds: float
    sources: tuple[SourceReport, ...]
    software: Mapping[str, str]
    created: str
    selection: Mapping[str, Any] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return asdict(self)

    def save(self, to: str | os.PathLike[str]) -> Path:
        """Write the report as JSON.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        path = Path(to)
        with atomic_output(path) as partial:
            partial.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")
        return path

    def __str__(self) -> str:
        size = [high - low for low, high in zip(*self.bounds, strict=True)]
        accuracy = "not stated by PROJ" if self.accuracy_m is None else f"{self.accuracy_m:g} m"
        lines = [
            f"{self.path}: {self.points_kept:,} points of {self.points_in:,} "
            f"from {len(self.sources)} sources",
            f"  {self.format} {self.version}, point format {self.point_format}, "
            f"{self.bytes_out / 1e6:.1f} MB, {self.crs}",
            f"  {size[0]:.1f} x {size[1]:.1f} x {size[2]:.1f} in CRS units",
            f"  operation accuracy {accuracy}; rounding {self.quantisation_error_m * 1e3:.3f} mm; "
            f"interpolation {self.interpolation_error_m * 1e3:.2g} mm",
            f"  {self.seconds:.1f} s",
        ]
        if self.removed:
            counts = (f"{count:,} {LEFT_OUT[rule]}" for rule, count in self.removed.items())
            lines.insert(1, f"  left out: {', '.join(counts)}")
        lines += [f"  note: {note}" for note in (*self.assumptions, *self.notes)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<MergeReport {self.path}: {self.points_kept:,} points, {self.crs}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(s.name)}</td><td>{escape(s.format)}</td>"
            f"<td style='text-align:right'>{s.points_kept:,}</td><td>{escape(s.crs)}</td></tr>"
            for s in self.sources
        )
        return (
            f"<div><pre style='margin:0'>{escape(str(self))}</pre>"
            "<details><summary>Sources</summary><table><thead><tr><th>source</th><th>format</th>"
            f"<th>points</th><th>CRS</th></tr></thead><tbody>{rows}</tbody></table></details></div>"
        )
