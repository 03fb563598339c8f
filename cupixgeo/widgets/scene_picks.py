"""Points picked in a scene and distances between them, from the stored coordinates.

Knows how to say where a point is, in its own CRS and on the globe. Must not know widgets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pyproj import CRS

from cupixgeo.errors import GeodesyError
from cupixgeo.geodesy.crs import crs_label, is_local
from cupixgeo.pipeline.lonlat import to_lon_lat
from cupixgeo.widgets.points import Frame

SAID = ("classification", "intensity", "point_source_id", "return_number")
"""Variables that are told of a picked point, where it has them."""


@dataclass(frozen=True)
class Pick:
    """A point of a cloud.

    Parameters
    ----------
    x, y, z : float
        As stored, in `crs`, x (east) before y (north).
    crs : pyproj.CRS
        CRS of the cloud.
    lon_deg, lat_deg : float or None
        WGS 84 [deg]; None in a local frame, or where PROJ has no operation to be trusted.
    cloud : str
        Which cloud of the scene.
    values : mapping of str to float
        Its variables.
    """

    x: float
    y: float
    z: float
    crs: CRS = field(repr=False)
    lon_deg: float | None
    lat_deg: float | None
    cloud: str
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def xyz(self) -> tuple[float, float, float]:
        """Coordinates, CRS units."""
        return self.x, self.y, self.z


@dataclass(frozen=True)
class Distance:
    """How far it is from one picked point to another, in the plane of the CRS.

    Parameters
    ----------
    start, end : Pick
    total_m, horizontal_m, vertical_m : float
        [m]; the vertical one is positive where `end` is higher. Grid distances: the scale factor
        of the projection is not taken off.
    """

    start: Pick
    end: Pick
    total_m: float
    horizontal_m: float
    vertical_m: float


def make_pick(values: Mapping[str, float], *, cloud: str, crs: CRS) -> Pick:
    """Make a pick of what a cloud stores of a point.

    Parameters
    ----------
    values : mapping of str to float
        ``x``, ``y``, ``z`` [CRS units] and variables.
    cloud : str
        Its name.
    crs : pyproj.CRS
        CRS of the coordinates.
    """
    lon = lat = None
    if not is_local(crs):
        try:
            place = to_lon_lat(crs, np.array([[values["x"], values["y"]]]))[0]
            lon, lat = float(place[0]), float(place[1])
        except GeodesyError:
            lon = lat = None
    rest = {name: value for name, value in values.items() if name not in "xyz"}
    return Pick(values["x"], values["y"], values["z"], crs, lon, lat, cloud, rest)


def distance(start: Pick, end: Pick, frame: Frame) -> Distance:
    """Measure from one pick to another.

    Parameters
    ----------
    start, end : Pick
        In the frame's CRS.
    frame : Frame
        Gives the length of a CRS unit.
    """
    apart = (np.array(end.xyz) - np.array(start.xyz)) * frame.metres
    level = math.hypot(apart[0], apart[1])
    return Distance(start, end, math.hypot(level, apart[2]), level, float(apart[2]))


def tell_pick(
    pick: Pick, frame: Frame, *, axes: tuple[str, str, str], several: bool
) -> dict[str, Any]:
    """Tell the front end where a point is; parameters as of `say_pick`, and the scene's frame."""
    lines = say_pick(pick, axes=axes, several=several)
    return {"at": frame.to_scene(np.array(pick.xyz)).tolist(), "lines": lines}


def measure(
    start: Pick | None, pick: Pick, frame: Frame, told: Mapping[str, Any]
) -> tuple[Distance | None, dict[str, Any]]:
    """Measure to a point that was picked.

    Parameters
    ----------
    start : Pick or None
        Where measuring began; None begins here.
    pick : Pick
        The point.
    frame : Frame
        Of the scene.
    told : mapping
        What `tell_pick` says of the point.

    Returns
    -------
    distance : Distance or None
        None where measuring begins.
    told : dict
        What the front end is told.
    """
    if start is None:
        return None, {"ends": [told["at"]], "lines": told["lines"]}
    found = distance(start, pick, frame)
    return found, {
        "ends": [frame.to_scene(np.array(start.xyz)).tolist(), told["at"]],
        "short": f"{found.total_m:,.3f} m",
        "lines": say_distance(found),
    }


def say_pick(pick: Pick, *, axes: tuple[str, str, str], several: bool) -> list[tuple[str, str]]:
    """Say where a point is, as names and texts.

    Parameters
    ----------
    pick : Pick
    axes : tuple of 3 str
        What the coordinates are called: ``"Easting [m]"``.
    several : bool
        Whether it must be said which cloud it belongs to.
    """
    lines = [(axis, f"{v:,.3f}") for axis, v in zip(axes, pick.xyz, strict=True)]
    lines.append(("CRS", crs_label(pick.crs)))
    if pick.lon_deg is not None and pick.lat_deg is not None:
        lat, lon = pick.lat_deg, pick.lon_deg
        where = f"{abs(lat):.7f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.7f}° {'EW'[lon < 0]}"
        lines.append(("WGS 84", where))
    elif is_local(pick.crs):
        lines.append(("WGS 84", "none: the cloud is in a local frame"))
    if several:
        lines.append(("Cloud", pick.cloud))
    for name in SAID:
        if name in pick.values:
            lines.append((name.replace("_", " ").capitalize(), f"{pick.values[name]:g}"))
    return lines


def say_distance(measured: Distance) -> list[tuple[str, str]]:
    """Say how far it is, as names and texts."""
    return [
        ("Distance", f"{measured.total_m:,.3f} m"),
        ("Horizontal", f"{measured.horizontal_m:,.3f} m"),
        ("Vertical", f"{measured.vertical_m:+,.3f} m"),
        ("Grid", "in the plane of the CRS"),
    ]
