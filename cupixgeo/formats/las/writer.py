"""Writing LAS 1.4 and LAZ: header, records in order, and statistics that are true.

Knows: the LAS 1.4 header and VLRs (through laspy) and lazrs' parallel compressor. Must not know:
where the points come from. The caller gives a path that may be half-written (see `atomic_output`).
"""

from __future__ import annotations

import datetime as dt
import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import laspy
import lazrs
import numpy as np
import numpy.typing as npt
from laspy.vlrs.known import WktCoordinateSystemVlr
from pyproj import CRS

from cupixgeo.formats.las.records import RecordLayout
from cupixgeo.formats.las.wkt import las_wkt

GENERATING_SOFTWARE = "cupixgeo"
WRITE_BUFFER = 1 << 20
CHUNK_POINTS = 50_000
"""Points of a chunk: what LASzip has always used."""

CHUNK_SIZE_AT = 12
"""Offset [byte] of the chunk size in a LASzip record."""

TABLE_UNKNOWN = struct.pack("<q", -1)
"""In place of the chunk table's position until it is known."""

LEGACY_COUNTS_AT = 107
"""Offset [byte] of the 32-bit point count, followed by five counts by return."""


@dataclass(frozen=True)
class ChunkPlan:
    """How the points of a LAZ file are cut into chunks.

    Parameters
    ----------
    points : int or None
        Points of every chunk but the last; None where chunks hold different numbers. lazrs 0.8
        reads such files in order, but seeks to wrong points in them: one number where possible.
    """

    points: int | None


@dataclass(frozen=True, eq=False)
class LazChunk:
    """A compressed chunk and what the header must know of it.

    Parameters
    ----------
    data : bytes
        The chunk.
    low, high : ndarray, shape (3,), int32
        Box of its stored integers.
    returns : ndarray, shape (16,), int64
        Points by return number.
    """

    data: bytes
    low: npt.NDArray[np.int32]
    high: npt.NDArray[np.int32]
    returns: npt.NDArray[np.int64]


