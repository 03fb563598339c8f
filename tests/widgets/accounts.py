"""Accounts for widgets: on an emulator whose time goes by when somebody waits; nothing waits."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cupixgeo.emulator import Emulator
from cupixgeo.net.settings import NetSettings
from cupixgeo.services import registry

SERVICES = ("flighthub", "altizure", "openscan", "teleport", "nodeodm")
PHOTOS = Path("data/brighton_beach/images").absolute()


def connect(emu: Emulator, service: str, **options: Any) -> Any:
    """Connect so that a pause lets the emulator's time go by instead."""

    def sleep(seconds: float) -> None:
        time.sleep(0.002)
        emu.clock.advance(seconds)

    settings = NetSettings(read_timeout_s=5.0, now=emu.clock.now, sleep=sleep, uniform=lambda: 0.5)
    defaults = {"emulator": emu, "settings": settings}
    return registry.connect(service, **{**defaults, **options})


def few_photos(folder: Path, count: int = 5) -> Path:
    """Copy some of the real photos."""
    folder.mkdir(parents=True)
    for path in sorted(PHOTOS.iterdir())[:count]:
        shutil.copy(path, folder)
    return folder


def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
