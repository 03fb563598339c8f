"""Reading LAS and LAZ: checked first, then decoded block by block.

Knows how points are laid out in the file, plain or in compressed chunks. Must not know what the
points are for. Every point of the file is handed out, in file order, in the file's own record
layout; nothing is converted here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import laspy
import lazrs
import numpy as np
import numpy.typing as npt
from laspy.point.dims import get_sub_fields_dict

from cupixgeo.cloud.schema import BLOCK_POINTS, CloudInfo, FloatArray
from cupixgeo.formats.extent import box_of_points
from cupixgeo.formats.las.check import LasHeaderFacts, check_open_las, record_data
from cupixgeo.formats.las.chunks import damaged, decode_chunks
from cupixgeo.formats.las.crs import resolve_crs
from cupixgeo.formats.las.dimensions import (
    EXTRA_BYTES_ENTRY,
    attributes_of,
    build_format,
    scalings_of,
)
from cupixgeo.formats.opening import OpenFile, Where, open_file
from cupixgeo.formats.refusals import check_columns, corrupt
from cupixgeo.geodesy.crs import CrsLike, as_crs, crs_label

LARGEST_CHUNK = 1_000_000
"""Points in a chunk above which it is decoded point after point, so that memory stays bounded."""

EVERYTHING = lazrs.SELECTIVE_DECOMPRESS_ALL
COORDINATES_ONLY = lazrs.SELECTIVE_DECOMPRESS_XY_RETURNS_CHANNEL | lazrs.SELECTIVE_DECOMPRESS_Z
FLAG_BYTE = lazrs.SELECTIVE_DECOMPRESS_FLAGS
LAYER_OF = {
    "return_number": 0,
    "number_of_returns": 0,
    "scanner_channel": FLAG_BYTE,
    "synthetic": FLAG_BYTE,
    "key_point": FLAG_BYTE,
    "withheld": FLAG_BYTE,
    "overlap": FLAG_BYTE,
    "scan_direction_flag": FLAG_BYTE,
    "edge_of_flight_line": FLAG_BYTE,
    "classification": lazrs.SELECTIVE_DECOMPRESS_CLASSIFICATION,
    "intensity": lazrs.SELECTIVE_DECOMPRESS_INTENSITY,
    "scan_angle": lazrs.SELECTIVE_DECOMPRESS_SCAN_ANGLE,
    "user_data": lazrs.SELECTIVE_DECOMPRESS_USER_DATA,
    "point_source_id": lazrs.SELECTIVE_DECOMPRESS_POINT_SOURCE_ID,
    "gps_time": lazrs.SELECTIVE_DECOMPRESS_GPS_TIME,
    "red": lazrs.SELECTIVE_DECOMPRESS_RGB,
    "green": lazrs.SELECTIVE_DECOMPRESS_RGB,
    "blue": lazrs.SELECTIVE_DECOMPRESS_RGB,
    "nir": lazrs.SELECTIVE_DECOMPRESS_NIR,
}
"""Layer of a compressed chunk an attribute is in (point formats 6 to 10); 0 is always decoded."""


@dataclass(frozen=True, eq=False)
class LasBlock:
    """Consecutive points of a LAS file, in the file's own record layout.

    Parameters
    ----------
    record : ndarray, shape (n,), structured
        Point records: ``X``, ``Y``, ``Z`` int32 on the file's grid, sub-byte fields packed.
    point_format : laspy.PointFormat
        Describes `record`, extra dimensions included.
    scales, offsets : ndarray, shape (3,), float64 [CRS units]
        Coordinate = stored integer × scale + offset.
    """

    record: npt.NDArray[Any]
    point_format: laspy.PointFormat
    scales: FloatArray
    offsets: FloatArray

    def __len__(self) -> int:
        return len(self.record)

    @cached_property
    def xyz(self) -> FloatArray:
        """Coordinates, shape (n, 3), float64, in the file's CRS."""
        result = np.empty((len(self.record), 3), order="F")
        for axis, name in enumerate("XYZ"):
            np.multiply(self.record[name], self.scales[axis], out=result[:, axis])
            result[:, axis] += self.offsets[axis]
        return result

    def column(self, name: str) -> npt.NDArray[Any]:
        """One attribute, as stored: shape (n,), or (n, k) for an extra dimension of k elements.

        Sub-byte fields come unpacked, as uint8; scaled extra dimensions unscaled.
        """
        packed = get_sub_fields_dict(self.point_format.id).get(name)
        if packed is None:
            return self.record[name]
        field, sub_field = packed
        shift = (sub_field.mask & -sub_field.mask).bit_length() - 1
        values: npt.NDArray[Any] = (self.record[field] & np.uint8(sub_field.mask)) >> shift
        return values.astype(np.uint8, copy=False)

    def select(self, which: slice | npt.NDArray[Any]) -> LasBlock:
        """Take some of the points: a slice, a mask of shape (n,), or indices."""
        return replace(self, record=self.record[which])


