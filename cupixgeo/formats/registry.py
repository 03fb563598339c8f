"""Formats by what files contain: one row each, loaded when first met.

A new format is a module with a reader class and a row in `READERS`. Must not know any format.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import xarray as xr

from cupixgeo.cloud.schema import PointReader
from cupixgeo.errors import FormatError
from cupixgeo.formats.sniff import describe_content, head_of
from cupixgeo.geodesy.crs import CrsLike

READERS: dict[bytes, str] = {
    b"LASF": "cupixgeo.formats.las.reader:LasReader",
    b"ply\n": "cupixgeo.formats.ply:PlyReader",
    b"ply\r": "cupixgeo.formats.ply:PlyReader",
}
"""First bytes of a file, and the dotted name of the class that reads it."""

READABLE = "LAS, LAZ (1.0 to 1.5), COPC and PLY"


def open_reader(path: str | os.PathLike[str], *, crs: CrsLike | None = None) -> PointReader:
    """Open a point-cloud file for reading, whatever its name says.

    Parameters
    ----------
    path : path
        The file. What counts is its content, not its extension.
    crs : CrsLike or None
        CRS of its coordinates, overriding what the file states.

    Returns
    -------
    PointReader
        A context manager.

    Raises
    ------
    CloudError
        There is no such file, or it may not be read.
    FormatError
        Its content is none of the formats this toolkit reads.
    CorruptFileError
        It contradicts itself or its own size.
    """
    head = head_of(path)
    for signature, name in READERS.items():
        if head.startswith(signature):
            module, _, attribute = name.partition(":")
            reader: PointReader = getattr(import_module(module), attribute)(path, crs=crs)
            return reader
    raise FormatError(
        f"{Path(path)} is not a point cloud this toolkit reads but {describe_content(head)}, "
        f"whatever its name says. It reads {READABLE}; check that the right file was given and "
        "that it was downloaded whole."
    )


def can_open(path: str | os.PathLike[str]) -> bool:
    """Say whether the content of a file is of a format listed in `READERS`.

    Raises
    ------
    CloudError
        There is no such file, or it may not be read.
    """
    return head_of(path).startswith(tuple(READERS))


def open_cloud(path: str | os.PathLike[str], *, crs: CrsLike | None = None) -> xr.Dataset:
    """Open a point-cloud file as a dataset that reads its points when they are needed.

    Parameters
    ----------
    path : path
        A LAS, LAZ, COPC or PLY file.
    crs : CrsLike or None
        CRS of its coordinates, overriding what the file states.

    Returns
    -------
    xarray.Dataset
        Dimension ``point``; coordinates ``x``, ``y``, ``z`` (float64) and ``spatial_ref``;
        attributes as data variables. For dask arrays use ``.chunk()``, or
        ``xarray.open_dataset(path, engine="cupixgeo", chunks={})``.

    Raises
    ------
    CloudError
        As `open_reader`.
    """
    from cupixgeo.formats.xarray_engine import CupixGeoBackend

    return xr.open_dataset(path, engine=CupixGeoBackend, crs=crs)
