"""Python's collector of cyclic garbage, kept from what it cannot collect.

Compiled code brings some hundred thousand objects that stay as long as the process. Going through
them while they come, and again and again afterwards, took a tenth of the time of a merge of 20
million points.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Load what stays: nothing is collected meanwhile."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def heap_set_aside() -> Iterator[None]:
    """Collect only what is made from here on; at the end everything counts again.

    Does nothing in a process that has set objects aside for good by itself.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