class LasReader:
    """An open LAS, LAZ or COPC file. Use it as a context manager; not for two threads at once.

    Parameters
    ----------
    path : path, str or OpenFile
        The file, its http(s) address, or the file opened; it is closed with the reader.
    crs : CrsLike or None
        CRS of its coordinates, overriding what the file states.

    Raises
    ------
    CloudError
        The file is missing, not LAS (`FormatError`) or contradicts itself (`CorruptFileError`).
    ServiceError, TransferError
        The server does not give it.
    CrsError
        `crs` is not a CRS.
    """

    def __init__(self, path: Where | OpenFile, *, crs: CrsLike | None = None) -> None:
        self._open: OpenFile = path if isinstance(path, OpenFile) else open_file(path)
        self._file: BinaryIO = self._open.stream
        try:
            self.facts: LasHeaderFacts = check_open_las(self._open)
            self.path: Path = self.facts.path
            self.point_format: laspy.PointFormat = build_format(
                self.path,
                self.facts.point_format,
                self.facts.extra_bytes,
                self._extra_bytes_record(),
            )
            self.info: CloudInfo = self._describe(crs)
        except BaseException:
            self._open.close()
            raise
        self._dtype: np.dtype[Any] = np.dtype(self.point_format.dtype())

    def bounds(self) -> FloatArray:
        """Smallest box of all points: shape (2, 3), float64 [CRS units].

        From the header, or from the points where the header's box cannot be true.

        Raises
        ------
        EmptyCloudError
            The file holds no points.
        """
        return header_box(self.facts) if _is_plausible(self.facts) else box_of_points(self)

    def blocks(
        self,
        size: int = BLOCK_POINTS,
        *,
        start: int = 0,
        stop: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[LasBlock]:
        """Yield points `start` to `stop` in file order, `size` at a time.

        Parameters
        ----------
        size : int
            Points a block holds, the last one fewer.
        start, stop : int
            Range of points.
        columns : sequence of str or None
            Attributes that will be looked at, ``()`` for coordinates alone; None is everything.
            The others are not decoded where that saves time: their values mean nothing.

        Yields
        ------
        LasBlock

        Raises
        ------
        CorruptFileError
            The compressed points are damaged; the message names them.
        """
        check_columns(self.info, columns)
        end = self.facts.point_count if stop is None else min(stop, self.facts.point_count)
        if not self.facts.is_compressed:
            records = self._plain(size, start, end)
        elif self.chunks_are_small:
            records = self._chunked(size, start, end, self._selection(columns))
        else:
            records = self._streamed(size, start, end, self._selection(columns))
        scales, offsets = np.array(self.facts.scales), np.array(self.facts.offsets)
        for record in records:
            yield LasBlock(record, self.point_format, scales, offsets)

    def chunk(self, number: int, *, columns: Sequence[str] | None = None) -> LasBlock:
        """Read one compressed chunk, from any thread as long as none uses `blocks`.

        Parameters
        ----------
        number : int
            Of the chunk, from 0.
        columns : sequence of str or None
            As for `blocks`.

        Raises
        ------
        CorruptFileError
            It is damaged.
        """
        check_columns(self.info, columns)
        run = range(number, number + 1)
        decoded = decode_chunks(self._open, self.facts, run, self._selection(columns))
        scales, offsets = np.array(self.facts.scales), np.array(self.facts.offsets)
        return LasBlock(decoded.view(self._dtype), self.point_format, scales, offsets)

    @property
    def file(self) -> OpenFile:
        """The file, for reading stretches of it."""
        return self._open

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    def __enter__(self) -> LasReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def chunks_are_small(self) -> bool:
        """Whether every chunk can be held in memory as a whole."""
        chunks = self.facts.chunks
        return chunks is None or not len(chunks) or int(chunks.points.max()) <= LARGEST_CHUNK

    def _plain(self, size: int, start: int, end: int) -> Iterator[npt.NDArray[Any]]:
        for first in range(start, end, size):
            count = min(size, end - first)
            self._file.seek(self.facts.offset_to_points + first * self.facts.record_length)
            data = np.empty(count * self.facts.record_length, np.uint8)
            got: int = self._file.readinto(data)  # type: ignore[attr-defined]
            if got != len(data):
                ended = first + got // self.facts.record_length
                raise corrupt(self.path, f"the file ended at point {ended:,}")
            yield data.view(self._dtype)

    def _chunked(
        self, size: int, start: int, end: int, selection: Any
    ) -> Iterator[npt.NDArray[Any]]:
        """Decode whole chunks, and keep what a block leaves over of the last one."""
        table = self.facts.chunks
        assert table is not None
        kept = np.empty(0, self._dtype)
        kept_from = next_chunk = -1
        for first in range(start, end, size):
            last = min(first + size, end)
            parts = []
            at = first
            if kept_from <= at < kept_from + len(kept):
                parts.append(kept[at - kept_from :][: last - at])
                at += len(parts[0])
            if at < last:
                next_chunk = int(np.searchsorted(table.first_points, at, "right")) - 1
                stop_chunk = int(np.searchsorted(table.first_points, last, "left"))
                run = range(next_chunk, stop_chunk)
                decoded = decode_chunks(self._open, self.facts, run, selection)
                kept, kept_from = decoded.view(self._dtype), int(table.first_points[next_chunk])
                parts.append(kept[at - kept_from : last - kept_from])
            yield parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _streamed(
        self, size: int, start: int, end: int, selection: Any
    ) -> Iterator[npt.NDArray[Any]]:
        """Decode point after point: for chunks too large to be held whole."""
        if start >= end:
            return
        every_chunk = range(len(self.facts.chunks or ()))
        try:
            self._file.seek(self.facts.offset_to_points)
            decoder = lazrs.LasZipDecompressor(self._file, self.facts.laszip, selection)
            decoder.seek(start)
            for first in range(start, end, size):
                record = np.zeros(min(size, end - first), self._dtype)
                decoder.decompress_many(record.view(np.uint8))
                yield record
        except lazrs.LazrsError as error:
            raise damaged(self.facts, every_chunk, error) from error

    def _selection(self, columns: Sequence[str] | None) -> lazrs.DecompressionSelection:
        if columns is None:
            return lazrs.DecompressionSelection(EVERYTHING)
        wanted = COORDINATES_ONLY
        for name in columns:
            if name in self.info.extra_bytes:
                wanted |= lazrs.SELECTIVE_DECOMPRESS_ALL_EXTRA_BYTES
            else:
                wanted |= LAYER_OF.get(name, lazrs.SELECTIVE_DECOMPRESS_WAVEPACKET)
        return lazrs.DecompressionSelection(wanted)

    def _extra_bytes_record(self) -> bytes:
        for record in self.facts.find("LASF_Spec", 4):
            limit = self.facts.extra_bytes * EXTRA_BYTES_ENTRY
            if not record.extended or record.length <= limit:
                return record_data(self._file, record)
        return b""

    def _describe(self, crs: CrsLike | None) -> CloudInfo:
        facts = self.facts
        found = resolve_crs(self._file, facts)
        used, source = found.crs, str(found)
        if crs is not None:
            used = as_crs(crs)
            source = f"{crs_label(used)} as given by the caller; the file: {found}"
        is_copc = next(facts.find("copc", 1), None) is not None
        kind = "COPC" if is_copc else "LAZ" if facts.is_compressed else "LAS"
        return CloudInfo(
            path=facts.path,
            format=kind,
            version=facts.version,
            point_count=facts.point_count,
            crs=used,
            crs_source=source,
            attributes=attributes_of(self.point_format),
            point_format=facts.point_format,
            scales=facts.scales,
            offsets=facts.offsets,
            extra_bytes=tuple(self.point_format.extra_dimension_names),
            chunk_size=facts.chunks.chunk_size if facts.chunks is not None else None,
            size_bytes=facts.size_bytes,
            metadata=self._metadata(),
        )

    def _metadata(self) -> dict[str, Any]:
        facts = self.facts
        metadata: dict[str, Any] = {
            "system_identifier": facts.system_identifier,
            "generating_software": facts.generating_software,
            "created": facts.created.isoformat() if facts.created else "",
            "scalings": scalings_of(self.point_format),
        }
        if self._open.version:
            metadata["version"] = self._open.version
        if "gps_time" in self.point_format.dimension_names:
            metadata["gps_time"] = "standard" if facts.gps_standard_time else "week"
        return metadata


def header_box(facts: LasHeaderFacts) -> FloatArray:
    """Box the header states: shape (2, 3), float64 [CRS units]."""
    return np.array([facts.mins, facts.maxs])


def _is_plausible(facts: LasHeaderFacts) -> bool:
    """Whether the header's box could be that of points stored on the header's grid."""
    if facts.point_count == 0:
        return False
    box, scales = header_box(facts), np.abs(facts.scales)
    reach = scales * (2.0**31 + 1)
    offsets = np.array(facts.offsets)
    return bool(
        np.isfinite(box).all()
        and (box[0] <= box[1]).all()
        and (box[0] >= offsets - reach).all()
        and (box[1] <= offsets + reach).all()
    )
