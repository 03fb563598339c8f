"""The two coordinate layers of a LAZ chunk (point formats 6 to 10), decoded and encoded.

Layer one holds, for each point, what changed (return counts, scanner channel, GPS time and more),
and X and Y; layer two holds Z. No other layer depends on a coordinate, so whoever moves points
decodes and encodes these two and copies the rest.

Knows: the models and contexts of the two layers. Must not know: files, coordinates in metres.

Source: M. Isenburg, LASzip, item POINT14 version 3 (the compression of LAS 1.4 point formats).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cupixgeo.formats.las.entropy import (
    BIT_WORDS,
    MAX_LENGTH,
    compiled,
    decode_corrector,
    decode_symbol,
    encode_corrector,
    encode_symbol,
    finish_encoder,
    init_bit_model,
    init_model,
    inlined,
    load64,
    model_words,
    start_decoder,
    store64,
    wrap32,
)

CHANGED_SYMBOLS = 128
RETURN_SYMBOLS = 16
BITS_SYMBOLS = 33

CHANNEL_CHANGED, COUNT_CHANGED, GPS_CHANGED, SOURCE_CHANGED = 1 << 6, 1 << 2, 1 << 4, 1 << 5
RETURN_CHANGE = 3
"""Bits of a point's change symbol; the two lowest say how the return number differs."""

LAYER_ROOM = 24
"""Bytes a point cannot exceed in one layer: nine symbols of at most 15 bits, 48 raw bits."""


class _Plan:
    """Where each model of one scanner channel lies, in words."""

    def __init__(self) -> None:
        self.words = 0
        self.symbol_models: list[tuple[int, int]] = []
        self.bit_models: list[int] = []

    def models(self, count: int, symbols: int) -> tuple[int, int]:
        """Reserve models in a row: offset of the first, words of each."""
        first, step = self.words, model_words(symbols)
        self.symbol_models += [(first + k * step, symbols) for k in range(count)]
        self.words += count * step
        return first, step

    def correctors(self) -> list[int]:
        """Reserve the models of one integer compressor: a bit model, then one a bit count."""
        bit = self.words
        self.bit_models.append(bit)
        self.words += BIT_WORDS
        return [bit] + [self.models(1, 1 << min(bits, 8))[0] for bits in range(1, BITS_SYMBOLS)]


_plan = _Plan()
CHANGED, CHANGED_STEP = _plan.models(8, CHANGED_SYMBOLS)
CHANNEL, _ = _plan.models(1, 3)
COUNT, RETURN_STEP = _plan.models(16, RETURN_SYMBOLS)
NUMBER, _ = _plan.models(16, RETURN_SYMBOLS)
NUMBER_SAME_PULSE, _ = _plan.models(1, 13)
X_BITS, BITS_STEP = _plan.models(2, BITS_SYMBOLS)
Y_BITS, _ = _plan.models(22, BITS_SYMBOLS)
Z_BITS, _ = _plan.models(20, BITS_SYMBOLS)
CORRECTORS = np.array([_plan.correctors() for _ in range(3)], np.int64)
"""Offsets of the corrector models, shape (3, 33): of X, Y and Z."""

WORDS = _plan.words

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

# One channel's context, in int64 words: what the last point was, sliding medians, last heights.
X, Y, Z, NUMBER_NOW, COUNT_NOW, GPS_NOW = range(6)
MEDIAN_WORDS = 6
"""A sliding median of five: the values in order, and whether the upper half is the fuller one."""
X_MEDIANS = 6
Y_MEDIANS = X_MEDIANS + 12 * MEDIAN_WORDS
LAST_Z = Y_MEDIANS + 12 * MEDIAN_WORDS
CONTEXT_WORDS = LAST_Z + 8


def first_models(*, tabled: bool) -> npt.NDArray[np.int32]:
    """Models of one channel in their first state, shape (WORDS,); `tabled` for decoding."""
    models = np.zeros(WORDS, np.int32)
    for at, symbols in _plan.symbol_models:
        init_model(models.ctypes.data, at, symbols, tabled)
    for at in _plan.bit_models:
        init_bit_model(models.ctypes.data, at)
    return models


