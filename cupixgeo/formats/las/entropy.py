"""The adaptive arithmetic coder of LAZ, compiled.

Knows: bit streams, symbol models and the integer compressor. Must not know: points.

A decoder is one long chain of steps, each waiting for the one before, so that what counts is the
length of the chain and the branches nobody can predict. Hence: a model, its table and its counts
lie side by side at one address, a coder's state is three numbers that stay in registers, bytes are
shifted in and out without a loop, and a symbol is looked up instead of searched for.

Safe on damaged input: bytes are read up to the padding behind a layer and not further, and no
symbol leaves the range of its model, since ``value < length`` holds after every step.

Sources: A. Said, *Introduction to Arithmetic Coding* (HPL-2004-76); M. Isenburg, *LASzip: lossless
compression of LiDAR data* (2013).
"""

from __future__ import annotations

import numpy as np

from cupixgeo.compiling import compiled, inlined
from cupixgeo.formats.las.machine import (
    choose,
    divide,
    leading_zeros,
    load8,
    load32,
    load32_swapped,
    load_signed,
    overflows,
    store8,
    store32,
    store64,
    store64_swapped,
    unlikely,
    used_up,
)

MAX_LENGTH = (1 << 32) - 1
MIN_LENGTH = 1 << 24
SYMBOL_SHIFT = 15
SYMBOL_MOST = 1 << 15
BIT_SHIFT = 13
BIT_MOST = 1 << 13

TOTAL, CYCLE, LEFT, LATEST, SHIFT, HALF, LOWER, UPPER, TABLE = *range(0, 32, 4), 32
"""Bytes of a symbol model: total count, update cycle, symbols left in it, the symbol met last; for
correctors, what the interval is shifted by, the first symbol of a positive one, and what is added
to a symbol below it and to others; from `TABLE` the look-up table of the decoder."""

CELL_SHIFT = 6
CELLS = 1 << (SYMBOL_SHIFT - CELL_SHIFT)
ROWS = TABLE + CELLS + 16
"""Bytes from which a model has a 32-bit word a symbol: where its interval starts (above bit 15)
and how often it was met; after the last symbol, a word above all others."""

BEYOND = 0xFFFF0000
"""The word after the last symbol: no target is as high."""

HIGH_BITS = 8
"""Bits of a corrector coded with a model; the rest are stored as they are."""

LOWEST = -(1 << 31)
"""The one corrector of 32 bits; that says all."""

TABLED, NOT_TABLED = np.bool_(True), np.bool_(False)
BIT_SYMBOLS = np.int64(2)
"""NumPy's, like all counts of symbols: for Python's numbers functions are compiled one by one."""

BITS_SYMBOLS = np.int64(33)
"""How many bits a corrector can have."""

MOST_SYMBOLS = np.int64(1 << HIGH_BITS)
CORRECTOR_BYTES = ROWS + 4 * ((1 << HIGH_BITS) + 1) + 12
"""Distance of the models of one integer compressor: a bit model, then one a bit count."""

PADDING = 32
"""Bytes that must be readable behind a decoder's last one and writable around an encoder's."""


def model_bytes(symbols: int) -> int:
    """Bytes a symbol model takes, whole eights."""
    return (ROWS + 4 * (symbols + 1) + 7) // 8 * 8


@compiled
def update_model(model, symbols, tabled):
    """Halve the counts where they grew large, and renew the distribution and the table."""
    total = load32(model, TOTAL) + load32(model, CYCLE)
    rows = model + ROWS
    if total > SYMBOL_MOST:
        total = 0
        for k in range(symbols):
            count = ((load32(rows, 4 * k) & 0xFFFF) + 1) >> 1
            store32(rows, 4 * k, count)
            total += count
    store32(model, TOTAL, total)
    scale = 0x80000000 // total
    below = 0
    for k in range(symbols):
        count = load32(rows, 4 * k) & 0xFFFF
        store32(rows, 4 * k, ((scale * below) >> 16) << 16 | count)
        below += count
    if tabled:
        fill_table(model + TABLE, rows, symbols)
    cycle = min((5 * load32(model, CYCLE)) >> 2, (symbols + 6) << 3)
    store32(model, CYCLE, cycle)
    store32(model, LEFT, cycle)


