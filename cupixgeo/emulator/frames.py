"""From the scan's map coordinates to a facility's own metres, and 4×4 matrices by name.

Written on PROJ's own pipelines (geocentric, topocentric) and plain numpy, on purpose apart from
the toolkit's geodesy: the two must agree without sharing a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_GEOCENTRIC = "+step +proj=cart +ellps=WGS84"


@dataclass(frozen=True)
class Georeference:
    """Origin and orientation of a facility's local axes on the earth.

    Parameters
    ----------
    lat_deg, lon_deg : float
        [deg] WGS 84 position of the local origin.
    alt_m : float
        [m] ellipsoidal height of the local origin.
    bearing_deg : float
        [deg] direction of the local +y axis, clockwise from true north.
    """

    lat_deg: float
    lon_deg: float
    alt_m: float = 0.0
    bearing_deg: float = 0.0

    def local_from_utm(self, xyz: Array, *, zone: int) -> Array:
        """Convert map coordinates to the facility's local axes.

        Parameters
        ----------
        xyz : ndarray, shape (n, 3), float64 [m], in WGS 84 / UTM `zone` north
            Easting, northing and ellipsoidal height.
        zone : int
            UTM zone, 1 to 60.

        Returns
        -------
        ndarray, shape (n, 3), float64 [m], in the facility's local axes
        """
        return self._local(f"+step +inv +proj=utm +zone={zone} +ellps=WGS84", xyz)

    def local_from_gps(self, lon_lat_alt: Array) -> Array:
        """Convert positions to the facility's local axes.

        Parameters
        ----------
        lon_lat_alt : ndarray, shape (n, 3), float64 [deg, deg, m], in WGS 84
            Longitude, latitude and ellipsoidal height.

        Returns
        -------
        ndarray, shape (n, 3), float64 [m], in the facility's local axes
        """
        return self._local("+step +proj=unitconvert +xy_in=deg +xy_out=rad", lon_lat_alt)

    def gps_from_local(self, xyz: Array) -> Array:
        """Convert local metres to longitude, latitude and ellipsoidal height.

        Parameters
        ----------
        xyz : ndarray, shape (n, 3), float64 [m], in the facility's local axes
            Points.

        Returns
        -------
        ndarray, shape (n, 3), float64 [deg, deg, m], in WGS 84
        """
        from pyproj import Transformer

        enu = xyz @ self._enu_to_local()
        pipeline = (
            f"+proj=pipeline +step +inv {self._topocentric()} +step +inv +proj=cart +ellps=WGS84 "
            "+step +proj=unitconvert +xy_in=rad +xy_out=deg"
        )
        return np.stack(Transformer.from_pipeline(pipeline).transform(*enu.T), axis=-1)

    def _local(self, to_radians: str, xyz: Array) -> Array:
        from pyproj import Transformer

        pipeline = f"+proj=pipeline {to_radians} {_GEOCENTRIC} +step {self._topocentric()}"
        enu = np.stack(Transformer.from_pipeline(pipeline).transform(*xyz.T), axis=-1)
        return cast("Array", enu @ self._enu_to_local().T)

    def _topocentric(self) -> str:
        return (
            f"+proj=topocentric +ellps=WGS84 +lat_0={self.lat_deg!r} +lon_0={self.lon_deg!r} "
            f"+h_0={self.alt_m!r}"
        )

    def _enu_to_local(self) -> Array:
        """Matrix (3, 3): x = E cos β − N sin β, y = E sin β + N cos β."""
        beta = np.radians(self.bearing_deg)
        return np.array(
            [[np.cos(beta), -np.sin(beta), 0], [np.sin(beta), np.cos(beta), 0], [0, 0, 1.0]]
        )


def rotation(*, yaw_deg: float = 0.0, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> Array:
    """Return the 3×3 rotation Rz(yaw) · Ry(pitch) · Rx(roll); angles [deg], counter-clockwise."""
    (ca, cb, cc), (sa, sb, sc) = (
        f(np.radians([yaw_deg, pitch_deg, roll_deg])) for f in (np.cos, np.sin)
    )
    rz = np.array([[ca, -sa, 0], [sa, ca, 0], [0, 0, 1]])
    ry = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    rx = np.array([[1, 0, 0], [0, cc, -sc], [0, sc, cc]])
    return cast("Array", rz @ ry @ rx)


def placement(linear: Array, shift: Array | tuple[float, float, float]) -> Array:
    """Return the 4×4 matrix with this linear part (3, 3) and this translation (3,) [m]."""
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = shift
    return matrix


def scaling(factor: float) -> Array:
    """Return the 4×4 matrix that multiplies every coordinate by `factor`."""
    return np.diag([factor, factor, factor, 1.0])


def apply_matrix(matrix: Array, xyz: Array) -> Array:
    """Return `matrix` (4, 4) applied to points.

    Parameters
    ----------
    matrix : ndarray, shape (4, 4), float64
        Acts on column vectors.
    xyz : ndarray, shape (n, 3), float64 [m]
        Points.

    Returns
    -------
    ndarray, shape (n, 3), float64 [m]
    """
    return xyz @ matrix[:3, :3].T + matrix[:3, 3]


def quaternion(matrix: Array) -> list[float]:
    """Return the unit quaternion (x, y, z, w) of a 3×3 rotation, with w ≥ 0."""
    m = matrix
    w, x, y, z = (
        0.5 * np.sqrt(max(0.0, 1 + float(np.dot(signs, np.diag(m)))))
        for signs in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
    )
    q = np.array(
        [
            np.copysign(x, m[2, 1] - m[1, 2]),
            np.copysign(y, m[0, 2] - m[2, 0]),
            np.copysign(z, m[1, 0] - m[0, 1]),
            w,
        ]
    )
    return [float(v) for v in q / np.linalg.norm(q)]
