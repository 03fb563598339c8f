"""The points of a LAZ chunk of point formats 0 to 3, decoded and encoded, one behind the other.

Everything is one stream of symbols here, so no part of it can be copied. But nothing except X, Y
and Z depends on a coordinate: all other symbols are noted while a chunk is decoded, and when it is
encoded they are written as they were. What they stand for is looked at only as far as it says which
model comes next.

Knows: the order of symbols. Must not know: files, coordinates in metres.

Source: M. Isenburg, LASzip, items POINT10, GPSTIME11, RGB12 and BYTE, all version 2.
"""

from __future__ import annotations

from cupixgeo.compiling import compiled, inlined
from cupixgeo.formats.las.entropy import (
    BITS_SYMBOLS,
    CORRECTOR_BYTES,
    HIGH_BITS,
    LEFT,
    LOWEST,
    MAX_LENGTH,
    MOST_SYMBOLS,
    decode_likely,
    decode_raw,
    decode_small,
    decode_symbol,
    encode_raw,
    encode_small,
    encode_symbol,
    finish_encoder,
    start_decoder,
    with_sign,
)
from cupixgeo.formats.las.layers import decode_height, decode_step, encode_height, encode_step
from cupixgeo.formats.las.machine import (
    choose,
    load8,
    load16,
    load32,
    load64,
    load_signed,
    store8,
    store16,
    store32,
    store64,
    unlikely,
    wrap32,
)
from cupixgeo.formats.las.pointmodels import (
    ANGLE,
    ANGLE_CHANGED,
    BITS_STEP,
    BYTE_STEP,
    CHANGED,
    CHANGED_SYMBOLS,
    CLASS,
    CLASS_BYTE,
    CLASS_CHANGED,
    COLOUR,
    COLOUR_USED,
    COLOURED,
    CONTEXT_BYTES,
    DIFFERENCES,
    EMPTY_BYTE,
    EXTRA,
    EXTREME,
    EXTREMES,
    FLAGS,
    FLAGS_BYTE,
    FLAGS_CHANGED,
    FOR_GPS,
    FOR_INTENSITY,
    FOR_SOURCE,
    FOR_X,
    FOR_Y,
    FOR_Z,
    GPS_BITS,
    HIGHEST_MULTIPLE,
    INTENSITY_BITS,
    INTENSITY_CHANGED,
    LAST_CLASS,
    LAST_FLAGS,
    LAST_SEQUENCE,
    LAST_USER,
    LAST_Z,
    LEVELS,
    LOWEST_MULTIPLE,
    MEDIAN_BYTES,
    MODELS_BYTES,
    MULTIPLE,
    MULTIPLE_SYMBOLS,
    OTHER_SEQUENCE,
    POINT_BYTES,
    RETURN_AT,
    SEQUENCE,
    SEQUENCE_SYMBOLS,
    SHORT_BITS_STEP,
    SHORT_BITS_SYMBOLS,
    SOURCE_BITS,
    SOURCE_CHANGED,
    THIS_SEQUENCE,
    UNCHANGED,
    USED_SYMBOLS,
    USER,
    USER_BYTE,
    USER_CHANGED,
    X_AT,
    X_BITS,
    X_MEDIANS,
    Y_AT,
    Y_BITS,
    Y_MEDIANS,
    Z_BITS,
    X,
    Y,
)

# ------------------------------------------------------- symbols, decoded and noted or encoded


@inlined
def code_symbol(encoding, model, symbols, end, state):
    """Decode and note a symbol, or encode the next one noted."""
    log, value, length, pos = state
    if encoding:
        symbol = load16(log, 0)
        value, length, pos = encode_symbol(model, symbols, symbol, value, length, pos)
    else:
        symbol, value, length, pos = decode_symbol(model, symbols, end, value, length, pos)
        store16(log, 0, symbol)
    return symbol, (log + 2, value, length, pos)


@inlined
def code_likely(encoding, model, symbols, end, state):
    """Do the same with a symbol that is mostly the one before."""
    log, value, length, pos = state
    if encoding:
        symbol = load16(log, 0)
        value, length, pos = encode_symbol(model, symbols, symbol, value, length, pos)
    else:
        symbol, value, length, pos = decode_likely(model, symbols, end, value, length, pos)
        store16(log, 0, symbol)
    return symbol, (log + 2, value, length, pos)


