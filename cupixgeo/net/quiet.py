"""Keeping libraries quiet about our own requests: their debug lines hold tokens and signatures.

Knows loggers. What the user's own code does with the same libraries is logged as ever.
"""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import ModuleType

_ours: ContextVar[bool] = ContextVar("cupixgeo_library_call", default=False)


@contextmanager
def unlogged() -> Iterator[None]:
    """Let nothing be logged by silenced libraries within the block, in this thread."""
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


@cache
def silence(package: ModuleType) -> None:
    """Make all loggers of a package obey `unlogged`, also those of modules not imported yet."""
    for name in _names(package.__name__, list(getattr(package, "__path__", ()))):
        logging.getLogger(name).addFilter(_not_ours)


def _names(name: str, folders: list[str]) -> Iterator[str]:
    """Yield a package's name and those of all its modules, without importing them."""
    yield name
    for folder in folders:
        for entry in pkgutil.iter_modules([folder]):
            inner = [str(Path(folder) / entry.name)] if entry.ispkg else []
            yield from _names(f"{name}.{entry.name}", inner)


def _not_ours(record: logging.LogRecord) -> bool:
    return not _ours.get()
