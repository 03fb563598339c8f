"""What a finished project offers: ``model.zip``, a quadtree of textured OBJ tiles.

Made from the recorded reference scan of the photos' site, not from the uploaded photos, and
labelled so in the archive. Knows the tile layout. Knows no project.

References
----------
altizure/user-docs downloadable-assets.md: tiles ``tile_<lod>_<x>_<y>.obj``; LOD 0 is one tile,
LOD k has up to 2^k by 2^k; at the deepest LOD D a tile is 1 unit wide, at LOD k 2^(D-k), and x, y
step by that. Not documented, and decided here [inferred]: MTL and JPEG files beside each tile under
its name, coordinates in metres, east, north and up from the middle of the site.
"""

from __future__ import annotations

import io
import threading
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cupixgeo.emulator.world import Brighton

DEEPEST = 2
_CELLS = 32
"""Cells along the side of a tile: of its mesh, and half the pixels of its texture."""
_FINE = _CELLS * 2**DEEPEST * 2
_LABEL = (
    "Recorded, not reconstructed: this emulated service made these tiles from the reference scan\n"
    "of the site (data/brighton_beach/SOURCE.md), whatever photos were uploaded.\n"
    "Metres east, north and up from {x:.3f} {y:.3f} {z:.3f} in EPSG:32615.\n"
)
_DATE = (2016, 6, 23, 0, 0, 0)
_lock = threading.Lock()


@dataclass(frozen=True)
class Relief:
    """The scan on a square raster, row 0 in the south.

    Parameters
    ----------
    height : ndarray, shape (n, n), float64 [m], above the origin
        Mean height; NaN where there are no points.
    colour : ndarray, shape (n, n, 3), uint8
        Mean colour.
    side : float
        [m] width of the square.
    origin : ndarray, shape (3,), float64 [m], in EPSG:32615
        Middle of the square, at the lowest height.
    """

    height: NDArray[np.float64]
    colour: NDArray[np.uint8]
    side: float
    origin: NDArray[np.float64]


def model_zip(brighton: Brighton) -> bytes:
    """Return the archive; made once in a process."""
    with _lock:
        return _model_zip(brighton)


@lru_cache(maxsize=1)
def _model_zip(brighton: Brighton) -> bytes:
    relief = make_relief(brighton)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        x, y, z = relief.origin
        _add(archive, "RECORDED.txt", _LABEL.format(x=x, y=y, z=z).encode())
        for lod in range(DEEPEST + 1):
            step = 2 ** (DEEPEST - lod)
            for column in range(0, 2**DEEPEST, step):
                for row in range(0, 2**DEEPEST, step):
                    _add_tile(archive, relief, f"tile_{lod}_{column}_{row}", (column, row, step))
    return target.getvalue()


def make_relief(brighton: Brighton) -> Relief:
    """Put the scan on a raster fine enough for the deepest tiles' textures."""
    xyz = brighton.original_xyz
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    side = float((high - low)[:2].max())
    corner = (low + high)[:2] / 2 - side / 2
    cell = np.clip(((xyz[:, :2] - corner) / side * _FINE).astype(np.int64), 0, _FINE - 1)
    index = cell[:, 1] * _FINE + cell[:, 0]
    count = np.bincount(index, minlength=_FINE**2)

    def mean(values: NDArray[np.generic]) -> NDArray[np.float64]:
        total = np.bincount(index, weights=values.astype(np.float64), minlength=_FINE**2)
        with np.errstate(invalid="ignore"):
            return (total / count).reshape(_FINE, _FINE)

    colours = np.stack([mean(brighton.attribute(name)) for name in ("red", "green", "blue")], -1)
    divisor = 257.0 if np.nanmax(colours) > 255 else 1.0
    colour = np.nan_to_num(colours / divisor).astype(np.uint8)
    origin = np.array([*(corner + side / 2), low[2]])
    return Relief(mean(xyz[:, 2]) - origin[2], colour, side, origin)


def _add_tile(
    archive: zipfile.ZipFile, relief: Relief, name: str, place: tuple[int, int, int]
) -> None:
    """Add mesh, material and texture of one tile; a tile without points is left out."""
    column, row, width = place
    unit = _FINE // 2**DEEPEST
    factor = unit * width // _CELLS
    rows = slice(row * unit, (row + width) * unit)
    columns = slice(column * unit, (column + width) * unit)
    # one more row and column of cells, so that the mesh meets that of the next tile
    beyond = (slice(s.start, min(s.stop + factor, _FINE)) for s in (rows, columns))
    height = _averaged(relief.height[tuple(beyond)], factor)
    if np.isnan(height).all():
        return
    size = relief.side / 2**DEEPEST
    corner = np.array([column, row]) * size - relief.side / 2
    obj = _mesh(height, corner, size * width / _CELLS, name)
    _add(archive, f"{name}.obj", obj)
    _add(archive, f"{name}.mtl", f"newmtl {name}\nKd 1 1 1\nmap_Kd {name}.jpg\n".encode())
    _add(archive, f"{name}.jpg", _jpeg(relief.colour[rows, columns]))


def _averaged(values: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Average blocks of `factor` by `factor` values, passing over NaN."""
    rows, columns = values.shape[0] // factor, values.shape[1] // factor
    split = values.reshape(rows, factor, columns, factor).swapaxes(1, 2)
    blocks = split.reshape(rows, columns, -1)
    known = ~np.isnan(blocks)
    total = np.where(known, blocks, 0.0).sum(axis=2)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / known.sum(axis=2))


def _mesh(
    height: NDArray[np.float64], corner: NDArray[np.float64], cell: float, name: str
) -> bytes:
    """Write the mesh over the cell centres; faces only where all three heights are known."""
    number = np.zeros(height.shape, dtype=np.int64)
    known = ~np.isnan(height)
    number[known] = np.arange(1, known.sum() + 1)
    rows, columns = np.nonzero(known)
    east, north = corner[0] + (columns + 0.5) * cell, corner[1] + (rows + 0.5) * cell
    lines = [f"mtllib {name}.mtl", f"usemtl {name}"]
    lines += [
        f"v {x:.3f} {y:.3f} {z:.3f}"
        for x, y, z in zip(east.tolist(), north.tolist(), height[known].tolist(), strict=True)
    ]
    lines += [
        f"vt {min(1.0, (c + 0.5) / _CELLS):.5f} {min(1.0, (r + 0.5) / _CELLS):.5f}"
        for r, c in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    for corners in ((a, b, c), (a, c, d)):
        faces = np.stack(corners, -1).reshape(-1, 3)
        lines += [
            f"f {i}/{i} {j}/{j} {k}/{k}" for i, j, k in faces[(faces > 0).all(axis=1)].tolist()
        ]
    return ("\n".join(lines) + "\n").encode()


def _jpeg(colour: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(colour[::-1])).resize((2 * _CELLS, 2 * _CELLS))
    picture.save(target, "JPEG", quality=85)
    return target.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, data)
