"""What one photo says about itself: camera, position, attitude, time. Pixels are not decoded.

Knows EXIF (read by Pillow) and the meaning of DJI's XMP fields, and which of two statements about
the same thing counts: XMP before EXIF, whole pairs only, never 0/0. Must not know other photos,
tables or what a service wants.

Sources: Exif 3.0 (JEITA CP-3451) for the tags; DJI's image metadata tables for the XMP fields.
DJI's own spelling ``GpsLongtitude`` of older firmware is read too.
"""

from __future__ import annotations

import os
import stat
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import GPS, IFD, Base

from cupixgeo.errors import PhotoError
from cupixgeo.photos.photo import Attitude, Camera, Photo, Position, fault_of
from cupixgeo.photos.values import (
    degrees,
    dji_time,
    exif_time,
    gps_time,
    number,
    text,
    time_with_offset,
    whole,
)
from cupixgeo.photos.xmp import dji_fields

DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow raises for damaged files; it promises no common root for them."""

_LATITUDES = ("GpsLatitude", "Latitude")
_LONGITUDES = ("GpsLongitude", "GpsLongtitude", "Longitude")
_BELOW = (1, 3)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings about damaged metadata, which become verdicts here.

    Warning filters belong to the process: with threads, enter this once around all of them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def read_photo(path: str | os.PathLike[str]) -> Photo:
    """Read what one photo says about itself.

    Parameters
    ----------
    path : path
        A JPEG, TIFF, PNG or WebP file. Only its head is read, no pixels are decoded.

    Returns
    -------
    Photo

    Raises
    ------
    PhotoError
        The file is missing, empty, no regular file, or nothing Pillow can open.
    """
    with quiet_pillow():
        return read_head(Path(path))


def read_head(path: Path) -> Photo:
    """Do the work of `read_photo`, inside `quiet_pillow`.

    Raises
    ------
    PhotoError
        The file is missing, empty, no regular file, or nothing Pillow can open.
    """
    size = file_size(path)
    try:
        with Image.open(path) as image:
            return _photo(path, size, image)
    except DAMAGE as error:
        raise PhotoError(
            f"{path} is not a photo that can be opened ({_reason(error)}). Copy it from the "
            "card again, or leave it out."
        ) from error


def file_size(path: Path) -> int:
    """Return the size [byte] of a file that can be opened without waiting.

    Raises
    ------
    PhotoError
        It is missing, empty, or no regular file.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise PhotoError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError(f"{path} is not a regular file. Leave it out.")
    if not status.st_size:
        raise PhotoError(f"{path} is empty. Copy it from the card again, or leave it out.")
    return status.st_size


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its content is no known image format"
    return str(error) or type(error).__name__


def _photo(path: Path, size: int, image: Image.Image) -> Photo:
    doubts: list[str] = []
    base, shot, gps = _exif(image, doubts)
    xmp = _xmp(image, doubts)
    captured_at = exif_time(shot.get(Base.DateTimeOriginal), shot.get(Base.SubsecTimeOriginal))
    return Photo(
        path=path,
        bytes=size,
        format=image.format or "",
        width=image.width,
        height=image.height,
        camera=_camera(image, base, shot, xmp),
        position=_position(gps, xmp),
        attitude=_attitude(xmp),
        captured_at=captured_at or exif_time(base.get(Base.DateTime), None),
        utc_at=dji_time(xmp.get("UTCAtExposure"))
        or time_with_offset(captured_at, shot.get(Base.OffsetTimeOriginal))
        or gps_time(gps.get(GPS.GPSDateStamp), gps.get(GPS.GPSTimeStamp)),
        doubts=tuple(doubts),
    )


Tags = Mapping[int, Any]


def _exif(image: Image.Image, doubts: list[str]) -> tuple[Tags, Tags, Tags]:
    """Read the three directories; what is damaged is empty, with a doubt."""
    try:
        exif = image.getexif()
        return dict(exif), dict(exif.get_ifd(IFD.Exif)), dict(exif.get_ifd(IFD.GPSInfo))
    except DAMAGE as error:
        doubts.append(f"its EXIF block is damaged ({_reason(error)})")
        return {}, {}, {}


def _xmp(image: Image.Image, doubts: list[str]) -> dict[str, str]:
    packet = image.info.get("xmp")
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes):
        return {}
    try:
        return dji_fields(packet)
    except PhotoError as error:
        doubts.append(f"{error}; it is not used")
        return {}


def _camera(image: Image.Image, base: Tags, shot: Tags, xmp: Mapping[str, str]) -> Camera:
    centre = number(xmp.get("CalibratedOpticalCenterX"))
    full_width = number(shot.get(Base.ExifImageWidth))
    if full_width == image.width and centre and not 0.8 < 2 * centre / image.width < 1.25:
        full_width = 2 * centre
    return Camera(
        make=text(base.get(Base.Make)),
        model=text(base.get(Base.Model)),
        lens=xmp.get("BandName") or xmp.get("ImageSource"),
        focal_mm=number(shot.get(Base.FocalLength)),
        focal_35_mm=number(shot.get(Base.FocalLengthIn35mmFilm)),
        calibrated_px=number(xmp.get("CalibratedFocalLength")),
        full_width_px=full_width or (2 * centre if centre else None),
    )


def _position(gps: Tags, xmp: Mapping[str, str]) -> Position:
    plane = _plane(gps, xmp)
    xmp_alt, alt_ref = number(xmp.get("AbsoluteAltitude")), whole(gps.get(GPS.GPSAltitudeRef))
    exif_alt = number(gps.get(GPS.GPSAltitude))
    if exif_alt is not None and alt_ref in _BELOW:
        exif_alt = -abs(exif_alt)
    alt = exif_alt if xmp_alt is None else xmp_alt
    return Position(
        **plane,
        alt_m=alt,
        rel_alt_m=number(xmp.get("RelativeAltitude")),
        alt_source=None if alt is None else "exif" if xmp_alt is None else "xmp",
        alt_ref=alt_ref,
        altitude_type=xmp.get("AltitudeType"),
        gps_status=xmp.get("GpsStatus"),
        rtk_flag=whole(xmp.get("RtkFlag")),
        std_lat_m=number(xmp.get("RtkStdLat")),
        std_lon_m=number(xmp.get("RtkStdLon")),
        std_alt_m=number(xmp.get("RtkStdHgt")),
    )


def _plane(gps: Tags, xmp: Mapping[str, str]) -> dict[str, Any]:
    """Take longitude and latitude from the first source that has a place on earth."""
    statements = (
        ("xmp", _first(xmp, _LONGITUDES), _first(xmp, _LATITUDES)),
        (
            "exif",
            degrees(gps.get(GPS.GPSLongitude), gps.get(GPS.GPSLongitudeRef)),
            degrees(gps.get(GPS.GPSLatitude), gps.get(GPS.GPSLatitudeRef)),
        ),
    )
    fault = None
    for source, lon, lat in statements:
        if lon is None or lat is None:
            continue
        fault = fault_of(lon, lat)
        if fault is None:
            return {"lon_deg": lon, "lat_deg": lat, "source": source}
    return {"fault": fault}


def _first(xmp: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    values = (number(xmp[name]) for name in names if name in xmp)
    return next((value for value in values if value is not None), None)


def _attitude(xmp: Mapping[str, str]) -> Attitude | None:
    yaw, pitch, roll = (number(xmp.get(f"Gimbal{name}Degree")) for name in ("Yaw", "Pitch", "Roll"))
    if yaw is None or pitch is None or roll is None:
        return None
    return Attitude(yaw, pitch, roll)
