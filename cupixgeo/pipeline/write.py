"""A point-cloud dataset into a file: LAS, LAZ, COPC or PLY, whole or not at all.

What a dataset still has as its LAZ file has it is copied; see `cupixgeo.pipeline.unaltered`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from cupixgeo.atomic import atomic_output, check_output, output_error
from cupixgeo.cloud.dataset import variable_name
from cupixgeo.cloud.schema import FloatArray
from cupixgeo.cloud.spatial_ref import AXES, POINT, dataset_crs
from cupixgeo.errors import CloudError, CupixGeoWarning, FormatError, OutputError
from cupixgeo.formats.las.records import (
    ExtraDimension,
    LayoutPlan,
    RecordConverter,
    RecordLayout,
    plan_layout,
)
from cupixgeo.formats.las.writer import ChunkPlan, LasWriter
from cupixgeo.formats.ply_writer import write_ply
from cupixgeo.geodesy.units import metres_per_unit
from cupixgeo.pipeline.dataset_reader import DatasetReader
from cupixgeo.pipeline.grid import OutputGrid, plan_grid
from cupixgeo.pipeline.place import coordinate_step_m
from cupixgeo.pipeline.plan import least_point_format, output_format
from cupixgeo.pipeline.unaltered import find_unaltered

if TYPE_CHECKING:
    from cupixgeo.formats.copc.writer import CopcWriter

WRITABLE = (".laz", ".las", ".ply")


def write(
    dataset: xr.Dataset,
    to: str | os.PathLike[str],
    *,
    scale: float | Sequence[float] | None = None,
) -> Path:
    """Write a cloud to a file.

    Parameters
    ----------
    dataset : xarray.Dataset
        A cloud of any size; it is read and written block by block.
    to : path
        ``.laz``, ``.las`` (LAS 1.4), ``.copc.laz`` or ``.ply`` (binary). An existing file is
        replaced when the new one is whole. COPC holds the points in another order.
    scale : float, sequence of 3 float or None
        Step of the stored integers, CRS units; not for PLY. None keeps the grid of the file the
        cloud came from while it has not been moved, and is never coarser than it afterwards.

    Returns
    -------
    Path
        `to`.

    Notes
    -----
    Where the cloud still has all points and attributes of its LAZ file, as they are stored there,
    and there are half a million points or more, only coordinates are encoded for a ``.laz`` file:
    all else is copied from the file's chunks, which stay as long as they are.

    Warns
    -----
    CupixGeoWarning
        An attribute could not be written.

    Raises
    ------
    FormatError
        The extension is not one of those.
    OutputError
        The folder is missing, the file cannot be written, or it is the one the points are read
        from; `DiskFullError` where no room is left.
    GridOverflowError
        The coordinates do not fit the scale.
    EmptyCloudError
        There are no points.
    CloudError
        An attribute has a type the format cannot hold; or the file the points are read from is
        damaged, or was changed meanwhile.
    """
    path = Path(to)
    kind = path.suffix.lower()
    if kind not in WRITABLE:
        raise FormatError(
            f"cannot write {path.name}: choose a name that ends in .laz, .las, .copc.laz or .ply."
        )
    check_output(path)
    _check_not_own_source(dataset, path)
    reader = DatasetReader(dataset)
    with atomic_output(path) as partial:
        try:
            if kind == ".ply":
                write_ply(partial, reader)
            else:
                _write_las(dataset, reader, partial, scale, path)
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise output_error(error, path) from error
    return path


def _write_las(
    dataset: xr.Dataset,
    reader: DatasetReader,
    partial: Path,
    scale: float | Sequence[float] | None,
    path: Path,
) -> None:
    info, kind = reader.info, output_format(path)
    plan = _layout(dataset, reader, least_point_format(kind))
    if plan.dropped:
        reasons = "; ".join(dict.fromkeys(plan.dropped.values()))
        text = f"not written: {', '.join(plan.dropped)} ({reasons})"
        warnings.warn(text, CupixGeoWarning, stacklevel=4)
    unaltered = find_unaltered(dataset, plan) if kind == "LAZ" else None
    if unaltered is not None and not unaltered.is_moved and _keeps_grid(dataset, scale):
        box = unaltered.reader.bounds()  # tells the length of a unit, no more: the header will do
    else:
        box = reader.bounds()
    grid = _grid(dataset, box, scale)
    convert = RecordConverter(plan.layout, info, None)
    chunks = None if unaltered is None else unaltered.chunks
    with _open_writer(partial, kind, plan.layout, grid, dataset, box, chunks) as writer:
        if unaltered is not None:
            assert isinstance(writer, LasWriter)
            unaltered.write(writer, path, grid, box)
            return
        for block in reader.blocks():
            records = convert(block)
            steps = grid.quantise(block.xyz, name=info.path.name).steps
            for axis, name in enumerate("XYZ"):
                records[name] = steps[:, axis]
            writer.write(records)


def _open_writer(
    partial: Path,
    kind: str,
    layout: RecordLayout,
    grid: OutputGrid,
    dataset: xr.Dataset,
    box: FloatArray,
    chunks: ChunkPlan | None,
) -> LasWriter | CopcWriter:
    crs = dataset_crs(dataset)
    standard = dataset.attrs.get("gps_time") != "week"
    if kind != "COPC":
        return LasWriter(
            partial,
            layout,
            crs=crs,
            scales=grid.scales,
            offsets=grid.offsets,
            compressed=kind == "LAZ",
            chunks=chunks,
            gps_standard_time=standard,
        )
    from cupixgeo.formats.copc.writer import CopcWriter

    return CopcWriter(
        partial,
        layout,
        crs=crs,
        scales=grid.scales,
        offsets=grid.offsets,
        low=box[0],
        high=box[1],
        point_count=dataset.sizes[POINT],
        gps_standard_time=standard,
    )


def _layout(dataset: xr.Dataset, reader: DatasetReader, least_format: int) -> LayoutPlan:
    """Plan the record layout, giving scaled extra dimensions their scale back."""
    info = reader.info
    for attribute in info.attributes:
        if attribute.dtype.base.kind not in "iuf" or attribute.dtype.base.itemsize > 8:
            raise CloudError(
                f"LAS cannot hold {attribute.name!r} ({attribute.dtype.base.name}). Convert it to "
                "a number, or leave it out with .drop_vars."
            )
    plan = plan_layout([info], [None], least_format=least_format)
    extra = tuple(_rescaled(dimension, dataset) for dimension in plan.layout.extra)
    return replace(plan, layout=replace(plan.layout, extra=extra))


def _rescaled(dimension: ExtraDimension, dataset: xr.Dataset) -> ExtraDimension:
    attrs: dict[str, Any] = (
        dict(dataset[variable_name(dimension.name)].attrs)
        if (variable_name(dimension.name) in dataset)
        else {}
    )
    if "scale_factor" not in attrs:
        return dimension
    count = int(np.prod(dimension.dtype.shape))
    scales = np.broadcast_to(np.asarray(attrs["scale_factor"], np.float64), (count,))
    offsets = np.broadcast_to(np.asarray(attrs.get("add_offset", 0.0), np.float64), (count,))
    return replace(dimension, scales=tuple(scales.tolist()), offsets=tuple(offsets.tolist()))


def _keeps_grid(dataset: xr.Dataset, scale: float | Sequence[float] | None) -> bool:
    """Say whether the grid of the file the cloud came from is used."""
    encodings = [dataset[axis].encoding for axis in AXES]
    return scale is None and all("scale_factor" in e and "add_offset" in e for e in encodings)


def _grid(
    dataset: xr.Dataset, box: FloatArray, scale: float | Sequence[float] | None
) -> OutputGrid:
    encodings = [dataset[axis].encoding for axis in AXES]
    crs, (low, high) = dataset_crs(dataset), box
    if _keeps_grid(dataset, scale):
        own_scales, own_offsets = (
            tuple(float(e[key]) for e in encodings) for key in ("scale_factor", "add_offset")
        )
        middle = (low + high) / 2
        return OutputGrid(
            (own_scales[0], own_scales[1], own_scales[2]),
            (own_offsets[0], own_offsets[1], own_offsets[2]),
            metres_per_unit(crs, middle),
        )
    return plan_grid(crs, low, high, steps_m=[coordinate_step_m(dataset)], scale=scale)


def _check_not_own_source(dataset: xr.Dataset, path: Path) -> None:
    source = dataset.encoding.get("source")
    if source and path.exists() and Path(source).exists() and path.samefile(source):
        raise OutputError(
            f"cannot write {path}: the points of this cloud are read from it. Choose another name."
        )
