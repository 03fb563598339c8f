"""A point-cloud file as an `xarray.Dataset` that reads its points when they are needed.

Dimension ``point``; ``x``, ``y``, ``z`` are float64 coordinates without an index; every attribute
is a data variable named like the LAS dimension, with its stored type. An extra dimension of k
elements has a second dimension ``<name>_element``. Scaled extra bytes keep their stored integers
and carry ``scale_factor`` and ``add_offset``, which `xarray.decode_cf` applies.

Knows xarray's backend arrays. Must not know any file format: a reader is opened by calling a
function, again in every process that needs one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from cupixgeo.cloud.schema import (
    BLOCK_POINTS,
    Attribute,
    CloudInfo,
    FloatArray,
    PointBlock,
    PointReader,
)
from cupixgeo.cloud.spatial_ref import (
    AXES,
    POINT,
    SPATIAL_REF,
    axis_attrs,
    crs_attrs,
    dataset_crs,
    with_crs,
)
from cupixgeo.errors import CloudError

__all__ = ["dataset_crs", "to_dataset", "with_crs"]

CACHE_BYTES = 128 * 2**20
"""Decoded points kept for the next variable of the same range [byte], per open file."""

CHUNK_POINTS = 500_000
"""Points a dask chunk holds, to the nearest whole number of the file's own chunks."""

LARGEST_CHUNK_POINTS = 1_000_000

RESERVED = frozenset({*AXES, POINT, SPATIAL_REF})
"""Names an attribute cannot have in a dataset; it gets ``_attribute`` behind its own."""

OpenReader = Callable[[], PointReader]


def to_dataset(open_reader: OpenReader) -> xr.Dataset:
    """Make a dataset of a point-cloud file; nothing is read but its header.

    Parameters
    ----------
    open_reader : callable
        Opens the file. It must be picklable for the dataset to be (a function of a module, or a
        `functools.partial` of one), so that dask's processes can open the file for themselves.

    Returns
    -------
    xarray.Dataset
        Closing it closes the file; using it afterwards opens the file again.

    Raises
    ------
    CloudError
        As `open_reader` does.
    """
    store = PointStore(open_reader)
    info = store.info
    preferred = preferred_chunk(info)
    axes = axis_attrs(info.crs)
    coords: dict[str, Any] = {SPATIAL_REF: ((), np.int64(0), crs_attrs(info.crs))}
    for number, axis in enumerate(AXES):
        encoding = _axis_encoding(info, number)
        array = PointArray(store, axis, (info.point_count,), np.dtype(np.float64))
        coords[axis] = _variable(array, axes[axis], preferred, encoding)
    scalings = info.metadata.get("scalings", {})
    variables = {}
    for attribute in info.attributes:
        shape = (info.point_count, *attribute.dtype.shape)
        array = PointArray(store, attribute.name, shape, attribute.dtype.base)
        attrs = _attribute_attrs(attribute, scalings.get(attribute.name, {}))
        variables[variable_name(attribute.name)] = _variable(array, attrs, preferred, {})
    dataset = xr.Dataset(variables, coords, _dataset_attrs(info))
    dataset.set_close(store.close)
    return dataset


def variable_name(attribute: str) -> str:
    """Name of the variable that holds an attribute; `attribute_name` is the way back."""
    return attribute + ("_attribute" if attribute in RESERVED else "")


def attribute_name(variable: str) -> str:
    """Name of the attribute a variable holds."""
    bare = variable.removesuffix("_attribute")
    return bare if bare in RESERVED else variable


def preferred_chunk(info: CloudInfo) -> int:
    """Points a dask chunk of this file should hold: whole chunks of the file where it has them."""
    own = info.chunk_size
    if not own or own > LARGEST_CHUNK_POINTS:
        return CHUNK_POINTS
    return own * max(1, round(CHUNK_POINTS / own))


