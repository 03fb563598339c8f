"""What every point-cloud format must be able to say, and the block of points that flows.

Knows: the roles (`PointReader`), the header facts (`CloudInfo`) and the unit of streaming
(`PointBlock`). Must not know: any file format, any service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pyproj import CRS

FloatArray = npt.NDArray[np.float64]

BLOCK_POINTS = 250_000
"""Points a block holds unless told: five default LAZ chunks, about 10 MB of LAS records."""


@dataclass(frozen=True)
class Attribute:
    """One value every point of a cloud carries besides its coordinates.

    Parameters
    ----------
    name : str
        The LAS dimension name (``intensity``, ``gps_time``, ...) or the file's own name.
    dtype : numpy.dtype
        As handed out, sub-byte fields as uint8.
    unit, description : str
        Empty where the file does not say.
    """

    name: str
    dtype: np.dtype[Any]
    unit: str = ""
    description: str = ""


@dataclass(frozen=True)
class CloudInfo:
    """What a file says of itself before any point is read.

    Parameters
    ----------
    path : Path
        The file.
    format : str
        ``"LAS"``, ``"LAZ"``, ``"COPC"`` or ``"PLY"``.
    version : str
        Format version, ``"1.4"`` for LAS, ``"ascii 1.0"`` for PLY.
    point_count : int
        Points in the file.
    crs : pyproj.CRS
        Never None: a local frame named after the file where the file states none.
    crs_source : str
        Which record the CRS was taken from, and why; what else was found.
    attributes : tuple of Attribute
        Everything but x, y, z, in file order.
    point_format : int or None
        LAS point record format.
    scales, offsets : (3,) tuple of float or None
        Stored-integer grid, in CRS units; None where coordinates are stored as floats.
    extra_bytes : tuple of str
        Names among `attributes` stored as LAS extra bytes.
    chunk_size : int or None
        Points a compressed chunk holds; None where not chunked or of varying size.
    size_bytes : int
        File size [byte].
    metadata : mapping
        Further header facts worth showing (generating software, creation date, ...).
    """

    path: Path
    format: str
    version: str
    point_count: int
    crs: CRS
    crs_source: str
    attributes: tuple[Attribute, ...]
    point_format: int | None = None
    scales: tuple[float, float, float] | None = None
    offsets: tuple[float, float, float] | None = None
    extra_bytes: tuple[str, ...] = ()
    chunk_size: int | None = None
    size_bytes: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of `attributes`."""
        return tuple(attribute.name for attribute in self.attributes)


@runtime_checkable
class PointBlock(Protocol):
    """Consecutive points of one cloud, in memory."""

    def __len__(self) -> int: ...

    @property
    def xyz(self) -> FloatArray:
        """Coordinates, shape (n, 3), float64, in the cloud's CRS, x (lon) before y (lat)."""
        ...

    def column(self, name: str) -> npt.NDArray[Any]:
        """One attribute, shape (n,), dtype as in `CloudInfo.attributes`."""
        ...

    def select(self, which: slice | npt.NDArray[Any]) -> PointBlock:
        """Take some of the points: a slice, a mask of shape (n,), or indices."""
        ...


class PointReader(Protocol):
    """An open point-cloud file. Use it as a context manager; not for two threads at once."""

    @property
    def info(self) -> CloudInfo:
        """What the header says."""
        ...

    def bounds(self) -> FloatArray:
        """Smallest box of all points: shape (2, 3), float64, in `info.crs` units.

        From the header where it holds one, else by reading the points once.
        """
        ...

    def blocks(
        self,
        size: int = BLOCK_POINTS,
        *,
        start: int = 0,
        stop: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[PointBlock]:
        """Yield points `start` to `stop` in file order, `size` at a time.

        `columns` may restrict what is decoded (``()`` for coordinates alone); None is everything.
        """
        ...

    def close(self) -> None:
        """Close the file."""
        ...

    def __enter__(self) -> PointReader: ...

    def __exit__(self, *exc: object) -> None: ...


@dataclass(frozen=True)
class ColumnBlock:
    """A `PointBlock` of plain arrays, for formats that store columns of floats.

    Parameters
    ----------
    xyz : ndarray, shape (n, 3), float64
        Coordinates in the cloud's CRS.
    columns : mapping of str to ndarray, shape (n,)
        The attributes.
    """

    xyz: FloatArray
    columns: Mapping[str, npt.NDArray[Any]]

    def __len__(self) -> int:
        return len(self.xyz)

    def column(self, name: str) -> npt.NDArray[Any]:
        """One attribute, shape (n,)."""
        return self.columns[name]

    def select(self, which: slice | npt.NDArray[Any]) -> ColumnBlock:
        """Take some of the points: a slice, a mask of shape (n,), or indices."""
        columns = {name: values[which] for name, values in self.columns.items()}
        return ColumnBlock(self.xyz[which], columns)
