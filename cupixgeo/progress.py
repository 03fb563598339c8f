"""Progress as data: what long work tells whoever watches it.

A producer calls a plain function with a `Progress`; a terminal bar, a widget trait and a test
are all such functions. Nothing here knows how progress is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One step of long work.

    Parameters
    ----------
    stage : str
        What is being done, one word where possible: ``"list"``, ``"download"``, ``"merge"``.
    done, total : int
        How much of it, in `unit`; `total` is 0 while it is not known.
    unit : str
        ``"points"``, ``"bytes"``, ``"files"``, ``"rows"``.
    item : str
        The object being worked on.
    """

    stage: str
    done: int
    total: int
    unit: str = "points"
    item: str = ""

    @property
    def fraction(self) -> float:
        """Share done, 0 to 1; 0 while the total is not known."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


ProgressFn = Callable[[Progress], None]
"""A watcher of progress. It is called from the working thread and must return quickly."""
