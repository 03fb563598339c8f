"""A scan seen from above, as a raster, and a textured mesh over it.

Knows arrays only: points, colours, cells. Knows no service, no file format and no CRS.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cupixgeo.emulator.frames import Array
from cupixgeo.emulator.tiles3d import Mesh

MESH_STEP = 4
"""Cells of the raster between two corners of the mesh."""


@dataclass(frozen=True)
class Relief:
    """The scan seen from above; row 0 is the northernmost.

    Parameters
    ----------
    highest, lowest : ndarray, shape (rows, columns), float64
        Height of the highest and of the lowest point of each cell; NaN where there is none.
    rgb : ndarray, shape (rows, columns, 3), uint8
        Colour of the highest point.
    corner : tuple of float
        x and y of the outer corner of cell (0, 0), in the points' frame.
    cell : float
        Width of a cell, in the points' unit.
    """

    highest: Array
    lowest: Array
    rgb: NDArray[np.uint8]
    corner: tuple[float, float]
    cell: float

    @classmethod
    def from_points(cls, xyz: Array, rgb: NDArray[np.uint8], *, cell: float) -> Relief:
        """Put points (n, 3) and their colours (n, 3) on a raster."""
        low, high = xyz[:, :2].min(axis=0), xyz[:, :2].max(axis=0)
        columns, rows = (np.floor((high - low) / cell) + 1).astype(int)
        column = ((xyz[:, 0] - low[0]) / cell).astype(int)
        row = ((high[1] - xyz[:, 1]) / cell).astype(int)
        order = np.argsort(xyz[:, 2], kind="stable")
        highest = np.full((rows, columns), np.nan)
        lowest = np.full((rows, columns), np.nan)
        colour = np.zeros((rows, columns, 3), np.uint8)
        highest[row[order], column[order]] = xyz[order, 2]  # of several, the last one counts
        colour[row[order], column[order]] = rgb[order]
        lowest[row[order[::-1]], column[order[::-1]]] = xyz[order[::-1], 2]
        return cls(highest, lowest, colour, (float(low[0]), float(high[1])), cell)

    @property
    def rgba(self) -> NDArray[np.uint8]:
        """Colours with an alpha band: 255 where something was seen."""
        alpha = np.where(np.isfinite(self.highest), 255, 0).astype(np.uint8)
        return np.dstack([self.rgb, alpha])

    def mesh(self, origin: Array) -> Mesh:
        """Make a coarse mesh of the highest points, vertices counted from `origin` (3,)."""
        step = MESH_STEP
        rows, columns = (n // step for n in self.highest.shape)
        blocks = self.highest[: rows * step, : columns * step]
        blocks = blocks.reshape(rows, step, columns, step).swapaxes(1, 2).reshape(rows, columns, -1)
        known = np.asarray(np.isfinite(blocks).any(axis=2))
        z = np.where(np.isfinite(blocks), blocks, -np.inf).max(axis=2)
        v, u = np.meshgrid(
            (np.arange(rows) + 0.5) * step, (np.arange(columns) + 0.5) * step, indexing="ij"
        )
        x = self.corner[0] + u * self.cell
        y = self.corner[1] - v * self.cell
        number = np.cumsum(known).reshape(known.shape) - 1
        a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
        whole = known[:-1, :-1] & known[:-1, 1:] & known[1:, :-1] & known[1:, 1:]
        first = np.stack([a[whole], c[whole], d[whole]], axis=1)
        second = np.stack([a[whole], d[whole], b[whole]], axis=1)
        height, width = self.highest.shape
        return Mesh(
            vertices=np.stack([x[known], y[known], z[known]], axis=1) - origin,
            uv=np.stack([u[known] / width, 1 - v[known] / height], axis=1),
            triangles=np.concatenate([first, second]).astype(np.int32),
            texture=jpeg(self.rgb),
        )


def jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """Return a picture (rows, columns, 3) as JPEG."""
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(rgb).save(target, "JPEG", quality=85)
    return target.getvalue()
