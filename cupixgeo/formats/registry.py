"""Formats by what files contain: one row each, loaded when first met.

A new format is a module with a reader class and a row in `READERS`. Must not know any format.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cupixgeo.cloud.schema import PointReader
from cupixgeo.errors import FormatError
from cupixgeo.formats.extent import AreaLike
from cupixgeo.formats.opening import OpenFile, Where, is_address, open_file
from cupixgeo.formats.sniff import HEAD_BYTES, describe_content, head_of
from cupixgeo.geodesy.crs import CrsLike

if TYPE_CHECKING:
    import xarray as xr

READERS: dict[bytes, str] = {
    b"LASF": "cupixgeo.formats.las.reader:LasReader",
    b"ply\n": "cupixgeo.formats.ply:PlyReader",
    b"ply\r": "cupixgeo.formats.ply:PlyReader",
    b'{"type":"FeatureCollection"': "cupixgeo.formats.vpc:VirtualReader",
    b'{\n  "type": "FeatureCollection"': "cupixgeo.formats.vpc:VirtualReader",
}
"""First bytes of a file, and the dotted name of the class that reads it."""

ADDRESSABLE = (".las", ".laz", ".vpc")
"""Ends of the names of what can be read behind an address."""

READABLE = "LAS, LAZ (1.0 to 1.5), COPC, PLY and virtual point clouds (VPC)"


def open_reader(path: Where | OpenFile, *, crs: CrsLike | None = None) -> PointReader:
    """Open a point-cloud file for reading, whatever its name says.

    Parameters
    ----------
    path : path, str or OpenFile
        The file, or its http(s) address, read by range requests. What counts is its content, not
        its extension.
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
    ServiceError, TransferError
        The server does not give it.
    """
    file = path if isinstance(path, OpenFile) else open_file(path)
    try:
        file.stream.seek(0)
        head = file.stream.read(HEAD_BYTES)
        for signature, name in READERS.items():
            if head.startswith(signature):
                module, _, attribute = name.partition(":")
                reader: PointReader = getattr(import_module(module), attribute)(file, crs=crs)
                return reader
    except BaseException:
        file.close()
        raise
    file.close()
    raise FormatError(
        f"{file.path} is not a point cloud this toolkit reads but {describe_content(head)}, "
        f"whatever its name says. It reads {READABLE}; check that the right file was given and "
        "that it was downloaded whole."
    )


def can_open(path: Where) -> bool:
    """Say whether the content of a file is of a format listed in `READERS`.

    What is behind an address is not asked for; its name decides.

    Raises
    ------
    CloudError
        There is no such file, or it may not be read.
    """
    if is_address(path):
        return PurePosixPath(urlsplit(str(path)).path.lower()).suffix in ADDRESSABLE
    return head_of(path).startswith(tuple(READERS))


def open_cloud(
    path: str | os.PathLike[str],
    *,
    crs: CrsLike | None = None,
    bounds: AreaLike | None = None,
    spacing_m: float | None = None,
) -> xr.Dataset:
    """Open a point-cloud file, or part of it, as a dataset that reads its points when needed.

    A part is found by looking at the coordinates of every compressed chunk that may hold some of
    it, once, before this returns. A COPC file is not read but where the area's edges are, and
    down to the level that is fine enough; any other file is read through for its coordinates.

    Parameters
    ----------
    path : path or str
        A LAS, LAZ, COPC or PLY file, or a virtual point cloud; or the http(s) address of one that
        is not PLY, of which only what is needed is fetched, by range requests.
    crs : CrsLike or None
        CRS of its coordinates, overriding what the file states.
    bounds : AreaLike or None
        Keep the points in a box (west, south, east, north, or two corners; edges included) or in
        a polygon (vertices, or GeoJSON), in the file's CRS [CRS units]; see `read_area`.
    spacing_m : float or None
        Distance between points that is fine enough [m]. Of a COPC file the levels down to that
        spacing are read; of other files the first point in each cube of that edge is kept, as
        ``.cloud.thin`` does.

    Returns
    -------
    xarray.Dataset
        Dimension ``point``; coordinates ``x``, ``y``, ``z`` (float64) and ``spatial_ref``;
        attributes as data variables. For dask arrays use ``.chunk()``, or
        ``xarray.open_dataset(path, engine="cupixgeo", chunks={})``.

    Raises
    ------
    CloudError
        As `open_reader`; or `bounds` is not an area, or not in the file's CRS; or `spacing_m` is
        not a positive number, or the CRS is in degrees.
    ServiceError, TransferError
        The server does not give the file, or not in parts.
    """
    import xarray as xr

    from cupixgeo.formats.xarray_engine import CupixGeoBackend

    return xr.open_dataset(
        path, engine=CupixGeoBackend, crs=crs, bounds=bounds, spacing_m=spacing_m
    )
