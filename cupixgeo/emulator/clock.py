"""The emulator's own time: it stands still until a test moves it.

Knows seconds. Must not look at the computer's clock.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime

_START = datetime(2024, 5, 13, 8, 0, 0, tzinfo=UTC)


class Clock:
    """A clock that moves only when it is told to.

    Parameters
    ----------
    start : datetime.datetime, optional
        Time at the beginning, with a time zone; 2024-05-13 08:00 UTC when left out.
    """

    def __init__(self, start: datetime = _START) -> None:
        if start.tzinfo is None:
            raise ValueError(f"the clock's start {start} has no time zone; add tzinfo=UTC")
        self._now = start.timestamp()
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the current time, [s] since 1970-01-01 UTC."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Parameters
        ----------
        seconds : float
            [s] to move, zero or more.
        """
        if not seconds >= 0:
            raise ValueError(f"the clock moves forward only, not by {seconds} s")
        with self._lock:
            self._now += seconds

    def iso(self, offset_s: float = 0.0) -> str:
        """Return the time in `offset_s` [s] from now as ISO 8601 UTC with milliseconds."""
        return iso_time(self.now() + offset_s)


def iso_time(timestamp: float) -> str:
    """Write a POSIX time [s] as ISO 8601 UTC with milliseconds and ``Z``."""
    moment = datetime.fromtimestamp(timestamp, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
