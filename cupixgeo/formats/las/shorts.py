"""The 16-bit attributes of LAZ chunks, compiled: intensity, scan angle, source.

Knows how they are predicted from the points before. Each function works on one layer of all points,
as fields of records so many bytes apart; the first point is known. Must not know chunks or files.

Source: M. Isenburg, LASzip (version 3 of the item POINT14).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cupixgeo.compiling import compiled, inlined
from cupixgeo.formats.las.attributes import ANGLE_BIT, TIME_BIT, change_bit, return_kind
from cupixgeo.formats.las.entropy import (
    CORRECTOR_BYTES,
    MAX_LENGTH,
    decode_corrector,
    encode_corrector,
    finish_encoder,
    init_corrector,
    init_model,
    model_bytes,
    start_decoder,
)
from cupixgeo.formats.las.machine import load16, store16

BITS_SYMBOLS = np.int64(17)
"""Bit counts of a 16-bit corrector, zero included."""

CONTEXTS = 4
BITS_STEP = model_bytes(int(BITS_SYMBOLS))
BITS = int(BITS_SYMBOLS) * CORRECTOR_BYTES
SHORT_BYTES = BITS + CONTEXTS * BITS_STEP
"""Models: those of correctors, then those of bit counts, one for each kind of return."""


def short_models(tabled: np.bool_) -> npt.NDArray[np.uint8]:
    """Models of a 16-bit attribute in their first state; tabled for decoding."""
    models = np.zeros(SHORT_BYTES, np.uint8)
    at = models.ctypes.data
    for bits in range(int(BITS_SYMBOLS)):
        init_corrector(at + bits * CORRECTOR_BYTES, bits, tabled)
    for context in range(CONTEXTS):
        init_model(at + BITS + context * BITS_STEP, BITS_SYMBOLS, tabled)
    return models


@inlined
def next_intensity(i, models, points, last, field, end, state):
    """Read the intensity of a point; `last` are those before, by kind of return (8,)."""
    value, length, pos = state
    kind = return_kind(points, i)
    slot = kind * 2 + change_bit(points, i, TIME_BIT)
    step, _, value, length, pos = decode_corrector(
        models + BITS + kind * BITS_STEP, BITS_SYMBOLS, models, end, value, length, pos
    )
    now = (last[slot] + step) & 0xFFFF
    last[slot] = now
    store16(field, 0, now)
    return value, length, min(pos, end + 1)


@compiled
def decode_intensity(layer, end, models, points, fields, stride, count):
    """Fill in intensity."""
    last = np.full(8, load16(fields, 0))
    state = start_decoder(layer)
    for i in range(1, count):
        state = next_intensity(i, models, points, last, fields + i * stride, end, state)
    return state[2] <= end


@compiled
def encode_intensity(out, models, points, fields, stride, count):
    """Write intensity: the reverse of `decode_intensity`. Returns the bytes written."""
    last = np.full(8, load16(fields, 0))
    base, length, pos = 0, 0 + MAX_LENGTH, out
    for i in range(1, count):
        kind = return_kind(points, i)
        slot = kind * 2 + change_bit(points, i, TIME_BIT)
        now = load16(fields, i * stride)
        step = ((now - last[slot] + 0x8000) & 0xFFFF) - 0x8000
        last[slot] = now
        _, base, length, pos = encode_corrector(
            models + BITS + kind * BITS_STEP,
            BITS_SYMBOLS,
            models,
            step,
            base,
            length,
            pos,
        )
    return finish_encoder(out, base, length, pos)


@compiled
def decode_rare(layer, end, models, points, bit, fields, stride, count):
    """Fill in a 16-bit attribute where the change symbol has a bit: scan angle or source.

    The scan angle has two bit-count models, chosen by whether GPS time changes.
    """
    now = load16(fields, 0)
    value, length, pos = start_decoder(layer)
    for i in range(1, count):
        if change_bit(points, i, bit):
            context = change_bit(points, i, TIME_BIT) * (bit == ANGLE_BIT)
            step, _, value, length, pos = decode_corrector(
                models + BITS + context * BITS_STEP,
                BITS_SYMBOLS,
                models,
                end,
                value,
                length,
                pos,
            )
            pos = min(pos, end + 1)
            now = (now + step) & 0xFFFF
        store16(fields, i * stride, now)
    return pos <= end


@compiled
def encode_rare(out, models, points, bit, fields, stride, count):
    """Write scan angle or source: the reverse of `decode_rare`. Returns the bytes written."""
    last = load16(fields, 0)
    base, length, pos = 0, 0 + MAX_LENGTH, out
    for i in range(1, count):
        if change_bit(points, i, bit):
            context = change_bit(points, i, TIME_BIT) * (bit == ANGLE_BIT)
            now = load16(fields, i * stride)
            step = ((now - last + 0x8000) & 0xFFFF) - 0x8000
            last = now
            _, base, length, pos = encode_corrector(
                models + BITS + context * BITS_STEP,
                BITS_SYMBOLS,
                models,
                step,
                base,
                length,
                pos,
            )
    return finish_encoder(out, base, length, pos)
