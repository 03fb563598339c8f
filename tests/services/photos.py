"""Small photos made for a test; no two of them are alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def make_photos(folder: Path, count: int) -> Path:
    """Make a folder of photos, and return it."""
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"P_{number + 1}.jpg", quality=95)
    return folder
