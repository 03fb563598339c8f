"""Where photos were taken, as pyramids in a scene: from a table of photos, or from poses.

Directions of a table are turns from true north; the scene's y is grid north. The difference is
found by asking PROJ for a place a little further north.

Knows tables and matrices. Must not know widgets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import ArgumentError
from cupixgeo.geodesy.crs import crs_label, is_local
from cupixgeo.photos.footprints import rotation
from cupixgeo.photos.photo import Attitude
from cupixgeo.pipeline.lonlat import from_lon_lat
from cupixgeo.widgets.points import Frame

if TYPE_CHECKING:
    import pandas as pd

WIDE, HIGH = 0.6, 0.45
"""Half width and height of a pyramid of depth 1, where the focal length is not known."""

PYRAMID = 0.03
"""Depth of a camera's pyramid, as a part of the diagonal of the clouds."""

_NORTHWARD_DEG = 1e-5


@dataclass(frozen=True, eq=False)
class Cameras:
    """Cameras of a scene.

    Parameters
    ----------
    eyes : ndarray, shape (n, 3), float64 [CRS units]
        Where they were.
    corners : ndarray, shape (n, 4, 3), float64
        Directions to the corners of the picture (top left, top right, bottom right, bottom left),
        at depth 1, in the axes of the CRS; all alike where the direction is not known.
    note : str
        What the user should know; empty where nothing.
    """

    eyes: FloatArray
    corners: FloatArray
    note: str = ""

    def frusta(self, frame: Frame, depth_m: float) -> bytes:
        """Pyramids in the scene.

        Parameters
        ----------
        frame : Frame
            Of the scene.
        depth_m : float
            From the eye to the base of a pyramid [m].

        Returns
        -------
        bytes
            float32, shape (n, 5, 3) [m]: the eye, then the corners.
        """
        eyes = frame.to_scene(self.eyes)[:, None]
        return np.concatenate([eyes, eyes + self.corners * depth_m], axis=1).astype("<f4").tobytes()


def pyramids(cameras: Any, frame: Frame, box: FloatArray) -> tuple[bytes, str]:
    """Turn what a user gives as cameras into pyramids that suit the clouds.

    Parameters
    ----------
    cameras : pandas.DataFrame, Preflight or array_like, shape (n, 4, 4)
        As for `read_cameras`.
    frame : Frame
        Of the scene.
    box : ndarray, shape (2, 3), float64 [CRS units]
        Of all clouds.

    Returns
    -------
    frusta : bytes
        As of `Cameras.frusta`.
    note : str
        What the user should know; empty where nothing.
    """
    read = read_cameras(cameras, frame)
    diagonal_m = float(np.linalg.norm((box[1] - box[0]) * frame.metres))
    return read.frusta(frame, diagonal_m * PYRAMID), read.note


def read_cameras(cameras: Any, frame: Frame) -> Cameras:
    """Read what a user gives as cameras.

    Parameters
    ----------
    cameras : pandas.DataFrame, Preflight or array_like, shape (n, 4, 4)
        A table of photos (columns ``lon_deg``, ``lat_deg``, ``alt_m`` and where known
        ``gimbal_yaw_deg``, ``gimbal_pitch_deg``, ``gimbal_roll_deg``, ``focal_px``, ``width``,
        ``height``), or matrices from camera (x right, y down, z forward) to CRS coordinates.
    frame : Frame
        Of the scene.

    Raises
    ------
    ArgumentError
        It is neither, or the table lacks a column.
    GeodesyError
        Longitude and latitude cannot be brought to the CRS of the scene.
    """
    table = getattr(cameras, "table", cameras)
    if hasattr(table, "columns"):
        return _from_table(table, frame)
    try:
        poses = np.asarray(cameras, np.float64)
    except (TypeError, ValueError):
        poses = np.empty(0)
    if poses.ndim == 2:
        poses = poses[None]
    if poses.ndim != 3 or poses.shape[1:] != (4, 4) or not np.isfinite(poses).all():
        raise ArgumentError(
            "cameras= is neither a table of photos nor matrices of shape (n, 4, 4). Give the table "
            "of cupixgeo.photos.preflight(...), or poses from camera to CRS coordinates."
        )
    rays = _rays(np.full(len(poses), WIDE), np.full(len(poses), HIGH))
    directions = np.einsum("nij,nkj->nki", poses[:, :3, :3], rays)
    return Cameras(
        poses[:, :3, 3], directions / np.linalg.norm(poses[:, :3, 2], axis=1)[:, None, None]
    )


