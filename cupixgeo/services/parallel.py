"""The same work on many things, in a few threads.

Knows threads that end with the process and take the next thing when they are ready, so that a list
of any length costs nothing. Must not know what the work is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def in_parallel(things: Iterable[T], work: Callable[[T], None], *, workers: int) -> None:
    """Do `work` for each thing; stop at the first failure, when what was begun has ended.

    Parameters
    ----------
    things : iterable
        Read by one thread at a time, one thing ahead of nobody.
    work : callable
        Called with a thing, from several threads.
    workers : int
        How many.

    Raises
    ------
    BaseException
        The first that `work` or `things` raised.
    """
    feed = iter(things)
    lock = threading.Lock()
    failures: list[BaseException] = []

    def run() -> None:
        while True:
            with lock:
                if failures:
                    return
                try:
                    thing = next(feed)
                except StopIteration:
                    return
                except BaseException as error:  # noqa: BLE001  raised again below
                    failures.append(error)
                    return
            try:
                work(thing)
            except BaseException as error:  # noqa: BLE001  raised again below
                with lock:
                    failures.append(error)
                return

    threads = [
        threading.Thread(target=run, name=f"cupixgeo-work-{number}", daemon=True)
        for number in range(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
