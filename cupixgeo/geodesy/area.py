"""Which part of the earth points cover, to choose among operations for different regions.

Knows longitudes and latitudes only. Must not know how an operation is chosen.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from pyproj import CRS, Transformer
from pyproj.crs import GeographicCRS

from cupixgeo.geodesy.crs import CrsLike, as_crs, is_local

Area = tuple[float, float, float, float]
"""West, south, east, north [deg]."""

AREA_STEP_DEG = 0.125
"""Areas are rounded outwards to this, so that the clouds of one site are planned for only once."""


def area_of(xyz: ArrayLike, crs: CrsLike) -> Area | None:
    """Find the area that points cover, by longitude and latitude on their own datum.

    Parameters
    ----------
    xyz : array_like, shape (n, 3), float64, in the units of `crs`, x before y
    crs : CRS argument
        What the points are in.

    Returns
    -------
    tuple of 4 float or None
        West, south, east, north [deg], rounded outwards to `AREA_STEP_DEG`; None where that
        cannot be said (a local frame, points outside the domain of `crs`, a CRS without a datum).
    """
    crs = as_crs(crs)
    if is_local(crs) or crs.datum is None:
        return None
    to_lon_lat = _to_lon_lat(crs)
    x, y, z = np.asarray(xyz, dtype=np.float64).reshape(-1, 3).T
    lon, lat, _ = to_lon_lat.transform(x, y, z)
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        return None
    west, south = (math.floor(v / AREA_STEP_DEG) * AREA_STEP_DEG for v in (lon.min(), lat.min()))
    east, north = (math.ceil(v / AREA_STEP_DEG) * AREA_STEP_DEG for v in (lon.max(), lat.max()))
    return west, max(south, -90.0), east, min(north, 90.0)


@lru_cache(maxsize=64)
def _to_lon_lat(crs: CRS) -> Transformer:
    geographic = GeographicCRS(datum=crs.datum).to_3d()
    plane = crs.sub_crs_list[0] if crs.is_compound else crs
    return Transformer.from_crs(plane, geographic, always_xy=True)
