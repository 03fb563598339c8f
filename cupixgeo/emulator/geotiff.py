"""Writes GeoTIFF rasters: tiled, deflated, with a CRS given by its code.

Knows the TIFF and BigTIFF formats and the GeoTIFF keys. Knows no service.

Sources: TIFF Revision 6.0; the BigTIFF design; OGC 19-008r4 (GeoTIFF 1.1).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TILE = 256
_CODES = {"H": 3, "I": 4, "d": 12, "Q": 16}
_ADOBE_DEFLATE = 8
_UNSIGNED, _FLOAT = 1, 3
_USER_DEFINED = 32767


@dataclass(frozen=True)
class Raster:
    """A picture with a place.

    Parameters
    ----------
    values : ndarray, shape (rows, columns, bands), uint8 or float32
        Row 0 is the northernmost.
    corner : tuple of float
        x and y of the outer corner of pixel (0, 0), in the CRS.
    pixel : float
        Width and height of a pixel, in units of the CRS.
    epsg : int or None
        Code of the CRS; None writes a user-defined one.
    is_geographic : bool
        Whether it is geographic, not projected.
    """

    values: NDArray[np.generic]
    corner: tuple[float, float]
    pixel: float
    epsg: int | None
    is_geographic: bool = False

    @property
    def world_file(self) -> str:
        """Content of the world file beside it: pixel size and the centre of pixel (0, 0)."""
        x, y = self.corner[0] + self.pixel / 2, self.corner[1] - self.pixel / 2
        return "".join(f"{n:.12f}\n" for n in (self.pixel, 0.0, 0.0, -self.pixel, x, y))


def write_geotiff(
    raster: Raster, *, nodata: float, has_alpha: bool = False, big: bool = False
) -> bytes:
    """Return the raster as a GeoTIFF file.

    Parameters
    ----------
    raster : Raster
        What to write.
    nodata : float
        Value of the GDAL_NODATA tag.
    has_alpha : bool
        Whether the last band is alpha; the others are then colours.
    big : bool
        Write BigTIFF.
    """
    rows, columns, bands = raster.values.shape
    tiles = _tiles(raster.values)
    is_float = raster.values.dtype.kind == "f"
    x, y = raster.corner
    entries: dict[int, tuple[str, list[float]] | bytes] = {
        256: ("I", [columns]),
        257: ("I", [rows]),
        258: ("H", [raster.values.dtype.itemsize * 8] * bands),
        259: ("H", [_ADOBE_DEFLATE]),
        262: ("H", [2 if bands >= 3 else 1]),
        277: ("H", [bands]),
        284: ("H", [1]),
        322: ("H", [TILE]),
        323: ("H", [TILE]),
        339: ("H", [_FLOAT if is_float else _UNSIGNED] * bands),
        33550: ("d", [raster.pixel, raster.pixel, 0.0]),
        33922: ("d", [0.0, 0.0, 0.0, x, y, 0.0]),
        34735: ("H", _geo_keys(raster)),
        42113: f"{nodata:g}\0".encode(),
    }
    if has_alpha:
        entries[338] = ("H", [2])
    return _file(entries, tiles, big=big)


def _geo_keys(raster: Raster) -> list[float]:
    model = 2 if raster.is_geographic else 1
    place = 2048 if raster.is_geographic else 3072
    code = raster.epsg or _USER_DEFINED
    return [1, 1, 0, 3, 1024, 0, 1, model, 1025, 0, 1, 1, place, 0, 1, code]


def _tiles(values: NDArray[np.generic]) -> list[bytes]:
    rows, columns, bands = values.shape
    height, width = -(-rows // TILE) * TILE, -(-columns // TILE) * TILE
    padded = np.zeros((height, width, bands), dtype=values.dtype.newbyteorder("<"))
    padded[:rows, :columns] = values
    return [
        zlib.compress(np.ascontiguousarray(padded[r : r + TILE, c : c + TILE]).tobytes(), 6)
        for r in range(0, height, TILE)
        for c in range(0, width, TILE)
    ]


def _file(
    entries: dict[int, tuple[str, list[float]] | bytes], tiles: list[bytes], *, big: bool
) -> bytes:
    """Put header, directory, long values and tiles behind each other."""
    entries[324] = ("Q" if big else "I", [0] * len(tiles))
    entries[325] = ("Q" if big else "I", [len(tile) for tile in tiles])
    word = "<Q" if big else "<I"
    inline = 8 if big else 4
    start = 16 if big else 8
    directory = (8 if big else 2) + len(entries) * (20 if big else 12) + inline
    packed = {tag: _packed(value) for tag, value in entries.items()}
    places: dict[int, int] = {}
    at = start + directory
    for tag in sorted(packed):
        if len(packed[tag][2]) > inline:
            places[tag] = at
            at += len(packed[tag][2]) + len(packed[tag][2]) % 2
    offsets = []
    for tile in tiles:
        offsets.append(at)
        at += len(tile) + len(tile) % 2
    packed[324] = _packed(("Q" if big else "I", [float(n) for n in offsets]))
    small = struct.pack("<2sHI", b"II", 42, start)
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, start) if big else small
    out = bytearray(head + struct.pack("<Q" if big else "<H", len(entries)))
    for tag in sorted(packed):
        kind, count, data = packed[tag]
        out += struct.pack("<HHQ" if big else "<HHI", tag, kind, count)
        out += struct.pack(word, places[tag]) if tag in places else data.ljust(inline, b"\0")
    out += struct.pack(word, 0)
    for tag in sorted(places):
        out += packed[tag][2] + b"\0" * (len(packed[tag][2]) % 2)
    for tile in tiles:
        out += tile + b"\0" * (len(tile) % 2)
    return bytes(out)


def _packed(value: tuple[str, list[float]] | bytes) -> tuple[int, int, bytes]:
    """Return type, count and bytes of a directory entry."""
    if isinstance(value, bytes):
        return 2, len(value), value
    letter, numbers = value
    whole = numbers if letter == "d" else [int(n) for n in numbers]
    return _CODES[letter], len(numbers), struct.pack(f"<{len(numbers)}{letter}", *whole)
