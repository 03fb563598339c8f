"""What decides how an attribute of a point is coded, compiled.

Layers of one chunk, all of whose points are of one scanner channel. Its coordinates were decoded
first, to `points` (see `contexts`): what changed there and the return numbers decide on models.

Must not know what is coded.

Source: M. Isenburg, LASzip (version 3 of the item POINT14).
"""

from __future__ import annotations

from cupixgeo.compiling import compiled, inlined
from cupixgeo.formats.las.contexts import CHANGE_AT, POINT_BYTES, RETURNS_AT
from cupixgeo.formats.las.entropy import TOTAL, init_model
from cupixgeo.formats.las.machine import load8, load16, load64, store64

ANGLE_BIT, TIME_BIT, SOURCE_BIT = 3, 4, 5
"""Bits of a change symbol."""

ONLY = 3
"""A point that is the only return of its pulse; 2 is the first, 1 the last, 0 any other."""


@inlined
def return_kind(points, i):
    """Tell first, last, only and other returns apart."""
    both = load8(points, i * POINT_BYTES + RETURNS_AT)
    number = both & 15
    return 2 * (number == 1) + 1 * (number >= both >> 4)


@inlined
def change_bit(points, i, bit):
    """One bit of a point's change symbol."""
    return (load16(points, i * POINT_BYTES + CHANGE_AT) >> bit) & 1


@inlined
def known(model, symbols, tabled):
    """Bring a model that is met for the first time to its first state."""
    if load64(model, TOTAL) == 0:
        init_model(model, symbols, tabled)


@compiled
def forget(models, count, step):
    """Mark models as not met."""
    for k in range(count):
        store64(models + k * step, TOTAL, 0)
