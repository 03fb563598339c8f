"""Sending the parts of a job: several at a time, each tried again alone.

Knows receipts, retries and progress. Must not know how a service takes a part; that is its
driver's ``send``.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from cupixgeo.errors import (
    ConnectionFailedError,
    CupixGeoError,
    RateLimitError,
    ResponseError,
    ServerError,
    TransferError,
)
from cupixgeo.net.body import Body
from cupixgeo.net.settings import NetSettings
from cupixgeo.services.driver import JobDriver
from cupixgeo.services.job_record import LedgerRecord
from cupixgeo.services.ledger_files import Totals, Waiting
from cupixgeo.services.parallel import in_parallel
from cupixgeo.services.upload_values import Receipt

PASSING: dict[type[CupixGeoError], str] = {
    ConnectionFailedError: "no answer: the network or the service was away",
    ServerError: "5xx: the service failed, often for a moment",
    RateLimitError: "429: the service asks for a later try",
    ResponseError: "a maintenance page or a cut answer",
    TransferError: "bytes were lost on the way",
}
"""Errors another try may cure, with the reason."""

LONGEST_WAIT_S = 3600.0
"""[s] the longest wait a service may ask for; jobs take hours anyway."""


def wait_after(
    error: CupixGeoError, failures: int, settings: NetSettings, pause: Callable[[float], None]
) -> None:
    """Wait before the next try.

    Raises
    ------
    CupixGeoError
        `error` itself, if the service asks for more than `LONGEST_WAIT_S`.
    """
    asked = getattr(error, "retry_after", None)
    if asked is not None and asked > LONGEST_WAIT_S:
        raise error
    backoff = settings.uniform() * min(
        settings.backoff_cap_s, settings.backoff_s * 2.0 ** (failures - 1)
    )
    pause(backoff if asked is None else asked + settings.uniform() * settings.backoff_s)


def trying_again(error: CupixGeoError) -> str:
    """Say what stands in the way while it is tried again."""
    return f"{error} It is tried again without your doing."


class Upload:
    """One run of sending what is missing.

    Parameters
    ----------
    record : LedgerRecord
        The job.
    driver : JobDriver
        Its service's driver.
    settings : NetSettings
        How often a part is tried, and the waits between.
    workers : int
        Parts at a time.
    """

    def __init__(
        self, record: LedgerRecord, driver: JobDriver, *, settings: NetSettings, workers: int
    ) -> None:
        self._record = record
        self._driver = driver
        self._settings = settings
        self._workers = workers
        self._lock = threading.Lock()
        self._totals = record.totals()
        self._in_flight = 0
        self._sent_here = 0
        self._start = time.monotonic()

    def run(self) -> None:
        """Send everything that has no receipt.

        Raises
        ------
        CupixGeoError
            The first error that another try does not cure. What has a receipt keeps it.
        CancelledError
            On request.
        """
        in_parallel(self._record.waiting(), self._deliver, workers=self._workers)

    @property
    def totals(self) -> Totals:
        """What is done, with the parts on their way counted as far as they were read."""
        with self._lock:
            now = self._totals
            done = min(now.bytes_done + self._in_flight, now.bytes_total)
        return Totals(done, now.bytes_total, now.files_done, now.files_total)

    @property
    def eta_s(self) -> float | None:
        """[s] left at the pace of this run; None while there is none."""
        with self._lock:
            sent = self._sent_here + self._in_flight
            left = self._totals.bytes_total - self._totals.bytes_done - self._in_flight
        elapsed = time.monotonic() - self._start
        return max(0.0, left * elapsed / sent) if sent > 0 and elapsed > 0 else None

    # -- one part --------------------------------------------------------------------------------

    def _deliver(self, waiting: Waiting) -> None:
        """Send one part until there is a receipt for it."""
        doubtful, failures = waiting.is_doubtful, 0
        while True:
            self._record.check()
            streams: list[_Counted] = []
            try:
                receipt = self._try(waiting, streams, doubtful=doubtful)
                break
            except tuple(PASSING) as error:
                self._forget(streams)
                failures += 1
                if failures >= self._settings.attempts:
                    raise
                doubtful = not isinstance(error, RateLimitError)
                self._record.write(message=trying_again(error))
                wait_after(error, failures, self._settings, self._record.signals.pause)
        if failures:
            self._record.write(message="")
        is_whole = self._record.mark_part(waiting, receipt)
        with self._lock:
            self._in_flight -= sum(stream.counted() for stream in streams)
            self._sent_here += waiting.part.size
            self._totals = self._totals.with_part(waiting.part.size, is_whole=is_whole)

    def _try(self, waiting: Waiting, streams: list[_Counted], *, doubtful: bool) -> Receipt:
        item, part = waiting.item, waiting.part
        if doubtful:
            receipt = self._driver.find_part(self._record, item, part)
            if receipt is not None:
                return receipt
        self._record.mark_part(waiting, None)
        body = self._driver.body(self._record, item, part)

        def opened() -> BinaryIO:
            self._forget(streams)  # from the start: what was read before is void
            streams.append(_Counted(body.open(), self._moved, self._record.check))
            return io.BufferedReader(streams[-1], 256 * 1024)

        counted = Body(body.size, opened, body.name or item.name)
        return self._driver.send(self._record, item, part, counted)

    def _forget(self, streams: list[_Counted]) -> None:
        with self._lock:
            self._in_flight -= sum(stream.counted() for stream in streams)

    def _moved(self, count: int) -> None:
        with self._lock:
            self._in_flight += count


class _Counted(io.RawIOBase):
    """A stream that counts how far it was read, and ends when work is to stop."""

    def __init__(
        self, stream: BinaryIO, moved: Callable[[int], None], check: Callable[[], None]
    ) -> None:
        super().__init__()
        self._stream = stream
        self._moved = moved
        self._check = check
        self._furthest = 0
        self._is_counting = True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._stream.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        self._check()
        view = memoryview(buffer).cast("B")
        data = self._stream.read(len(view))
        view[: len(data)] = data
        at = self._stream.tell()
        if at > self._furthest and self._is_counting:
            self._moved(at - self._furthest)
            self._furthest = at
        return len(data)

    def counted(self) -> int:
        """Give what was counted so far, once, and count no more [byte]."""
        counted = self._furthest if self._is_counting else 0
        self._is_counting = False
        return counted

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
