"""Between point records and the decoded points of a chunk, compiled.

Knows where attributes are in a record. Must not know how anything is coded.

Source: LAS 1.4 R15, tables 15 to 18 (point record formats 6 to 8).
"""

from __future__ import annotations

from cupixgeo.compiling import compiled
from cupixgeo.formats.las.attributes import ANGLE_BIT, SOURCE_BIT, TIME_BIT
from cupixgeo.formats.las.contexts import CHANGE_AT, CHANNEL_CHANGED, POINT_BYTES, RETURNS_AT
from cupixgeo.formats.las.machine import (
    load8,
    load16,
    load32,
    load64,
    store8,
    store16,
    store32,
    store64,
)
from cupixgeo.formats.las.recode import FLAGS_BYTE, RETURNS_BYTE, SOURCE_BYTE

INTENSITY_BYTE, CLASS_BYTE, USER_BYTE, ANGLE_BYTE, TIME_BYTE = 12, 16, 17, 18, 22
COLOUR_BYTE, INFRARED_BYTE, INFRARED_END = 30, 36, 38
"""Where attributes begin in a record."""

CHANNEL_BITS = 0x30
"""Of the flags."""


@compiled
def begin_records(head, stride, points, out, count):
    """Fill records with the first one's values, and coordinates and returns; whether that will do.

    It will not where the scanner channel changes.
    """
    for i in range(count):
        at = out + i * stride
        point = points + i * POINT_BYTES
        for k in range(0, stride - 7, 8):
            store64(at, k, load64(head, k))
        for k in range(stride & ~7, stride):
            store8(at, k, load8(head, k))
        store64(at, 0, load64(point, 0))
        store32(at, 8, load32(point, 8))
        store8(at, RETURNS_BYTE, load8(point, RETURNS_AT))
        if i and load16(point, CHANGE_AT) & CHANNEL_CHANGED:
            return False
    return True


@compiled
def survey_records(records, stride, points, varying, count):
    """Take coordinates, returns and change symbols out of records, and tell which bits vary."""
    last = records
    for i in range(count):
        at = records + i * stride
        point = points + i * POINT_BYTES
        store64(point, 0, load64(at, 0))
        store32(point, 8, load32(at, 8))
        both, before = load8(at, RETURNS_BYTE), load8(last, RETURNS_BYTE)
        store8(point, RETURNS_AT, both)
        for k in range(0, stride - 7, 8):
            store64(varying, k, load64(varying, k) | (load64(at, k) ^ load64(records, k)))
        for k in range(stride & ~7, stride):
            store8(varying, k, load8(varying, k) | (load8(at, k) ^ load8(records, k)))
        turn = ((both & 15) - (before & 15)) & 15
        change = 3
        if turn <= 1:
            change = turn
        elif turn == 15:
            change = 2
        change |= ((both >> 4) != (before >> 4)) << 2
        change |= (load16(at, ANGLE_BYTE) != load16(last, ANGLE_BYTE)) << ANGLE_BIT
        change |= (load64(at, TIME_BYTE) != load64(last, TIME_BYTE)) << TIME_BIT
        change |= (load16(at, SOURCE_BYTE) != load16(last, SOURCE_BYTE)) << SOURCE_BIT
        channel = (load8(at, FLAGS_BYTE) & CHANNEL_BITS) >> 4
        store16(point, CHANGE_AT, change | channel << 7)
        last = at
