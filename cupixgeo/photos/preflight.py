"""Look at photos before they are sent: what they are, whether they are good, what they cover.

Knows the order of the work and the result, `Preflight`. Files are opened by threads (Pillow lets
others run while it decodes), decoded small, and forgotten; what is kept of a photo is a few hundred
bytes. Must not know a service, its limits or its prices.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cupixgeo.errors import PhotoError
from cupixgeo.photos.camera import focal_length
from cupixgeo.photos.datum import DatumGuess, guess_datum
from cupixgeo.photos.doubts import doubts_about
from cupixgeo.photos.examine import examine, folders_of
from cupixgeo.photos.footprints import (
    FloatArray,
    LocalPlane,
    around,
    ground_corners,
    ground_sample_m,
)
from cupixgeo.photos.listing import PhotosLike, find_photos
from cupixgeo.photos.mrk import MrkTable, find_mrk, read_mrk
from cupixgeo.photos.overlap import Overlap, overlap_of
from cupixgeo.photos.photo import Photo
from cupixgeo.photos.rules import Rules
from cupixgeo.photos.table import Row, photo_table
from cupixgeo.photos.verdicts import VERDICTS, Examined, Finding, judge
from cupixgeo.progress import ProgressFn

if TYPE_CHECKING:
    from pyproj import CRS


@dataclass(frozen=True, eq=False, repr=False)
class Preflight:
    """What is known about a set of photos before anything is sent.

    Parameters
    ----------
    source : str
        What was looked at, in words.
    table : pandas.DataFrame
        One row a photo, in natural order; columns of `cupixgeo.photos.table.COLUMNS`.
    footprints : ndarray, shape (n, 4, 2), float64 [deg]
        Longitude and latitude of the ground under the corners (top left, top right, bottom right,
        bottom left) of each photo of the table; NaN where that is not known. The ground is taken
        as flat, at the height of the take-off point unless the rules say otherwise.
    overlap : Overlap or None
        None where no footprint is known.
    datum : DatumGuess
        What the altitudes are measured from, guessed, with evidence.
    warnings : tuple of str
        What a user ought to know about the set as a whole.
    ignored : mapping of str to int
        Other files in the same place, by the end of their names.
    rules : Rules
        What the verdicts rest on.
    """

    source: str
    table: pd.DataFrame
    footprints: FloatArray
    overlap: Overlap | None
    datum: DatumGuess
    warnings: tuple[str, ...]
    ignored: Mapping[str, int]
    rules: Rules

    @property
    def usable(self) -> pd.DataFrame:
        """Rows of the photos that would be sent: those that are not rejected."""
        return self.table[self.table["verdict"] != "reject"]

    @property
    def count(self) -> int:
        """Number of usable photos."""
        return len(self.usable)

    @property
    def bytes(self) -> int:
        """Size of the usable photos together [byte]."""
        return int(self.usable["bytes"].sum())

    @property
    def paths(self) -> list[Path]:
        """The usable photos, in natural order."""
        return [Path(path) for path in self.usable["path"]]

    @property
    def verdicts(self) -> dict[str, int]:
        """Number of photos by verdict: ``ok``, ``warn``, ``reject``."""
        counts = self.table["verdict"].value_counts()
        return {verdict: int(counts.get(verdict, 0)) for verdict in VERDICTS}

    @property
    def reasons(self) -> dict[str, int]:
        """Number of photos by reason, the most frequent first."""
        counts = self.table["reasons"].explode().dropna().value_counts()
        return {str(reason): int(number) for reason, number in counts.items()}

    @property
    def positions(self) -> FloatArray:
        """Camera positions.

        Returns
        -------
        ndarray, shape (n, 3), float64
            Longitude, latitude [deg] and altitude [m] for each photo of the table; NaN where it
            is not known.
        """
        return self.table[["lon_deg", "lat_deg", "alt_m"]].to_numpy(dtype=np.float64)

    @property
    def gsd_m(self) -> float | None:
        """Median size of a pixel on the ground [m]; None where it is not known."""
        known = self.usable["gsd_m"].dropna()
        return float(known.median()) if len(known) else None

    @property
    def centre(self) -> tuple[float, float] | None:
        """Longitude and latitude [deg] amid the usable photos; None without positions."""
        places = self.usable[["lon_deg", "lat_deg"]].dropna().to_numpy(dtype=np.float64)
        if not len(places):
            return None
        plane = LocalPlane.amid(places)
        return plane.lon_deg, plane.lat_deg

    @property
    def suggested_crs(self) -> CRS | None:
        """UTM zone of the median position; None where no photo has a position."""
        from cupixgeo.geodesy.crs import suggest_utm

        return None if self.centre is None else suggest_utm(*self.centre)

    def footprints_geojson(self) -> dict[str, Any]:
        """Make the footprints a GeoJSON feature collection (RFC 7946), for any map."""
        from cupixgeo.photos.show import footprints_geojson

        return footprints_geojson(self)

    def summary(self) -> str:
        """Tell all of it in a few lines."""
        from cupixgeo.photos.show import summary

        return summary(self)

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{number} {verdict}" for verdict, number in self.verdicts.items())
        return f"<Preflight of {self.source}: {len(self.table)} photos, {verdicts}>"

    def _repr_html_(self) -> str:
        from cupixgeo.photos.show import html

        return html(self)


def preflight(
    photos: PhotosLike,
    *,
    rules: Rules | None = None,
    recursive: bool = True,
    check_pixels: bool = True,
    workers: int | None = None,
    progress: ProgressFn | None = None,
) -> Preflight:
    """Look at photos before they are sent anywhere.

    Parameters
    ----------
    photos : path, or iterable of paths
        A folder, a glob (``"flight/*.JPG"``), a file, or any number of these. Files that are no
        photos are ignored and counted.
    rules : Rules, optional
        Limits; ``Rules(positions=False)`` for photos that need no position.
    recursive : bool
        Whether folders within a folder count.
    check_pixels : bool
        Whether each photo is decoded (small) to see if it is whole, sharp and well exposed.
        Without, only the heads of the files are read.
    workers : int, optional
        Threads; by default one for each processor, up to `MAX_WORKERS`.
    progress : callable, optional
        Told after each file; stages ``"preflight"`` and ``"compare"``. It may raise to stop.

    Returns
    -------
    Preflight

    Raises
    ------
    ArgumentError
        The folder or file does not exist, or the number of workers is none.
    """
    rules = rules or Rules()
    listing = find_photos(photos, recursive=recursive)
    tables, unread = _mrk_tables(listing.paths)
    examined = examine(
        listing.paths, tables, check_pixels=check_pixels, workers=workers, progress=progress
    )
    rows = [
        _row(one, findings, rules)
        for one, findings in zip(examined, judge(examined, rules), strict=True)
    ]
    used = [row.photo for row in rows if row.photo and row.verdict != "reject"]
    footprints = np.array([_footprint(row) for row in rows], dtype=np.float64).reshape(-1, 4, 2)
    result = Preflight(
        source=os.fspath(photos) if isinstance(photos, str | os.PathLike) else "a list of paths",
        table=photo_table(rows),
        footprints=footprints,
        overlap=_overlap(rows, footprints),
        datum=guess_datum(used),
        warnings=(),
        ignored=listing.ignored,
        rules=rules,
    )
    doubts = doubts_about(result, tables, checked=check_pixels)
    folders = [f"the folder {folder} could not be listed" for folder in listing.unread]
    return replace(result, warnings=(*folders, *unread, *doubts))


def _mrk_tables(paths: Sequence[Path]) -> tuple[list[MrkTable], list[str]]:
    """Read the tables beside the photos; those that cannot be read are told."""
    tables, unread = [], []
    for path in find_mrk(folders_of(paths)):
        try:
            tables.append(read_mrk(path))
        except PhotoError as error:
            unread.append(f"{error} Its positions are not used.")
    return tables, unread


def _row(one: Examined, findings: tuple[Finding, ...], rules: Rules) -> Row:
    photo = one.photo
    if photo is None:
        return Row(one, findings)
    focal = focal_length(photo.camera, photo.width, photo.height)
    height = photo.position.rel_alt_m if rules.height_m is None else rules.height_m
    if height is not None and height <= 0:
        height = None
    gsd = None
    if height is not None and focal is not None and photo.attitude is not None:
        gsd = ground_sample_m(photo.attitude, height, focal.px)
    return Row(one, findings, focal, height, gsd)


def _footprint(row: Row) -> FloatArray:
    """Longitude and latitude of the corners; NaN where they are not known."""
    unknown = np.full((4, 2), np.nan)
    photo = row.photo
    if photo is None or photo.attitude is None or row.focal is None or row.height_m is None:
        return unknown
    lon, lat = photo.position.lon_deg, photo.position.lat_deg
    if lon is None or lat is None:
        return unknown
    size = (photo.width, photo.height)
    corners = ground_corners(photo.attitude, row.height_m, row.focal.px, size)
    return unknown if corners is None else around(lon, lat, corners)


def _overlap(rows: Sequence[Row], footprints: FloatArray) -> Overlap | None:
    """Overlap of the usable photos, in the order they were taken."""
    taken: list[tuple[Photo, FloatArray]] = []
    for row, footprint in zip(rows, footprints, strict=True):
        used = row.photo is not None and row.verdict != "reject" and "far-away" not in row.reasons
        if row.photo is not None and used and not np.isnan(footprint).any():
            taken.append((row.photo, footprint))
    if not taken:
        return None
    if all(photo.captured_at is not None for photo, _ in taken):
        taken.sort(key=lambda pair: pair[0].captured_at or datetime.max)
    places = np.array([(photo.position.lon_deg, photo.position.lat_deg) for photo, _ in taken])
    return overlap_of(places, np.array([footprint for _, footprint in taken]))
