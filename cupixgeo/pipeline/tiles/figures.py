"""Extremes, means and spreads of what a tile holds, for its line in the catalogue."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.pipeline.grid import OutputGrid

Records = npt.NDArray[Any]

INTENSITY, TIME = "intensity", "gps_time"


class Figures:
    """Running figures of the points of one tile.

    Parameters
    ----------
    grid : OutputGrid
        Of the stored integers.
    """

    def __init__(self, grid: OutputGrid) -> None:
        self._scales = np.array([*grid.scales, 1.0])
        self._offsets = np.array([*grid.offsets, 0.0])
        self._names = ("X", "Y", "Z", INTENSITY)
        self.points = 0
        self.low = np.full(4, np.iinfo(np.int64).max, np.int64)
        self.high = np.full(4, np.iinfo(np.int64).min, np.int64)
        self._sums, self._squares = np.zeros(4), np.zeros(4)
        self._first = np.zeros(4)
        self.gps_time: tuple[float, float] | None = None

    def add(self, records: Records) -> None:
        """Count points, shape (n,), at least one."""
        for k, name in enumerate(self._names):
            values = np.ascontiguousarray(records[name])
            self.low[k] = min(self.low[k], int(values.min()))
            self.high[k] = max(self.high[k], int(values.max()))
            if not self.points:
                self._first[k] = values[0]
            # From the first value, so that large coordinates do not drown their spread.
            distance = values - self._first[k]
            self._sums[k] += distance.sum()
            self._squares[k] += np.dot(distance, distance)
        self.points += len(records)
        if TIME in (records.dtype.names or ()):
            self._count_time(records[TIME])

    def _count_time(self, times: FloatArray) -> None:
        times = times[np.isfinite(times)]
        if len(times):
            self._add_times(float(times.min()), float(times.max()))

    def _add_times(self, first: float, last: float) -> None:
        if self.gps_time is not None:
            first, last = min(first, self.gps_time[0]), max(last, self.gps_time[1])
        self.gps_time = first, last

    def join(self, other: Figures) -> None:
        """Take over the points of another on the same grid."""
        if not other.points:
            return
        if not self.points:
            self._first = other._first
        step = other._first - self._first
        self._squares += other._squares + 2 * step * other._sums + other.points * step**2
        self._sums += other._sums + other.points * step
        self.low, self.high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        self.points += other.points
        if other.gps_time is not None:
            self._add_times(*other.gps_time)

    @property
    def bounds(self) -> FloatArray:
        """Box of the points: shape (2, 3), float64 [CRS units]."""
        steps = np.stack([self.low, self.high])[:, :3]
        box: FloatArray = steps * self._scales[:3] + self._offsets[:3]
        return box

    def to_dict(self) -> dict[str, tuple[float, float, float, float]]:
        """Lowest, highest, mean and variance of x, y, z [CRS units] and intensity."""
        mean = self._sums / self.points
        variance = np.maximum(self._squares / self.points - mean**2, 0.0) * self._scales**2
        mean = (mean + self._first) * self._scales + self._offsets
        low, high = (ends * self._scales + self._offsets for ends in (self.low, self.high))
        table = np.stack([low, high, mean, variance], axis=1).tolist()
        names = ("x", "y", "z", INTENSITY)
        return {name: (a, b, c, d) for name, (a, b, c, d) in zip(names, table, strict=True)}
