"""How patient we are: timeouts, retries and their waits, all in one value.

Knows which failures are worth another try and why, and how long to wait before it. Must not know
HTTP clients or services.

Sources: RFC 9110 §10.2.3 (Retry-After); "full jitter" after M. Brooker, *Exponential Backoff And
Jitter*, AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

RETRY_STATUSES = {
    429: "too many requests: the service itself asks for a later try",
    500: "internal error: object stores and gateways give it for passing faults too",
    502: "bad gateway: the server behind it was restarting",
    503: "unavailable: overload or maintenance",
    504: "gateway timeout: the server behind it was slow",
}
"""HTTP statuses that another try may cure, with the reason."""

RETRY_FAILURES = {
    "ConnectError": "the connection was refused or the name not resolved, often for a moment",
    "ConnectTimeout": "no connection came about in time",
    "ReadTimeout": "the answer stalled",
    "WriteTimeout": "the request stalled",
    "ReadError": "the connection broke during the answer",
    "WriteError": "the connection broke during the request",
    "CloseError": "the connection broke at its end",
    "RemoteProtocolError": "the answer ended before it was whole",
    "Stalled": "the answer took longer in all than it may",
}
"""Failures without a whole answer that another try may cure, by name, with the reason.

Certificates that do not verify, proxies that refuse and malformed addresses are not among them.
"""


@dataclass(frozen=True)
class NetSettings:
    """Timeouts, retries, and the clock they are measured on.

    Parameters
    ----------
    connect_timeout_s, read_timeout_s : float
        [s] to wait for a connection, and for the next bytes of an answer.
    answer_timeout_s : float
        [s] an answer of the service may take in all (downloads excepted).
    attempts : int
        Tries in all; for downloads, tries without noteworthy progress.
    backoff_s, backoff_cap_s : float
        [s] the n-th wait is a random part of ``backoff_s * 2**n``, never above the cap.
    retry_after_cap_s : float
        [s] the longest wait asked for by a service that is still waited out.
    max_answer_bytes : int
        Largest answer that is read [byte] (downloads excepted).
    now, sleep, uniform : callable
        Seconds since 1970, a pause of so many seconds, and a random number from 0 to 1.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    answer_timeout_s: float = 120.0
    attempts: int = 5
    backoff_s: float = 0.5
    backoff_cap_s: float = 30.0
    retry_after_cap_s: float = 120.0
    max_answer_bytes: int = 64 * 2**20
    now: Callable[[], float] = field(default=time.time, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    uniform: Callable[[], float] = field(default=random.random, repr=False)

    def wait_s(self, failures: int, retry_after_s: float | None = None) -> float | None:
        """Choose the pause before the next try.

        Parameters
        ----------
        failures : int
            Tries that failed so far, 1 or more.
        retry_after_s : float or None
            [s] the service asked for.

        Returns
        -------
        float or None
            [s]; None where the service asks for more than `retry_after_cap_s`: another try
            before that would be in vain, and nobody should wait that long without knowing.
        """
        jitter = self.uniform()
        if retry_after_s is None:
            return jitter * min(self.backoff_cap_s, self.backoff_s * 2.0 ** (failures - 1))
        if retry_after_s > self.retry_after_cap_s:
            return None
        return retry_after_s + jitter * self.backoff_s

    def retry_after_s(self, header: str | None) -> float | None:
        """Read a Retry-After header, either seconds or an HTTP date.

        Returns
        -------
        float or None
            [s] from now, not negative; None where there is none that can be read.
        """
        if not header:
            return None
        text = header.strip()
        if text.isascii() and text.isdecimal():
            return float(text)
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0.0, date.timestamp() - self.now())