@inlined
def code_raw(encoding, bits, end, state):
    """Do the same with bits stored as they are, 32 at most."""
    log, value, length, pos = state
    if encoding:
        raw = load32(log, 0)
        value, length, pos = encode_raw(bits, raw, value, length, pos)
    else:
        raw, value, length, pos = decode_raw(bits, end, value, length, pos)
        store32(log, 0, raw)
    return raw, (log + 4, value, length, pos)


@inlined
def code_corrector(encoding, bits_model, bits_symbols, correctors, end, state):
    """Do the same with a difference from a prediction."""
    bits, state = code_symbol(encoding, bits_model, bits_symbols, end, state)
    model = correctors + bits * CORRECTOR_BYTES
    if bits <= HIGH_BITS:
        log, value, length, pos = state
        if encoding:
            corrector = load16(log, 0)
            value, length, pos = encode_small(model, bits, corrector, value, length, pos)
        else:
            corrector, value, length, pos = decode_small(model, bits, end, value, length, pos)
            store16(log, 0, corrector)
        state = log + 2, value, length, pos
    elif bits < 32:
        corrector, state = code_symbol(encoding, model, MOST_SYMBOLS, end, state)
        raw, state = code_raw(encoding, bits - HIGH_BITS, end, state)
        corrector = corrector << (bits - HIGH_BITS) | raw
    else:
        return 0 + LOWEST, state
    return with_sign(model, corrector), state


@inlined
def pass_corrector(log):
    """Leave a noted difference out."""
    bits = load16(log, 0)
    return log + 4 + 4 * (bits > HIGH_BITS)


@inlined
def code_byte(encoding, models, at, end, state):
    """Decode or encode a byte with a model that may not have been met yet."""
    model = models + at
    if unlikely(load32(model, LEFT) == 0):
        for offset in range(0, BYTE_STEP, 8):
            store64(model, offset, load64(models + EMPTY_BYTE, offset))
    return code_symbol(encoding, model, MOST_SYMBOLS, end, state)


# ------------------------------------------------------------------------------ points


@inlined
def code_attributes(encoding, without_source, work, end, state):
    """Everything of a point in front of its coordinates; return the byte with its return number.

    without_source: 1 to encode as if the point source had not changed.
    """
    m, c, maps = work
    log, value, length, pos = state
    if encoding:
        changed = load16(log, 0)
        kept = changed & ~without_source
        value, length, pos = encode_symbol(m + CHANGED, CHANGED_SYMBOLS, kept, value, length, pos)
        state = log + 2, value, length, pos
    else:
        changed, state = code_likely(encoding, m + CHANGED, CHANGED_SYMBOLS, end, state)
    flags = load64(c, LAST_FLAGS)
    if changed & FLAGS_CHANGED:
        flags, state = code_byte(encoding, m, FLAGS + flags * BYTE_STEP, end, state)
        store64(c, LAST_FLAGS, flags)
    if changed & INTENSITY_CHANGED:
        model = m + INTENSITY_BITS + min(load8(maps, flags & 63), 3) * SHORT_BITS_STEP
        _, state = code_corrector(
            encoding, model, SHORT_BITS_SYMBOLS, m + FOR_INTENSITY, end, state
        )
    if changed & CLASS_CHANGED:
        last = load64(c, LAST_CLASS)
        last, state = code_byte(encoding, m, CLASS + last * BYTE_STEP, end, state)
        store64(c, LAST_CLASS, last)
    if changed & ANGLE_CHANGED:
        model = m + ANGLE + ((flags >> 6) & 1) * BYTE_STEP
        _, state = code_symbol(encoding, model, MOST_SYMBOLS, end, state)
    if changed & USER_CHANGED:
        last = load64(c, LAST_USER)
        last, state = code_byte(encoding, m, USER + last * BYTE_STEP, end, state)
        store64(c, LAST_USER, last)
    if changed & SOURCE_CHANGED:
        if encoding and without_source:
            log, value, length, pos = state
            state = pass_corrector(log), value, length, pos
        else:
            _, state = code_corrector(
                encoding, m + SOURCE_BITS, SHORT_BITS_SYMBOLS, m + FOR_SOURCE, end, state
            )
    return flags, state


@inlined
def code_new_time(encoding, m, c, end, state):
    """GPS time that begins another sequence: written whole."""
    _, state = code_corrector(
        encoding, m + GPS_BITS + 8 * BITS_STEP, BITS_SYMBOLS, m + FOR_GPS, end, state
    )
    _, state = code_raw(encoding, 16, end, state)
    _, state = code_raw(encoding, 16, end, state)
    sequence = (load64(c, LAST_SEQUENCE) + 1) & 3
    store64(c, LAST_SEQUENCE, sequence)
    store64(c, THIS_SEQUENCE, sequence)
    store64(c + DIFFERENCES, 8 * sequence, 0)
    store64(c + EXTREMES, 8 * sequence, 0)
    return state


