"""One zip of many files that exists nowhere: its bytes are made when they are read.

Knows where each byte of such a zip comes from, so that a part of it can be sent, and sent again,
without a second copy of the photos on disk. Members are stored (photos do not get smaller), flat,
and the same files always give the same bytes. Must not know who takes the zip.

Sources: PKWARE APPNOTE 6.3.10 §4.3.7 (local header), §4.3.12 (central directory), §4.3.14 to 4.3.16
(zip64 and plain end records), §4.4.4 (bit 11: UTF-8 names).
"""

from __future__ import annotations

import io
import struct
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from cupixgeo.errors import ArgumentError, TransferError
from cupixgeo.net.body import Body, Stretch
from cupixgeo.services.job_values import SourceFile
from cupixgeo.services.upload_values import Part

DIGESTS = frozenset({"sha256", "crc32"})
"""What `JobDriver.digests` has to ask for, so that a zip can be made."""

_LIMIT_32 = 0xFFFFFFFF
_LIMIT_16 = 0xFFFF
_UTF8 = 0x0800
_DOS_DATE = 0x0021  # 1980-01-01: the same files give the same bytes
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_END_64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR_64 = struct.Struct("<IIQI")


class Bundle:
    """The zip of some files, byte by byte where it is needed.

    Parameters
    ----------
    files : sequence of SourceFile
        Members, with their ``crc32`` among the digests (see `DIGESTS`).
    name : str
        Name of the zip, for messages.

    Raises
    ------
    ArgumentError
        If a file has no checksum, as in a plan that was not launched.
    """

    def __init__(self, files: Sequence[SourceFile], *, name: str = "photos.zip") -> None:
        self.name = name
        self._files = files
        self._starts = array("q")  # of local headers, then of the central directory
        central = bytearray()
        at = 0
        for file in files:
            self._starts.append(at)
            central += _central_header(file, _crc(file), at)
            at += len(_local_header(file)) + file.size
        self._starts.append(at)
        self._tail = bytes(central) + _end_records(len(files), len(central), at)
        self.size = at + len(self._tail)

    def body(self, part: Part) -> Body:
        """Give the bytes of a part."""

        def opened() -> BinaryIO:
            stream = io.BufferedReader(_BundleStream(self), 256 * 1024)
            return io.BufferedReader(Stretch(stream, part.offset, part.size), 256 * 1024)

        return Body(part.size, opened, f"part {part.number} of {self.name}")

    def segment(self, at: int) -> tuple[bytes | Path, int, int]:
        """Say where the byte at `at` is: bytes or a file, its position there, how many follow."""
        index = bisect_right(self._starts, at) - 1
        within = at - self._starts[index]
        if index == len(self._files):
            return self._tail, within, len(self._tail) - within
        file = self._files[index]
        head = _local_header(file)
        if within < len(head):
            return head, within, len(head) - within
        return file.path, within - len(head), file.size - (within - len(head))


def bundle_size(files: Sequence[SourceFile]) -> int:
    """Say how large the zip of some files will be [byte], without reading any of them."""
    at = central = 0
    for file in files:
        central += len(_central_header(file, 0, at))
        at += len(_local_header(file, crc=0)) + file.size
    return at + central + len(_end_records(len(files), central, at))


class _BundleStream(io.RawIOBase):
    """Read a bundle from any position; one member is open at a time."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        self._bundle = bundle
        self._at = 0
        self._file: io.FileIO | None = None
        self._path: Path | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._bundle.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if self._at >= self._bundle.size or not len(view):
            return 0
        source, offset, follow = self._bundle.segment(self._at)
        wanted = min(len(view), follow)
        if isinstance(source, bytes):
            data = source[offset : offset + wanted]
        else:
            data = self._opened(source, offset).read(wanted)
            if not data:
                raise TransferError(
                    f"{source} ended before its size was reached: it changed while it was being "
                    "sent. Put it back and resume the job."
                )
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()

    def _opened(self, path: Path, offset: int) -> io.FileIO:
        if self._file is None or self._path != path:
            if self._file is not None:
                self._file.close()
            self._file, self._path = io.FileIO(path), path
        self._file.seek(offset)
        return self._file


def _crc(file: SourceFile) -> int:
    try:
        return int(file.digests["crc32"], 16)
    except KeyError:
        unknown = f"{file.name} has no checksum yet: a zip can be made once the job is launched."
    raise ArgumentError(unknown)


def _local_header(file: SourceFile, *, crc: int | None = None) -> bytes:
    name = file.name.encode()
    crc = _crc(file) if crc is None else crc
    big = file.size >= _LIMIT_32
    extra = struct.pack("<HHQQ", 1, 16, file.size, file.size) if big else b""
    size = _LIMIT_32 if big else file.size
    version = 45 if big else 20
    return (
        _LOCAL.pack(
            0x04034B50, version, _UTF8, 0, 0, _DOS_DATE, crc, size, size, len(name), len(extra)
        )
        + name
        + extra
    )


def _central_header(file: SourceFile, crc: int, at: int) -> bytes:
    name = file.name.encode()
    large = [n for n in (file.size, file.size) if file.size >= _LIMIT_32]
    large += [at] if at >= _LIMIT_32 else []
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    size = min(file.size, _LIMIT_32)
    version = 45 if large else 20
    fixed = _CENTRAL.pack(
        0x02014B50, version, version, _UTF8, 0, 0, _DOS_DATE, crc, size, size,
        len(name), len(extra), 0, 0, 0, 0, min(at, _LIMIT_32),
    )  # fmt: skip
    return fixed + name + extra


def _end_records(count: int, central: int, at: int) -> bytes:
    records = b""
    if count >= _LIMIT_16 or central >= _LIMIT_32 or at >= _LIMIT_32:
        records = _END_64.pack(0x06064B50, 44, 45, 45, 0, 0, count, count, central, at)
        records += _LOCATOR_64.pack(0x07064B50, 0, at + central, 1)
    many = min(count, _LIMIT_16)
    return records + _END.pack(
        0x06054B50, 0, 0, many, many, min(central, _LIMIT_32), min(at, _LIMIT_32), 0
    )
