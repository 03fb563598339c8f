"""An emulated FlightHub of the test's own, small photos, and accounts that never wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cupixgeo.emulator import Emulator
from cupixgeo.services.flighthub.account import FlightHubAccount
from tests.net.conftest import Pauses
from tests.services.jobs.conftest import make_photos
from tests.services.patient import patient_accounts


@pytest.fixture(scope="package")
def shared_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("flighthub") / "photos", 5)


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
        emulator.service("flighthub").rules.every_nth_point = 400
        yield emulator


@pytest.fixture
def service(emu: Emulator) -> Any:
    return emu.service("flighthub")


@pytest.fixture
def rules(service: Any) -> Any:
    return service.rules


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of the test's own."""
    folder = tmp_path / "state"
    monkeypatch.setenv("CUPIXGEO_STATE", str(folder))
    return folder


@pytest.fixture
def connect(
    emu: Emulator, pauses: Pauses, tmp_path: Path
) -> Iterator[Callable[..., FlightHubAccount]]:
    """Connect to the emulator; pauses let its time go by."""
    with patient_accounts("flighthub", emu, pauses, tmp_path / "cache") as connect:
        yield connect


@pytest.fixture
def account(connect: Callable[..., FlightHubAccount]) -> FlightHubAccount:
    return connect()
