"""The GPS-time layer of a LAZ chunk, compiled.

Knows how times are predicted: up to four sequences run side by side, and in each a time is most
often as far from the last one as that was from the one before. Must not know chunks or files.

Source: M. Isenburg, LASzip (version 3 of the item POINT14).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cupixgeo.compiling import compiled, inlined
from cupixgeo.formats.las.attributes import TIME_BIT, change_bit
from cupixgeo.formats.las.contexts import BITS_SYMBOLS
from cupixgeo.formats.las.entropy import (
    BEYOND,
    CORRECTOR_BYTES,
    LATEST,
    MAX_LENGTH,
    NOT_TABLED,
    ROWS,
    SYMBOL_SHIFT,
    count_symbol,
    decode_corrector,
    decode_raw,
    encode_corrector,
    encode_raw,
    encode_symbol,
    finish_encoder,
    init_corrector,
    init_model,
    model_bytes,
    refill,
    start_decoder,
)
from cupixgeo.formats.las.machine import (
    choose,
    divide,
    load32,
    load64,
    store32,
    store64,
    wrap32,
)

CONTEXTS = 9
MOST, LEAST = 500, -10
"""Multiples of the last step that have a symbol of their own."""

FAR = MOST - LEAST + 1
"""Symbol of a time that is in no sequence; those after it change to another sequence."""

STEP_SYMBOLS, FIRST_SYMBOLS = np.int64(FAR + 4), np.int64(5)
"""Symbols; where the sequence has no step yet these are: near, far, three other sequences."""

SEQUENCES = 4
PATIENCE = 3
"""Steps of an odd size that a sequence sees before it takes to them."""

BITS = int(BITS_SYMBOLS) * CORRECTOR_BYTES
BITS_STEP = model_bytes(int(BITS_SYMBOLS))
FIRST = BITS + CONTEXTS * BITS_STEP
STEPS = FIRST + model_bytes(int(FIRST_SYMBOLS))
TIME_BYTES = STEPS + model_bytes(int(STEP_SYMBOLS))
"""Models: those of correctors, of bit counts, of first symbols and of others."""


def time_models(tabled: np.bool_) -> npt.NDArray[np.uint8]:
    """Models of GPS times in their first state; tabled for decoding."""
    models = np.zeros(TIME_BYTES, np.uint8)
    at = models.ctypes.data
    for bits in range(int(BITS_SYMBOLS)):
        init_corrector(at + bits * CORRECTOR_BYTES, bits, tabled)
    for context in range(CONTEXTS):
        init_model(at + BITS + context * BITS_STEP, BITS_SYMBOLS, tabled)
    init_model(at + FIRST, FIRST_SYMBOLS, NOT_TABLED)
    init_model(at + STEPS, STEP_SYMBOLS, NOT_TABLED)
    return models


@inlined
def context_of(multiple):
    """Which of the bit-count models belongs to a multiple of the last step."""
    if multiple <= 0:
        return 5 + (multiple <= LEAST) if multiple < 0 else 7
    if multiple == 1:
        return 1
    return 2 + (multiple >= 10) + (multiple >= MOST)


@inlined
def interval(model, symbol, step, length):
    """Bounds of a symbol, and its word."""
    word = load32(model, ROWS + 4 * symbol)
    above = load32(model, ROWS + 4 + 4 * symbol)
    return word, (word >> 16) * step, choose(above >= BEYOND, length, (above >> 16) * step)


@compiled
def search(model, symbols, target):
    """Find the symbol whose interval holds a target, in a model without a table."""
    symbol, above = 0, symbols
    while above - symbol > 1:
        middle = (symbol + above) >> 1
        if load32(model, ROWS + 4 * middle) >> 16 > target:
            above = middle
        else:
            symbol = middle
    return symbol


@inlined
def decode_wide(model, symbols, end, value, length, pos):
    """Next symbol of a model without a table, mostly the one before."""
    step = length >> SYMBOL_SHIFT
    symbol = load32(model, LATEST)
    word, lower, upper = interval(model, symbol, step, length)
    if value < lower or value >= upper:
        symbol = search(model, symbols, divide(value, step))
        store32(model, LATEST, symbol)
        word, lower, upper = interval(model, symbol, step, length)
    value, length, pos = refill(end, value - lower, upper - lower, pos)
    count_symbol(model, symbols, symbol, word, NOT_TABLED)
    return symbol, value, length, pos


@inlined
def decode_near(models, context, guess, end, value, length, pos):
    """Read a 32-bit number as its difference to a guess."""
    step, _, value, length, pos = decode_corrector(
        models + BITS + context * BITS_STEP,
        BITS_SYMBOLS,
        models,
        end,
        value,
        length,
        pos,
    )
    return wrap32(guess + step), value, length, pos


@inlined
def note_step(multiple, step, steps, oddities, last):
    """Count odd steps, and take to one that has come often enough."""
    odd = (multiple == 0) | (multiple <= LEAST) | (multiple >= MOST)
    oddities[last] = oddities[last] + 1 if odd else oddities[last] * (multiple != 1)
    if oddities[last] > PATIENCE:
        steps[last] = step
        oddities[last] = 0


@compiled
def decode_times(layer, end, models, points, fields, stride, count):
    """Fill in GPS times where the change symbols say so."""
    times, steps, oddities = np.zeros(4, np.int64), np.zeros(4, np.int64), np.zeros(4, np.int64)
    times[0] = load64(fields, 0)
    last, newest = 0, 0
    value, length, pos = start_decoder(layer)
    for i in range(1, count):
        tries = change_bit(points, i, TIME_BIT) * SEQUENCES
        while tries:
            fresh = steps[last] == 0
            far = choose(fresh, 1, FAR)
            symbol, value, length, pos = decode_wide(
                models + choose(fresh, FIRST, STEPS),
                choose(fresh, FIRST_SYMBOLS, STEP_SYMBOLS),
                end,
                value,
                length,
                pos,
            )
            if symbol > far:
                last = (last + symbol - far) & 3
                tries -= 1
                continue
            multiple = choose(symbol <= MOST, symbol, MOST - symbol)
            context, guess = 0, 0
            if symbol == far:
                context, guess = 8, times[last] >> 32
            elif not fresh:
                context, guess = context_of(multiple), multiple * steps[last]
            step, value, length, pos = decode_near(models, context, guess, end, value, length, pos)
            if symbol == far:
                low, value, length, pos = decode_raw(32, end, value, length, pos)
                newest = (newest + 1) & 3
                last = newest
                times[last] = step << 32 | low
                steps[last] = 0
                oddities[last] = 0
            else:
                times[last] += step
                if fresh:
                    steps[last] = step
                    oddities[last] = 0
                else:
                    note_step(multiple, step, steps, oddities, last)
            tries = 0
        pos = min(pos, end + 1)
        store64(fields, i * stride, times[last])
    return pos <= end


@inlined
def multiple_of(step, last_step):
    """Nearest multiple, as single-precision arithmetic finds it."""
    if 4 * abs(step - last_step) < abs(last_step):
        return 1
    ratio = np.float32(step) / np.float32(last_step)
    rounded = ratio + np.float32(0.5) if ratio >= 0 else ratio - np.float32(0.5)
    return int(min(max(rounded, np.float32(LEAST)), np.float32(MOST)))


@inlined
def encode_near(models, context, guess, number, base, length, pos):
    """Write a 32-bit number as its difference to a guess."""
    _, base, length, pos = encode_corrector(
        models + BITS + context * BITS_STEP,
        BITS_SYMBOLS,
        models,
        wrap32(number - wrap32(guess)),
        base,
        length,
        pos,
    )
    return base, length, pos


@inlined
def find_sequence(time, times, last):
    """How many sequences further there is one near a time; 0 where there is none."""
    for other in range(1, SEQUENCES):
        step = time - times[(last + other) & 3]
        if step == wrap32(step):
            return other
    return 0


@compiled
def encode_times(out, models, points, fields, stride, count):
    """Write GPS times: the reverse of `decode_times`. Returns the bytes written."""
    times, steps, oddities = np.zeros(4, np.int64), np.zeros(4, np.int64), np.zeros(4, np.int64)
    times[0] = load64(fields, 0)
    last, newest = 0, 0
    base, length, pos = 0, 0 + MAX_LENGTH, out
    for i in range(1, count):
        coming = change_bit(points, i, TIME_BIT)
        time = load64(fields, i * stride)
        while coming:
            step = time - times[last]
            is_near = step == wrap32(step)
            other = 0 if is_near else find_sequence(time, times, last)
            fresh = steps[last] == 0
            far = choose(fresh, 1, FAR)
            symbol, multiple, context, guess = 0, 0, 0, 0
            if not is_near:
                symbol, context, guess = far + other, 8, times[last] >> 32
                step = time >> 32
            elif not fresh:
                multiple = multiple_of(step, steps[last])
                symbol = choose(multiple >= 0, multiple, MOST - multiple)
                context, guess = context_of(multiple), multiple * steps[last]
            base, length, pos = encode_symbol(
                models + choose(fresh, FIRST, STEPS),
                choose(fresh, FIRST_SYMBOLS, STEP_SYMBOLS),
                symbol,
                base,
                length,
                pos,
            )
            if other:
                last = (last + other) & 3
                continue
            base, length, pos = encode_near(models, context, guess, step, base, length, pos)
            if not is_near:
                base, length, pos = encode_raw(32, time & 0xFFFFFFFF, base, length, pos)
                newest = (newest + 1) & 3
                last = newest
                steps[last] = 0
                oddities[last] = 0
            elif fresh:
                steps[last] = step
                oddities[last] = 0
            else:
                note_step(multiple, step, steps, oddities, last)
            times[last] = time
            coming = 0
    return finish_encoder(out, base, length, pos)
