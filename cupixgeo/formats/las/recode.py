"""Moving the points of a LAZ chunk without touching what else it holds.

In point formats 6 to 10 a chunk is layered: coordinates are two layers of many, and no other layer
depends on them. So these two are decoded, moved and encoded; the others are copied byte for byte.

Knows how a chunk is put together. Must not know what moves the points.

Source: M. Isenburg, LASzip (layered chunks: the first point as it is, the point count, one byte
count a layer, the layers).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from cupixgeo.formats.las.chunks import LAYERS
from cupixgeo.formats.las.contexts import (
    CHANGE_AT,
    LAYER_ROOM,
    MAPS,
    POINT_BYTES,
    RETURNS_AT,
    SOURCE_CHANGED,
    WORK_BYTES,
    first_models,
)
from cupixgeo.formats.las.entropy import PADDING
from cupixgeo.formats.las.layers import decode_layers, encode_layers

XY_LAYER, Z_LAYER, SOURCE_LAYER = 0, 1, 7
RETURNS_BYTE, FLAGS_BYTE, SOURCE_BYTE = 14, 15, 20
"""Bytes of a point record of formats 6 to 10 (LAS 1.4 R15, table 15)."""

WAVEFORM = {9: (9, 30), 10: (11, 38)}
"""Layer and first byte of a record that waveform pointers are in, by point format: left out, for
what they point to is not in the file's points."""

WAVEFORM_BYTES = 29

