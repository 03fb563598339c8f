"""Clouds that are made of the points of others: what they have in common as readers.

Must not know where the points come from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Self

from cupixgeo.cloud.schema import BLOCK_POINTS, CloudInfo, FloatArray, PointBlock
from cupixgeo.formats.extent import box_of_points
from cupixgeo.formats.refusals import check_columns


class DerivedReader(ABC):
    """Points of other files as a file of their own; a `PointReader`.

    Parameters
    ----------
    info : CloudInfo
        What there is to say of them.
    """

    def __init__(self, info: CloudInfo) -> None:
        self.info = info

    @abstractmethod
    def between(
        self, start: int, end: int, size: int, columns: Sequence[str] | None
    ) -> Iterator[PointBlock]:
        """Yield points `start` to `end`, of which there are so many; see `blocks`."""

    @abstractmethod
    def close(self) -> None:
        """Close what is open."""

    def bounds(self) -> FloatArray:
        """Smallest box of all points: shape (2, 3), float64 [CRS units]. Reads them once.

        Raises
        ------
        EmptyCloudError
            There are none.
        """
        return box_of_points(self)

    def blocks(
        self,
        size: int = BLOCK_POINTS,
        *,
        start: int = 0,
        stop: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[PointBlock]:
        """Yield points `start` to `stop` in their order, at most `size` at a time.

        Parameters
        ----------
        size : int
            Most points a block holds.
        start, stop : int
            Range of points.
        columns : sequence of str or None
            Attributes that will be looked at, ``()`` for coordinates alone; None is everything.

        Yields
        ------
        PointBlock

        Raises
        ------
        CloudError
            A file cannot be read, is damaged, or is not what it is announced as.
        """
        check_columns(self.info, columns)
        end = self.info.point_count if stop is None else min(stop, self.info.point_count)
        return self.between(start, end, size, columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
