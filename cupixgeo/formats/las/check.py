"""A LAS header, held against the size of its file before anything is allocated for it.

Knows the public header block, the VLR and EVLR headers and the LAZ chunk table at byte level.
Must not know what the records mean, and must not call laspy: laspy 2.7 loops for minutes on a VLR
count of 2^32 - 1 and accepts cut records, scale 0 and NaN.

Source: ASPRS LAS 1.4 R15, sections 2.4 to 2.7; LAS 1.0 for the point data start signature.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from cupixgeo.errors import FormatError
from cupixgeo.formats.las.chunks import ChunkTable, check_chunks
from cupixgeo.formats.opening import OpenFile, open_file
from cupixgeo.formats.refusals import corrupt, unreadable
from cupixgeo.formats.sniff import describe_content

SIGNATURE = b"LASF"
RECORD_BYTES = (20, 28, 26, 34, 57, 63, 30, 36, 38, 59, 67)
"""Bytes of a point record of formats 0 to 10, without extra bytes."""

HEADER_BYTES = {0: 227, 1: 227, 2: 227, 3: 235, 4: 375, 5: 393}
"""Least header size by minor version [byte]."""

MAX_RECORDS = 65_536
"""VLRs and EVLRs a file may hold; real files have fewer than a hundred."""

VLR_HEADER = struct.Struct("<2x16sHH32s")
EVLR_HEADER = struct.Struct("<2x16sHQ32s")
_HEADER = struct.Struct("<4s2xH16s2B32s32s3H2IBH6I12d")
_HEADER_14 = struct.Struct("<QIQ15Q")

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class LasRecord:
    """Where one variable length record of a file is.

    Parameters
    ----------
    user_id, record_id, description : str, int, str
        As in the record's header.
    start, length : int
        Of its data [byte].
    extended : bool
        Whether it is an EVLR, behind the points.
    """

    user_id: str
    record_id: int
    description: str
    start: int
    length: int
    extended: bool

    @property
    def place(self) -> str:
        """``"VLR"`` or ``"EVLR"``."""
        return "EVLR" if self.extended else "VLR"


@dataclass(frozen=True)
class LasHeaderFacts:
    """The header of a LAS or LAZ file that holds together.

    Parameters
    ----------
    path : Path
        The file.
    size_bytes : int
        Of the file [byte].
    version : str
        ``"1.0"`` to ``"1.5"``.
    global_encoding : int
        Bit field; see `wkt_bit` and `gps_standard_time`.
    system_identifier, generating_software : str
        As written, without the padding.
    created : datetime.date or None
        File creation date; None where it is not a date.
    point_format, record_length : int
        Point record format 0 to 10, and bytes of a record with its extra bytes.
    is_compressed : bool
        LAZ.
    offset_to_points, point_count : int
        First byte of the points, and how many there are.
    points_by_return : tuple of int
        5 or (LAS 1.4) 15 counts.
    scales, offsets, mins, maxs : tuple of 3 float
        [CRS units]. The box may be wrong: it is what the header says.
    records : tuple of LasRecord
        VLRs, then EVLRs, in file order.
    laszip : bytes
        Data of the LASzip record; empty where not compressed.
    chunks : ChunkTable or None
        Where each compressed chunk is; None where not compressed.
    """

    path: Path
    size_bytes: int
    version: str
    global_encoding: int
    system_identifier: str
    generating_software: str
    created: dt.date | None
    point_format: int
    record_length: int
    is_compressed: bool
    offset_to_points: int
    point_count: int
    points_by_return: tuple[int, ...]
    scales: Triple
    offsets: Triple
    mins: Triple
    maxs: Triple
    records: tuple[LasRecord, ...] = ()
    laszip: bytes = b""
    chunks: ChunkTable | None = field(default=None, repr=False)

    @property
    def wkt_bit(self) -> bool:
        """Whether the header promises a WKT record (global encoding bit 4)."""
        return bool(self.global_encoding & 16)

    @property
    def gps_standard_time(self) -> bool:
        """Whether GPS time is adjusted standard time, not seconds of the week (bit 0)."""
        return bool(self.global_encoding & 1)

    @property
    def extra_bytes(self) -> int:
        """Bytes a record has beyond its format's own [byte]."""
        return self.record_length - RECORD_BYTES[self.point_format]

    def find(self, user_id: str, record_id: int) -> Iterator[LasRecord]:
        """Yield the records of that kind, VLRs first."""
        for record in self.records:
            if record.user_id == user_id and record.record_id == record_id:
                yield record


