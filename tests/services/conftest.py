"""What the tests of all services need: an emulator, photos, a ledger, children that can be killed.

A service's own `conftest` says how to connect to it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cupixgeo.emulator import Emulator
from tests.net.conftest import Pauses
from tests.services.children import Children
from tests.services.photos import make_photos


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of the test's own, never the user's."""
    folder = tmp_path / "state"
    monkeypatch.setenv("CUPIXGEO_STATE", str(folder))
    return folder


@pytest.fixture(scope="session")
def shared_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("shared") / "photos", 5)


@pytest.fixture
def photos(tmp_path: Path, shared_photos: Path) -> Path:
    """Photos the test may spoil."""
    return shutil.copytree(shared_photos, tmp_path / "photos")


@pytest.fixture
def emu() -> Iterator[Emulator]:
    """An emulator of the test's own."""
    with Emulator(seed=7) as emulator:
        yield emulator


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def account(connect: Callable[..., Any]) -> Any:
    """An account as the service's `connect` gives it."""
    return connect()


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    """Other processes that work on jobs."""
    children = Children(tmp_path)
    yield children
    children.close()
