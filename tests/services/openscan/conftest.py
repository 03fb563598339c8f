"""An emulated OpenScanCloud of the test's own, small photos, and accounts that never wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cupixgeo as cx
from cupixgeo.emulator import Emulator
from cupixgeo.net.settings import NetSettings
from cupixgeo.services.openscan.account import OpenScanAccount
from tests.net.conftest import Pauses
from tests.services.jobs.conftest import make_photos


@pytest.fixture(scope="package")
def shared_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("openscan") / "photos", 5)


@pytest.fixture
def photos(tmp_path: Path, shared_photos: Path) -> Path:
    """Five photos the test may spoil."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in shared_photos.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def emu() -> Iterator[Emulator]:
    with Emulator(seed=7) as emulator:
        yield emulator


@pytest.fixture
def connect(
    emu: Emulator, pauses: Pauses, tmp_path: Path
) -> Iterator[Callable[..., OpenScanAccount]]:
    """Connect to the emulator; pauses let its time go by."""
    opened: list[OpenScanAccount] = []

    def sleep(seconds: float) -> None:
        pauses(seconds)
        emu.clock.advance(seconds)

    def connect(**options: Any) -> OpenScanAccount:
        settings = NetSettings(
            read_timeout_s=5.0, now=emu.clock.now, sleep=sleep, uniform=lambda: 0.5
        )
        defaults = {"emulator": emu, "settings": settings, "cache_dir": tmp_path / "cache"}
        opened.append(cx.connect("openscan", **{**defaults, **options}))
        return opened[-1]

    yield connect
    for account in opened:
        account.close()


@pytest.fixture
def account(connect: Callable[..., OpenScanAccount]) -> OpenScanAccount:
    return connect()
