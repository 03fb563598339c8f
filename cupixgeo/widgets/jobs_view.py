"""The jobs of an account: those of this process, of other ones, and those nobody works on.

Knows the ledger. One thread looks at it while anything can change, and sets traits. Must not know
any service.
"""

from __future__ import annotations

import threading

import ipywidgets as w

from cupixgeo.services.base import JobAccount
from cupixgeo.services.job import Job
from cupixgeo.services.jobs import find_job
from cupixgeo.services.ledger import Ledger
from cupixgeo.widgets.job_card import JobCard, Show
from cupixgeo.widgets.view import View

LOOK_S = 0.25
"""[s] between two looks at the ledger."""

PAST = 5
"""Jobs that have ended which are still listed."""


class Jobs(w.VBox):
    """Cards of an account's jobs, the newest first.

    Parameters
    ----------
    view : View
        Says what goes wrong.
    account : JobAccount
        Whose jobs.
    show : callable
        Shows the results of a job.
    """

    def __init__(self, view: View, account: JobAccount, show: Show) -> None:
        self._view, self._account, self._show = view, account, show
        self.ledger = Ledger()
        self.cards: dict[str, JobCard] = {}
        self._lock = threading.RLock()
        self._watching: threading.Thread | None = None
        self._closing = threading.Event()
        self._words = w.HTML()
        self._words.add_class("cx-jobs-words")
        self._look = w.Button(description="Refresh", tooltip="Read the list of jobs again")
        self._look.add_class("cx-refresh")
        self._look.on_click(lambda button: self.refresh())
        self._bar = w.HBox([self._words, self._look])
        self._bar.add_class("cx-jobs-bar")
        super().__init__([self._bar])
        self.add_class("cx-jobs")
        self.refresh()

    def refresh(self) -> None:
        """Read the ledger: new jobs get a card, those that ended long ago lose theirs."""
        with self._view.guard(), self._lock:
            rows = [row for row in self.ledger.rows() if self._is_ours(row.origin)]
            over = [row.id for row in rows if row.state.is_final][PAST:]
            for row in rows:
                if row.id not in self.cards and row.id not in over:
                    self._add(find_job(row.id, account=self._account, ledger=self.ledger))
            shown = [row.id for row in rows if row.id in self.cards]
            for card in self.cards.values():
                card.refresh()
            self.children = (self._bar, *(self.cards[id] for id in shown))
            self._words.value = self._told(len(rows), len(shown))
        self._watch()

    def add(self, job: Job) -> JobCard:
        """Show a job that was just launched, above the others."""
        with self._lock:
            card = self._add(job)
            self.children = (self._bar, card, *self.children[1:])
            self._words.value = ""
        self._watch()
        return card

    def wait(self, timeout_s: float) -> bool:
        """Wait [s] until nothing is worked on in this process; say whether that is so."""
        with self._lock:
            thread = self._watching
        if thread is not None:
            thread.join(timeout_s)
        return self._watching is None

    def close(self) -> None:
        """Stop looking. Jobs go on."""
        self._closing.set()
        if not any(card.job.is_active for card in self.cards.values()):
            self.ledger.close()
        super().close()

    def _add(self, job: Job) -> JobCard:
        card = JobCard(self._view, job, self.ledger, self._show, self._watch)
        self.cards[job.id] = card
        return card

    def _is_ours(self, origin: object) -> bool:
        account = self._account
        place = getattr(origin, "service", ""), getattr(origin, "base_url", "")
        return place == (account.service, account.base_url)

    def _told(self, known: int, shown: int) -> str:
        if not known:
            return "No job was launched from this machine with this account."
        return f"The last {shown} of {known} jobs; cx.jobs() has them all." if known > shown else ""

    # -- watching --------------------------------------------------------------------------------

    def _watch(self) -> None:
        """See to it that somebody looks while there is something to see."""
        with self._lock:
            if self._watching is None and not self._closing.is_set() and self._has_work():
                self._watching = threading.Thread(
                    target=self._look_on, name="cupixgeo-watch-jobs", daemon=True
                )
                self._watching.start()

    def _has_work(self) -> bool:
        """Whether a job is worked on, here or elsewhere, or something about one is being done."""
        return any(card.is_watched for card in self.cards.values())

    def _look_on(self) -> None:
        """Look until nothing can change any more, or looking fails, which is said."""
        try:
            with self._view.guard():
                while not self._closing.wait(LOOK_S):
                    for card in list(self.cards.values()):
                        if card.is_live:
                            card.refresh()
                    with self._lock:
                        if not self._has_work():
                            self._watching = None
                            return
        finally:
            with self._lock:
                if self._watching is threading.current_thread():
                    self._watching = None
