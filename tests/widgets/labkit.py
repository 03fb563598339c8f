"""A real JupyterLab in a real browser: a server of its own, notebooks run as a user would run them.

The server's settings, workspaces, IPython folder and signatures live in a temporary folder; the
browser reaches no address but the server's. Wait for *texts* that Python put on the page, never
for time.
"""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import PIL.Image

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
"""Longest wait for anything: on a busy machine everything takes twice as long."""

SETTINGS = {
    "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    # other packages' old-style extensions make JupyterLab ask for a rebuild, over the whole page
    "config/labconfig/page_config.json": {"buildCheck": False, "buildAvailable": False},
    # extensions of the server that nobody needs here make its start slower
    "config/jupyter_server_config.json": {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_lsp": False, "jupyter_server_terminals": False}
        }
    },
}


class Lab:
    """A running JupyterLab server.

    Parameters
    ----------
    home : path
        Empty folder: notebooks go to ``home/notebooks``, the server's own files beside it.
    """

    def __init__(self, home: Path) -> None:
        self.notebooks = home / "notebooks"
        self.notebooks.mkdir()
        for name, value in SETTINGS.items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value))
        folders = {f"JUPYTER_{kind}_DIR": home / kind.lower() for kind in ("CONFIG", "DATA")}
        folders |= {
            "IPYTHONDIR": home / "ipython",
            "JUPYTER_RUNTIME_DIR": home / "runtime",
            "JUPYTERLAB_SETTINGS_DIR": home / "settings",
            "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        }
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "PYTHONWARNINGS": "ignore",
            **{name: str(folder) for name, folder in folders.items()},
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        options = [
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={port}",
            "--ServerApp.port_retries=0",
            "--IdentityProvider.token=",
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
            "--LabApp.news_url=",
            f"--ServerApp.root_dir={self.notebooks}",
        ]
        self._log = home / "server.log"
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *options],
                cwd=self.notebooks,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                urllib.request.urlopen(self.url + "/api", timeout=2).close()
                return
            except OSError:
                if time.monotonic() > end or self._server.poll() is not None:
                    self.close()
                    raise RuntimeError(self.log()) from None
                time.sleep(0.1)

    def log(self) -> str:
        """Return the last lines the server wrote."""
        return self._log.read_text(errors="replace")[-4000:]

    def close(self) -> None:
        """Stop the server and the kernels it started."""
        self._server.terminate()
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells; returns its name."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={
                "kernelspec": {
                    "name": "python3",
                    "display_name": "Python 3",
                    "language": "python",
                }
            },
        )
        nbformat.write(notebook, self.notebooks / name)
        return name


@dataclass
class LabPage:
    """A browser page with one notebook open in it.

    Attributes
    ----------
    page : playwright.sync_api.Page
        For whatever is not made easier here.
    refused : list of str
        Addresses that were asked for outside the server, none of which got an answer.
    errors : list of str
        Exceptions of the page's scripts that nothing caught.
    """

    lab: Lab
    page: Any
    refused: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_S * 1000)
        self.page.route(lambda url: not self._ours(url), self._refuse)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("websocket", self._look_at)

    def _ours(self, url: str) -> bool:
        return url.startswith((self.lab.url + "/", "data:", "blob:"))

    def _look_at(self, socket: Any) -> None:
        if not socket.url.startswith(self.lab.url.replace("http:", "ws:") + "/"):
            self.refused.append(socket.url)

    def _refuse(self, route: Any) -> None:
        self.refused.append(route.request.url)
        route.abort()

    def open(self, name: str, *, theme: str = "light") -> None:
        """Open a notebook alone, with no saved layout; its kernel is ready when this returns."""
        self.page.goto(f"{self.lab.url}/doc/tree/{name}?reset")
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell?.currentWidget?.context?.isReady"
        )
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.context.sessionContext.ready"
        )
        if theme == "dark":
            self.command("apputils:change-theme", theme="JupyterLab Dark")
            self.page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")

    def command(self, name: str, **arguments: Any) -> None:
        """Execute a command of JupyterLab and wait until it is done."""
        self.page.evaluate(
            "async ([name, args]) => { await window.jupyterapp.commands.execute(name, args) }",
            [name, arguments],
        )

    def run(self, *cells: str, name: str = "test.ipynb", theme: str = "light") -> None:
        """Write a notebook, open it and run all its cells; each is done when this returns."""
        self.open(self.lab.write(name, *cells), theme=theme)
        self.command("notebook:run-all-cells")

    def execute(self, code: str) -> str:
        """Run code in the notebook's kernel without a cell; returns what it printed.

        Raises
        ------
        AssertionError
            The code failed; the message is its traceback.
        """
        answer = self.page.evaluate(
            """async code => {
                const context = window.jupyterapp.shell.currentWidget.context.sessionContext;
                const texts = [], failures = [];
                const future = context.session.kernel.requestExecute({code, store_history: false});
                future.onIOPub = message => {
                    if (message.header.msg_type === "stream") texts.push(message.content.text);
                    if (message.header.msg_type === "error")
                        failures.push(message.content.traceback.join("\\n"));
                };
                await future.done;
                return [texts.join(""), failures.join("")];
            }""",
            code,
        )
        printed, failure = answer
        assert not failure, failure
        return str(printed)

    def until(self, expression: str, text: str) -> None:
        """Wait until an expression in the kernel prints a text.

        Raises
        ------
        AssertionError
            It has not in `PATIENCE_S`; the message is what it printed last.
        """
        end = time.monotonic() + PATIENCE_S
        while (printed := self.execute(f"print({expression})").strip()) != text:
            assert time.monotonic() < end, printed
            self.page.wait_for_timeout(100)

    def restart_kernel(self) -> None:
        """Restart the kernel; it answers again when this returns. No cell is run."""
        self.page.evaluate(
            """async () => {
                const context = window.jupyterapp.shell.currentWidget.context.sessionContext;
                await context.restartKernel();
            }"""
        )

    def wait_for_text(self, selector: str, text: str) -> Any:
        """Wait until an element shows a text; returns its locator."""
        found = self.page.locator(selector, has_text=text).first
        found.wait_for()
        return found

    def outputs(self) -> str:
        """Return the texts of all cells' outputs, tracebacks included."""
        return "\n".join(self.page.locator(".jp-OutputArea-output").all_inner_texts())

    def picture(self, selector: str | None = None, save: Path | None = None) -> np.ndarray:
        """Screenshot of an element or of the page: shape (rows, columns, 3), uint8."""
        at = self.page if selector is None else self.page.locator(selector).first
        png = at.screenshot(**({} if save is None else {"path": str(save)}))
        return np.asarray(PIL.Image.open(io.BytesIO(png)).convert("RGB"))

    def assert_quiet(self) -> None:
        """No address but the server's was asked for, and no script failed."""
        assert self.refused == []
        assert self.errors == []

    def close(self) -> None:
        """Stop the notebook's kernel and close the page."""
        if self.page.url.startswith(self.lab.url):
            # through the page: the server refuses requests without its cookie
            self.page.evaluate("() => window.jupyterapp?.serviceManager.sessions.shutdownAll()")
        self.page.close()
