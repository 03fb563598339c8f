"""A running emulator, and accounts that connect to it without ever waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import cupixgeo as cx
from cupixgeo.emulator import Emulator
from cupixgeo.net.settings import NetSettings
from cupixgeo.services.cupix.account import CupixAccount
from tests.net.conftest import Pauses


@pytest.fixture(scope="package")
def running() -> Iterator[Emulator]:
    with Emulator(seed=7) as emulator:
        yield emulator


@pytest.fixture
def emu(running: Emulator) -> Iterator[Emulator]:
    """The emulator of all tests, without faults and with an empty journal."""
    running.faults.clear()
    running.journal.clear()
    yield running
    running.faults.clear()


@pytest.fixture
def settings(pauses: Pauses) -> NetSettings:
    """Patience without waiting: pauses are written down, jitter is one half."""
    return NetSettings(read_timeout_s=5.0, sleep=pauses, uniform=lambda: 0.5)


@pytest.fixture
def connect(emu: Emulator, settings: NetSettings, tmp_path: Any) -> Iterator[Callable[..., Any]]:
    """Connect to the emulator, with a cache of the test's own."""
    opened = []

    def connect(**options: Any) -> CupixAccount:
        defaults = {"emulator": emu, "settings": settings, "cache_dir": tmp_path / "cache"}
        account: CupixAccount = cx.connect("cupix", **{**defaults, **options})
        opened.append(account)
        return account

    yield connect
    for account in opened:
        account.close()
