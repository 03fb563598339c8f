"""An emulated FlightHub, and accounts that never wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cupixgeo.emulator import Emulator
from cupixgeo.services.flighthub.account import FlightHubAccount
from cupixgeo.services.job import Job
from tests.net.conftest import Pauses
from tests.services.patient import patient_accounts


@pytest.fixture
def emu(emu: Emulator) -> Emulator:
    """An emulator of the test's own, whose clouds are small."""
    emu.service("flighthub").rules.every_nth_point = 400
    return emu


@pytest.fixture
def service(emu: Emulator) -> Any:
    return emu.service("flighthub")


@pytest.fixture
def rules(service: Any) -> Any:
    return service.rules


@pytest.fixture
def connect(
    emu: Emulator, pauses: Pauses, tmp_path: Path
) -> Iterator[Callable[..., FlightHubAccount]]:
    """Connect to the emulator; pauses let its time go by."""
    with patient_accounts("flighthub", emu, pauses, tmp_path / "cache") as connect:
        yield connect


@pytest.fixture
def launch(account: FlightHubAccount, photos: Path) -> Iterator[Callable[..., Job]]:
    """Launch a job on small photos, and close it in the end."""
    launched: list[Job] = []

    def launch(
        using: FlightHubAccount | None = None, folder: Path | None = None, **options: Any
    ) -> Job:
        defaults = {"name": "Pier 4", "products": ["las"]}
        plan = (using or account).plan(folder or photos, **{**defaults, **options})
        launched.append(plan.launch(workers=4))
        return launched[-1]

    yield launch
    for job in launched:
        job.close()
