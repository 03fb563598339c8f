"""Moving, cutting and thinning a point-cloud dataset.

Dask-backed coordinates stay lazy; others are computed at once, block by block. Attributes are
never touched, only carried along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np
import xarray as xr

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.cloud.spatial_ref import AXES, POINT, check_cloud, dataset_crs, with_crs
from cupixgeo.errors import CloudError, FrameError
from cupixgeo.formats.extent import AreaLike, read_area
from cupixgeo.geodesy.chain import plan_chain
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label, same_crs
from cupixgeo.geodesy.transform import Transform
from cupixgeo.geodesy.units import metres_per_unit
from cupixgeo.pipeline.dataset_reader import DatasetReader
from cupixgeo.pipeline.grid import FLOAT_STEP_M

Apply = Callable[[FloatArray], FloatArray]


def place(dataset: xr.Dataset, transform: Transform) -> xr.Dataset:
    """Move a cloud from its frame to where it belongs.

    Parameters
    ----------
    dataset : xarray.Dataset
        The cloud, in ``transform.source``.
    transform : Transform
        Its placement.

    Returns
    -------
    xarray.Dataset
        The cloud in ``transform.target``; attributes as they were.

    Raises
    ------
    FrameError
        The cloud is not in ``transform.source``.
    CloudError
        The dataset is not a point cloud.
    """
    crs = dataset_crs(dataset)
    if not same_crs(crs, transform.source):
        raise FrameError(
            f"this cloud is in {crs_label(crs)}, the transform starts in "
            f"{crs_label(transform.source)}: they do not meet. Use the transform of this cloud, "
            f"or open it with crs={crs_label(transform.source)!r} if its own statement is wrong."
        )
    step = coordinate_step_m(dataset) * float(transform.scale.min())
    done = f"placed from {crs_label(crs)} to {crs_label(transform.target)}"
    return _moved(dataset, transform.apply, transform.target, step, done)


def to_crs(dataset: xr.Dataset, crs: CrsLike, *, assume: str | Iterable[str] = ()) -> xr.Dataset:
    """Bring a cloud to another CRS, calling PROJ for every point.

    Parameters
    ----------
    dataset : xarray.Dataset
        The cloud.
    crs : CrsLike
        Wanted CRS. Coordinates are in x/y (lon/lat) order, whatever its own axis order.
    assume : str or iterable of str
        Declared assumptions where PROJ has no operation to be trusted; see `plan_operation`.

    Returns
    -------
    xarray.Dataset
        The operation and its accuracy are added to the attribute ``history``.

    Raises
    ------
    FrameError
        The cloud is in a local frame: place it first.
    OperationError
        No operation can be trusted; `MissingGridError` where a grid is missing.
    CrsError
        `crs` is not a CRS, or the cloud has none.
    """
    source, target = dataset_crs(dataset), as_crs(crs)
    chain = plan_chain(source, target, assume=assume)
    known = chain.accuracy_m
    told = "accuracy not stated by PROJ" if known is None else f"accuracy {known:g} m"
    done = "; ".join((f"to_crs {chain}: {chain.operation.name} ({told})", *chain.assumptions))
    return _moved(dataset, chain.apply, target, coordinate_step_m(dataset), done)


def crop(
    dataset: xr.Dataset,
    bounds: AreaLike | None = None,
    *,
    z: tuple[float | None, float | None] | None = None,
) -> xr.Dataset:
    """Keep the points inside an area.

    Parameters
    ----------
    dataset : xarray.Dataset
        The cloud.
    bounds : 4 numbers; array_like, shape (2, 2), (2, 3) or (n, 2); mapping; or None
        West, south, east, north, or the lowest and the highest corner, edges included; the
        vertices of a polygon, or GeoJSON, in the cloud's CRS [CRS units]. Of a polygon, west and
        south edges are inside, east and north edges are not; see `read_area`.
    z : tuple of 2 (float or None) or None
        Lowest and highest z, both included [CRS units]; None where there is no limit.

    Raises
    ------
    CloudError
        `bounds` is not an area, or not in the cloud's CRS.
    """
    area = read_area(bounds, z=z)
    kept = []
    at = 0
    for block in DatasetReader(dataset).blocks(columns=()):
        inside = area.contains(*block.xyz.T)
        kept.append(np.flatnonzero(inside) + at)
        at += len(block)
        if at == dataset.sizes[POINT] and not any(map(len, kept)):
            box = np.stack([np.fmin.reduce(block.xyz), np.fmax.reduce(block.xyz)])
            area.check_units(box, dataset_crs(dataset), "this cloud")
    return dataset.isel({POINT: np.concatenate(kept) if kept else np.empty(0, np.int64)})


def thin(
    dataset: xr.Dataset, spacing_m: float | None = None, *, every: int | None = None
) -> xr.Dataset:
    """Keep fewer points: the first in each cube of an even grid, or every n-th.

    Parameters
    ----------
    dataset : xarray.Dataset
        The cloud.
    spacing_m : float or None
        Edge of the cubes [m]. The grid starts at the CRS's origin, so that the same point is
        kept whatever was cropped before.
    every : int or None
        Keep every n-th point instead, from the first on.

    Raises
    ------
    CloudError
        Neither or both are given, or the CRS is in degrees.
    """
    check_cloud(dataset)
    if (spacing_m is None) == (every is None):
        raise CloudError("give either spacing_m=, the distance to keep, or every=, a count.")
    if spacing_m is None:
        if every is None or every < 1:
            raise CloudError(f"every={every} must be 1 or more.")
        return dataset.isel({POINT: slice(None, None, every)})
    if not spacing_m > 0:
        raise CloudError(f"spacing_m={spacing_m} must be more than 0.")
    crs = dataset_crs(dataset)
    if crs.is_geographic:
        raise CloudError(
            f"{crs_label(crs)} is in degrees, so a spacing in metres means nothing in it. "
            "Bring the cloud to a projected CRS first, with .cloud.to_crs."
        )
    from cupixgeo.cloud.voxels import VoxelSet

    cubes = VoxelSet((spacing_m / np.array(metres_per_unit(crs, np.zeros(3)))).tolist())
    kept = []
    at = 0
    for block in DatasetReader(dataset).blocks(columns=()):
        finite = np.logical_and.reduce(np.isfinite(block.xyz), axis=1)
        x, y, z = np.ascontiguousarray(block.xyz.T)
        kept.append(np.flatnonzero(cubes.claim(x, y, z, finite)) + at)
        at += len(block)
    return dataset.isel({POINT: np.concatenate(kept) if kept else np.empty(0, np.int64)})


def coordinate_step_m(dataset: xr.Dataset) -> float:
    """Step between neighbouring coordinates of the cloud's file [m]: its precision.

    The step survives `place` and `to_crs`; clouds of floats count as a tenth of a millimetre.
    """
    stored = dataset.attrs.get("coordinate_step_m")
    if stored is not None:
        return float(stored)
    scales = [abs(dataset[axis].encoding.get("scale_factor", 0.0)) for axis in AXES]
    if not all(scales) or not dataset.sizes[POINT]:
        return FLOAT_STEP_M
    first = np.array([dataset[axis][:1].to_numpy()[0] for axis in AXES])
    return float(np.min(np.array(scales) * metres_per_unit(dataset_crs(dataset), first)))


def _moved(dataset: xr.Dataset, apply: Apply, crs: CrsLike, step_m: float, done: str) -> xr.Dataset:
    check_cloud(dataset)
    if POINT in dataset[list(AXES)].chunksizes:
        columns = _lazy(dataset, apply)
    else:
        columns = _eager(dataset, apply)
    moved = dataset.assign_coords(
        {axis: (POINT, column) for axis, column in zip(AXES, columns, strict=True)}
    )
    history = [line for line in (dataset.attrs.get("history", ""), done) if line]
    return with_crs(moved, crs).assign_attrs(
        history="\n".join(history), coordinate_step_m=step_m, crs_source=done
    )


def _lazy(dataset: xr.Dataset, apply: Apply) -> list[Any]:
    da: Any = import_module("dask.array")
    columns = [da.asarray(dataset[axis].data) for axis in AXES]
    chunks = columns[0].chunks
    xyz = da.stack([column.rechunk(chunks) for column in columns], axis=1).rechunk({1: 3})
    moved = xyz.map_blocks(apply, dtype=np.float64, meta=np.empty((0, 3)))
    return [moved[:, axis] for axis in range(3)]


def _eager(dataset: xr.Dataset, apply: Apply) -> list[FloatArray]:
    result = np.empty((3, dataset.sizes[POINT]))
    at = 0
    for block in DatasetReader(dataset).blocks(columns=()):
        result[:, at : at + len(block)] = apply(block.xyz).T
        at += len(block)
    return list(result)
