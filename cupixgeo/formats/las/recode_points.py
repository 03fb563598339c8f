"""Moving the points of a LAZ chunk of point formats 0 to 3.

All attributes of a point are one stream of symbols in these formats. Coordinates are decoded, moved
and encoded; the symbols of everything else are written again as they were.

Knows how a chunk is put together. Must not know what moves the points.

Source: M. Isenburg, LASzip (chunks of points: the first as it is, then the symbols).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cupixgeo.formats.las.entropy import PADDING
from cupixgeo.formats.las.pointmodels import (
    MAPS,
    POINT_BYTES,
    RETURN_AT,
    first_models,
    log_room,
    point_room,
    work_bytes,
)
from cupixgeo.formats.las.pointwise import decode_points, encode_points
from cupixgeo.formats.las.recode import Bytes, Workspace, was_whole

FLAGS_BYTE, SOURCE_BYTE = 14, 18
"""Bytes of a point record of formats 0 to 3 (LAS 1.2, table 4.5)."""

WITH_TIME, WITH_COLOUR = frozenset({1, 3}), frozenset({2, 3})

AHEAD_BYTES = 4 * PADDING
"""Zeros behind a chunk: what one point of a damaged one may take more than there is; besides, two
an extra byte."""


@dataclass(frozen=True, eq=False)
class DecodedPoints:
    """A chunk with its coordinates decoded.

    Parameters
    ----------
    points : ndarray, shape (n, 4), int32
        Stored integers of X, Y and Z; then, packed, the return number.
    head : ndarray, shape (record length,), uint8
        The first point's record.
    log : ndarray, shape (bytes,), uint8
        All other symbols, in their order.
    whole : bool
        Whether the chunk has just the bytes the points took; where not, it is damaged, and the
        points are not what was measured.
    """

    points: npt.NDArray[np.int32]
    head: Bytes
    log: Bytes
    whole: bool = True

    def __len__(self) -> int:
        return len(self.points)

    @property
    def steps(self) -> npt.NDArray[np.int32]:
        """Stored integers, shape (n, 3), int32; change them here to move the points."""
        return self.points[:, :3]

    @property
    def returns(self) -> Bytes:
        """Return number of each point, shape (n,), uint8."""
        return self.points.view(np.uint8)[:, RETURN_AT]


class PointRecoder:
    """Decodes and encodes chunks of points of one layout, from any thread.

    Parameters
    ----------
    point_format : int
        0 to 3.
    record_length : int
        Bytes of a point record, extra bytes included.
    extra_bytes : int
        Extra bytes of a record.
    """

    def __init__(self, point_format: int, record_length: int, extra_bytes: int) -> None:
        self._record_length = record_length
        self._extra_bytes = extra_bytes
        self._kind = point_format in WITH_TIME, point_format in WITH_COLOUR, extra_bytes
        self._first = {tabled: _first_models(tabled=tabled) for tabled in (True, False)}

    def decode(self, chunk: Bytes, count: int, work: Workspace | None = None) -> DecodedPoints:
        """Decode a chunk.

        Parameters
        ----------
        chunk : ndarray, shape (bytes,), uint8
            The chunk, longer than a record.
        count : int
            Points in it.
        work : Workspace or None
            Holds the points until the next chunk is decoded with it; None makes new memory.
        """
        work = work or Workspace()
        points = work.buffer("points", count * POINT_BYTES).view(np.int32).reshape(-1, 4)
        log = work.buffer("log", count * log_room(self._extra_bytes))
        decoded = DecodedPoints(points, chunk[: self._record_length].copy(), log)
        points[0, :3] = decoded.head[:12].view("<i4")
        decoded.returns[0] = decoded.head[FLAGS_BYTE] & 7
        size = len(chunk) - self._record_length
        source = work.buffer("source", size + AHEAD_BYTES + 2 * self._extra_bytes)
        source[:size], source[size:] = chunk[self._record_length :], 0
        unread = decode_points(
            source.ctypes.data,
            source.ctypes.data + size,
            decoded.head.ctypes.data,
            self._kind,
            self._space(work, tabled=True),
            points.ctypes.data,
            log.ctypes.data,
            count,
        )
        return replace(decoded, whole=was_whole(unread))

    def encode(
        self, chunk: DecodedPoints, work: Workspace | None = None, *, source_id: int | None = None
    ) -> bytes:
        """Build a chunk with the coordinates it has now, and where asked a ``point_source_id``.

        Parameters
        ----------
        chunk : DecodedPoints
            Its points, and the symbols of everything else.
        work : Workspace or None
            Memory to use; None makes new memory.
        source_id : int or None
            Set for all points.
        """
        work = work or Workspace()
        head = chunk.head.copy()
        head[:12] = chunk.steps[0].astype("<i4").view(np.uint8)
        if source_id is not None:
            head[SOURCE_BYTE : SOURCE_BYTE + 2] = np.array([source_id], "<u2").view(np.uint8)
        out = work.buffer("xy", len(chunk) * point_room(self._extra_bytes) + 2 * PADDING)
        size = encode_points(
            chunk.points.ctypes.data,
            chunk.head.ctypes.data,
            self._kind,
            0 if source_id is None else 1,
            self._space(work, tabled=False),
            chunk.log.ctypes.data,
            out.ctypes.data + PADDING,
            len(chunk),
        )
        return b"".join((head.data, out[PADDING : PADDING + size].data))

    def _space(self, work: Workspace, *, tabled: bool) -> tuple[int, int, int]:
        """Addresses the coder asks for: work space, first models, maps."""
        space = work.buffer("pointwise", work_bytes(self._extra_bytes))
        return space.ctypes.data, self._first[tabled].ctypes.data, MAPS.ctypes.data


@lru_cache(maxsize=2)
def _first_models(*, tabled: bool) -> Bytes:
    return first_models(tabled=tabled)
