"""Points into octree cells and nodes, compiled.

Knows integers and keys. Must not know records or files.

A key is a point's cell number at the finest resolution looked at (see `cube`) above its index. In
the order of keys every cell is a run, and the first point of a voxel represents it: a point
belongs to the coarsest level of which it represents a voxel, so its level follows from how many
levels it shares with its predecessor.
"""

from __future__ import annotations

import numpy as np

from cupixgeo.compiling import compiled
from cupixgeo.formats.las.machine import load8, load_signed

VOXEL_LEVELS = 7
"""A node is sampled on a grid of 2^7 = 128 voxels a side."""

KEY_LEVELS = 14
"""Levels below a cell that fit a key: three bits each, beside the index."""

HALF_LEVELS = KEY_LEVELS // 2
SPREAD = np.array(
    [sum((n >> bit & 1) << 3 * bit for bit in range(HALF_LEVELS)) for n in range(1 << HALF_LEVELS)]
)
"""Numbers below 2^7 with two zero bits put between their bits."""

DIGIT_BITS = 11
"""Bits of a key sorted at a time: as many counters as stay in the processor's cache."""

X_BYTE, Y_BYTE, Z_BYTE, RETURNS_BYTE = 0, 4, 8, 14
"""Where a record of point formats 6 to 8 holds what is looked at here."""


@compiled
def _spread(value):
    """Put two zero bits between the bits of a number below 2^14."""
    low, high = value & ((1 << HALF_LEVELS) - 1), value >> HALF_LEVELS
    return SPREAD[low] | SPREAD[high] << (3 * HALF_LEVELS)


@compiled
def _code(record, low, factor, top, flip):
    """Tell the number of the cell a record's point is in, or is nearest to."""
    i = min(max(np.int64((load_signed(record, X_BYTE) - low[0]) * factor[0]), 0), top)
    j = min(max(np.int64((load_signed(record, Y_BYTE) - low[1]) * factor[1]), 0), top)
    k = min(max(np.int64((load_signed(record, Z_BYTE) - low[2]) * factor[2]), 0), top)
    return (_spread(i) << 2 | _spread(j) << 1 | _spread(k)) ^ flip


@compiled
def order_by(groups, count):
    """Order points by group, as they come within each: order (n,) and first places (count + 1,)."""
    starts = np.zeros(count + 1, np.int64)
    for group in groups:
        starts[group + 1] += 1
    for group in range(count):
        starts[group + 1] += starts[group]
    order = np.empty(len(groups), np.int64)
    at = starts.copy()
    for i in range(len(groups)):
        group = groups[i]
        order[at[group]] = i
        at[group] += 1
    return order, starts


@compiled
def cells_of(records, stride, count, low, factor, levels, flip):
    """Tell the cell, (count,) int32, of each record, so many levels below a cell.

    records: address of the first, stride bytes before the next.
    """
    top = (1 << levels) - 1
    cells = np.empty(count, np.int32)
    for i in range(count):
        cells[i] = _code(records + i * stride, low, factor, top, flip)
    return cells


@compiled
def make_keys(records, stride, count, low, factor, levels, flip, index_bits):
    """Keys (count,) uint64 of the records of a cell, not in order."""
    top = (1 << levels) - 1
    keys = np.empty(count, np.uint64)
    for i in range(count):
        code = _code(records + i * stride, low, factor, top, flip)
        keys[i] = np.uint64(code << index_bits | i)
    return keys


@compiled
def sort_keys(keys, first_bit, bits):
    """Sort keys by so many bits from the first one on; the lower ones must be in order already."""
    digits = (bits + DIGIT_BITS - 1) // DIGIT_BITS
    mask = np.uint64((1 << DIGIT_BITS) - 1)
    places = np.zeros((digits, 1 << DIGIT_BITS), np.int64)
    for key in keys:
        for digit in range(digits):
            places[digit, (key >> np.uint64(first_bit + DIGIT_BITS * digit)) & mask] += 1
    other = np.empty_like(keys)
    for digit in range(digits):
        place, below = places[digit], 0
        for value in range(1 << DIGIT_BITS):
            count = place[value]
            place[value] = below
            below += count
        shift = np.uint64(first_bit + DIGIT_BITS * digit)
        for key in keys:
            value = (key >> shift) & mask
            other[place[value]] = key
            place[value] += 1
        keys, other = other, keys
    return keys


