"""The adaptive arithmetic coder of LAZ, compiled.

Knows: bit streams, symbol models and the integer compressor. Must not know: points.

Models live in one flat int32 array whose address is handed about, so that no array object is made
or counted per symbol; a coder's state is three numbers passed in and handed back, so that it stays
in registers. Word offsets within a model are the constants below.

Safe on damaged input: a decoder past the end of its bytes reads zeros, and no symbol leaves the
range of its model, since ``value < length`` holds after every step.

Sources: A. Said, *Introduction to Arithmetic Coding* (HPL-2004-76); M. Isenburg, *LASzip: lossless
compression of LiDAR data* (2013).
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

MIN_LENGTH = 1 << 24
MAX_LENGTH = (1 << 32) - 1
WORD = (1 << 32) - 1
SYMBOL_SHIFT = 15
SYMBOL_MOST = 1 << 15
BIT_SHIFT = 13
BIT_MOST = 1 << 13

SYMBOLS, TOTAL, CYCLE, LEFT, SHIFT, SIZE, HEAD = 0, 1, 2, 3, 4, 5, 6
"""Words of a symbol model: count of symbols, total count, update cycle, symbols left in it, table
shift and size; then the distribution, the counts and the look-up table."""

BIT_ZEROS, BIT_TOTAL, BIT_PROBABILITY, BIT_CYCLE, BIT_LEFT, BIT_WORDS = 0, 1, 2, 3, 4, 5

TABLED_FROM = 17
"""Models with so many symbols have a look-up table for decoding."""

HIGH_BITS = 8
"""Bits of a corrector coded with a model; the rest are stored as they are."""


def _access(bits: int) -> tuple[Any, Any]:
    """Make a load and a store of one width: address, index (and value) as int64."""
    word = ir.IntType(bits)
    wide = ir.IntType(64)

    @intrinsic
    def load(context: Any, address: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = builder.inttoptr(args[0], word.as_pointer())
            value = builder.load(builder.gep(pointer, [args[1]]))
            if bits == 64:
                return value
            return builder.zext(value, wide) if bits == 8 else builder.sext(value, wide)

        return types.int64(types.int64, types.int64), generate

    @intrinsic
    def store(context: Any, address: Any, index: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = builder.inttoptr(args[0], word.as_pointer())
            value = args[2] if bits == 64 else builder.trunc(args[2], word)
            builder.store(value, builder.gep(pointer, [args[1]]))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), generate

    return load, store


load8, store8 = _access(8)
load32, store32 = _access(32)
load64, store64 = _access(64)

compiled = nb.njit(nogil=True, cache=True, error_model="numpy")
inlined = nb.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)


def model_words(symbols: int) -> int:
    """Words a symbol model takes."""
    table = 0
    if symbols >= TABLED_FROM:
        bits = 3
        while symbols > 1 << (bits + 2):
            bits += 1
        table = (1 << bits) + 2
    return HEAD + 2 * symbols + table


@compiled
def update_model(models, at):
    """Halve the counts where they grew large, and renew the distribution and the table."""
    symbols = load32(models, at + SYMBOLS)
    distribution = at + HEAD
    counts = distribution + symbols
    table = counts + symbols
    total = load32(models, at + TOTAL) + load32(models, at + CYCLE)
    if total > SYMBOL_MOST:
        total = 0
        for k in range(symbols):
            count = (load32(models, counts + k) + 1) >> 1
            store32(models, counts + k, count)
            total += count
    store32(models, at + TOTAL, total)
    scale = 0x80000000 // total
    size = load32(models, at + SIZE)
    shift = load32(models, at + SHIFT)
    below = 0
    filled = 0
    for k in range(symbols):
        start = (scale * below) >> 16
        store32(models, distribution + k, start)
        below += load32(models, counts + k)
        if size:
            while filled < start >> shift:
                filled += 1
                store32(models, table + filled, k - 1)
    if size:
        store32(models, table, 0)
        while filled <= size:
            filled += 1
            store32(models, table + filled, symbols - 1)
    cycle = min((5 * load32(models, at + CYCLE)) >> 2, (symbols + 6) << 3)
    store32(models, at + CYCLE, cycle)
    store32(models, at + LEFT, cycle)


@compiled
def init_model(models, at, symbols, tabled):
    """Set a symbol model to its first state: all symbols alike."""
    store32(models, at + SYMBOLS, symbols)
    store32(models, at + SIZE, 0)
    store32(models, at + SHIFT, 0)
    if tabled and symbols >= TABLED_FROM:
        bits = 3
        while symbols > (1 << (bits + 2)):
            bits += 1
        store32(models, at + SIZE, 1 << bits)
        store32(models, at + SHIFT, SYMBOL_SHIFT - bits)
    store32(models, at + TOTAL, 0)
    store32(models, at + CYCLE, symbols)
    for k in range(symbols):
        store32(models, at + HEAD + symbols + k, 1)
    update_model(models, at)
    store32(models, at + CYCLE, (symbols + 6) >> 1)
    store32(models, at + LEFT, (symbols + 6) >> 1)


@compiled
def init_bit_model(models, at):
    """Set a bit model to its first state: both values alike."""
    store32(models, at + BIT_ZEROS, 1)
    store32(models, at + BIT_TOTAL, 2)
    store32(models, at + BIT_PROBABILITY, 1 << (BIT_SHIFT - 1))
    store32(models, at + BIT_CYCLE, 4)
    store32(models, at + BIT_LEFT, 4)


@compiled
def update_bit_model(models, at):
    """Renew the probability of a bit model."""
    total = load32(models, at + BIT_TOTAL) + load32(models, at + BIT_CYCLE)
    zeros = load32(models, at + BIT_ZEROS)
    if total > BIT_MOST:
        total = (total + 1) >> 1
        zeros = (zeros + 1) >> 1
        if zeros == total:
            total += 1
    store32(models, at + BIT_ZEROS, zeros)
    store32(models, at + BIT_TOTAL, total)
    store32(models, at + BIT_PROBABILITY, (zeros * (0x80000000 // total)) >> (31 - BIT_SHIFT))
    cycle = min((5 * load32(models, at + BIT_CYCLE)) >> 2, 64)
    store32(models, at + BIT_CYCLE, cycle)
    store32(models, at + BIT_LEFT, cycle)


@inlined
def divide(a, b):
    """Whole quotient of two numbers below 2^32; exact, for it stays below 2^20."""
    return np.int64(np.float64(a) / np.float64(b))


@inlined
def wrap32(value):
    """Take a sum as 32-bit arithmetic would."""
    return np.int64(np.int32(value))


# ------------------------------------------------------------------------------- decoding


@inlined
def refill(data, end, value, length, pos):
    """Shift bytes into a decoder until its interval is wide enough."""
    while length < MIN_LENGTH:
        byte = np.int64(0)
        if pos < end:
            byte = load8(data, pos)
        value = (value << 8) | byte
        pos += 1
        length <<= 8
    return value, length, pos


@inlined
def start_decoder(data, end):
    """State of a decoder at the beginning of its bytes."""
    value = np.int64(0)
    for k in range(4):
        byte = np.int64(0)
        if k < end:
            byte = load8(data, k)
        value = (value << 8) | byte
    return value, np.int64(MAX_LENGTH), np.int64(4)


@inlined
def decode_symbol(models, at, data, end, value, length, pos):
    """Next symbol of a model."""
    symbols = load32(models, at + SYMBOLS)
    distribution = at + HEAD
    size = load32(models, at + SIZE)
    upper = length
    length >>= SYMBOL_SHIFT
    if size:
        target = divide(value, length)
        entry = distribution + 2 * symbols + (target >> load32(models, at + SHIFT))
        symbol = load32(models, entry)
        limit = load32(models, entry + 1) + 1
        while limit > symbol + 1:
            middle = (symbol + limit) >> 1
            if load32(models, distribution + middle) > target:
                limit = middle
            else:
                symbol = middle
        lower = load32(models, distribution + symbol) * length
        if symbol != symbols - 1:
            upper = load32(models, distribution + symbol + 1) * length
    else:
        lower = np.int64(0)
        symbol = np.int64(0)
        limit = symbols
        middle = limit >> 1
        while middle != symbol:
            bound = length * load32(models, distribution + middle)
            if bound > value:
                limit = middle
                upper = bound
            else:
                symbol = middle
                lower = bound
            middle = (symbol + limit) >> 1
    value -= lower
    length = upper - lower
    value, length, pos = refill(data, end, value, length, pos)
    counted = distribution + symbols + symbol
    store32(models, counted, load32(models, counted) + 1)
    left = load32(models, at + LEFT) - 1
    store32(models, at + LEFT, left)
    if left == 0:
        update_model(models, at)
    return symbol, value, length, pos


@inlined
def decode_bit(models, at, data, end, value, length, pos):
    """Next bit of a bit model."""
    bound = load32(models, at + BIT_PROBABILITY) * (length >> BIT_SHIFT)
    bit = np.int64(0)
    if value < bound:
        length = bound
        store32(models, at + BIT_ZEROS, load32(models, at + BIT_ZEROS) + 1)
    else:
        bit = np.int64(1)
        value -= bound
        length -= bound
    value, length, pos = refill(data, end, value, length, pos)
    left = load32(models, at + BIT_LEFT) - 1
    store32(models, at + BIT_LEFT, left)
    if left == 0:
        update_bit_model(models, at)
    return bit, value, length, pos


@inlined
def decode_raw(bits, data, end, value, length, pos):
    """Next bits stored as they are; more than 19 come in two parts, the low 16 first."""
    low = np.int64(0)
    shift = np.int64(0)
    if bits > 19:
        length >>= 16
        low = divide(value, length)
        value -= length * low
        value, length, pos = refill(data, end, value, length, pos)
        bits -= 16
        shift = np.int64(16)
    length >>= bits
    high = divide(value, length)
    value -= length * high
    value, length, pos = refill(data, end, value, length, pos)
    return (high << shift) | low, value, length, pos


@inlined
def decode_corrector(models, bits_at, correctors, data, end, value, length, pos):
    """Next difference from a prediction, and the count of its bits.

    `correctors` is the address of 33 int64 offsets: of the bit model, then of the symbol models.
    """
    bits, value, length, pos = decode_symbol(models, bits_at, data, end, value, length, pos)
    if bits == 0:
        at = load64(correctors, 0)
        corrector, value, length, pos = decode_bit(models, at, data, end, value, length, pos)
    else:
        at = load64(correctors, bits)
        corrector, value, length, pos = decode_symbol(models, at, data, end, value, length, pos)
        if bits > HIGH_BITS:
            raw = bits - HIGH_BITS
            low, value, length, pos = decode_raw(raw, data, end, value, length, pos)
            corrector = (corrector << raw) | low
        if corrector >= np.int64(1) << (bits - 1):
            corrector += 1
        else:
            corrector -= (np.int64(1) << bits) - 1
    return corrector, bits, value, length, pos


# ------------------------------------------------------------------------------- encoding


@compiled
def carry(out, pos):
    """Add one to the bytes already written."""
    pos -= 1
    while load8(out, pos) == 255:
        store8(out, pos, 0)
        pos -= 1
    store8(out, pos, load8(out, pos) + 1)


@inlined
def advance(out, base, length, pos):
    """Carry an overflow of the base and write the bytes that are settled."""
    if base > WORD:
        base &= WORD
        carry(out, pos)
    while length < MIN_LENGTH:
        store8(out, pos, base >> 24)
        pos += 1
        base = (base << 8) & WORD
        length <<= 8
    return base, length, pos


@inlined
def encode_symbol(models, at, symbol, out, base, length, pos):
    """Write a symbol of a model."""
    symbols = load32(models, at + SYMBOLS)
    distribution = at + HEAD
    step = length >> SYMBOL_SHIFT
    lower = load32(models, distribution + symbol) * step
    if symbol == symbols - 1:
        length -= lower
    else:
        length = load32(models, distribution + symbol + 1) * step - lower
    base, length, pos = advance(out, base + lower, length, pos)
    counted = distribution + symbols + symbol
    store32(models, counted, load32(models, counted) + 1)
    left = load32(models, at + LEFT) - 1
    store32(models, at + LEFT, left)
    if left == 0:
        update_model(models, at)
    return base, length, pos


@inlined
def encode_bit(models, at, bit, out, base, length, pos):
    """Write a bit of a bit model."""
    bound = load32(models, at + BIT_PROBABILITY) * (length >> BIT_SHIFT)
    if bit == 0:
        length = bound
        store32(models, at + BIT_ZEROS, load32(models, at + BIT_ZEROS) + 1)
    else:
        base += bound
        length -= bound
    base, length, pos = advance(out, base, length, pos)
    left = load32(models, at + BIT_LEFT) - 1
    store32(models, at + BIT_LEFT, left)
    if left == 0:
        update_bit_model(models, at)
    return base, length, pos


@inlined
def encode_raw(bits, value, out, base, length, pos):
    """Write bits as they are, as `decode_raw` reads them."""
    if bits > 19:
        length >>= 16
        base, length, pos = advance(out, base + (value & 0xFFFF) * length, length, pos)
        value >>= 16
        bits -= 16
    length >>= bits
    return advance(out, base + value * length, length, pos)


@inlined
def bit_count(value):
    """Bits of a non-negative number."""
    bits = np.int64(0)
    while value:
        value >>= 1
        bits += 1
    return bits


@inlined
def encode_corrector(models, bits_at, correctors, corrector, out, base, length, pos):
    """Write a difference from a prediction; return the count of its bits too."""
    bits = bit_count(-corrector if corrector <= 0 else corrector - 1)
    base, length, pos = encode_symbol(models, bits_at, bits, out, base, length, pos)
    at = load64(correctors, bits)
    if bits == 0:
        base, length, pos = encode_bit(models, at, corrector, out, base, length, pos)
    else:
        if corrector < 0:
            corrector += (np.int64(1) << bits) - 1
        else:
            corrector -= 1
        raw = max(bits - HIGH_BITS, 0)
        high = corrector >> raw
        base, length, pos = encode_symbol(models, at, high, out, base, length, pos)
        if raw:
            low = corrector & ((np.int64(1) << raw) - 1)
            base, length, pos = encode_raw(raw, low, out, base, length, pos)
    return bits, base, length, pos


@compiled
def finish_encoder(out, base, length, pos):
    """Write the last bytes, and the zeros a decoder looks at beyond them; return the byte count."""
    if length > 2 * MIN_LENGTH:
        base += MIN_LENGTH
        length = np.int64(MIN_LENGTH >> 1)
        zeros = 3
    else:
        base += MIN_LENGTH >> 1
        length = np.int64(MIN_LENGTH >> 9)
        zeros = 2
    base, length, pos = advance(out, base, length, pos)
    for _ in range(zeros):
        store8(out, pos, 0)
        pos += 1
    return pos