class LasWriter:
    """A LAS 1.4 file being written, one block of records after the other.

    Parameters
    ----------
    path : Path
        File to create; overwritten.
    layout : RecordLayout
        Point format and extra bytes.
    crs : pyproj.CRS
        Stored as a WKT record.
    scales, offsets : tuple of 3 float
        Stored-integer grid, CRS units.
    compressed : bool
        LAZ or LAS.
    chunks : ChunkPlan or None
        How points are cut when finished chunks are handed in with `write_chunk`; LAZ only.
    gps_standard_time : bool
        GPS time is adjusted standard time rather than GPS week seconds.
    """

    def __init__(
        self,
        path: Path,
        layout: RecordLayout,
        *,
        crs: CRS,
        scales: tuple[float, float, float],
        offsets: tuple[float, float, float],
        compressed: bool,
        chunks: ChunkPlan | None = None,
        gps_standard_time: bool = True,
    ) -> None:
        self._layout = layout
        self._header = _header(layout, crs, scales, offsets, gps_standard_time=gps_standard_time)
        self._returns = np.zeros(16, np.int64)
        self._low = np.full(3, np.iinfo(np.int64).max, np.int64)
        self._high = np.full(3, np.iinfo(np.int64).min, np.int64)
        self._return_mask = 15 if layout.point_format >= 6 else 7
        self.point_count = 0
        self._file = path.open("w+b", buffering=WRITE_BUFFER)
        self._compressor: lazrs.ParLasZipCompressor | None = None
        self._laszip: lazrs.LazVlr | None = None
        self._chunks: list[tuple[int, int]] = []
        self._chunk_plan = chunks
        try:
            self._start(compressed=compressed)
        except BaseException:
            self._file.close()
            raise

    def _start(self, *, compressed: bool) -> None:
        if compressed:
            self._laszip = _compression(self._layout, self._chunk_plan)
            self._header.vlrs.append(_laszip_vlr(self._laszip))
            self._header.set_compressed(True)
        self._header.write_to(self._file)
        if self._laszip is None:
            return
        if self._chunk_plan is not None:
            self._file.write(TABLE_UNKNOWN)
        else:
            self._compressor = lazrs.ParLasZipCompressor(self._file, self._laszip)
            self._compressor.reserve_offset_to_chunk_table()

    @property
    def bounds(self) -> npt.NDArray[np.float64]:
        """Box of the points written so far: shape (2, 3), float64 [CRS units]."""
        scales, offsets = np.array(self._header.scales), np.array(self._header.offsets)
        box: npt.NDArray[np.float64] = np.stack([self._low, self._high]) * scales + offsets
        return box

    def write(self, records: npt.NDArray[Any]) -> None:
        """Append records, shape (n,), of the layout's dtype, X, Y and Z filled."""
        if not len(records):
            return
        low = [int(records[name].min()) for name in "XYZ"]
        high = [int(records[name].max()) for name in "XYZ"]
        returns = np.bitwise_and(records["bit_fields"], self._return_mask)
        self._count(low, high, np.bincount(returns, minlength=16))
        data = np.ascontiguousarray(records).view(np.uint8)
        if self._compressor is not None:
            self._compressor.compress_many(data)
        elif self._laszip is not None:
            self._compress_chunks(data)
        else:
            self._file.write(data.data)

    def write_chunk(self, chunk: LazChunk) -> None:
        """Append a compressed chunk as it is; only with a `ChunkPlan`."""
        self._count(chunk.low, chunk.high, chunk.returns)
        self._chunks.append((int(chunk.returns.sum()), len(chunk.data)))
        self._file.write(chunk.data)

    def _count(
        self,
        low: Sequence[int] | npt.NDArray[np.int32],
        high: Sequence[int] | npt.NDArray[np.int32],
        returns: npt.NDArray[np.int64],
    ) -> None:
        self._low = np.minimum(self._low, low)
        self._high = np.maximum(self._high, high)
        self._returns += returns
        self.point_count += int(returns.sum())

    def _compress_chunks(self, data: npt.NDArray[np.uint8]) -> None:
        step = CHUNK_POINTS * self._layout.dtype.itemsize
        parts = [data[start : start + step] for start in range(0, len(data), step)]
        stream = io.BytesIO()
        compressor = lazrs.ParLasZipCompressor(stream, self._laszip)
        compressor.compress_chunks(parts)
        compressor.done()
        stream.seek(0)
        self._chunks += lazrs.read_chunk_table(stream, self._laszip)
        (table_at,) = struct.unpack_from("<q", stream.getbuffer())
        self._file.write(stream.getbuffer()[len(TABLE_UNKNOWN) : table_at])

    def _write_chunk_table(self) -> None:
        table_at = self._file.tell()
        lazrs.write_chunk_table(self._file, self._chunks, self._laszip)
        self._file.seek(self._header.offset_to_point_data)
        self._file.write(struct.pack("<q", table_at))

    def close(self) -> None:
        """Finish the file: the chunk table, then the header with its true statistics."""
        if self._file.closed:
            return
        try:
            if self._compressor is not None:
                self._compressor.done()
            elif self._laszip is not None:
                self._write_chunk_table()
            header = self._header
            header.point_count = self.point_count
            header.number_of_points_by_return = self._returns[1:].astype(np.uint64)
            if self.point_count:
                header.mins, header.maxs = self.bounds
            self._file.seek(0)
            header.write_to(self._file, ensure_same_size=True)
            self._write_legacy_counts()
        finally:
            self._file.close()

    def _write_legacy_counts(self) -> None:
        """Fill the 32-bit counts that older readers look at (LAS 1.4 R15, section 2.4)."""
        if self._layout.point_format >= 6 or self.point_count > np.iinfo(np.uint32).max:
            return
        self._file.seek(LEGACY_COUNTS_AT)
        self._file.write(struct.pack("<6I", self.point_count, *self._returns[1:6].tolist()))

    def abort(self) -> None:
        """Close without finishing; the file is not valid and is the caller's to remove."""
        self._file.close()

    def __enter__(self) -> LasWriter:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def _header(
    layout: RecordLayout,
    crs: CRS,
    scales: tuple[float, float, float],
    offsets: tuple[float, float, float],
    *,
    gps_standard_time: bool,
) -> laspy.LasHeader:
    header = laspy.LasHeader(version="1.4", point_format=layout.format)
    header.scales = np.array(scales)
    header.offsets = np.array(offsets)
    header.generating_software = GENERATING_SOFTWARE
    header.system_identifier = "MERGE"
    header.creation_date = dt.datetime.now(dt.UTC).date()
    header.global_encoding.wkt = True
    if gps_standard_time:
        header.global_encoding.gps_time_type = laspy.header.GpsTimeType.STANDARD
    header.vlrs.append(WktCoordinateSystemVlr(las_wkt(crs)))
    return header


def _compression(layout: RecordLayout, chunks: ChunkPlan | None) -> lazrs.LazVlr:
    varying = chunks is not None and chunks.points is None
    vlr = lazrs.LazVlr.new_for_compression(
        layout.point_format, layout.format.num_extra_bytes, varying
    )
    if chunks is None or chunks.points is None:
        return vlr
    data = bytearray(vlr.record_data())
    struct.pack_into("<I", data, CHUNK_SIZE_AT, chunks.points)
    return lazrs.LazVlr(bytes(data))


def _laszip_vlr(vlr: lazrs.LazVlr) -> laspy.VLR:
    return laspy.VLR(
        user_id="laszip encoded",
        record_id=22204,
        description="lazrs",
        record_data=bytes(vlr.record_data()),
    )