class PointStore:
    """One file behind all variables of a dataset: opened when needed, decoded once a range.

    Parameters
    ----------
    open_reader : callable
        Opens the file.
    """

    def __init__(self, open_reader: OpenReader) -> None:
        self._open_reader = open_reader
        self._start()
        self._reader: PointReader | None = open_reader()
        self.info: CloudInfo = self._reader.info

    def read(self, name: str, start: int, out: npt.NDArray[Any]) -> None:
        """Read one variable from point `start` on.

        Parameters
        ----------
        name : str
            ``"x"``, ``"y"``, ``"z"`` or an attribute.
        start : int
            First point.
        out : ndarray, shape (n, ...)
            Filled; its length says how many points.

        Raises
        ------
        CloudError
            The file is damaged, gone, or not the one that was opened.
        """
        stop = start + len(out)
        with self._lock:
            for first, block in self._blocks(name, start, stop):
                low, high = max(start, first), min(stop, first + len(block))
                values = block.xyz[:, AXES.index(name)] if name in AXES else block.column(name)
                out[low - start : high - start] = values[low - first : high - first]

    @property
    def is_kept_decoded(self) -> bool:
        """Whether all of the file is decoded at most once, as there is room for all of it."""
        return self.info.point_count * self._point_bytes <= CACHE_BYTES

    def coordinates(self, start: int, stop: int) -> FloatArray:
        """Read coordinates alone: shape (n, 3), float64, of points `start` to `stop`.

        Raises
        ------
        CloudError
            The file is damaged, gone, or not the one that was opened.
        """
        xyz = np.empty((stop - start, 3))
        with self._lock:
            for first, block in self._placed(start, stop, ()):
                xyz[first - start :][: len(block)] = block.xyz
        return xyz

    def reader(self) -> PointReader:
        """Give the open file, for what its header says; points are read with `read`.

        Raises
        ------
        CloudError
            The file is damaged, gone, or not the one that was opened.
        """
        with self._lock:
            return self._opened()

    def close(self) -> None:
        """Close the file and forget what was decoded; the next read opens it again."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
            self._reader = None
            self._decoded.clear()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._decoded: OrderedDict[tuple[int, int], list[_Placed]] = OrderedDict()

    def _blocks(self, name: str, start: int, stop: int) -> Iterable[_Placed]:
        for key, blocks in self._decoded.items():
            if key[0] <= start and stop <= key[1]:
                self._decoded.move_to_end(key)
                return [(at, b) for at, b in blocks if at < stop and start < at + len(b)]
        if (stop - start) * self._point_bytes > CACHE_BYTES:
            return self._placed(start, stop, () if name in AXES else (name,))
        blocks = list(self._placed(start, stop, None))
        self._decoded[start, stop] = blocks
        while sum(b - a for a, b in self._decoded) * self._point_bytes > CACHE_BYTES:
            self._decoded.popitem(last=False)
        return blocks

    def _placed(self, start: int, stop: int, columns: Sequence[str] | None) -> Iterator[_Placed]:
        at = start
        for block in self._opened().blocks(BLOCK_POINTS, start=start, stop=stop, columns=columns):
            yield at, block
            at += len(block)

    @property
    def _point_bytes(self) -> int:
        """Memory a decoded point takes: its record and its coordinates [byte]."""
        return 36 + sum(attribute.dtype.itemsize for attribute in self.info.attributes)

    def _opened(self) -> PointReader:
        if self._reader is None:
            reader = self._open_reader()
            now, then = reader.info, self.info
            if _identity(now) != _identity(then):
                reader.close()
                raise CloudError(
                    f"{then.path} has changed since this dataset was opened "
                    f"({then.point_count:,} points then, {now.point_count:,} now). Open it again."
                )
            self._reader = reader
        return self._reader

    def __getstate__(self) -> dict[str, Any]:
        return {"_open_reader": self._open_reader, "info": self.info, "_reader": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __del__(self) -> None:
        reader = self.__dict__.get("_reader")
        if reader is not None:
            reader.close()


class PointArray(BackendArray):
    """One variable of a file, read when indexed.

    Parameters
    ----------
    store : PointStore
        The file.
    name : str
        ``"x"``, ``"y"``, ``"z"`` or an attribute.
    shape : tuple of int
        Points first.
    dtype : numpy.dtype
        Of one value.
    """

    def __init__(
        self, store: PointStore, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.store = store
        self.name = name
        self.shape = shape
        self.dtype = dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> npt.NDArray[Any]:
        support = indexing.IndexingSupport.BASIC
        values: npt.NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, support, self._read
        )
        return values

    def _read(self, key: tuple[int | slice, ...]) -> npt.NDArray[Any]:
        points, rest = key[0], key[1:]
        if isinstance(points, slice):
            start, stop, step = points.indices(self.shape[0])
            inner: Any = slice(None, None, step)
        else:
            start, stop, inner = int(points), int(points) + 1, 0
        out = np.empty((max(0, stop - start), *self.shape[1:]), self.dtype)
        if len(out):
            self.store.read(self.name, start, out)
        result: npt.NDArray[Any] = out[(inner, *rest)]
        return result


_Placed = tuple[int, PointBlock]


def _identity(info: CloudInfo) -> tuple[object, ...]:
    """Tell a file from another one under its name, as far as that can be seen."""
    return info.size_bytes, info.point_count, info.metadata.get("version")


def _variable(
    array: PointArray, attrs: dict[str, Any], chunk: int, encoding: dict[str, Any]
) -> xr.Variable:
    dims = (POINT, f"{array.name}_element")[: len(array.shape)]
    chunks = dict(zip(dims, (chunk, *array.shape[1:]), strict=True))
    encoding = {"preferred_chunks": chunks, "grid_mapping": SPATIAL_REF, **encoding}
    return xr.Variable(dims, indexing.LazilyIndexedArray(array), attrs, encoding)


def _axis_encoding(info: CloudInfo, number: int) -> dict[str, Any]:
    """Give the file's stored-integer grid, as CF packs numbers."""
    if info.scales is None or info.offsets is None:
        return {}
    return {
        "dtype": np.dtype(np.int32),
        "scale_factor": info.scales[number],
        "add_offset": info.offsets[number],
    }


def _attribute_attrs(attribute: Attribute, scaling: Mapping[str, Any]) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    if attribute.description:
        attrs["long_name"] = attribute.description
    if attribute.unit:
        attrs["units"] = attribute.unit
    return {**attrs, **scaling}


def _dataset_attrs(info: CloudInfo) -> dict[str, Any]:
    attrs: dict[str, Any] = {
        "source": info.path.name,
        "format": info.format,
        "version": info.version,
        "crs_source": info.crs_source,
    }
    if info.point_format is not None:
        attrs["point_format"] = info.point_format
    if "gps_time" in info.attribute_names and "gps_time" in info.metadata:
        attrs["gps_time"] = info.metadata["gps_time"]
    return attrs
