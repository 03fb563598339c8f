"""Which part of the earth points cover, to choose among operations for different regions.

Knows longitudes and latitudes only. Must not know how an operation is chosen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from pyproj import Transformer
from pyproj.crs import GeographicCRS

from cupixgeo.geodesy.crs import CrsLike, as_crs, is_local

Area = tuple[float, float, float, float]
"""West, south, east, north [deg]."""


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
        West, south, east, north [deg]; None where that cannot be said (a local frame, points
        outside the domain of `crs`, a CRS without a datum).
    """
    crs = as_crs(crs)
    if is_local(crs) or crs.datum is None:
        return None
    geographic = GeographicCRS(datum=crs.datum).to_3d()
    plane = crs.sub_crs_list[0] if crs.is_compound else crs
    to_lon_lat = Transformer.from_crs(plane, geographic, always_xy=True)
    x, y, z = np.asarray(xyz, dtype=np.float64).reshape(-1, 3).T
    lon, lat, _ = to_lon_lat.transform(x, y, z)
    area = (float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max()))
    return area if np.isfinite(area).all() else None
