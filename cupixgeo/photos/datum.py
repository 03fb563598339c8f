"""Above what the altitudes of a set of photos are measured: a guess, with what speaks for it.

Knows what cameras and drones write beside an altitude and how far each of these words can be
trusted. Must not know a geoid: nothing is converted here, and nothing is taken for granted. Where
the photos do not tell, the guess is "unknown" and the evidence says how to find out.

What is known: an RTK position is ellipsoidal (DJI's image metadata tables), and so is the ``Ellh``
of a ``.MRK`` table. Exif 3.0 gave ``GPSAltitudeRef`` the values 2 and 3 for ellipsoidal heights; 0
only repeats the default and is written by cameras of either kind. DJI's ``AbsoluteAltitude``
without RTK comes from the barometer and is off by tens of metres in either direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from cupixgeo.photos.photo import Photo

Datum: TypeAlias = Literal["ellipsoid", "take-off", "mixed", "unknown"]
Confidence: TypeAlias = Literal["high", "medium", "low", "none"]

SOLVED_FLAG = 32
"""RTK flags from here on are a solution against a base station: float, then fixed."""

FIXED_FLAG = 50
"""RTK flags from here on are fixed, good to centimetres."""

_SAME_M = 0.5
_RTK_WORDS = ("rtk",)


@dataclass(frozen=True)
class DatumGuess:
    """What the altitudes are measured from.

    Parameters
    ----------
    datum : {"ellipsoid", "take-off", "mixed", "unknown"}
        "mixed" means that some photos say one thing and some another, or nothing.
    confidence : {"high", "medium", "low", "none"}
        How far to trust it.
    evidence : tuple of str
        What speaks for it, and what against.
    """

    datum: Datum
    confidence: Confidence
    evidence: tuple[str, ...]

    def __str__(self) -> str:
        trust = "" if self.confidence == "none" else f" ({self.confidence} confidence)"
        return f"{self.datum}{trust}: {'; '.join(self.evidence)}"


def guess_datum(photos: Sequence[Photo]) -> DatumGuess:
    """Guess what the altitudes of photos are measured from.

    Parameters
    ----------
    photos : sequence of Photo
        Of one survey. Those without an altitude do not count.

    Returns
    -------
    DatumGuess
    """
    having = [photo for photo in photos if photo.position.alt_m is not None]
    if not having:
        return DatumGuess("unknown", "none", ("no photo tells an altitude",))
    strong, weak = _solved(having), _weak(having)
    if not strong and _above_take_off(having):
        return DatumGuess(
            "take-off",
            "medium",
            (
                f"in all {len(having)} photos the altitude repeats the height above take-off",
                "unless the take-off point is at 0 m, its height has to be added",
            ),
        )
    evidence = [*_words(having), *_ref_words(having), _take_off_words(having)]
    evidence = [text for text in evidence if text]
    if len(strong) == len(having):
        return DatumGuess("ellipsoid", "high", tuple(evidence))
    if strong:
        evidence.append(
            f"the other {len(having) - len(strong)} say nothing of the kind; in one survey with "
            "the first they may be tens of metres off"
        )
        return DatumGuess("mixed", "low", tuple(evidence))
    if len(weak) == len(having):
        return DatumGuess("ellipsoid", "medium", tuple(evidence))
    return DatumGuess("unknown", "none", tuple(evidence))


def _above_take_off(photos: Sequence[Photo]) -> bool:
    pairs = [(p.position.alt_m, p.position.rel_alt_m) for p in photos]
    return all(
        alt is not None and above is not None and abs(alt - above) < _SAME_M for alt, above in pairs
    )


def _solved(photos: Sequence[Photo]) -> list[Photo]:
    """Photos whose altitude is certainly ellipsoidal."""
    return [
        photo
        for photo in photos
        if (photo.position.rtk_flag or 0) >= SOLVED_FLAG
        or photo.position.alt_source == "mrk"
        or photo.position.states_ellipsoid
    ]


def _weak(photos: Sequence[Photo]) -> list[Photo]:
    """Photos whose drone calls the altitude an RTK one but does not say how good it is."""
    return [
        photo
        for photo in photos
        if any(
            word in (text or "").lower()
            for word in _RTK_WORDS
            for text in (photo.position.altitude_type, photo.position.gps_status)
        )
        and photo.position.rtk_flag is None
    ]


def _words(photos: Sequence[Photo]) -> list[str]:
    total = len(photos)
    flags = [p.position.rtk_flag for p in photos if p.position.rtk_flag is not None]
    fixed = sum(flag >= FIXED_FLAG for flag in flags)
    floating = sum(SOLVED_FLAG <= flag < FIXED_FLAG for flag in flags)
    single = sum(flag < SOLVED_FLAG for flag in flags)
    tables = sum(p.position.alt_source == "mrk" for p in photos)
    words = []
    if fixed:
        words.append(f"RTK is fixed in {fixed} of {total} photos (ellipsoidal by definition)")
    if floating:
        words.append(f"RTK is floating in {floating} of {total} (ellipsoidal, decimetres)")
    if single:
        words.append(f"RTK had no solution in {single} of {total}")
    if tables:
        words.append(f"{tables} of {total} altitudes are ellipsoidal heights of a .MRK table")
    if not flags and not tables:
        words.append("no photo has an RTK flag")
    for name, values in (
        ("AltitudeType", {p.position.altitude_type for p in photos}),
        ("GpsStatus", {p.position.gps_status for p in photos}),
    ):
        said = sorted(value for value in values if value)
        if said:
            words.append(f"{name} is {', '.join(said)}")
    return words


def _ref_words(photos: Sequence[Photo]) -> list[str]:
    stated = sum(p.position.states_ellipsoid for p in photos)
    if stated:
        return [f"EXIF states an ellipsoidal height in {stated} of {len(photos)}"]
    if any(p.position.alt_ref in (0, 1) for p in photos):
        return ["EXIF says 'sea level', which is only its default and proves nothing"]
    return []


def _take_off_words(photos: Sequence[Photo]) -> str:
    """Tell the height of the take-off point, which the user can look up on a map."""
    ground = [
        p.position.alt_m - p.position.rel_alt_m
        for p in photos
        if p.position.alt_m is not None and p.position.rel_alt_m is not None
    ]
    if not ground:
        return ""
    return (
        f"by these altitudes the take-off point is at {float(np.median(ground)):.1f} m: compare "
        "it with the ground on a map"
    )