@inlined
def grain_of(symbols):
    """Bits a table leaves away of a symbol, so that its cells have room for it."""
    return 2 * (symbols > MOST_SYMBOLS)


@inlined
def fill_table(table, rows, symbols):
    """Note the symbol each cell begins in; eight cells at a time, the next symbol corrects."""
    at = 0
    for k in range(symbols):
        following = CELLS + 1
        if k + 1 < symbols:
            following = ((load32(rows, 4 * k + 4) >> 16) + (1 << CELL_SHIFT) - 1) >> CELL_SHIFT
        eight = (k >> grain_of(symbols)) * 0x0101010101010101
        store64(table, at, eight)
        while at + 8 < following:
            at += 8
            store64(table, at, eight)
        at = following


@compiled
def init_model(model, symbols, tabled):
    """Set a symbol model to its first state: all symbols alike."""
    store32(model, TOTAL, 0)
    store32(model, CYCLE, symbols)
    store32(model, LATEST, 0)
    for k in range(symbols):
        store32(model, ROWS + 4 * k, 1)
    store32(model, ROWS + 4 * symbols, BEYOND)
    update_model(model, symbols, tabled)
    store32(model, CYCLE, (symbols + 6) >> 1)
    store32(model, LEFT, (symbols + 6) >> 1)


@compiled
def init_corrector(model, bits, tabled):
    """Set the model of correctors of so many bits to its first state; of none, that is a bit."""
    if bits:
        init_model(model, 1 << min(bits, HIGH_BITS), tabled)
        store32(model, SHIFT, SYMBOL_SHIFT)
        store32(model, HALF, 1 << (bits - 1))
        store32(model, LOWER, 1 - (1 << bits))
        store32(model, UPPER, 1)
        return
    store32(model, TOTAL, 2)
    store32(model, CYCLE, 4)
    store32(model, LEFT, 4)
    store32(model, SHIFT, BIT_SHIFT)
    store32(model, HALF, 0)
    store32(model, LOWER, 0)
    store32(model, UPPER, 0)
    store32(model, ROWS, 1)
    store32(model, ROWS + 4, 1 << (BIT_SHIFT - 1) << 16)
    store32(model, ROWS + 8, BEYOND)
    fill_table(model + TABLE, model + ROWS, BIT_SYMBOLS)


