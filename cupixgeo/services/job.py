"""A job in somebody's hands: watch it, wait for it, cancel it, collect what it made.

The work goes on in the background while the process lives, and another process can go on with it
when this one has ended. Must not know any service.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

import pandas as pd

from cupixgeo.errors import (
    ArgumentError,
    CancelledError,
    JobBusyError,
    JobError,
    JobFailedError,
    NotReadyError,
)
from cupixgeo.progress import ProgressFn
from cupixgeo.services.background import LEAVE_S, Background
from cupixgeo.services.job_record import LedgerRecord
from cupixgeo.services.job_show import history_table, job_html, job_text
from cupixgeo.services.job_state import JobProgress, JobState
from cupixgeo.services.lease import Holder
from cupixgeo.services.ledger import JobRow, Ledger, Phase
from cupixgeo.services.ledger_files import Totals, upload_totals
from cupixgeo.services.results import Collector, Results, inventory_table
from cupixgeo.services.runner import Options, Runner
from cupixgeo.services.signals import Signals

if TYPE_CHECKING:
    import xarray as xr

    from cupixgeo.services.base import JobAccount

_LOOK_S = 0.25


class Job:
    """A reconstruction at a service, written down in the ledger.

    Made by ``plan.launch()`` and ``cx.resume(id)``.

    Parameters
    ----------
    ledger : Ledger
        Where it is written down.
    job_id : str
        Which.
    account : JobAccount
        The account it belongs to.
    closes : sequence
        What was opened for it and is closed with it: ledger, account.
    """

    def __init__(
        self,
        ledger: Ledger,
        job_id: str,
        account: JobAccount,
        *,
        closes: Sequence[JobAccount | Ledger] = (),
    ) -> None:
        self._ledger = ledger
        self._account = account
        self._closes = closes
        row = ledger.row(job_id)
        if account.service != row.intent.service:
            raise ArgumentError(
                f"job {job_id} is one of {row.intent.service}, and the account is one of "
                f"{account.service}: give an account of {row.intent.service}."
            )
        self.id = row.id
        self.name = row.intent.name
        self.service = row.intent.service
        self._run: Background | None = Background.of(ledger, job_id)

    # -- working on it ---------------------------------------------------------------------------

    def run(self, options: Options | None = None) -> Job:
        """Work on the job in the background of this process, from where it stands.

        Returns
        -------
        Job
            Itself. Where this process is working on it already, that work goes on; a job that
            has ended is left as it is.

        Raises
        ------
        JobBusyError
            If another process is working on it.
        """
        if self.state.is_final:
            return self
        signals = Signals(self._account.settings)

        def make(holder: Holder) -> Runner:
            record = LedgerRecord(self._ledger, self.id, holder=holder, signals=signals)
            account = self._account
            return Runner(record, account.driver(), account.settings, options or Options())

        self._run = Background(self._ledger, self.id, signals).begin(make)
        return self

    def stop(self, timeout_s: float = LEAVE_S) -> None:
        """Leave the job alone in this process. The service goes on; ``cx.resume(id)`` does too.

        Parameters
        ----------
        timeout_s : float
            [s] to wait for requests that are on their way.
        """
        if self._run is not None:
            self._run.stop(timeout_s)

    def close(self) -> None:
        """Leave the job alone, and close what was opened for it."""
        self.stop()
        for opened in self._closes:
            opened.close()

    # -- watching it -----------------------------------------------------------------------------

    @property
    def state(self) -> JobState:
        """What the job is doing, as last written down."""
        return self._ledger.row(self.id).state

    @property
    def is_active(self) -> bool:
        """Whether this process is working on it."""
        return self._run is not None and self._run.is_active

    def progress(self) -> JobProgress:
        """Say how far it is. Asks nobody: the background work does that."""
        row = self._ledger.row(self.id)
        runner = self._run.runner if self._run is not None and self._run.is_active else None
        upload = runner.upload if runner is not None else None
        is_sending = upload is not None and row.phase is Phase.LISTED
        totals = upload.totals if upload is not None and is_sending else self._totals(row)
        fraction, eta_s = row.fraction, row.eta_s
        if row.state is JobState.UPLOADING:
            fraction = totals.bytes_done / totals.bytes_total if totals.bytes_total else 0.0
            eta_s = upload.eta_s if upload is not None and is_sending else None
        return JobProgress(
            state=row.state,
            service_state=row.service_state,
            bytes_done=totals.bytes_done,
            bytes_total=totals.bytes_total or row.intent.bytes,
            files_done=totals.files_done,
            files_total=totals.files_total or len(row.intent.files),
            fraction=fraction,
            eta_s=eta_s,
            message=row.message,
        )

    def wait(
        self,
        timeout_s: float | None = None,
        *,
        watch: Callable[[JobProgress], None] | None = None,
    ) -> JobProgress:
        """Wait until it has ended.

        Parameters
        ----------
        timeout_s : float or None
            [s] to wait at most; None as long as it takes.
        watch : callable
            Called with the progress a few times a second.

        Returns
        -------
        JobProgress
            State ``done`` or ``cancelled``; any other one if the time was up.

        Raises
        ------
        JobFailedError
            If the service could not make it.
        CupixGeoError
            What made this process leave it; it can be resumed.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        run = self._run
        while run is not None and run.is_active and (end is None or time.monotonic() < end):
            run.wait(_LOOK_S if end is None else min(_LOOK_S, max(0.0, end - time.monotonic())))
            if watch is not None:
                watch(self.progress())
        if not self.is_active:
            self._raise_error()
        return self.progress()

    def history(self) -> pd.DataFrame:
        """List what happened to it: time (UTC), kind and text."""
        return history_table(self._ledger.events(self.id))

    # -- ending it -------------------------------------------------------------------------------

    def cancel(self, timeout_s: float = 120.0) -> JobProgress:
        """Stop it at the service, and wait until the service confirms that.

        A job another process is working on is cancelled by that process.

        Parameters
        ----------
        timeout_s : float
            [s] to wait for the confirmation.

        Returns
        -------
        JobProgress
            ``cancelled``; ``done`` or ``failed`` where it ended first.

        Raises
        ------
        JobError
            If it is not confirmed in time: it may go on, and cost.
        CupixGeoError
            If the service cannot be asked.
        """
        if not self.state.is_final:
            self._ledger.update(self.id, None, cancelling=1)
            other = ""
            try:
                self.run()
            except JobBusyError as error:
                other = f" {error}"
            if self._run is not None:
                self._run.signals.cancel()
            end = time.monotonic() + timeout_s
            while not self.state.is_final and time.monotonic() < end and (other or self.is_active):
                time.sleep(_LOOK_S) if self._run is None else self._run.wait(_LOOK_S)
            if not self.state.is_final:
                self._refuse_cancel(timeout_s, other)
        return self.progress()

    # -- collecting ------------------------------------------------------------------------------

    def inventory(self) -> pd.DataFrame:
        """List what can be fetched: name, kind and bytes, without fetching it.

        Raises
        ------
        NotReadyError
            If it is not done.
        """
        self._refuse_unfinished()
        with closing(self._account.driver()) as driver:
            return inventory_table(driver.products(self._record()))

    def results(
        self,
        to: str | os.PathLike[str],
        *,
        kinds: Collection[str] | None = None,
        progress: ProgressFn | None = None,
    ) -> Results:
        """Fetch what it made, checked, archives unpacked.

        What is in the folder already, whole, is not fetched again.

        Parameters
        ----------
        to : path
            Folder; made if its parent exists.
        kinds : collection of str or None
            Kinds of products (``inventory().kind``) to fetch; None for all.
        progress : callable
            Watcher; stages ``"download"`` and ``"unpack"``.

        Returns
        -------
        Results

        Raises
        ------
        NotReadyError
            If it is not done.
        TransferError, ArchiveError, OutputError, ServiceError
            If something cannot be fetched, unpacked or written.
        """
        self._refuse_unfinished()
        with closing(self._account.driver()) as driver:
            return Collector(self._record(), driver, progress=progress).collect(Path(to), kinds)

    def open_pointcloud(
        self, name: str | None = None, *, to: str | os.PathLike[str] | None = None
    ) -> xr.Dataset:
        """Open a point cloud it made, with the CRS it was made in.

        Parameters
        ----------
        name : str or None
            Which, if there are several (see `Results.open_pointcloud`).
        to : path or None
            Folder for the results; None takes the one they were collected in before, else the
            account's cache.

        Returns
        -------
        xarray.Dataset
            As `cupixgeo.open`.

        Raises
        ------
        NotReadyError, EmptyCloudError
            If it is not done, or made no point cloud that can be read.
        """
        self._refuse_unfinished()
        folder = self._ledger.row(self.id).folder
        with closing(self._account.driver()) as driver:
            collector = Collector(self._record(), driver)
            found = collector.read_again(Path(folder)) if to is None and folder else None
            if found is None:
                found = collector.collect(Path(to) if to is not None else self._cache())
            return found.open_pointcloud(name)

    # -- itself ----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return job_text(self.id, self.name, self.service, self.progress())

    def _repr_html_(self) -> str:
        return job_html(self.id, self.name, self.service, self.progress())

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a Job is not pickled: use cx.resume({self.id!r}) in the other process")

    # -- small things ----------------------------------------------------------------------------

    def _raise_error(self) -> None:
        error = self._run.error if self._run is not None else None
        if isinstance(error, CancelledError) and self.state.is_final:
            return
        if error is not None:
            raise error
        row = self._ledger.row(self.id)
        if row.state is JobState.FAILED:
            raise JobFailedError(row.message)
        if not row.state.is_final:
            by = f" It is worked on by {row.lease.holder}." if row.lease else ""
            raise JobError(
                f"this process is not working on job {self.id}.{by} Use cx.resume({self.id!r})."
            )

    def _refuse_cancel(self, timeout_s: float, other: str) -> NoReturn:
        error = self._run.error if self._run is not None and not self._run.is_active else None
        if error is not None:
            raise error
        raise JobError(
            f"job {self.id} was asked to cancel and {self.service} has not confirmed it in "
            f"{timeout_s:.0f} s; its state is {self.state}. It may go on, and cost: ask again, or "
            f"look at the service's own pages.{other}"
        )

    def _record(self) -> LedgerRecord:
        return LedgerRecord(self._ledger, self.id)

    def _totals(self, row: JobRow) -> Totals:
        return upload_totals(self._ledger.database, row.id)

    def _refuse_unfinished(self) -> None:
        row = self._ledger.row(self.id)
        if row.state is JobState.DONE:
            return
        what = {
            JobState.FAILED: "It failed, and made nothing: launch another one.",
            JobState.CANCELLED: "It was cancelled, and made nothing: launch another one.",
        }.get(row.state, "Wait for it with job.wait().")
        raise NotReadyError(
            f"job {self.id} ({self.name}) is {row.state}, so there are no results. {what}",
            service=self.service,
        )

    def _cache(self) -> Path:
        folder = self._account.cache_dir / "jobs"
        folder.mkdir(exist_ok=True)
        return folder / self.id
