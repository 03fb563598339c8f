"""Where the compressed chunks of a LAZ file are, and how to decode a run of them.

Knows the LASzip chunk table and the layered chunks of point formats 6 to 10, so far as to hold
them against the file's size before lazrs allocates anything for them. Must not know the header.

LAZ has no checksums: damage is found where decoding runs past a chunk's end or a layer does not
fit, which is nearly always, but not in every case.

Source: the LASzip specification (LAZ specification 1.4 R1): chunk table, layered compression.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

import lazrs
import numpy as np
import numpy.typing as npt

from cupixgeo.errors import FormatError
from cupixgeo.formats.opening import OpenFile
from cupixgeo.formats.refusals import corrupt

if TYPE_CHECKING:
    from cupixgeo.formats.las.check import LasHeaderFacts

CHUNKED = {2, 3}
"""LASzip compressor types that cut points into chunks; 1 is the unchunked one of before 2011."""

ITEMS_AT = 32
"""Offset [byte] of a point's parts in a LASzip record: their count, then type, size, version."""

LAYERS = {6: 9, 7: 10, 8: 11, 9: 10, 10: 12}
"""Layers of a chunk by point format; each extra byte adds one."""

ENTRY_BYTES = 16
"""More than an entry of the compressed chunk table can take [byte]."""


@dataclass(frozen=True, eq=False)
class ChunkTable:
    """Where each chunk is and how many points it holds.

    Parameters
    ----------
    points, starts, sizes : ndarray, shape (chunks,), int64
        Points in the chunk, its first byte in the file, its length [byte].
    chunk_size : int or None
        Points of every chunk but the last; None where they vary (COPC).
    """

    points: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    chunk_size: int | None

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def first_points(self) -> npt.NDArray[np.int64]:
        """Index of each chunk's first point, and the point count: shape (chunks + 1,), int64."""
        return np.concatenate([[0], np.cumsum(self.points)])


def check_chunks(stream: BinaryIO, facts: LasHeaderFacts, laszip: bytes) -> ChunkTable:
    """Read the chunk table and hold it against header and file size.

    Parameters
    ----------
    stream : binary file
        The LAZ file.
    facts : LasHeaderFacts
        Its header.
    laszip : bytes
        Data of its LASzip record.

    Raises
    ------
    FormatError
        It is compressed in a way lazrs does not read.
    CorruptFileError
        Points are missing, or the table contradicts the header.
    """
    vlr = _laszip_vlr(facts, laszip)
    chunk_size = None if vlr.uses_variable_size_chunks() else int(vlr.chunk_size())
    if facts.point_count == 0:
        empty = np.empty(0, np.int64)
        return ChunkTable(empty, empty, empty, chunk_size)
    if chunk_size == 0:
        raise corrupt(facts.path, "its LASzip record says that a chunk holds no points")
    position = _table_position(stream, facts)
    entries = _entries(stream, facts, vlr, position, chunk_size)
    points, sizes = np.array(entries, np.uint64).T
    if chunk_size is not None:
        points = np.full(len(sizes), chunk_size, np.uint64)
        points[-1] = facts.point_count - chunk_size * (len(sizes) - 1)
    first = facts.offset_to_points + 8
    room = position - first
    if (sizes == 0).any() or (sizes > room).any() or int(sizes.sum()) > room:
        raise corrupt(facts.path, "its chunk table describes more bytes than the file holds")
    if (points > facts.point_count).any() or int(points.sum()) != facts.point_count:
        raise corrupt(
            facts.path,
            f"the header announces {facts.point_count:,} points, its compressed chunks hold "
            f"{int(points.sum()):,}",
        )
    sizes = sizes.astype(np.int64)
    starts = first + np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return ChunkTable(points.astype(np.int64), starts, sizes, chunk_size)


def decode_chunks(
    file: OpenFile,
    facts: LasHeaderFacts,
    chunks: range,
    selection: Any,
) -> npt.NDArray[np.uint8]:
    """Decompress consecutive chunks, on all cores; for any thread, as `OpenFile.spans` is.

    Parameters
    ----------
    file : OpenFile
        The LAZ file.
    facts : LasHeaderFacts
        Its header, with the chunk table.
    chunks : range
        Indices of the chunks, step 1, not empty.
    selection : lazrs.DecompressionSelection
        Fields to decode; the values of others mean nothing (point formats 6 to 10).

    Returns
    -------
    ndarray, shape (bytes,), uint8
        Point records, one behind the other.

    Raises
    ------
    CorruptFileError
        The compressed data makes no sense; the message names the points concerned.
    """
    table = facts.chunks
    assert table is not None
    entries = [(int(table.points[chunk]), int(table.sizes[chunk])) for chunk in chunks]
    parts = file.spans([(int(table.starts[chunk]), int(table.sizes[chunk])) for chunk in chunks])
    for chunk, part in zip(chunks, parts, strict=True):
        check_layers(facts, table, chunk, part)
    out = np.zeros(int(table.points[chunks.start : chunks.stop].sum()) * facts.record_length, "u1")
    try:
        lazrs.decompress_points_with_chunk_table(
            b"".join(parts), facts.laszip, out, entries, selection
        )
    except lazrs.LazrsError as error:
        raise damaged(facts, chunks, error) from error
    return out


