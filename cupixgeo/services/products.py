"""What the files of a finished job are: by name, place, and the first bytes where names lie.

Knows the layouts of DJI Terra and FlightHub, OpenDroneMap, Altizure, OpenScanCloud and Teleport.
Files are found by name at any depth, never by a fixed path: layouts differ between versions. Must
not know how files are fetched.

Sources: layouts as listed for DJI in this project's notes on its outputs (``result.tif``,
``terra_*`` folders); OpenDroneMap's documentation, *Outputs*; splat files by the vertex properties
of the INRIA reference implementation (``f_dc_0``, ``opacity``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

KINDS: dict[str, str] = {
    "pointcloud": "points with coordinates: LAS, LAZ, PLY, PNTS, PCD, EPT",
    "mesh": "a surface: OBJ, PLY with faces, B3DM, OSGB, GLB",
    "texture": "pictures and materials of a mesh",
    "orthophoto": "a picture that is a map",
    "dsm": "surface heights as a raster",
    "dtm": "ground heights as a raster",
    "raster": "any other georeferenced raster",
    "splats": "Gaussian splats: PLY, SPZ, SOG, KSPLAT, TerraGS",
    "tiles": "a picture pyramid for web maps",
    "cameras": "where the photos were taken, as adjusted",
    "report": "what the service says about the quality",
    "metadata": "coordinate systems, origins, logs",
    "archive": "a zip whose members have kinds of their own",
    "other": "anything else",
}
"""Kinds of products, and what they are."""

_NAMES: tuple[tuple[str, str], ...] = (
    (r"(.*/)?(report|reports|odm_report)/.*\.(json|pdf|html?|txt|png|jpg)", "report"),
    (r"(.*/)?[^/]*report\.(json|pdf|html?)", "report"),
    (r"(.*/)?metadata\.xml", "metadata"),
    (r"(.*/)?(sfm_)?geo_desc\.json", "metadata"),
    (r"(.*/)?meta\.json", "metadata"),
    (r".*\.(tfw|prj|wld|aux\.xml|log)", "metadata"),
    (r"(.*/)?(cameras|shots|images|poses?)\.(json|geojson|txt|xml)", "cameras"),
    (r"(.*/)?blocksexchange\.xml", "cameras"),
    (r".*_sbet\.out", "cameras"),
    (r"(.*/)?(dsm|odm_dem/dsm[^/]*)\.tiff?", "dsm"),
    (r"(.*/)?(dtm|dem|odm_dem/dtm[^/]*)\.tiff?", "dtm"),
    (r"(.*/)?(result|dom|[^/]*ortho[^/]*)\.tiff?", "orthophoto"),
    (r".*\.tiff?", "raster"),
    (r"(.*/)?\d{1,2}/\d+/\d+\.(png|jpg|webp)", "tiles"),
    (r".*\.(las|laz|pnts|pcd|e57|xyz)", "pointcloud"),
    (r"(.*/)?(ept\.json|entwine_pointcloud/.*)", "pointcloud"),
    (r".*\.(spz|splat|ksplat|sog|sogs|terrags|tgs)", "splats"),
    (r".*\.(obj|b3dm|i3dm|cmpt|osgb|glb|gltf|fbx|dae|stl|3mx|3mxb|s3mb|i3s|slpk)", "mesh"),
    (r".*\.mtl", "texture"),
    (r".*\.zip", "archive"),
)
_RULES = tuple((re.compile(pattern, re.IGNORECASE), kind) for pattern, kind in _NAMES)
_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_MESHES = frozenset({".obj", ".osgb", ".gltf", ".dae", ".fbx"})
_HEAD = 16 * 1024


def kind_of_name(name: str) -> str:
    """Tell the kind of a product from its name alone, for an inventory.

    Parameters
    ----------
    name : str
        A path with ``/``, or just a name.

    Returns
    -------
    str
        One of `KINDS`. A PLY is called a point cloud until it was looked into.

    Examples
    --------
    >>> kind_of_name("models/pc/0/terra_las/cloud_merged.las")
    'pointcloud'
    >>> kind_of_name("map/gsddsm.tif")
    'raster'
    """
    for pattern, kind in _RULES:
        if pattern.fullmatch(name):
            return kind
    return "pointcloud" if name.lower().endswith(".ply") else "other"


def classify(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file below a folder with its kind; hidden files and folders are passed over.

    Parameters
    ----------
    folder : Path
        Root of what was fetched or unpacked.

    Yields
    ------
    (Path, str)
        In order of their names.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    inner = [(path, PurePosixPath(path.relative_to(folder).as_posix())) for path in files]
    shown = [(p, name) for p, name in inner if not any(x.startswith(".") for x in name.parts)]
    mesh_folders = {path.parent for path, _ in shown if path.suffix.lower() in _MESHES}
    points_below = {
        parent for path, _ in shown if path.suffix.lower() == ".pnts" for parent in path.parents
    }
    splat_bundles = {path.parent for path, _ in shown if _is_splat_meta(path)}
    for path, name in shown:
        kind = kind_of_name(str(name))
        suffix = path.suffix.lower()
        if path.parent in splat_bundles and kind in ("other", "metadata"):
            kind = "splats"
        elif suffix == ".ply":
            kind = kind_of_ply(path)
        elif path.name.lower() == "tileset.json":
            kind = "pointcloud" if path.parent in points_below else "mesh"
        elif kind == "other" and suffix in _PICTURES and path.parent in mesh_folders:
            kind = "texture"
        yield path, kind


def kind_of_ply(path: Path) -> str:
    """Tell points, meshes and Gaussian splats in PLY apart by the header."""
    with path.open("rb") as file:
        head = file.read(_HEAD).partition(b"end_header")[0]
    words = [line.split() for line in head.splitlines()]
    properties = {line[-1] for line in words if line[:1] == [b"property"]}
    faces = [line for line in words if line[:2] == [b"element", b"face"] and len(line) == 3]
    if {b"f_dc_0", b"opacity"} <= properties:
        return "splats"
    if any(line[2] != b"0" for line in faces):
        return "mesh"
    return "pointcloud"


def _is_splat_meta(path: Path) -> bool:
    """Say whether a ``meta.json`` is that of a self-organizing-Gaussians bundle."""
    if path.name.lower() != "meta.json":
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return b'"sh0"' in head or b'"quats"' in head
