"""A point-cloud dataset in the role of a file: whatever reads files block by block reads it too.

Lazy datasets are read a range at a time, dask's chunk by chunk, so that memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr

from cupixgeo.cloud.dataset import PointStore, attribute_name, variable_name
from cupixgeo.cloud.schema import BLOCK_POINTS, Attribute, CloudInfo, ColumnBlock, FloatArray
from cupixgeo.cloud.spatial_ref import AXES, POINT, check_cloud, dataset_crs
from cupixgeo.cloud.stored import file_of_coordinates
from cupixgeo.formats.extent import box_of_points
from cupixgeo.formats.refusals import check_columns


class DatasetReader:
    """Read a point-cloud dataset like an open file.

    Parameters
    ----------
    dataset : xarray.Dataset
        Dimension ``point``, coordinates ``x``, ``y``, ``z`` and ``spatial_ref``.

    Raises
    ------
    CloudError
        It is not a point cloud.
    CrsError
        It has no CRS.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        check_cloud(dataset)
        self._dataset = dataset
        self._crs = dataset_crs(dataset)

    @cached_property
    def info(self) -> CloudInfo:
        """What is known of the cloud without reading a point."""
        dataset = self._dataset
        return CloudInfo(
            path=Path(
                str(dataset.encoding.get("source") or dataset.attrs.get("source", "dataset"))
            ),
            format=str(dataset.attrs.get("format", "dataset")),
            version=str(dataset.attrs.get("version", "")),
            point_count=dataset.sizes[POINT],
            crs=self._crs,
            crs_source=str(dataset.attrs.get("crs_source", "")),
            attributes=tuple(
                Attribute(
                    attribute_name(str(name)),
                    np.dtype((variable.dtype, variable.shape[1:])),
                    str(variable.attrs.get("units", "")),
                    str(variable.attrs.get("long_name", "")),
                )
                for name, variable in dataset.data_vars.items()
                if variable.dims[:1] == (POINT,)
            ),
            point_format=dataset.attrs.get("point_format"),
            size_bytes=dataset.nbytes,
            metadata={k: dataset.attrs[k] for k in ("gps_time",) if k in dataset.attrs},
        )

    def bounds(self) -> FloatArray:
        """Smallest box of all points: shape (2, 3), float64 [CRS units]. Reads them once.

        Raises
        ------
        EmptyCloudError
            There are no points.
        """
        return box_of_points(self)

    def blocks(
        self,
        size: int = BLOCK_POINTS,
        *,
        start: int = 0,
        stop: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[ColumnBlock]:
        """Yield points `start` to `stop`, at most `size` at a time.

        Parameters
        ----------
        size : int
            Most points a block holds.
        start, stop : int
            Range of points.
        columns : sequence of str or None
            Attributes to read, ``()`` for coordinates alone; None is everything.

        Yields
        ------
        ColumnBlock
        """
        check_columns(self.info, columns)
        wanted = self.info.attribute_names if columns is None else tuple(columns)
        names = [variable_name(name) for name in wanted]
        data = self._dataset.reset_coords(AXES)[[*AXES, *names]]
        end = self.info.point_count if stop is None else min(stop, self.info.point_count)
        if not wanted and self._large_file is not None:
            for first, last in self._windows(size, start, end):
                yield ColumnBlock(self._large_file.coordinates(first, last), {})
            return
        for first, last in self._windows(size, start, end):
            part = data.isel({POINT: slice(first, last)}).compute()
            for at in range(0, last - first, size):
                piece = part.isel({POINT: slice(at, at + size)})
                xyz = np.stack([piece[axis].to_numpy() for axis in AXES], axis=1)
                yield ColumnBlock(
                    xyz.astype(np.float64, copy=False),
                    {a: piece[n].to_numpy() for a, n in zip(wanted, names, strict=True)},
                )

    @cached_property
    def _large_file(self) -> PointStore | None:
        """File that has the coordinates, where its attributes are better not decoded with them.

        They are where all of it is kept: the attributes are asked for next, more often than not.
        """
        if POINT in self._dataset[list(AXES)].chunksizes:
            return None
        store = file_of_coordinates(self._dataset)
        return None if store is None or store.is_kept_decoded else store

    def close(self) -> None:
        """Do nothing: the dataset belongs to whoever made it."""

    def __enter__(self) -> DatasetReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _windows(self, size: int, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Ranges to load at once: dask's chunks, each computed once, else `size` points."""
        chunks = self._dataset.chunksizes.get(POINT)
        if chunks is None:
            edges = np.arange(start, end, size)
        else:
            edges = np.concatenate([[0], np.cumsum(chunks)[:-1]])
        inside = [start, *(int(edge) for edge in edges if start < edge < end), end]
        for first, last in pairwise(inside):
            if first < last:
                yield first, last
