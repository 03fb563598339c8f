"""Accounts at an emulated OpenScanCloud that never wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cupixgeo.emulator import Emulator
from cupixgeo.services.openscan.account import OpenScanAccount
from tests.net.conftest import Pauses
from tests.services.patient import patient_accounts


@pytest.fixture
def connect(
    emu: Emulator, pauses: Pauses, tmp_path: Path
) -> Iterator[Callable[..., OpenScanAccount]]:
    """Connect to the emulator; pauses let its time go by."""
    with patient_accounts("openscan", emu, pauses, tmp_path / "cache") as connect:
        yield connect
