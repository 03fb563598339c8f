"""What a user may hand to a scene as clouds, opened as sources of points.

Knows datasets, paths and addresses, and names for them. Must not know widgets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from cupixgeo.errors import ArgumentError, CrsError, FormatError
from cupixgeo.formats.registry import open_cloud
from cupixgeo.geodesy.crs import crs_label, same_crs
from cupixgeo.progress import ProgressFn
from cupixgeo.widgets.points import Frame, PointSource, refuse_crs
from cupixgeo.widgets.points_memory import MemoryCloud
from cupixgeo.widgets.points_octree import OctreeCloud
from cupixgeo.widgets.points_paint import RGB

Cloud: TypeAlias = xr.Dataset | str | os.PathLike[str]
"""A dataset, a path, or an http(s) address."""

Clouds: TypeAlias = Cloud | Mapping[str, Cloud] | Sequence[Cloud] | None


def named(clouds: Clouds) -> dict[str, Cloud]:
    """Give each cloud a name.

    Parameters
    ----------
    clouds : Cloud, mapping of str to Cloud, sequence of Cloud, or None
        Names of a mapping are kept; others come from file names.

    Raises
    ------
    ArgumentError
        One of them is not a cloud.
    """
    found: dict[str, Any] = {}
    if isinstance(clouds, Mapping) and not isinstance(clouds, xr.Dataset):
        found = {str(name): cloud for name, cloud in clouds.items()}
    elif clouds is not None:
        single = isinstance(clouds, xr.Dataset | str | os.PathLike)
        if not single and not isinstance(clouds, Sequence):
            clouds = [clouds]  # it is named below, and refused
        several: Any = [clouds] if single else clouds
        for cloud in several:
            name = _name(cloud)
            number = 2
            while name in found:
                name, number = f"{_name(cloud)} ({number})", number + 1
            found[name] = cloud
    for name, cloud in found.items():
        if not isinstance(cloud, xr.Dataset | str | os.PathLike):
            raise ArgumentError(
                f"{name!r} is a {type(cloud).__name__}, which a scene cannot show. Give a dataset "
                "of cupixgeo.open, a path, an http(s) address, or a mapping of names to these."
            )
    return found


def _name(cloud: Any) -> str:
    if isinstance(cloud, xr.Dataset):
        return str(cloud.attrs.get("source") or "cloud")
    return PurePath(str(cloud)).name if isinstance(cloud, str | os.PathLike) else "cloud"


def check_count(max_points: int) -> int:
    """Refuse a number of points with which nothing can be shown.

    Raises
    ------
    ArgumentError
        It is not a whole number from 1 on.
    """
    if not isinstance(max_points, int | np.integer) or max_points < 1:
        raise ArgumentError(f"max_points={max_points!r} is no number of points from 1 on.")
    return int(max_points)


def open_source(
    name: str,
    cloud: Cloud,
    *,
    frame: Frame | None,
    color: str | None,
    max_points: int,
    progress: ProgressFn | None = None,
) -> PointSource:
    """Open a cloud; of a dataset the points are read, of a COPC file the coarsest.

    Parameters
    ----------
    name : str
        What it is called in the scene.
    cloud : Cloud
        What was given.
    frame : Frame or None
        Of the scene it goes to; None where it will be the first.
    color : str or None
        What it will be coloured by; None is not known yet.
    max_points : int
        Most points of a dataset kept in memory.
    progress : callable or None
        Told while points are read.

    Raises
    ------
    EmptyCloudError
        It has no points, or none with finite coordinates.
    CrsError
        Its CRS is not that of the scene, or one in which nothing can be drawn to scale.
    CloudError, ServiceError, TransferError
        It cannot be read.
    """
    source: MemoryCloud | OctreeCloud
    if isinstance(cloud, xr.Dataset):
        source = MemoryCloud(name, cloud, max_points=max_points)
    else:
        try:
            source = OctreeCloud(name, cloud)
        except FormatError:  # whatever else it is
            source = MemoryCloud(name, open_cloud(cloud), max_points=max_points)
    try:
        if frame is not None:
            check_crs(source, frame)
        if source.crs.is_geographic or source.crs.is_geocentric:
            refuse_crs(source.crs, source.somewhere())
        if isinstance(source, MemoryCloud):
            source.load(_needed(source, color), progress)
    except BaseException:
        source.close()
        raise
    return source


def check_crs(source: PointSource, frame: Frame) -> None:
    """Refuse a cloud that is not in the CRS of a scene.

    Raises
    ------
    CrsError
        It is not.
    """
    if not same_crs(source.crs, frame.crs):
        code = frame.crs.to_epsg() or "scene.crs"
        raise CrsError(
            f"{source.name} is in {crs_label(source.crs)}, the scene in {crs_label(frame.crs)}. "
            f"Bring the cloud to the CRS of the scene first, with .cloud.to_crs({code})."
        )


def _needed(source: PointSource, color: str | None) -> list[str]:
    """Variables to read together with the coordinates."""
    wanted = RGB if color in (None, "rgb") else (str(color),)
    return [name for name in wanted if name in source.variables]
