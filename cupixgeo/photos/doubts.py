"""What a user ought to know about a set of photos as a whole, in sentences.

Knows a finished preflight. Must not judge single photos: that is `cupixgeo.photos.verdicts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cupixgeo.photos.mrk import MrkTable, sequence_of

if TYPE_CHECKING:
    from cupixgeo.photos.preflight import Preflight

FORWARD_WANTED, SIDE_WANTED = 0.6, 0.5
"""Overlaps below which reconstructions often have holes."""

_NOT_READ = {".heic", ".heif", ".dng", ".raw"}


def doubts_about(
    preflight: Preflight, tables: Sequence[MrkTable], *, checked: bool
) -> tuple[str, ...]:
    """Say what is doubtful about a set.

    Parameters
    ----------
    preflight : Preflight
    tables : sequence of MrkTable
        The tables of exposures that were found beside the photos.
    checked : bool
        Whether pixels were looked at.

    Returns
    -------
    tuple of str
    """
    if not len(preflight.table):
        others = sum(preflight.ignored.values())
        return (f"no photos in {preflight.source} ({others} other files)",)
    return (
        *_counted(preflight),
        *_about_files(preflight, checked=checked),
        *_about_tables(preflight, tables),
        *(_about_places(preflight) if preflight.rules.positions else ()),
    )


def _counted(preflight: Preflight) -> Iterator[str]:
    """Tell how many photos are rejected or doubtful, and why."""
    for verdict, words in (("reject", "left out"), ("warn", "doubtful")):
        chosen = preflight.table[preflight.table["verdict"] == verdict]
        if len(chosen):
            reasons = chosen["reasons"].explode().value_counts()
            list_of = ", ".join(f"{reason} ({number})" for reason, number in reasons.items())
            photos = "photo is" if len(chosen) == 1 else "photos are"
            yield f"{len(chosen)} {photos} {words}: {list_of}"


def _about_files(preflight: Preflight, *, checked: bool) -> Iterator[str]:
    names = Counter(path.name.casefold() for path in preflight.paths)
    repeated = [name for name, number in names.items() if number > 1]
    if repeated:
        yield (
            f"{len(repeated)} file names occur in more than one folder (for example "
            f"{repeated[0]}): a service that keeps names only takes one for the other"
        )
    unread = sum(number for kind, number in preflight.ignored.items() if kind in _NOT_READ)
    if unread:
        yield f"{unread} raw or HEIC files are not looked at: convert them to JPEG to use them"
    usable = preflight.usable
    unmeasured = usable[usable["sharpness"].isna()]
    large = sum("blurred" not in words for words in unmeasured["reasons"])
    if checked and large:
        yield f"{large} photos are too large to be decoded here: their pixels were not checked"


def _about_tables(preflight: Preflight, tables: Sequence[MrkTable]) -> Iterator[str]:
    numbers: dict[Path, set[int | None]] = {}
    for path in map(Path, preflight.table["path"]):
        numbers.setdefault(path.parent, set()).add(sequence_of(path))
    for table in tables:
        if table.damaged:
            lines = ", ".join(map(str, table.damaged[:5]))
            yield f"{len(table.damaged)} lines of {table.path} cannot be read (line {lines})"
        if not table.exposures.keys() & numbers.get(table.path.parent, set()):
            yield f"no photo is in the table {table.path}: is it of another flight?"


def _about_places(preflight: Preflight) -> Iterator[str]:
    usable = preflight.usable
    if not len(usable):
        return
    placed = usable["lon_deg"].notna()
    if not placed.any():
        yield "no photo has a position: the result will be neither georeferenced nor to scale"
        return
    if usable["alt_m"].notna().any() and (preflight.datum.datum, preflight.datum.confidence) != (
        "ellipsoid",
        "high",
    ):
        yield f"what the altitudes are measured from: {preflight.datum}"
    missing = [
        words
        for words, column in (
            ("gimbal angles", "gimbal_pitch_deg"),
            ("height above the ground", "height_m"),
            ("focal length", "focal_px"),
        )
        if not usable[column].notna().any()
    ]
    if missing:
        yield f"footprints and pixel size are unknown: no photo tells {' and '.join(missing)}"
    overlap = preflight.overlap
    if overlap is None:
        return
    for share, wanted, words in (
        (overlap.forward, FORWARD_WANTED, "along the track"),
        (overlap.side, SIDE_WANTED, "between strips"),
    ):
        if share is not None and share < wanted:
            yield (
                f"photos overlap by {share:.0%} {words}; below {wanted:.0%} the result often has "
                "holes"
            )
