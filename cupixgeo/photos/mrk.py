"""DJI's table of exposures (``.MRK``): a position of centimetres for each photo of an RTK flight.

Knows the lines of the file and how a line finds its photo: same folder, the number in the name.
A line is read by its labels, not by position (manuals and files disagree on the order). Must not
know EXIF; a photo is improved by what the table adds, never moved by it.

Source: DJI's *Phantom 4 RTK* and *Zenmuse P1* manuals for the 13 values; their positions are
those of the camera, the lever arm is applied already. GPS time is 18 s ahead of UTC since 2017.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

from cupixgeo.errors import PhotoError
from cupixgeo.photos.photo import Photo, Position, fault_of
from cupixgeo.photos.values import number

MAX_BYTES = 64 << 20
"""Longest table that is read [byte]: 300,000 exposures."""

AGREE_M = 1.0
"""Distance [m] up to which a photo's own position and the table's are the same place."""

METRES_PER_DEGREE = 111_195.0
"""Length of a degree of latitude [m], near enough for a comparison."""

_GPS_EPOCH = datetime(1980, 1, 6, tzinfo=UTC)
_LEAP_S = 18
_WEEK_S = 604_800
_LABELLED = re.compile(r"([-+]?[\d.]+)\s*,\s*(N|E|V|Q|Ellh|La|Lat|Lo|Lon)\Z", re.IGNORECASE)
_SAME_LABEL = {"la": "lat", "lo": "lon"}
_SEQUENCE = re.compile(r"_(\d{4,5})(?:_[A-Z]{1,3}){0,2}\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Exposure:
    """One line of the table.

    Parameters
    ----------
    sequence : int
        Number of the photo within its flight.
    utc_at : datetime
        Time of the exposure.
    lon_deg, lat_deg : float
        [deg] of the camera, in the datum of the correction service.
    height_m : float
        [m] of the camera above the ellipsoid.
    std_lat_m, std_lon_m, std_alt_m : float or None
        Standard deviations [m].
    flag : int or None
        16 single point, 32 to 49 float, 50 and more fixed.
    """

    sequence: int
    utc_at: datetime
    lon_deg: float
    lat_deg: float
    height_m: float
    std_lat_m: float | None
    std_lon_m: float | None
    std_alt_m: float | None
    flag: int | None


@dataclass(frozen=True)
class MrkTable:
    """The exposures of one flight.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    exposures : mapping of int to Exposure
        By sequence number.
    damaged : tuple of int
        Numbers of the lines that could not be read, from 1.
    """

    path: Path
    exposures: Mapping[int, Exposure]
    damaged: tuple[int, ...] = ()


def read_mrk(path: str | os.PathLike[str]) -> MrkTable:
    """Read a table of exposures.

    Parameters
    ----------
    path : path
        A ``.MRK`` file.

    Returns
    -------
    MrkTable
        Damaged lines are named and left out, they do not stop the others.

    Raises
    ------
    PhotoError
        The file cannot be read, or is far too long to be a table of exposures.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PhotoError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(content) > MAX_BYTES:
        raise PhotoError(f"{path} is longer than {MAX_BYTES:,} bytes: no table of exposures.")
    exposures: dict[int, Exposure] = {}
    damaged = []
    for line_number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        exposure = _read_line(line)
        if exposure is None:
            damaged.append(line_number)
        else:
            exposures.setdefault(exposure.sequence, exposure)
    return MrkTable(path, exposures, tuple(damaged))


def _read_line(line: str) -> Exposure | None:
    first, *fields = (part.strip() for part in line.split("\t"))
    labelled: dict[str, float] = {}
    week: float | None = None
    std: list[float | None] = [None, None, None]
    for field in fields[1:]:
        match = _LABELLED.fullmatch(field)
        if match:
            label = match[2].lower()
            value = number(match[1])
            if value is not None:
                labelled[_SAME_LABEL.get(label, label)] = value
        elif field.startswith("[") and field.endswith("]"):
            week = number(field[1:-1])
        elif field.count(",") == 2:
            std = [number(part) for part in field.split(",")]
    seconds = number(fields[0]) if fields else None
    if not first.isdecimal() or seconds is None or week is None:
        return None
    if not {"lat", "lon", "ellh"} <= labelled.keys() or not 0 <= week < 10_000:
        return None
    if not 0 <= seconds < _WEEK_S or fault_of(labelled["lon"], labelled["lat"]):
        return None
    flag = labelled.get("q")
    return Exposure(
        sequence=int(first),
        utc_at=_GPS_EPOCH + timedelta(seconds=week * _WEEK_S + seconds - _LEAP_S),
        lon_deg=labelled["lon"],
        lat_deg=labelled["lat"],
        height_m=labelled["ellh"],
        std_lat_m=std[0],
        std_lon_m=std[1],
        std_alt_m=std[2],
        flag=None if flag is None else round(flag),
    )


