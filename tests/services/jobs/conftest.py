"""The fake service, accounts at it, and jobs that are closed in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cupixgeo.net.settings import NetSettings
from cupixgeo.services import registry
from cupixgeo.services.job import Job
from cupixgeo.services.plan import Plan
from tests.services.fakes.driver import FakeAccount
from tests.services.fakes.service import TOKEN, Service

SETTINGS = NetSettings(backoff_s=0.01, backoff_cap_s=0.02, read_timeout_s=5.0)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake service among the real ones."""
    monkeypatch.setitem(registry.SERVICES, "fake", "tests.services.fakes.driver:FakeAccount")


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
