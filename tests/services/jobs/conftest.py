"""The fake service, an account at it, photos, and a ledger of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cupixgeo.net.settings import NetSettings
from cupixgeo.services import registry
from cupixgeo.services.job import Job
from cupixgeo.services.plan import Plan
from tests.services.fakes.driver import FakeAccount
from tests.services.fakes.service import TOKEN, Service

SETTINGS = NetSettings(backoff_s=0.01, backoff_cap_s=0.02, read_timeout_s=5.0)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("CUPIXGEO_STATE", str(folder))
    monkeypatch.setitem(registry.SERVICES, "fake", "tests.services.fakes.driver:FakeAccount")
    return folder


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


@pytest.fixture
def connect(service: Service, tmp_path: Path) -> Iterator[Callable[..., FakeAccount]]:
    opened: list[FakeAccount] = []

    def connect(**options: Any) -> FakeAccount:
        defaults = {
            "base_url": service.api,
            "storage": service.storage,
            "settings": SETTINGS,
            "cache_dir": tmp_path / "cache",
        }
        opened.append(FakeAccount(TOKEN, **{**defaults, **options}))
        return opened[-1]

    yield connect
    for account in opened:
        account.close()


@pytest.fixture
def account(connect: Callable[..., FakeAccount]) -> FakeAccount:
    return connect()


def make_photos(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"P_{number + 1}.jpg", quality=95)
    return folder


@pytest.fixture(scope="session")
def shared_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("shared") / "photos", 5)


@pytest.fixture
def photos(tmp_path: Path, shared_photos: Path) -> Path:
    """Five photos the test may spoil."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in shared_photos.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def plan(account: FakeAccount, photos: Path) -> Callable[..., Plan]:
    def plan(**parameters: Any) -> Plan:
        return account.plan(photos, **{"name": "Pier 4", "part_bytes": 2000, **parameters})

    return plan


@pytest.fixture
def launch(plan: Callable[..., Plan]) -> Iterator[Callable[..., Job]]:
    launched: list[Job] = []

    def launch(*, workers: int = 2, **parameters: Any) -> Job:
        launched.append(plan(**parameters).launch(workers=workers))
        return launched[-1]

    yield launch
    for job in launched:
        job.close()
