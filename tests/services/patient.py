"""Accounts on an emulator that never wait: a pause lets the emulator's time go by instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cupixgeo as cx
from cupixgeo.emulator import Emulator
from cupixgeo.net.settings import NetSettings
from tests.net.conftest import Pauses


@contextmanager
def patient_accounts(
    service: str, emu: Emulator, pauses: Pauses, cache_dir: Path
) -> Iterator[Callable[..., Any]]:
    """Give a function that connects; what it opened is closed in the end."""
    opened: list[Any] = []

    def sleep(seconds: float) -> None:
        pauses(seconds)
        emu.clock.advance(seconds)

    def connect(**options: Any) -> Any:
        settings = NetSettings(
            read_timeout_s=5.0, now=emu.clock.now, sleep=sleep, uniform=lambda: 0.5
        )
        defaults = {"emulator": emu, "settings": settings, "cache_dir": cache_dir}
        opened.append(cx.connect(service, **{**defaults, **options}))
        return opened[-1]

    yield connect
    for account in opened:
        account.close()