def find_mrk(folders: Iterable[Path]) -> list[Path]:
    """Find the tables that lie directly in these folders, in the order of their names."""
    found = []
    for folder in dict.fromkeys(folders):
        try:
            names = sorted(name for name in os.listdir(folder) if name.lower().endswith(".mrk"))
        except OSError:  # its photos may be readable all the same; they say why not otherwise
            continue
        found += [folder / name for name in names if not name.startswith(".")]
    return found


def sequence_of(path: Path) -> int | None:
    """Return the number in a DJI file name that counts the exposures of a flight."""
    match = _SEQUENCE.search(path.stem)
    return int(match[1]) if match else None


def exposure_of(photo: Photo, tables: Iterable[MrkTable]) -> Exposure | None:
    """Find the line that belongs to a photo.

    Parameters
    ----------
    photo : Photo
    tables : iterable of MrkTable
        Of any folders; those of the photo's own folder are asked. Where several have its number,
        the one whose name begins most like the photo's, then the one nearest in time counts.

    Returns
    -------
    Exposure or None
        None where no table has it, or two have it alike.
    """
    sequence = sequence_of(photo.path)
    if sequence is None:
        return None
    ranked: list[tuple[tuple[int, float], Exposure]] = []
    for table in tables:
        exposure = table.exposures.get(sequence)
        if exposure is None or table.path.parent != photo.path.parent:
            continue
        pairs = zip(table.path.name, photo.path.name, strict=False)
        alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        apart = abs((exposure.utc_at - photo.utc_at).total_seconds()) if photo.utc_at else 0.0
        ranked.append(((-alike, apart), exposure))
    ranked.sort(key=lambda entry: entry[0])
    if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
        return None
    return ranked[0][1] if ranked else None


def add_exposure(photo: Photo, exposure: Exposure) -> Photo:
    """Add what the table knows and the photo does not.

    Parameters
    ----------
    photo : Photo
    exposure : Exposure

    Returns
    -------
    Photo
        A position of its own stays. Where the two are further apart than `AGREE_M`, nothing is
        added but a doubt: the table is of another flight.
    """
    own = photo.position
    apart = distance_m(own, exposure)
    if apart is not None and apart > AGREE_M:
        doubt = f"its position and that in the .MRK table are {apart:,.1f} m apart"
        return replace(photo, doubts=(*photo.doubts, doubt))
    position = own
    if apart is None:
        position = replace(
            position, lon_deg=exposure.lon_deg, lat_deg=exposure.lat_deg, source="mrk", fault=None
        )
    if own.alt_source != "xmp":
        position = replace(position, alt_m=exposure.height_m, alt_source="mrk")
    if own.std_alt_m is None:
        position = replace(
            position,
            std_lat_m=exposure.std_lat_m,
            std_lon_m=exposure.std_lon_m,
            std_alt_m=exposure.std_alt_m,
        )
    if own.rtk_flag is None:
        position = replace(position, rtk_flag=exposure.flag)
    return replace(photo, position=position, utc_at=photo.utc_at or exposure.utc_at)


def distance_m(position: Position, exposure: Exposure) -> float | None:
    """Return how far a photo's own position is from the table's [m]; None without its own."""
    if position.lon_deg is None or position.lat_deg is None:
        return None
    north = (position.lat_deg - exposure.lat_deg) * METRES_PER_DEGREE
    turn = (position.lon_deg - exposure.lon_deg + 180) % 360 - 180
    east = turn * METRES_PER_DEGREE * math.cos(math.radians(exposure.lat_deg))
    return math.hypot(north, east)
