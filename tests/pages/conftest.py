"""A browser for the pages, and pages to open in it."""

from __future__ import annotations

import pytest

from tests.pages.browser import CHROMIUM, FLAGS, open_page

SIZES = {"wide": (1280, 900), "narrow": (390, 844)}


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        raise RuntimeError(
            f"the page tests need Chromium as {CHROMIUM}: apt-get install chromium, "
            "or leave them out with --ignore=tests/pages"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def show(browser):
    """Open a file: ``show(path, size="wide", scheme="light")``."""
    contexts = []

    def show(path, *, size="wide", scheme="light"):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        return open_page(context, path)

    yield show
    for context in contexts:
        context.close()
