"""Accounts at an emulated Teleport that never wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cupixgeo.emulator import Emulator
from cupixgeo.services.teleport.account import TeleportAccount
from tests.net.conftest import Pauses
from tests.services.patient import patient_accounts


@pytest.fixture
def connect(
    emu: Emulator, pauses: Pauses, tmp_path: Path
) -> Iterator[Callable[..., TeleportAccount]]:
    """Connect to the emulator; pauses let its time go by."""
    with patient_accounts("teleport", emu, pauses, tmp_path / "cache") as connect:
        yield connect
