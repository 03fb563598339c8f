"""The 8-bit attributes of LAZ chunks, compiled: classification, flags, user data, extra bytes.

Knows which of many models follows a value. Each function works on one layer of all points, as
fields of records so many bytes apart; the first point is known. Where there are many models, only
those that are met are brought to their first state. Must not know chunks or files.

Source: M. Isenburg, LASzip (version 3 of the items POINT14 and BYTE14).
"""

from __future__ import annotations

import numpy as np

from cupixgeo.compiling import compiled
from cupixgeo.formats.las.attributes import ONLY, known, return_kind
from cupixgeo.formats.las.entropy import (
    MAX_LENGTH,
    NOT_TABLED,
    TABLED,
    decode_likely,
    decode_symbol,
    encode_symbol,
    finish_encoder,
    init_model,
    model_bytes,
    start_decoder,
)
from cupixgeo.formats.las.machine import load8, store8

OCTET_SYMBOLS = np.int64(256)
FLAG_SYMBOLS = np.int64(64)
OCTET_STEP = model_bytes(int(OCTET_SYMBOLS))
CONTEXTS = 64
"""Models of an attribute at most, `OCTET_STEP` apart."""


@compiled
def decode_class(layer, end, models, points, fields, stride, count):
    """Fill in the classification; `models` have been forgotten."""
    now = load8(fields, 0)
    value, length, pos = start_decoder(layer)
    for i in range(1, count):
        only = return_kind(points, i) == ONLY
        model = models + (((now & 31) << 1) + only) * OCTET_STEP
        known(model, OCTET_SYMBOLS, TABLED)
        now, value, length, pos = decode_likely(model, OCTET_SYMBOLS, end, value, length, pos)
        pos = min(pos, end + 1)
        store8(fields, i * stride, now)
    return pos <= end


@compiled
def encode_class(out, models, points, fields, stride, count):
    """Write the classification; `models` have been forgotten. Returns the bytes written."""
    last = load8(fields, 0)
    base, length, pos = 0, 0 + MAX_LENGTH, out
    for i in range(1, count):
        only = return_kind(points, i) == ONLY
        model = models + (((last & 31) << 1) + only) * OCTET_STEP
        known(model, OCTET_SYMBOLS, NOT_TABLED)
        last = load8(fields, i * stride)
        base, length, pos = encode_symbol(model, OCTET_SYMBOLS, last, base, length, pos)
    return finish_encoder(out, base, length, pos)


@compiled
def decode_flags(layer, end, models, fields, stride, count):
    """Fill in the flags, the scanner channel staying as it is; `models` have been forgotten."""
    first = load8(fields, 0)
    now = (first & 15) | (first >> 6) << 4
    value, length, pos = start_decoder(layer)
    for i in range(1, count):
        model = models + now * OCTET_STEP
        known(model, FLAG_SYMBOLS, TABLED)
        now, value, length, pos = decode_likely(model, FLAG_SYMBOLS, end, value, length, pos)
        pos = min(pos, end + 1)
        store8(fields, i * stride, (now & 15) | (first & 0x30) | (now >> 4) << 6)
    return pos <= end


@compiled
def encode_flags(out, models, fields, stride, count):
    """Write the flags; `models` have been forgotten. Returns the bytes written."""
    first = load8(fields, 0)
    last = (first & 15) | (first >> 6) << 4
    base, length, pos = 0, 0 + MAX_LENGTH, out
    for i in range(1, count):
        model = models + last * OCTET_STEP
        known(model, FLAG_SYMBOLS, NOT_TABLED)
        now = load8(fields, i * stride)
        last = (now & 15) | (now >> 6) << 4
        base, length, pos = encode_symbol(model, FLAG_SYMBOLS, last, base, length, pos)
    return finish_encoder(out, base, length, pos)


@compiled
def decode_user_data(layer, end, models, fields, stride, count):
    """Fill in the user data; `models` have been forgotten."""
    now = load8(fields, 0)
    value, length, pos = start_decoder(layer)
    for i in range(1, count):
        model = models + (now >> 2) * OCTET_STEP
        known(model, OCTET_SYMBOLS, TABLED)
        now, value, length, pos = decode_likely(model, OCTET_SYMBOLS, end, value, length, pos)
        pos = min(pos, end + 1)
        store8(fields, i * stride, now)
    return pos <= end


@compiled
def encode_user_data(out, models, fields, stride, count):
    """Write the user data; `models` have been forgotten. Returns the bytes written."""
    last = load8(fields, 0)
    base, length, pos = 0, 0 + MAX_LENGTH, out
    for i in range(1, count):
        model = models + (last >> 2) * OCTET_STEP
        known(model, OCTET_SYMBOLS, NOT_TABLED)
        last = load8(fields, i * stride)
        base, length, pos = encode_symbol(model, OCTET_SYMBOLS, last, base, length, pos)
    return finish_encoder(out, base, length, pos)


@compiled
def decode_byte(layer, end, model, fields, stride, count):
    """Fill in one extra byte."""
    init_model(model, OCTET_SYMBOLS, TABLED)
    now = load8(fields, 0)
    value, length, pos = start_decoder(layer)
    for i in range(1, count):
        step, value, length, pos = decode_symbol(model, OCTET_SYMBOLS, end, value, length, pos)
        pos = min(pos, end + 1)
        now = (now + step) & 255
        store8(fields, i * stride, now)
    return pos <= end


@compiled
def encode_byte(out, model, fields, stride, count):
    """Write one extra byte. Returns the bytes written."""
    init_model(model, OCTET_SYMBOLS, NOT_TABLED)
    last = load8(fields, 0)
    base, length, pos = 0, 0 + MAX_LENGTH, out
    for i in range(1, count):
        now = load8(fields, i * stride)
        step = (now - last) & 255
        last = now
        base, length, pos = encode_symbol(model, OCTET_SYMBOLS, step, base, length, pos)
    return finish_encoder(out, base, length, pos)
