"""The files behind the downloads: LAZ as a user uploaded it, opaque bytes, small made-up clouds.

Knows file contents. Knows no service and no coordinates on the earth.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

GRID_M = 1e-4
"""[m] step of the coordinates in every file."""

_OPAQUE_POINT_BYTES = 20
_OPAQUE_HEAD_BYTES = 140_000


def write_laz(
    xyz: NDArray[np.float64], attributes: Mapping[str, NDArray[np.generic]], *, point_format: int
) -> bytes:
    """Return a LAZ file on a 0.1 mm grid, without a CRS.

    Parameters
    ----------
    xyz : ndarray, shape (n, 3), float64 [m], in the file's own frame
        Points; stored as the nearest multiple of 0.1 mm.
    attributes : Mapping of str to ndarray, shape (n,)
        Columns named like laspy dimensions; those the point format lacks are left out.
    point_format : int
        6 and above makes LAS 1.4, others LAS 1.2.

    Returns
    -------
    bytes
        The whole file.
    """
    from laspy.header import LasHeader
    from laspy.lasdata import LasData

    header = LasHeader(version="1.4" if point_format > 5 else "1.2", point_format=point_format)
    header.scales = np.full(3, GRID_M)
    header.offsets = np.zeros(3)
    header.creation_date = date(2016, 6, 23)
    header.system_identifier = "emulated scan"
    header.generating_software = "cupixgeo emulator"
    cloud = LasData(header)
    grid = np.rint(xyz / GRID_M)
    if np.abs(grid).max(initial=0) > np.iinfo(np.int32).max:
        raise ValueError("a point of the emulated scan is outside the 32-bit grid")
    cloud.X, cloud.Y, cloud.Z = grid.astype(np.int32).T
    present = set(cloud.point_format.dimension_names)
    for name, values in attributes.items():
        if name in present:
            cloud[name] = values
    target = io.BytesIO()
    cloud.write(target, do_compress=True)
    return target.getvalue()


def opaque_size(points: int) -> int:
    """Return the size [byte] of the opaque file of a reconstruction with this many points."""
    return _OPAQUE_HEAD_BYTES + _OPAQUE_POINT_BYTES * points


def write_opaque(key: tuple[int, ...], points: int) -> bytes:
    """Return bytes nobody can read, of a plausible size: a proprietary reconstruction file."""
    return np.random.default_rng(key).bytes(opaque_size(points))


def small_cloud(
    key: tuple[int, ...], points: int
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.generic]]]:
    """Make up a small cloud: a wavy floor, 12 m by 8 m.

    Parameters
    ----------
    key : tuple of int
        Decides the points; the same key gives the same cloud.
    points : int
        How many.

    Returns
    -------
    xyz : ndarray, shape (points, 3), float64 [m], in the cloud's own frame
        Multiples of 0.1 mm.
    attributes : dict of str to ndarray, shape (points,)
        Intensity and colours.
    """
    rng = np.random.default_rng(key)
    xy = rng.uniform((0, 0), (12, 8), size=(points, 2))
    z = 0.2 * np.sin(xy[:, 0]) * np.cos(xy[:, 1])
    shade = (120 + 100 * z).astype(np.uint16)
    attributes: dict[str, NDArray[np.generic]] = {
        "intensity": rng.integers(0, 4096, points, dtype=np.uint16),
        "red": shade * 256,
        "green": shade * 200,
        "blue": shade * 100,
        "return_number": np.ones(points, np.uint8),
        "number_of_returns": np.ones(points, np.uint8),
    }
    return np.rint(np.column_stack([xy, z]) / GRID_M) * GRID_M, attributes
