"""One JupyterLab server for all tests, one page with one notebook for each."""

from __future__ import annotations

import pytest

from tests.widgets.labkit import Lab, LabPage


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture
def page(lab, browser):
    """A `LabPage`: ``page.run("a cell", "another")``."""
    opened = LabPage(lab, browser.new_page(viewport={"width": 1280, "height": 960}))
    yield opened
    opened.close()
