"""An emulated node, and accounts that never wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cupixgeo.emulator import Emulator
from cupixgeo.services.nodeodm.account import NodeodmAccount
from tests.net.conftest import Pauses
from tests.services.patient import patient_accounts


@pytest.fixture(autouse=True)
def empty_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyring.get_password", lambda service, user: None)


@pytest.fixture
def node(emu: Emulator) -> Any:
    """The emulated node itself: its settings, tasks and images."""
    return emu.service("nodeodm")


@pytest.fixture
def connect(
    emu: Emulator, pauses: Pauses, tmp_path: Path
) -> Iterator[Callable[..., NodeodmAccount]]:
    """Connect to the emulator; pauses let its time go by."""
    with patient_accounts("nodeodm", emu, pauses, tmp_path / "cache") as connect:
        yield connect
