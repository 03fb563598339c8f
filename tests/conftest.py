"""What all tests share: the option to try a real service."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live", metavar="SERVICE", help="Also run the live tests of this service.")
