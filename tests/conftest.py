"""What all tests share: the option to try a real service, and a browser."""

from __future__ import annotations

import pytest

from tests.pages.browser import CHROMIUM, FLAGS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live", metavar="SERVICE", help="Also run the live tests of this service.")


@pytest.fixture(scope="session")
def browser():
    """Chromium without a network of its own; Playwright can be started only once a process."""
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        raise RuntimeError(
            f"the page tests need Chromium as {CHROMIUM}: apt-get install chromium, "
            "or leave them out with --ignore=tests/pages --ignore=tests/widgets"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield browser
        browser.close()