def check_las(path: str | os.PathLike[str]) -> LasHeaderFacts:
    """Read the header of a LAS or LAZ file and hold it against the file's size.

    Parameters
    ----------
    path : path
        A LAS 1.0 to 1.5 file, compressed or not.

    Returns
    -------
    LasHeaderFacts
        What a reader needs to know, so that nobody has to parse it twice.

    Raises
    ------
    CloudError
        The file is missing or may not be read.
    FormatError
        It is not a LAS file, or of a version or point format this toolkit does not read.
    CorruptFileError
        The header contradicts itself or the file's size.

    References
    ----------
    ASPRS LAS 1.4 R15, sections 2.4 to 2.7.
    """
    file = open_file(path)
    try:
        return check_open_las(file)
    finally:
        file.close()


def check_open_las(file: OpenFile) -> LasHeaderFacts:
    """Read the header of an open LAS or LAZ file; see `check_las`."""
    stream = file.stream
    try:
        facts = _header(file)
        facts = replace(facts, records=(*_vlrs(stream, facts), *_evlrs(stream, facts)))
        if facts.is_compressed:
            return _compressed(stream, facts)
        return _uncompressed(stream, facts)
    except OSError as error:
        raise unreadable(file.path, error) from error


def record_data(stream: BinaryIO, record: LasRecord) -> bytes:
    """Read the data of one record."""
    stream.seek(record.start)
    return stream.read(record.length)


def _header(file: OpenFile) -> LasHeaderFacts:
    path, size = file.path, file.size_bytes
    file.stream.seek(0)
    head = file.stream.read(HEADER_BYTES[5])
    if not head.startswith(SIGNATURE):
        raise FormatError(
            f"{path} is not a LAS or LAZ file but {describe_content(head)}, whatever its name "
            "says. Check that the right file was given and that it was downloaded whole."
        )
    if len(head) < _HEADER.size:
        raise corrupt(path, f"the file ends inside its header, after {size:,} bytes")
    values = _HEADER.unpack_from(head)
    major, minor = values[3:5]
    if major != 1 or minor not in HEADER_BYTES:
        raise FormatError(
            f"{path} says it is LAS {major}.{minor}; this toolkit reads LAS 1.0 to 1.5. "
            "Convert it to LAS 1.4 first."
        )
    header_size, offset_to_points, format_byte, record_length = (*values[9:11], *values[12:14])
    if header_size < HEADER_BYTES[minor] or len(head) < HEADER_BYTES[minor]:
        raise corrupt(
            path,
            f"a LAS 1.{minor} header has {HEADER_BYTES[minor]} bytes, this one says "
            f"{header_size} in a file of {size:,}",
        )
    point_format = format_byte & 0x3F
    _check_layout(path, size, header_size, offset_to_points, point_format, record_length)
    count, by_return = values[14], values[15:20]
    if minor >= 4:
        count, by_return = _counts_14(head, count, by_return)
    box = values[26:32]
    facts = LasHeaderFacts(
        path=path,
        size_bytes=size,
        version=f"1.{minor}",
        global_encoding=values[1],
        system_identifier=_text(values[5]),
        generating_software=_text(values[6]),
        created=_date(values[8], values[7]),
        point_format=point_format,
        record_length=record_length,
        is_compressed=format_byte >= 0x40,
        offset_to_points=offset_to_points,
        point_count=count,
        points_by_return=by_return,
        scales=values[20:23],
        offsets=values[23:26],
        maxs=box[0::2],
        mins=box[1::2],
    )
    _check_grid(facts)
    return facts


def _check_layout(
    path: Path,
    size: int,
    header_size: int,
    offset_to_points: int,
    point_format: int,
    record_length: int,
) -> None:
    if point_format >= len(RECORD_BYTES):
        raise FormatError(
            f"{path} has point format {point_format}; LAS defines 0 to 10. "
            "Check that the file was downloaded whole."
        )
    if record_length < RECORD_BYTES[point_format]:
        raise corrupt(
            path,
            f"a point of format {point_format} takes {RECORD_BYTES[point_format]} bytes, the "
            f"header says {record_length}",
        )
    if offset_to_points > size:
        raise corrupt(
            path,
            f"its points should start at byte {offset_to_points:,}, but the file has only "
            f"{size:,} bytes",
        )
    if offset_to_points < header_size:
        raise corrupt(
            path,
            f"its points should start at byte {offset_to_points:,}, inside the header of "
            f"{header_size:,} bytes",
        )


