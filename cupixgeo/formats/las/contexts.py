"""What the coordinate layers of a LAZ chunk are coded with: models, contexts, and where they lie.

All of it is memory by address: for each of four scanner channels the models, then for each of them
the context, which is what is remembered of the points before.

Knows: which model follows what. Must not know: how symbols are coded, files.

Source: M. Isenburg, LASzip, item POINT14 version 3 (the compression of LAS 1.4 point formats).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cupixgeo.compiling import compiled, inlined
from cupixgeo.formats.las.entropy import BITS_SYMBOLS as BITS_SYMBOLS
from cupixgeo.formats.las.machine import (
    load8,
    load16,
    load64,
    load_signed,
    store64,
)
from cupixgeo.formats.las.models import ModelPlan

CHANGED_SYMBOLS = np.int64(128)
RETURN_SYMBOLS = np.int64(16)
SAME_PULSE_SYMBOLS = np.int64(13)
CHANNEL_SYMBOLS = np.int64(3)

CHANNEL_CHANGED, COUNT_CHANGED, GPS_CHANGED, SOURCE_CHANGED = 1 << 6, 1 << 2, 1 << 4, 1 << 5
RETURN_CHANGE = 3
"""Bits of a point's change symbol; the two lowest say how the return number differs."""

LAYER_ROOM = 24
"""Bytes a point cannot exceed in one layer: nine symbols of at most 15 bits, 48 raw bits."""


_plan = ModelPlan()
CHANGED, CHANGED_STEP = _plan.models(8, CHANGED_SYMBOLS)
X_BITS, BITS_STEP = _plan.models(2, BITS_SYMBOLS)
Y_BITS, _ = _plan.models(22, BITS_SYMBOLS)
Z_BITS, _ = _plan.models(20, BITS_SYMBOLS)
FOR_X, FOR_Y, FOR_Z = _plan.correctors(), _plan.correctors(), _plan.correctors()
CHANNEL, _ = _plan.models(1, CHANNEL_SYMBOLS)
COUNT, RETURN_STEP = _plan.models(16, RETURN_SYMBOLS)
NUMBER, _ = _plan.models(16, RETURN_SYMBOLS)
NUMBER_SAME_PULSE, _ = _plan.models(1, SAME_PULSE_SYMBOLS)
MODELS_BYTES = _plan.bytes

