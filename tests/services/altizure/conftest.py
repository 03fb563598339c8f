"""An emulated Altizure, and accounts that never wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cupixgeo.emulator import Emulator
from cupixgeo.emulator.altizure import AltizureService
from cupixgeo.services.altizure.account import AltizureAccount
from cupixgeo.services.job import Job
from tests.net.conftest import Pauses
from tests.services.patient import patient_accounts
from tests.services.photos import make_photos


@pytest.fixture(scope="package")
def shared_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("altizure") / "photos", 4)


@pytest.fixture
def at(emu: Emulator) -> AltizureService:
    """The emulated service itself."""
    service = emu.service("altizure")
    assert isinstance(service, AltizureService)
    return service


@pytest.fixture
def connect(
    emu: Emulator, pauses: Pauses, tmp_path: Path
) -> Iterator[Callable[..., AltizureAccount]]:
    """Connect to the emulator; pauses let its time go by."""
    with patient_accounts("altizure", emu, pauses, tmp_path / "cache") as connect:
        yield connect


@pytest.fixture
def launch(account: AltizureAccount, photos: Path) -> Iterator[Callable[..., Job]]:
    """Launch a job on small photos, and close it in the end."""
    launched: list[Job] = []

    def launch(by: AltizureAccount = account, **options: Any) -> Job:
        launched.append(by.plan(photos, name="Pier", **options).launch(workers=2))
        return launched[-1]

    yield launch
    for job in launched:
        job.close()
