"""Clouds on their way to a map: large ones are read on a thread, and the map says how far it is.

Knows threads. Must not know what is drawn of a cloud.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from cupixgeo.errors import CancelledError
from cupixgeo.progress import Progress, ProgressFn
from cupixgeo.widgets.map_area import Lock
from cupixgeo.widgets.map_stock import Stock
from cupixgeo.widgets.reading import AT_ONCE_S, in_words


class Reading:
    """Reads what waits in a stock, one cloud after the other.

    Parameters
    ----------
    stock : Stock
        What the map has.
    lock : threading.RLock
        Held while something changes.
    told : callable
        Called with words on how far it is, empty in the end; in a thread.
    arrived : callable
        Called with the name of a thing that is there, with the lock held; in a thread.
    """

    def __init__(
        self,
        stock: Stock,
        lock: Lock,
        *,
        told: Callable[[str], None],
        arrived: Callable[[str], None],
    ) -> None:
        self._stock, self._lock = stock, lock
        self._told, self._arrived = told, arrived
        self._thread: Thread | None = None

    def begin(self, guarded: Callable[[Callable[[], None]], Callable[[], None]]) -> None:
        """Read what waits; what is quick is there when this returns.

        Parameters
        ----------
        guarded : callable
            Wraps what runs on the thread so that its errors are said: `View.guarded`.
        """
        with self._lock:
            if not self._stock.waiting:
                return
            if self._thread is None:
                self._thread = Thread(target=guarded(self._run), daemon=True, name="cx-map-read")
                self._thread.start()
        self.wait(AT_ONCE_S)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait [s] until nothing waits to be read; say whether that is so."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    def _run(self) -> None:
        try:
            while name := self._next():
                if self._stock.read(name, self._progress(name)):
                    with self._lock:
                        self._arrived(name)
        finally:
            self._thread = None
            self._told("")

    def _next(self) -> str:
        with self._lock:
            waiting = self._stock.waiting
            if not waiting:
                self._thread = None  # before anything new can be put in the queue
            return waiting[0] if waiting else ""

    def _progress(self, name: str) -> ProgressFn:
        self._told(f"Reading {name}")
        thing, say = self._stock.things.get(name), in_words(name, self._told)

        def told(step: Progress) -> None:
            if self._stock.things.get(name) is not thing:
                raise CancelledError(f"{name} is not on the map any more.")
            say(step)

        return told
