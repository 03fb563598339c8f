"""A site as one map page: top view, footprints and camera positions, opens with no network.

Knows what the page needs and packs it: Leaflet, styles, pictures and data all stand inside the
file. There are no tiles: a graticule and the cloud's own picture are the base map. Must not know
where footprints and cameras came from.

References
----------
Leaflet 1.9.4 (BSD-2-Clause, ``assets/leaflet``), which the page runs on.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from pyproj import CRS

from cupixgeo.atomic import atomic_output
from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import CloudError, EmptyCloudError
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label
from cupixgeo.geodesy.units import metres_per_unit
from cupixgeo.pipeline.lonlat import (
    MapPicture,
    box_outline,
    from_lon_lat,
    horizontal,
    map_doubts,
    to_lon_lat,
)
from cupixgeo.pipeline.picture import data_address
from cupixgeo.pipeline.quantities import size
from cupixgeo.pipeline.report import MergeReport

WORST_FIT_M = 0.5
"""[m] error of the projected coordinates shown under the cursor beyond which they are left out."""

_DEGREE = 3
_POWERS = [(i, j) for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)]


@dataclass(frozen=True, eq=False)
class Footprint:
    """Outline of one source on the map.

    Parameters
    ----------
    name : str
        What it is called.
    outline : ndarray, shape (n, 2), float64 [deg]
        Corners in order, WGS 84, longitude first.
    facts : mapping of str to str
        Lines for its popup.
    """

    name: str
    outline: FloatArray
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Cameras:
    """Camera positions on the map, up to some 20,000.

    Parameters
    ----------
    names : sequence of str
        One a camera.
    lon_deg, lat_deg : ndarray, shape (n,), float64 [deg]
        WGS 84. Cameras without a position (NaN) are left out.

    Raises
    ------
    CloudError
        The three are not of one length.
    """

    names: Sequence[str]
    lon_deg: FloatArray
    lat_deg: FloatArray

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.lon_deg) == len(self.lat_deg):
            raise CloudError(
                f"{len(self.names)} camera names, {len(self.lon_deg)} longitudes and "
                f"{len(self.lat_deg)} latitudes do not belong together: give one each a camera."
            )


def footprints(report: MergeReport) -> list[Footprint]:
    """Boxes of a merge's sources, as outlines on the map.

    Parameters
    ----------
    report : MergeReport
        Its sources' bounds are turned into outlines; sources without points have none.

    Raises
    ------
    GeodesyError
        The output is in a local frame, which has no place on a map.
    """
    crs = CRS.from_wkt(report.crs_wkt)
    found = []
    for source in report.sources:
        if source.bounds is not None:
            (west, south, _), (east, north, _) = source.bounds
            outline = to_lon_lat(crs, box_outline(west, south, east, north))
            facts = {
                "Points": f"{source.points_kept:,}",
                "Format": source.format,
                "Size": size(source.bytes),
                "Outline": "bounding box in the output CRS",
            }
            found.append(Footprint(source.name, outline, facts))
    return found


def write_map(
    to: str | os.PathLike[str],
    *,
    footprints: Sequence[Footprint],
    cameras: Cameras | None = None,
    overlay: MapPicture | None = None,
    title: str = "Site map",
    crs: CrsLike | None = None,
) -> Path:
    """Write a site map as a self-contained HTML page.

    Parameters
    ----------
    to : path
        The page; replaced only when the new one is whole.
    footprints : sequence of Footprint
        Outlines to draw; see `footprints`.
    cameras : Cameras or None
        Camera positions to draw.
    overlay : MapPicture or None
        Picture to lay under them; see `map_picture`.
    title : str
        Heading of the page.
    crs : CrsLike or None
        CRS whose coordinates the page shows under the cursor, beside longitude and latitude.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    EmptyCloudError
        There is nothing to show.
    OutputError
        The page cannot be written.
    GeodesyError
        `crs` is a local frame.
    """
    corners = _corners(footprints, cameras, overlay)
    if not len(corners):
        raise EmptyCloudError(
            f"nothing to show on {Path(to).name}: give footprints, cameras or a picture."
        )
    plane = None if crs is None else as_crs(crs)
    low, high = corners.min(axis=0), corners.max(axis=0)
    shown = _camera_data(cameras)
    data = {
        "bounds": [[low[1], low[0]], [high[1], high[0]]],
        "overlay": _overlay_data(overlay),
        "footprints": [_footprint_data(footprint) for footprint in footprints],
        "cameras": shown,
        "plane": None if plane is None else plane_fit(plane, low, high),
    }
    page = _page(title, _lede(footprints, shown, plane), data)
    path = Path(to)
    with atomic_output(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path


def plane_fit(crs: CRS, low: FloatArray, high: FloatArray) -> dict[str, Any] | None:
    """Fit a CRS's coordinates by a polynomial of longitude and latitude, with its error.

    Parameters
    ----------
    crs : pyproj.CRS
        Projected or geographic; heights play no part.
    low, high : ndarray, shape (2,), float64 [deg]
        Corners of what the map shows, longitude first. The fit reaches half a side further.

    Returns
    -------
    dict or None
        What ``assets/map.js`` evaluates; ``error_m`` is the largest difference [m] to PROJ at
        points the fit was not made from. None where that is above `WORST_FIT_M`.
    """
    centre = (low + high) / 2
    half = np.maximum(high - low, 1e-5)
    at, check = (_square(side, half, centre) for side in (9, 14))
    exact = from_lon_lat(crs, at)
    coefficients = np.linalg.lstsq(_terms((at - centre) / half), exact, rcond=None)[0]
    fitted = _terms((check - centre) / half) @ coefficients
    middle = from_lon_lat(crs, centre[None])[0]
    metres = np.array(metres_per_unit(horizontal(crs), np.append(middle, 0.0))[:2])
    error_m = float(np.abs((fitted - from_lon_lat(crs, check)) * metres).max())
    if error_m > WORST_FIT_M:
        return None
    step_m = 10.0 ** np.ceil(np.log10(max(2 * error_m, 0.01)))
    return {
        "label": crs_label(horizontal(crs)),
        "centre": centre.tolist(),
        "half": half.tolist(),
        "powers": _POWERS,
        "x": coefficients[:, 0].tolist(),
        "y": coefficients[:, 1].tolist(),
        "error_m": error_m,
        "decimals": max(0, round(-np.log10(step_m / metres.max()))),
    }


def _square(side: int, half: FloatArray, centre: FloatArray) -> FloatArray:
    u, v = np.meshgrid(*[np.cos(np.pi * (np.arange(side) + 0.5) / side)] * 2)
    return centre + np.column_stack([u.ravel(), v.ravel()]) * half


def _terms(uv: FloatArray) -> FloatArray:
    return np.stack([uv[:, 0] ** i * uv[:, 1] ** j for i, j in _POWERS], axis=1)


def _corners(
    footprints: Sequence[Footprint], cameras: Cameras | None, overlay: MapPicture | None
) -> FloatArray:
    parts = [footprint.outline for footprint in footprints]
    if cameras is not None:
        positions = np.column_stack([cameras.lon_deg, cameras.lat_deg])
        parts.append(positions[np.isfinite(positions).all(axis=1)])
    if overlay is not None:
        parts.append(np.array([[overlay.west, overlay.south], [overlay.east, overlay.north]]))
    return np.concatenate(parts) if parts else np.empty((0, 2))


def _footprint_data(footprint: Footprint) -> dict[str, Any]:
    return {
        "name": footprint.name,
        "ring": np.round(footprint.outline[:, ::-1], 9).tolist(),
        "facts": list(footprint.facts.items()),
    }


def _camera_data(cameras: Cameras | None) -> dict[str, Any] | None:
    if cameras is None:
        return None
    placed = np.isfinite(cameras.lon_deg) & np.isfinite(cameras.lat_deg)
    return {
        "name": [str(name) for name, here in zip(cameras.names, placed, strict=True) if here],
        "lat": np.round(cameras.lat_deg[placed], 8).tolist(),
        "lon": np.round(cameras.lon_deg[placed], 8).tolist(),
    }


def _overlay_data(overlay: MapPicture | None) -> dict[str, Any] | None:
    if overlay is None:
        return None
    return {
        "address": data_address(overlay.image),
        "bounds": [[overlay.south, overlay.west], [overlay.north, overlay.east]],
    }


def _lede(
    footprints: Sequence[Footprint], cameras: Mapping[str, Any] | None, crs: CRS | None
) -> str:
    parts = []
    if footprints:
        parts.append(f"{len(footprints):,} source{'' if len(footprints) == 1 else 's'}")
    if cameras is not None:
        count = len(cameras["name"])
        parts.append(f"{count:,} camera position{'' if count == 1 else 's'}")
    text = ", ".join(parts)
    if crs is not None:
        text += f". Delivered in {crs_label(crs)}"
        doubts = map_doubts(crs)
        if doubts:
            text += f"; placed on this map with {', '.join(doubts)}, which may be metres off"
    return text


def _page(title: str, lede: str, data: Mapping[str, Any]) -> str:
    assets = files("cupixgeo.pipeline") / "assets"

    def text(name: str) -> str:
        return (assets / name).read_text("utf-8")

    # the style sheet's own pictures are of controls and markers the page does not use
    leaflet_style = re.sub(r"[^{}]+\{[^{}]*url\(images/[^{}]*\}", "", text("leaflet/leaflet.css"))
    script = text("leaflet/leaflet.js").replace("//# sourceMappingURL=leaflet.js.map", "")
    return Template(text("map.html")).substitute(
        title=escape(title),
        lede=escape(lede),
        licence=text("leaflet/LICENSE").replace("--", "- -"),
        leaflet_style=leaflet_style,
        style=text("map.css"),
        leaflet=script,
        script=text("mapping.js") + text("map.js"),
        # "<" cannot end the element it stands in
        data=json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
    )
