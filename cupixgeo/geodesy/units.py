"""How long a unit of a CRS is.

Must not know files or points.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from pyproj import CRS

METRES_PER_DEGREE = 111_320.0
"""Length of a degree of latitude, to the percent: for choosing scales and stating errors."""


def metres_per_unit(crs: CRS, at: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Length [m] of one unit of each axis, x/y order, near a place given in the same CRS."""
    vertical = _vertical_factor(crs)
    if crs.is_geographic:
        latitude = math.radians(float(at[1]))
        east = METRES_PER_DEGREE * max(math.cos(latitude), 1e-6)
        return east, METRES_PER_DEGREE, vertical
    factor = float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0
    return factor, factor, vertical if len(crs.axis_info) > 2 else 1.0


def _vertical_factor(crs: CRS) -> float:
    if len(crs.axis_info) > 2:
        return float(crs.axis_info[2].unit_conversion_factor)
    return 1.0
