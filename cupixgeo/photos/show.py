"""A preflight in words, as HTML with a small map, and as GeoJSON.

Knows how to show what a `Preflight` holds. Must not find anything out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cupixgeo.photos.footprints import FloatArray, LocalPlane
from cupixgeo.photos.overlap import signed_areas

if TYPE_CHECKING:
    from cupixgeo.photos.preflight import Preflight

MAX_DRAWN = 400
"""Footprints in the small map; of more, every second, third ... is drawn."""

MAX_LISTED = 50
"""Photos listed one by one in the HTML view."""

_COLOURS = {"ok": "#2a7f62", "warn": "#c77700", "reject": "#b3261e"}
_MAP_PX = 360


def summary(preflight: Preflight) -> str:
    """Tell a preflight in a few lines."""
    lines = [_headline(preflight)]
    lines += [f"  {name:<10} {text}" for name, text in _facts(preflight)]
    lines += [f"  ! {warning}" for warning in preflight.warnings]
    return "\n".join(lines)


def _headline(preflight: Preflight) -> str:
    verdicts = preflight.verdicts
    photos = "photo" if len(preflight.table) == 1 else "photos"
    return (
        f"{len(preflight.table)} {photos} in {preflight.source}: {verdicts['ok']} ok, "
        f"{verdicts['warn']} doubtful, {verdicts['reject']} left out; "
        f"{_size(preflight.bytes)} to send"
    )


def _facts(preflight: Preflight) -> Iterator[tuple[str, str]]:
    usable = preflight.usable
    cameras = usable.groupby(["make", "model", "width", "height"], dropna=False).size()
    for key, number in cameras.sort_values(ascending=False).head(3).items():
        make, model, width, height = key if isinstance(key, tuple) else (key,)
        name = " ".join(str(part) for part in (make, model) if pd.notna(part)) or "unnamed camera"
        yield "camera", f"{name}, {width} x {height} ({number})"
    times = usable["captured_at"].dropna()
    if len(times):
        yield "when", f"{times.min():%Y-%m-%d %H:%M:%S} to {times.max():%H:%M:%S}, camera clock"
    if preflight.centre is not None:
        lon, lat = preflight.centre
        crs = preflight.suggested_crs
        authority = ":".join(crs.to_authority() or ()) if crs else ""
        yield "where", f"{_place(lon, lat)}; suggested CRS {authority} ({crs.name if crs else ''})"
    heights, gsd = usable["height_m"].dropna(), preflight.gsd_m
    if len(heights) and gsd is not None:
        said = "given" if preflight.rules.height_m else "above take-off, taken as flat ground"
        sources = ", ".join(sorted(usable["focal_source"].dropna().unique()))
        yield "height", f"{heights.median():.1f} m {said}"
        yield "pixel", f"{gsd * 100:.2g} cm on the ground (focal length: {sources})"
    if preflight.overlap is not None:
        yield "overlap", _overlap_words(preflight)
    if preflight.ignored:
        others = ", ".join(f"{number} {kind}" for kind, number in preflight.ignored.items())
        yield "ignored", others


def _overlap_words(preflight: Preflight) -> str:
    overlap = preflight.overlap
    if overlap is None:
        return "unknown"
    words = [
        f"{share:.0%} {name}"
        for share, name in ((overlap.forward, "forward"), (overlap.side, "side"))
        if share is not None
    ]
    strips = "strip" if overlap.strips == 1 else "strips"
    words.append(f"{overlap.strips} {strips}")
    views = f"half of it {overlap.median_views:.0f} times or more"
    words.append(f"{_area(overlap.area_m2)} seen, {views}")
    return ", ".join(words)


def _place(lon: float, lat: float) -> str:
    north, east = "NS"[lat < 0], "EW"[lon < 0]
    return f"{abs(lat):.4f}° {north} {abs(lon):.4f}° {east}"


def _size(size_bytes: int) -> str:
    for unit, value in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= value:
            return f"{size_bytes / value:.3g} {unit}"
    return f"{size_bytes} bytes"


def _area(area_m2: float) -> str:
    return f"{area_m2 / 1e4:,.2g} ha" if area_m2 < 1e6 else f"{area_m2 / 1e6:,.2g} km²"


def footprints_geojson(preflight: Preflight) -> dict[str, Any]:
    """Make the known footprints a GeoJSON feature collection.

    Parameters
    ----------
    preflight : Preflight

    Returns
    -------
    dict
        A polygon for each photo whose footprint is known, counter-clockwise, longitude first.

    References
    ----------
    RFC 7946 §3.1.6.
    """
    features = []
    table = preflight.table
    for place, ring in _rings(preflight):
        row, closed = table.iloc[place], [*ring.tolist(), ring[0].tolist()]
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [closed]},
                "properties": {
                    "path": row["path"],
                    "verdict": row["verdict"],
                    "gsd_m": float(row["gsd_m"]),
                    "lon_deg": float(row["lon_deg"]),
                    "lat_deg": float(row["lat_deg"]),
                },
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _rings(preflight: Preflight) -> Iterator[tuple[int, FloatArray]]:
    """Known footprints counter-clockwise, with their rows."""
    footprints = preflight.footprints
    known = np.flatnonzero(np.isfinite(footprints).all(axis=(1, 2)))
    for place in known.tolist():
        ring = footprints[place]
        upright = signed_areas((ring - ring[0])[None])[0] >= 0
        yield place, ring if upright else ring[::-1]


def html(preflight: Preflight) -> str:
    """Show a preflight in a notebook: a small map, the summary, and the photos with a reason."""
    blamed = preflight.table[preflight.table["verdict"] != "ok"]
    rows = "".join(
        f"<tr><td>{escape(str(row.path))}</td>"
        f"<td style='color:{_COLOURS[str(row.verdict)]}'>{escape(str(row.verdict))}</td>"
        f"<td style='text-align:left'>{escape(str(row.remarks))}</td></tr>"
        for row in blamed.head(MAX_LISTED).itertuples()
    )
    more = len(blamed) - MAX_LISTED
    if more > 0:
        rows += f"<tr><td colspan='3'>and {more} more, see .table</td></tr>"
    details = (
        f"<details><summary>{len(blamed)} photos with a reason</summary><table><thead><tr>"
        f"<th>photo</th><th>verdict</th><th>why</th></tr></thead><tbody>{rows}</tbody></table>"
        "</details>"
        if len(blamed)
        else ""
    )
    return (
        "<div style='display:flex;gap:1em;align-items:flex-start;flex-wrap:wrap'>"
        f"{_map(preflight)}<div><pre style='margin:0;white-space:pre-wrap'>"
        f"{escape(summary(preflight))}</pre>{details}</div></div>"
    )


def _map(preflight: Preflight) -> str:
    """Draw footprints and camera positions, north up."""
    rings = list(_rings(preflight))
    places = preflight.positions[:, :2]
    known = np.flatnonzero(np.isfinite(places).all(axis=1))
    if not len(known):
        return ""
    plane = LocalPlane.amid(places[known])
    points = {int(i): plane.to_metres(places[i]) for i in known}
    outlines = {place: plane.to_metres(ring) for place, ring in rings}
    everything = np.vstack([*points.values(), *outlines.values()])
    low, high = everything.min(axis=0), everything.max(axis=0)
    scale = (_MAP_PX - 16) / max(float((high - low).max()), 1.0)
    width, height = (int(extent * scale) + 16 for extent in high - low)
    verdicts = preflight.table["verdict"]

    def pixel(xy: FloatArray) -> str:
        x, y = (xy - low) * scale + 8
        return f"{x:.1f},{height - y:.1f}"

    shapes = []
    for place in list(outlines)[:: math.ceil(len(outlines) / MAX_DRAWN) or 1]:
        colour = _COLOURS[str(verdicts.iloc[place])]
        corners = " ".join(map(pixel, outlines[place]))
        shapes.append(
            f"<polygon points='{corners}' fill='{colour}' fill-opacity='0.05' stroke='{colour}' "
            "stroke-opacity='0.4'/>"
        )
    for place in list(points)[:: math.ceil(len(points) / MAX_DRAWN) or 1]:
        x, _, y = pixel(points[place]).partition(",")
        colour = _COLOURS[str(verdicts.iloc[place])]
        shapes.append(f"<circle cx='{x}' cy='{y}' r='2.5' fill='{colour}'/>")
    return (
        f"<svg width='{width}' height='{height}' viewBox='0 0 {width} {height}' role='img' "
        "aria-label='Footprints and camera positions, north up' "
        f"xmlns='http://www.w3.org/2000/svg'>{''.join(shapes)}</svg>"
    )
