"""The recorded scan as the engine's maps and model need it: a raster from above, and a mesh on it.

Knows the world's scan. Knows no file format and no task.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cupixgeo.emulator.frames import Array

if TYPE_CHECKING:
    from cupixgeo.emulator.world import Brighton

EPSG = 32615
CELL_M = 0.25
_MESH_STEP = 4


@dataclass(frozen=True)
class Relief:
    """The scan seen from above, in EPSG:32615; row 0 is the northernmost.

    Parameters
    ----------
    highest, lowest : ndarray, shape (rows, columns), float64 [m]
        Height of the highest and of the lowest point of each cell; NaN where there is none.
    rgb : ndarray, shape (rows, columns, 3), uint8
        Colour of the highest point.
    corner : tuple of float
        [m] x and y of the outer corner of cell (0, 0).
    origin : tuple of int
        [m] whole easting and northing that the model's coordinates are counted from.
    """

    highest: Array
    lowest: Array
    rgb: NDArray[np.uint8]
    corner: tuple[float, float]
    origin: tuple[int, int]

    @property
    def rgba(self) -> NDArray[np.uint8]:
        """Colours with an alpha band: 255 where something was seen."""
        alpha = np.where(np.isfinite(self.highest), 255, 0).astype(np.uint8)
        return np.dstack([self.rgb, alpha])

    def mesh(self) -> tuple[Array, Array, NDArray[np.int32]]:
        """Return vertices [m, from `origin`], texture places (right, up) and triangles."""
        rows, columns = (n // _MESH_STEP for n in self.highest.shape)
        middle = _MESH_STEP // 2
        z = self.highest[middle::_MESH_STEP, middle::_MESH_STEP][:rows, :columns]
        v, u = np.meshgrid(
            np.arange(rows) * _MESH_STEP + middle + 0.5,
            np.arange(columns) * _MESH_STEP + middle + 0.5,
            indexing="ij",
        )
        known = np.isfinite(z)
        number = np.cumsum(known).reshape(known.shape) - 1
        a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
        whole = known[:-1, :-1] & known[:-1, 1:] & known[1:, :-1] & known[1:, 1:]
        upper = np.stack([a[whole], c[whole], d[whole]], axis=1)
        lower = np.stack([a[whole], d[whole], b[whole]], axis=1)
        x = self.corner[0] + u * CELL_M - self.origin[0]
        y = self.corner[1] - v * CELL_M - self.origin[1]
        height, width = self.highest.shape
        return (
            np.stack([x[known], y[known], z[known]], axis=1),
            np.stack([u[known] / width, 1 - v[known] / height], axis=1),
            np.concatenate([upper, lower]).astype(np.int32),
        )


@lru_cache(maxsize=1)
def relief_of(site: Brighton) -> Relief:
    """Make the raster of a scan; one process makes it once."""
    xyz = site.original_xyz
    rgb = np.column_stack([site.attribute(name) for name in ("red", "green", "blue")])
    low, high = xyz[:, :2].min(axis=0), xyz[:, :2].max(axis=0)
    columns, rows = (np.floor((high - low) / CELL_M) + 1).astype(int)
    column = ((xyz[:, 0] - low[0]) / CELL_M).astype(int)
    row = ((high[1] - xyz[:, 1]) / CELL_M).astype(int)
    order = np.argsort(xyz[:, 2], kind="stable")
    highest = np.full((rows, columns), np.nan)
    lowest = np.full((rows, columns), np.nan)
    colour = np.zeros((rows, columns, 3), np.uint8)
    highest[row[order], column[order]] = xyz[order, 2]  # of several, the last one counts
    colour[row[order], column[order]] = rgb[order].astype(np.uint8)
    lowest[row[order[::-1]], column[order[::-1]]] = xyz[order[::-1], 2]
    east, north = ((low + high) / 2).astype(int)
    return Relief(highest, lowest, colour, (float(low[0]), float(high[1])), (int(east), int(north)))
