"""What a photo has to be like: the limits a user may change.

Knows numbers and their reasons. Must not know how anything is measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cupixgeo.errors import ArgumentError


@dataclass(frozen=True)
class Rules:
    """Limits of a preflight.

    Parameters
    ----------
    positions : bool
        Whether photos should have a position, as aerial photos do. Without, the photos of an
        object on a turntable are not blamed for having none.
    height_m : float or None
        [m] above the ground of all photos, for footprints; None takes each photo's own height
        above take-off.
    keep_duplicates : bool
        Whether a file that is there twice is only warned about, not rejected.
    blurred : float
        A photo is blurred if its sharpness is below this share of the median of its camera.
        Measured on sharp photos: 0.95 to 1.05; smeared over three decoded pixels: 0.35 to 0.5.
    certainly_blurred : float
        Sharpness that is too low whatever the others are like.
    white, black : float
        Shares of pixels without detail above which a photo is over- or under-exposed.
    far_m : float
        [m] A photo is far from the others if it is further from their middle than this and than
        twenty times their median distance from it.

    Raises
    ------
    ArgumentError
        The height is not positive.
    """

    positions: bool = True
    height_m: float | None = None
    keep_duplicates: bool = False
    blurred: float = 0.65
    certainly_blurred: float = 0.35
    white: float = 0.25
    black: float = 0.5
    far_m: float = 1_000.0

    def __post_init__(self) -> None:
        if self.height_m is not None and not 0 < self.height_m < math.inf:
            raise ArgumentError(
                f"a height of {self.height_m} m above the ground gives no footprint: give a "
                "positive number, or leave it out."
            )