@inlined
def code_multiple(encoding, multiple, m, c, end, state):
    """GPS time whose difference is near a multiple of the last one."""
    sequence = load64(c, THIS_SEQUENCE)
    measure = load64(c + DIFFERENCES, 8 * sequence)
    extreme = multiple == 0 or multiple == HIGHEST_MULTIPLE
    if multiple == 1:
        kind = 1
        store64(c + EXTREMES, 8 * sequence, 0)
    elif multiple == 0:
        kind = 7
    elif multiple < HIGHEST_MULTIPLE:
        kind = choose(multiple < 10, 2, 3)
    elif multiple == HIGHEST_MULTIPLE:
        kind = 4
    else:
        multiple = HIGHEST_MULTIPLE - multiple
        extreme = multiple <= LOWEST_MULTIPLE
        kind = choose(extreme, 6, 5)
    corrector, state = code_corrector(
        encoding, m + GPS_BITS + kind * BITS_STEP, BITS_SYMBOLS, m + FOR_GPS, end, state
    )
    if extreme:
        met = load64(c + EXTREMES, 8 * sequence) + 1
        if met > EXTREME:
            difference = wrap32(wrap32(multiple * measure) + corrector)
            store64(c + DIFFERENCES, 8 * sequence, difference)
            met = 0
        store64(c + EXTREMES, 8 * sequence, met)
    return state


@inlined
def code_time(encoding, work, end, state):
    """GPS time of a point."""
    m, c, _ = work
    while True:
        sequence = load64(c, THIS_SEQUENCE)
        if load64(c + DIFFERENCES, 8 * sequence) == 0:
            how, state = code_likely(encoding, m + SEQUENCE, SEQUENCE_SYMBOLS, end, state)
            if how == 1:
                difference, state = code_corrector(
                    encoding, m + GPS_BITS, BITS_SYMBOLS, m + FOR_GPS, end, state
                )
                store64(c + DIFFERENCES, 8 * sequence, difference)
                store64(c + EXTREMES, 8 * sequence, 0)
            elif how == 2:
                state = code_new_time(encoding, m, c, end, state)
            elif how > 2:
                store64(c, THIS_SEQUENCE, (sequence + how - 2) & 3)
                continue
            return state
        multiple, state = code_likely(encoding, m + MULTIPLE, MULTIPLE_SYMBOLS, end, state)
        if multiple < UNCHANGED:
            state = code_multiple(encoding, multiple, m, c, end, state)
        elif multiple == OTHER_SEQUENCE:
            state = code_new_time(encoding, m, c, end, state)
        elif multiple > OTHER_SEQUENCE:
            store64(c, THIS_SEQUENCE, (sequence + multiple - OTHER_SEQUENCE) & 3)
            continue
        return state


@inlined
def code_colour(encoding, work, end, state):
    """Red, green and blue of a point, the lower bytes of green and blue before the higher ones."""
    m, _, _ = work
    used, state = code_likely(encoding, m + COLOUR_USED, USED_SYMBOLS, end, state)
    for byte in (0, 1, 2, 4, 3, 5):
        if (used >> byte) & 1 and (byte < 2 or used & COLOURED):
            _, state = code_symbol(
                encoding, m + COLOUR + byte * BYTE_STEP, MOST_SYMBOLS, end, state
            )
    return state


@inlined
def code_rest(encoding, kind, work, end, state):
    """Everything of a point behind its coordinates."""
    has_time, has_colour, extra_bytes = kind
    if has_time:
        state = code_time(encoding, work, end, state)
    if has_colour:
        state = code_colour(encoding, work, end, state)
    for k in range(extra_bytes):
        _, state = code_byte(encoding, work[0], EXTRA + k * BYTE_STEP, end, state)
    return state


@inlined
def begin_chunk(space, head, point, extra_bytes):
    """Set models and context to their first state; return their addresses."""
    memory, first, maps = space
    for at in range(0, MODELS_BYTES, 8):
        store64(memory, at, load64(first, at))
    for at in range(FLAGS, EXTRA + extra_bytes * BYTE_STEP, BYTE_STEP):
        store32(memory + at, LEFT, 0)
    context = memory + EXTRA + extra_bytes * BYTE_STEP
    for at in range(0, CONTEXT_BYTES, 8):
        store64(context, at, 0)
    store64(context, X, load_signed(point, X_AT))
    store64(context, Y, load_signed(point, Y_AT))
    store64(context, LAST_FLAGS, load8(head, FLAGS_BYTE))
    store64(context, LAST_CLASS, load8(head, CLASS_BYTE))
    store64(context, LAST_USER, load8(head, USER_BYTE))
    return memory, context, maps


