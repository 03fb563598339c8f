"""What the tests of tiles share: reading a folder of them back with laspy, and comparing points."""

from __future__ import annotations

from pathlib import Path

import laspy
import numpy as np

CREATED = slice(90, 94)
"""Bytes of a LAS header that hold the day the file was made."""


def tile_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.copc.laz"))


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of every tile, less the day it was made."""
    result = {}
    for path in tile_files(folder):
        data = bytearray(path.read_bytes())
        data[CREATED] = bytes(4)
        result[path.name] = bytes(data)
    return result


def on_one_grid(las: laspy.LasData, offsets: np.ndarray) -> np.ndarray:
    """Stored integers as they would be with other offsets: shape (n, 3), int64."""
    shift = np.rint((las.header.offsets - offsets) / las.header.scales).astype(np.int64)
    return np.stack([np.asarray(las[name], np.int64) for name in "XYZ"], axis=1) + shift


def points_of(las: laspy.LasData, offsets: np.ndarray) -> np.ndarray:
    """All points with all they carry, as rows of bytes in an order of their own."""
    records = las.points.array.copy()
    for name in "XYZ":
        records[name] = 0
    rows = np.concatenate(
        [
            on_one_grid(las, offsets).view(np.uint8).reshape(len(records), -1),
            records.view(np.uint8).reshape(len(records), -1),
        ],
        axis=1,
    )
    return rows[np.lexsort(rows.T)]


def all_points(folder: Path, offsets: np.ndarray) -> np.ndarray:
    """As `points_of`, of all tiles together."""
    rows = np.concatenate([points_of(laspy.read(path), offsets) for path in tile_files(folder)])
    return rows[np.lexsort(rows.T)]
