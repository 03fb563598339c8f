"""Bringing a job from its intent to its end, from wherever it stands.

Knows the order of the steps, what is written before and after each, what is looked up after a lost
reply, and how patiently the service is asked. Each step can be the first one of a new process.
Must not know any service.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cupixgeo.errors import (
    CancelledError,
    CupixGeoError,
    JobBusyError,
    JobFailedError,
    RateLimitError,
    StartOverError,
    UnclearJobError,
)
from cupixgeo.net.settings import NetSettings
from cupixgeo.services.driver import JobDriver
from cupixgeo.services.intake import check_unchanged, hash_files
from cupixgeo.services.job_record import LedgerRecord
from cupixgeo.services.job_state import JobState
from cupixgeo.services.job_values import Lookup, RemoteStatus
from cupixgeo.services.ledger import Phase
from cupixgeo.services.uploads import PASSING, Upload, trying_again, wait_after

log = logging.getLogger("cupixgeo.jobs")
T = TypeVar("T")

ROUNDS = 3
"""Rounds of uploading a job may need; a service that loses more uploads is not going to work."""

QUESTIONS = 10
"""Questions in a row that may stay without a good answer before the job is left alone."""


@dataclass(frozen=True)
class Options:
    """How a job is run.

    Parameters
    ----------
    workers : int
        Parts sent at a time.
    start_again : bool
        Whether to create or start once more where the service cannot say if it did.
    """

    workers: int = 4
    start_again: bool = False


@dataclass(frozen=True)
class _Step:
    """A step that must not be done twice, with what is written around it."""

    name: str
    before: Phase
    about: Phase
    after: Phase
    act: Callable[[], None]
    find: Callable[[], Lookup]


class Runner:
    """One run of a job in this process.

    Parameters
    ----------
    record : LedgerRecord
        The job, held by this process.
    driver : JobDriver
        A fresh driver of its service.
    settings : NetSettings
        Patience.
    options : Options
        Workers, and what the user decided.
    """

    def __init__(
        self, record: LedgerRecord, driver: JobDriver, settings: NetSettings, options: Options
    ) -> None:
        self.record = record
        self.driver = driver
        self.settings = settings
        self.options = options
        self.upload: Upload | None = None
        self._signals = record.signals

    def run(self) -> None:
        """Work until the job has ended.

        Raises
        ------
        JobFailedError
            If the service could not make it.
        CancelledError
            If this process was told to leave it; the job can be resumed.
        CupixGeoError
            If something stands in the way; the job can be resumed.
        """
        try:
            self._run()
        except CancelledError:
            raise
        except CupixGeoError as error:
            log.info("job %s stopped: %s", self.record.id, error)
            self.record.ledger.note(self.record.id, "stopped", str(error))
            if isinstance(error, JobFailedError) and self.record.phase is not Phase.ENDED:
                self.record.end(JobState.FAILED, str(error))
            elif not isinstance(error, JobBusyError | JobFailedError):
                self.record.write(message=str(error))
            raise
        finally:
            self.driver.close()

    def _run(self) -> None:
        if self.record.is_cancelling:
            self._signals.cancel()
        try:
            while self.record.phase < Phase.STARTED:
                self._signals.check()
                try:
                    self._advance()
                except StartOverError as error:
                    self._start_over(error)
            self._follow()
        except CancelledError:
            if self._signals.is_stop_wanted:
                raise
            self._cancel()

    # -- until it is started ---------------------------------------------------------------------

    def _advance(self) -> None:
        """Take the next step."""
        record, driver = self.record, self.driver
        uploading = {"state": JobState.UPLOADING.value, "message": ""}
        match record.phase:
            case Phase.WRITTEN:
                record.write(message="reading the files for their checksums")
                hash_files(record, driver.digests, workers=self.options.workers)
                record.mark(Phase.HASHED)
            case Phase.HASHED | Phase.CREATING:
                check_unchanged(record)
                self._once(self._creating(), **uploading)
            case Phase.CREATED:
                record.list_items(driver.items(record))
                record.mark(Phase.LISTED, **uploading)
            case Phase.LISTED:
                check_unchanged(record)
                self.upload = Upload(
                    record, driver, settings=self.settings, workers=self.options.workers
                )
                self.upload.run()
                record.mark(Phase.UPLOADED)
            case Phase.UPLOADED:
                self._patiently(lambda: driver.complete(record))
                record.mark(Phase.COMPLETED)
            case Phase.COMPLETED:
                self._wait_for_uploads()
                record.mark(Phase.CHECKED)
            case _:
                self._once(self._starting(), state=JobState.QUEUED.value, fraction=0.0)

    def _creating(self) -> _Step:
        record, driver = self.record, self.driver
        return _Step(
            "make it ready for the upload",
            Phase.HASHED,
            Phase.CREATING,
            Phase.CREATED,
            lambda: driver.create(record),
            lambda: driver.find_created(record),
        )

    def _starting(self) -> _Step:
        record, driver = self.record, self.driver
        return _Step(
            "start it",
            Phase.CHECKED,
            Phase.STARTING,
            Phase.STARTED,
            lambda: driver.start(record),
            lambda: driver.find_started(record),
        )

    def _once(self, step: _Step, **columns: object) -> None:
        """Do a step once, whatever happened before and whatever happens to its reply."""
        record = self.record
        is_doubtful = record.phase is step.about
        failures, said = 0, {"message": "", **columns}
        while not (is_doubtful and self._is_found(step)):
            self._signals.check()
            record.mark(step.about, **said)
            try:
                step.act()
                break
            except tuple(PASSING) as error:
                failures += 1
                is_doubtful = not isinstance(error, RateLimitError)
                if failures >= self.settings.attempts:
                    raise
                said["message"] = trying_again(error)
                record.write(message=said["message"])
                wait_after(error, failures, self.settings, self._signals.pause)
            except (CancelledError, StartOverError):
                raise
            except CupixGeoError:
                record.mark(step.before)  # an answer: nothing was done
                raise
        record.mark(step.after, **{"message": "", **columns})

    def _is_found(self, step: _Step) -> bool:
        """Look at the service whether a step was done although no reply says so."""
        self._signals.pause(self.driver.settle_s)
        found = self._patiently(step.find)
        self.record.ledger.note(self.record.id, "lookup", f"{step.name}: {found}")
        if found is Lookup.UNCLEAR and not self.options.start_again:
            record = self.record
            record.write(state=JobState.UNKNOWN.value)
            raise UnclearJobError(
                f"{record.intent.service} was asked to {step.name} (job {record.id}, "
                f"{record.intent.tagged_name!r}), no answer came, and it cannot be asked whether "
                "it did. Look at its own pages. If it is not there, go on with "
                f"cx.resume({record.id!r}, start_again=True); if it is, leave this job alone."
            )
        return found is Lookup.FOUND

    def _wait_for_uploads(self) -> None:
        """Wait until the service has looked at all files."""
        pause_s = self.driver.poll.first_s
        while True:
            check = self._patiently(lambda: self.driver.check_uploads(self.record))
            if check.is_ready:
                break
            self.record.write(
                state=JobState.UPLOADING.value,
                message=f"the service has checked {check.done} of {check.total} files",
            )
            self._signals.pause(pause_s)
            pause_s = min(self.driver.poll.longest_s, pause_s * self.driver.poll.factor)
        for name, why in check.rejected:
            self.record.ledger.note(self.record.id, "rejected", f"{name}: {why}")
        number = len(check.rejected)
        self.record.write(message=f"{number} files were rejected" if number else "")

    def _start_over(self, error: StartOverError) -> None:
        if self.record.round + 1 >= ROUNDS:
            raise error
        log.info("job %s starts over: %s", self.record.id, error)
        self.record.ledger.note(self.record.id, "start over", str(error))
        self._patiently(lambda: self.driver.discard(self.record))
        self.record.start_over()

    # -- once it is started ----------------------------------------------------------------------

    def _follow(self) -> None:
        """Ask how it is until it has ended."""
        poll = self.driver.poll
        pause_s = poll.first_s
        before: RemoteStatus | None = None
        while self.record.phase is not Phase.ENDED:
            status = self._patiently(lambda: self.driver.status(self.record))
            for line in status.lines:
                self.record.ledger.note(self.record.id, "log", line)
            if status.state.is_final:
                self._end(status)
                return
            same = before is not None and (status.state, status.fraction) == (
                before.state,
                before.fraction,
            )
            if status != before:
                words = f"{status.state} ({status.service_state})"
                self.record.ledger.note(self.record.id, "state", words)
                self.record.write(
                    state=status.state.value,
                    service_state=status.service_state,
                    fraction=status.fraction or 0.0,
                    eta_s=status.eta_s,
                    message=status.message,
                )
            pause_s = min(poll.longest_s, pause_s * poll.factor) if same else poll.first_s
            before = status
            self._signals.pause(pause_s)

    def _end(self, status: RemoteStatus) -> None:
        """Write how it ended."""
        self.record.write(service_state=status.service_state)
        if status.state is not JobState.FAILED:
            self.record.end(status.state, status.message)
            return
        code = f" (code {status.code})" if status.code else ""
        said = status.message.rstrip(".") or f"it says {status.service_state!r} and no more"
        message = f"{self.record.intent.service} could not make job {self.record.id}{code}: {said}."
        self.record.end(JobState.FAILED, message)
        raise JobFailedError(message)

    def _cancel(self) -> None:
        """Make sure that nothing runs, or goes on running, at the service."""
        record, driver = self.record, self.driver
        self._signals.see_cancel()
        if record.phase is Phase.STARTING and self._is_found(self._starting()):
            record.mark(Phase.STARTED)
        if record.phase < Phase.STARTED:
            if record.phase is Phase.CREATING:
                self._is_found(self._creating())
            if record.phase >= Phase.CREATING:
                self._patiently(lambda: driver.discard(record))
            record.end(JobState.CANCELLED, "cancelled before it was started")
            return
        status = self._patiently(lambda: driver.status(record))
        if not status.state.is_final:
            record.write(message="asked to cancel; waiting until the service confirms it")
            self._patiently(lambda: driver.cancel(record))
        self._follow()

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Do what can be done again, through failures that pass; meanwhile the job says so."""
        failures, said = 0, self.record.row.message
        while True:
            try:
                answer = ask()
                if failures:
                    self.record.write(message=said)
                return answer
            except tuple(PASSING) as error:
                failures += 1
                if failures >= QUESTIONS:
                    raise
                log.debug("job %s: %s", self.record.id, error)
                self.record.write(message=trying_again(error))
                wait_after(error, failures, self.settings, self._signals.pause)
