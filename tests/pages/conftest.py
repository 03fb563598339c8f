"""Pages to open in the browser."""

from __future__ import annotations

import pytest

from tests.pages.browser import open_page

SIZES = {"wide": (1280, 900), "narrow": (390, 844)}


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
