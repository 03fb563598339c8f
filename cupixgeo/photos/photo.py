"""A photo as a value: its camera, where it was, which way it looked, when.

Knows what these things mean and in which units they are. Must not know how they are read.

Sources: Exif 3.0 (JEITA CP-3451); DJI's image metadata tables for gimbal angles and RTK flags.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_ELLIPSOIDAL = (2, 3)
_ZERO_DEG = 1e-6


@dataclass(frozen=True)
class Camera:
    """The camera of a photo. What the photo does not say is None.

    Parameters
    ----------
    make, model : str or None
        As EXIF names them.
    lens : str or None
        Which of several lenses or bands, as DJI names it: ``"WideCamera"``, ``"NIR"``.
    focal_mm, focal_35_mm : float or None
        Focal length, and that of the same angle of view on 35 mm film [mm].
    calibrated_px : float or None
        DJI's calibrated focal length [pixel of the unscaled photo].
    full_width_px : float or None
        Width of the unscaled photo [pixel], where the photo tells it.
    """

    make: str | None = None
    model: str | None = None
    lens: str | None = None
    focal_mm: float | None = None
    focal_35_mm: float | None = None
    calibrated_px: float | None = None
    full_width_px: float | None = None

    @property
    def name(self) -> str:
        """Make, model and lens in one line; empty where the photo names none."""
        model = self.model or ""
        make = "" if model.casefold().startswith((self.make or "\0").casefold()) else self.make
        return " ".join(part for part in (make, model, self.lens) if part)


@dataclass(frozen=True)
class Position:
    """Where a photo was taken, as far as it says so. What it does not say is None.

    Parameters
    ----------
    lon_deg, lat_deg : float or None
        [deg], by convention WGS 84; with a correction service in the datum of that service.
    alt_m : float or None
        [m]; the photo does not say above what (see `cupixgeo.photos.datum`).
    rel_alt_m : float or None
        [m] above the take-off point.
    source, alt_source : str or None
        ``"xmp"``, ``"exif"`` or ``"mrk"``.
    fault : str or None
        Why a position that was written is not used: ``"zero"`` or ``"off-earth"``.
    alt_ref : int or None
        EXIF ``GPSAltitudeRef``: 0 and 1 above and below sea level (also written by cameras that
        do not know), 2 and 3 above and below the ellipsoid (since Exif 3.0).
    altitude_type, gps_status : str or None
        DJI's words, for example ``"RtkAlt"`` and ``"RTK"``.
    rtk_flag : int or None
        0 none, 16 single point, 32 to 49 float, 50 and more fixed.
    std_lat_m, std_lon_m, std_alt_m : float or None
        Standard deviations [m].
    """

    lon_deg: float | None = None
    lat_deg: float | None = None
    alt_m: float | None = None
    rel_alt_m: float | None = None
    source: str | None = None
    alt_source: str | None = None
    fault: str | None = None
    alt_ref: int | None = None
    altitude_type: str | None = None
    gps_status: str | None = None
    rtk_flag: int | None = None
    std_lat_m: float | None = None
    std_lon_m: float | None = None
    std_alt_m: float | None = None

    @property
    def states_ellipsoid(self) -> bool:
        """Whether EXIF states that the altitude is above the ellipsoid."""
        return self.alt_ref in _ELLIPSOIDAL and self.alt_source == "exif"


@dataclass(frozen=True)
class Attitude:
    """Direction of the camera: turns about down, right and forward, in this order (Z-Y-X, NED).

    Parameters
    ----------
    yaw_deg : float
        [deg] clockwise from true north; of a photo straight down the direction of its top.
    pitch_deg : float
        [deg] up from the horizon: -90 looks straight down.
    roll_deg : float
        [deg] clockwise about the direction of view.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float


@dataclass(frozen=True)
class Photo:
    """One photo and what its metadata says.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    bytes : int
        Its size [byte].
    format : str
        As Pillow names it: ``"JPEG"``, ``"MPO"``, ``"TIFF"``.
    width, height : int
        Size as stored [pixel].
    camera, position, attitude
        `attitude` is None where the photo does not say all three angles.
    captured_at : datetime or None
        The camera's clock, without a time zone.
    utc_at : datetime or None
        UTC, where the photo tells it.
    doubts : tuple of str
        What was written but could not be used.
    """

    path: Path
    bytes: int
    format: str
    width: int
    height: int
    camera: Camera = Camera()
    position: Position = Position()
    attitude: Attitude | None = None
    captured_at: datetime | None = None
    utc_at: datetime | None = None
    doubts: tuple[str, ...] = ()


def fault_of(lon_deg: float, lat_deg: float) -> str | None:
    """Say what is wrong with a longitude and latitude [deg]; None where nothing is."""
    if abs(lon_deg) < _ZERO_DEG and abs(lat_deg) < _ZERO_DEG:
        return "zero"
    return None if abs(lon_deg) <= 180 and abs(lat_deg) <= 90 else "off-earth"
