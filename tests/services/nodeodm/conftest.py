"""An emulated node of the test's own, small photos, and accounts that never wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cupixgeo as cx
from cupixgeo.emulator import Emulator
from cupixgeo.net.settings import NetSettings
from cupixgeo.services.nodeodm.account import NodeodmAccount
from tests.services.jobs.conftest import make_photos


@pytest.fixture(scope="package")
def shared_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("nodeodm") / "photos", 5)


@pytest.fixture
def photos(tmp_path: Path, shared_photos: Path) -> Path:
    """Five photos the test may spoil."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in shared_photos.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of the test's own, and an empty keyring."""
    monkeypatch.setattr("keyring.get_password", lambda service, user: None)
    monkeypatch.setenv("CUPIXGEO_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def emu() -> Iterator[Emulator]:
    with Emulator(seed=7) as emulator:
        yield emulator


@pytest.fixture
def node(emu: Emulator) -> Any:
    """The emulated node itself: its settings, tasks and images."""
    return emu.service("nodeodm")


@pytest.fixture
def connect(emu: Emulator, tmp_path: Path) -> Iterator[Callable[..., NodeodmAccount]]:
    """Connect to the emulator; pauses let its time go by."""
    opened: list[NodeodmAccount] = []

    def connect(**options: Any) -> NodeodmAccount:
        settings = NetSettings(
            read_timeout_s=5.0, now=emu.clock.now, sleep=emu.clock.advance, uniform=lambda: 0.5
        )
        defaults = {"emulator": emu, "settings": settings, "cache_dir": tmp_path / "cache"}
        opened.append(cx.connect("nodeodm", **{**defaults, **options}))
        return opened[-1]

    yield connect
    for account in opened:
        account.close()


@pytest.fixture
def account(connect: Callable[..., NodeodmAccount]) -> NodeodmAccount:
    return connect()