@compiled
def add_to_median(context, at, value):
    """Let a value into a sliding median of five."""
    v0 = load64(context, at)
    v1 = load64(context, at + 1)
    v2 = load64(context, at + 2)
    v3 = load64(context, at + 3)
    v4 = load64(context, at + 4)
    if load64(context, at + 5):
        if value < v2:
            store64(context, at + 4, v3)
            store64(context, at + 3, v2)
            if value < v0:
                store64(context, at + 2, v1)
                store64(context, at + 1, v0)
                store64(context, at, value)
            elif value < v1:
                store64(context, at + 2, v1)
                store64(context, at + 1, value)
            else:
                store64(context, at + 2, value)
        else:
            if value < v3:
                store64(context, at + 4, v3)
                store64(context, at + 3, value)
            else:
                store64(context, at + 4, value)
            store64(context, at + 5, 0)
    elif v2 < value:
        store64(context, at, v1)
        store64(context, at + 1, v2)
        if v4 < value:
            store64(context, at + 2, v3)
            store64(context, at + 3, v4)
            store64(context, at + 4, value)
        elif v3 < value:
            store64(context, at + 2, v3)
            store64(context, at + 3, value)
        else:
            store64(context, at + 2, value)
    else:
        if v1 < value:
            store64(context, at, v1)
            store64(context, at + 1, value)
        else:
            store64(context, at, value)
        store64(context, at + 5, 1)


@compiled
def open_channel(models, contexts, first, channel, like):
    """Give a channel that is met for the first time fresh models and the last point of another."""
    models[channel, :] = first
    height = contexts[like, Z]
    for word in range(5):
        contexts[channel, word] = contexts[like, word]
    contexts[channel, GPS_NOW] = 0
    for k in range(24):
        for word in range(MEDIAN_WORDS - 1):
            contexts[channel, X_MEDIANS + k * MEDIAN_WORDS + word] = 0
        contexts[channel, X_MEDIANS + k * MEDIAN_WORDS + MEDIAN_WORDS - 1] = 1
    for k in range(8):
        contexts[channel, LAST_Z + k] = height


@inlined
def change_context(context):
    """Which of the eight change models follows the last point of a channel."""
    number = load64(context, NUMBER_NOW)
    kind = np.int64(number == 1) + 2 * np.int64(number >= load64(context, COUNT_NOW))
    return kind + 4 * load64(context, GPS_NOW)


@inlined
def y_bits_context(single, x_bits):
    """Which of the 22 bit-count models follows the bit count of X."""
    return single + (x_bits & ~1 if x_bits < 20 else 20)


@inlined
def z_bits_context(single, x_bits, y_bits):
    """Which of the 20 bit-count models follows the bit counts of X and Y."""
    mean = (x_bits + y_bits) >> 1
    return single + (mean & ~1 if mean < 18 else 18)