RETURN_MAP = np.array(
    [
        [0, 1, 2, 3, 4, 5, 3, 4, 4, 5, 5, 5, 5, 5, 5, 5],
        [1, 0, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
        [2, 1, 2, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3],
        [3, 3, 4, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4],
        [4, 3, 4, 4, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4],
        [5, 3, 4, 4, 4, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4],
        [3, 3, 4, 4, 4, 4, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4],
        [4, 3, 4, 4, 4, 4, 4, 5, 4, 4, 4, 4, 4, 4, 4, 4],
        [4, 3, 4, 4, 4, 4, 4, 4, 5, 4, 4, 4, 4, 4, 4, 4],
        [5, 3, 4, 4, 4, 4, 4, 4, 4, 5, 4, 4, 4, 4, 4, 4],
        [5, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 4, 4, 4, 4, 4],
        [5, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 4, 4, 4],
        [5, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 4, 4],
        [5, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 4],
        [5, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5],
        [5, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5],
    ]
)
"""Context of the X and Y predictions, by number of returns and return number."""

RETURN_LEVEL = np.minimum(np.abs(np.subtract.outer(np.arange(16), np.arange(16))), 7)
"""Context of the Z prediction, by number of returns and return number."""

FIRST, LAST = 1, 2
CHANGE_KIND = FIRST * (np.arange(16) == 1) + LAST * (np.arange(16) >= np.arange(16)[:, None])
"""Which of the models of what changes follows a point, by the same; 4 more where GPS changed."""

MAPS = np.concatenate([RETURN_MAP, RETURN_LEVEL, CHANGE_KIND]).astype(np.uint8)
"""The three of them one behind the other, to be looked up by address."""
LEVELS, KINDS = 256, 512

# A decoded point [byte]: three coordinates (int32), what changed and the scanner channel above
# bit 7 (uint16), return number and number of returns above bit 4 (uint8).
X_AT, Y_AT, Z_AT, CHANGE_AT, RETURNS_AT, POINT_BYTES = 0, 4, 8, 12, 14, 16

# One channel's context [byte]: the last point, where the model of the next change is, sliding
# medians, last heights.
X, Y, Z, BOTH, NEXT = range(0, 40, 8)
MEDIAN_BYTES = 24
MEDIAN = 8
X_MEDIANS = 40
Y_MEDIANS = X_MEDIANS + 12 * MEDIAN_BYTES
LAST_Z = Y_MEDIANS + 12 * MEDIAN_BYTES
CONTEXT_BYTES = LAST_Z + 64

CONTEXTS = 4 * MODELS_BYTES
WORK_BYTES = CONTEXTS + 4 * CONTEXT_BYTES
"""Models and contexts of four channels."""


def first_models(*, tabled: bool) -> npt.NDArray[np.uint8]:
    """Models of one channel in their first state, shape (MODELS_BYTES,); `tabled` for decoding."""
    return _plan.first(tabled=tabled)


@compiled
def open_channel(work, first, channel, like):
    """Give a channel that is met for the first time fresh models and the last point of another."""
    models = work + channel * MODELS_BYTES
    for at in range(0, MODELS_BYTES, 8):
        store64(models, at, load64(first, at))
    context = work + CONTEXTS + channel * CONTEXT_BYTES
    other = work + CONTEXTS + like * CONTEXT_BYTES
    height = load64(other, Z)
    for at in range(0, NEXT, 8):
        store64(context, at, load64(other, at))
    for at in range(NEXT, LAST_Z, 8):
        store64(context, at, 0)
    for at in range(LAST_Z, CONTEXT_BYTES, 8):
        store64(context, at, height)


@inlined
def places(work, channel):
    """Addresses of a channel's models and context."""
    return work[0] + channel * MODELS_BYTES, work[0] + CONTEXTS + channel * CONTEXT_BYTES


@inlined
def begin_chunk(work, point):
    """Make the channel of the first point, which is stored as it is, the only one."""
    space, first, maps = work
    channel = load16(point, CHANGE_AT) >> 7
    context = space + CONTEXTS + channel * CONTEXT_BYTES
    store64(context, X, load_signed(point, X_AT))
    store64(context, Y, load_signed(point, Y_AT))
    store64(context, Z, load_signed(point, Z_AT))
    store64(context, BOTH, load8(point, RETURNS_AT))
    open_channel(space, first, channel, channel)
    expect_change(context, maps, load8(point, RETURNS_AT), 0)
    models, context = places(work, channel)
    return channel, 1 << channel, models, context


@inlined
def change_channel(work, opened, channel, last):
    """Open a channel that is met for the first time; return which have been."""
    if not (opened >> channel) & 1:
        open_channel(work[0], work[1], channel, last)
    return opened | 1 << channel


@inlined
def expect_change(context, maps, both, gps):
    """Note which of the eight change models follows."""
    store64(context, NEXT, (load8(maps, KINDS + both) + 4 * gps) * CHANGED_STEP)


@inlined
def x_median(context, maps, both, gps):
    """Where the differences in X of such points are foretold; those in Y further on."""
    return context + X_MEDIANS + (load8(maps, both) * 2 + gps) * MEDIAN_BYTES


@inlined
def x_bits_model(models, both):
    """Which of the 2 bit-count models a point with so many returns has."""
    return models + X_BITS + (both >> 4 == 1) * BITS_STEP


@inlined
def y_bits_model(models, both, x_bits):
    """Which of the 22 bit-count models follows the bit count of X."""
    return models + Y_BITS + ((both >> 4 == 1) + min(x_bits & ~1, 20)) * BITS_STEP


@inlined
def z_bits_model(models, both, x_bits, y_bits):
    """Which of the 20 bit-count models follows the bit counts of X and Y."""
    mean = (x_bits + y_bits) >> 1
    return models + Z_BITS + ((both >> 4 == 1) + min(mean & ~1, 18)) * BITS_STEP