def _check_grid(facts: LasHeaderFacts) -> None:
    for axis, scale, offset in zip("xyz", facts.scales, facts.offsets, strict=True):
        if not math.isfinite(scale * 2.0**31) or scale == 0:
            raise corrupt(
                facts.path,
                f"the scale of {axis} is {scale:g}, so its coordinates cannot be computed",
                "Ask the producer of the file for its true scale.",
            )
        if not math.isfinite(abs(offset) + abs(scale) * 2.0**31):
            raise corrupt(
                facts.path,
                f"the offset of {axis} is {offset:g}, so its coordinates cannot be computed",
                "Ask the producer of the file for its true offset.",
            )


def _counts_14(
    head: bytes, legacy: int, legacy_by_return: tuple[int, ...]
) -> tuple[int, tuple[int, ...]]:
    """Take the 64-bit counts of LAS 1.4, or the old ones where a writer left those at zero."""
    _, _, count, *by_return = _HEADER_14.unpack_from(head, HEADER_BYTES[3])
    if count == 0 and legacy > 0:
        return legacy, legacy_by_return
    return count, tuple(by_return)


def _vlrs(stream: BinaryIO, facts: LasHeaderFacts) -> list[LasRecord]:
    stream.seek(94)
    (header_size, _, count) = struct.unpack("<HII", stream.read(10))
    return _walk(stream, facts, header_size, count, facts.offset_to_points, VLR_HEADER)


def _evlrs(stream: BinaryIO, facts: LasHeaderFacts) -> list[LasRecord]:
    if facts.version < "1.4":
        return []
    stream.seek(HEADER_BYTES[3])
    start, count = struct.unpack("<QI", stream.read(12))
    if count and start < facts.offset_to_points:
        raise corrupt(
            facts.path,
            f"its extended records (EVLRs) should start at byte {start:,}, before the points",
        )
    return _walk(stream, facts, start, count, facts.size_bytes, EVLR_HEADER)


def _walk(
    stream: BinaryIO,
    facts: LasHeaderFacts,
    start: int,
    count: int,
    end: int,
    layout: struct.Struct,
) -> list[LasRecord]:
    """Follow `count` records from byte `start`, none of which may pass byte `end`."""
    extended = layout is EVLR_HEADER
    kind = "EVLR" if extended else "VLR"
    if count > MAX_RECORDS or count * layout.size > max(0, end - start):
        raise corrupt(
            facts.path,
            f"the header announces {count:,} {kind}s, but there is room for "
            f"{max(0, end - start) // layout.size:,}",
        )
    records = []
    for number in range(1, count + 1):
        stream.seek(start)
        if start + layout.size > end:
            raise corrupt(
                facts.path, f"{kind} {number} of {count} starts past its end, byte {end:,}"
            )
        user_id, record_id, length, text = layout.unpack(stream.read(layout.size))
        start += layout.size
        if length > end - start:
            raise corrupt(
                facts.path,
                f"{kind} {number} of {count} claims {length:,} bytes, {end - start:,} are left",
            )
        records.append(LasRecord(_text(user_id), record_id, _text(text), start, length, extended))
        start += length
    return records


def _uncompressed(stream: BinaryIO, facts: LasHeaderFacts) -> LasHeaderFacts:
    needed = facts.point_count * facts.record_length
    room = facts.size_bytes - facts.offset_to_points
    if facts.version == "1.0" and room == needed + 2:
        # LAS 1.0 puts the signature DD CC before the points; some writers do not count it.
        stream.seek(facts.offset_to_points)
        if stream.read(2) == b"\xdd\xcc":
            return replace(facts, offset_to_points=facts.offset_to_points + 2)
    if needed > room:
        raise corrupt(
            facts.path,
            f"the header announces {facts.point_count:,} points, the file holds "
            f"{room // facts.record_length:,}",
        )
    return facts


def _compressed(stream: BinaryIO, facts: LasHeaderFacts) -> LasHeaderFacts:
    record = next(facts.find("laszip encoded", 22204), None)
    if record is None:
        raise corrupt(
            facts.path, "its points are marked as compressed, but it has no LASzip record"
        )
    laszip = record_data(stream, record)
    return replace(facts, laszip=laszip, chunks=check_chunks(stream, facts, laszip))


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("latin-1").strip()


def _date(year: int, day: int) -> dt.date | None:
    if not (1 <= year <= 9999 and 1 <= day <= 366):
        return None
    try:
        return dt.date(year, 1, 1) + dt.timedelta(days=day - 1)
    except OverflowError:
        return None
