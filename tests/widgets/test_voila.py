"""The dashboard as a web application: the notebook in Voila, used by clicking."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib

import pytest

from tests.pages.browser import distinct_colours
from tests.widgets.labkit import PATIENCE_S, ROOT, LabPage

COMMAND = re.search(r"bin/(voila .*?) +#", (ROOT / "notebooks" / "README.md").read_text())[1]

ROW = ".cx-table tbody tr[data-index]"


class Voila:
    """A Voila server with the dashboard; as much of a `Lab` as a page needs."""

    def __init__(self, home) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        folders = ("CONFIG", "DATA", "RUNTIME")
        environment = {
            **os.environ,
            **{f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in folders},
            "IPYTHONDIR": str(home / "ipython"),
            "JUPYTER_PATH": str(installed(home / "prefix") / "share" / "jupyter"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "PYTHONWARNINGS": "ignore",
        }
        command = [sys.executable, "-m", *COMMAND.split(), "--no-browser"]
        self._log = home / "voila.log"
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                [*command, f"--port={port}", "--Voila.ip=127.0.0.1"],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self._server.poll() is not None:
                    self.close()
                    raise RuntimeError(self._log.read_text()[-3000:]) from None
                time.sleep(0.1)

    def close(self) -> None:
        self._server.terminate()
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()


def installed(prefix):
    """Put what pip installs outside the package where pip would."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source, to in wheel["shared-data"].items():
        shutil.copytree(ROOT / source, prefix / to)
    return prefix


@pytest.fixture
def voila(tmp_path):
    voila = Voila(tmp_path)
    yield voila
    voila.close()


def test_the_dashboard_is_a_web_application(voila, browser):
    page = LabPage(voila, browser.new_page(viewport={"width": 1280, "height": 1000}))
    try:
        page.page.goto(voila.url)
        page.page.locator(ROW, has_text="Shore west 1").first.click()
        page.wait_for_text(".cx-merge-words", "1 pointcloud selected, 123,404 points")
        page.page.locator(".cx-dashboard .leaflet-container").first.wait_for()
        assert distinct_colours(page.picture(".cx-dashboard")) > 100
        page.page.locator("button.cx-merge").click()
        page.wait_for_text(".cx-result-words", "123,404 points of 123,404 from 1 sources")
        page.page.locator(".cx-launcher button.cx-look").wait_for()
        page.assert_quiet()
    finally:
        page.page.close()
