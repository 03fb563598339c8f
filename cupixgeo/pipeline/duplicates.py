"""Which points have been met before: the same measurement, delivered twice.

Two points are one where the output would hold the same X, Y and Z, and, where its point format has
them, the same GPS time, return number and scanner channel. Those 166 bits are hashed to 127: among
a thousand million different points the chance that any two are taken for one is 3e-21.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.keytable import LARGEST_TABLE_BYTES, KeyTable, find, mix
from cupixgeo.compiling import compiled
from cupixgeo.errors import MergeError

BoolArray = npt.NDArray[np.bool_]

ALL_BITS = 0xFFFFFFFFFFFFFFFF
OUT_OF_ROOM = -1

BYTES_A_POINT = 22
"""[byte] least memory for a point kept; up to twice as much, as the table doubles."""


@compiled
def _claim(x, y, z, time, kind, wanted, table, figures):
    """Clear `wanted` where a point was met before; remember it where it was not.

    figures: points remembered, points allowed, first point to look at. Returns 0, or why it
    stopped at figures[2].
    """
    for i in range(figures[2], len(x)):
        if not wanted[i]:
            continue
        a = np.uint64(np.uint32(x[i])) | np.uint64(np.uint32(y[i])) << np.uint64(32)
        b = np.uint64(np.uint32(z[i])) | np.uint64(kind[i]) << np.uint64(32)
        c = time[i]
        first = mix(a ^ mix(b ^ mix(c + np.uint64(0x9E3779B97F4A7C15))))
        second = mix(c ^ mix(a ^ mix(b + np.uint64(0xD1B54A32D192ED03)))) | np.uint64(1)
        slot = find(table, first, second, np.uint64(ALL_BITS))
        if table[slot, 1] != 0:
            wanted[i] = False
            continue
        if figures[0] == figures[1]:
            figures[2] = i
            return OUT_OF_ROOM
        table[slot, 0] = first
        table[slot, 1] = second
        figures[0] += 1
    return 0


class PointSet:
    """The points met so far.

    Parameters
    ----------
    limit_bytes : int
        Memory it may take; half as much again while it grows [byte].
    """

    def __init__(self, *, limit_bytes: int = LARGEST_TABLE_BYTES) -> None:
        self._table = KeyTable(ALL_BITS, limit_bytes=limit_bytes)

    @property
    def size_bytes(self) -> int:
        """Memory it takes [byte]."""
        return self._table.size_bytes

    def claim(self, records: npt.NDArray[Any], wanted: BoolArray) -> BoolArray:
        """Remember points; say which were not met before.

        Parameters
        ----------
        records : ndarray, shape (n,), structured
            Point records of one layout, X, Y and Z filled.
        wanted : ndarray, shape (n,), bool
            Points to look at; the others are not remembered.

        Returns
        -------
        ndarray, shape (n,), bool

        Raises
        ------
        MergeError
            There are more different points than fit the memory allowed.
        """
        x, y, z = (np.ascontiguousarray(records[name]) for name in "XYZ")
        time, kind = _time_bits(records), _kind(records)
        new = wanted.copy()
        table = self._table
        figures = np.array([table.used, table.room, 0], np.int64)
        while _claim(x, y, z, time, kind, new, table.slots, figures):
            if not table.grow():
                raise MergeError(
                    f"drop_duplicates=True can compare {int(figures[0]):,} points, and there are "
                    "more. Merge a part at a time, with bounds=, or into tiles, with tile_m=."
                )
            figures[1] = table.room
        table.used = int(figures[0])
        return new


def _time_bits(records: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """GPS time as its 64 bits, shape (n,); nothing where the format has none. -0.0 counts as 0."""
    if "gps_time" not in (records.dtype.names or ()):
        return np.zeros(len(records), np.uint64)
    return (np.ascontiguousarray(records["gps_time"]) + 0.0).view(np.uint64)


def _kind(records: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return number and scanner channel of records, shape (n,), as one byte."""
    names = records.dtype.names or ()
    if "classification_flags" not in names:
        returns: npt.NDArray[np.uint8] = records["bit_fields"] & np.uint8(7)
        return returns
    channel: npt.NDArray[np.uint8] = records["classification_flags"] & np.uint8(0b110000)
    return (records["bit_fields"] & np.uint8(15)) | channel
