"""Colour and near infrared of LAZ chunks, compiled.

Knows how bytes of a colour are predicted from each other and from the point before. Each function
works on one layer of all points, as fields of records so many bytes apart; the first point is
known. Must not know chunks or files.

Source: M. Isenburg, LASzip (version 3 of the items RGB14 and RGBNIR14).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cupixgeo.compiling import compiled, inlined
from cupixgeo.formats.las.entropy import (
    MAX_LENGTH,
    decode_symbol,
    encode_symbol,
    finish_encoder,
    init_model,
    start_decoder,
)
from cupixgeo.formats.las.machine import load16, store16
from cupixgeo.formats.las.octets import OCTET_STEP, OCTET_SYMBOLS
from cupixgeo.formats.las.shorts import next_intensity

COLOUR_SYMBOLS, INFRARED_SYMBOLS = np.int64(128), np.int64(4)
"""Which bytes change; of a colour also whether it is more than a grey."""

PARTS = OCTET_STEP
"""Models: that of what changes, then low and high red, green and blue, or of near infrared."""

COLOUR_BYTES = PARTS + 6 * OCTET_STEP


def colour_models(tabled: np.bool_) -> npt.NDArray[np.uint8]:
    """Models of a colour in their first state; tabled for decoding."""
    return _models(COLOUR_SYMBOLS, 6, tabled)


def infrared_models(tabled: np.bool_) -> npt.NDArray[np.uint8]:
    """Models of near infrared in their first state; tabled for decoding."""
    return _models(INFRARED_SYMBOLS, 2, tabled)


def _models(symbols: np.int64, parts: int, tabled: np.bool_) -> npt.NDArray[np.uint8]:
    models = np.zeros(PARTS + parts * OCTET_STEP, np.uint8)
    at = models.ctypes.data
    init_model(at, symbols, tabled)
    for part in range(parts):
        init_model(at + PARTS + part * OCTET_STEP, OCTET_SYMBOLS, tabled)
    return models


@inlined
def clamp(value):
    """Nearest number that fits a byte."""
    return min(max(value, 0), 255)


@inlined
def half(value):
    """Half a number, rounded towards zero."""
    return (value + (value < 0)) >> 1


@inlined
def changed_bytes(a, b):
    """Which bytes of two 16-bit numbers differ: 1 the lower, 2 the higher."""
    differing = a ^ b
    return 1 * ((differing & 255) != 0) + 2 * (differing > 255)


@inlined
def decode_part(changed, model, guess, before, end, value, length, pos):
    """One byte of a colour: where it changes, the difference to a guess."""
    if changed:
        step, value, length, pos = decode_symbol(model, OCTET_SYMBOLS, end, value, length, pos)
        return (guess + step) & 255, value, length, pos
    return before, value, length, pos


@inlined
def encode_part(changed, model, guess, now, base, length, pos):
    """One byte of a colour: the reverse of `decode_part`."""
    if changed:
        step = (now - guess) & 255
        base, length, pos = encode_symbol(model, OCTET_SYMBOLS, step, base, length, pos)
    return base, length, pos


@inlined
def next_colour(models, field, rgb, end, state):
    """Read the colour of a point, `rgb` being the last one."""
    value, length, pos = state
    red, green, blue = rgb
    part = models + PARTS
    kind, value, length, pos = decode_symbol(models, COLOUR_SYMBOLS, end, value, length, pos)
    low, high = red & 255, red >> 8
    low, value, length, pos = decode_part(kind & 1, part, low, low, end, value, length, pos)
    high, value, length, pos = decode_part(
        kind & 2, part + OCTET_STEP, high, high, end, value, length, pos
    )
    if kind & 64:
        up, rise = low - (red & 255), high - (red >> 8)
        g, b = green & 255, blue & 255
        g_low, value, length, pos = decode_part(
            kind & 4, part + 2 * OCTET_STEP, clamp(up + g), g, end, value, length, pos
        )
        guess = clamp(half(up + g_low - g) + b)
        b_low, value, length, pos = decode_part(
            kind & 16, part + 4 * OCTET_STEP, guess, b, end, value, length, pos
        )
        g, b = green >> 8, blue >> 8
        g_high, value, length, pos = decode_part(
            kind & 8, part + 3 * OCTET_STEP, clamp(rise + g), g, end, value, length, pos
        )
        guess = clamp(half(rise + g_high - g) + b)
        b_high, value, length, pos = decode_part(
            kind & 32, part + 5 * OCTET_STEP, guess, b, end, value, length, pos
        )
        green, blue = g_low | g_high << 8, b_low | b_high << 8
    else:
        green = low | high << 8
        blue = green
    red = low | high << 8
    store16(field, 0, red)
    store16(field, 2, green)
    store16(field, 4, blue)
    return (red, green, blue), (value, length, min(pos, end + 1))


@compiled
def decode_colour(layer, end, models, fields, stride, count):
    """Fill in red, green and blue."""
    rgb = load16(fields, 0), load16(fields, 2), load16(fields, 4)
    state = start_decoder(layer)
    for i in range(1, count):
        rgb, state = next_colour(models, fields + i * stride, rgb, end, state)
    return state[2] <= end


@compiled
def decode_light(intensity, colour, points, stride, count):
    """Fill in intensity and colour side by side: while one decoder waits, the other goes on.

    Each of the two: first and last byte of the layer, models, first field.
    """
    layer, end, models, fields = intensity
    colour_layer, colour_end, colour_models, colours = colour
    last = np.full(8, load16(fields, 0))
    rgb = load16(colours, 0), load16(colours, 2), load16(colours, 4)
    state, colour_state = start_decoder(layer), start_decoder(colour_layer)
    for i in range(1, count):
        at = i * stride
        state = next_intensity(i, models, points, last, fields + at, end, state)
        rgb, colour_state = next_colour(colour_models, colours + at, rgb, colour_end, colour_state)
    return state[2] <= end and colour_state[2] <= colour_end


@compiled
def encode_colour(out, models, fields, stride, count):
    """Write red, green and blue: the reverse of `decode_colour`. Returns the bytes written."""
    last_red, last_green, last_blue = load16(fields, 0), load16(fields, 2), load16(fields, 4)
    base, length, pos = 0, 0 + MAX_LENGTH, out
    part = models + PARTS
    for i in range(1, count):
        at = i * stride
        red, green, blue = load16(fields, at), load16(fields, at + 2), load16(fields, at + 4)
        coloured = (red != green) | (red != blue)
        kind = (
            changed_bytes(red, last_red)
            | changed_bytes(green, last_green) << 2
            | changed_bytes(blue, last_blue) << 4
            | coloured << 6
        )
        base, length, pos = encode_symbol(models, COLOUR_SYMBOLS, kind, base, length, pos)
        low, high = last_red & 255, last_red >> 8
        base, length, pos = encode_part(kind & 1, part, low, red & 255, base, length, pos)
        base, length, pos = encode_part(
            kind & 2, part + OCTET_STEP, high, red >> 8, base, length, pos
        )
        if coloured:
            up, rise = (red & 255) - low, (red >> 8) - high
            g, b = last_green & 255, last_blue & 255
            base, length, pos = encode_part(
                kind & 4, part + 2 * OCTET_STEP, clamp(up + g), green & 255, base, length, pos
            )
            guess = clamp(half(up + (green & 255) - g) + b)
            base, length, pos = encode_part(
                kind & 16, part + 4 * OCTET_STEP, guess, blue & 255, base, length, pos
            )
            g, b = last_green >> 8, last_blue >> 8
            base, length, pos = encode_part(
                kind & 8, part + 3 * OCTET_STEP, clamp(rise + g), green >> 8, base, length, pos
            )
            guess = clamp(half(rise + (green >> 8) - g) + b)
            base, length, pos = encode_part(
                kind & 32, part + 5 * OCTET_STEP, guess, blue >> 8, base, length, pos
            )
        last_red, last_green, last_blue = red, green, blue
    return finish_encoder(out, base, length, pos)


@compiled
def decode_infrared(layer, end, models, fields, stride, count):
    """Fill in near infrared."""
    low, high = load16(fields, 0) & 255, load16(fields, 0) >> 8
    value, length, pos = start_decoder(layer)
    for i in range(1, count):
        kind, value, length, pos = decode_symbol(models, INFRARED_SYMBOLS, end, value, length, pos)
        low, value, length, pos = decode_part(
            kind & 1, models + OCTET_STEP, low, low, end, value, length, pos
        )
        high, value, length, pos = decode_part(
            kind & 2, models + 2 * OCTET_STEP, high, high, end, value, length, pos
        )
        pos = min(pos, end + 1)
        store16(fields, i * stride, low | high << 8)
    return pos <= end


@compiled
def encode_infrared(out, models, fields, stride, count):
    """Write near infrared: the reverse of `decode_infrared`. Returns the bytes written."""
    last = load16(fields, 0)
    base, length, pos = 0, 0 + MAX_LENGTH, out
    for i in range(1, count):
        now = load16(fields, i * stride)
        kind = changed_bytes(now, last)
        base, length, pos = encode_symbol(models, INFRARED_SYMBOLS, kind, base, length, pos)
        base, length, pos = encode_part(
            kind & 1, models + OCTET_STEP, last & 255, now & 255, base, length, pos
        )
        base, length, pos = encode_part(
            kind & 2, models + 2 * OCTET_STEP, last >> 8, now >> 8, base, length, pos
        )
        last = now
    return finish_encoder(out, base, length, pos)
