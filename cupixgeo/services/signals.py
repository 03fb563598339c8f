"""How a job that is being worked on is told to stop, and how it waits meanwhile.

Knows events and pauses. Must not know what is waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cupixgeo.errors import CancelledError
from cupixgeo.net.settings import NetSettings


class Signals:
    """Two wishes: to leave the job alone here, and to cancel it at the service.

    Parameters
    ----------
    settings : NetSettings
        Whose `sleep` is used for pauses, where it is not the ordinary one: on an emulator's clock.
    """

    def __init__(self, settings: NetSettings | None = None) -> None:
        sleep = (settings or NetSettings()).sleep
        self._sleep: Callable[[float], None] | None = None if sleep is time.sleep else sleep
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._cancel = threading.Event()
        self._cancel_seen = False
        self._reason: BaseException | None = None

    @property
    def is_cancel_wanted(self) -> bool:
        """Whether somebody asked to cancel the job."""
        return self._cancel.is_set()

    @property
    def is_stop_wanted(self) -> bool:
        """Whether this process has to leave the job alone."""
        return self._stop.is_set()

    @property
    def is_wanted(self) -> bool:
        """Whether to leave what is being done: to stop, or to cancel where that is not yet seen."""
        return self._stop.is_set() or (self._cancel.is_set() and not self._cancel_seen)

    def stop(self, reason: BaseException | None = None) -> None:
        """Ask to leave the job; with a reason, that is raised where it is noticed."""
        if not self._stop.is_set():
            self._reason = reason
        self._stop.set()
        self._wake.set()

    def cancel(self) -> None:
        """Ask to cancel the job at the service."""
        if not self._cancel.is_set():
            self._cancel.set()
            self._wake.set()

    def see_cancel(self) -> None:
        """Say that the wish is being fulfilled: it interrupts nothing any more."""
        self._cancel_seen = True
        if not self._stop.is_set():
            self._wake.clear()

    def check(self) -> None:
        """Raise if work is to stop.

        Raises
        ------
        CancelledError
            On a wish; the reason of a stop that has one.
        """
        if self._stop.is_set() and self._reason is not None:
            raise self._reason
        if self.is_wanted:
            raise CancelledError("the work on this job was stopped on request.")

    def pause(self, seconds: float) -> None:
        """Wait [s], or until a wish comes.

        Raises
        ------
        CancelledError
            As `check`.
        """
        self.check()
        if self._sleep is not None:
            self._sleep(seconds)
        else:
            self._wake.wait(seconds)
        self.check()
