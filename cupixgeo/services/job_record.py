"""A job as drivers and the runner see it: kept in the ledger, written by one process.

Knows which writes have to be on disk before a request is sent. Must not know any service.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cupixgeo.services.job_state import JobState
from cupixgeo.services.job_values import Intent, Json
from cupixgeo.services.lease import Holder
from cupixgeo.services.ledger import JobRow, Ledger, Phase
from cupixgeo.services.ledger_files import (
    Totals,
    Waiting,
    insert_items,
    mark_part,
    sent_parts,
    upload_totals,
    waiting_parts,
    write_digests,
)
from cupixgeo.services.signals import Signals
from cupixgeo.services.upload_values import Receipt, Sent, UploadItem

_DURABLE = frozenset({Phase.CREATING, Phase.CREATED, Phase.STARTING, Phase.STARTED, Phase.ENDED})


class LedgerRecord:
    """A `JobRecord` that lives in the ledger.

    Parameters
    ----------
    ledger : Ledger
        Where it is.
    job_id : str
        Which job.
    holder : Holder or None
        Who writes; None for one that only looks and collects.
    signals : Signals
        Wishes of whoever watches.
    """

    def __init__(
        self,
        ledger: Ledger,
        job_id: str,
        *,
        holder: Holder | None = None,
        signals: Signals | None = None,
    ) -> None:
        self.ledger = ledger
        self.signals = signals or Signals()
        self._holder = holder
        self._lock = threading.Lock()
        self._row = ledger.row(job_id)
        self._remote = dict(self._row.remote)

    @property
    def id(self) -> str:
        """The job's id in the ledger."""
        return self._row.id

    @property
    def intent(self) -> Intent:
        """What is to be done."""
        return self._row.intent

    @property
    def remote(self) -> Mapping[str, Json]:
        """What is known of the job at the service."""
        with self._lock:
            return dict(self._remote)

    @property
    def round(self) -> int:
        """How often the job had to start over."""
        return self._row.round

    @property
    def is_cancelling(self) -> bool:
        """Whether the user asked to cancel."""
        return self._row.is_cancelling or self.signals.is_cancel_wanted

    @property
    def phase(self) -> Phase:
        """How far the work has come."""
        return self._row.phase

    @property
    def row(self) -> JobRow:
        """The job as it was when last read or written here."""
        return self._row

    def save(self, **remote: Json) -> None:
        """Add to what is known of the job at the service; on disk when it returns."""
        with self._lock:
            merged = {**self._remote, **remote}
            self.ledger.update(self.id, self._holder, durable=True, remote=merged)
            self._remote = merged

    def sent(self) -> Iterator[Sent]:
        """Yield the parts that have receipts, in order."""
        return sent_parts(self.ledger.database, self.id)

    def note(self, text: str) -> None:
        """Write an event for people into the job's history."""
        self.ledger.note(self.id, "note", text)

    def check(self) -> None:
        """Raise `CancelledError` if work is to stop."""
        self.signals.check()

    # -- for the runner --------------------------------------------------------------------------

    def mark(self, phase: Phase, **columns: Any) -> None:
        """Write how far the work has come."""
        self.write(phase=phase.name, durable=phase in _DURABLE, **columns)
        self.ledger.note(self.id, "phase", phase.name.lower())

    def write(self, *, durable: bool = False, **columns: Any) -> None:
        """Write columns of the job."""
        self.ledger.update(self.id, self._holder, durable=durable, **columns)
        self._row = self.ledger.row(self.id)

    def end(self, state: JobState, message: str) -> None:
        """Write that the job has ended."""
        done = state is JobState.DONE
        columns = {"fraction": 1.0} if done else {}
        self.mark(Phase.ENDED, state=state.value, message=message, eta_s=None, **columns)

    def write_digests(self, found: Iterable[tuple[int, int, Mapping[str, str]]]) -> None:
        """Write hashes of files."""
        with self.ledger.holding(self.id, self._holder) as connection:
            write_digests(connection, self.id, found)

    def list_items(self, items: Iterable[UploadItem]) -> None:
        """Write the items to send."""
        with self.ledger.holding(self.id, self._holder) as connection:
            insert_items(connection, self.id, items)

    def start_over(self) -> None:
        """Forget what was sent and made: the next round begins."""
        with self._lock:
            with self.ledger.holding(self.id, self._holder, durable=True) as connection:
                insert_items(connection, self.id, ())
                connection.execute(
                    "UPDATE jobs SET remote = '{}', round = round + 1, phase = ? WHERE id = ?",
                    (Phase.HASHED.name, self.id),
                )
            self._remote = {}
            self._row = self.ledger.row(self.id)

    def waiting(self) -> Iterator[Waiting]:
        """Yield the parts that still have to be sent."""
        return waiting_parts(self.ledger.database, self.id)

    def mark_part(self, waiting: Waiting, receipt: Receipt | None) -> bool:
        """Write that a part is about to be sent, or was; say whether its item is whole now."""
        with self.ledger.holding(self.id, self._holder) as connection:
            return mark_part(connection, self.id, waiting, receipt)

    def totals(self) -> Totals:
        """Add up what was sent."""
        return upload_totals(self.ledger.database, self.id)
