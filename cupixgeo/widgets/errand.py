"""Something long, done in a thread: a bar, what is being done, a button that stops it.

Knows threads, progress and how often a bar may move. The kernel stays free for other clicks. Must
not know what is done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from html import escape
from typing import Any, TypeVar

import ipywidgets as w

from cupixgeo.errors import CancelledError
from cupixgeo.progress import Progress, ProgressFn
from cupixgeo.widgets.view import View

PAUSE_S = 0.1
"""[s] between two movements of a bar: each is a message to the browser."""

T = TypeVar("T")
Work = Callable[[ProgressFn, threading.Event], T]
"""Does something long; it is given a watcher of progress, and told by the event to stop."""


class Errand(w.HBox):
    """A place for one long thing at a time.

    Parameters
    ----------
    view : View
        Says what goes wrong.
    name : str
        For its style class: ``"merge"`` gives ``cx-merge-errand``.
    """

    def __init__(self, view: View, *, name: str) -> None:
        self._view = view
        self._bar = w.FloatProgress(min=0.0, max=1.0, layout=w.Layout(flex="1 1 8em"))
        self._bar.style = {"bar_color": "var(--cx-accent)"}
        self._words = w.HTML(layout=w.Layout(flex="2 1 12em"))
        self._words.add_class("cx-errand-words")
        self._stop = w.Button(description="Stop", tooltip="Stop this; nothing half done is kept")
        self._stop.add_class("cx-stop")
        self._stop.on_click(lambda button: self.stop())
        super().__init__([self._bar, self._words, self._stop])
        self.add_class("cx-errand")
        self.add_class(f"cx-{name}-errand")
        self.layout.display = "none"
        self._starting = threading.Lock()
        self._cancel = threading.Event()
        self._ended = threading.Event()
        self._ended.set()

    @property
    def is_busy(self) -> bool:
        """Whether something is being done."""
        return not self._ended.is_set()

    @property
    def words(self) -> str:
        """What is being done, in words."""
        return str(self._words.value)

    def begin(
        self,
        what: str,
        work: Work[T],
        then: Callable[[T], None],
        *,
        after: Callable[[], None] | None = None,
    ) -> bool:
        """Do something in a thread.

        Parameters
        ----------
        what : str
            Said beside the bar.
        work : callable
            What is done.
        then : callable
            Called with the result, in the same thread.
        after : callable or None
            Called in the end, also where it failed or was stopped.

        Returns
        -------
        bool
            False where something else is still being done here, and this was not begun.
        """
        with self._starting:
            if self.is_busy:
                return False
            self._ended.clear()
            self._cancel = threading.Event()
        self._bar.value = 0.0
        self._words.value = escape(what)
        self._stop.disabled = False
        self.layout.display = None
        job = (what, self._cancel, work, then, after)
        threading.Thread(target=self._work, args=job, name=f"cupixgeo-{what}", daemon=True).start()
        return True

    def stop(self) -> None:
        """Ask what is being done to stop."""
        self._cancel.set()
        self._stop.disabled = True
        if self.is_busy:
            self._words.value = "Stopping …"

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait [s] until it is done; say whether it is."""
        return self._ended.wait(timeout_s)

    def _work(
        self,
        what: str,
        cancel: threading.Event,
        work: Work[T],
        then: Callable[[T], None],
        after: Callable[[], None] | None,
    ) -> None:
        try:
            with self._view.guard():
                try:
                    then(work(Mover(self._bar, self._words, what, cancel), cancel))
                except CancelledError:
                    self._view.say(f"{what}: stopped.", kind="note")
        finally:
            self.layout.display = "none"
            self._ended.set()
            if after is not None:
                after()


class Mover:
    """A watcher of progress that moves a bar, at most ten times a second.

    Parameters
    ----------
    bar, words : widgets
        What is moved, and where it is said.
    what : str
        What is being done.
    cancel : threading.Event
        Set to stop: the next call raises `CancelledError`.
    """

    def __init__(self, bar: Any, words: Any, what: str, cancel: threading.Event) -> None:
        self._bar, self._words, self._what, self._cancel = bar, words, what, cancel
        self._last = 0.0
        self._lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        if self._cancel.is_set():
            raise CancelledError(f"{self._what}: stopped on request.")
        with self._lock:
            now = time.monotonic()
            if now - self._last < PAUSE_S:
                return
            self._last = now
        self._bar.value = progress.fraction
        self._words.value = escape(f"{self._what}: {words_of(progress)}")


def words_of(progress: Progress) -> str:
    """Say how far something is: ``"download 3.2 of 18.0 MB, model.zip"``."""
    item = f", {progress.item}" if progress.item else ""
    if progress.unit == "bytes":
        done, total = f"{progress.done / 1e6:,.1f}", f"{progress.total / 1e6:,.1f} MB"
    else:
        done, total = f"{progress.done:,}", f"{progress.total:,} {progress.unit}"
    return f"{progress.stage} {f'{done} of {total}' if progress.total else ''}{item}"
