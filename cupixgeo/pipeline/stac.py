"""The catalogue of a tiled merge: one JSON file that makes its tiles one virtual point cloud.

A STAC ItemCollection, one item a tile, named ``.vpc``: QGIS and PDAL open it as one cloud, and
anything that reads GeoJSON shows the tiles' outlines. Knows those formats. Must not know how tiles
are made.

References
----------
Virtual Point Cloud (PDAL wrench, ``vpc-spec.md``): STAC 1.0.0, one asset, relative addresses begin
with ``./``. STAC extensions pointcloud v1.0.0 and projection v2.0.0.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from typing import Any

import laspy
import numpy as np
from pyproj import CRS

from cupixgeo.errors import GeodesyError
from cupixgeo.formats.las.records import RecordLayout
from cupixgeo.geodesy.crs import is_local
from cupixgeo.pipeline.lonlat import box_corners, to_lon_lat
from cupixgeo.pipeline.tiles.report import TiledReport, TileReport

STAC_VERSION = "1.0.0"
"""The only one that readers of virtual point clouds accept."""

EXTENSIONS = (
    "https://stac-extensions.github.io/pointcloud/v1.0.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
)
COPC_TYPE = "application/vnd.laszip+copc"
"""Media type (COPC specification 1.0)."""

PHENOMENOLOGY = "other"
"""``pc:type``: point files do not say whether they come from lidar or from photographs."""
PDAL_NAMES = {
    "scan_angle": "ScanAngleRank",
    "scanner_channel": "ScanChannel",
    "nir": "Infrared",
}
"""Dimensions whose name in PDAL is not their LAS name in capitals (``gps_time``: ``GpsTime``)."""

KINDS = {"f": "floating", "i": "signed", "u": "unsigned"}

GPS_EPOCH = dt.datetime(1980, 1, 6, tzinfo=dt.UTC)
ADJUSTED_S = 1e9
"""[s] taken off by LAS 1.4 R15, section 2.4, from GPS seconds: "adjusted standard GPS time"."""

LEAP_DAYS = tuple(
    dt.datetime(year, month, 1, tzinfo=dt.UTC)
    for year, month in (
        *((1981, 7), (1982, 7), (1983, 7), (1985, 7), (1988, 1), (1990, 1), (1991, 1), (1992, 7)),
        *((1993, 7), (1994, 7), (1996, 1), (1997, 7), (1999, 1), (2006, 1), (2009, 1), (2012, 7)),
        *((2015, 7), (2017, 1)),
    )
)
"""Days before whose midnight UTC had a second more since the GPS epoch (IERS Bulletin C)."""

FIRST_SURVEY = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
"""GPS time before this was not measured: there was no laser scanning."""


def make_catalogue(report: TiledReport, layout: RecordLayout, *, gps_standard_time: bool) -> bytes:
    """Make the catalogue of all tiles of a merge.

    Parameters
    ----------
    report : TiledReport
        Says what is in each tile.
    layout : RecordLayout
        Of the tiles' points.
    gps_standard_time : bool
        GPS time says when, and not only at which second of some week.

    Returns
    -------
    bytes
        The file, to be kept beside the tiles.
    """
    crs = CRS.from_wkt(report.crs_wkt)
    common = _common(crs, layout)
    corners = _corners_lon_lat(crs, report)
    features = []
    for number, tile in enumerate(report.tiles):
        item = _item(tile, common, None if corners is None else corners[number], _metres_up(crs))
        item["properties"] |= _when(tile, report.created, known=gps_standard_time)
        features.append(item)
    catalogue = {"type": "FeatureCollection", "features": features}
    return (json.dumps(catalogue, separators=(",", ":"), allow_nan=False) + "\n").encode()


def _common(crs: CRS, layout: RecordLayout) -> dict[str, Any]:
    """Properties that all tiles share."""
    authority = crs.to_authority(min_confidence=100)
    return {
        "pc:type": PHENOMENOLOGY,
        "pc:encoding": "LASzip",
        "pc:schemas": [_schema(dimension) for dimension in layout.format.dimensions],
        "proj:code": None if authority is None else ":".join(authority),
        "proj:wkt2": crs.to_wkt(),
    }


def _schema(dimension: laspy.point.dims.DimensionInfo) -> dict[str, Any]:
    """One dimension as PDAL sees it: coordinates and scaled values as numbers, bits as bytes."""
    name = dimension.name
    if name in "XYZ" or dimension.is_scaled:
        return {"name": name, "size": 8, "type": "floating"}
    dtype = dimension.dtype
    kind, size = ("u", 1) if dtype is None else (dtype.base.kind, dtype.itemsize)
    if dimension.is_standard:
        if name == "scan_angle":
            kind, size = "f", 4
        name = PDAL_NAMES.get(name) or "".join(word.capitalize() for word in name.split("_"))
    return {"name": name, "size": size, "type": KINDS[kind]}


def _item(
    tile: TileReport, common: Mapping[str, Any], corners: Any, metres_up: float
) -> dict[str, Any]:
    assert tile.bounds is not None
    (west, south, low), (east, north, high) = tile.bounds
    properties = {
        "pc:count": tile.points,
        **common,
        "pc:statistics": _statistics(tile),
        "proj:bbox": [west, south, low, east, north, high],
        "proj:geometry": _polygon(box_corners(west, south, east, north)),
    }
    item: dict[str, Any] = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": list(EXTENSIONS),
        "id": tile.name.removesuffix(".copc.laz"),
        "geometry": None,
        "properties": properties,
        "links": [],
        "assets": {"data": {"href": f"./{tile.name}", "type": COPC_TYPE, "roles": ["data"]}},
    }
    if corners is not None:
        (w, s), (e, n) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        item["geometry"] = _polygon(corners)
        item["bbox"] = [w, s, low * metres_up, e, n, high * metres_up]
    return item


def _polygon(corners: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [corners.tolist()]}


def _statistics(tile: TileReport) -> list[dict[str, Any]]:
    rows = []
    for position, (name, (low, high, mean, variance)) in enumerate(tile.statistics.items()):
        rows.append(
            {
                "name": name.capitalize(),
                "position": position,
                "count": tile.points,
                "minimum": low,
                "maximum": high,
                "average": mean,
                "variance": variance,
                "stddev": math.sqrt(variance),
            }
        )
    return rows


def _corners_lon_lat(crs: CRS, report: TiledReport) -> Any:
    """Corners of all tiles on the globe, shape (tiles, 5, 2); None where nobody can tell."""
    if is_local(crs):
        return None
    boxes = (tile.bounds for tile in report.tiles if tile.bounds is not None)
    plane = np.concatenate([box_corners(*low[:2], *high[:2]) for low, high in boxes])
    try:
        return to_lon_lat(crs, plane).reshape(-1, 5, 2)
    except GeodesyError:
        return None


def _metres_up(crs: CRS) -> float:
    axes = crs.axis_info
    return float(axes[2].unit_conversion_factor) if len(axes) > 2 else 1.0


def _when(tile: TileReport, created: str, *, known: bool) -> dict[str, Any]:
    """When the points were measured, by their GPS time; else when the tiles were made."""
    if known and tile.gps_time is not None:
        first, last = (_utc(time) for time in tile.gps_time)
        now = dt.datetime.fromisoformat(created)
        if first is not None and last is not None and first >= FIRST_SURVEY and last <= now:
            start, end = _text(first), _text(last)
            return {"datetime": start, "start_datetime": start, "end_datetime": end}
    return {"datetime": _text(dt.datetime.fromisoformat(created))}


def _utc(adjusted_s: float) -> dt.datetime | None:
    """Time of adjusted standard GPS seconds; None where that is no time."""
    if adjusted_s == 0:
        return None
    try:
        gps = GPS_EPOCH + dt.timedelta(seconds=adjusted_s + ADJUSTED_S)
    except OverflowError:
        return None
    leaps = 0
    while leaps < len(LEAP_DAYS) and gps >= LEAP_DAYS[leaps] + dt.timedelta(seconds=leaps + 1):
        leaps += 1
    return gps - dt.timedelta(seconds=leaps)


def _text(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
