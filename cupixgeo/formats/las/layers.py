"""The two coordinate layers of a LAZ chunk (point formats 6 to 10), decoded and encoded.

Layer one holds, for each point, what changed (return counts, scanner channel, GPS time and more),
and X and Y; layer two holds Z. No other layer depends on a coordinate, so whoever moves points
decodes and encodes these two and copies the rest.

Knows: the order of symbols. Must not know: files, coordinates in metres.

Source: M. Isenburg, LASzip, item POINT14 version 3 (the compression of LAS 1.4 point formats).
"""

from __future__ import annotations

from cupixgeo.compiling import compiled, inlined
from cupixgeo.formats.las.contexts import (
    BOTH,
    CHANGE_AT,
    CHANGED,
    CHANGED_SYMBOLS,
    CHANNEL,
    CHANNEL_CHANGED,
    CHANNEL_SYMBOLS,
    COUNT,
    COUNT_CHANGED,
    FOR_X,
    FOR_Y,
    FOR_Z,
    GPS_CHANGED,
    LAST_Z,
    LEVELS,
    MEDIAN,
    NEXT,
    NUMBER,
    NUMBER_SAME_PULSE,
    POINT_BYTES,
    RETURN_CHANGE,
    RETURN_STEP,
    RETURN_SYMBOLS,
    RETURNS_AT,
    SAME_PULSE_SYMBOLS,
    X_AT,
    X_MEDIANS,
    Y_AT,
    Y_MEDIANS,
    Z_AT,
    X,
    Y,
    Z,
    begin_chunk,
    change_channel,
    expect_change,
    places,
    x_bits_model,
    x_median,
    y_bits_model,
    z_bits_model,
)
from cupixgeo.formats.las.entropy import (
    BITS_SYMBOLS,
    MAX_LENGTH,
    decode_corrector,
    decode_likely,
    decode_symbol,
    encode_corrector,
    encode_symbol,
    finish_encoder,
    start_decoder,
)
from cupixgeo.formats.las.machine import (
    choose,
    load8,
    load16,
    load64,
    load_signed,
    slide_median,
    store8,
    store16,
    store32,
    store64,
    wrap32,
)

# ------------------------------------------------------------------------------- decoding


@inlined
def decode_returns(change, both, models, end, value, length, pos):
    """Return number and number of returns of a point that differs in them from the last one."""
    count = both >> 4
    number = both & 15
    if change & COUNT_CHANGED:
        model = models + COUNT + count * RETURN_STEP
        count, value, length, pos = decode_symbol(model, RETURN_SYMBOLS, end, value, length, pos)
    how = change & RETURN_CHANGE
    if how == 1:
        number = (number + 1) & 15
    elif how == 2:
        number = (number + 15) & 15
    elif how == 3:
        if change & GPS_CHANGED:
            model = models + NUMBER + number * RETURN_STEP
            number, value, length, pos = decode_symbol(
                model, RETURN_SYMBOLS, end, value, length, pos
            )
        else:
            model = models + NUMBER_SAME_PULSE
            step, value, length, pos = decode_symbol(
                model, SAME_PULSE_SYMBOLS, end, value, length, pos
            )
            number = (number + step + 2) & 15
    return count << 4 | number, value, length, pos


@inlined
def decode_change(work, point, place, end, value, length, pos):
    """Read what differs from the last point besides coordinates."""
    channel, opened, models, context = place
    change, value, length, pos = decode_likely(
        models + CHANGED + load64(context, NEXT), CHANGED_SYMBOLS, end, value, length, pos
    )
    if change & CHANNEL_CHANGED:
        step, value, length, pos = decode_symbol(
            models + CHANNEL, CHANNEL_SYMBOLS, end, value, length, pos
        )
        last = channel
        channel = (channel + step + 1) & 3
        opened = change_channel(work, opened, channel, last)
        models, context = places(work, channel)
    both = load64(context, BOTH)
    if change & (COUNT_CHANGED | RETURN_CHANGE):
        both, value, length, pos = decode_returns(change, both, models, end, value, length, pos)
        store64(context, BOTH, both)
    gps = (change >> 4) & 1
    maps = work[2]
    expect_change(context, maps, both, gps)
    store16(point, CHANGE_AT, change | channel << 7)
    store8(point, RETURNS_AT, both)
    median = x_median(context, maps, both, gps)
    return (channel, opened, models, context), both, median, value, length, pos


