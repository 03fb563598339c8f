"""A site's georeference: an origin on the earth and a bearing, as one 4x4 to geocentric metres.

Knows the tangent plane at the origin (east, north, up on the WGS 84 ellipsoid) and the bearing by
which a project's y axis is turned away from north. Must not know: the wire form of any service,
and what is done with the result.

The target is EPSG:4978 (geocentric x, y, z), because only there is a tangent plane one rigid
matrix: curvature, convergence and map scale come out right at whatever distance, and are left to
the coordinate operation that follows.

Sources: IOGP 373-7-2 §4.1.1 and §4.1.2 (geographic/geocentric and geocentric/topocentric
conversions); the sense of the bearing is that of the Cupix documentation's
``azimuth = bearing + atan2(x, y)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Proj, Transformer

from cupixgeo.errors import CrsError, OperationError, TransformError
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label, is_local
from cupixgeo.geodesy.operation import plan_operation

WGS84_A_M = 6378137.0
"""Semi-major axis of the WGS 84 ellipsoid [m]."""
WGS84_F = 1 / 298.257223563
"""Flattening of the WGS 84 ellipsoid."""


@dataclass(frozen=True)
class Georeference:
    """Where a project's local origin lies and how it is turned.

    Local axes are right-handed, in metres, z up. With bearing β the local point (x, y, z) lies
    E = x cos β + y sin β east, N = -x sin β + y cos β north and U = z above the origin, in the
    plane that touches the ellipsoid's parallel surface there.

    Parameters
    ----------
    lat_deg, lon_deg : float
        WGS 84 latitude and longitude of the origin [deg].
    alt_m : float
        Ellipsoidal height of the origin [m]: not a height above sea level.
    bearing_deg : float
        Direction of the local y axis, clockwise from true north [deg].

    Raises
    ------
    TransformError
        If a number is not finite or is out of range.

    References
    ----------
    Cupix API documentation, "georeference": ``azimuth = bearing + atan2(x, y)``, clockwise.

    Examples
    --------
    >>> site = Georeference(37.401877, 127.10695, bearing_deg=30)
    >>> site.matrix_to_geocentric().shape
    (4, 4)
    """

    lat_deg: float
    lon_deg: float
    alt_m: float = 0.0
    bearing_deg: float = 0.0

    def __post_init__(self) -> None:
        for name in ("lat_deg", "lon_deg", "alt_m", "bearing_deg"):
            try:
                number = float(getattr(self, name))
            except (TypeError, ValueError) as error:
                raise TransformError(
                    f"the georeference's {name} is {getattr(self, name)!r}, not a number"
                ) from error
            if not math.isfinite(number):
                raise TransformError(f"the georeference's {name} is {number}: give a finite number")
            object.__setattr__(self, name, number)
        if not -90 <= self.lat_deg <= 90:
            raise TransformError(
                f"the georeference's latitude is {self.lat_deg}°, beyond ±90°: "
                "are latitude and longitude swapped?"
            )
        if not -180 <= self.lon_deg <= 360:
            raise TransformError(
                f"the georeference's longitude is {self.lon_deg}°, not between -180° and 360°"
            )

    @classmethod
    def from_projected(
        cls,
        x: float,
        y: float,
        z: float = 0.0,
        *,
        crs: CrsLike,
        bearing_deg: float = 0.0,
        bearing_from: Literal["true", "grid"] = "true",
        assume: str | Iterable[str] = (),
    ) -> Georeference:
        """Make a georeference from an easting and northing.

        Parameters
        ----------
        x, y : float
            Easting and northing of the origin, in the units of `crs` (longitude and latitude
            [deg] if it is geographic).
        z : float
            Height of the origin: ellipsoidal [m], unless `crs` has a vertical CRS.
        crs : CRS argument
            What `x` and `y` are in; see `cupixgeo.geodesy.crs.as_crs`.
        bearing_deg : float
            Direction of the local y axis, clockwise [deg].
        bearing_from : {"true", "grid"}
            What the bearing is counted from: true north, or the map grid's north.
        assume : str or iterable of str
            Declared assumptions about the way to WGS 84; see `cupixgeo.geodesy.assumptions`.

        Returns
        -------
        Georeference

        Raises
        ------
        CrsError
            If `crs` is a local frame.
        OperationError
            If the point is outside what `crs` can express, or there is no operation from `crs` to
            WGS 84 that can be trusted.
        """
        crs = as_crs(crs)
        if is_local(crs):
            raise CrsError(
                f"{crs_label(crs)} is a local frame and has no place on earth: "
                "give the CRS the easting and northing are in"
            )
        operation = plan_operation(crs, 4979, assume=assume)
        lon, lat, alt = operation.apply(np.array([[x, y, z]], dtype=np.float64))[0]
        if bearing_from == "grid":
            bearing_deg += _convergence_deg(crs, x, y)
        return cls(float(lat), float(lon), float(alt), bearing_deg)

    def matrix_to_geocentric(self) -> NDArray[np.float64]:
        """Make the matrix from local metres to EPSG:4978.

        Returns
        -------
        ndarray, shape (4, 4), float64
            For column vectors: ``geocentric = matrix @ (x, y, z, 1)``, in metres on both sides.
            The linear part is a rotation.

        References
        ----------
        IOGP 373-7-2 §4.1.2, EPSG method 9837 reversed.
        """
        lat, lon = math.radians(self.lat_deg), math.radians(self.lon_deg)
        bearing = math.radians(self.bearing_deg)
        sin_lat, cos_lat = math.sin(lat), math.cos(lat)
        sin_lon, cos_lon = math.sin(lon), math.cos(lon)
        sin_bearing, cos_bearing = math.sin(bearing), math.cos(bearing)
        east = np.array([-sin_lon, cos_lon, 0.0])
        north = np.array([-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat])
        up = np.array([cos_lat * cos_lon, cos_lat * sin_lon, sin_lat])

        e2 = WGS84_F * (2 - WGS84_F)
        radius = WGS84_A_M / math.sqrt(1 - e2 * sin_lat**2)
        matrix = np.eye(4)
        matrix[:3, 0] = cos_bearing * east - sin_bearing * north
        matrix[:3, 1] = sin_bearing * east + cos_bearing * north
        matrix[:3, 2] = up
        matrix[:3, 3] = (radius + self.alt_m) * up
        matrix[2, 3] -= e2 * radius * sin_lat
        return matrix


def _convergence_deg(crs: CRS, x: float, y: float) -> float:
    """Give the angle from true north to grid north, clockwise [deg], at a point of a grid."""
    projected = crs.sub_crs_list[0] if crs.is_compound else crs
    if not projected.is_projected:
        return 0.0
    base = projected.geodetic_crs
    assert base is not None  # a projected CRS always has one
    lon, lat = Transformer.from_crs(projected, base, always_xy=True).transform(x, y)
    factors = Proj(projected).get_factors(lon, lat)
    convergence = float(factors.meridian_convergence)
    if not math.isfinite(convergence):
        raise OperationError(f"({x}, {y}) has no grid north in {crs_label(crs)}")
    return convergence
