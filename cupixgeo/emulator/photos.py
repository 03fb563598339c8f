"""The real drone photos: where and in which direction each was taken.

Source of the facts: EXIF GPS and DJI's XMP block inside each JPEG. Knows no facility.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_GPS_IFD = 0x8825
_EXIF_IFD = 0x8769
_TAKEN_AT = 0x9003  # DateTimeOriginal; DateTime is when the file was last edited
_HEAD_BYTES = 1 << 16
_XMP = re.compile(rb"<drone-dji:(\w+)>([-+0-9.]+)</drone-dji:")


@dataclass(frozen=True)
class Photo:
    """One photo and what its metadata says.

    Parameters
    ----------
    path : pathlib.Path
        The JPEG.
    lat_deg, lon_deg : float
        [deg] WGS 84.
    alt_m : float
        [m] as the drone reports it; the scan uses the same heights.
    yaw_deg, pitch_deg, roll_deg : float
        [deg] gimbal: yaw clockwise from true north, pitch −90 looks straight down.
    taken_at : float
        [s] since 1970-01-01, the camera's time read as UTC.
    """

    path: Path
    lat_deg: float
    lon_deg: float
    alt_m: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    taken_at: float


def read_photos(folder: Path) -> list[Photo]:
    """Return the photos of a folder in the order of their names."""
    return [read_photo(path) for path in sorted(folder.glob("*.JPG"))]


def read_photo(path: Path) -> Photo:
    """Read position, direction and time of one photo."""
    from PIL import Image

    with Image.open(path) as image:
        exif = image.getexif()
    gps, shot = exif.get_ifd(_GPS_IFD), exif.get_ifd(_EXIF_IFD)
    with path.open("rb") as stream:
        xmp = dict(_XMP.findall(stream.read(_HEAD_BYTES)))
    taken = datetime.strptime(str(shot[_TAKEN_AT]), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    return Photo(
        path=path,
        lat_deg=_degrees(gps[2], negative=gps[1] == "S"),
        lon_deg=_degrees(gps[4], negative=gps[3] == "W"),
        alt_m=float(gps[6]),
        yaw_deg=float(xmp[b"GimbalYawDegree"]),
        pitch_deg=float(xmp[b"GimbalPitchDegree"]),
        roll_deg=float(xmp[b"GimbalRollDegree"]),
        taken_at=taken.timestamp(),
    )


def _degrees(parts: tuple[float, float, float], *, negative: bool) -> float:
    value = float(parts[0]) + float(parts[1]) / 60 + float(parts[2]) / 3600
    return -value if negative else value
