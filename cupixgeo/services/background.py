"""Work on a job in the background of this process, one run for each job.

Knows threads, the lease's signs of life, and the end of the process. Must not know what the work
is.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from typing import TypeVar

from cupixgeo.errors import CupixGeoError
from cupixgeo.services.lease import HEARTBEAT_S, Holder
from cupixgeo.services.ledger import Ledger
from cupixgeo.services.runner import Runner
from cupixgeo.services.signals import Signals

LEAVE_S = 10.0
"""[s] to wait for requests that are on their way when a job is left."""

T = TypeVar("T")
_live: dict[tuple[str, str], Background] = {}
_lock = threading.Lock()


class Background:
    """One run of a job, from the lease to its release.

    Parameters
    ----------
    ledger : Ledger
        Where the job is written down.
    job_id : str
        Which.
    signals : Signals
        How the run is told to stop.
    """

    def __init__(self, ledger: Ledger, job_id: str, signals: Signals) -> None:
        self.signals = signals
        self.error: BaseException | None = None
        self.runner: Runner | None = None
        self._ledger = ledger
        self._job = job_id
        self._ended = threading.Event()
        self._holder = Holder.here()

    @classmethod
    def of(cls, ledger: Ledger, job_id: str) -> Background | None:
        """Give the run of a job that is going on in this process, if there is one."""
        with _lock:
            return _live.get(_key(ledger, job_id))

    @property
    def is_active(self) -> bool:
        """Whether it is going on."""
        return self.runner is not None and not self._ended.is_set()

    def begin(self, make: Callable[[Holder], Runner]) -> Background:
        """Take the job and begin; give the run that is going on here already, if there is one.

        Parameters
        ----------
        make : callable
            Makes the runner for the holder of the lease.

        Raises
        ------
        JobBusyError
            If another process has it.
        """
        with _lock:
            running = _live.get(_key(self._ledger, self._job))
            if running is not None:
                return running
            self._ledger.take(self._job, self._holder)
            try:
                self.runner = make(self._holder)
            except BaseException:
                self._ledger.release(self._job, self._holder)
                raise
            _live[_key(self._ledger, self._job)] = self
        for work, name in ((self._work, "job"), (self._beat, "heartbeat")):
            threading.Thread(target=work, name=f"cupixgeo-{name}-{self._job}", daemon=True).start()
        return self

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended, at most so long [s]; say whether it has."""
        return self._ended.wait(seconds)

    def stop(self, timeout_s: float = LEAVE_S) -> None:
        """Leave the job, and wait [s] until it is left."""
        self.signals.stop()
        if self.is_active:
            self._ended.wait(timeout_s)

    def _work(self) -> None:
        """Run; keep the error for whoever waits."""
        try:
            if self.runner is not None:
                self.runner.run()
        except BaseException as error:  # noqa: BLE001  raised in the thread that waits
            self.error = error
        try:
            self._ledger.release(self._job, self._holder)
        except CupixGeoError as error:
            self.error = self.error or error
        finally:
            with _lock:
                _live.pop(_key(self._ledger, self._job), None)
            self._ended.set()

    def _beat(self) -> None:
        """Give signs of life; notice a wish to cancel from elsewhere."""
        while not self._ended.wait(HEARTBEAT_S):
            try:
                if self._ledger.beat(self._job, self._holder):
                    self.signals.cancel()
            except CupixGeoError as error:
                self.signals.stop(error)
                return


def _key(ledger: Ledger, job_id: str) -> tuple[str, str]:
    return str(ledger.path.absolute()), job_id


def _leave_all() -> None:
    """At the end of the process: let go of the jobs, so that another one can take them at once."""
    with _lock:
        running = list(_live.values())
    for one in running:
        one.signals.stop()
    for one in running:
        one.stop()


atexit.register(_leave_all)
