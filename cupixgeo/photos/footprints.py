"""What a photo sees of the ground, and how large its pixels are there.

Knows pose, focal length and a height above flat ground; everything is in metres about the photo
and in longitude and latitude. Must not know terrain, files or other photos.

Rays are turned from the camera into north-east-down by yaw, pitch and roll (Z-Y-X) and followed to
the ground. Where a corner looks up to the horizon or beyond, the footprint ends at `FARTHEST_DEG`
from straight down, in that corner's direction.

Source: DJI's definition of the gimbal angles (NED, -90 pitch is nadir); radii of curvature of the
WGS 84 ellipsoid (NIMA TR8350.2).
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cupixgeo.photos.photo import Attitude

FloatArray: TypeAlias = npt.NDArray[np.float64]

FARTHEST_DEG = 80.0
"""How far from straight down a footprint reaches [deg]: 5.7 flight heights away."""

STEEP_ENOUGH_DEG = 75.0
"""A photo whose centre looks further up than this from straight down has no footprint [deg]."""

_A = 6_378_137.0
_F = 1 / 298.257223563
_E2 = _F * (2 - _F)
_REACH = math.tan(math.radians(FARTHEST_DEG))


def rotation(attitude: Attitude) -> FloatArray:
    """Turn from the camera's axes (forward, right, down) to north, east, down.

    Returns
    -------
    ndarray, shape (3, 3), float64
        Columns are the camera's axes in NED.
    """
    yaw, pitch, roll = np.radians([attitude.yaw_deg, attitude.pitch_deg, attitude.roll_deg])
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    about_down = np.array([[cy, -sy, 0.0], [sy, cy, 0.0], [0.0, 0.0, 1.0]])
    about_right = np.array([[cp, 0.0, sp], [0.0, 1.0, 0.0], [-sp, 0.0, cp]])
    about_forward = np.array([[1.0, 0.0, 0.0], [0.0, cr, -sr], [0.0, sr, cr]])
    return np.asarray(about_down @ about_right @ about_forward, dtype=np.float64)


def ground_corners(
    attitude: Attitude, height_m: float, focal_px: float, size: tuple[int, int]
) -> FloatArray | None:
    """Find the ground under the corners of a photo.

    Parameters
    ----------
    attitude : Attitude
        Direction of the camera.
    height_m : float
        Height of the camera above the ground [m].
    focal_px : float
        Focal length [pixel].
    size : tuple of 2 int
        Width and height of the photo [pixel].

    Returns
    -------
    ndarray, shape (4, 2), float64 [m], or None
        East and north of the point below the camera: top left, top right, bottom right and
        bottom left of the photo. None for a photo that looks along the ground or up.
    """
    turn = rotation(attitude)
    if turn[2, 0] < math.cos(math.radians(STEEP_ENOUGH_DEG)):
        return None
    u, v = size[0] / 2 / focal_px, size[1] / 2 / focal_px
    rays = np.array([[1.0, -u, -v], [1.0, u, -v], [1.0, u, v], [1.0, -u, v]]) @ turn.T
    level = np.hypot(rays[:, 0], rays[:, 1])
    near = rays[:, 2] * _REACH > level
    reach = np.where(near, level / np.where(near, rays[:, 2], 1.0), _REACH) * height_m
    per_metre = reach / np.where(level > 0, level, 1.0)
    return np.column_stack([rays[:, 1] * per_metre, rays[:, 0] * per_metre])


def ground_sample_m(attitude: Attitude, height_m: float, focal_px: float) -> float | None:
    """Size of a pixel on the ground in the middle of a photo [m], across the line of sight.

    Parameters
    ----------
    attitude : Attitude
    height_m : float
        Height of the camera above the ground [m].
    focal_px : float
        Focal length [pixel].

    Returns
    -------
    float or None
        [m]; None for a photo that looks along the ground or up.
    """
    down = float(rotation(attitude)[2, 0])
    if down < math.cos(math.radians(STEEP_ENOUGH_DEG)):
        return None
    return height_m / down / focal_px


def metres_per_degree(lat_deg: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Length of a degree of longitude and of latitude on the ellipsoid.

    Parameters
    ----------
    lat_deg : array_like, shape (n,)
        Latitudes [deg].

    Returns
    -------
    tuple of two ndarrays, shape (n,), float64 [m]
    """
    lat = np.radians(np.asarray(lat_deg, dtype=np.float64))
    root = 1 - _E2 * np.sin(lat) ** 2
    east = _A / np.sqrt(root) * np.cos(lat)
    north = _A * (1 - _E2) / root**1.5
    return np.radians(east), np.radians(north)


def around(lon_deg: float, lat_deg: float, east_north: FloatArray) -> FloatArray:
    """Longitude and latitude of points near a place.

    Parameters
    ----------
    lon_deg, lat_deg : float
        The place [deg].
    east_north : ndarray, shape (n, 2), float64 [m], from the place

    Returns
    -------
    ndarray, shape (n, 2), float64 [deg]
        Longitude first. Right to a few millimetres at 1 km; beyond 180° of longitude it goes on.
    """
    per_degree = np.array([float(m) for m in metres_per_degree(lat_deg)])
    return np.asarray(np.array([lon_deg, lat_deg]) + east_north / per_degree, dtype=np.float64)


class LocalPlane:
    """Metres east and north of a place, for photos of one site.

    Parameters
    ----------
    lon_deg, lat_deg : float
        The place [deg].
    """

    def __init__(self, lon_deg: float, lat_deg: float) -> None:
        self._place = np.array([lon_deg, lat_deg])
        self._metres = np.array([float(m) for m in metres_per_degree(lat_deg)])

    @classmethod
    def amid(cls, lon_lat: FloatArray) -> LocalPlane:
        """Make the plane about the median of some places.

        Parameters
        ----------
        lon_lat : ndarray, shape (n, 2), float64 [deg]
            At least one; they may lie on both sides of 180°.
        """
        lon = lon_lat[0, 0] + (lon_lat[:, 0] - lon_lat[0, 0] + 180) % 360 - 180
        middle = (float(np.median(lon)) + 180) % 360 - 180
        return cls(middle, float(np.median(lon_lat[:, 1])))

    @property
    def lon_deg(self) -> float:
        """Longitude of the place [deg]."""
        return float(self._place[0])

    @property
    def lat_deg(self) -> float:
        """Latitude of the place [deg]."""
        return float(self._place[1])

    def to_metres(self, lon_lat: FloatArray) -> FloatArray:
        """Bring longitudes and latitudes into the plane.

        Parameters
        ----------
        lon_lat : ndarray, shape (..., 2), float64 [deg]

        Returns
        -------
        ndarray, shape (..., 2), float64 [m]
            East and north.
        """
        apart = lon_lat - self._place
        apart[..., 0] = (apart[..., 0] + 180) % 360 - 180
        return np.asarray(apart * self._metres, dtype=np.float64)

    def to_lon_lat(self, xy: FloatArray) -> FloatArray:
        """Bring points of the plane back.

        Parameters
        ----------
        xy : ndarray, shape (..., 2), float64 [m]

        Returns
        -------
        ndarray, shape (..., 2), float64 [deg]
        """
        return np.asarray(self._place + xy / self._metres, dtype=np.float64)
