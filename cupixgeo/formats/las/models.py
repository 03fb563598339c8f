"""Where the models of a coder lie: planned in Python, used by address in compiled code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cupixgeo.formats.las.entropy import (
    BITS_SYMBOLS,
    CORRECTOR_BYTES,
    init_corrector,
    init_model,
    model_bytes,
)


class ModelPlan:
    """Where models lie in a stretch of memory, in bytes; what they are like at first."""

    def __init__(self) -> None:
        self.bytes = 0
        self.symbol_models: list[tuple[int, int]] = []
        self.corrector_models: list[tuple[int, int]] = []

    def models(self, count: int, symbols: np.int64 | int) -> tuple[int, int]:
        """Reserve models in a row: offset of the first, bytes of each."""
        first, step = self.bytes, int(model_bytes(int(symbols)))
        self.symbol_models += [(first + k * step, int(symbols)) for k in range(count)]
        self.bytes += count * step
        return first, step

    def correctors(self) -> int:
        """Reserve the models of one integer compressor."""
        first = self.bytes
        self.corrector_models += [
            (first + bits * CORRECTOR_BYTES, bits) for bits in range(int(BITS_SYMBOLS))
        ]
        self.bytes += int(BITS_SYMBOLS) * CORRECTOR_BYTES
        return first

    def first(self, *, tabled: bool) -> npt.NDArray[np.uint8]:
        """Make the memory with all models in their first state; `tabled` for decoding."""
        memory = np.zeros(self.bytes, np.uint8)
        for at, symbols in self.symbol_models:
            init_model(memory.ctypes.data + at, symbols, tabled)
        for at, bits in self.corrector_models:
            init_corrector(memory.ctypes.data + at, bits, tabled)
        return memory