@inlined
def bits_models(m, flags, x_bits, y_bits):
    """Bit-count models of Y, which follows the bit count of X, and Z, which follows both."""
    single = 1 * ((flags >> 3) & 7 == 1)
    mean = (x_bits + y_bits) >> 1
    y_model = m + Y_BITS + (single + min(x_bits & ~1, 20)) * BITS_STEP
    return y_model, m + Z_BITS + (single + min(mean & ~1, 18)) * BITS_STEP


@compiled
def decode_points(source, end, head, kind, space, points, log, count):
    """Decode the coordinates of a chunk's points, and note all other symbols.

    source, end: addresses of the first and behind the last byte; PADDING zeros must follow. head:
    address of the first point's record. kind: whether there is GPS time, whether there is colour,
    count of extra bytes. space: addresses of the work space, the first models and MAPS. points:
    address of `count` points, the first of them filled. log: address of `log_room` bytes a point.
    Returns how many bytes were not read: -1 where more were wanted than there are.
    """
    encoding = False
    beyond = end + 1
    work = begin_chunk(space, head, points, kind[2])
    m, c, maps = work
    value, length, pos = start_decoder(source)
    state = log, value, length, pos
    point = points
    for _ in range(1, count):
        point += POINT_BYTES
        flags, state = code_attributes(encoding, 0, work, end, state)
        store8(point, RETURN_AT, flags & 7)
        log, value, length, pos = state
        median = c + X_MEDIANS + load8(maps, flags & 63) * MEDIAN_BYTES
        single = 1 * ((flags >> 3) & 7 == 1)
        x_bits, value, length, pos = decode_step(
            m + X_BITS + single * BITS_STEP, m + FOR_X, median, c + X, point + X_AT,
            end, value, length, pos,
        )  # fmt: skip
        model, _ = bits_models(m, flags, x_bits, 0)
        median += Y_MEDIANS - X_MEDIANS
        y_bits, value, length, pos = decode_step(
            model, m + FOR_Y, median, c + Y, point + Y_AT, end, value, length, pos
        )
        _, model = bits_models(m, flags, x_bits, y_bits)
        level = c + LAST_Z + 8 * load8(maps, LEVELS + (flags & 63))
        _, value, length, pos = decode_height(
            model, m + FOR_Z, level, point, end, value, length, pos
        )
        log, value, length, pos = code_rest(
            encoding, kind, work, end, (log, value, length, min(pos, beyond))
        )
        state = log, value, length, min(pos, beyond)
    return choose(count == 1, 0, end - pos)


@compiled
def encode_points(points, head, kind, without_source, space, log, out, count):
    """Encode the points of a chunk: the reverse of `decode_points`.

    out: address of a buffer with at least `point_room` bytes a point, and PADDING around.
    without_source: 1 to encode as if all points were of the first one's source. Returns the length.
    """
    encoding = True
    work = begin_chunk(space, head, points, kind[2])
    m, c, maps = work
    state = log, 0, 0 + MAX_LENGTH, out
    point = points
    for _ in range(1, count):
        point += POINT_BYTES
        flags, state = code_attributes(encoding, without_source, work, 0, state)
        log, base, length, pos = state
        median = c + X_MEDIANS + load8(maps, flags & 63) * MEDIAN_BYTES
        single = 1 * ((flags >> 3) & 7 == 1)
        x_bits, base, length, pos = encode_step(
            m + X_BITS + single * BITS_STEP, m + FOR_X, median, c + X, point + X_AT,
            base, length, pos,
        )  # fmt: skip
        model, _ = bits_models(m, flags, x_bits, 0)
        median += Y_MEDIANS - X_MEDIANS
        y_bits, base, length, pos = encode_step(
            model, m + FOR_Y, median, c + Y, point + Y_AT, base, length, pos
        )
        _, model = bits_models(m, flags, x_bits, y_bits)
        level = c + LAST_Z + 8 * load8(maps, LEVELS + (flags & 63))
        base, length, pos = encode_height(model, m + FOR_Z, level, point, base, length, pos)
        state = code_rest(encoding, kind, work, 0, (log, base, length, pos))
    _, base, length, pos = state
    return finish_encoder(out, base, length, pos)
