"""A file behind an address as a stream: read in blocks, which are kept for a while.

Knows how blocks are gathered into few requests. Must not know HTTP, nor any format.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

from cupixgeo.formats.opening import RemoteFile, Span
from cupixgeo.net.ranges import RangeReader

BLOCK_BYTES = 16 * 1024
"""Least that is fetched: what a request costs is its round trip, not so few bytes."""

AHEAD_BLOCKS = 4
"""Blocks fetched together when somebody reads on: headers and lists are read bit by bit."""

GAP_BLOCKS = 4
"""Unwanted blocks between wanted ones that are fetched along to save a request."""

REQUEST_BLOCKS = 128
"""Most blocks of a request (2 MiB): larger parts are fetched side by side."""

REQUESTS_AT_ONCE = 4
"""Requests on their way at a time; a public server should not notice us."""

KEPT_BLOCKS = 4096
"""Blocks kept (64 MiB), those used last."""


class RemoteStream(io.RawIOBase):
    """The bytes of a file behind an address.

    `spans` is for any thread; `read` and `seek`, which share a position, for one.

    Parameters
    ----------
    source : RangeReader
        The file; closed with the stream.

    Attributes
    ----------
    source : RangeReader
        The file.
    """

    def __init__(self, source: RangeReader) -> None:
        super().__init__()
        self.source = source
        self._size = source.version.size_bytes
        self._at = 0
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(REQUESTS_AT_ONCE)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        whole = len(source.first) - len(source.first) % BLOCK_BYTES
        if len(source.first) == self._size:
            whole = self._size
        self._keep(self._cut(0, source.first[:whole]))

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Give the position [byte]."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a position [byte]."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: object, /) -> int:
        """Fill `buffer`, as far as the file goes."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        (data,) = self._spans([(self._at, len(view))], AHEAD_BLOCKS)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def spans(self, spans: Sequence[Span]) -> list[bytes]:
        """Read some stretches, fetched side by side.

        Returns
        -------
        list of bytes
            As asked for; shorter where the file ends.

        Raises
        ------
        ServiceError, TransferError
            As `RangeReader.read`.
        """
        return self._spans(spans, 1)

    def close(self) -> None:
        """Close the connections."""
        self.source.close()
        self._blocks.clear()
        super().close()

    def _spans(self, spans: Sequence[Span], ahead: int) -> list[bytes]:
        wanted = [range(*self._numbers(start, size)) for start, size in spans]
        with self._lock:
            held = {n: self._blocks[n] for run in wanted for n in run if n in self._blocks}
            for number in held:
                self._blocks.move_to_end(number)
        missing = sorted({n for run in wanted for n in run} - held.keys())
        fetched = self._fetch(self._requests(missing, ahead))
        held |= fetched
        with self._lock:
            self._keep(fetched)
        parts = []
        for (start, size), run in zip(spans, wanted, strict=True):
            data = b"".join(held[number] for number in run)
            skip = start - run.start * BLOCK_BYTES
            parts.append(data[skip : skip + size])
        return parts

    def _numbers(self, start: int, size: int) -> Span:
        """First block of a stretch, and the one behind its last."""
        end = min(start + max(0, size), self._size)
        if start >= end:
            return 0, 0
        return start // BLOCK_BYTES, -(-end // BLOCK_BYTES)

    def _requests(self, missing: Sequence[int], ahead: int) -> list[range]:
        """Gather blocks into runs that are fetched with one request each."""
        last = -(-self._size // BLOCK_BYTES)
        runs: list[range] = []
        for number in missing:
            if runs and number in runs[-1]:
                continue
            first, end = number, min(number + ahead, last)
            if runs and number - runs[-1].stop <= GAP_BLOCKS:
                if end - runs[-1].start <= REQUEST_BLOCKS:
                    runs[-1] = range(runs[-1].start, end)
                    continue
                first = max(first, runs[-1].stop)
            runs.append(range(first, end))
        return runs

    def _fetch(self, runs: Sequence[range]) -> dict[int, bytes]:
        if len(runs) < 2:
            return {n: block for run in runs for n, block in self._fetch_run(run)}
        with ThreadPoolExecutor(min(len(runs), REQUESTS_AT_ONCE)) as pool:
            return {n: block for blocks in pool.map(self._fetch_run, runs) for n, block in blocks}

    def _fetch_run(self, run: range) -> list[tuple[int, bytes]]:
        start = run.start * BLOCK_BYTES
        size = min(run.stop * BLOCK_BYTES, self._size) - start
        with self._turns:
            return list(self._cut(run.start, self.source.read(start, size)))

    def _cut(self, first: int, data: bytes) -> Iterable[tuple[int, bytes]]:
        for at in range(0, len(data), BLOCK_BYTES):
            yield first + at // BLOCK_BYTES, data[at : at + BLOCK_BYTES]

    def _keep(self, blocks: Iterable[tuple[int, bytes]] | dict[int, bytes]) -> None:
        self._blocks.update(blocks)
        while len(self._blocks) > KEPT_BLOCKS:
            self._blocks.popitem(last=False)


def open_remote(address: str) -> RemoteFile:
    """Open a file behind an address.

    Parameters
    ----------
    address : str
        An http(s) address whose server answers range requests.

    Raises
    ------
    ArgumentError
        It is not an http(s) address.
    ServiceError, TransferError
        The server does not give the file, or not in parts.
    """
    source = RangeReader(address, first_bytes=AHEAD_BLOCKS * BLOCK_BYTES)
    parts = urlsplit(address)
    path = Path((parts.hostname or "") + unquote(parts.path))
    stream = cast(BinaryIO, RemoteStream(source))
    version = source.version
    mark = version.etag or version.modified or ""
    return RemoteFile(stream, version.size_bytes, path, mark)
