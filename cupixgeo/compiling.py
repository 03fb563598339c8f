"""Functions compiled by numba: kept on disk where that can be, announced where it takes time.

A compiled function is made when it is first called, and kept in a folder of numba's: beside its
source, else in the user's cache, or where ``NUMBA_CACHE_DIR`` says. Where none of these can be
written to, it is made anew in every process. What is found on disk costs nothing; what is not
takes seconds, and whoever waits is told, once a process.

Knows numba's cache and its events. Must not know what the functions do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numba as nb
from numba.core import event as events
from numba.core.caching import FunctionCache

log = logging.getLogger("cupixgeo.compiling")

NOTE = "cupixgeo compiles its fast code: ten seconds or so, the first time on this machine only."
NOTE_NOT_KEPT = (
    "cupixgeo compiles its fast code: ten seconds or so, and each time, for there is no folder to "
    "keep it in. Set NUMBA_CACHE_DIR to one that can be written to."
)


def compiled(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Have a function compiled when it is first called, and kept on disk where that can be.

    Parameters
    ----------
    function : callable or None
        In the part of Python that numba compiles. None where options are given: a decorator.
    **options
        Further options of ``numba.njit``.

    Returns
    -------
    Dispatcher or callable
        The function as numba calls it, or what makes one of it.
    """
    if function is None:
        return lambda function: compiled(function, **options)
    kernel: Any = nb.njit(nogil=True, error_model="numpy", **options)(function)
    try:
        kernel._cache = _Cache(function)  # what its enable_caching() does, with numba's own class
    except RuntimeError:  # numba's word for: no folder can be written to
        _announcer.kept = False
    return kernel


inlined = compiled(forceinline=True)
"""The same for a function that becomes a part of those that call it."""


class _Cache(FunctionCache):
    """Keeps what was compiled, unless the disk is full: that is no reason to stop."""

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep one compiled function."""
        with suppress(OSError):
            super().save_overload(sig, data)


class _Announcer(events.Listener):
    """Says that functions of this package are being compiled, when the first one is.

    numba tells of a function only if it was not found on disk.

    Attributes
    ----------
    kept : bool
        Whether what is compiled can be kept on disk.
    """

    def __init__(self) -> None:
        self.kept = True
        self._said = False

    def on_start(self, event: Any) -> None:
        """Be told that a function is going to be compiled."""
        module = event.data["dispatcher"].py_func.__module__
        if not self._said and module.partition(".")[0] == __package__:
            self._said = True
            # A warning is what Python shows where nobody set logging up: scripts and notebooks.
            log.warning(NOTE if self.kept else NOTE_NOT_KEPT)

    def on_end(self, event: Any) -> None:
        """Be told that it is."""


_announcer = _Announcer()
events.register("numba:compile", _announcer)
