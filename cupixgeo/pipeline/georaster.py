"""Orthophotos and height models that others made, read as a top view.

Knows GeoTIFF and pictures with a world file: where they say they are, and how to read no more of
them than a map shows (overviews where there are any, every k-th pixel otherwise). Pictures and
maps are made of the result as of a cloud's.

Sources: OGC GeoTIFF 1.1 (19-008r4) §7; TIFF 6.0 (NewSubfileType); GDAL's documentation of its
``GDAL_NODATA`` tag; ESRI's description of world files.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL.TiffImagePlugin import TiffImageFile
from pyproj import CRS

from cupixgeo.cloud.schema import FloatArray
from cupixgeo.errors import CloudError, CrsError, EmptyCloudError, FormatError
from cupixgeo.formats.las.crs import crs_of_keys
from cupixgeo.formats.las.geotiff import read_geokeys
from cupixgeo.geodesy.crs import CrsLike, as_crs
from cupixgeo.geodesy.units import metres_per_unit
from cupixgeo.pipeline.raster import MAX_PIXELS, TopView

MOST_DECODED = 160_000_000
"""Pixels decoded at once where a file has no overviews: some 650 MB."""

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
WORLD_FILES = {
    ".png": (".pgw", ".pngw", ".wld"),
    ".jpg": (".jgw", ".jpgw", ".wld"),
    ".jpeg": (".jgw", ".jpegw", ".wld"),
    ".tif": (".tfw", ".tifw", ".wld"),
    ".tiff": (".tfw", ".tiffw", ".wld"),
}
_SCALE, _TIE, _MATRIX = 33550, 33922, 34264
_KEYS, _DOUBLES, _TEXT, _NODATA, _SUBFILE = 34735, 34736, 34737, 42113, 254
_REDUCED, _MASK = 1, 4
_PIXEL_IS_POINT = (1025, 2)


@dataclass(frozen=True)
class _Place:
    """Outer corner of the first pixel and size of a pixel, CRS units."""

    west: float
    north: float
    width: float
    height: float


def read_raster(
    path: str | os.PathLike[str], *, crs: CrsLike | None = None, max_pixels: int = MAX_PIXELS
) -> TopView:
    """Read an orthophoto or a height model for looking at.

    Parameters
    ----------
    path : path
        A GeoTIFF, or a TIFF, PNG or JPEG with a world file beside it.
    crs : CrsLike or None
        What its coordinates are in where it says nothing (no keys, no ``.prj`` beside it).
    max_pixels : int
        Longest side of the result.

    Returns
    -------
    TopView
        One band becomes heights (without colours), three or four become colours on level ground.

    Raises
    ------
    FormatError
        It is no such file, or it is too large to be read without overviews.
    CrsError
        It does not say in which CRS it is.
    CloudError
        It does not say where it is, or it is turned against the axes.
    EmptyCloudError
        It holds no pixel with a value.
    """
    path = Path(path)
    try:
        image = TiffImageFile(str(path)) if _is_tiff(path) else PIL.Image.open(path)
    except (PIL.UnidentifiedImageError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise FormatError(
            f"{path.name} is no picture that can be shown ({error}). Give a GeoTIFF, or a PNG or "
            "JPEG with a world file."
        ) from error
    except OSError as error:
        raise CloudError(f"{path} cannot be read: {error}. Check the path.") from error
    with image:
        tags: dict[int, Any] = dict(getattr(image, "tag_v2", {}))
        place = _place_of(path, tags)
        used = _crs_of(path, tags, crs)
        full = image.size
        _choose_overview(image, max_pixels)
        values = _decode(path, image, max_pixels)
    rows, columns = values.shape[:2]
    pixel = (place.width * full[0] / image.size[0], place.height * full[1] / image.size[1])
    step = (math.ceil(image.size[0] / columns), math.ceil(image.size[1] / rows))
    return _as_view(
        values, _nodata(tags), used, place, (pixel[0] * step[0], pixel[1] * step[1]), path
    )


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _place_of(path: Path, tags: dict[int, Any]) -> _Place:
    if _MATRIX in tags and _SCALE not in tags:
        a, b, _, west, d, e, _, north = tags[_MATRIX][:8]
        return _checked(path, _Place(west, north, a, -e), b, d)
    if _SCALE in tags and _TIE in tags:
        width, height = tags[_SCALE][:2]
        column, row, _, x, y, _ = tags[_TIE][:6]
        shift = 0.5 if _geokeys(tags).get(_PIXEL_IS_POINT[0]) == _PIXEL_IS_POINT[1] else 0.0
        west, north = x - (column + shift) * width, y + (row + shift) * height
        return _checked(path, _Place(west, north, width, height), 0.0, 0.0)
    for suffix in WORLD_FILES.get(path.suffix.lower(), ()):
        beside = path.with_suffix(suffix)
        if beside.is_file():
            numbers = [float(n) for n in beside.read_text().split()[:6]]
            if len(numbers) < 6:
                raise CloudError(f"{beside.name} has fewer than six numbers. Write it again.")
            a, d, b, e, x, y = numbers
            return _checked(path, _Place(x - a / 2, y - e / 2, a, -e), b, d)
    raise CloudError(
        f"{path.name} does not say where it is: it has no GeoTIFF tags and no world file beside "
        "it. Export it with its georeference."
    )


def _checked(path: Path, place: _Place, turned_x: float, turned_y: float) -> _Place:
    sound = np.isfinite([place.west, place.north]).all() and place.width > 0 and place.height > 0
    if turned_x or turned_y or not sound:
        raise CloudError(
            f"{path.name} is turned or mirrored against the axes of its CRS, which a map cannot "
            "show. Resample it north up, for example with gdalwarp."
        )
    return place


def _geokeys(tags: dict[int, Any]) -> dict[int, int | float | str]:
    shorts, doubles = tags.get(_KEYS, ()), tags.get(_DOUBLES, ())
    text = str(tags.get(_TEXT, "")).encode("latin-1", "replace")
    return read_geokeys(
        struct.pack(f"<{len(shorts)}H", *shorts), struct.pack(f"<{len(doubles)}d", *doubles), text
    )


def _crs_of(path: Path, tags: dict[int, Any], otherwise: CrsLike | None) -> CRS:
    stated = crs_of_keys(_geokeys(tags))
    if stated is not None:
        return stated
    beside = path.with_suffix(".prj")
    if beside.is_file():
        return as_crs(beside.read_text("utf-8", "replace").strip())
    if otherwise is not None:
        return as_crs(otherwise)
    raise CrsError(f"{path.name} does not say in which CRS it is. Say so with crs=32650.")


def _choose_overview(image: PIL.Image.Image, max_pixels: int) -> None:
    """Go to the smallest copy in the file that is large enough."""
    best, least = 0, max(image.size)
    for frame in range(1, getattr(image, "n_frames", 1)):
        image.seek(frame)
        kind = int(getattr(image, "tag_v2", {}).get(_SUBFILE, 0))
        if kind & _REDUCED and not kind & _MASK and max_pixels <= max(image.size) < least:
            best, least = frame, max(image.size)
    image.seek(best)


def _decode(path: Path, image: PIL.Image.Image, max_pixels: int) -> npt.NDArray[Any]:
    if image.size[0] * image.size[1] > MOST_DECODED:
        raise FormatError(
            f"{path.name} has {image.size[0]:,} × {image.size[1]:,} pixels and no overview small "
            f"enough to show. Make some: gdaladdo -r average {path.name} 4 16 64"
        )
    step = max(1, math.ceil(max(image.size) / max_pixels))
    try:
        if image.mode in ("F", "I", "I;16", "I;16B", "L", "1"):
            return np.asarray(image)[::step, ::step].astype(np.float64)
        shown = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA")
        return np.asarray(shown.reduce(step) if step > 1 else shown)
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{path.name} cannot be decoded ({error}). Save it as 8-bit colours or 32-bit heights, "
            "tiled or in strips, with deflate."
        ) from error


def _nodata(tags: dict[int, Any]) -> float | None:
    try:
        return float(str(tags[_NODATA]).strip("\0 "))
    except (KeyError, ValueError):
        return None


def _as_view(
    values: npt.NDArray[Any],
    nodata: float | None,
    crs: CRS,
    place: _Place,
    pixel: tuple[float, float],
    path: Path,
) -> TopView:
    colour = None
    if values.ndim == 2:
        height: FloatArray = np.where(values == nodata, np.nan, values)
    else:
        colour = np.ascontiguousarray(values[..., :3])
        gone = values[..., 3] == 0 if values.shape[2] > 3 else np.zeros(values.shape[:2], bool)
        height = np.where(gone, np.nan, 0.0)
    seen = np.isfinite(height)
    if not seen.any():
        raise EmptyCloudError(f"{path.name} holds no pixel with a value. Leave it out.")
    return TopView(
        crs=crs,
        west=place.west,
        north=place.north,
        pixel=pixel,
        height=height,
        colour=colour,
        count=seen.astype(np.int64),
        metres=metres_per_unit(crs, np.array([place.west, place.north, 0.0])),
    )
