"""Whether the variables of a dataset still are the columns of the file it was opened from.

Read from what xarray and dask wrap a backend's array in, so that nothing has to be remembered
when points are selected or values change. What is not recognised counts as changed.
"""

from __future__ import annotations

from typing import Any

import xarray as xr
from xarray.core import indexing

from cupixgeo.cloud.dataset import PointArray, PointStore, attribute_name
from cupixgeo.cloud.spatial_ref import AXES, POINT

_LAZY = (
    indexing.MemoryCachedArray,
    indexing.CopyOnWriteArray,
    indexing.ImplicitToExplicitIndexingAdapter,
    indexing.LazilyIndexedArray,
)
"""What xarray wraps a backend's array in; each hands on all of the one it holds, or a part."""


def stored_file(dataset: xr.Dataset) -> PointStore | None:
    """Give the file of which a dataset still holds all attributes of all points, as stored.

    Nothing has to be remembered for that, so nothing can be forgotten: a variable that was
    selected from, computed, changed or only looked at as a whole is not made of the file's column
    any more. Coordinates may be anything; see `file_of_coordinates`.

    Parameters
    ----------
    dataset : xarray.Dataset
        A point cloud.

    Returns
    -------
    PointStore or None
        None unless it is certain.
    """
    variables = {str(k): v for k, v in dataset.data_vars.items() if v.dims[:1] == (POINT,)}
    columns = {name: _stored_column(v.variable) for name, v in variables.items()}
    store = next((column.store for column in columns.values() if column is not None), None)
    if store is None or dataset.sizes[POINT] != store.info.point_count:
        return None
    if {attribute_name(name) for name in columns} != set(store.info.attribute_names):
        return None
    whole = all(_is_column(c, store, attribute_name(name)) for name, c in columns.items())
    return store if whole else None


def file_of_coordinates(dataset: xr.Dataset) -> PointStore | None:
    """Give the file of which a dataset's coordinates are those of all points, not moved.

    None unless it is certain; see `stored_file`.
    """
    columns = [_stored_column(dataset[axis].variable) for axis in AXES]
    store = None if columns[0] is None else columns[0].store
    if store is None or dataset.sizes[POINT] != store.info.point_count:
        return None
    whole = all(_is_column(c, store, axis) for c, axis in zip(columns, AXES, strict=True))
    return store if whole else None


def _stored_column(variable: xr.Variable) -> PointArray | None:
    """Give the column of a file that a variable is; None for a part of one, or anything else."""
    data: Any = variable._data
    if hasattr(data, "dask"):  # an array that was cut into chunks, with nothing done to them
        own, root = data.name, f"original-{data.name}"
        layers = getattr(data.dask, "layers", {})
        data = dict(layers[root]).get(root) if set(layers) == {own, root} else None
    while isinstance(data, _LAZY):
        if isinstance(data, indexing.LazilyIndexedArray) and not _is_everything(data):
            return None
        data = data.array
    return data if isinstance(data, PointArray) else None


def _is_everything(lazy: indexing.LazilyIndexedArray) -> bool:
    return all(
        isinstance(key, slice) and key.indices(size) == (0, size, 1)
        for key, size in zip(lazy.key.tuple, lazy.array.shape, strict=True)
    )


def _is_column(column: PointArray | None, store: PointStore, name: str) -> bool:
    return column is not None and column.store is store and column.name == name
