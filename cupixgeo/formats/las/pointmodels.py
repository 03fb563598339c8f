"""What the points of LAZ chunks of point formats 0 to 3 are coded with, and where it lies.

One stretch of memory by address: the models, those that are only made when they are needed, and
the context, which is what is remembered of the points before.

Must not know: how symbols are coded, files.

Source: M. Isenburg, LASzip, items POINT10, GPSTIME11, RGB12 and BYTE, all version 2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cupixgeo.formats.las.entropy import BITS_SYMBOLS, MOST_SYMBOLS
from cupixgeo.formats.las.models import ModelPlan

CHANGED_SYMBOLS = np.int64(64)
SHORT_BITS_SYMBOLS = np.int64(17)
SEQUENCE_SYMBOLS = np.int64(6)
MULTIPLE_SYMBOLS = np.int64(516)
USED_SYMBOLS = np.int64(128)
"""Of bytes of a colour: which of six differ, and whether it is not grey."""

FLAGS_CHANGED, INTENSITY_CHANGED, CLASS_CHANGED = 1 << 5, 1 << 4, 1 << 3
ANGLE_CHANGED, USER_CHANGED, SOURCE_CHANGED = 1 << 2, 1 << 1, 1 << 0
"""Bits of a point's change symbol."""

COLOURED = 1 << 6

HIGHEST_MULTIPLE, UNCHANGED, OTHER_SEQUENCE = 500, 511, 512
"""GPS time: differences are foretold as multiples of the last one, up to 500, or from 501 on down
to -10; beyond them, that it is the same, or in another of four sequences."""

LOWEST_MULTIPLE = -10
EXTREME = 3
"""Differences beyond the multiples after which the last one is taken as the measure."""

_plan = ModelPlan()
CHANGED, _ = _plan.models(1, CHANGED_SYMBOLS)
INTENSITY_BITS, SHORT_BITS_STEP = _plan.models(4, SHORT_BITS_SYMBOLS)
SOURCE_BITS, _ = _plan.models(1, SHORT_BITS_SYMBOLS)
X_BITS, BITS_STEP = _plan.models(2, BITS_SYMBOLS)
Y_BITS, _ = _plan.models(22, BITS_SYMBOLS)
Z_BITS, _ = _plan.models(20, BITS_SYMBOLS)
GPS_BITS, _ = _plan.models(9, BITS_SYMBOLS)
FOR_X, FOR_Y, FOR_Z = _plan.correctors(), _plan.correctors(), _plan.correctors()
FOR_INTENSITY, FOR_SOURCE, FOR_GPS = _plan.correctors(), _plan.correctors(), _plan.correctors()
SEQUENCE, _ = _plan.models(1, SEQUENCE_SYMBOLS)
MULTIPLE, _ = _plan.models(1, MULTIPLE_SYMBOLS)
COLOUR_USED, _ = _plan.models(1, USED_SYMBOLS)
COLOUR, BYTE_STEP = _plan.models(6, MOST_SYMBOLS)
ANGLE, _ = _plan.models(2, MOST_SYMBOLS)
EMPTY_BYTE, _ = _plan.models(1, MOST_SYMBOLS)
MODELS_BYTES = _plan.bytes

FLAGS = MODELS_BYTES
CLASS = FLAGS + 256 * BYTE_STEP
USER = CLASS + 256 * BYTE_STEP
EXTRA = USER + 256 * BYTE_STEP
"""Models of bytes that follow a byte, one for each value of it, and of extra bytes: copied from the
empty one when they are first needed."""

RETURN_MAP = np.array(
    [
        [15, 14, 13, 12, 11, 10, 9, 8],
        [14, 0, 1, 3, 6, 10, 10, 9],
        [13, 1, 2, 4, 7, 11, 11, 10],
        [12, 3, 4, 5, 8, 12, 12, 11],
        [11, 6, 7, 8, 9, 13, 13, 12],
        [10, 10, 11, 12, 13, 14, 14, 13],
        [9, 10, 11, 12, 13, 14, 15, 14],
        [8, 9, 10, 11, 12, 13, 14, 15],
    ]
)
"""Context of X, Y and intensity, by number of returns and return number."""

RETURN_LEVEL = np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
"""Context of Z, by the same."""

MAPS = np.concatenate([RETURN_MAP, RETURN_LEVEL]).astype(np.uint8)
LEVELS = 64

# A decoded point [byte]: three coordinates (int32), its return number (uint8).
X_AT, Y_AT, Z_AT, RETURN_AT, POINT_BYTES = 0, 4, 8, 12, 16

# What is remembered [byte]: the last point, sliding medians, last heights; of GPS time in each of
# four sequences, the last difference and how many extremes were met in a row.
X, Y, LAST_FLAGS, LAST_CLASS, LAST_USER, THIS_SEQUENCE, LAST_SEQUENCE = range(0, 56, 8)
X_MEDIANS, MEDIAN_BYTES = 56, 24
Y_MEDIANS = X_MEDIANS + 16 * MEDIAN_BYTES
LAST_Z = Y_MEDIANS + 16 * MEDIAN_BYTES
DIFFERENCES = LAST_Z + 8 * 8
EXTREMES = DIFFERENCES + 4 * 8
CONTEXT_BYTES = EXTREMES + 4 * 8

FLAGS_BYTE, CLASS_BYTE, USER_BYTE = 14, 15, 17
"""Bytes of a point record of formats 0 to 3 (LAS 1.2, table 4.5)."""


def work_bytes(extra_bytes: int) -> int:
    """Bytes the models and the context take."""
    return EXTRA + extra_bytes * BYTE_STEP + CONTEXT_BYTES


def first_models(*, tabled: bool) -> npt.NDArray[np.uint8]:
    """Models in their first state, shape (MODELS_BYTES,); `tabled` for decoding."""
    return _plan.first(tabled=tabled)


def log_room(extra_bytes: int) -> int:
    """Bytes the noted symbols of a point cannot exceed."""
    return 2 * (40 + extra_bytes)


def point_room(extra_bytes: int) -> int:
    """Bytes an encoded point cannot exceed: two a symbol, and what is stored as it is."""
    return 2 * (30 + extra_bytes) + 24
