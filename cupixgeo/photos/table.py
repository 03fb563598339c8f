"""The table of photos: its columns with type, unit and meaning, whatever the photos say.

Knows how what was found out about photos becomes a DataFrame; what a photo does not say is NA.
Must not know how it was found out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd

from cupixgeo.photos.camera import Focal
from cupixgeo.photos.photo import Photo
from cupixgeo.photos.verdicts import Examined, Finding, Verdict, verdict_of

TEXT, INTEGER, NUMBER, ANY = "string", "Int64", "float64", "object"
CAMERA_CLOCK, UTC_CLOCK = "datetime64[us]", "datetime64[us, UTC]"
_RTK = "photo.position."


@dataclass(frozen=True)
class Row:
    """All that is known about one file.

    Parameters
    ----------
    examined : Examined
    findings : tuple of Finding
    focal : Focal or None
        Focal length in pixels.
    height_m : float or None
        Height above the ground that footprint and pixel size are computed with [m].
    gsd_m : float or None
        Size of a pixel on the ground [m].
    """

    examined: Examined
    findings: tuple[Finding, ...]
    focal: Focal | None = None
    height_m: float | None = None
    gsd_m: float | None = None

    @property
    def photo(self) -> Photo | None:
        """The photo; None where it could not be opened."""
        return self.examined.photo

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the findings."""
        return verdict_of(self.findings)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Each reason once."""
        return tuple(dict.fromkeys(finding.reason for finding in self.findings))

    @property
    def remarks(self) -> str:
        """The reasons in words."""
        return "; ".join(finding.remark for finding in self.findings)


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    name, dtype, unit, meaning : str
        As in the table's ``attrs["columns"]``.
    source : str
        Where the value is in a `Row`: names joined by dots; what is None on the way is missing.
    """

    name: str
    dtype: str
    unit: str
    meaning: str
    source: str


COLUMNS = (
    Column("path", TEXT, "", "the file", "examined.path"),
    Column("verdict", TEXT, "", "ok, warn or reject: rejected ones are not sent", "verdict"),
    Column("reasons", ANY, "", "tuple of the words of verdicts.REASONS", "reasons"),
    Column("remarks", TEXT, "", "the reasons in words", "remarks"),
    Column("bytes", INTEGER, "byte", "size of the file", "photo.bytes"),
    Column("format", TEXT, "", "image format by content", "photo.format"),
    Column("width", INTEGER, "pixel", "as stored", "photo.width"),
    Column("height", INTEGER, "pixel", "as stored", "photo.height"),
    Column("make", TEXT, "", "maker of the camera", "photo.camera.make"),
    Column("model", TEXT, "", "the camera", "photo.camera.model"),
    Column("lens", TEXT, "", "which of several lenses or bands", "photo.camera.lens"),
    Column("focal_mm", NUMBER, "mm", "focal length", "photo.camera.focal_mm"),
    Column("focal_35_mm", NUMBER, "mm", "the same on 35 mm film", "photo.camera.focal_35_mm"),
    Column("focal_px", NUMBER, "pixel", "focal length in the photo", "focal.px"),
    Column("focal_source", TEXT, "", "what focal_px rests on", "focal.source"),
    Column("captured_at", CAMERA_CLOCK, "", "camera's clock, no time zone", "photo.captured_at"),
    Column("utc_at", UTC_CLOCK, "", "UTC, where the photo tells it", "photo.utc_at"),
    Column("lon_deg", NUMBER, "deg", "longitude", "photo.position.lon_deg"),
    Column("lat_deg", NUMBER, "deg", "latitude", "photo.position.lat_deg"),
    Column("alt_m", NUMBER, "m", "above what: see Preflight.datum", "photo.position.alt_m"),
    Column("rel_alt_m", NUMBER, "m", "above take-off", "photo.position.rel_alt_m"),
    Column("position_source", TEXT, "", "xmp, exif or mrk", "photo.position.source"),
    Column("alt_source", TEXT, "", "xmp, exif or mrk", "photo.position.alt_source"),
    Column("gimbal_yaw_deg", NUMBER, "deg", "clockwise from north", "photo.attitude.yaw_deg"),
    Column("gimbal_pitch_deg", NUMBER, "deg", "-90 straight down", "photo.attitude.pitch_deg"),
    Column("gimbal_roll_deg", NUMBER, "deg", "about the line of sight", "photo.attitude.roll_deg"),
    Column("altitude_type", TEXT, "", "DJI's word", "photo.position.altitude_type"),
    Column("gps_status", TEXT, "", "DJI's word", "photo.position.gps_status"),
    Column("rtk_flag", INTEGER, "", "0 none, 16 single, 32 float, 50 fixed", _RTK + "rtk_flag"),
    Column("rtk_std_lat_m", NUMBER, "m", "standard deviation north", _RTK + "std_lat_m"),
    Column("rtk_std_lon_m", NUMBER, "m", "standard deviation east", _RTK + "std_lon_m"),
    Column("rtk_std_alt_m", NUMBER, "m", "standard deviation up", _RTK + "std_alt_m"),
    Column("height_m", NUMBER, "m", "above flat ground, for the footprint", "height_m"),
    Column("gsd_m", NUMBER, "m", "size of a pixel on the ground", "gsd_m"),
    Column("sharpness", NUMBER, "", "see quality.PixelQuality", "examined.pixels.sharpness"),
    Column("white", NUMBER, "", "share of white pixels", "examined.pixels.white"),
    Column("black", NUMBER, "", "share of black pixels", "examined.pixels.black"),
    Column("duplicate_of", TEXT, "", "the file it repeats", "examined.duplicate_of"),
)


def photo_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Make the table.

    Parameters
    ----------
    rows : sequence of Row

    Returns
    -------
    pandas.DataFrame
        One row each, all columns of `COLUMNS` also without any rows. ``attrs["columns"]`` holds
        dtype, unit and meaning by column.
    """
    data: dict[str, pd.Series[Any]] = {}
    for column in COLUMNS:
        values = pd.Series([_value(row, column.source) for row in rows], dtype="object")
        data[column.name] = _converted(values, column.dtype)
    frame = pd.DataFrame(data, index=pd.RangeIndex(len(rows)))
    frame.attrs["table"] = "photos"
    frame.attrs["columns"] = {
        column.name: {"dtype": column.dtype, "unit": column.unit, "meaning": column.meaning}
        for column in COLUMNS
    }
    return frame


def _value(row: Row, source: str) -> Any:
    value: Any = row
    for name in source.split("."):
        value = None if value is None else getattr(value, name)
    return str(value) if isinstance(value, Path) else value


def _converted(values: pd.Series[Any], dtype: Any) -> pd.Series[Any]:
    converted: Any = values
    if dtype in (CAMERA_CLOCK, UTC_CLOCK):
        converted = pd.to_datetime(values, utc=dtype == UTC_CLOCK)
    return cast("pd.Series[Any]", converted.astype(dtype))
