"""Moving the points of a LAZ chunk without touching what else it holds.

In point formats 6 to 10 a chunk is layered: coordinates are two layers of many, and no other layer
depends on them. So these two are decoded, moved and encoded; the others are copied byte for byte.

Knows how a chunk is put together. Must not know what moves the points.

Source: M. Isenburg, LASzip (layered chunks: the first point as it is, the point count, one byte
count a layer, the layers).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from cupixgeo.formats.las.chunks import LAYERS
from cupixgeo.formats.las.layers import (
    CONTEXT_WORDS,
    CORRECTORS,
    LAYER_ROOM,
    SOURCE_CHANGED,
    WORDS,
    decode_layers,
    encode_layers,
    first_models,
)

XY_LAYER, Z_LAYER, SOURCE_LAYER = 0, 1, 7
RETURNS_AT, FLAGS_AT, SOURCE_AT = 14, 15, 20
"""Bytes of a point record of formats 6 to 10 (LAS 1.4 R15, table 15)."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DecodedChunk:
    """A chunk with its coordinates decoded.

    Parameters
    ----------
    xyz : ndarray, shape (3, n), int32
        Stored integers.
    changes : ndarray, shape (n,), uint16
        Change symbol of each point, scanner channel above bit 7.
    returns : ndarray, shape (n,), uint8
        Return number, number of returns above bit 4.
    head : ndarray, shape (record length,), uint8
        The first point's record.
    layers : tuple of ndarray, each of shape (bytes,), uint8
        All layers as they were.
    """

    xyz: npt.NDArray[np.int32]
    changes: npt.NDArray[np.uint16]
    returns: npt.NDArray[np.uint8]
    head: Bytes
    layers: tuple[Bytes, ...]

    def __len__(self) -> int:
        return len(self.returns)


class ChunkRecoder:
    """Decodes and encodes the coordinate layers of chunks of one layout, from any thread.

    Parameters
    ----------
    point_format : int
        6, 7 or 8.
    record_length : int
        Bytes of a point record, extra bytes included.
    extra_bytes : int
        Extra bytes of a record; each has a layer of its own.
    """

    def __init__(self, point_format: int, record_length: int, extra_bytes: int) -> None:
        self._record_length = record_length
        self._layer_count = LAYERS[point_format] + extra_bytes
        self._decoding = first_models(tabled=True)
        self._encoding = first_models(tabled=False)
        self._thread = threading.local()

    def decode(self, chunk: Bytes) -> DecodedChunk:
        """Decode the coordinates of a chunk that has passed `check_layers`."""
        start = self._record_length
        table = chunk[start : start + 4 + 4 * self._layer_count].view("<u4")
        count, sizes = int(table[0]), table[1:].tolist()
        ends = np.cumsum([start + 4 + 4 * self._layer_count, *sizes]).tolist()
        layers = tuple(chunk[a:b] for a, b in pairwise(ends))
        head = chunk[:start].copy()
        begin = np.empty(6, np.int64)
        begin[:3] = head[:12].view("<i4")
        begin[3], begin[4] = head[RETURNS_AT] & 15, head[RETURNS_AT] >> 4
        begin[5] = (head[FLAGS_AT] >> 4) & 3
        decoded = DecodedChunk(
            np.empty((3, count), np.int32),
            np.empty(count, np.uint16),
            np.empty(count, np.uint8),
            head,
            layers,
        )
        xy, heights = layers[XY_LAYER], layers[Z_LAYER]
        decode_layers(
            xy.ctypes.data,
            len(xy),
            heights.ctypes.data,
            len(heights),
            begin,
            (*self._work(), self._decoding, CORRECTORS),
            decoded.xyz,
            decoded.changes,
            decoded.returns,
        )
        return decoded

    def encode(
        self, chunk: DecodedChunk, xyz: npt.NDArray[np.int32], *, source_id: int | None = None
    ) -> bytes:
        """Build a chunk with other coordinates, and where asked another ``point_source_id``.

        Parameters
        ----------
        chunk : DecodedChunk
            What to take everything else from.
        xyz : ndarray, shape (3, n), int32
            Stored integers.
        source_id : int or None
            Set for all points.
        """
        layers = list(chunk.layers)
        head, changes = chunk.head.copy(), chunk.changes
        head[:12] = np.ascontiguousarray(xyz[:, 0]).astype("<i4").view(np.uint8)
        if source_id is not None:
            changes = changes & np.uint16(0xFFFF ^ SOURCE_CHANGED)
            head[SOURCE_AT : SOURCE_AT + 2] = np.array([source_id], "<u2").view(np.uint8)
            layers[SOURCE_LAYER] = layers[SOURCE_LAYER][:0]
        room = len(chunk) * LAYER_ROOM + 64
        xy, heights = np.empty(room, np.uint8), np.empty(room, np.uint8)
        xy_size, z_size = encode_layers(
            xyz,
            changes,
            chunk.returns,
            (*self._work(), self._encoding, CORRECTORS),
            xy.ctypes.data,
            heights.ctypes.data,
        )
        layers[XY_LAYER], layers[Z_LAYER] = xy[:xy_size], heights[:z_size]
        sizes = np.array([len(chunk), *map(len, layers)], "<u4")
        return b"".join(part.data for part in (head, sizes.view(np.uint8), *layers))

    def _work(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Models and contexts of this thread; each chunk begins by setting them."""
        work = getattr(self._thread, "work", None)
        if work is None:
            work = np.zeros((4, WORDS), np.int32), np.zeros((4, CONTEXT_WORDS), np.int64)
            self._thread.work = work
        return work
