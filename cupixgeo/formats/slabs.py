"""Large arrays whose memory is used again: fresh memory has to be cleared by the system first."""

from __future__ import annotations

import weakref

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


class Slabs:
    """Memory for arrays that come and go; what is not lent is kept until this object goes."""

    def __init__(self) -> None:
        self._free: list[Bytes] = []
        self._lent: dict[int, tuple[weakref.ref[Bytes], Bytes]] = {}

    def lend(self, size: int) -> Bytes:
        """Give so many bytes, their content undefined; they come back with the last view of them.

        For one thread at a time; the array and its views may go on any thread.
        """
        number = next((k for k, slab in enumerate(self._free) if len(slab) >= size), None)
        if number is None:
            self._free.clear()
            slab = np.empty(size, np.uint8)
        else:
            slab = self._free.pop(number)
        # An array over a buffer is the base of all its views, and so lives as long as they do.
        array = np.frombuffer(memoryview(slab.data), np.uint8, size)
        lent = weakref.ref(array, self._returned)
        self._lent[id(lent)] = lent, slab
        return array

    def _returned(self, lent: weakref.ref[Bytes]) -> None:
        _, slab = self._lent.pop(id(lent))
        self._free.append(slab)
