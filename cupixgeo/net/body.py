"""A stretch of bytes to be uploaded, read when it is needed and as often as it is needed.

Knows size and offset, never holds the bytes. Must not know where they go.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from cupixgeo.errors import TransferError

CHUNK_BYTES = 256 * 1024
"""Bytes read at a time [byte]."""


@dataclass(frozen=True)
class Body:
    """Bytes to send: how many, and how to read them from the start.

    Parameters
    ----------
    size : int
        Exact number of bytes [byte].
    open : callable
        Gives a fresh binary stream at the first byte that ends after `size` bytes, with ``read``,
        ``seek`` and ``tell``. Every try of an upload opens its own.
    name : str
        What messages call it.
    """

    size: int
    open: Callable[[], BinaryIO] = field(repr=False)
    name: str = ""

    @classmethod
    def from_bytes(cls, data: bytes, *, name: str = "") -> Body:
        """Make a body of bytes that are in memory anyway."""
        return cls(len(data), lambda: io.BytesIO(data), name)

    @classmethod
    def from_file(
        cls, path: Path, *, offset: int = 0, size: int | None = None, name: str = ""
    ) -> Body:
        """Make a body of a file, or of a stretch of it.

        Parameters
        ----------
        path : Path
            The file; it is opened when the body is read.
        offset, size : int
            Where the stretch begins and how long it is [byte]; None is the rest of the file.
        name : str
            What messages call it; the file's name unless given.
        """
        length = path.stat().st_size - offset if size is None else size

        def opened() -> BinaryIO:
            return io.BufferedReader(Stretch(path.open("rb", buffering=0), offset, length))

        return cls(length, opened, name or path.name)

    def chunks(self, size: int = CHUNK_BYTES) -> Iterator[bytes]:
        """Yield the bytes from the start, `size` at a time [byte].

        Raises
        ------
        TransferError
            If there are fewer or more of them than there should be.
        """
        given = 0
        with self.open() as stream:
            while chunk := stream.read(size):
                given += len(chunk)
                if given > self.size:
                    break
                yield chunk
        if given != self.size:
            more = "more than" if given > self.size else f"{given} bytes instead of"
            raise TransferError(
                f"{self.name or 'a file'} has {more} {self.size} bytes: it changed while "
                "it was being sent. Put it back and resume the job."
            )

    def digest(self, algorithm: str = "md5") -> str:
        """Hash the bytes with a `hashlib` algorithm; lower-case hexadecimal."""
        return self._hash(algorithm).hexdigest()

    def content_md5(self) -> str:
        """Give the value of a Content-MD5 header (RFC 1864)."""
        return base64.b64encode(self._hash("md5").digest()).decode()

    def _hash(self, algorithm: str) -> hashlib._Hash:
        total = hashlib.new(algorithm, usedforsecurity=False)
        for chunk in self.chunks():
            total.update(chunk)
        return total


class Stretch(io.RawIOBase):
    """Read-only view of `size` bytes of a binary stream from `offset` on; closes the stream."""

    def __init__(self, stream: io.RawIOBase | BinaryIO, offset: int, size: int) -> None:
        super().__init__()
        self._stream = stream
        self._offset = offset
        self._size = size
        self._at = 0
        stream.seek(offset)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Give the position within the stretch [byte]."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a position within the stretch [byte]."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        self._stream.seek(self._offset + self._at)
        return self._at

    def readinto(self, buffer: object, /) -> int:
        """Fill `buffer` as far as the stretch goes; 0 at its end."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        wanted = min(len(view), max(0, self._size - self._at))
        data = self._stream.read(wanted) or b""
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Close the stream underneath, too."""
        self._stream.close()
        super().close()
