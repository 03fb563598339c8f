"""A compiled hash table of 128-bit keys, the ground the sets of voxels and of points stand on.

Open addressing, linear probing, 16 bytes a slot, kept at most three quarters full. Must not know
what a key means.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cupixgeo.compiling import compiled

Table = npt.NDArray[np.uint64]

FIRST_SLOTS = 1 << 16
"""Slots of a new table: one megabyte."""

FULL = 0.75
"""Share of the slots that may be taken: beyond it searches become long."""

SLOT_BYTES = 16

LARGEST_TABLE_BYTES = 1 << 30
"""[byte] While a table grows, the old one of half the size is held as well."""


@compiled(inline="always")
def mix(h):
    """Scatter the bits of a 64-bit integer; no two give the same (the finaliser of MurmurHash3)."""
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@compiled(inline="always")
def find(table, first, second, mask):
    """Slot that holds the key, or the empty one it belongs in.

    A slot is empty where its second word is 0. Only the bits of `mask` of that word are part of
    the key.
    """
    slots = np.uint64(len(table))
    spread = mix(first ^ mix(second + np.uint64(0x9E3779B97F4A7C15)))
    slot = ((spread >> np.uint64(32)) * slots) >> np.uint64(32)
    while True:
        held = table[slot, 1]
        if held == 0 or (table[slot, 0] == first and held & mask == second):
            return slot
        slot += np.uint64(1)
        if slot == slots:
            slot = np.uint64(0)


@compiled
def _copy(old, new, mask):
    for row in range(len(old)):
        if old[row, 1] != 0:
            slot = find(new, old[row, 0], old[row, 1] & mask, mask)
            new[slot, 0] = old[row, 0]
            new[slot, 1] = old[row, 1]


class KeyTable:
    """The slots, how many are taken, and how many may be.

    Parameters
    ----------
    mask : int
        Bits of a slot's second word that belong to the key.
    limit_bytes : int
        Size it may grow to [byte].
    """

    def __init__(self, mask: int, *, limit_bytes: int = LARGEST_TABLE_BYTES) -> None:
        self.slots: Table = np.zeros((FIRST_SLOTS, 2), np.uint64)
        self.used = 0
        self.mask = np.uint64(mask)
        self._limit_bytes = limit_bytes

    @property
    def room(self) -> int:
        """Keys it holds before it has to grow."""
        return int(len(self.slots) * FULL)

    @property
    def size_bytes(self) -> int:
        """Memory it takes [byte]."""
        return self.slots.nbytes

    def grow(self) -> bool:
        """Double it; False where that would be beyond the limit."""
        if 2 * self.slots.nbytes > self._limit_bytes:
            return False
        slots = np.zeros((2 * len(self.slots), 2), np.uint64)
        _copy(self.slots, slots, self.mask)
        self.slots = slots
        return True
