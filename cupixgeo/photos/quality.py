"""Whether the pixels of a photo are any good: readable to the end, sharp, neither white nor black.

Knows one photo at a time, decoded small: JPEG's own scaling (Pillow's draft mode) leaves out most
of the work, about 800 pixels stay. Must not know the other photos; what counts as blurred among
them is decided by `cupixgeo.photos.verdicts`.

Source: J. L. Pech-Pacheco et al., *Diatom autofocusing in brightfield microscopy* (ICPR 2000) for
the variance of the Laplacian. Here it is taken along four directions and each is divided by the
variance of the slope, so that a plain scene is not taken for a blurred one, and a photo smeared in
one direction only is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cupixgeo.errors import PhotoError
from cupixgeo.photos.exif import DAMAGE

DECODE_SIDE = 800
"""Shortest length the long side is decoded to [pixel]."""

MAX_DECODE = 32_000_000
"""Largest photo that is decoded whole [pixel]: formats other than baseline JPEG have to be."""

WHITE, BLACK = 250, 8
"""Grey values from which and up to which nothing can be told from its surroundings."""

Grey = npt.NDArray[np.float32]
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
_FLAT = 1e-6


@dataclass(frozen=True)
class PixelQuality:
    """What the pixels say.

    Parameters
    ----------
    sharpness : float or None
        Variance of the second difference over that of the first, in the direction where it is
        smallest: about 3 for noise, 2 for a sharp scaled photo, 0.5 for a blurred one. None for a
        photo without any detail.
    white, black : float or None
        Shares of pixels, 0 to 1, at least `WHITE` and at most `BLACK`; None for a photo of more
        than 8 bits, where that says nothing.
    """

    sharpness: float | None
    white: float | None
    black: float | None


def measure_pixels(path: Path) -> PixelQuality | None:
    """Decode a photo small and measure it.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    PixelQuality or None
        None for a photo that is too large to be decoded for this.

    Raises
    ------
    PhotoError
        The photo is cut off or damaged.
    """
    try:
        with Image.open(path) as image:
            grey = _decode_grey(image)
    except DAMAGE as error:
        raise PhotoError(
            f"{path} is cut off or damaged ({error or type(error).__name__}). Copy it from the "
            "card again, or leave it out."
        ) from error
    if grey is None:
        return None
    values, eight_bit = grey
    return PixelQuality(
        sharpness=sharpness(values),
        white=float((values >= WHITE).mean()) if eight_bit else None,
        black=float((values <= BLACK).mean()) if eight_bit else None,
    )


def _decode_grey(image: Image.Image) -> tuple[Grey, bool] | None:
    """Decode to grey values, small, and say whether they were bytes."""
    small, pixels = min(1.0, DECODE_SIDE / max(image.size)), image.width * image.height
    draft = image.draft("L", (int(image.width * small), int(image.height * small)))
    whole = draft is None or "progressive" in image.info
    if whole and pixels > MAX_DECODE:
        return None
    eight_bit = not image.mode.startswith(("I", "F"))
    if eight_bit:
        image = image.convert("L")
    image.load()
    values = np.asarray(image)
    step = 1 if draft is not None else max(1, max(values.shape) // DECODE_SIDE)
    return _reduced(values, step), eight_bit


def _reduced(values: npt.NDArray[Any], step: int) -> Grey:
    """Mean of squares of `step` pixels."""
    if step == 1:
        return values.astype(np.float32)
    rows, columns = (length // step for length in values.shape)
    blocks = values[: rows * step, : columns * step].reshape(rows, step, columns, step)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32), dtype=np.float32)


def sharpness(grey: Grey) -> float | None:
    """Measure how sharp a picture is, whatever it shows.

    Parameters
    ----------
    grey : ndarray, shape (rows, columns), float32
        Grey values in any unit.

    Returns
    -------
    float or None
        See `PixelQuality`; None where there is no detail at all.
    """
    rows, columns = grey.shape
    if min(rows, columns) < 3:
        return None
    centre = grey[1:-1, 1:-1]
    ratios = []
    for down, right in _DIRECTIONS:
        before, after = (
            grey[1 + k * down : rows - 1 + k * down, 1 + k * right : columns - 1 + k * right]
            for k in (-1, 1)
        )
        slope = after - centre
        bend = centre - before
        np.subtract(slope, bend, out=bend)
        energy = float(np.vdot(slope, slope)) / slope.size
        if energy > _FLAT:
            ratios.append(float(np.vdot(bend, bend)) / slope.size / energy)
    return min(ratios, default=None)
