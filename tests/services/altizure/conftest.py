"""An emulated Altizure of the test's own, small photos, and accounts that never wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cupixgeo.emulator import Emulator
from cupixgeo.emulator.altizure import AltizureService
from cupixgeo.services.altizure.account import AltizureAccount
from tests.net.conftest import Pauses
from tests.services.jobs.conftest import make_photos
from tests.services.patient import patient_accounts


@pytest.fixture(scope="package")
def shared_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("altizure") / "photos", 4)


@pytest.fixture
def photos(tmp_path: Path, shared_photos: Path) -> Path:
    """Four photos the test may spoil."""
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
def at(emu: Emulator) -> AltizureService:
    """The emulated service itself."""
    service = emu.service("altizure")
    assert isinstance(service, AltizureService)
    return service


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of the test's own."""
    monkeypatch.setenv("CUPIXGEO_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def connect(
    emu: Emulator, pauses: Pauses, tmp_path: Path
) -> Iterator[Callable[..., AltizureAccount]]:
    """Connect to the emulator; pauses let its time go by."""
    with patient_accounts("altizure", emu, pauses, tmp_path / "cache") as connect:
        yield connect


@pytest.fixture
def account(connect: Callable[..., AltizureAccount]) -> AltizureAccount:
    return connect()
