"""Opening the part of a file that is asked for, by what the file is.

Knows that a COPC file is an octree, so that most of what is not asked for need not be read; of
other files every point is looked at. Must not know how either is read.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray, PointReader
from cupixgeo.errors import CloudError
from cupixgeo.formats.copc.reader import CopcReader
from cupixgeo.formats.extent import Area, AreaLike, read_area
from cupixgeo.formats.las.reader import LasReader, header_box
from cupixgeo.formats.opening import OpenFile, Where, open_file
from cupixgeo.formats.part import Kept, PartReader, find_kept
from cupixgeo.formats.registry import open_reader
from cupixgeo.formats.vpc import VirtualReader, open_member_file
from cupixgeo.geodesy.crs import CrsLike, crs_label
from cupixgeo.geodesy.units import metres_per_unit


class PartOpener:
    """Opens part of a file, any number of times, in any process; chooses its points once.

    Parameters
    ----------
    where : path or str
        The file, or its http(s) address.
    crs : CrsLike or None
        CRS of its coordinates, overriding what the file states.
    bounds : AreaLike or None
        Area to keep, in the file's CRS [CRS units]; see `read_area`.
    spacing_m : float or None
        Distance between points that is fine enough [m].

    opening : callable
        Opens the file.

    Raises
    ------
    CloudError
        `bounds` is not an area, or `spacing_m` not a positive number.
    """

    def __init__(
        self,
        where: Where,
        *,
        crs: CrsLike | None = None,
        bounds: AreaLike | None = None,
        spacing_m: float | None = None,
        opening: Callable[[Where], OpenFile] = open_file,
    ) -> None:
        if spacing_m is not None and not 0 < spacing_m < np.inf:
            raise CloudError(f"spacing_m={spacing_m} must be a number of metres, more than 0.")
        self._where = where
        self._opening = opening
        self._crs = crs
        self._area: Area = read_area(bounds)
        self._spacing_m = spacing_m
        self._kept: Kept | None = None
        self._members: list[PartOpener] | None = None

    def __call__(self) -> PointReader:
        """Open the part.

        Raises
        ------
        CloudError, ServiceError, TransferError
            As `cupixgeo.formats.registry.open_cloud`.
        """
        file = self._opening(self._where)
        try:
            reader = open_reader(file, crs=self._crs)
            info = reader.info
            if isinstance(reader, VirtualReader):
                return reader.part(self._of_members(reader))
            if isinstance(reader, LasReader):
                self._area.check_units(header_box(reader.facts), info.crs, info.path)
            elif info.point_count and not self._area.is_everywhere and self._kept is None:
                self._area.check_units(reader.bounds(), info.crs, info.path)
            edges = None if self._spacing_m is None else _edges(self._spacing_m, info.crs)
            if info.format == "COPC":
                spacing = None if edges is None else float(edges[0])
                reader = CopcReader(file, crs=self._crs, bounds=self._area, spacing=spacing)
            if self._kept is None:
                self._kept = self._choose(reader, edges)
            return PartReader(reader, self._area, self._kept)
        except BaseException:
            file.close()
            raise

    def __str__(self) -> str:
        limits = [] if self._area.is_everywhere else [f"within {self._area}"]
        limits += [] if self._spacing_m is None else [f"{self._spacing_m:g} m apart"]
        return f"opened in part: points {', '.join(limits)}"

    def _of_members(self, reader: VirtualReader) -> list[PartOpener]:
        """Give what opens the parts of those files of a virtual point cloud that may hold some."""
        if self._members is None:
            self._area.check_units(reader.bounds(), reader.info.crs, reader.info.path)
            self._members = [
                PartOpener(
                    member.where,
                    crs=self._crs,
                    bounds=self._area,
                    spacing_m=self._spacing_m,
                    opening=open_member_file,
                )
                for member in reader.near(self._area)
            ]
        return self._members

    def _choose(self, reader: PointReader, edges: FloatArray | None) -> Kept:
        if isinstance(reader, CopcReader):
            step = np.abs(reader.facts.scales)
            low, high = reader.cells.low - step, reader.cells.high + step
            return find_kept(reader, self._area, covered=self._area.covers(low, high))
        if edges is None:
            return find_kept(reader, self._area)
        from cupixgeo.cloud.voxels import VoxelSet

        return find_kept(reader, self._area, voxels=VoxelSet(edges.tolist()))


def _edges(spacing_m: float, crs: CRS) -> FloatArray:
    """Distance in the units of each axis, shape (3,), float64 [CRS units]."""
    if crs.is_geographic:
        raise CloudError(
            f"{crs_label(crs)} is in degrees, so a spacing in metres means nothing in it. Open the "
            "file without spacing_m=, bring the cloud to a projected CRS with .cloud.to_crs, and "
            "thin it then."
        )
    return spacing_m / np.array(metres_per_unit(crs, np.zeros(3)))
