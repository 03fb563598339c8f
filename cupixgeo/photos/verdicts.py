"""The verdict on each photo, with its reasons: ok, warn, reject.

Knows the photos of one set beside each other: the odd one out, the same file twice, the blurred
one among sharp ones. A photo is rejected where sending it can only do harm (it cannot be read, it
is there twice, its position is wrong); what may be right is warned about. Must not know a service.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from cupixgeo.photos.datum import FIXED_FLAG
from cupixgeo.photos.footprints import LocalPlane
from cupixgeo.photos.photo import Photo
from cupixgeo.photos.quality import PixelQuality
from cupixgeo.photos.rules import Rules

Verdict: TypeAlias = Literal["ok", "warn", "reject"]
VERDICTS: tuple[Verdict, ...] = ("ok", "warn", "reject")

REASONS: Mapping[str, Verdict] = {
    "unreadable": "reject",
    "damaged-pixels": "reject",
    "duplicate": "reject",
    "zero-position": "reject",
    "off-earth": "reject",
    "no-position": "warn",
    "far-away": "warn",
    "no-altitude": "warn",
    "no-focal-length": "warn",
    "zero-focal-length": "warn",
    "odd-size": "warn",
    "odd-camera": "warn",
    "blurred": "warn",
    "over-exposed": "warn",
    "under-exposed": "warn",
    "no-rtk-fix": "warn",
    "odd-metadata": "warn",
}
"""Every reason there is, and the verdict it leads to."""

FEW = 5
"""Sets smaller than this have no "usual" sharpness."""


@dataclass(frozen=True)
class Examined:
    """What was found out about one file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    photo : Photo or None
        None where it could not be opened.
    pixels : PixelQuality or None
        None where they were not looked at.
    error : str
        Why it could not be opened, or its pixels not be read.
    duplicate_of : pathlib.Path or None
        An earlier file of the same bytes.
    """

    path: Path
    photo: Photo | None = None
    pixels: PixelQuality | None = None
    error: str = ""
    duplicate_of: Path | None = None


@dataclass(frozen=True)
class Finding:
    """One reason, in a word and in words.

    Parameters
    ----------
    reason : str
        One of `REASONS`.
    remark : str
        What exactly.
    verdict : {"warn", "reject"}
        What it leads to.
    """

    reason: str
    remark: str
    verdict: Verdict


def judge(examined: Sequence[Examined], rules: Rules) -> list[tuple[Finding, ...]]:
    """Judge a set of photos.

    Parameters
    ----------
    examined : sequence of Examined
        All of the set.
    rules : Rules

    Returns
    -------
    list of tuple of Finding
        For each, in their order; empty for a photo that is ok.
    """
    opened = [(e.photo, e.pixels) for e in examined if e.photo and e.duplicate_of is None]
    usual = _Usual.of(opened, rules)
    return [tuple(_findings(one, usual, rules)) for one in examined]


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """Return the worst verdict among findings; ``"ok"`` without any."""
    worst = max((VERDICTS.index(f.verdict) for f in findings), default=0)
    return VERDICTS[worst]


@dataclass(frozen=True)
class _Usual:
    """What most photos of a set are like; cameras by name, and ``""`` for all together."""

    photos: Mapping[str, int]
    sizes: Mapping[str, tuple[int, int]]
    sharpness: Mapping[str, float]
    plane: LocalPlane | None
    far_m: float
    with_fix: bool

    @classmethod
    def of(cls, opened: Sequence[tuple[Photo, PixelQuality | None]], rules: Rules) -> _Usual:
        sizes: dict[str, Counter[tuple[int, int]]] = {}
        sharp: dict[str, list[float]] = {}
        for photo, pixels in opened:
            for name in {"", photo.camera.name}:
                sizes.setdefault(name, Counter())[_shape(photo)] += 1
                if pixels is not None and pixels.sharpness is not None:
                    sharp.setdefault(name, []).append(pixels.sharpness)
        plane, far = _middle([photo for photo, _ in opened], rules)
        return cls(
            {name: counter.total() for name, counter in sizes.items()},
            {
                name: counter.most_common(1)[0][0]
                for name, counter in sizes.items()
                if 2 * counter.most_common(1)[0][1] > counter.total()
            },
            {name: float(np.median(v)) for name, v in sharp.items() if len(v) >= FEW},
            plane,
            far,
            any((photo.position.rtk_flag or 0) >= FIXED_FLAG for photo, _ in opened),
        )


def _shape(photo: Photo) -> tuple[int, int]:
    """Size without regard to how the camera was held."""
    return max(photo.width, photo.height), min(photo.width, photo.height)


def _middle(photos: Sequence[Photo], rules: Rules) -> tuple[LocalPlane | None, float]:
    places = np.array([(p.position.lon_deg, p.position.lat_deg) for p in photos], dtype=np.float64)
    places = places.reshape(-1, 2)
    places = places[np.isfinite(places).all(axis=1)]
    if len(places) < FEW:
        return None, math.inf
    plane = LocalPlane.amid(places)
    distance = np.hypot(*plane.to_metres(places).T)
    return plane, max(rules.far_m, 20 * float(np.median(distance)))


def _findings(one: Examined, usual: _Usual, rules: Rules) -> list[Finding]:
    if one.photo is None:
        return [_finding("unreadable", one.error)]
    if one.duplicate_of is not None:
        again = _finding(
            "duplicate",
            f"the same file as {one.duplicate_of}",
            "warn" if rules.keep_duplicates else None,
        )
        return [again, *_findings(replace(one, duplicate_of=None), usual, rules)]
    found = [_finding("damaged-pixels", one.error)] if one.error else []
    found += [_finding("odd-metadata", doubt) for doubt in one.photo.doubts]
    found += _about_position(one.photo, usual, rules)
    found += _about_camera(one.photo, usual)
    if one.pixels is not None:
        found += _about_pixels(one.photo.camera.name, one.pixels, usual, rules)
    return found


def _finding(reason: str, remark: str, verdict: Verdict | None = None) -> Finding:
    return Finding(reason, remark, verdict or REASONS[reason])


def _about_position(photo: Photo, usual: _Usual, rules: Rules) -> list[Finding]:
    position = photo.position
    if position.fault is not None:
        reason, remark = (
            ("zero-position", "its position is 0° N 0° E, which means it had none")
            if position.fault == "zero"
            else ("off-earth", "its longitude or latitude is none on earth")
        )
        return [_finding(reason, remark, None if rules.positions else "warn")]
    if not rules.positions:
        return []
    if position.lon_deg is None or position.lat_deg is None:
        return [_finding("no-position", "it has no position")]
    found = []
    if usual.plane is not None:
        place = np.array([position.lon_deg, position.lat_deg])
        away = float(np.hypot(*usual.plane.to_metres(place)))
        if away > usual.far_m:
            found.append(_finding("far-away", f"it is {away / 1000:,.1f} km from the others"))
    if position.alt_m is None:
        found.append(_finding("no-altitude", "it has no altitude"))
    if usual.with_fix and (position.rtk_flag or 0) < FIXED_FLAG:
        found.append(_finding("no-rtk-fix", "it has no RTK fix, though others have"))
    return found


def _about_camera(photo: Photo, usual: _Usual) -> list[Finding]:
    camera, found = photo.camera, []
    if camera.focal_mm is None and camera.focal_35_mm is None and camera.calibrated_px is None:
        found.append(_finding("no-focal-length", "it tells no focal length"))
    elif not (camera.focal_mm or camera.focal_35_mm or camera.calibrated_px):
        found.append(_finding("zero-focal-length", "it tells a focal length of zero"))
    taken, total = usual.photos[camera.name], usual.photos[""]
    size = usual.sizes.get(camera.name)
    if size is not None and _shape(photo) != size:
        remark = f"it is {photo.width} x {photo.height}, the others are {size[0]} x {size[1]}"
        found.append(_finding("odd-size", remark))
    if total >= FEW and taken < total and (taken == 1 or taken * 10 <= total):
        remark = f"it is of a {camera.name or 'camera without a name'}, most others are not"
        found.append(_finding("odd-camera", remark))
    return found


def _about_pixels(camera: str, pixels: PixelQuality, usual: _Usual, rules: Rules) -> list[Finding]:
    found = []
    if pixels.white is not None and pixels.white > rules.white:
        found.append(_finding("over-exposed", f"{pixels.white:.0%} of it is white"))
    if pixels.black is not None and pixels.black > rules.black:
        found.append(_finding("under-exposed", f"{pixels.black:.0%} of it is black"))
    sharpness = pixels.sharpness
    others = usual.sharpness.get(camera, usual.sharpness.get(""))
    if sharpness is None:
        found.append(_finding("blurred", "nothing at all can be seen in it"))
    elif others is not None and sharpness < rules.blurred * others:
        remark = f"its sharpness is {sharpness / others:.0%} of that of the others"
        found.append(_finding("blurred", remark))
    elif sharpness < rules.certainly_blurred:
        remark = f"its sharpness is {sharpness:.2f}, that of sharp photos 1 to 3"
        found.append(_finding("blurred", remark))
    return found
