"""The result every finished project delivers: a textured OBJ made of the real scan, in a zip.

Knows OBJ, MTL and the layout clients look for: the OBJ at the top. Names of the material and the
texture are not documented; decided here. Heights are those of the scan's points, seen from above.
"""

from __future__ import annotations

import io
import zipfile
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cupixgeo.emulator.frames import Array

if TYPE_CHECKING:
    from cupixgeo.emulator.world import Brighton

_STEP_M = 1.5
_TEXELS = 8
_EPOCH = (1980, 1, 1, 0, 0, 0)
RECORDED = (
    "Recorded: made of the owner's cloud of the demo photos, not of those that were uploaded.\n"
    "Metres from {0:.3f} {1:.3f} {2:.3f} (EPSG:32615), x east, y north, z up.\n"
)


@lru_cache(maxsize=2)
def make_result(site: Brighton) -> bytes:
    """Return the zip of a site; one process makes it once."""
    xyz = site.original_xyz
    origin = xyz.min(axis=0)
    rgb = np.column_stack([site.attribute(name) for name in ("red", "green", "blue")])
    heights = _grid(xyz, origin, _STEP_M, xyz[:, 2] - origin[2])
    texture = np.stack([_grid(xyz, origin, _STEP_M / _TEXELS * 2, c) for c in rgb.T], axis=2)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in (
            ("model.obj", _obj(heights)),
            ("model.mtl", b"newmtl scan\nKd 1 1 1\nmap_Kd model.png\n"),
            ("model.png", _png(texture)),
            ("RECORDED.txt", RECORDED.format(*origin).encode()),
        ):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return target.getvalue()


def _grid(xyz: Array, origin: Array, step_m: float, values: Array) -> Array:
    """Average values in the cells of a grid seen from above; rows go north."""
    column, row = ((xyz[:, :2] - origin[:2]) / step_m).astype(int).T
    shape = (row.max() + 1, column.max() + 1)
    cell = row * shape[1] + column
    count = np.bincount(cell, minlength=shape[0] * shape[1])
    total = np.bincount(cell, values, minlength=len(count))
    mean = np.full(len(count), np.median(values), dtype=np.float64)
    np.divide(total, count, out=mean, where=count > 0)
    return mean.reshape(shape)


def _obj(heights: Array) -> bytes:
    rows, columns = heights.shape
    lines = ["# recorded", "mtllib model.mtl", "usemtl scan"]
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.5) * _STEP_M, (row + 0.5) * _STEP_M
            lines.append(f"v {x:.3f} {y:.3f} {heights[row, column]:.3f}")
    for row in range(rows):
        for column in range(columns):
            lines.append(f"vt {(column + 0.5) / columns:.5f} {(row + 0.5) / rows:.5f}")
    for row in range(rows - 1):
        for column in range(columns - 1):
            a = row * columns + column + 1
            b, c, d = a + 1, a + columns + 1, a + columns
            lines += [f"f {a}/{a} {b}/{b} {c}/{c}", f"f {a}/{a} {c}/{c} {d}/{d}"]
    return ("\n".join(lines) + "\n").encode()


def _png(texture: Array) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    pixels = np.clip(texture[::-1], 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()
