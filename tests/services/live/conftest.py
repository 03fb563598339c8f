"""The way to a real service, and only when it is asked for: ``--live SERVICE``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cupixgeo as cx

PHOTOS = Path(__file__).parents[3] / "data" / "brighton_beach" / "images"


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Collect nothing here unless a service was named: nobody's money is spent by accident."""
    return None if config.getoption("live", None) else True


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Iterator[Any]:
    """An account with the credentials of the environment or the keyring."""
    options = json.loads(os.environ.get("CUPIXGEO_LIVE_CONNECT", "{}"))
    with cx.connect(request.config.getoption("live"), **options) as account:
        yield account


@pytest.fixture
def plan(account: Any) -> Any:
    """A plan for the 18 photos, with the parameters of ``CUPIXGEO_LIVE_PLAN``."""
    options = json.loads(os.environ.get("CUPIXGEO_LIVE_PLAN", "{}"))
    return account.plan(PHOTOS, **{"name": "cupixgeo live test", **options})