def item_versions(laszip: bytes) -> set[int]:
    """Versions of the compression of a point's parts, by the data of a LASzip record."""
    (count,) = struct.unpack_from("<H", laszip, ITEMS_AT)
    versions = struct.unpack_from(f"<{3 * count}H", laszip, ITEMS_AT + 2)[2::3]
    return set(versions)


def damaged(facts: LasHeaderFacts, chunks: range, error: object) -> Exception:
    """Make the error for compressed points that cannot be decoded."""
    assert facts.chunks is not None
    first, last = (int(facts.chunks.first_points[chunk]) for chunk in (chunks.start, chunks.stop))
    return corrupt(
        facts.path,
        f"the compressed points {first:,} to {last - 1:,} are damaged ({error})",
    )


def _laszip_vlr(facts: LasHeaderFacts, laszip: bytes) -> lazrs.LazVlr:
    if len(laszip) < 34:
        raise corrupt(facts.path, f"its LASzip record has {len(laszip)} bytes, too few to be one")
    (compressor,) = struct.unpack_from("<H", laszip)
    if compressor in (0, 1):
        raise FormatError(
            f"{facts.path} is compressed without chunks (LASzip compressor {compressor}), which "
            "this toolkit does not read. Compress it again with a LASzip of 2011 or later."
        )
    try:
        vlr = lazrs.LazVlr(laszip)
    except lazrs.LazrsError as error:
        raise corrupt(facts.path, f"its LASzip record is not understood ({error})") from error
    if vlr.item_size() != facts.record_length:
        raise corrupt(
            facts.path,
            f"its LASzip record describes points of {vlr.item_size()} bytes, its header of "
            f"{facts.record_length}",
        )
    return vlr


def _table_position(stream: BinaryIO, facts: LasHeaderFacts) -> int:
    """Find the chunk table: its place is in front of the points, or -1 and at the file's end."""
    size, first = facts.size_bytes, facts.offset_to_points + 8
    if first > size:
        raise corrupt(facts.path, "the file ends before its first point")
    stream.seek(facts.offset_to_points)
    (position,) = struct.unpack("<q", stream.read(8))
    if position == -1:
        stream.seek(size - 8)
        (position,) = struct.unpack("<q", stream.read(8))
    if position + 8 > size:
        raise corrupt(
            facts.path,
            f"the file is cut off: its chunk table should be at byte {position:,}, the file has "
            f"{size:,}",
        )
    if position < first:
        raise corrupt(
            facts.path,
            f"its chunk table should be at byte {position:,}, before the points; the program "
            "that wrote it probably did not finish",
        )
    return int(position)


def _entries(
    stream: BinaryIO,
    facts: LasHeaderFacts,
    vlr: lazrs.LazVlr,
    position: int,
    chunk_size: int | None,
) -> list[tuple[int, int]]:
    stream.seek(position)
    version, count = struct.unpack("<II", stream.read(8))
    room = position - facts.offset_to_points - 8
    if version != 0 or count == 0 or count > room // facts.record_length:
        raise corrupt(
            facts.path,
            f"its chunk table announces {count:,} chunks in {room:,} bytes of points",
        )
    if chunk_size is not None and count != -(-facts.point_count // chunk_size):
        raise corrupt(
            facts.path,
            f"{facts.point_count:,} points in chunks of {chunk_size:,} do not make the "
            f"{count:,} chunks its chunk table lists",
        )
    records = [record.start for record in facts.records if record.start > position]
    most = min([8 + ENTRY_BYTES * (count + 4), *(start - position for start in records)])
    stream.seek(position)
    data = stream.read(most)
    try:
        entries: list[tuple[int, int]] = lazrs.read_chunk_table_only(io.BytesIO(data), vlr)
    except lazrs.LazrsError as error:
        raise corrupt(
            facts.path, f"the file is cut off or damaged inside its chunk table ({error})"
        ) from error
    return entries


def check_layers(
    facts: LasHeaderFacts, table: ChunkTable, chunk: int, data: bytes | memoryview
) -> None:
    """Hold what a layered chunk says of itself against its length: memory is taken by it.

    Raises
    ------
    CorruptFileError
        Layers reach beyond the chunk, or the point count is not that of the chunk table.
    """
    if facts.point_format < 6:
        if len(data) < facts.record_length:
            raise damaged(facts, range(chunk, chunk + 1), "the chunk is too short")
        return
    layers = LAYERS[facts.point_format] + facts.extra_bytes
    start = facts.record_length
    needed = start + 4 + 4 * layers
    if needed > len(data):
        raise damaged(facts, range(chunk, chunk + 1), "the chunk is too short")
    count, *sizes = np.frombuffer(data, "<u4", layers + 1, start).tolist()
    if needed + sum(sizes) > len(data):
        raise damaged(facts, range(chunk, chunk + 1), "its layers are longer than the chunk")
    if count != table.points[chunk]:
        raise damaged(facts, range(chunk, chunk + 1), f"the chunk says it holds {count:,} points")
