"""Writes a SOGS bundle of the first generation: splats as images in a ZIP, without higher SH.

Knows the format; six files, ``meta.json`` and five lossless WebP images. Knows no service.

References
----------
playcanvas/sogs, ``src/sogs/sogs_compression.py`` (the encoder) and playcanvas/splat-transform,
``src/lib/readers/read-sog-v1.ts`` (a decoder).
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cupixgeo.emulator.frames import Array
from cupixgeo.emulator.splats import RECORDED, Splats

_SIDE_MAX = 96
_EPOCH = (1980, 1, 1, 0, 0, 0)
Bytes = NDArray[np.uint8]


def write_sogs(splats: Splats) -> bytes:
    """Return a bundle of as many splats as a square image of at most 96 × 96 holds.

    Parameters
    ----------
    splats : Splats
        What to write; every k-th is taken where there are too many.

    Returns
    -------
    bytes
        A ZIP with stored entries at its root.
    """
    side = min(int(np.sqrt(len(splats))), _SIDE_MAX)
    chosen = np.zeros(len(splats), bool)
    chosen[np.linspace(0, len(splats) - 1, side * side).astype(int)] = True
    splats = splats.take(chosen)
    count = len(splats)

    positions = np.sign(splats.centres) * np.log1p(np.abs(splats.centres))
    steps, means = _quantised(positions, 65535)
    scale_bytes, scales = _quantised(np.log(splats.sigmas), 255)
    stored = np.column_stack([np.clip(splats.f_dc, -3, 3), splats.logits])
    colour_bytes, colours = _quantised(stored, 255)
    images = {
        "means_l.webp": _rgba(steps & 255),
        "means_u.webp": _rgba(steps >> 8),
        "quats.webp": _packed(splats.quaternions),
        "scales.webp": _rgba(scale_bytes),
        "sh0.webp": colour_bytes.astype(np.uint8),
    }
    meta: dict[str, Any] = {
        "means": {"shape": [count, 3], **means, "files": ["means_l.webp", "means_u.webp"]},
        "scales": {"shape": [count, 3], **scales, "files": ["scales.webp"]},
        "quats": {
            "shape": [count, 4], "dtype": "uint8", "encoding": "quaternion_packed",
            "files": ["quats.webp"],
        },
        "sh0": {"shape": [count, 1, 4], **colours, "files": ["sh0.webp"]},
        "note": RECORDED,
    }  # fmt: skip
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as bundle:
        bundle.writestr(zipfile.ZipInfo("meta.json", _EPOCH), json.dumps(meta))
        for name, pixels in images.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            bundle.writestr(entry, _webp(pixels.reshape(side, side, 4)))
    return target.getvalue()


def _quantised(values: Array, steps: int) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Map each column linearly onto whole numbers from 0 to `steps`."""
    low, high = values.min(axis=0), values.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    whole = np.rint((values - low) / span * steps).astype(np.int64)
    return whole, {"dtype": "float32", "mins": low.tolist(), "maxs": high.tolist()}


def _rgba(rgb: NDArray[np.int64]) -> Bytes:
    return np.column_stack([rgb, np.full(len(rgb), 255)]).astype(np.uint8)


def _packed(quaternions: Array) -> Bytes:
    """Pack w, x, y, z into the three smallest and the number of the largest."""
    rows = np.arange(len(quaternions))
    largest = np.abs(quaternions).argmax(axis=1)
    signed = quaternions * np.where(quaternions[rows, largest] < 0, -1, 1)[:, None]
    others = signed[np.arange(4) != largest[:, None]].reshape(-1, 3)
    rgb = np.rint((others / np.sqrt(2) + 0.5) * 255)
    return np.column_stack([np.clip(rgb, 0, 255), 252 + largest]).astype(np.uint8)


def _webp(pixels: Bytes) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(target, "WEBP", lossless=True, exact=True, method=4)
    return target.getvalue()
