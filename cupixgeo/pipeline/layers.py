"""One input's chunks through the layer coder: decode, move, encode, on any thread.

Loaded only when there are enough points to be worth the compiled code.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from cupixgeo.formats.las.chunks import check_layers, damaged
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.las.recode import ChunkRecoder
from cupixgeo.formats.las.writer import LazChunk
from cupixgeo.geodesy.interpolant import Interpolant
from cupixgeo.pipeline.grid import GridPoints, OutputGrid
from cupixgeo.pipeline.kernel import FusedMap
from cupixgeo.pipeline.plan import PlannedInput

Bytes = npt.NDArray[np.uint8]


def read_chunks(planned: PlannedInput) -> Iterator[Bytes]:
    """Read the compressed chunks of an input in file order.

    Raises
    ------
    CorruptFileError
        A chunk contradicts itself or the chunk table.
    """
    reader = planned.reader
    assert isinstance(reader, LasReader)
    facts = reader.facts
    table = facts.chunks
    assert table is not None
    with facts.path.open("rb") as file:
        for number, (start, size) in enumerate(zip(table.starts, table.sizes, strict=True)):
            file.seek(int(start))
            data = np.fromfile(file, np.uint8, int(size))
            if len(data) < size:
                raise damaged(facts, range(number, number + 1), "the file has become shorter")
            check_layers(facts, table, number, data.data)
            yield data


class LayerTransform:
    """Chunks of one input, moved to the output's grid.

    Parameters
    ----------
    grid : OutputGrid
        The output's.
    planned : PlannedInput
        The input; its reader is a `LasReader` of a layered point format.
    fitted : Interpolant or None
        Of its chain; None calls PROJ for every point.
    source_id : int or None
        New ``point_source_id``.
    """

    def __init__(
        self,
        grid: OutputGrid,
        planned: PlannedInput,
        fitted: Interpolant | None,
        source_id: int | None,
    ) -> None:
        assert isinstance(planned.reader, LasReader)
        facts = planned.reader.facts
        self._grid = grid
        self._planned = planned
        self._fitted = fitted
        self._source_id = source_id
        self._scales, self._offsets = np.array(facts.scales), np.array(facts.offsets)
        self._fused = (
            None if fitted is None else FusedMap(fitted, self._scales, self._offsets, grid)
        )
        self._recoder = ChunkRecoder(facts.point_format, facts.record_length, facts.extra_bytes)

    def __call__(self, data: Bytes) -> tuple[LazChunk, GridPoints]:
        """Move one chunk; the points' figures come with it."""
        chunk = self._recoder.decode(data)
        placed = self._place(chunk.xyz)
        steps = np.ascontiguousarray(placed.steps.T)
        encoded = self._recoder.encode(chunk, steps, source_id=self._source_id)
        returns = np.bincount(chunk.returns & 15, minlength=16)
        return LazChunk(encoded, steps.min(axis=1), steps.max(axis=1), returns), placed

    def _place(self, steps: npt.NDArray[np.int32]) -> GridPoints:
        low = steps.min(axis=1) * self._scales + self._offsets
        high = steps.max(axis=1) * self._scales + self._offsets
        if self._fused is not None and self._fitted is not None and self._fitted.covers(low, high):
            placed = self._fused(steps)
            if placed is not None:
                return placed
        xyz = steps.T * self._scales + self._offsets
        moved = self._planned.chain.apply(xyz)
        return self._grid.quantise(np.asfortranarray(moved), name=self._planned.source.label)