@compiled
def update_bit_model(model, tabled):
    """Renew the probability of a bit model: it is a model of two symbols, in coarser steps."""
    total = load32(model, TOTAL) + load32(model, CYCLE)
    zeros = load32(model, ROWS)
    if total > BIT_MOST:
        total = (total + 1) >> 1
        zeros = (zeros + 1) >> 1
        if zeros == total:
            total += 1
    store32(model, TOTAL, total)
    store32(model, ROWS, zeros)
    store32(model, ROWS + 4, (zeros * (0x80000000 // total)) >> (31 - BIT_SHIFT) << 16)
    if tabled:
        fill_table(model + TABLE, model + ROWS, BIT_SYMBOLS)
    cycle = min((5 * load32(model, CYCLE)) >> 2, 64)
    store32(model, CYCLE, cycle)
    store32(model, LEFT, cycle)


@compiled
def update_corrector(model, bits, tabled):
    """Renew the model of correctors of so many bits."""
    if bits == 0:
        update_bit_model(model, tabled)
    else:
        update_model(model, 1 << bits, tabled)


@inlined
def count_symbol(model, symbols, symbol, word, tabled):
    """Count a symbol that was met, and renew its model where that is due."""
    store32(model, ROWS + 4 * symbol, word + 1)
    if used_up(model, LEFT):
        update_model(model, symbols, tabled)


# ------------------------------------------------------------------------------- decoding


@inlined
def refill(end, value, length, pos):
    """Shift bytes into a decoder so that its interval is wide enough; at `end` come zeros."""
    shift = leading_zeros(length) & 24
    value = (value << shift) | (load32_swapped(pos, 0) >> (32 - shift))
    return value, length << shift, pos + (shift >> 3)


@inlined
def start_decoder(data):
    """State of a decoder at the beginning of its bytes."""
    value = min(load32_swapped(data, 0), MAX_LENGTH - 1)
    return value, 0 + MAX_LENGTH, data + 4


@inlined
def decode_symbol(model, symbols, end, value, length, pos):
    """Next symbol of a model."""
    symbol, word, value, length, pos = find_symbol(
        model, symbols, SYMBOL_SHIFT, end, value, length, pos
    )
    count_symbol(model, symbols, symbol, word, TABLED)
    return symbol, value, length, pos


@inlined
def find_symbol(model, symbols, shift, end, value, length, pos):
    """Next symbol of a model whose interval is shifted by `shift`, and its word; not counted."""
    step = length >> shift
    target = divide(value, step)
    symbol = load8(model, TABLE + (target >> CELL_SHIFT)) << grain_of(symbols)
    while unlikely(load32(model, ROWS + 4 + 4 * symbol) >> 16 <= target):
        symbol += 1
    word = load32(model, ROWS + 4 * symbol)
    above = load32(model, ROWS + 4 + 4 * symbol)
    lower = (word >> 16) * step
    upper = choose(above >= BEYOND, length, (above >> 16) * step)
    value, length, pos = refill(end, value - lower, upper - lower, pos)
    return symbol, word, value, length, pos


@inlined
def decode_likely(model, symbols, end, value, length, pos):
    """Next symbol of a model that is mostly the one before: then nothing waits for a division."""
    symbol = load32(model, LATEST)
    step = length >> SYMBOL_SHIFT
    word = load32(model, ROWS + 4 * symbol)
    above = load32(model, ROWS + 4 + 4 * symbol)
    lower = (word >> 16) * step
    upper = choose(above >= BEYOND, length, (above >> 16) * step)
    if lower <= value and value < upper:
        value, length, pos = refill(end, value - lower, upper - lower, pos)
        count_symbol(model, symbols, symbol, word, TABLED)
    else:
        symbol, value, length, pos = decode_symbol(model, symbols, end, value, length, pos)
        store32(model, LATEST, symbol)
    return symbol, value, length, pos


@inlined
def decode_raw(bits, end, value, length, pos):
    """Next bits stored as they are; more than 19 come in two parts, the low 16 first."""
    low = 0
    shift = 0
    if bits > 19:
        length >>= 16
        low = divide(value, length)
        value, length, pos = refill(end, value - length * low, length, pos)
        bits -= 16
        shift = 16
    length >>= bits
    high = divide(value, length)
    value, length, pos = refill(end, value - length * high, length, pos)
    return (high << shift) | low, value, length, pos


@inlined
def decode_small(model, bits, end, value, length, pos):
    """Decode the symbol of a corrector of few bits; of none, that is a bit."""
    symbol, word, value, length, pos = find_symbol(
        model, MOST_SYMBOLS, load32(model, SHIFT), end, value, length, pos
    )
    store32(model, ROWS + 4 * symbol, word + 1)
    if used_up(model, LEFT):
        update_corrector(model, bits, TABLED)
    return symbol, value, length, pos


@inlined
def with_sign(model, symbol):
    """Make a corrector of its symbol: the lower half is negative."""
    upper = symbol >= load32(model, HALF)
    return symbol + choose(upper, load32(model, UPPER), load_signed(model, LOWER))


@inlined
def decode_corrector(bits_model, bits_symbols, correctors, end, value, length, pos):
    """Next difference from a prediction, and the count of its bits.

    `correctors` is the address of a bit model and the symbol models after it.
    """
    bits, value, length, pos = decode_symbol(bits_model, bits_symbols, end, value, length, pos)
    model = correctors + bits * CORRECTOR_BYTES
    if bits <= HIGH_BITS:
        corrector, value, length, pos = decode_small(model, bits, end, value, length, pos)
    elif bits < 32:
        corrector, value, length, pos = decode_symbol(model, MOST_SYMBOLS, end, value, length, pos)
        raw = bits - HIGH_BITS
        low, value, length, pos = decode_raw(raw, end, value, length, pos)
        corrector = (corrector << raw) | low
    else:
        return 0 + LOWEST, bits, value, length, pos
    return with_sign(model, corrector), bits, value, length, pos


# ------------------------------------------------------------------------------- encoding

# The base of an encoder has 64 bits: the lower half is the one of the literature, the upper half
# the four bytes written last, so that a carry runs through them by itself.


@compiled
def carry(pos):
    """Add one to the bytes already written, but for the last four."""
    pos -= 5
    while load8(pos, 0) == 255:
        store8(pos, 0, 0)
        pos -= 1
    store8(pos, 0, load8(pos, 0) + 1)


@inlined
def advance(base, part, length, pos):
    """Add to the base, and write the bytes that are settled."""
    base += part
    if overflows(base, part):
        carry(pos)
    store64_swapped(pos, -4, base)
    shift = leading_zeros(length) & 24
    return base << shift, length << shift, pos + (shift >> 3)


@inlined
def encode_symbol(model, symbols, symbol, base, length, pos):
    """Write a symbol of a model."""
    step = length >> SYMBOL_SHIFT
    word = load32(model, ROWS + 4 * symbol)
    above = load32(model, ROWS + 4 + 4 * symbol)
    lower = (word >> 16) * step
    upper = choose(above >= BEYOND, length, (above >> 16) * step)
    base, length, pos = advance(base, lower, upper - lower, pos)
    count_symbol(model, symbols, symbol, word, NOT_TABLED)
    return base, length, pos


@inlined
def encode_raw(bits, value, base, length, pos):
    """Write bits as they are, as `decode_raw` reads them."""
    if bits > 19:
        length >>= 16
        base, length, pos = advance(base, (value & 0xFFFF) * length, length, pos)
        value >>= 16
        bits -= 16
    length >>= bits
    return advance(base, value * length, length, pos)


@inlined
def encode_small(model, bits, symbol, base, length, pos):
    """Write the symbol of a corrector of few bits."""
    step = length >> load32(model, SHIFT)
    word = load32(model, ROWS + 4 * symbol)
    above = load32(model, ROWS + 4 + 4 * symbol)
    lower = (word >> 16) * step
    upper = choose(above >= BEYOND, length, (above >> 16) * step)
    base, length, pos = advance(base, lower, upper - lower, pos)
    store32(model, ROWS + 4 * symbol, word + 1)
    if used_up(model, LEFT):
        update_corrector(model, bits, NOT_TABLED)
    return base, length, pos


@inlined
def encode_corrector(bits_model, bits_symbols, correctors, corrector, base, length, pos):
    """Write a difference from a prediction; return the count of its bits too."""
    bits = 32 - leading_zeros(choose(corrector <= 0, -corrector, corrector - 1))
    base, length, pos = encode_symbol(bits_model, bits_symbols, bits, base, length, pos)
    model = correctors + bits * CORRECTOR_BYTES
    corrector -= choose(corrector < 0, load_signed(model, LOWER), load32(model, UPPER))
    if bits <= HIGH_BITS:
        base, length, pos = encode_small(model, bits, corrector, base, length, pos)
    elif bits < 32:
        raw = bits - HIGH_BITS
        high = corrector >> raw
        base, length, pos = encode_symbol(model, MOST_SYMBOLS, high, base, length, pos)
        low = corrector & ((1 << raw) - 1)
        base, length, pos = encode_raw(raw, low, base, length, pos)
    return bits, base, length, pos


@compiled
def finish_encoder(out, base, length, pos):
    """Write the last bytes, and the zeros a decoder looks at beyond them; return the byte count."""
    if length > 2 * MIN_LENGTH:
        part = MIN_LENGTH
        length = MIN_LENGTH >> 1
        zeros = 3
    else:
        part = MIN_LENGTH >> 1
        length = MIN_LENGTH >> 9
        zeros = 2
    base, length, pos = advance(base, part, length, pos)
    for _ in range(zeros):
        store8(pos, 0, 0)
        pos += 1
    return pos - out