def _from_table(table: pd.DataFrame, frame: Frame) -> Cameras:
    missing = [name for name in ("lon_deg", "lat_deg", "alt_m") if name not in table.columns]
    if missing:
        raise ArgumentError(
            f"the table given as cameras= has no column {', '.join(missing)}: it needs longitude, "
            "latitude and altitude of each photo, named lon_deg, lat_deg and alt_m."
        )
    if is_local(frame.crs):
        raise ArgumentError(
            f"the scene is in the local frame {crs_label(frame.crs)}, and the cameras are given by "
            "longitude and latitude: nobody knows where they are in it. Place the cloud first, or "
            "give poses of shape (n, 4, 4) in the frame."
        )
    place = table[["lon_deg", "lat_deg", "alt_m"]].to_numpy(np.float64, na_value=np.nan)
    placed = np.isfinite(place).all(axis=1)
    place = place[placed]
    eyes = np.empty((len(place), 3))
    eyes[:, :2] = from_lon_lat(frame.crs, place[:, :2])
    eyes[:, 2] = place[:, 2] / frame.metres[2]
    north = (
        from_lon_lat(frame.crs, place[:, :2] + (0, _NORTHWARD_DEG)) - eyes[:, :2]
    ) * frame.metres[:2]
    turn = np.arctan2(north[:, 0], north[:, 1])

    def column(name: str) -> FloatArray:
        if name not in table.columns:
            return np.full(len(place), np.nan)
        return np.asarray(table[name].to_numpy(np.float64, na_value=np.nan)[placed], np.float64)

    angles = [column(f"gimbal_{name}_deg") for name in ("yaw", "pitch", "roll")]
    focal, width, height = column("focal_px"), column("width"), column("height")
    with np.errstate(invalid="ignore", divide="ignore"):
        wide = np.where(focal > 0, width / 2 / focal, WIDE)
        high = np.where(focal > 0, height / 2 / focal, HIGH)
    rays = _rays(np.nan_to_num(wide, nan=WIDE), np.nan_to_num(high, nan=HIGH))
    corners = np.tile(np.array([0.0, 0.0, -1.0]), (len(place), 4, 1))
    for i in np.flatnonzero(np.isfinite(np.sum(angles, axis=0))):
        ned = rotation(Attitude(*(float(angle[i]) for angle in angles)))
        # from forward, right, down to x right, y down, z forward; from NED to east, north, up
        axes = ned[[1, 0, 2]][:, [1, 2, 0]] * np.array([[1.0], [1.0], [-1.0]])
        c, s = np.cos(turn[i]), np.sin(turn[i])
        grid = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        corners[i] = rays[i] @ (grid @ axes).T
    return Cameras(eyes, corners, _note(len(table), len(place), angles))


def _rays(wide: FloatArray, high: FloatArray) -> FloatArray:
    """Directions to the corners of pictures, camera axes (x right, y down, z forward), depth 1."""
    signs = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    rays = np.ones((len(wide), 4, 3))
    rays[..., 0] = signs[:, 0] * wide[:, None]
    rays[..., 1] = signs[:, 1] * high[:, None]
    return rays


def _note(given: int, placed: int, angles: list[FloatArray]) -> str:
    notes = []
    if placed < given:
        notes.append(f"{given - placed} of {given} photos have no position and are not shown.")
    blind = int((~np.isfinite(np.sum(angles, axis=0))).sum())
    if blind:
        notes.append(f"{blind} cameras do not say where they look: they are shown as a line down.")
    return "\n".join(notes)