@inlined
def decode_step(bits_model, correctors, median, last, point, end, value, length, pos):
    """X or Y of a point."""
    step, bits, value, length, pos = decode_corrector(
        bits_model, BITS_SYMBOLS, correctors, end, value, length, pos
    )
    step = wrap32(step + load_signed(median, MEDIAN))
    slide_median(median, step)
    now = load64(last, 0) + step
    store64(last, 0, now)
    store32(point, 0, now)
    return bits, value, length, pos


@inlined
def decode_height(bits_model, correctors, level, point, end, value, length, pos):
    """Z of a point."""
    step, _, value, length, pos = decode_corrector(
        bits_model, BITS_SYMBOLS, correctors, end, value, length, pos
    )
    now = load64(level, 0) + step
    store64(level, 0, now)
    store32(point, Z_AT, now)
    return now, value, length, pos


@inlined
def decode_plan(work, point, place, end, value, length, pos):
    """All of a point but Z."""
    place, both, median, value, length, pos = decode_change(
        work, point, place, end, value, length, pos
    )
    _, _, m, c = place
    x_bits, value, length, pos = decode_step(
        x_bits_model(m, both), m + FOR_X, median, c + X, point + X_AT, end, value, length, pos
    )
    model = y_bits_model(m, both, x_bits)
    median += Y_MEDIANS - X_MEDIANS
    y_bits, value, length, pos = decode_step(
        model, m + FOR_Y, median, c + Y, point + Y_AT, end, value, length, pos
    )
    z_model = z_bits_model(m, both, x_bits, y_bits)
    return place, both, z_model, value, length, min(pos, end)


@compiled
def decode_layers(layers, work, points, count):
    """Decode the coordinate layers of a chunk.

    layers: addresses of the layers' first and last bytes (no heights: Z never changes); PADDING
    zeros must follow. work: addresses of the work space (WORK_BYTES), of the first models and of
    MAPS. points: address of `count` points, the first of them filled. Returns how many bytes of
    each layer were not read: -1 where more were wanted than there are.
    """
    xy, end, heights, z_end = layers
    beyond, z_beyond = end + 1, z_end + 1
    place = begin_chunk(work, points)
    value, length, pos = start_decoder(xy)
    z_value, z_length, z_pos = start_decoder(heights)
    has_heights = heights != z_end
    point = points
    for _ in range(1, count):
        point += POINT_BYTES
        place, both, z_model, value, length, pos = decode_plan(
            work, point, place, beyond, value, length, pos
        )
        _, _, m, c = place
        if has_heights:
            level = c + LAST_Z + 8 * load8(work[2], LEVELS + both)
            height, z_value, z_length, z_pos = decode_height(
                z_model, m + FOR_Z, level, point, z_end, z_value, z_length, z_pos
            )
            store64(c, Z, height)
            z_pos = min(z_pos, z_beyond)
        else:
            store32(point, Z_AT, load64(c, Z))
    if count == 1:
        return 0, 0
    return end - pos, choose(has_heights, z_end - z_pos, 0)


# ------------------------------------------------------------------------------- encoding


@inlined
def encode_returns(change, both, before, models, base, length, pos):
    """Write return number and number of returns where they differ from the last point's."""
    if change & COUNT_CHANGED:
        model = models + COUNT + (before >> 4) * RETURN_STEP
        base, length, pos = encode_symbol(model, RETURN_SYMBOLS, both >> 4, base, length, pos)
    if change & RETURN_CHANGE == RETURN_CHANGE:
        number = both & 15
        if change & GPS_CHANGED:
            model = models + NUMBER + (before & 15) * RETURN_STEP
            base, length, pos = encode_symbol(model, RETURN_SYMBOLS, number, base, length, pos)
        else:
            model = models + NUMBER_SAME_PULSE
            step = (number - (before & 15) - 2) & 15
            base, length, pos = encode_symbol(model, SAME_PULSE_SYMBOLS, step, base, length, pos)
    return base, length, pos


