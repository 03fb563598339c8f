"""Files opened for reading at any place, on this machine or behind an address.

Must not know any format.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from cupixgeo.formats.refusals import unreadable

if TYPE_CHECKING:
    from cupixgeo.formats.remote import RemoteStream
    from cupixgeo.net.ranges import FileVersion

Where: TypeAlias = str | os.PathLike[str]
"""A path, or an http(s) address."""

Span: TypeAlias = tuple[int, int]
"""First byte and number of bytes."""


@dataclass(frozen=True, eq=False)
class OpenFile:
    """A file that is open, and what a reader has to know of it besides its content.

    Parameters
    ----------
    stream : binary file
        Seekable; for one thread.
    size_bytes : int
        Of the file [byte].
    path : Path
        What messages call it; host and path where it is behind an address.
    version : str
        Changes when the file does, where whoever stores it says so (HTTP's ETag); else empty.
    """

    stream: BinaryIO
    size_bytes: int
    path: Path
    version: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def spans(self, spans: Sequence[Span]) -> list[bytes]:
        """Read some stretches, from any thread as long as nobody uses `stream`.

        Returns
        -------
        list of bytes
            As asked for; shorter where the file ends.

        Raises
        ------
        CloudError
            The file cannot be read.
        """
        with self._lock:
            return [self._span(*span) for span in spans]

    def close(self) -> None:
        """Close it."""
        self.stream.close()

    def _span(self, start: int, size: int) -> bytes:
        self.stream.seek(start)
        return self.stream.read(size)


class RemoteFile(OpenFile):
    """A file behind an address: stretches are fetched side by side."""

    def spans(self, spans: Sequence[Span]) -> list[bytes]:
        """Read some stretches, from any thread; see `OpenFile.spans`."""
        return self._stream.spans(spans)

    @property
    def version_seen(self) -> FileVersion:
        """What its server told of it when it was opened."""
        return self._stream.source.version

    def beside(self, name: str) -> str:
        """Give the address of a file that is named relative to this one; see `RangeReader.beside`.

        Raises
        ------
        ArgumentError
            It leads to another server, or is no http(s) address.
        """
        return self._stream.source.beside(name).reveal()

    @property
    def _stream(self) -> RemoteStream:
        from cupixgeo.formats.remote import RemoteStream

        return cast(RemoteStream, self.stream)


def is_address(where: object) -> bool:
    """Say whether something names a file behind an address rather than on this machine."""
    return isinstance(where, str) and where.lower().startswith(("http://", "https://"))


def open_file(where: Where) -> OpenFile:
    """Open a file for reading.

    Parameters
    ----------
    where : path or str
        A file on this machine, or an http(s) address whose server answers range requests.

    Raises
    ------
    CloudError
        The file is missing or may not be read.
    ServiceError, TransferError
        The server does not give it.
    """
    if is_address(where):
        from cupixgeo.formats.remote import open_remote

        return open_remote(str(where))
    path = Path(where)
    try:
        stream = path.open("rb")
        return OpenFile(stream, os.fstat(stream.fileno()).st_size, path)
    except OSError as error:
        raise unreadable(path, error) from error
