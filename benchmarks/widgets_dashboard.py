"""First paint of the dashboard over 10,000 pointclouds, in JupyterLab and headless Chromium.

    python benchmarks/widgets_dashboard.py [--rows 10000] [--rounds 3]

prints, for each round, the time from running the cell until rows can be read on the page, until the
map is there as well, the time to sort and to search all rows, and what came over the kernel's
socket for it, map included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.pages.browser import CHROMIUM, FLAGS
from tests.widgets.labkit import Lab, LabPage

SETUP = """
import numpy as np, pandas as pd
import cupixgeo as cx
emulator = cx.Emulator(seed=7).start()
account = cx.connect("cupix", emulator=emulator)
few = account.pointclouds()
many = pd.concat([few] * (1 + {rows} // len(few)), ignore_index=True).head({rows})
many["id"] = np.arange(len(many)) + 100_000
many.attrs = few.attrs
cx.widgets.Dashboard
"""
CELL = "dashboard = cx.widgets.Dashboard(account, table=many); dashboard"
ROW = ".cx-table tbody tr[data-index]"


def dashboard(page: LabPage, rows: int) -> dict[str, float]:
    """Run the cell once on a page of its own."""
    received = [0]

    def listen(socket: Any) -> None:
        socket.on("framereceived", lambda data: received.__setitem__(0, received[0] + len(data)))

    page.page.on("websocket", listen)
    page.open(page.lab.write("bench.ipynb", SETUP.format(rows=rows), CELL))
    page.command("notebook:move-cursor-up")
    page.command("notebook:run-cell-and-select-next")
    before = received[0]
    began = time.perf_counter()
    page.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell') }")
    page.page.locator(ROW).nth(5).wait_for()
    table_s = time.perf_counter() - began
    page.page.locator(".cx-dashboard .leaflet-container").first.wait_for()
    map_s = time.perf_counter() - began
    page.page.wait_for_timeout(2000)
    total = received[0] - before
    began = time.perf_counter()
    page.page.locator("thead button", has_text="points count").first.click()
    page.page.locator("th[aria-sort=ascending]").wait_for()
    sort_s = time.perf_counter() - began
    began = time.perf_counter()
    page.page.locator(".cx-table-words").first.fill("shore east 3")
    page.page.locator(".cx-table-count", has_text=" of ").first.wait_for()
    find_s = time.perf_counter() - began
    return {
        "rows on the page [s]": table_s,
        "map as well [s]": map_s,
        "sort [s]": sort_s,
        "search [s]": find_s,
        "received [kB]": total / 1000,
    }


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        lab = Lab(Path(home))
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        try:
            for _ in range(asked.rounds):
                page = LabPage(lab, browser.new_page(viewport={"width": 1280, "height": 1000}))
                found = dashboard(page, asked.rows)
                page.close()
                print(", ".join(f"{what} {value:.2f}" for what, value in found.items()))
        finally:
            browser.close()
            lab.close()


if __name__ == "__main__":
    main()