@compiled
def decode_layers(xy, xy_end, heights, heights_end, begin, work, xyz, changes, returns):
    """Decode the coordinate layers of a chunk.

    xy, heights: addresses of the layers' bytes, with their lengths (no heights: Z never changes).
    begin: X, Y, Z, return number, number of returns, scanner channel of the first point.
    work: models (4, WORDS), contexts (4, CONTEXT_WORDS), first models, CORRECTORS.
    Fills xyz (3, n) int32, changes (n,) uint16 (change symbol, channel above bit 7) and
    returns (n,) uint8 (return number, number of returns above bit 4).
    """
    models, contexts, first, correctors = work
    channel = begin[5]
    contexts[channel, :5] = begin[:5]
    open_channel(models, contexts, first, channel, channel)
    used = np.zeros(4, np.bool_)
    used[channel] = True
    xyz[0, 0], xyz[1, 0], xyz[2, 0] = begin[0], begin[1], begin[2]
    returns[0] = begin[3] | begin[4] << 4
    changes[0] = channel << 7
    for_x = correctors.ctypes.data
    for_y = for_x + 8 * 33
    for_z = for_y + 8 * 33
    value, length, pos = start_decoder(xy, xy_end)
    z_value, z_length, z_pos = start_decoder(heights, heights_end)
    m = models.ctypes.data + channel * (4 * WORDS)
    c = contexts.ctypes.data + channel * (8 * CONTEXT_WORDS)
    for i in range(1, len(returns)):
        at = CHANGED + change_context(c) * CHANGED_STEP
        change, value, length, pos = decode_symbol(m, at, xy, xy_end, value, length, pos)
        if change & CHANNEL_CHANGED:
            step, value, length, pos = decode_symbol(m, CHANNEL, xy, xy_end, value, length, pos)
            last = channel
            channel = (channel + step + 1) & 3
            if not used[channel]:
                open_channel(models, contexts, first, channel, last)
                used[channel] = True
            m = models.ctypes.data + channel * (4 * WORDS)
            c = contexts.ctypes.data + channel * (8 * CONTEXT_WORDS)
        gps = (change >> 4) & 1
        count = load64(c, COUNT_NOW)
        number = load64(c, NUMBER_NOW)
        if change & COUNT_CHANGED:
            at = COUNT + count * RETURN_STEP
            count, value, length, pos = decode_symbol(m, at, xy, xy_end, value, length, pos)
        how = change & RETURN_CHANGE
        if how == 1:
            number = (number + 1) & 15
        elif how == 2:
            number = (number + 15) & 15
        elif how == 3:
            if gps:
                at = NUMBER + number * RETURN_STEP
                number, value, length, pos = decode_symbol(m, at, xy, xy_end, value, length, pos)
            else:
                at = np.int64(NUMBER_SAME_PULSE)
                step, value, length, pos = decode_symbol(m, at, xy, xy_end, value, length, pos)
                number = (number + step + 2) & 15
        store64(c, COUNT_NOW, count)
        store64(c, NUMBER_NOW, number)
        store64(c, GPS_NOW, gps)
        changes[i] = change | channel << 7
        returns[i] = number | count << 4
        single = np.int64(count == 1)
        median = X_MEDIANS + (RETURN_MAP[count, number] * 2 + gps) * MEDIAN_WORDS
        at = X_BITS + single * BITS_STEP
        step, x_bits, value, length, pos = decode_corrector(
            m, at, for_x, xy, xy_end, value, length, pos
        )
        step = wrap32(step + load64(c, median + 2))
        add_to_median(c, median, step)
        now = wrap32(load64(c, X) + step)
        store64(c, X, now)
        xyz[0, i] = now
        median += Y_MEDIANS - X_MEDIANS
        at = Y_BITS + y_bits_context(single, x_bits) * BITS_STEP
        step, y_bits, value, length, pos = decode_corrector(
            m, at, for_y, xy, xy_end, value, length, pos
        )
        step = wrap32(step + load64(c, median + 2))
        add_to_median(c, median, step)
        now = wrap32(load64(c, Y) + step)
        store64(c, Y, now)
        xyz[1, i] = now
        if heights_end:
            level = LAST_Z + RETURN_LEVEL[count, number]
            at = Z_BITS + z_bits_context(single, x_bits, y_bits) * BITS_STEP
            step, _, z_value, z_length, z_pos = decode_corrector(
                m, at, for_z, heights, heights_end, z_value, z_length, z_pos
            )
            now = wrap32(load64(c, level) + step)
            store64(c, level, now)
            store64(c, Z, now)
        xyz[2, i] = load64(c, Z)


