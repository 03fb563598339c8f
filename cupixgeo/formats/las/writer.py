"""Writing LAS 1.4 and LAZ: header, records in order, and statistics that are true.

Knows: the LAS 1.4 header and VLRs (through laspy) and lazrs' parallel compressor. Must not know:
where the points come from. The caller gives a path that may be half-written (see `atomic_output`).
"""

from __future__ import annotations

import datetime as dt
import io
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import laspy
import lazrs
import numpy as np
import numpy.typing as npt
from laspy.vlrs.known import WktCoordinateSystemVlr
from pyproj import CRS

from cupixgeo.errors import OutputError
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

    @classmethod
    def of(cls, points: Sequence[int]) -> ChunkPlan:
        """Plan for chunks of so many points each, one after the other; at least one."""
        uniform = len(set(points[:-1])) <= 1 and points[-1] <= points[0]
        return cls(points[0] if uniform else None)


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


@dataclass(frozen=True)
class WriterState:
    """How far a file is, so that another process can go on with it.

    Parameters
    ----------
    position : int
        Bytes that count; what lies behind is of no use.
    chunks : tuple of (int, int)
        Points and bytes of each compressed chunk.
    returns, low, high : tuple of int
        Points by return number (16); box of the stored integers (3 each).
    rest : bytes
        Records that do not fill a chunk yet.
    created : str
        Day in the header, ISO 8601.
    """

    position: int
    chunks: tuple[tuple[int, int], ...]
    returns: tuple[int, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    rest: bytes
    created: str


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
    state : WriterState or None
        Go on with the file at `path`, made with the same arguments, from there; None begins it.

    Raises
    ------
    OutputError
        The file at `path` is not the one the state is of.
    """

    def __init__(  # noqa: PLR0913  what a header holds, one keyword each
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
        state: WriterState | None = None,
    ) -> None:
        self._layout = layout
        self._header = las_header(layout, crs, scales, offsets, gps_standard_time=gps_standard_time)
        self._created = dt.datetime.now(dt.UTC).date()
        self._returns = np.zeros(16, np.int64)
        self._low = np.full(3, np.iinfo(np.int64).max, np.int64)
        self._high = np.full(3, np.iinfo(np.int64).min, np.int64)
        self._return_mask = 15 if layout.point_format >= 6 else 7
        self.point_count = 0
        self._file = path.open("w+b" if state is None else "r+b", buffering=WRITE_BUFFER)
        self._laszip: lazrs.LazVlr | None = None
        self._chunks: list[tuple[int, int]] = []
        self._chunk_plan = chunks
        self._rest = np.empty(0, np.uint8)
        try:
            head = self._head(compressed=compressed, state=state)
            if state is None:
                self._file.write(head)
            else:
                self._continue(path, head, state)
        except BaseException:
            self._file.close()
            raise

    def _head(self, *, compressed: bool, state: WriterState | None) -> bytes:
        """Everything before the first point; counts and box are filled in at the end."""
        if state is not None:
            self._created = dt.date.fromisoformat(state.created)
        self._header.creation_date = self._created
        if compressed:
            self._laszip = _compression(self._layout, self._chunk_plan)
            self._header.vlrs.append(laszip_record(self._laszip))
            self._header.set_compressed(True)
        head = io.BytesIO()
        self._header.write_to(head)
        return head.getvalue() + (b"" if self._laszip is None else TABLE_UNKNOWN)

    def _continue(self, path: Path, head: bytes, state: WriterState) -> None:
        size = self._file.seek(0, io.SEEK_END)
        self._file.seek(0)
        if size < state.position or self._file.read(len(head)) != head:
            raise OutputError(
                f"{path} is not what was left of this file when it was interrupted. Delete it and "
                "begin again."
            )
        self._file.seek(state.position)
        self._file.truncate()
        self._chunks = list(state.chunks)
        self._returns = np.array(state.returns, np.int64)
        self._low, self._high = np.array(state.low), np.array(state.high)
        self._rest = np.frombuffer(state.rest, np.uint8)
        self.point_count = int(self._returns.sum())

    def written(self) -> Iterator[npt.NDArray[Any]]:
        """Read back the records written so far, some at a time; leaves the file as it was."""
        end = self._file.tell()
        size = self._layout.dtype.itemsize
        at = int(self._header.offset_to_point_data)
        if self._laszip is None:
            for start in range(at, end, CHUNK_POINTS * size):
                self._file.seek(start)
                data = self._file.read(min(CHUNK_POINTS * size, end - start))
                yield np.frombuffer(data, self._layout.dtype)
        else:
            at += len(TABLE_UNKNOWN)
            everything = lazrs.DecompressionSelection(lazrs.SELECTIVE_DECOMPRESS_ALL)
            for points, length in self._chunks:
                self._file.seek(at)
                out = np.empty(points * size, np.uint8)
                lazrs.decompress_points_with_chunk_table(
                    self._file.read(length), self._laszip.record_data(), out,
                    [(points, length)], everything,
                )  # fmt: skip
                yield out.view(self._layout.dtype)
                at += length
            yield self._rest.view(self._layout.dtype)
        self._file.seek(end)

    def state(self) -> WriterState:
        """Say how far the file is; what was written by now is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return WriterState(
            self._file.tell(),
            tuple(self._chunks),
            tuple(self._returns.tolist()),
            tuple(int(value) for value in self._low),
            tuple(int(value) for value in self._high),
            self._rest.tobytes(),
            self._created.isoformat(),
        )

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
        if self._laszip is None:
            self._file.write(data.data)
            return
        data = np.concatenate([self._rest, data])
        step = CHUNK_POINTS * self._layout.dtype.itemsize
        whole = len(data) - len(data) % step
        self._compress_chunks([data[at : at + step] for at in range(0, whole, step)])
        self._rest = data[whole:].copy()

    def write_chunk(self, chunk: LazChunk) -> None:
        """Append a compressed chunk as it is; only with a `ChunkPlan`."""
        self._compress_rest()
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

    def _compress_rest(self) -> None:
        """Make a chunk of the points that do not fill one."""
        rest, self._rest = self._rest, np.empty(0, np.uint8)
        self._compress_chunks([rest] if len(rest) else [])

    def _compress_chunks(self, parts: list[npt.NDArray[np.uint8]]) -> None:
        if not parts:
            return
        stream = io.BytesIO()
        varying = _compression(self._layout, ChunkPlan(None))
        compressor = lazrs.ParLasZipCompressor(stream, varying)
        compressor.compress_chunks(parts)
        compressor.done()
        stream.seek(0)
        self._chunks += lazrs.read_chunk_table(stream, varying)
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
            if self._laszip is not None:
                self._compress_rest()
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


def las_header(
    layout: RecordLayout,
    crs: CRS,
    scales: tuple[float, float, float],
    offsets: tuple[float, float, float],
    *,
    gps_standard_time: bool,
) -> laspy.LasHeader:
    """Make the header every file of this project begins with, and its WKT record."""
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


def laszip_record(vlr: lazrs.LazVlr) -> laspy.VLR:
    """Make the record that says how the points are compressed."""
    return laspy.VLR(
        user_id="laszip encoded",
        record_id=22204,
        description="lazrs",
        record_data=bytes(vlr.record_data()),
    )