MOST_UNREAD = 4
"""[byte] What may be left of a layer when its last point was decoded: as many as coders write at
its end for decoders to look ahead at. Those of LASzip, lazrs and PDAL leave none."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DecodedChunk:
    """A chunk with its coordinates decoded.

    Parameters
    ----------
    points : ndarray, shape (n, 4), int32
        Stored integers of X, Y and Z; then, packed, what the coordinate layers hold besides.
    head : ndarray, shape (record length,), uint8
        The first point's record.
    layers : tuple of ndarray, each of shape (bytes,), uint8
        All layers as they were.
    whole : bool
        Whether the coordinate layers have just the bytes the points took; where not, they are
        damaged, and the points are not what was measured.
    """

    points: npt.NDArray[np.int32]
    head: Bytes
    layers: tuple[Bytes, ...]
    whole: bool = True

    def __len__(self) -> int:
        return len(self.points)

    @property
    def steps(self) -> npt.NDArray[np.int32]:
        """Stored integers, shape (n, 3), int32; change them here to move the points."""
        return self.points[:, :3]

    @property
    def changes(self) -> npt.NDArray[np.uint16]:
        """Change symbol of each point, scanner channel above bit 7: shape (n,), uint16."""
        return self.points.view(np.uint16)[:, CHANGE_AT // 2]

    @property
    def returns(self) -> Bytes:
        """Return number, number of returns above bit 4: shape (n,), uint8."""
        return self.points.view(np.uint8)[:, RETURNS_AT]


def was_whole(unread: int) -> bool:
    """Whether so many unread bytes are what an encoder leaves: -1 is too few in all."""
    return 0 <= unread <= MOST_UNREAD


class Workspace:
    """Memory for the coding of one chunk at a time: one a thread, used again and again."""

    def __init__(self) -> None:
        self._models = np.zeros(WORK_BYTES, np.uint8)
        self._first = {tabled: _first_models(tabled=tabled) for tabled in (True, False)}
        self._buffers: dict[str, Bytes] = {}

    def buffer(self, name: str, size: int) -> Bytes:
        """Memory of that many bytes; what was in it before is still there, or is not."""
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < size:
            buffer = self._buffers[name] = np.empty(size + size // 8, np.uint8)
        return buffer[:size]

    def models(self, *, tabled: bool) -> tuple[int, int, int]:
        """Addresses the layer coder asks for: work space, first models, maps."""
        first = self._first[tabled]
        return self._models.ctypes.data, first.ctypes.data, MAPS.ctypes.data


@lru_cache(maxsize=2)
def _first_models(*, tabled: bool) -> Bytes:
    return first_models(tabled=tabled)


class ChunkRecoder:
    """Decodes and encodes the coordinate layers of chunks of one layout, from any thread.

    Parameters
    ----------
    point_format : int
        6 to 10.
    record_length : int
        Bytes of a point record, extra bytes included.
    extra_bytes : int
        Extra bytes of a record; each has a layer of its own.
    """

    def __init__(self, point_format: int, record_length: int, extra_bytes: int) -> None:
        self._record_length = record_length
        self._layer_count = LAYERS[point_format] + extra_bytes
        self._waveform = WAVEFORM.get(point_format)

    def decode(self, chunk: Bytes, work: Workspace | None = None) -> DecodedChunk:
        """Decode the coordinates of a chunk that has passed `check_layers`.

        Parameters
        ----------
        chunk : ndarray, shape (bytes,), uint8
            The chunk; the result refers to it.
        work : Workspace or None
            Holds the points until the next chunk is decoded with it; None makes new memory.
        """
        work = work or Workspace()
        start = self._record_length
        first_layer = start + 4 + 4 * self._layer_count
        count, *sizes = chunk[start:first_layer].view("<u4").tolist()
        ends = accumulate(sizes, initial=first_layer)
        layers = tuple(chunk[a:b] for a, b in pairwise(ends))
        head = chunk[:start].copy()
        if self._waveform is not None:
            layer, first = self._waveform
            layers = layers[:layer] + layers[layer + 1 :]
            head = np.delete(head, np.s_[first : first + WAVEFORM_BYTES])
        points = work.buffer("points", count * POINT_BYTES).view(np.int32).reshape(-1, 4)
        decoded = DecodedChunk(points, head, layers)
        points[0, :3] = head[:12].view("<i4")
        decoded.changes[0] = (int(head[FLAGS_BYTE]) >> 4 & 3) << 7
        decoded.returns[0] = head[RETURNS_BYTE]
        xy, heights = layers[XY_LAYER], layers[Z_LAYER]
        source = work.buffer("source", len(xy) + len(heights) + 2 * PADDING)
        z_at = len(xy) + PADDING
        source[: len(xy)], source[len(xy) : z_at] = xy, 0
        source[z_at:-PADDING], source[-PADDING:] = heights, 0
        at = source.ctypes.data
        unread = decode_layers(
            (at, at + len(xy), at + z_at, at + z_at + len(heights)),
            work.models(tabled=True),
            points.ctypes.data,
            count,
        )
        return replace(decoded, whole=all(map(was_whole, unread)))

    def encode(
        self, chunk: DecodedChunk, work: Workspace | None = None, *, source_id: int | None = None
    ) -> bytes:
        """Build a chunk with the coordinates it has now, and where asked a ``point_source_id``.

        Parameters
        ----------
        chunk : DecodedChunk
            Its points, and what to take everything else from.
        work : Workspace or None
            Memory to use; None makes new memory.
        source_id : int or None
            Set for all points.
        """
        work = work or Workspace()
        layers, head = list(chunk.layers), chunk.head.copy()
        head[:12] = chunk.steps[0].astype("<i4").view(np.uint8)
        if source_id is not None:
            chunk.changes[...] &= 0xFFFF ^ SOURCE_CHANGED
            head[SOURCE_BYTE : SOURCE_BYTE + 2] = np.array([source_id], "<u2").view(np.uint8)
            layers[SOURCE_LAYER] = layers[SOURCE_LAYER][:0]
        room = len(chunk) * LAYER_ROOM + 2 * PADDING
        xy, heights = work.buffer("xy", room), work.buffer("heights", room)
        xy_size, z_size = encode_layers(
            chunk.points.ctypes.data,
            work.models(tabled=False),
            xy.ctypes.data + PADDING,
            heights.ctypes.data + PADDING,
            len(chunk),
        )
        layers[XY_LAYER] = xy[PADDING : PADDING + xy_size]
        layers[Z_LAYER] = heights[PADDING : PADDING + z_size]
        sizes = np.array([len(chunk), *map(len, layers)], "<u4")
        return b"".join(part.data for part in (head, sizes.view(np.uint8), *layers))