@compiled
def encode_layers(xyz, changes, returns, work, xy, heights):
    """Encode the coordinate layers of a chunk: the reverse of `decode_layers`.

    xy, heights: addresses of buffers with at least `LAYER_ROOM` bytes a point. Returns the lengths.
    """
    models, contexts, first, correctors = work
    channel = np.int64(changes[0] >> 7)
    for axis in range(3):
        contexts[channel, axis] = xyz[axis, 0]
    contexts[channel, NUMBER_NOW] = returns[0] & 15
    contexts[channel, COUNT_NOW] = returns[0] >> 4
    open_channel(models, contexts, first, channel, channel)
    used = np.zeros(4, np.bool_)
    used[channel] = True
    for_x = correctors.ctypes.data
    for_y = for_x + 8 * 33
    for_z = for_y + 8 * 33
    base, length, pos = np.int64(0), np.int64(MAX_LENGTH), np.int64(0)
    z_base, z_length, z_pos = np.int64(0), np.int64(MAX_LENGTH), np.int64(0)
    m = models.ctypes.data + channel * (4 * WORDS)
    c = contexts.ctypes.data + channel * (8 * CONTEXT_WORDS)
    for i in range(1, len(returns)):
        change = np.int64(changes[i]) & 127
        at = CHANGED + change_context(c) * CHANGED_STEP
        base, length, pos = encode_symbol(m, at, change, xy, base, length, pos)
        if change & CHANNEL_CHANGED:
            last = channel
            channel = np.int64(changes[i] >> 7)
            step = (channel - last - 1) & 3
            base, length, pos = encode_symbol(m, CHANNEL, step, xy, base, length, pos)
            if not used[channel]:
                open_channel(models, contexts, first, channel, last)
                used[channel] = True
            m = models.ctypes.data + channel * (4 * WORDS)
            c = contexts.ctypes.data + channel * (8 * CONTEXT_WORDS)
        gps = (change >> 4) & 1
        count, number = np.int64(returns[i] >> 4), np.int64(returns[i] & 15)
        if change & COUNT_CHANGED:
            at = COUNT + load64(c, COUNT_NOW) * RETURN_STEP
            base, length, pos = encode_symbol(m, at, count, xy, base, length, pos)
        if change & RETURN_CHANGE == 3:
            before = load64(c, NUMBER_NOW)
            if gps:
                at = NUMBER + before * RETURN_STEP
                base, length, pos = encode_symbol(m, at, number, xy, base, length, pos)
            else:
                at = np.int64(NUMBER_SAME_PULSE)
                step = (number - before - 2) & 15
                base, length, pos = encode_symbol(m, at, step, xy, base, length, pos)
        store64(c, COUNT_NOW, count)
        store64(c, NUMBER_NOW, number)
        store64(c, GPS_NOW, gps)
        single = np.int64(count == 1)
        median = X_MEDIANS + (RETURN_MAP[count, number] * 2 + gps) * MEDIAN_WORDS
        now = np.int64(xyz[0, i])
        step = wrap32(now - load64(c, X))
        store64(c, X, now)
        at = X_BITS + single * BITS_STEP
        x_bits, base, length, pos = encode_corrector(
            m, at, for_x, wrap32(step - load64(c, median + 2)), xy, base, length, pos
        )
        add_to_median(c, median, step)
        median += Y_MEDIANS - X_MEDIANS
        now = np.int64(xyz[1, i])
        step = wrap32(now - load64(c, Y))
        store64(c, Y, now)
        at = Y_BITS + y_bits_context(single, x_bits) * BITS_STEP
        y_bits, base, length, pos = encode_corrector(
            m, at, for_y, wrap32(step - load64(c, median + 2)), xy, base, length, pos
        )
        add_to_median(c, median, step)
        now = np.int64(xyz[2, i])
        level = LAST_Z + RETURN_LEVEL[count, number]
        at = Z_BITS + z_bits_context(single, x_bits, y_bits) * BITS_STEP
        _, z_base, z_length, z_pos = encode_corrector(
            m, at, for_z, wrap32(now - load64(c, level)), heights, z_base, z_length, z_pos
        )
        store64(c, level, now)
        store64(c, Z, now)
    pos = finish_encoder(xy, base, length, pos)
    z_pos = finish_encoder(heights, z_base, z_length, z_pos)
    return pos, z_pos
