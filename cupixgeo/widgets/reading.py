"""Words on how far the reading of a cloud is, a few times a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from cupixgeo.progress import Progress, ProgressFn

AT_ONCE_S = 2.0
"""What is done in this time is there when the cell is done [s]."""

PAUSE_S = 0.2
"""[s] between two messages: each goes to the browser."""


def in_words(name: str, tell: Callable[[str], None]) -> ProgressFn:
    """Make a watcher of progress that puts it into words.

    Parameters
    ----------
    name : str
        Of the cloud.
    tell : callable
        Called with the words, in the thread that reads.
    """
    last = time.monotonic()

    def told(step: Progress) -> None:
        nonlocal last
        if time.monotonic() - last > PAUSE_S:
            last = time.monotonic()
            done, total = step.done / 1e6, step.total / 1e6
            tell(f"Reading {name}: {done:.1f} of {total:.1f} million points")

    return told
