"""The focal length of a camera in pixels, from the best statement a photo makes about it.

Knows DJI's calibrated value and the 35 mm equivalent of EXIF. Must not know where the camera was.

The equivalent compares *diagonals* (CIPA DCG-001), and it is that of the whole sensor. A wide
picture (16:9) is taken as cut from a sensor of 4:3 over its full width, as drones and phones do;
others as whole. For cameras whose sensor is known that was right within 3 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cupixgeo.photos.photo import Camera

FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
WIDEST_SENSOR = 1.55
"""Widest shape of a sensor, long side over short: a little more than 3:2."""

_SENSOR_SHAPE = 4 / 3
_PLAUSIBLE = (0.2, 20.0)


@dataclass(frozen=True)
class Focal:
    """A focal length.

    Parameters
    ----------
    px : float
        [pixel] of the photo as it is stored.
    source : str
        ``"calibrated"`` or ``"35 mm equivalent"``.
    """

    px: float
    source: str


def focal_length(camera: Camera, width: int, height: int) -> Focal | None:
    """Find the focal length in pixels.

    Parameters
    ----------
    camera : Camera
        What the photo says about its camera.
    width, height : int
        Size of the photo as stored [pixel].

    Returns
    -------
    Focal or None
        None where the photo says nothing usable about it.
    """
    long = max(width, height)
    if camera.calibrated_px:
        scale = width / camera.full_width_px if camera.full_width_px else 1.0
        px = camera.calibrated_px * scale
        if _PLAUSIBLE[0] < px / long < _PLAUSIBLE[1]:
            return Focal(px, "calibrated")
    if camera.focal_35_mm and camera.focal_35_mm > 0:
        shape = long / min(width, height)
        shape = shape if shape <= WIDEST_SENSOR else _SENSOR_SHAPE
        long_mm = FILM_DIAGONAL_MM * shape / math.hypot(shape, 1.0)
        return Focal(long * camera.focal_35_mm / long_mm, "35 mm equivalent")
    return None