@inlined
def encode_change(work, point, place, base, length, pos):
    """Write what differs from the last point besides coordinates."""
    channel, opened, models, context = place
    word = load16(point, CHANGE_AT)
    change = word & 127
    base, length, pos = encode_symbol(
        models + CHANGED + load64(context, NEXT), CHANGED_SYMBOLS, change, base, length, pos
    )
    if change & CHANNEL_CHANGED:
        last = channel
        channel = word >> 7
        step = (channel - last - 1) & 3
        base, length, pos = encode_symbol(
            models + CHANNEL, CHANNEL_SYMBOLS, step, base, length, pos
        )
        opened = change_channel(work, opened, channel, last)
        models, context = places(work, channel)
    both = load8(point, RETURNS_AT)
    if change & (COUNT_CHANGED | RETURN_CHANGE):
        before = load64(context, BOTH)
        base, length, pos = encode_returns(change, both, before, models, base, length, pos)
        store64(context, BOTH, both)
    gps = (change >> 4) & 1
    maps = work[2]
    expect_change(context, maps, both, gps)
    median = x_median(context, maps, both, gps)
    return (channel, opened, models, context), both, median, base, length, pos


@inlined
def encode_step(bits_model, correctors, median, last, point, base, length, pos):
    """Write X or Y of a point."""
    now = load_signed(point, 0)
    step = wrap32(now - load64(last, 0))
    store64(last, 0, now)
    corrector = wrap32(step - load_signed(median, MEDIAN))
    slide_median(median, step)
    return encode_corrector(bits_model, BITS_SYMBOLS, correctors, corrector, base, length, pos)


@inlined
def encode_height(bits_model, correctors, level, point, base, length, pos):
    """Write Z of a point."""
    now = load_signed(point, Z_AT)
    corrector = wrap32(now - load64(level, 0))
    store64(level, 0, now)
    _, base, length, pos = encode_corrector(
        bits_model, BITS_SYMBOLS, correctors, corrector, base, length, pos
    )
    return base, length, pos


@compiled
def encode_layers(points, work, xy, heights, count):
    """Encode the coordinate layers of a chunk: the reverse of `decode_layers`.

    xy, heights: addresses of buffers with at least `LAYER_ROOM` bytes a point, and `PADDING`
    around. Returns the lengths.
    """
    place = begin_chunk(work, points)
    base, length, pos = 0, 0 + MAX_LENGTH, xy
    z_base, z_length, z_pos = 0, 0 + MAX_LENGTH, heights
    point = points
    for _ in range(1, count):
        point += POINT_BYTES
        place, both, median, base, length, pos = encode_change(
            work, point, place, base, length, pos
        )
        _, _, m, c = place
        x_bits, base, length, pos = encode_step(
            x_bits_model(m, both), m + FOR_X, median, c + X, point + X_AT, base, length, pos
        )
        model = y_bits_model(m, both, x_bits)
        median += Y_MEDIANS - X_MEDIANS
        y_bits, base, length, pos = encode_step(
            model, m + FOR_Y, median, c + Y, point + Y_AT, base, length, pos
        )
        level = c + LAST_Z + 8 * load8(work[2], LEVELS + both)
        model = z_bits_model(m, both, x_bits, y_bits)
        z_base, z_length, z_pos = encode_height(
            model, m + FOR_Z, level, point, z_base, z_length, z_pos
        )
        store64(c, Z, load64(level, 0))
    xy_size = finish_encoder(xy, base, length, pos)
    return xy_size, finish_encoder(heights, z_base, z_length, z_pos)
