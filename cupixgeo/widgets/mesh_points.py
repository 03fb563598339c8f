"""A textured mesh as points, so that a scene can show it: samples of its triangles, in colour.

Knows Wavefront OBJ and the pictures its materials name. Points are for looking at: they are made
up between the vertices. Must not know services.

Source: Wavefront *Object Files (.obj)*, Appendix B1; *Material Library File (.mtl)*, map_Kd.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import xarray as xr

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.cloud.spatial_ref import AXES, POINT, with_crs
from cupixgeo.errors import CorruptFileError, EmptyCloudError
from cupixgeo.geodesy.crs import CrsLike

SAMPLES = 300_000
"""Points a mesh is shown with."""

GREY = 160
"""Colour of a face without a picture."""

_CORNER = re.compile(rb"(-?\d+)(?:/(-?\d*))?\S*")


@dataclass(frozen=True)
class Faces:
    """Triangles that share a material.

    Parameters
    ----------
    corners : ndarray, shape (n, 3, 3), float64
        Coordinates of the corners [units of the mesh].
    places : ndarray, shape (n, 3, 2), float64
        Where the corners are in the picture, 0 to 1 from its lower left; NaN without a picture.
    picture : Path or None
        The picture.
    """

    corners: FloatArray
    places: FloatArray
    picture: Path | None


def mesh_points(paths: Iterable[Path], crs: CrsLike, *, samples: int = SAMPLES) -> xr.Dataset:
    """Make a cloud of points on the triangles of a mesh.

    Parameters
    ----------
    paths : iterable of Path
        OBJ files that are one mesh together.
    crs : CrsLike
        What their coordinates are in.
    samples : int
        Points, about.

    Returns
    -------
    xarray.Dataset
        A cloud with ``red``, ``green``, ``blue``; the same points whenever it is made.

    Raises
    ------
    EmptyCloudError
        There is no triangle.
    CorruptFileError
        A file is no OBJ.
    """
    parts = [faces for path in paths for faces in read_obj(path)]
    sizes = [_areas(part.corners) for part in parts]
    total = float(sum(size.sum() for size in sizes))
    if not total > 0:
        raise EmptyCloudError("the mesh has no triangle with an area, so there is nothing to show.")
    rng = np.random.default_rng(0)
    xyz, rgb = [], []
    for part, size in zip(parts, sizes, strict=True):
        counts = rng.poisson(size / total * samples)
        owner = np.repeat(np.arange(len(size)), counts)
        weights = _inside(rng, len(owner))
        xyz.append(np.einsum("nk,nkj->nj", weights, part.corners[owner]))
        rgb.append(_colours(part, np.einsum("nk,nkj->nj", weights, part.places[owner])))
    points, colours = np.concatenate(xyz), np.concatenate(rgb)
    dataset = xr.Dataset(
        {name: (POINT, colours[:, i]) for i, name in enumerate(("red", "green", "blue"))},
        {axis: (POINT, points[:, i]) for i, axis in enumerate(AXES)},
    )
    return with_crs(dataset, crs)


def finest(paths: Iterable[Path]) -> list[Path]:
    """Choose the files of a mesh that show it once, in the most detail.

    Tiles are called ``tile_<level>_<x>_<y>.obj``, and those of one level are the whole. Of other
    files the largest is taken.
    """
    tiles: dict[int, list[Path]] = {}
    others: list[Path] = []
    for path in paths:
        if path.suffix.lower() != ".obj":
            continue
        match = re.fullmatch(r"tile_(\d+)_\d+_\d+", path.stem)
        (tiles.setdefault(int(match[1]), []) if match else others).append(path)
    if tiles:
        return sorted(tiles[max(tiles)])
    return sorted(others, key=lambda path: path.stat().st_size)[-1:]


def read_obj(path: Path) -> Iterator[Faces]:
    """Read the triangles of an OBJ, those of one material together.

    Raises
    ------
    CorruptFileError
        It is no OBJ.
    """
    lines = path.read_bytes().splitlines()
    vertices = _numbers(path, lines, b"v ", 3)
    places = _numbers(path, lines, b"vt ", 2)
    pictures = _materials(path, lines)
    material, faces = "", []
    for line in [*lines, b"usemtl"]:
        if line.startswith(b"f "):
            faces.append(line)
        elif line.startswith(b"usemtl"):
            if faces:
                yield _faces(path, faces, vertices, places, pictures.get(material))
            material, faces = line[7:].strip().decode("utf-8", "replace"), []


def _faces(
    path: Path, lines: list[bytes], vertices: FloatArray, places: FloatArray, picture: Path | None
) -> Faces:
    """Make triangles of faces; larger ones become a fan."""
    corners, at = [], []
    for line in lines:
        found = [(int(v), int(t or 0)) for v, t in _CORNER.findall(line[2:])]
        for second, third in pairwise(found[1:]):
            corners.append([found[0][0], second[0], third[0]])
            at.append([found[0][1], second[1], third[1]])
    numbers, textures = np.array(corners, np.int64), np.array(at, np.int64)
    numbers = np.where(numbers < 0, numbers + len(vertices), numbers - 1).reshape(-1, 3)
    textures = np.where(textures < 0, textures + len(places), textures - 1).reshape(-1, 3)
    if numbers.size and (numbers.min() < 0 or numbers.max() >= len(vertices)):
        raise CorruptFileError(f"{path} has faces with corners it does not list. Fetch it again.")
    has_place = (textures >= 0) & (textures < len(places)) & (picture is not None)
    known = np.vstack([places, np.full((1, 2), np.nan)])
    where = known[np.where(has_place, textures, len(places))]
    return Faces(vertices[numbers], where, picture)


def _numbers(path: Path, lines: list[bytes], head: bytes, count: int) -> FloatArray:
    rows = [line.split()[1 : count + 1] for line in lines if line.startswith(head)]
    try:
        return np.array(rows, np.float64).reshape(-1, count)
    except ValueError as error:
        what = head.decode().strip()
        raise CorruptFileError(f"{path} is no OBJ that can be read: {what} {error}.") from error


def _materials(path: Path, lines: list[bytes]) -> dict[str, Path]:
    """Find the picture of each material; only beside the mesh, whatever its name says."""
    found: dict[str, Path] = {}
    for line in lines:
        if not line.startswith(b"mtllib"):
            continue
        library = path.with_name(Path(line[7:].strip().decode("utf-8", "replace")).name)
        if not library.is_file():
            continue
        name = ""
        for entry in library.read_text("utf-8", "replace").splitlines():
            head, _, rest = entry.strip().partition(" ")
            if head == "newmtl":
                name = rest.strip()
            picture = path.with_name(Path(rest.strip().split(" ")[-1] or "-").name)
            if head == "map_Kd" and picture.is_file():
                found[name] = picture
    return found


def _areas(corners: FloatArray) -> FloatArray:
    """Areas of triangles; of those with a corner that is no number, none."""
    sides = corners[:, 1:] - corners[:, :1]
    areas: FloatArray = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1) / 2
    return np.nan_to_num(areas, nan=0.0, posinf=0.0)


def _inside(rng: np.random.Generator, count: int) -> FloatArray:
    """Weights of three corners for points spread evenly over a triangle, shape (count, 3)."""
    a, b = rng.random((2, count))
    over = a + b > 1
    a, b = np.where(over, 1 - a, a), np.where(over, 1 - b, b)
    return np.column_stack([1 - a - b, a, b])


def _colours(part: Faces, places: FloatArray) -> npt.NDArray[np.uint8]:
    """Colours of points, from the picture."""
    plain = np.full((len(places), 3), GREY, np.uint8)
    if part.picture is None or not len(places):
        return plain
    try:
        with PIL.Image.open(part.picture) as opened:
            image: npt.NDArray[Any] = np.asarray(opened.convert("RGB"))
    except (OSError, ValueError):  # a picture that cannot be read leaves the mesh grey
        return plain
    known = np.isfinite(places).all(axis=1)
    at = places[known]
    at = np.where((at >= 0) & (at <= 1), at, at % 1.0).clip(0, 1 - 1e-9)
    rows = ((1 - at[:, 1]) * image.shape[0]).astype(int).clip(0, image.shape[0] - 1)
    columns = (at[:, 0] * image.shape[1]).astype(int)
    plain[known] = image[rows, columns]
    return plain