@compiled
def _sampled_level(keys, i, index_bits, levels, base, first):
    """Coarsest level of which a point represents a voxel; `first` for the first one."""
    if i == 0:
        return first
    differing = (keys[i] ^ keys[i - 1]) >> np.uint64(index_bits)
    shared = levels
    while differing:
        differing >>= np.uint64(3)
        shared -= 1
    return max(base + shared + 1 - VOXEL_LEVELS, 0)


@compiled
def _find(keys, start, stop, bound):
    """First place in start..stop whose key is not below the bound."""
    while start < stop:
        middle = (start + stop) >> 1
        if keys[middle] < bound:
            start = middle + 1
        else:
            stop = middle
    return start


@compiled
def make_nodes(keys, index_bits, levels, base, first, depth, leaf, few):
    """Give the points of a cell of level `base` to nodes.

    keys: in order, of `levels` levels. first: level of the first point. depth: deepest node below
    the cell; where negative, the points belong to that many levels above it at most. leaf: most
    points of a cell that is not divided. few: most points of a cell that is not worth a node.
    Returns each point's node (n,) int32; level and code within the cell (nodes, 2) int64, the first
    `base` nodes being those of the levels above.
    """
    count = len(keys)
    index_mask = np.uint64((1 << index_bits) - 1)
    node_of = np.empty(count, np.int32)
    nodes = [(np.int64(level), np.int64(0)) for level in range(base)]
    path = np.zeros(levels + 1, np.int64)
    if depth < 0:
        for i in range(count):
            level = _sampled_level(keys, i, index_bits, levels, base, first)
            node_of[np.int64(keys[i] & index_mask)] = min(level, base + depth)
        return node_of, np.array(nodes)
    stack = [(np.int64(0), np.int64(count), np.int64(0))]
    ends = np.empty(9, np.int64)
    while len(stack):
        start, stop, down = stack.pop()
        path[down] = len(nodes)
        shift = index_bits + 3 * (levels - down)
        code = np.int64(keys[start] >> np.uint64(shift))
        nodes.append((base + down, code))
        whole = stop - start <= leaf or down >= depth
        ends[0] = start
        if whole:
            ends[1] = stop
        else:
            for child in range(8):
                bound = np.uint64((code << 3 | child) + 1) << np.uint64(shift - 3)
                ends[child + 1] = _find(keys, ends[child], stop, bound)
        for child in range(0 if whole else 7, -1, -1):
            a, b = ends[child], ends[child + 1]
            if not whole and b - a > few:
                stack.append((a, b, down + 1))
                continue
            for i in range(a, b):
                level = min(_sampled_level(keys, i, index_bits, levels, base, first), base + down)
                node = level if level < base else path[level - base]
                node_of[np.int64(keys[i] & index_mask)] = node
    return node_of, np.array(nodes)


@compiled
def survey(records, stride, times, box, returns, times_range):
    """Widen box (2, 3) and times_range (2,) by records and their GPS times; count returns (16,)."""
    low_x, low_y, low_z = box[0, 0], box[0, 1], box[0, 2]
    high_x, high_y, high_z = box[1, 0], box[1, 1], box[1, 2]
    first, last = times_range[0], times_range[1]
    for i in range(len(times)):
        at = records + i * stride
        x, y, z = load_signed(at, X_BYTE), load_signed(at, Y_BYTE), load_signed(at, Z_BYTE)
        low_x, high_x = min(low_x, x), max(high_x, x)
        low_y, high_y = min(low_y, y), max(high_y, y)
        low_z, high_z = min(low_z, z), max(high_z, z)
        returns[load8(at, RETURNS_BYTE) & 15] += 1
        time = times[i]
        first = time if time < first else first
        last = time if time > last else last
    box[0, 0], box[0, 1], box[0, 2] = low_x, low_y, low_z
    box[1, 0], box[1, 1], box[1, 2] = high_x, high_y, high_z
    times_range[0], times_range[1] = first, last
