"""Python's collector of cyclic garbage, kept from what it cannot collect.

Compiled code brings some hundred thousand objects that stay as long as the process, and every
input of a merge some that stay as long as the merge. Going through all of them again and again
took a tenth of the time of a merge of 20 million points.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_under_way = 0


@contextmanager
def collector_paused() -> Iterator[None]:
    """Make what stays: nothing is collected meanwhile."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def heap_set_aside() -> Iterator[None]:
    """Collect only what is made from here on; when the last such block ends, everything again.

    Blocks may lie in one another and in several threads. Does nothing in a process that has set
    objects aside for good.
    """
    global _under_way
    with _lock:
        ours = _under_way > 0 or gc.get_freeze_count() == 0
        if ours:
            _under_way += 1
            gc.freeze()
    try:
        yield
    finally:
        if ours:
            with _lock:
                _under_way -= 1
                if _under_way == 0:
                    gc.unfreeze()
