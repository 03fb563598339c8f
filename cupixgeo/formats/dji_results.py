"""What a DJI reconstruction delivered, wherever the files lie.

Knows names: ``result.tif``, ``terra_*`` folders, ``tileset.json``. Products are found by name at
any depth and never by a fixed path, because nobody has described the inside of a FlightHub archive.
Hidden folders hold intermediates and are passed over. Must not know how results are fetched.

Sources: project folders of DJI Terra as several public readers describe them. The map from flags to
folders is inferred from their names; ``terra_s3mb``, ``terra_i3s`` and ``terra_pcd`` were not seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from cupixgeo.errors import CloudError, CrsError
from cupixgeo.formats.dji import (
    DjiMetadata,
    agreed,
    logged_descriptor,
    read_descriptor,
    read_metadata,
)
from cupixgeo.geodesy.crs import as_crs, is_local
from cupixgeo.geodesy.operation import plan_operation
from cupixgeo.geodesy.transform import Transform

Vector = NDArray[np.float64]

_TERRA: dict[str, tuple[str, str]] = {
    "terra_las": ("pointcloud", "las"),
    "terra_las_1_4": ("pointcloud", "las"),
    "terra_point_ply": ("pointcloud", "ply"),
    "terra_pnts": ("pointcloud", "pnts"),
    "terra_pcd": ("pointcloud", "pcd"),
    "terra_b3dms": ("mesh", "b3dm"),
    "terra_osgbs": ("mesh", "osgb"),
    "terra_obj": ("mesh", "obj"),
    "terra_ply": ("mesh", "ply"),
    "terra_s3mb": ("mesh", "s3mb"),
    "terra_i3s": ("mesh", "i3s"),
    "terra_dem": ("dtm", "tif"),
    "terra_contour": ("contours", ""),
}
"""Folder → kind and format."""

_FILES: tuple[tuple[str, str, str], ...] = (
    (r"result\.tif", "orthophoto", "tif"),
    (r"dsm\.tif", "dsm", "tif"),
    (r"gsddsm\.tif", "coarse dsm", "tif"),
    (r"dem\.tif", "dtm", "tif"),
    (r"(green|red|rededge|nir|rgb|gndvi|lci|ndre|ndvi|osavi)\.tif", "multispectral", "tif"),
    (r"tileset\.terrags", "splats", "terrags"),
    (r"point_cloud\.ply", "splats", "ply"),
    (r".*_sbet\.out", "trajectory", "sbet"),
    (r"blocksexchange\.xml", "cameras", "xml"),
    (r"(map|model)_report\.json", "report", "json"),
    (r".*\.(las|laz)", "pointcloud", "las"),
)
_ORIGIN_TOLERANCE_M = (1.0, 2.0)
_TILES_TOLERANCE_M = 5.0
_PLACE_PRJ = ("dsm.prj", "result.prj")
_FAR_M = 20_000.0
"""[m] A cloud whose middle is nearer to 0 than this has had its origin taken off."""


@dataclass(frozen=True)
class DjiProduct:
    """One product of a result set.

    Parameters
    ----------
    kind, format : str
        ``"pointcloud"`` and ``"las"``, ``"mesh"`` and ``"b3dm"``, ``"orthophoto"`` and ``"tif"``, …
    path : Path
        Its folder (``terra_*``) or its file.
    files : int
        Files in it.
    bytes : int
        Their size [byte].
    level : int or None
        Level of detail of splats, 0 the finest.
    """

    kind: str
    format: str
    path: Path
    files: int
    bytes: int
    level: int | None = None


def inventory(folder: Path) -> tuple[DjiProduct, ...]:
    """List the products below a folder.

    Parameters
    ----------
    folder : Path
        Unpacked results, or a project folder.

    Returns
    -------
    tuple of DjiProduct
        In the order of their paths. What belongs to no known product is left out.
    """
    products, taken = [], set[Path]()
    for path in _visible(folder):
        if any(parent in taken for parent in path.parents):
            continue
        if path.is_dir():
            if path.name in _TERRA:
                taken.add(path)
                products.append(_product(*_TERRA[path.name], path))
            continue
        for pattern, kind, format in _FILES:
            if re.fullmatch(pattern, path.name, re.IGNORECASE):
                products.append(_product(kind, format, path))
                break
    return tuple(products)


def metadata_of(path: Path, folder: Path) -> DjiMetadata | None:
    """Find the metadata.xml nearest to a file: beside it, or above it up to `folder`."""
    for place in path.parents:
        if (place / "metadata.xml").is_file():
            return read_metadata(place / "metadata.xml")
        if place == folder:
            break
    return None


def project_crs(folder: Path) -> tuple[CRS, str] | None:
    """Find the CRS of a whole result set.

    Looked at in this order: ``dsm.prj``, ``result.prj``, all metadata.xml (which have to agree),
    the descriptor in the log. Headers of rasters and clouds are for those who open them.

    Returns
    -------
    (CRS, str) or None
        The CRS and where it was found; None where nothing says it.

    Raises
    ------
    CorruptFileError
        If the copies of metadata.xml contradict each other.
    """
    paths = list(_visible(folder))
    for name in _PLACE_PRJ:
        for path in paths:
            if path.name.lower() == name and path.is_file():
                try:
                    return as_crs(path.read_text(encoding="utf-8", errors="replace")), path.name
                except CrsError:
                    continue  # the next source may be readable
    found = agreed([read_metadata(p) for p in paths if p.name == "metadata.xml"])
    if found is not None and found.is_placed:
        return found.crs, f"{found.path.parent.name}/metadata.xml"
    for path in paths:
        descriptor = logged_descriptor(path) if path.name == "SDK_Log.txt" else None
        if descriptor is not None and descriptor.cs_type:
            return descriptor.crs, path.name
    return None


def cloud_crs(path: Path, folder: Path, *, middle: Vector) -> CRS | None:
    """Say in which CRS the points of a file without one are.

    Parameters
    ----------
    path : Path
        A point cloud that states no CRS, a PLY.
    folder : Path
        Root of its result set.
    middle : ndarray, shape (3,), float64, in the file's own coordinates
        Middle of its points.

    Returns
    -------
    CRS or None
        The set's CRS where the coordinates are whole; the local frame of its metadata.xml where
        they count from the origin, whose ``placement`` leads on; None where nothing says it.
    """
    metadata = metadata_of(path, folder)
    known = project_crs(folder)
    placed = metadata.crs if metadata is not None and metadata.is_placed else None
    crs = placed if placed is not None else known[0] if known is not None else None
    if crs is None or is_local(crs) or crs.is_geographic:
        return crs
    if np.abs(middle[:2]).max() >= _FAR_M:
        return crs
    return metadata.frame if metadata is not None else None


def check(folder: Path) -> list[str]:
    """Compare what the texts of a result set say about its place with each other.

    Returns
    -------
    list of str
        One sentence for each contradiction; empty where there is none.
    """
    paths = list(_visible(folder))
    try:
        metadata = agreed([read_metadata(p) for p in paths if p.name == "metadata.xml"])
        if metadata is None or not metadata.is_placed or is_local(metadata.crs):
            return []
        earth = plan_operation(metadata.crs, 4978).apply(np.array([metadata.origin]))[0]
    except CloudError as error:
        return [str(error)]
    problems: list[str] = []
    for path in paths:
        if path.name == "sfm_geo_desc.json":
            problems += _against_reference(path, earth)
        elif path.name == "tileset.json":
            problems += _against_tiles(path, earth)
    return problems


def _against_reference(path: Path, earth: Vector) -> Iterator[str]:
    way = read_descriptor(path).transform
    if way is None:
        return
    east, north, up = way.inverse.apply(earth[None])[0]
    across = float(np.hypot(east, north))
    if across > _ORIGIN_TOLERANCE_M[0] or abs(up) > _ORIGIN_TOLERANCE_M[1]:
        yield (
            f"{path.name} puts the origin {across:.2f} m away from SRSOrigin, and {up:+.2f} m in "
            "height"
        )


def _against_tiles(path: Path, earth: Vector) -> Iterator[str]:
    way = tiles_placement(path)
    if way is None:
        return
    off = float(np.linalg.norm(way.matrix[:3, 3] - earth))
    if off > _TILES_TOLERANCE_M:
        yield f"{path.parent.name}/{path.name} is placed {off:.1f} m away from SRSOrigin"


def tiles_placement(path: Path) -> Transform | None:
    """Read where a 3D Tiles set is: its root transform, to geocentric coordinates.

    Parameters
    ----------
    path : Path
        A ``tileset.json`` or ``tileset.terrags``.

    Returns
    -------
    Transform or None
        From the tiles' own frame to EPSG:4978; None where it has none (its child has).
    """
    try:
        root = json.loads(path.read_text(encoding="utf-8"))["root"]
        numbers = root.get("transform")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CloudError(f"{path} is no tile set ({type(error).__name__}).") from error
    if numbers is None:
        return None
    frame = f"dji:tiles/{path.parent.name}"
    return Transform.from_column_major(numbers, source=frame, target=4978)


def _visible(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _product(kind: str, format: str, path: Path) -> DjiProduct:
    files = [path] if path.is_file() else [p for p in _visible(path) if p.is_file()]
    level = re.fullmatch(r"LOD(\d+)", path.parent.name)
    size = sum(file.stat().st_size for file in files)
    return DjiProduct(kind, format, path, len(files), size, int(level[1]) if level else None)
