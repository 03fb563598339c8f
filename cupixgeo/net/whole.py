"""A body's stream that says so when it ends too early.

Knows streams. A library that is promised a number of bytes and gets fewer waits for the rest until
the server gives up; a file that was cut while it is being sent has to be told apart from that.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from cupixgeo.errors import TransferError
from cupixgeo.net.body import Body

_BUFFER_BYTES = 256 * 1024


def whole_stream(body: Body) -> BinaryIO:
    """Open a body for reading; `TransferError` where it ends before its size."""
    return io.BufferedReader(_Whole(body), _BUFFER_BYTES)


class _Whole(io.RawIOBase):
    def __init__(self, body: Body) -> None:
        super().__init__()
        self._body = body
        try:
            self._stream = body.open()
        except OSError as error:
            raise unreadable(body, error) from None
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._body.size}[whence]
        self._at = max(0, base + offset)
        self._stream.seek(min(self._at, self._body.size))
        return self._at

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        wanted = min(len(view), self._body.size - self._at)
        if wanted <= 0:
            return 0
        try:
            data = self._stream.read(wanted)
        except OSError as error:
            raise unreadable(self._body, error) from None
        if not data:
            raise TransferError(
                f"{self._body.name} ended before its {self._body.size} bytes were sent: the file "
                "changed or was cut while it was being read. Put it back and resume the job."
            )
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def unreadable(body: Body, error: OSError) -> TransferError:
    """Turn the system's error about a file that is being sent into ours."""
    return TransferError(
        f"{body.name} cannot be read ({error.strerror or error}). Put it back and resume the job."
    )
